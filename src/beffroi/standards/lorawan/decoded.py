"""The decoded payload of an uplink, flattened to one value a key.

Nested objects join with a point, elements of arrays count from 1; an element of an array that carries its
own timestamp is a past measurement (late history frames) and keeps the keys of live ones.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from beffroi.model.instant import DAY_US, SECOND_US, parse_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Decoded", "flatten"]

_MOST_VALUES = 2_000
_DEEPEST = 8
_FIRST_US = 946_684_800 * SECOND_US  # 2000-01-01: no LoRaWAN clock is before it
_STAMPS = ("timestamp", "time", "datetime")


class Decoded(msgspec.Struct, frozen=True):
    """One value: its flattened key, and its own time when the payload gives one."""

    key: str
    value: Any
    time_us: int | None = None


def flatten(payload: dict[str, Any], now_us: int) -> list[Decoded]:
    """Return the values of `payload`, nulls left out. Raises `Problem` when there are too many or too deep."""
    found: list[Decoded] = []
    for item in _walk(payload, "", None, 0, now_us):
        found.append(item)
        if len(found) > _MOST_VALUES:
            raise Problem(
                Text("L'uplink porte trop de valeurs.", "The uplink carries too many values."),
                Text("Réduisez ce que rend le décodeur.", "Make the decoder return less."),
            )
    return found


def _walk(value: Any, prefix: str, time_us: int | None, depth: int, now_us: int) -> Iterator[Decoded]:
    if depth > _DEEPEST:
        raise Problem(
            Text("Les valeurs sont trop imbriquées.", "The values are nested too deep."),
            Text("Faites rendre au décodeur un objet plat.", "Make the decoder return a flat object."),
        )
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, f"{prefix}.{key}" if prefix else str(key), time_us, depth + 1, now_us)
    elif isinstance(value, list):
        for place, inner in enumerate(value, 1):
            yield from _element(inner, prefix, place, time_us, depth, now_us)
    elif value is not None and prefix:
        yield Decoded(prefix, value, time_us)


def _element(
    value: Any, prefix: str, place: int, time_us: int | None, depth: int, now_us: int
) -> Iterator[Decoded]:
    stamp = _stamp(value, now_us) if isinstance(value, dict) else None
    if stamp is None:
        yield from _walk(value, f"{prefix}.{place}", time_us, depth + 1, now_us)
        return
    name, own_us = stamp
    past = {key: inner for key, inner in value.items() if key != name}
    parent = prefix.rpartition(".")[0]
    yield from _walk(past, parent, own_us, depth + 1, now_us)


def _stamp(item: dict[str, Any], now_us: int) -> tuple[str, int] | None:
    for name in _STAMPS:
        value = item.get(name)
        instant = None
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
            seconds = value / 1000 if value > 1e11 else value
            instant = round(seconds * SECOND_US)
        elif isinstance(value, str):
            try:
                instant = parse_instant(value)
            except Problem:
                continue
        if instant is not None and _FIRST_US <= instant <= now_us + DAY_US:
            return name, instant
    return None
