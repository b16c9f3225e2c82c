"""Uplink: one message of a LoRaWAN device, whatever network server handed it on."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from beffroi.model.instant import DAY_US
from beffroi.model.problem import Problem
from beffroi.model.result import Result, encode_exact, result_of
from beffroi.model.text import Text
from beffroi.standards.decimal_text import measure_of
from beffroi.standards.lorawan.decoded import Decoded, flatten
from beffroi.standards.reading import Reading, Series, Station

__all__ = ["Gateway", "Uplink", "decode_body", "readings_of", "wrong_body"]


class Gateway(msgspec.Struct, frozen=True):
    """How well one gateway heard the device (dBm, dB)."""

    id: str = ""
    rssi: int | float | None = None
    snr: int | float | None = None


class Uplink(msgspec.Struct, frozen=True):
    """One message. `session` names the counter's life (it restarts when the device joins again)."""

    eui: str
    name: str
    time_us: int
    counter: int
    session: str = ""
    application: str = ""
    model: str = ""
    payload: str = ""
    decoded: dict[str, Any] = {}
    gateways: tuple[Gateway, ...] = ()
    battery: int | float | None = None
    longitude: float | None = None
    latitude: float | None = None
    radio: dict[str, Any] = {}  # frequency (Hz), spreading factor, bandwidth (Hz), coding rate, port
    decoder: str = ""  # what made `decoded` of `payload`, with its version when it is told

    @property
    def station(self) -> Station:
        """What the uplink says of its device."""
        given = (("devEUI", self.eui), ("application", self.application), ("model", self.model))
        return Station(
            f"lora/{self.eui}", self.name or self.eui, longitude=self.longitude, latitude=self.latitude,
            properties=tuple((key, value) for key, value in given if value),
        )  # fmt: skip

    def source_key(self, *parts: str) -> bytes:
        """Return the key on which deliveries of this same message fold: several gateways, or sent again."""
        day = str(self.time_us // DAY_US) if not self.session else ""
        told = "\x1f".join(("lora", self.eui, self.session, day, str(self.counter), self.payload, *parts))
        return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def readings_of(uplink: Uplink, now_us: int) -> list[Reading]:
    """Return the readings of an uplink: each decoded key, then battery, RSSI and SNR as the network saw them.

    Raises `Problem` when the decoded payload cannot be taken.
    """
    station = uplink.station
    readings = [_reading(uplink, station, item) for item in flatten(uplink.decoded, now_us)]
    given = {reading.series.code for reading in readings}
    readings += [
        _reading(uplink, station, Decoded(key, value), unit)
        for key, value, unit in _radio(uplink)
        if key not in given
    ]
    return _ordinal_keys(uplink, readings)


def _radio(uplink: Uplink) -> Iterator[tuple[str, int | float, str]]:
    if uplink.battery is not None:
        yield "battery", uplink.battery, "%"
    heard = [gateway for gateway in uplink.gateways if gateway.rssi is not None]
    if heard:
        best = max(heard, key=lambda gateway: gateway.rssi or -999.0)
        yield "rssi", best.rssi or 0, "dB(mW)"
    noise = [gateway.snr for gateway in uplink.gateways if gateway.snr is not None]
    if noise:
        yield "snr", max(noise), "dB"


def _reading(uplink: Uplink, station: Station, item: Decoded, unit: str = "") -> Reading:
    result, found_unit, extra = _result(item.value)
    series = Series(f"{station.key}/{item.key}", item.key, station, unit=unit or found_unit)
    start = uplink.time_us if item.time_us is None else item.time_us
    return Reading(series, start, result, extra=extra)


def _result(value: Any) -> tuple[Result, str, str | None]:
    """Return the result, its unit when the value carries one ("3.384 V"), and the text that was received."""
    if isinstance(value, str):
        measure = measure_of(value)
        if measure is not None:
            raw = msgspec.json.encode({"parameters": {"received": value}}).decode()
            return measure[0], measure[1], raw
    try:
        return result_of(value), "", None
    except (ValueError, OverflowError):
        return result_of(str(value)), "", None


def _ordinal_keys(uplink: Uplink, readings: list[Reading]) -> list[Reading]:
    """Give each reading its source key: the message's, the property's, and how many of it came before."""
    seen: dict[str, int] = {}
    keyed = []
    for reading in readings:
        code = reading.series.code
        ordinal = seen[code] = seen.get(code, -1) + 1
        keyed.append(msgspec.structs.replace(reading, source_key=uplink.source_key(code, str(ordinal))))
    return keyed


def wrong_body(detail: str) -> Problem:
    """Return the problem of a body that does not have the shape of an uplink; `detail` is msgspec's message."""
    message, _, path = detail.partition(" - at `")
    pointer = path.rstrip("`").removeprefix("$").replace("[...]", "/*").replace("[", ".").replace("]", "")
    shown = message.replace("{", "(").replace("}", ")")[:200]
    return Problem(
        Text("Le message n'a pas la forme attendue : {detail}", "The message does not have the expected shape: {detail}")
        .filled(detail=shown),
        Text("Envoyez le JSON du serveur LoRaWAN sans le changer.", "Send the LoRaWAN server's JSON unchanged."),
        place=pointer.replace(".", "/") or "/",
    )  # fmt: skip


def decode_body(decoder: "msgspec.json.Decoder[Any]", body: bytes) -> Any:
    """Return what `decoder` makes of `body`. Raises `Problem` with a JSON pointer."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise wrong_body(str(error)) from error


def payload_text(raw: str, decoded: dict[str, Any]) -> str:
    """Return what tells this message's content from another's: the raw payload, else the decoded one."""
    return raw or encode_exact(decoded)
