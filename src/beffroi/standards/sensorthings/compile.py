"""Compile bound conditions and orders to SQL with bound parameters, through SQLAlchemy Core expressions."""

from collections.abc import Callable
from functools import singledispatchmethod
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
)

from beffroi.standards.sensorthings import meaning
from beffroi.standards.sensorthings.dialects import DIALECTS
from beffroi.standards.sensorthings.entities import BY_NAME, Entity, Kind, Navigation
from beffroi.standards.sensorthings.functions import geometry_of, moment_of
from beffroi.standards.sensorthings.meaning import Bound
from beffroi.store import tables
from beffroi.store.versions import View, now

__all__ = ["Compiler", "Pair", "Seen", "table_of"]

Sql = ColumnElement[Any]

Seen = Callable[[Entity, Any], list[Sql]]
"""Returns what the reader must be allowed for a row of an entity type to be shown; empty: nothing."""


class Pair(tuple[Sql, Sql]):
    """Start and end of a moment."""

    __slots__ = ()


def table_of(entity: Entity, view: View = now) -> Any:
    """Return what holds the rows of an entity type, in a view of the catalogue."""
    return tables.observation if entity.table == "observation" else view(entity.table)


_TYPES: dict[str, Any] = {
    "number": Double,
    "boolean": Boolean,
    "text": Text,
    "geometry": Text,
    "null": Text,
    "json": Text,
} | dict.fromkeys(("instant", "date", "time", "duration"), BigInteger)
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
# Each says the same as `evaluate.py`; the bound on the start alone is what an index can use.
_MOMENTS: dict[str, Callable[[Pair, Pair], Sql]] = {
    "eq": lambda a, b: and_(a[0] == b[0], a[1] == b[1]),
    "ne": lambda a, b: or_(a[0] != b[0], a[1] != b[1]),
    "gt": lambda a, b: and_(a[0] >= b[1], a[0] > b[0]),
    "ge": lambda a, b: and_(a[0] >= b[0], a[1] >= b[1]),
    "lt": lambda a, b: and_(a[0] < b[0], a[1] <= b[0]),
    "le": lambda a, b: and_(a[0] <= b[0], a[1] <= b[1]),
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
}
_BOXED = (
    "geo.intersects",
    "st_equals",
    "st_touches",
    "st_within",
    "st_overlaps",
    "st_crosses",
    "st_intersects",
    "st_contains",
)


class Compiler:
    """Compiles conditions on one entity type, whose rows are `row` (its table or an alias of it)."""

    def __init__(
        self, dialect: str, entity: Entity, row: FromClause | None = None, seen: "Seen | None" = None,
        asked: "Compiler | None" = None, view: View = now,
    ) -> None:  # fmt: skip
        self.seen = seen
        self.asked = asked or self  # of the entity that is asked for, when this one is related to it
        self.view = view
        self.dialect = DIALECTS[dialect]
        self.entity = entity
        self.row: Any = table_of(entity, view) if row is None else row

    def condition(self, bound: Bound) -> ColumnElement[bool]:
        """Return the SQL of a condition."""
        sql = self.sql(bound)
        return sql if isinstance(bound, meaning.Join | meaning.Not | meaning.Compare) else and_(sql)

    def order(self, bound: Bound) -> list[Sql]:
        """Return the expressions that order by `bound`."""
        if isinstance(bound, meaning.Field) and bound.kind == "result":
            return [self._column(bound, 0), self.dialect.ordered(self._column(bound, 2))]
        if isinstance(bound, meaning.Field) and bound.kind == "moment" and not bound.hops:
            return [self._column(bound, 0)]
        value = self.sql(bound)
        if isinstance(value, Pair):
            return [value[0]]
        return [self.dialect.ordered(value) if bound.kind in ("text", "json") else value]

    @singledispatchmethod
    def sql(self, node: Bound) -> Any:
        """Return the SQL of `node`: an expression, or a `Pair` for a moment."""
        raise AssertionError(node)

    def _column(self, node: meaning.Field, index: int = 0) -> Any:
        """Return a field's column, reached over relations to one by scalar subqueries."""
        if node.outer and self.asked is not self:
            return self.asked._column(node, index)
        if not node.hops:
            return self._own(node, self.row, index)
        row = self.row
        joined: Select[Any] | None = None
        for hop in node.hops:
            far = table_of(BY_NAME[hop.target], self.view).alias()
            met = far.c[hop.join.there] == row.c[hop.join.here]
            joined = select(null()).where(met) if joined is None else joined.where(met)
            row = far
        assert joined is not None
        chosen = joined.with_only_columns(self._own(node, row, index))
        return chosen.correlate(self.row).scalar_subquery()

    @staticmethod
    def _own(node: meaning.Field, row: Any, index: int) -> Any:
        if node.property.derived:
            known = tables.latest.alias()
            column = (known.c.first_us, func.coalesce(known.c.end_us, known.c.start_us))[index]
            return select(column).where(known.c.datastream_id == row.c.id).correlate(row).scalar_subquery()
        return row.c[node.property.columns[index]]

    def _pair(self, node: meaning.Field) -> Pair:
        start, end = self._column(node, 0), self._column(node, 1)
        return Pair((start, func.coalesce(end, start)))

    def stored(self, node: meaning.Field, width: int) -> list[Sql]:
        """Return the `width` columns that hold a field as they are; a place inside JSON as its JSON text."""
        steps = (*node.property.inside, *node.inside)
        if steps:
            index = len(node.property.columns) - 1 if node.property.kind == "result" else 0
            return [self.dialect.raw_json(self._column(node, index), steps)]
        return [self._column(node, i) for i in range(width)]

    @sql.register
    def _field(self, node: meaning.Field) -> Any:
        if node.kind == "moment":
            return self._pair(node)
        if node.kind in ("json", "result"):
            return self._taken(node, "json")
        return self._column(node)

    def _taken(self, node: meaning.Field, kind: Kind) -> Any:
        """Return a JSON field taken as `kind`."""
        if node.property.kind == "result" and not node.inside and kind == "number":
            return self._column(node)
        if node.property.kind == "result" and not node.inside and kind in ("text", "json"):
            return self.dialect.result_text(*(self._column(node, i) for i in range(3)))
        index = len(node.property.columns) - 1 if node.property.kind == "result" else 0
        column = self._column(node, index)
        if node.property.parts:
            return func.coalesce(column, "")
        steps = (*node.property.inside, *node.inside)
        if kind in ("instant", "moment"):
            text = self.dialect.json(column, steps, "text")
            start, end = self.dialect.instant(text), self.dialect.instant(text, end=True)
            return start if kind == "instant" else Pair((start, end))
        return self.dialect.json(column, steps, kind)

    @sql.register
    def _value(self, node: meaning.Value) -> Any:
        if node.kind == "moment":
            start, end = node.value or (None, None)
            return Pair((literal(start, BigInteger), literal(end, BigInteger)))
        if node.kind == "number" and isinstance(node.value, float):
            return literal(node.value, Double)
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            return literal(node.value, BigInteger)
        return literal(node.value, _TYPES.get(node.kind, Text))

    @sql.register
    def _always(self, node: meaning.Always) -> Any:
        return true() if node.value else false()

    @sql.register
    def _cast(self, node: meaning.Cast) -> Any:
        part = node.part
        if isinstance(part, meaning.Field) and part.kind in ("json", "result"):
            return self._taken(part, node.kind)
        if isinstance(part, meaning.Looked) and part.kind == "json":
            if node.kind in ("instant", "moment"):
                return self._looked_times(part, node.kind)
            kept = tuple((i, v) for i, v in part.values if _kind(v) == node.kind)
            return self.sql(meaning.Looked(part.column, kept, node.kind))
        value = self.sql(part)
        if node.kind == "instant":
            return value[0] if isinstance(value, Pair) else value
        if node.kind == "moment":
            return value if isinstance(value, Pair) else Pair((value, value))
        return value

    @sql.register
    def _apply(self, node: meaning.Apply) -> Any:
        flat: list[Any] = []
        for kind, argument in zip(node.function.parameters, node.arguments, strict=False):
            value = self.sql(argument)
            if kind == "moment" and not isinstance(value, Pair):
                value = Pair((value, value))
            flat.extend(value if isinstance(value, Pair) else [value])
        applied = self.dialect.apply(node.function, flat)
        return and_(*self._boxes(node), applied) if node.function.name in _BOXED else applied

    def _boxes(self, node: meaning.Apply) -> list[Any]:
        """Return what an index on the bounding box can say before the exact test."""
        field = next(
            (a for a in node.arguments if isinstance(a, meaning.Field) and not a.hops and not a.inside), None
        )
        shape = next((a for a in node.arguments if isinstance(a, meaning.Value) and a.value), None)
        if field is None or shape is None or "minx" not in self.row.c:
            return []
        minx, miny, maxx, maxy = geometry_of(shape.value).bounds
        c = self.row.c
        return [c.minx <= maxx, c.maxx >= minx, c.miny <= maxy, c.maxy >= miny]

    @sql.register
    def _binary(self, node: meaning.Binary) -> Any:
        left, right = self.sql(node.left), self.sql(node.right)
        if node.kind == "moment":
            return Pair([_ARITHMETIC[node.operator](one, right) for one in left])
        if node.operator == "mod":
            return self.dialect.remainder(left, right)
        if node.operator == "div":
            return cast(left, Double) / func.nullif(cast(right, Double), 0.0)
        if node.kind == "number":
            left, right = cast(left, Double), cast(right, Double)
        return _ARITHMETIC[node.operator](left, right)

    @sql.register
    def _compare(self, node: meaning.Compare) -> Any:
        left, right = self.sql(node.left), self.sql(node.right)
        if node.of == "moment":
            return _MOMENTS[node.operator](left, right)
        if node.of in ("text", "json") and node.operator not in ("eq", "ne"):
            left, right = self.dialect.ordered(left), self.dialect.ordered(right)
        return _OPERATORS[node.operator](left, right)

    @sql.register
    def _one_of(self, node: meaning.OneOf) -> Any:
        left = self.sql(node.left)
        values = [v.value for v in node.values if isinstance(v, meaning.Value)]
        if len(values) == len(node.values):
            return left.in_(values)
        return or_(false(), *(left == self.sql(v) for v in node.values))

    @sql.register
    def _holds(self, node: meaning.Holds) -> Any:
        steps = (*node.array.property.inside, *node.array.inside)
        column = self._column(node.array, len(node.array.property.columns) - 1)
        return self.dialect.holds(column, steps, self.sql(node.left), node.left.kind)

    @sql.register
    def _looked(self, node: meaning.Looked) -> Any:
        kind = _TYPES.get(node.kind, Text)
        known = {i: literal(_plain(v, node.kind), kind) for i, v in node.values if v is not None}
        if not known:
            return cast(null(), kind)
        return case(known, value=self.row.c[node.column], else_=cast(null(), kind))

    def _looked_times(self, node: meaning.Looked, kind: Kind) -> Any:
        """Return the times that looked-up texts name."""
        known = {
            i: found for i, v in node.values if isinstance(v, str) and (found := moment_of(v)) is not None
        }
        start, end = (
            self._looked(
                meaning.Looked(node.column, tuple((i, pair[k]) for i, pair in known.items()), "instant")
            )
            for k in (0, 1)
        )
        return start if kind == "instant" else Pair((start, end))

    @sql.register
    def _nothing(self, node: meaning.Nothing) -> Any:
        part = self.sql(node.part)
        if isinstance(part, Pair):
            part = part[0]
        elif isinstance(node.part, meaning.Field) and node.part.kind == "result" and not node.part.inside:
            # a number is in `value`, anything else in `literal`; JSON null is the text null
            value, text = self._column(node.part, 0), self._column(node.part, 2)
            some = or_(value.is_not(None), and_(text.is_not(None), text != "null"))
            return some if node.present else not_(some)
        return part.is_not(None) if node.present else part.is_(None)

    @sql.register
    def _join(self, node: meaning.Join) -> Any:
        parts = [self.condition(p) for p in node.parts]
        return and_(true(), *parts) if node.operator == "and" else or_(false(), *parts)

    @sql.register
    def _not(self, node: meaning.Not) -> Any:
        return not_(self.condition(node.part))

    @sql.register
    def _among(self, node: meaning.Among) -> Any:
        ids: Any = bindparam(None, node.ids, expanding=True, literal_execute=True, unique=True)
        return _some_of(self.row.c[node.column], ids)

    @sql.register
    def _any(self, node: meaning.Some) -> Any:
        return self._some(node.hops, node.part)

    def _some(self, hops: tuple[Navigation, ...], part: Bound) -> Any:
        """Return "the entity is among those that lead over `hops` to one that fulfils `part`"."""
        hop, rest = hops[0], hops[1:]
        target = BY_NAME[hop.target]
        far = table_of(target, self.view).alias()
        there = Compiler(self.dialect.name, target, far, self.seen, self.asked, self.view)
        fulfilled = there._some(rest, part) if rest else there.condition(part)
        if self.seen is not None:
            fulfilled = and_(fulfilled, *self.seen(target, far))
        join = hop.join
        if join.table:
            link = self.view(join.table).alias()
            found = (
                select(link.c[join.near])
                .join_from(link, far, link.c[join.far] == far.c[join.there])
                .where(fulfilled)
            )
        else:
            found = select(far.c[join.there]).where(fulfilled)
        if meaning.asks_outside(part):
            found = found.correlate(self.asked.row)
        return _some_of(self.row.c[join.here], found)


def _plain(value: Any, kind: Kind) -> Any:
    """Return a value of the catalogue as it is compared: a JSON scalar as its text."""
    if kind not in ("json", "result"):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text"


def _some_of(column: Any, ids: Any) -> Any:
    """Return "column is one of ids", false (never nothing) for an entity that is related to none."""
    return and_(column.is_not(None), column.in_(ids)) if column.nullable else column.in_(ids)
