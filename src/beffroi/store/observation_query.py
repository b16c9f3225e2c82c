"""What is asked of the observations, its SQL, and the order in which rows of several places are merged."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Select, func, select

from beffroi.store.fresh import COLUMNS
from beffroi.store.tables import observation
from beffroi.store.versions import Window

__all__ = ["ObservationQuery"]


class ObservationQuery(msgspec.Struct, frozen=True):
    """A reading of observations across datastreams.

    `datastreams`: only these (None: all). `where(dialect)`: a predicate on the columns of
    `tables.observation` alone, written for "sqlite", "postgresql" or "duckdb" (sealed segments).
    `order(dialect)`: expressions with their direction, each also on that table's columns; the id is
    always the last one, in the direction of `id_descending`. `between`: a half-open range of phenomenon
    start that every observation must be in, beside the predicate: it spares segments. `ended_by`: the end of
    each, if it has one, is not after that.
    """

    datastreams: tuple[int, ...] | None = None
    where: Callable[[str], ColumnElement[bool]] | None = None
    order: Callable[[str], Sequence[tuple[ColumnElement[Any], bool]]] | None = None
    id_descending: bool = False
    between: tuple[int | None, int | None] = (None, None)
    ended_by: int | None = None
    limit: int | None = None
    offset: int = 0
    window: Window | None = None  # as of an instant

    def statement(self, dialect: str, *columns: Any) -> Select[Any]:
        """Return the statement on `tables.observation`, of `columns` (without any: of all, and of the rank in the order)."""
        statement = select(*(columns or COLUMNS)).select_from(observation)
        if self.datastreams is not None:
            wanted = self.datastreams
            one = observation.c.datastream_id == wanted[0] if len(wanted) == 1 else None
            statement = statement.where(observation.c.datastream_id.in_(wanted) if one is None else one)
        start, end = self.between
        if start is not None:
            statement = statement.where(observation.c.start_us >= start)
        if end is not None:
            statement = statement.where(observation.c.start_us < end)
        if self.ended_by is not None:
            ended = func.coalesce(observation.c.end_us, observation.c.start_us)
            statement = statement.where(ended <= self.ended_by)
        if self.where is not None:
            statement = statement.where(self.where(dialect))
        if self.window is not None:
            statement = statement.where(self.window.present(observation))
        by = [] if self.order is None else list(self.order(dialect))
        by.append((observation.c.id, self.id_descending))
        statement = statement.order_by(*(_directed(e, down) for e, down in by))
        if self.order is not None and columns == ():
            statement = statement.add_columns(*(e.label(f"rank_{i}") for i, (e, _) in enumerate(by[:-1])))
        return statement

    def by_time(self) -> bool | None:
        """Return whether the order is by phenomenon start alone, newest first (True) or last (False); else None."""
        by = [] if self.order is None else list(self.order("duckdb"))
        return by[0][1] if len(by) == 1 and by[0][0] is observation.c.start_us else None

    def rank(self, dialect: str) -> Callable[[Any], tuple[Any, ...]]:
        """Return the sorting key of rows of the statement: the labelled order columns after the twelve, then the id."""
        by = [] if self.order is None else [down for _, down in self.order(dialect)]
        directions = [*by, self.id_descending]

        def key(row: Any) -> tuple[Any, ...]:
            values = [*row[12 : 12 + len(directions) - 1], row[0]]
            return tuple(_Place(v, down) for v, down in zip(values, directions, strict=True))

        return key


def _directed(expression: ColumnElement[Any], down: bool) -> ColumnElement[Any]:
    """Return an order with nothing first (last when descending) on every database."""
    ordered = expression.desc() if down else expression.asc()
    if isinstance(expression, Column) and not expression.nullable:
        return ordered  # the bare form is what an index gives
    return ordered.nulls_last() if down else ordered.nulls_first()


class _Place:
    """A value in an order: nothing comes first (last when descending), as SQLite sorts NULL."""

    __slots__ = ("down", "value")

    def __init__(self, value: Any, down: bool) -> None:
        self.value, self.down = value, down

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Place) and self.value == other.value

    def __lt__(self, other: "_Place") -> bool:
        a, b = (other, self) if self.down else (self, other)
        if a.value is None or b.value is None:
            return a.value is None and b.value is not None
        return bool(a.value < b.value)

    def __hash__(self) -> int:
        return hash(self.value)
