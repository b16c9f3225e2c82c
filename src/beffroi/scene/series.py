"""Series, stations and the faults that sensors have."""

import math
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from beffroi.model.instant import DAY_US, HOUR_US, SECOND_US
from beffroi.scene.chance import Chance

__all__ = ["FAULT_KINDS", "Fault", "Reading", "Series", "Station"]

FaultKind = Literal["silent", "stuck", "drift", "spikes", "offset", "event"]
FAULT_KINDS: tuple[FaultKind, ...] = ("silent", "stuck", "drift", "spikes", "offset", "event")


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a series, from when to when (None: still): the truth that the sensors do not tell.

    `amount`: of a drift, units a day; of spikes and an offset, units. An `event` is nothing wrong with the
    sensor: something that really happened (a leak, a power cut) and is already in the values.
    """

    series: str
    kind: FaultKind
    start_us: int
    end_us: int | None = None
    amount: float = 0.0
    note: str = ""

    def active(self, instant_us: int) -> bool:
        """True while the fault lasts."""
        return self.start_us <= instant_us and (self.end_us is None or instant_us < self.end_us)


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One value as a sensor would send it; `end_us` when it tells of an interval."""

    start_us: int
    end_us: int | None
    value: float


class Series(msgspec.Struct, frozen=True, eq=False):
    """One property of one station through time.

    `value(start_us, end_us)` is the truth at `end_us` (or over the interval); `lost` is the share of
    messages that never arrive; `faults` bend what is told.
    """

    key: str
    kind: str  # code of the declared datastream kind
    every_us: int
    value: Callable[[int, int], float]
    decimals: int = 1
    interval: bool = False
    lost: float = 0.0
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    title: str = ""  # what tells it from its neighbours of the same kind, if any
    low: float = -math.inf
    high: float = math.inf
    delay_us: int = 0  # this much after the round time, so that stations do not all speak at once

    def readings(self, after_us: int, until_us: int) -> Iterator[Reading]:
        """Yield what the sensor sent with its time in (after, until], in order."""
        draw = Chance(self.seed, self.key)
        first = (after_us - self.delay_us) // self.every_us + 1
        last = (until_us - self.delay_us) // self.every_us
        for number in range(first, last + 1):
            if self.lost and draw.unit(number, 1) < self.lost:
                continue
            end = number * self.every_us + self.delay_us
            value = self._told(draw, number, end)
            if value is None:
                continue
            value = round(min(self.high, max(self.low, value)), self.decimals)
            if self.interval:
                yield Reading(end - self.every_us, end, value)
            else:
                yield Reading(end, None, value)

    def _told(self, draw: Chance, number: int, end: int) -> float | None:
        at = end
        change = 0.0
        for fault in self.faults:
            if not fault.active(end):
                continue
            if fault.kind == "silent":
                return None
            if fault.kind == "stuck":
                at = fault.start_us
            elif fault.kind == "drift":
                change += fault.amount * (end - fault.start_us) / DAY_US
            elif fault.kind == "offset":
                change += fault.amount
            elif fault.kind == "spikes" and draw.unit(number, 2) < 0.004:
                change += fault.amount * (1.0 if draw.unit(number, 3) < 0.7 else -0.6)
        return self.value(at - self.every_us, at) + change


class Station(msgspec.Struct, frozen=True, eq=False):
    """A thing that measures: where it stands, whose it is, what it measures, since when, and with what.

    `service` is the service that it belongs to (its `demo.py` writes it into the town); `asset` names the
    record it sits on (collection, code) when there is one.
    """

    key: str
    name: str
    description: str
    service: str
    commune: str
    place: tuple[float, float]  # metres east and north of the belfry
    model: str
    series: tuple[Series, ...]
    asset: tuple[str, str] | None = None
    public: bool = True
    category: str = ""


def jitter(seed: int, key: str, every_us: int) -> int:
    """Return a stable delay for a station: whole seconds, less than a fifth of its interval, at most 5 minutes."""
    return int(Chance(seed, key).unit(0, 99) * min(every_us / 5, HOUR_US / 12) / SECOND_US) * SECOND_US
