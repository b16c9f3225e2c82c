"""Counting: the facts of the stored reports by columns, read straight from their table, for figures and extracts.

Counted are the problems that people reported: reports merged into another and works split from one are not counted
twice. Nobody's name is read, not even sealed.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, cast, func, or_, select

from beffroi.model.instant import from_datetime, to_datetime
from beffroi.model.principal import Principal
from beffroi.services.reports.desk.acting import REQUEST
from beffroi.services.reports.desk.figures import Facts, gather
from beffroi.store.record import Query
from beffroi.town import Town

__all__ = ["AXES", "LAST", "ROWS", "between", "facts_of", "months", "people_of", "squares_of"]

AXES = ("category", "area", "department", "reason", "channel")
_COLUMNS = ("requested", "first_answered", "closed", "due", "reopened", "satisfied")
ROWS = 20_000  # read at once
ACROSS = 24  # squares of a map, from one side to the other
METRES = 111_320.0  # of one degree of latitude
LAST = 1 << 62  # later than any instant


def facts_of(
    town: Town, who: Principal, start_us: int, end_us: int, *, axes: Sequence[str] = AXES,
    progress: Callable[[float], None] = lambda _: None,
) -> Facts:  # fmt: skip
    """Return the facts of the reports made from `start_us` to before `end_us` in the reader's territories."""
    t = town.store.records.shelf(REQUEST).table.c
    asked = [
        *between(t, who, start_us, end_us), func.coalesce(t["duplicate_of"], 0) == 0,
        or_(t["reason"].is_(None), t["reason"] != "withdrawn"),
    ]  # fmt: skip
    names = (*_COLUMNS, *axes)
    with town.store.read() as c:
        begun = c.execute(select(func.min(t["requested"])).where(t["_deleted_us"].is_(None))).scalar()
        first = max(start_us, begun or start_us)
        rows = c.execution_options(yield_per=ROWS).execute(
            select(*(t[name] for name in names)).where(*asked).order_by(t["requested"])
        )
        return gather(_followed(rows.partitions(), first, end_us, progress), axes)


def between(t: Any, who: Principal, start_us: int, end_us: int) -> list[ColumnElement[bool]]:
    """Return the conditions on the columns `t` of live reports, of works that were not split from one, made from
    `start_us` to before `end_us` in the reader's territories. They are found by when they were made: SQLite, which keeps
    no statistics, would rather look at all that have no parent, or are of a territory."""
    asked = [t["_deleted_us"].is_(None), t["requested"] >= start_us, t["requested"] < end_us, func.coalesce(t["parent"], 0) == 0]  # fmt: skip
    if who.territories:
        asked.append(func.coalesce(t["_territory"], "").in_((*who.territories, "")))
    return asked


def _followed(
    parts: Iterable[Sequence[Any]], start_us: int, end_us: int, progress: Callable[[float], None]
) -> Iterator[Sequence[Any]]:
    """Yield parts of rows in the order of their instants, telling how far one is."""
    for part in parts:
        yield part
        progress((part[-1][0] - start_us) / max(1, end_us - start_us))
    progress(1.0)


def squares_of(
    town: Town, who: Principal, start_us: int, end_us: int
) -> list[tuple[float, float, float, float, int]]:
    """Return where reports were made: west, south, east, north and count of squares of the ground that hold some, at most
    `ACROSS` side by side, of 200 m at least."""
    t = town.store.records.shelf(REQUEST).table.c
    there = [*between(t, who, start_us, end_us), func.coalesce(t["duplicate_of"], 0) == 0, t["_minx"].is_not(None)]  # fmt: skip
    extent = select(func.min(t["_minx"]), func.min(t["_miny"]), func.max(t["_minx"]), func.max(t["_miny"]))
    with town.store.read() as c:
        west, south, east, north = c.execute(extent.where(*there)).one()
        if west is None:
            return []
        stretch = max(0.01, math.cos(math.radians((south + north) / 2)))
        high = max(200 / METRES, (north - south) / ACROSS, (east - west) * stretch / ACROSS)
        wide = high / stretch
        # what is not negative is cut by SQLite, and would be rounded by PostgreSQL
        column, row = ((t[name] - first) / step for name, first, step in (("_minx", west, wide), ("_miny", south, high)))  # fmt: skip
        floor = func.floor if town.store.dialect == "postgresql" else (lambda number: cast(number, Integer))
        x, y = floor(column).label("x"), floor(row).label("y")
        rows = c.execute(select(x, y, func.count()).where(*there).group_by(x, y).order_by(x, y)).all()
    return [
        (west + x * wide, south + y * high, west + (x + 1) * wide, south + (y + 1) * high, count)
        for x, y, count in ((int(a), int(b), n) for a, b, n in rows)
    ]


def people_of(town: Town) -> dict[str, int]:
    """Return the inhabitants of each area whose number is known."""
    rows = town.store.records.all("report_area", Query(limit=500))
    return {str(row.values["name"]): row.values["population"] for row in rows if row.values["population"]}


def months(town: Town, start_us: int, end_us: int) -> list[int]:
    """Return the first instants of the civil months that touch a range, and the one after."""
    zone = ZoneInfo(town.settings.time_zone)
    first = to_datetime(start_us).astimezone(zone)
    year, month = first.year, first.month
    found: list[int] = []
    while not found or found[-1] < end_us:
        found.append(from_datetime(datetime(year, month, 1, tzinfo=zone)))
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found
