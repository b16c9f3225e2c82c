"""Counting: the facts of the stored reports by columns, read straight from their table, for figures and extracts.

Counted are the problems that people reported: reports merged into another and works split from one are not counted
twice. Nobody's name is read, not even sealed.
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from beffroi.model.instant import from_datetime, to_datetime
from beffroi.model.principal import Principal
from beffroi.services.reports.desk.acting import REQUEST
from beffroi.services.reports.desk.figures import Facts, gather
from beffroi.store.record import Query
from beffroi.town import Town

__all__ = ["AXES", "facts_of", "months", "people_of"]

AXES = ("category", "area", "department", "reason", "channel")
_COLUMNS = ("requested", "first_answered", "closed", "due", "reopened", "satisfied", "category", "area", "department", "reason", "channel")  # fmt: skip


def facts_of(town: Town, who: Principal, start_us: int, end_us: int, **where: Any) -> Facts:
    """Return the facts of the reports made from `start_us` to before `end_us` in the reader's territories."""
    shelf = town.store.records.shelf(REQUEST)
    t = shelf.table.c
    asked = [
        t["_deleted_us"].is_(None), t["requested"] >= start_us, t["requested"] < end_us, t["parent"].is_(None),
        t["duplicate_of"].is_(None), or_(t["reason"].is_(None), t["reason"] != "withdrawn"),
        *(t[name] == value for name, value in where.items()),
    ]  # fmt: skip
    if who.territories:
        asked.append(t["_territory"].in_((*who.territories, "")))
    with town.store.read() as c:
        rows = c.execute(select(*(t[name] for name in _COLUMNS)).where(*asked)).all()
    told = (
        (r[0], r[1], r[2], r[3], bool(r[4]), r[5], str(r[6] or ""), r[7], str(r[8] or ""), r[9], r[10])
        for r in rows
    )
    return gather(told, AXES)


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
