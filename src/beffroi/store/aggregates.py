"""Aggregates of observations by buckets of time, equal whether what is read is fresh, sealed or rolled up.

Each source gives partial sums (`Cell`); they are added up here. Roll-ups serve whole hours; what they cannot say
(the parts of hours at both ends, hours whose sealed rows were corrected since, segments without a roll-up, conditions
on more than time) is read from the raw rows.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, case, func, literal, or_, select

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.archive import FEW, Archive, Segment
from beffroi.store.database import Database
from beffroi.store.gathering import MOST_APART, Long, good, hours_apart, rollup_rows, rollup_sums
from beffroi.store.rollups import hour_of
from beffroi.store.tables import observation

__all__ = ["AggregateQuery", "Cell", "Cells", "Grain", "aggregate"]

MOST_CELLS = 500_000
MOST_VALUES = 5_000_000
MOST_STALE = 5_000  # stale hours beyond which the segments that hold them are read raw
_KEY = "row(start_us, datastream_id, id)"  # what comes first: by time, then by datastream, then by id
_ROLLED_ID = -1


class Grain(msgspec.Struct, frozen=True):
    """Buckets of `step_us` on a clock that is ahead of UTC by `offsets`: (since which instant, by how much).

    The number of a bucket is floor((instant + offset) / step). The first offset counts from the beginning of time.
    """

    step_us: int
    offsets: tuple[tuple[int, int], ...] = ((0, 0),)

    @property
    def hourly(self) -> bool:
        """True when no bucket begins within an hour (UTC)."""
        return self.step_us % HOUR_US == 0 and all(offset % HOUR_US == 0 for _, offset in self.offsets)


class AggregateQuery(msgspec.Struct, frozen=True):
    """What to add up, and by what.

    `datastreams`: only these (None: all), `without`: none of these. `within`: phenomenon start in [start, end);
    `ended_by`: its end, if it has one, not after that. `where(dialect)`: a further predicate, as in `ObservationQuery`.
    `value(dialect)`: the number to look at instead of the result's (one inside a result that is an array).
    `grain`: buckets of time (None: one for all time). `ends`: first and last values too; `values`: all values.
    """

    datastreams: tuple[int, ...] | None = None
    without: tuple[int, ...] = ()
    within: tuple[int | None, int | None] = (None, None)
    ended_by: int | None = None
    where: Callable[[str], ColumnElement[bool]] | None = None
    value: Callable[[str], ColumnElement[float]] | None = None
    grain: Grain | None = None
    by_series: bool = False
    by_feature: bool = False
    ends: bool = False
    values: bool = False


class Cell(msgspec.Struct, gc=False):
    """What observations came to: `n` of them, `numbers` whose result is a number, and of those the rest.

    `first` and `last` are (start, datastream, id, value).
    """

    n: int
    numbers: int
    total: float
    low: float | None
    high: float | None
    first: tuple[int, int, int, float] | None = None
    last: tuple[int, int, int, float] | None = None
    values: list[float] = []

    @property
    def mean(self) -> float:
        """The mean of the numbers, of which there must be some."""
        return self.total / self.numbers

    def times(self, factor: float) -> "Cell":
        """Return what the numbers come to in another unit, a positive `factor` times theirs; without ends and values."""
        low, high = (None if n is None else n * factor for n in (self.low, self.high))
        return Cell(self.n, self.numbers, self.total * factor, low, high)

    def add(self, other: "Cell") -> None:
        """Add what other observations came to."""
        self.n += other.n
        self.numbers += other.numbers
        self.total += other.total
        self.low = _least(self.low, other.low)
        self.high = _most(self.high, other.high)
        self.first = _least(self.first, other.first)
        self.last = _most(self.last, other.last)
        if other.values:
            self.values = self.values + other.values


def _least(a: Any, b: Any) -> Any:
    return b if a is None or (b is not None and b < a) else a


def _most(a: Any, b: Any) -> Any:
    return b if a is None or (b is not None and b > a) else a


Key = tuple[int, int, int]
"""Datastream, feature (0: not asked, or none), number of the bucket (0 when there is no grain)."""
Cells = dict[Key, Cell]


def aggregate(database: Database, archive: Archive, query: AggregateQuery) -> Cells:
    """Return a cell for each combination asked for that has an observation. Raises `Problem` when there are too many."""
    if query.ended_by is not None:  # what ends by then began by then
        start, end = query.within
        last = query.ended_by + 1
        query = msgspec.structs.replace(query, within=(start, last if end is None else min(end, last)))
    cells: Cells = {}
    with database.read() as connection:
        _Fresh(database.dialect, query).into(cells, connection)
        segments = _segments(archive, connection, query)
        hidden = _rewritten(connection) if segments else set()
        longs = good(connection) if len(segments) > 1 else []
    if segments:
        _Sealed(archive, query, hidden, longs).into(cells, segments)
    return cells


def _segments(archive: Archive, connection: Connection, query: AggregateQuery) -> list[Segment]:
    few = query.datastreams if query.datastreams is not None and len(query.datastreams) <= FEW else None
    return archive.matching(connection, query.within, datastreams=few, thin=True)


def _rewritten(connection: Connection) -> set[int]:
    return set(connection.execute(select(observation.c.id).where(observation.c.seq.is_not(None))).scalars())


def _too_many() -> Problem:
    return Problem(
        Text("Cette agrégation donne trop de groupes.", "This aggregation makes too many groups."),
        Text("Prenez des périodes plus longues, ou moins de groupes.", "Take longer buckets, or fewer groups."),
        place="$apply",
    )  # fmt: skip


def _into(cells: Cells, found: Iterable[tuple[Key, Cell]]) -> None:
    for key, cell in found:
        known = cells.get(key)
        if known is None:
            cells[key] = cell
        else:
            known.add(cell)
    if len(cells) > MOST_CELLS:
        raise _too_many()


class _Fresh:
    """Adds up the fresh rows in SQL."""

    def __init__(self, dialect: str, query: AggregateQuery) -> None:
        self.dialect, self.query = dialect, query
        self.value: Any = observation.c.value if query.value is None else query.value(dialect)

    def into(self, cells: Cells, connection: Connection) -> None:
        value, query = self.value, self.query
        key = self._key()
        sums = select(
            *key, func.count(), func.count(value), func.coalesce(func.sum(value), 0.0), func.min(value), func.max(value)
        )  # fmt: skip
        rows = connection.execute(sums.where(*self._conditions()).group_by(*key).limit(MOST_CELLS + 1))
        _into(cells, (((r[0], r[1], r[2]), Cell(*r[3:])) for r in rows))
        if query.ends:
            self._ends(cells, connection)
        if query.values:
            self._values(cells, connection)

    def _key(self) -> list[Any]:
        c, query = observation.c, self.query
        none = literal(0, BigInteger)
        bucket = none if query.grain is None else _bucket(query.grain)
        return [
            (c.datastream_id if query.by_series else none).label("series"),
            (func.coalesce(c.feature_id, 0) if query.by_feature else none).label("feature"),
            bucket.label("bucket"),
        ]

    def _conditions(self) -> list[Any]:
        c, query = observation.c, self.query
        start, end = query.within
        found: list[Any] = [c.deleted.is_(None)]
        if query.datastreams is not None:
            one = len(query.datastreams) == 1
            found.append(
                c.datastream_id == query.datastreams[0] if one else c.datastream_id.in_(query.datastreams)
            )
        if query.without:
            found.append(c.datastream_id.not_in(query.without))
        if start is not None:
            found.append(c.start_us >= start)
        if end is not None:
            found.append(c.start_us < end)
        if query.ended_by is not None:
            found.append(func.coalesce(c.end_us, c.start_us) <= query.ended_by)
        if query.where is not None:
            found.append(query.where(self.dialect))
        return found

    def _ends(self, cells: Cells, connection: Connection) -> None:
        c = observation.c
        key = self._key()
        first = (
            func.row_number()
            .over(partition_by=key, order_by=(c.start_us, c.datastream_id, c.id))
            .label("first")
        )
        last = (
            func.row_number()
            .over(partition_by=key, order_by=(c.start_us.desc(), c.datastream_id.desc(), c.id.desc()))
            .label("last")
        )
        ranked = (
            select(*key, c.start_us, c.datastream_id, c.id, self.value.label("value"), first, last)
            .where(*self._conditions(), self.value.is_not(None))
            .subquery()
        )
        chosen = select(ranked).where(or_(ranked.c.first == 1, ranked.c.last == 1))
        for series, feature, bucket, start, owner, number, value, ahead, behind in connection.execute(chosen):
            cell = cells[series, feature, bucket]
            if ahead == 1:
                cell.first = (start, owner, number, value)
            if behind == 1:
                cell.last = (start, owner, number, value)

    def _values(self, cells: Cells, connection: Connection) -> None:
        asked = (
            select(*self._key(), self.value)
            .where(*self._conditions(), self.value.is_not(None))
            .limit(MOST_VALUES + 1)
        )
        for i, row in enumerate(connection.execute(asked)):
            cells[row[0], row[1], row[2]].values.append(row[3])
            if i >= MOST_VALUES:
                raise _too_many()


def _bucket(grain: Grain) -> Any:
    """Return the number of the bucket of a row; integer division truncates, so what it divides is made positive."""
    start = observation.c.start_us
    (_, offset), *later = grain.offsets
    ahead: Any = literal(offset, BigInteger)
    if later:
        until = [(since, before) for (since, _), (_, before) in zip(later, grain.offsets, strict=False)]
        ahead = case(*((start < since, literal(before, BigInteger)) for since, before in until),
                     else_=literal(later[-1][1], BigInteger))  # fmt: skip
    shift = 1 + 1_000_000 * DAY_US // grain.step_us
    return (start + ahead + literal(shift * grain.step_us, BigInteger)) // literal(
        grain.step_us, BigInteger
    ) - literal(shift, BigInteger)


def _bucket_sql(grain: Grain, column: str) -> str:
    """Return the same for DuckDB, whose `//` on integers floors only what is positive."""
    (_, offset), *later = grain.offsets
    ahead = str(offset)
    if later:
        whens = " ".join(
            f"WHEN {column} < {since} THEN {before}"
            for (since, _), (_, before) in zip(later, grain.offsets, strict=False)
        )
        ahead = f"CASE {whens} ELSE {later[-1][1]} END"
    shift = 1 + 1_000_000 * DAY_US // grain.step_us
    return f"({column} + {ahead} + {shift * grain.step_us}) // {grain.step_us} - {shift}"


class _Sealed:
    """Adds up sealed rows in DuckDB, from roll-ups where they say the same."""

    def __init__(
        self, archive: Archive, query: AggregateQuery, hidden: set[int], longs: Sequence[Long] = ()
    ) -> None:
        self.archive, self.query, self.hidden, self.longs = archive, query, hidden, longs
        self._aside: list[Segment] = []  # segments that are read raw: no roll-up that holds them is

    def into(self, cells: Cells, segments: Sequence[Segment]) -> None:
        query = self.query
        whole = query.grain is None or query.grain.hourly
        of_results = query.where is None and query.value is None
        rollable = whole and of_results and not query.by_feature and not query.values
        rolled = [s for s in segments if rollable and s.rollup is not None]
        bare = [s for s in segments if s not in rolled]
        self._aside = list(bare)
        if bare:
            _into(cells, self._raw(bare, query.within))
        if rolled:
            self._rolled(cells, rolled)

    # --- raw rows
    def _raw(
        self, segments: Sequence[Segment], within: tuple[int | None, int | None], further: str = ""
    ) -> Iterable[tuple[Key, Cell]]:
        """Return the cells of the raw rows within a time, those of `hidden` ids left out."""
        query, (start, end) = self.query, within
        conditions = self._of_series()
        conditions += [] if start is None else [f"start_us >= {start}"]
        conditions += [] if end is None else [f"start_us < {end}"]
        limit = query.ended_by
        conditions += [] if limit is None else [f"coalesce(end_us, start_us) <= {limit}"]
        conditions += self._unhidden(segments)
        if further:
            conditions.append(further)
        source = f"(SELECT * FROM ({self.archive.raw(segments)}) AS held{_where(conditions)}) AS observation"
        if query.where is not None or query.value is not None:
            return self._filtered(segments, conditions)
        return _cells(self.archive.run(f"SELECT {self._columns('start_us')} FROM {source} {self._grouped()} LIMIT {MOST_CELLS + 1}"),
                      query)  # fmt: skip

    def _filtered(self, segments: Sequence[Segment], conditions: list[str]) -> Iterable[tuple[Key, Cell]]:
        """The same with a condition, or a number, that SQLAlchemy writes: by a statement on the same rows."""
        where, value = self.query.where, self.query.value
        columns: list[Any] = [
            observation.c[name] for name in ("id", "datastream_id", "start_us", "feature_id")
        ]
        columns.append(observation.c.value if value is None else value("duckdb").label("value"))
        chosen = select(*columns).where(*([] if where is None else [where("duckdb")]))
        text, values = self.archive.compiled(chosen)
        sql = (
            f"WITH observation AS (SELECT * FROM ({self.archive.raw(segments)}) AS held{_where(conditions)})"
            f" SELECT {self._columns('start_us')} FROM ({text}) AS chosen{self._grouped()} LIMIT {MOST_CELLS + 1}"
        )
        return _cells(self.archive.run(sql, values), self.query)

    def _columns(self, start: str) -> str:
        query = self.query
        series = "datastream_id" if query.by_series else "0::BIGINT"
        feature = "coalesce(feature_id, 0)" if query.by_feature else "0::BIGINT"
        bucket = "0::BIGINT" if query.grain is None else _bucket_sql(query.grain, start)
        sums = "count(*), count(value), coalesce(sum(value), 0.0), min(value), max(value)"
        ends = (
            f", arg_min(value, {_KEY}), min({_KEY}) FILTER (value IS NOT NULL), arg_max(value, {_KEY}),"
            f" max({_KEY}) FILTER (value IS NOT NULL)"
            if query.ends
            else ""
        )
        values = ", list(value) FILTER (value IS NOT NULL)" if query.values else ""
        return f"{series} AS s, {feature} AS f, {bucket} AS b, {sums}{ends}{values}"

    def _grouped(self) -> str:
        """Return the GROUP BY of the names that vary (rows without any are one group, if there are rows)."""
        query = self.query
        names = [
            n for n, varies in (("s", query.by_series), ("f", query.by_feature), ("b", query.grain)) if varies
        ]
        return f" GROUP BY {', '.join(names)}" if names else " HAVING count(*) > 0"

    def _of_series(self) -> list[str]:
        query, found = self.query, []
        if query.datastreams is not None:
            ids = ", ".join(str(int(i)) for i in query.datastreams)
            found.append(
                f"datastream_id = {ids}"
                if len(query.datastreams) == 1
                else f"datastream_id IN ({ids or 'NULL'})"
            )
        if query.without:
            found.append(f"datastream_id NOT IN ({', '.join(str(int(i)) for i in query.without)})")
        return found

    def _unhidden(self, segments: Sequence[Segment]) -> list[str]:
        near = [i for i in self.hidden if any(s.min_id <= i <= s.max_id for s in segments)]
        return [f"id NOT IN ({', '.join(map(str, near))})"] if near else []

    # --- roll-ups
    def _rolled(self, cells: Cells, segments: list[Segment]) -> None:
        start, end = self.query.within
        first = None if start is None else -(-start // HOUR_US) * HOUR_US
        last = None if end is None else end // HOUR_US * HOUR_US
        if first is not None and last is not None and first >= last:
            _into(cells, self._raw(segments, self.query.within))
            return
        stale = self._stale(segments)
        changed = {path for path, _, _ in stale}
        if len(stale) > MOST_STALE:
            _into(cells, self._raw([s for s in segments if s.path in changed], self.query.within))
            self._aside += [s for s in segments if s.path in changed]
            segments, stale = [s for s in segments if s.path not in changed], []
        for low, high in ((start, first), (last, end)):
            edge = (
                _overlapping(segments, low, high)
                if low is not None and high is not None and low < high
                else []
            )
            if edge:
                _into(cells, self._raw(edge, (low, high)))
        if segments:
            _into(cells, self._hours(segments, first, last, stale))
            self._reread(cells, segments, first, last, stale)

    def _hours(
        self,
        segments: Sequence[Segment],
        first: int | None,
        last: int | None,
        stale: Sequence[tuple[str, int, int]],
    ) -> Iterable[tuple[Key, Cell]]:
        query = self.query
        conditions = self._of_series()
        conditions += [] if first is None else [f"hour_us >= {first}"]
        conditions += [] if last is None else [f"hour_us < {last}"]
        conditions += self._fitting()
        conditions += _not_stale(stale)
        series = "datastream_id" if query.by_series else "0::BIGINT"
        bucket = "0::BIGINT" if query.grain is None else _bucket_sql(query.grain, "hour_us")
        # an hour of a datastream is one row of a roll-up (two when part of it is thin): nothing to group then
        single = query.by_series or (query.datastreams is not None and len(query.datastreams) == 1)
        bare = single and query.grain is not None and query.grain.step_us == HOUR_US
        sums = "sum(n)::BIGINT, sum(numbers)::BIGINT, sum(total), min(low), max(high)"
        ends = ""
        if bare:
            sums = "n, numbers, total, low, high"
            place = "CASE WHEN numbers > 0 THEN row({0}_us, datastream_id) END"
            ends = (
                f", first_value, {place.format('first')}, last_value, {place.format('last')}"
                if query.ends
                else ""
            )
        elif query.ends:
            ends = (
                ", arg_min(first_value, row(first_us, datastream_id)), min(row(first_us, datastream_id)) FILTER (numbers > 0),"
                " arg_max(last_value, row(last_us, datastream_id)), max(row(last_us, datastream_id)) FILTER (numbers > 0)"
            )
        rows = self.archive.run(
            f"SELECT {series} AS s, 0::BIGINT AS f, {bucket} AS b, {sums}{ends} FROM {self._rows(segments, stale)}"
            f"{_where(conditions)}{'' if bare else self._grouped()} LIMIT {MOST_CELLS + 1}"
        )
        return _cells(rows, query, rolled=True)

    def _rows(self, segments: Sequence[Segment], stale: Sequence[tuple[str, int, int]]) -> str:
        """Return the SQL of the roll-ups: sums of all datastreams where those come to what is asked."""
        query, rows = self.query, (self.archive, segments, self.longs, self._aside)
        together = query.datastreams is None and not query.without and not query.by_series and not query.ends
        apart = hours_apart(*rows, query.ended_by) if together else None
        hours = {hour for _, _, hour in stale}
        if apart is None or len(hours) > MOST_APART:
            return rollup_rows(*rows)
        return rollup_sums(*rows, hours.union(apart))

    def _fitting(self) -> list[str]:
        end = self.query.ended_by
        return [] if end is None else [f"(span_us IS NULL OR span_us <= {end})"]

    def _reread(
        self, cells: Cells, segments: Sequence[Segment], first: int | None, last: int | None,
        stale: Sequence[tuple[str, int, int]],
    ) -> None:  # fmt: skip
        """Add the raw rows of the hours that the roll-ups could not answer for."""
        within = (first, last)
        if stale:
            paths = {path for path, _, _ in stale}
            hours = (
                f"(datastream_id, {hour_of('start_us')}) IN ({', '.join(f'({d}, {h})' for _, d, h in stale)})"
            )
            _into(cells, self._raw([s for s in segments if s.path in paths], within, hours))
        end = self.query.ended_by
        if end is None:
            return
        rows = rollup_rows(self.archive, segments, self.longs, self._aside)
        conditions = [f"span_us > {end}", *self._of_series(), *_not_stale(stale)]
        conditions += [] if first is None else [f"hour_us >= {first}"]
        conditions += [] if last is None else [f"hour_us < {last}"]
        crossing = f"SELECT datastream_id, hour_us FROM {rows}{_where(conditions)}"
        if self.archive.run(f"{crossing} LIMIT 1"):
            _into(
                cells, self._raw(segments, within, f"(datastream_id, {hour_of('start_us')}) IN ({crossing})")
            )

    def _stale(self, segments: Sequence[Segment]) -> list[tuple[str, int, int]]:
        """Return the hours (segment, datastream, start) that hold a sealed row which a fresh one replaces or hides."""
        wanted = None if self.query.datastreams is None else set(self.query.datastreams)
        return [
            (one.path, series, hour)
            for one in segments
            for series, hour in self.archive.hours_of(one, self.hidden)
            if wanted is None or series in wanted
        ]


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _not_stale(stale: Sequence[tuple[str, int, int]]) -> list[str]:
    if not stale:
        return []
    return [f"(thin OR (datastream_id, hour_us) NOT IN ({', '.join(f'({d}, {h})' for _, d, h in stale)}))"]


def _overlapping(segments: Sequence[Segment], low: int, high: int) -> list[Segment]:
    return [s for s in segments if s.max_us >= low and s.min_us < high]


def _cells(
    rows: Sequence[tuple[Any, ...]], query: AggregateQuery, *, rolled: bool = False
) -> Iterable[tuple[Key, Cell]]:
    for row in rows:
        cell = Cell(*row[3:8])
        if query.ends and row[4]:
            own = (_ROLLED_ID,) if rolled else ()
            cell.first = (*row[9], *own, row[8])
            cell.last = (*row[11], *own, row[10])
        if query.values:
            cell.values = row[-1] or []
        yield (row[0], row[1], row[2]), cell
