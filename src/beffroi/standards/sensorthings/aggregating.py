"""Answer `$apply`: bind it to the model, let the store add up, and show the groups as entities of their own.

As in OData, `$filter`, `$orderby`, `$top`, `$skip` and `$count` then apply to the groups, by the names that `$apply`
gave them; a `$filter` on the bucket spares what need not be read.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cmp_to_key
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, select

from beffroi.model.instant import format_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings import meaning
from beffroi.standards.sensorthings.apply import Apply, Measure, percentile_of
from beffroi.standards.sensorthings.bind import bind_filter, bind_orderby, bind_path
from beffroi.standards.sensorthings.compile import Compiler, table_of
from beffroi.standards.sensorthings.entities import BY_NAME, Entity, Property
from beffroi.standards.sensorthings.evaluate import COMPARE_MOMENTS, evaluate
from beffroi.standards.sensorthings.flattening import Column
from beffroi.standards.sensorthings.keyset import read_token, write_token
from beffroi.standards.sensorthings.meaning import Bound, Field
from beffroi.standards.sensorthings.observing import ObservationReader
from beffroi.standards.sensorthings.parse import misread
from beffroi.standards.sensorthings.reach import Reach, all_of, reach_of
from beffroi.standards.sensorthings.render import stamp
from beffroi.standards.sensorthings.sight import of_type
from beffroi.standards.sensorthings.syntax import Options
from beffroi.store.aggregates import AggregateQuery, Cell, Grain
from beffroi.store.buckets import extent
from beffroi.store.cadence import intervals

__all__ = ["Aggregated", "aggregated", "columns_of_groups"]

OBSERVATION = BY_NAME["Observation"]
_RESULT = next(p for p in OBSERVATION.properties if p.name == "result")
_SIMPLE: dict[str, Callable[[Cell], float | None]] = {
    "average": lambda cell: cell.total / cell.numbers if cell.numbers else None,
    "sum": lambda cell: cell.total if cell.numbers else None,
    "min": lambda cell: cell.low,
    "max": lambda cell: cell.high,
    "first": lambda cell: None if cell.first is None else cell.first[3],
    "last": lambda cell: None if cell.last is None else cell.last[3],
    "count": lambda cell: cell.n,
}
MOST_BUCKETS = 200_000
_PART = 5_000  # ids that are looked up at a time
Inside = tuple[str | int, ...]
Group = tuple[Any, ...]  # the values of the paths, then (start, end) of the bucket if there is one


class Aggregated(msgspec.Struct):
    """A page of groups, ready to be written; `token` when there are more; `count` of all when it was asked."""

    rows: list[dict[str, Any]]
    token: str | None = None
    count: int | None = None


def aggregated(
    reader: ObservationReader,
    options: Options,
    top: int,
    datastreams: tuple[int, ...] | None,
    feature: int | None,
) -> Aggregated:
    """Return a page of the groups of `options.apply` over a set of observations. Raises `Problem`."""
    if options.select or options.expand:
        raise misread(
            "$apply", 0, "", Text("Retirez $select et $expand.", "Take $select and $expand away."),
            Text("$apply choisit lui-même ce qui est montré.", "$apply chooses itself what is shown."),
        )  # fmt: skip
    return _Aggregation(reader, options, datastreams, feature).page(top)


def columns_of_groups(options: Options) -> list[Column]:
    """Return the columns of a table of the groups of `options.apply`, in the order in which they are shown."""
    asked = _asked(options)
    buckets = [] if asked.buckets is None else [(asked.bucket_name,)]
    paths = [tuple(map(str, path.steps)) for path in asked.paths]
    every: list[tuple[str, ...]] = [*buckets, *paths, *((m.name,) for m in asked.measures)]
    return [Column("/".join(steps), steps) for steps in every]


class _Aggregation:
    def __init__(
        self,
        reader: ObservationReader,
        options: Options,
        datastreams: tuple[int, ...] | None,
        feature: int | None,
    ) -> None:
        self.reader, self.options, self.apply = reader, options, _asked(options)
        self.fields = [self._path(name) for name in self.apply.paths]
        self.shape = _shape(self.apply)
        kept = None if options.filter is None else bind_filter(self.shape, options.filter, reader.now_us)
        parts = all_of([] if kept is None else [kept])
        self.within = [one for part in parts if (one := self._of_bucket(part)) is not None]
        self.kept = [part for part in parts if self._of_bucket(part) is None]
        self.order = bind_orderby(self.shape, options.orderby, reader.now_us)
        self.reach = self._reach(datastreams, feature)
        self.covered = any(m.method == "coverage" for m in self.apply.measures)
        self.grain = self._grain()
        numbers = (m.inside for m in self.apply.measures if m.method not in ("count", "coverage"))
        self.insides = tuple(dict.fromkeys(numbers)) or ((),)  # each is added up by itself
        self._expected: dict[
            Group, dict[int, int]
        ] = {}  # by the paths alone: the interval of each datastream
        self._had: dict[tuple[Group, int], int] = {}  # observations of a datastream in a group

    # --- what is asked
    def _path(self, name: Any) -> Field:
        field = bind_path(OBSERVATION, name, "$apply")
        # `Datastream/id` is a column of the observation itself
        own = field.property.columns[:1] in (("datastream_id",), ("feature_id",)) and not field.hops
        near = field.hops and field.hops[0].name in ("Datastream", "MultiDatastream", "FeatureOfInterest")
        plain = field.kind in ("text", "number", "json", "instant", "boolean") and not any(
            h.many for h in field.hops
        )
        if not (own or near) or not plain or field.property.derived:
            raise misread(
                "$apply", name.at, "/".join(map(str, name.steps))[:40],
                Text("Groupez par bucket(phenomenonTime,…), Datastream/id, Datastream/Thing/name, FeatureOfInterest/id…",
                     "Group by bucket(phenomenonTime,…), Datastream/id, Datastream/Thing/name, FeatureOfInterest/id…"),
                Text("On ne groupe pas par ceci.", "There is no grouping by this."),
            )  # fmt: skip
        return field

    def _reach(self, datastreams: tuple[int, ...] | None, feature: int | None) -> Reach:
        conditions: list[Bound] = []
        if feature is not None:
            conditions.append(meaning.Among("feature_id", (feature,)))
        if self.apply.filter is not None:
            try:
                conditions.append(self.reader.settled(self.apply.filter))
            except Problem as problem:
                raise _elsewhere(problem) from problem
        reach = reach_of(conditions, datastreams)
        self._prune(reach)
        return reach

    def _prune(self, reach: Reach) -> None:
        """Let a `$filter` on the bucket spare what lies outside: a bucket that is kept lies within it whole."""
        for operator, (low, high) in [] if self.apply.complete else self.within:
            if operator in ("gt", "ge"):
                reach.from_(low)
            elif operator in ("lt", "le"):
                reach.until(low if operator == "lt" else high)

    def _of_bucket(self, part: Bound) -> tuple[str, tuple[int, int]] | None:
        """Return operator and moment of a part of `$filter` that compares the bucket with a moment."""
        if (
            isinstance(part, meaning.Compare) and part.of == "moment" and isinstance(part.right, meaning.Value)
            and isinstance(part.left, Field) and part.left.property.name == self.apply.bucket_name and part.right.value
        ):  # fmt: skip
            return part.operator, part.right.value
        return None

    def _grain(self) -> Grain | None:
        buckets = self.apply.buckets
        if buckets is None:
            return None
        known = extent(self.reader.c)
        low, high = known or (self.reader.now_us, self.reader.now_us)
        low = low if self.reach.start is None else max(low, self.reach.start)
        high = high if self.reach.end is None else min(high, self.reach.end)
        return buckets.grain(low, max(low, high))

    def _query(self, inside: Inside) -> AggregateQuery:
        methods = {m.method for m in self.apply.measures if m.inside == inside}
        reach = self.reach
        unseen = (
            []
            if reach.datastreams is not None and not self.reader.hides(reach.datastreams)
            else self.reader.hidden()
        )
        by = [_owner(field) for field in self.fields]
        return AggregateQuery(
            datastreams=reach.datastreams, without=tuple(unseen), within=(reach.start, reach.end), ended_by=reach.ended_by,
            where=_where(reach.rest), value=_number(inside), grain=self.grain, by_series="datastream_id" in by or self.covered,
            by_feature="feature_id" in by, ends=bool(methods & {"first", "last"}),
            values=any(percentile_of(method) is not None for method in methods),
        )  # fmt: skip

    # --- what it comes to
    def page(self, top: int) -> Aggregated:
        skip = read_token(self.options.skiptoken, 1)[0] if self.options.skiptoken else self.options.skip
        cells = {inside: self._groups(inside) for inside in self.insides}
        groups = dict.fromkeys(group for found in cells.values() for group in found)
        if self.apply.complete:
            self._complete(groups)
        for operator, moment in self.within:
            keeps = COMPARE_MOMENTS[operator]
            groups = {group: None for group in groups if keeps(group[-1], moment)}
        chosen = sorted(groups, key=_sorting) if self.fields else sorted(groups)
        if not self.kept and not self.order:  # only what is shown is worked out
            count, rows = len(chosen), self._rows(cells, chosen[skip : skip + top])
        else:
            rows = self._rows(cells, chosen)
            for part in self.kept:
                rows = [row for row in rows if evaluate(part, row, _nowhere) is True]
            if self.order:
                rows.sort(key=cmp_to_key(self._compare))
            count, rows = len(rows), rows[skip : skip + top]
        if self.apply.buckets is not None:
            self._write_buckets(rows)
        more = top > 0 and count > skip + top
        return Aggregated(
            rows, write_token([skip + top]) if more else None, count if self.options.count else None
        )

    def _write_buckets(self, rows: list[dict[str, Any]]) -> None:
        name, last_us, last = self.apply.bucket_name, None, ""
        for row in rows:
            start_us, end_us = row[name]
            start = last if start_us == last_us else stamp(start_us)  # most begin where another ended
            last_us, last = end_us, stamp(end_us)
            row[name] = f"{start}/{last}"

    def _rows(self, cells: dict[Inside, dict[Group, Cell]], chosen: Sequence[Group]) -> list[dict[str, Any]]:
        # what is counted is the same wherever one looks inside
        ways = [
            (m.name, self._way(m), cells[m.inside if m.inside in cells else self.insides[0]])
            for m in self.apply.measures
        ]
        none = _none()
        names = [tuple(map(str, path.steps)) for path in self.apply.paths]
        bucket = None if self.apply.buckets is None else self.apply.bucket_name
        rows: list[dict[str, Any]] = []
        for group in chosen:
            row: dict[str, Any] = {} if bucket is None else {bucket: group[-1]}
            for steps, value in zip(names, group, strict=False):
                _put(row, steps, value)
            for name, way, found in ways:
                row[name] = way(group, found.get(group, none))
            rows.append(row)
        return rows

    def _way(self, measure: Measure) -> Callable[[Group, Cell], Any]:
        simple, share = _SIMPLE.get(measure.method), percentile_of(measure.method)
        if simple is not None:
            return lambda _group, cell: simple(cell)
        if share is not None:
            return lambda _group, cell: _percentile(cell.values, share)
        return lambda group, _cell: self._coverage(group)

    def _groups(self, inside: Inside) -> dict[Group, Cell]:
        """Return the cell of each group; when coverage is asked, note what each datastream has and should have."""
        found = self.reader.store.observations.aggregate(self._query(inside))
        buckets, grain = self.apply.buckets, self.grain
        if (
            not self.fields
            and not self.covered
            and buckets is not None
            and grain is not None
            and buckets.single
        ):
            return {(buckets.bounds(key[2], grain),): cell for key, cell in found.items()}
        valued = [self._values(field, {key[0] if _owner(field) == "datastream_id" else key[1] for key in found})
                  for field in self.fields]  # fmt: skip
        places = [0 if _owner(field) == "datastream_id" else 1 for field in self.fields]
        covered = self.covered and inside == self.insides[0]
        every = intervals(self.reader.c, {key[0] for key in found}) if covered else {}
        groups: dict[Group, Cell] = {}
        paths: Group = ()
        for key, cell in found.items():
            if places:
                paths = tuple(values.get(key[place]) for values, place in zip(valued, places, strict=True))
            group = paths if buckets is None or grain is None else (*paths, buckets.bounds(key[2], grain))
            if key[0] in every:
                self._expected.setdefault(paths, {})[key[0]] = every[key[0]]
                self._had[group, key[0]] = self._had.get((group, key[0]), 0) + cell.n
            known = groups.get(group)
            if known is None:
                groups[group] = cell
            else:
                known.add(cell)
        if not self.fields and buckets is None and not groups:
            groups[()] = _none()
        return groups

    def _values(self, field: Field, ids: Iterable[int]) -> dict[int, Any]:
        """Return what a path leads to from each of `ids`, those of the other type of datastreams left out."""
        hop = field.hops[0].name if field.hops else field.property.name.partition("/")[0]
        target = BY_NAME[hop]
        row = table_of(target)
        value = row.c.id
        if field.hops:
            value = Compiler(self.reader.store.dialect, target, row).sql(meaning.without(field, 1))
        wanted, values = sorted(ids), {}
        for i in range(0, len(wanted), _PART):
            among = select(row.c.id, value).where(row.c.id.in_(wanted[i : i + _PART]), *of_type(target, row))
            values.update(dict(map(tuple, self.reader.c.execute(among))))
        instants = field.kind == "instant"
        return {n: format_instant(v) if instants and v is not None else v for n, v in values.items()}

    def _coverage(self, group: Group) -> float | None:
        """Return the share, in %, of the samples that were to come in the part of the bucket that was asked and is past."""
        buckets = self.apply.buckets
        every = self._expected.get(group if buckets is None else group[:-1], {})
        low, high = (self.reach.start, self.reach.end) if buckets is None else group[-1]
        if low is None or high is None or not every:
            return None
        low = low if self.reach.start is None else max(low, self.reach.start)
        high = min(high, self.reader.now_us, high if self.reach.end is None else self.reach.end)
        if high <= low:
            return None
        wanted = {series: max(1.0, (high - low) / interval) for series, interval in every.items()}
        got = sum(min(self._had.get((group, series), 0), n) for series, n in wanted.items())
        return round(100 * got / sum(wanted.values()), 1)

    def _complete(self, groups: dict[Group, None]) -> None:
        """Add the buckets without observations, from the first to the last or those of the range that was asked."""
        buckets = self.apply.buckets
        assert buckets is not None
        if not groups and (self.reach.start is None or self.reach.end is None):
            return
        bounds = [group[-1] for group in groups]
        start = min(bounds)[0] if self.reach.start is None else buckets.around(self.reach.start)[0]
        end = max(bounds)[1] if self.reach.end is None else self.reach.end
        paths = {group[:-1] for group in groups} or ({()} if not self.fields else set())
        one, added = buckets.around(start), 0
        while one[0] < end and paths:
            for path in paths:
                groups.setdefault((*path, one))
            added += len(paths)
            if added > MOST_BUCKETS:
                raise misread(
                    "$apply", 0, "complete", Text("Prenez des périodes plus longues, ou une plage plus courte.", "Take longer buckets, or a shorter range."),
                    Text("complete() donnerait trop de périodes.", "complete() would give too many buckets."),
                )  # fmt: skip
            one = buckets.after(one[1])

    def _compare(self, a: dict[str, Any], b: dict[str, Any]) -> int:
        for term in self.order:
            left, right = (evaluate(term.by, row, _nowhere) for row in (a, b))
            if left == right:
                continue
            before = left is None or (right is not None and _ordered(left) < _ordered(right))
            return -1 if before != term.descending else 1
        return 0


def _asked(options: Options) -> Apply:
    asked = options.apply
    assert isinstance(asked, Apply)
    return asked


def _shape(asked: Apply) -> Entity:
    """Return the entity type that the groups are."""
    found = [Property(m.name, "number", (m.name,)) for m in asked.measures]
    if asked.buckets is not None:
        found.insert(0, Property(asked.bucket_name, "moment", (asked.bucket_name,)))
    found.extend(Property(first, "json", (first,)) for first in {str(path.steps[0]) for path in asked.paths})
    return Entity("$apply", "$apply", "observation", tuple(found), ())


def _elsewhere(problem: Problem) -> Problem:
    """Return a problem of a condition inside `$apply`, which does not know its place there."""
    words = [
        t.partition(separator)[2] or t
        for t, separator in ((problem.reason.fr, " : "), (problem.reason.en, ": "))
    ]
    said = Text(f"$apply, filter(…) : {words[0]}", f"$apply, filter(…): {words[1]}")
    return Problem(said, problem.mend, problem.place.replace("$filter", "$apply/filter"), problem.status)


def _where(conditions: Sequence[Bound]) -> Callable[[str], ColumnElement[bool]] | None:
    if not conditions:
        return None
    return lambda dialect: and_(*(Compiler(dialect, OBSERVATION).condition(c) for c in conditions))


def _number(inside: Inside) -> Callable[[str], ColumnElement[float]] | None:
    """Return the SQL of the number at a place inside a result, None for the result itself."""
    if not inside:
        return None
    field = meaning.Cast(Field((), _RESULT, inside, "json"), "number")
    return lambda dialect: Compiler(dialect, OBSERVATION).sql(field)


def _owner(field: Field) -> str:
    return field.hops[0].join.here if field.hops else field.property.columns[0]


def _nowhere(_row: Any, _hop: Any) -> list[Any]:
    return []


def _none() -> Cell:
    return Cell(0, 0, 0.0, None, None)


def _percentile(values: list[float], share: float) -> float | None:
    """Return the percentile by linear interpolation between the two nearest values (Hyndman and Fan 1996, type 7)."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _put(row: dict[str, Any], steps: tuple[str, ...], value: Any) -> None:
    here = row
    for step in steps[:-1]:
        here = here.setdefault(step, {})
    here[steps[-1]] = value


def _ordered(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def _sorting(group: Group) -> list[Any]:
    """Return what orders groups that nobody ordered: by bucket, then by their paths, nothing first."""
    *paths, last = group or ((),)
    if isinstance(last, tuple):
        return [last, *((v is not None, str(type(v)), v) for v in paths)]
    return [(v is not None, str(type(v)), v) for v in group]
