"""Footprint: what a service consumes, as intervals, from what it does and a sourced table of factors.

An interval is wider than its middle value: no single number is ever given.
"""

import functools
import tomllib
from importlib.resources import files

import msgspec

from beffroi.model.text import Text

__all__ = ["Account", "Factor", "Interval", "Usage", "account_of", "factors"]

YEAR_DAYS = 365.25
GB = 1e9


class Interval(msgspec.Struct, frozen=True):
    """A positive quantity between two bounds, with a middle one that is only an order of magnitude."""

    low: float
    middle: float
    high: float

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def __mul__(self, other: "Interval | float") -> "Interval":
        if isinstance(other, Interval):
            return Interval(self.low * other.low, self.middle * other.middle, self.high * other.high)
        return Interval(self.low * other, self.middle * other, self.high * other)

    def per(self, count: float) -> "Interval | None":
        """Return this for each of `count` (None when there are none)."""
        return self * (1.0 / count) if count > 0 else None


class Factor(msgspec.Struct, frozen=True):
    """One factor of the table."""

    low: float
    middle: float
    high: float
    source: Text
    confirmed: bool = False

    @property
    def interval(self) -> Interval:
        """Return its bounds."""
        return Interval(self.low, self.middle, self.high)


class Usage(msgspec.Struct, frozen=True):
    """What a service did in some days: messages in, bytes in, stored and out, pages read, sensors, its share of the server."""

    days: float
    messages: int
    bytes_in: Interval
    bytes_stored: int
    bytes_out: int
    readings: int
    sensors: int
    share: float


class Account(msgspec.Struct, frozen=True):
    """Energy (kWh) and CO₂ (kg) of those days, in use and made beforehand."""

    energy: Interval
    in_use: Interval
    embedded: Interval

    @property
    def carbon(self) -> Interval:
        """Return the whole."""
        return self.in_use + self.embedded


@functools.cache
def factors() -> dict[str, Factor]:
    """Return the table of factors by name."""
    text = (files(__package__) / "factors.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Factor])


def account_of(usage: Usage) -> Account:
    """Return what the usage comes to."""
    f = {name: factor.interval for name, factor in factors().items()}
    years = usage.days / YEAR_DAYS
    server = f["server_watts"] * (usage.share * usage.days * 24 / 1000)
    messages = f["message_wh"] * (usage.messages / 1000)
    network = (
        f["network_kwh_per_gb"]
        * (usage.bytes_in + Interval(usage.bytes_out, usage.bytes_out, usage.bytes_out))
        * (1 / GB)
    )
    reading = f["reading_wh"] * (usage.readings / 1000)
    energy = server + messages + network + reading
    embedded = f["server_embedded_kg_per_year"] * f["server_share"] * (usage.share * years) + f[
        "sensor_embedded_kg_per_year"
    ] * (usage.sensors * years)
    return Account(energy, energy * f["electricity_kg_per_kwh"], embedded)
