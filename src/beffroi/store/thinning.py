"""Thinning: raw observations are kept for their time, then their hours, then nothing; what that saves is told.

A datastream says so in its `properties`: `"retention": {"raw": "P365D", "hours": "P3650D"}`, durations after which its
raw values, then their hourly summaries go; without a duration they stay. What it does not say, its kind does (the
setting `retention.kinds`), else everything stays. Whole UTC days go, never the last one that a datastream spoke. With
`"from": "2026-12-03"` nothing goes before that day: until then the rule is undone without a loss.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, select, update

from beffroi.model.instant import DAY_US, HOUR_US, parse_duration, parse_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.archive import COLUMNS, Segment, quoted
from beffroi.store.open import Store
from beffroi.store.quick import one_moment, quick
from beffroi.store.rollups import ROLLUP_COLUMNS, rollup_sql
from beffroi.store.tables import datastream, latest, observation, thinned

__all__ = [
    "KINDS",
    "SERVICE",
    "Keep",
    "Saved",
    "Thinned",
    "keep_of",
    "keeps",
    "past",
    "read_keep",
    "saved",
    "thin",
]

KINDS = "retention.kinds"
SERVICE = "retention"
_FOREVER = 2**62


class Keep(msgspec.Struct, frozen=True):
    """How many days raw values stay, then how many their hours do; None is forever. Nothing goes before `from_us`."""

    raw_days: int | None = None
    hours_days: int | None = None
    from_us: int | None = None


class Thinned(msgspec.Struct):
    """What a passage took away (or would): raw rows and thin hours of each datastream, bytes freed and bytes left."""

    rows: dict[int, int] = {}
    hours: dict[int, int] = {}
    freed: int = 0
    kept: int = 0
    bytes: dict[int, int] = {}


class Saved(msgspec.Struct, frozen=True):
    """What retention took away of a datastream so far."""

    rows: int
    bytes: int
    hours: int
    at_us: int


def read_keep(value: object) -> Keep:
    """Return what a `retention` object says. Raises `Problem` at its member."""
    if not isinstance(value, Mapping):
        raise Problem(Text("La conservation est un objet.", "Retention is an object."),
                      Text('Écrivez {"raw": "P365D", "hours": "P3650D"}.', 'Write {"raw": "P365D", "hours": "P3650D"}.'),
                      place="/properties/retention")  # fmt: skip
    since = value.get("from")
    try:
        from_us = None if since is None else parse_instant(str(since))
    except Problem as problem:
        raise Problem(problem.reason, problem.mend, place="/properties/retention/from") from problem
    return Keep(_days(value, "raw"), _days(value, "hours"), from_us)


def _days(value: Mapping[str, Any], name: str) -> int | None:
    written = value.get(name)
    if written is None:
        return None
    mend = Text("Écrivez une durée en jours, par exemple P365D.", "Write a duration in days, such as P365D.")
    try:
        days = parse_duration(str(written)) // DAY_US
    except Problem as problem:
        raise Problem(problem.reason, mend, place=f"/properties/retention/{name}") from problem
    if days < 1:
        raise Problem(
            Text("Un jour au moins est gardé.", "A day at least is kept."),
            mend,
            place=f"/properties/retention/{name}",
        )
    return days


def keep_of(properties: str | None, kind: str, kinds: Mapping[str, Any]) -> Keep:
    """Return how long a datastream keeps what it has; what cannot be read keeps everything."""
    value = kinds.get(kind)
    if properties is not None and '"retention"' in properties:
        found = msgspec.json.decode(properties)
        value = found.get("retention", value) if isinstance(found, dict) else value
    if value is None:
        return Keep()
    try:
        return read_keep(value)
    except Problem:
        return Keep()


def keeps(
    store: Store, connection: Connection, kinds: Mapping[str, Any] | None = None, instead: Mapping[int, Mapping[str, str]] | None = None
) -> dict[int, Keep]:  # fmt: skip
    """Return how long each datastream that does not keep everything keeps what it has.

    `kinds` and `instead` (by datastream) stand for what is kept now, to try other rules.
    """
    known = store.setting(KINDS, {}) if kinds is None else kinds
    c, other = datastream.c, instead or {}
    found = (
        (r.id, read_keep(other[r.id]) if r.id in other else keep_of(r.properties, r.kind, known))
        for r in connection.execute(select(c.id, c.properties, c.kind))
    )
    return {number: keep for number, keep in found if keep != Keep()}


def thin(
    store: Store, now_us: int, needed: Mapping[int, int] | None = None, *, dry: bool = False,
    kinds: Mapping[str, Any] | None = None, instead: Mapping[int, Mapping[str, str]] | None = None,
) -> Thinned:  # fmt: skip
    """Take away what is past its retention at `now_us`, or say what would be (`dry`).

    `needed`: since when the raw rows of a datastream (0: of all) are needed, whatever their age. `kinds`, `instead`:
    other rules to try (see `keeps`).
    """
    done = Thinned()
    with store.read() as connection:
        limits = _limits(connection, keeps(store, connection, kinds, instead), now_us, needed or {})
        segments = store.archive.live(connection)
        hidden = set(
            connection.execute(select(observation.c.id).where(observation.c.seq.is_not(None))).scalars()
        )
    if not limits:
        return done
    for one in segments:
        touched = {s: cut for s, cut in limits.items() if cut[0] > one.first_us}
        if touched and one.rollup is not None:
            _thin_one(store, one, touched, hidden, done, now_us, dry=dry)
    if not dry:
        _first_again(store, done.rows)
    return done


def past(store: Store, now_us: int, needed: Mapping[int, int] | None = None) -> set[int]:
    """Return when the UTC days begin of which rows that are past their retention came late, and wait to be sealed."""
    with store.read() as c:
        one_moment(c)
        limits = _limits(c, keeps(store, c), now_us, needed or {})
        found = (
            quick(
                c, "SELECT start_us FROM obs.fresh WHERE datastream_id = :series AND start_us < :cut",
                {"series": series, "cut": raw},
            )
            for series, (raw, _) in limits.items()
        )  # fmt: skip
        return {us - us % DAY_US for rows in found for (us,) in rows}


Cut = tuple[int, int]
"""Before which instant raw rows go, and before which their hours go."""


def _limits(
    connection: Connection, rules: Mapping[int, Keep], now_us: int, needed: Mapping[int, int]
) -> dict[int, Cut]:
    newest = dict(connection.execute(select(latest.c.datastream_id, latest.c.start_us)).fetchall())
    today = now_us - now_us % DAY_US
    limits: dict[int, Cut] = {}
    for series, keep in rules.items():
        if keep.raw_days is None or newest.get(series) is None or (keep.from_us or 0) > now_us:
            continue
        last = newest[series]
        raw = min(
            today - keep.raw_days * DAY_US,
            last - last % DAY_US,
            needed.get(series, _FOREVER),
            needed.get(0, _FOREVER),
        )
        raw -= raw % DAY_US
        hours = -_FOREVER if keep.hours_days is None else raw - keep.hours_days * DAY_US
        limits[series] = (raw, hours)
    return limits


def _thin_one(
    store: Store, one: Segment, limits: Mapping[int, Cut], hidden: Iterable[int], done: Thinned, now_us: int, *, dry: bool
) -> None:  # fmt: skip
    """Rewrite one segment without what goes; the thin hours are made of just those rows."""
    archive = store.archive
    held = quoted(archive.folder / (one.rollup or ""))
    near = ", ".join(str(i) for i in hidden if one.min_id <= i <= one.max_id)
    fresh = f" OR id IN ({near})" if near else ""  # replaced by fresh rows: sealing will see to them
    cuts = ", ".join(f"({s}, {raw}, {hours})" for s, (raw, hours) in limits.items())
    cut = f"(SELECT * FROM (VALUES {cuts}) AS c(series, raw_cut, hours_cut))"
    raw = f"(SELECT * FROM read_parquet({archive.files([one])}) AS o LEFT JOIN {cut} ON series = o.datastream_id)"
    names = ", ".join(COLUMNS)
    kept = f"SELECT {names} FROM {raw} WHERE series IS NULL OR start_us >= raw_cut{fresh}"
    gone = f"(SELECT {names} FROM {raw} WHERE NOT (series IS NULL OR start_us >= raw_cut{fresh}))"
    rolled = ", ".join(ROLLUP_COLUMNS)
    old = f"(SELECT r.*, hours_cut FROM read_parquet({held}) AS r LEFT JOIN {cut} ON series = datastream_id WHERE thin)"
    made = f"(SELECT r.*, hours_cut FROM ({rollup_sql(gone)}) AS r JOIN {cut} ON series = datastream_id)"
    every = (
        f"(SELECT {rolled}, hours_cut FROM {old} UNION ALL BY NAME SELECT {rolled}, hours_cut FROM {made})"
    )
    cursor = archive.cursor()
    try:
        counts = dict(cursor.execute(f"SELECT datastream_id, count(*) FROM {gone} GROUP BY 1").fetchall())
        before = dict(cursor.execute(f"SELECT datastream_id, count(*) FROM {old} GROUP BY 1").fetchall())
        after = dict(
            cursor.execute(
                f"SELECT datastream_id, count(DISTINCT hour_us) FROM {every} WHERE hours_cut IS NULL OR hour_us >= hours_cut GROUP BY 1"
            ).fetchall()
        )
        if not counts and after == before:
            return
        hours = {s: after.get(s, 0) - before.get(s, 0) for s in limits if after.get(s, 0) != before.get(s, 0)}
        if dry:
            _estimate(done, one, counts, hours)
            return
        fresh_segment = archive.write(
            cursor, kept, one.first_us, one.end_us, [one], thin=f"({_merged(every)})"
        )  # fmt: skip
    finally:
        cursor.close()
    left = 0 if fresh_segment is None else fresh_segment.bytes + (fresh_segment.rollup_bytes or 0)
    freed = one.bytes + (one.rollup_bytes or 0) - left
    shares = _shares(freed, counts or {s: abs(n) for s, n in hours.items()})
    with store.database.write_observations() as connection:
        archive.switch(connection, [one], [fresh_segment] if fresh_segment else [])
        for series in sorted(counts.keys() | hours.keys()):
            _note(
                connection, series, counts.get(series, 0), shares.get(series, 0), hours.get(series, 0), now_us
            )
    _add(done, counts, hours, shares)
    done.freed += freed
    done.kept += left


def _first_again(store: Store, ids: Iterable[int]) -> None:
    """Say anew when the first raw observation of each datastream is, unless an older one came meanwhile."""
    known = store.observations.stats(ids)
    for series, stat in known.items():
        first = store.observations.series(series, limit=1)
        if first and stat.first_us != first[0].start_us:
            c = latest.c
            with store.database.write_observations() as connection:
                unmoved = (c.datastream_id == series, c.first_us == stat.first_us)
                connection.execute(update(latest).where(*unmoved).values(first_us=first[0].start_us))


def _merged(every: str) -> str:
    """Return thin hours, one row each: an hour thinned twice (late rows) is added up."""
    return (
        "SELECT datastream_id, hour_us, sum(n)::INTEGER AS n, sum(numbers)::INTEGER AS numbers, sum(total) AS total, min(low) AS low,"
        " max(high) AS high, arg_min(first_value, first_us) AS first_value, min(first_us) AS first_us,"
        " arg_max(last_value, last_us) AS last_value, max(last_us) AS last_us, max(span_us) AS span_us, true AS thin"
        f" FROM {every} WHERE hours_cut IS NULL OR hour_us >= hours_cut GROUP BY 1, 2"
    )


def _estimate(done: Thinned, one: Segment, counts: Mapping[int, int], hours: Mapping[int, int]) -> None:
    """Add what rewriting a segment would free, at the mean bytes of its rows and hours."""
    row = one.bytes / max(one.count, 1)
    hour = (one.rollup_bytes or 0) / max((one.end_us - one.first_us) // HOUR_US, 1) / max(len(counts) or 1, 1)
    size = one.bytes + (one.rollup_bytes or 0)
    shares = {s: round(n * row) for s, n in counts.items()}
    for series, n in hours.items():
        if n < 0:
            shares[series] = shares.get(series, 0) + round(-n * hour)
    freed = min(sum(shares.values()), size)
    _add(done, counts, hours, shares)
    done.freed += freed
    done.kept += size - freed


def _add(
    done: Thinned, counts: Mapping[int, int], hours: Mapping[int, int], shares: Mapping[int, int]
) -> None:
    for total, part in ((done.rows, counts), (done.hours, hours), (done.bytes, shares)):
        for series, n in part.items():
            total[series] = total.get(series, 0) + n


def _shares(freed: int, counts: Mapping[int, int]) -> dict[int, int]:
    """Return the bytes freed by datastream, in proportion to its rows; they add up to `freed`."""
    shares: dict[int, int] = {}
    rows = sum(counts.values())
    for series, n in counts.items():
        shares[series] = freed * n // rows if rows else 0
    if shares:
        first = next(iter(shares))
        shares[first] += freed - sum(shares.values())
    return shares


def _note(connection: Connection, series: int, rows: int, size: int, hours: int, at_us: int) -> None:
    fewer = update(latest).where(latest.c.datastream_id == series).values(count=latest.c.count - rows)
    connection.execute(fewer)
    known = connection.execute(select(thinned).where(thinned.c.datastream_id == series)).first()
    values = {"rows": rows, "bytes": size, "hours": hours, "at_us": at_us}
    if known is None:
        connection.execute(thinned.insert().values(datastream_id=series, **values))
        return
    values |= {"rows": known.rows + rows, "bytes": known.bytes + size, "hours": known.hours + hours}
    connection.execute(thinned.update().where(thinned.c.datastream_id == series).values(values))


def saved(connection: Connection, ids: Iterable[int] | None = None) -> dict[int, Saved]:
    """Return what retention took away of each datastream of `ids` (None: of all) so far."""
    statement = select(thinned)
    if ids is not None:
        statement = statement.where(thinned.c.datastream_id.in_(list(ids)))
    return {r.datastream_id: Saved(r.rows, r.bytes, r.hours, r.at_us) for r in connection.execute(statement)}
