"""Usage: what each service took in, keeps and gives out over thirty days, counted from the store."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select

from beffroi.evaluation.sobriety.footprint import Interval, Usage
from beffroi.model.instant import DAY_US
from beffroi.store.aggregates import AggregateQuery
from beffroi.store.open import Store
from beffroi.store.tables import datastream, latest, page_reading, provenance, segment, segment_series, thing

__all__ = ["DAYS", "usages"]

DAYS = 30
FRESH_ROW = 110  # bytes of an observation that is not sealed yet, its indexes included (measured)
BARE = Interval(20, 60, 250)  # bytes of a message when no payload was kept


def _stored(c: Any) -> dict[int, float]:
    """Return the bytes that the observations of each datastream take: its share of the files, and its fresh rows."""
    held: dict[int, float] = {}
    sealed: dict[int, int] = {}
    columns = select(
        segment_series.c.datastream_id,
        segment_series.c.count,
        segment.c.bytes,
        segment.c.rollup_bytes,
        segment.c.count.label("all"),
    )
    live = columns.join(segment, segment.c.id == segment_series.c.segment_id).where(segment.c.live == 1)
    for r in c.execute(live):
        held[r[0]] = held.get(r[0], 0.0) + (r.bytes + (r.rollup_bytes or 0)) * r[1] / max(1, r.all)
        sealed[r[0]] = sealed.get(r[0], 0) + r[1]
    for r in c.execute(select(latest.c.datastream_id, latest.c.count)):
        held[r[0]] = held.get(r[0], 0.0) + max(0, r[1] - sealed.get(r[0], 0)) * FRESH_ROW
    return held


def _payload(c: Any, start_us: int) -> Interval:
    """Return how many bytes a message weighs: what arrived with a payload says it, else a wide guess."""
    size = func.length(provenance.c.payload)
    mean = c.execute(
        select(func.avg(size)).where(provenance.c.at_us >= start_us, provenance.c.payload.is_not(None))
    ).scalar()
    return BARE if not mean else Interval(float(mean) * 0.8, float(mean), float(mean) * 1.5)


def usages(store: Store, services: Iterable[str], end: int) -> dict[str, Usage]:
    """Return the usage of every service over the last thirty days."""
    start, today = end - DAYS * DAY_US, end // DAY_US
    with store.read() as c:
        owners = {
            r[0]: (r[1], r[2])
            for r in c.execute(select(datastream.c.id, thing.c.service, thing.c.id).join(thing, thing.c.id == datastream.c.thing_id))
        }  # fmt: skip
        held, weight = _stored(c), _payload(c, start)
        t = page_reading.c
        shown = {
            r[0]: (r[1], r[2])
            for r in c.execute(select(t.service, func.sum(t.readings), func.sum(t.bytes)).where(t.day > today - DAYS).group_by(t.service))
        }  # fmt: skip
    cells = store.observations.aggregate(AggregateQuery(within=(start, end), by_series=True))
    messages: dict[str, int] = {}
    for (series, _feature, _bucket), cell in cells.items():
        service = owners.get(series, ("", 0))[0]
        messages[service] = messages.get(service, 0) + cell.n
    stored: dict[str, float] = {}
    for series, size in held.items():
        service = owners.get(series, ("", 0))[0]
        stored[service] = stored.get(service, 0.0) + size
    sensors: dict[str, set[int]] = {}
    for service, number in owners.values():
        sensors.setdefault(service, set()).add(number)
    total, whole = max(1, sum(messages.values())), max(1.0, sum(stored.values()))
    found = {}
    for service in services:
        n, size = messages.get(service, 0), stored.get(service, 0.0)
        readings, out = shown.get(service, (0, 0))
        found[service] = Usage(
            DAYS,
            n,
            weight * float(n),
            round(size),
            int(out),
            int(readings),
            len(sensors.get(service, ())),
            (n / total + size / whole) / 2,
        )
    return found
