"""Cadence: how often a datastream should say something, from its `properties` (expectedInterval) or from what was learned.

`properties/expectedInterval` is an ISO 8601 duration (`"PT5M"`), or `"irregular"` for a datastream that speaks when it
likes: it has no coverage and no ledger of missing data, whatever the platform believes to have learned.
"""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, select

from beffroi.model.instant import parse_duration
from beffroi.model.problem import Problem
from beffroi.store.tables import datastream

__all__ = ["IRREGULAR", "expected_us", "intervals"]

IRREGULAR = "irregular"
_PART = 5_000


class _Said(msgspec.Struct):
    expectedInterval: str | None = None  # noqa: N815 -- as it is written in JSON


def expected_us(properties: str | None, learned_us: int | None) -> int | None:
    """Return the microseconds between two samples of a datastream, None when it is irregular or not known."""
    said = None
    if properties is not None and "expectedInterval" in properties:
        try:
            said = msgspec.json.decode(properties, type=_Said).expectedInterval
        except msgspec.DecodeError:
            said = None
    if said == IRREGULAR:
        return None
    if said is not None:
        try:
            found = parse_duration(said)
        except Problem:
            return learned_us
        return found if found > 0 else learned_us
    return learned_us


def intervals(connection: Connection, ids: Iterable[int]) -> dict[int, int]:
    """Return the expected interval of those of `ids` that have one."""
    c, wanted, found = datastream.c, sorted(ids), {}
    for i in range(0, len(wanted), _PART):
        part = c.id.in_(wanted[i : i + _PART])
        for number, properties, learned in connection.execute(
            select(c.id, c.properties, c.expected_interval_us).where(part)
        ):
            step = expected_us(properties, learned)
            if step:
                found[number] = step
    return found
