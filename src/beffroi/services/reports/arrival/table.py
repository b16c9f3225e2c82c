"""The routing table as the town keeps it: its lines as rules, and what they decide for a report that arrives."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import msgspec
from shapely import Point, covers
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from beffroi.model.instant import to_datetime
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.arrival.conditions import read_answers, read_window
from beffroi.services.reports.arrival.deadlines import Calendar, Promise, due_us, region_of
from beffroi.services.reports.arrival.routing import Case, Rule, dead_rules
from beffroi.services.reports.where import area_at
from beffroi.store.record import Query, Row
from beffroi.store.records import Records
from beffroi.town import Town

__all__ = [
    "Arrival",
    "Line",
    "Table",
    "area_of",
    "calendar_of",
    "contact_at",
    "lineage",
    "read_table",
    "settle",
]


class Line(msgspec.Struct, frozen=True, eq=False):
    """One line of the table: its record, the rule it writes, or why it cannot be read; the lines that hide it."""

    row: Row
    rule: Rule | None = None
    problem: Problem | None = None
    hidden_by: tuple[int, ...] | None = None  # None: it is alive


class Table(msgspec.Struct, frozen=True, eq=False):
    """The lines in order, and the categories they speak of (code to parent's code)."""

    lines: tuple[Line, ...]
    parents: dict[str, str | None]

    @property
    def rules(self) -> list[Rule]:
        """The rules in use that can be read."""
        return [line.rule for line in self.lines if line.rule is not None and line.row.values["active"]]


class Arrival(msgspec.Struct, frozen=True):
    """What the table, and behind it the category, decides for a report."""

    department: int | None
    priority: str
    due_us: int | None
    moderation: str  # before or after
    area: str | None
    line: int | None  # the line that decided
    contact: Text | None = None  # whom to ask instead: the place is not the town's


def calendar_of(town: Town, territory: str | None) -> Calendar:
    """Return the civil calendar of a report's commune."""
    return Calendar(ZoneInfo(town.settings.time_zone), region_of(territory or ""))


def lineage(categories: Mapping[int, Row], number: int | None) -> list[Row]:
    """Return a category and those above it, the nearest first."""
    found: list[Row] = []
    while number is not None and number in categories and categories[number] not in found:
        found.append(categories[number])
        number = categories[number].values["parent"]
    return found


def _categories(records: Records) -> dict[int, Row]:
    return {row.id: row for row in records.all("report_category", Query(limit=500))}


def _areas(records: Records) -> list[tuple[Row, BaseGeometry]]:
    return [
        (row, shape(row.geometry)) for row in records.all("report_area", Query(limit=500)) if row.geometry
    ]


def area_of(records: Records, place: tuple[float, float] | None) -> str | None:
    """Return the name of the area around a point (longitude, latitude), or None."""
    if place is None:
        return None
    around = Query(bbox=(*place, *place), limit=50)
    for row in records.find("report_area", around).rows:
        if row.geometry and covers(shape(row.geometry), Point(place)):
            return str(row.values["name"])
    return None


def _rule(row: Row, areas: Mapping[int, BaseGeometry]) -> Rule:
    values = row.values
    codes = frozenset(code.strip() for code in (values["categories"] or "").split(",") if code.strip())
    drawn = shape(row.geometry) if row.geometry else areas.get(values["area"] or 0)
    window = read_window(values["days"] or "", values["hours"] or "", values["season"] or "")
    return Rule(row.id, codes, drawn, read_answers(values["answers"] or ""), window)


def read_table(records: Records) -> Table:
    """Return the table as it stands, dead lines and unreadable ones said."""
    categories = _categories(records)
    codes = {number: str(row.values["code"]) for number, row in categories.items()}
    parents = {codes[n]: codes.get(row.values["parent"] or 0) for n, row in categories.items()}
    areas = {row.id: drawn for row, drawn in _areas(records)}
    rows = sorted(
        records.all("report_route", Query(limit=500)), key=lambda row: (row.values["position"], row.id)
    )
    lines: list[Line] = []
    for row in rows:
        try:
            lines.append(Line(row, _rule(row, areas)))
        except Problem as problem:
            lines.append(Line(row, problem=problem))
    alive = [line.rule for line in lines if line.rule is not None and line.row.values["active"]]
    dead = dead_rules(alive, parents)
    told = [msgspec.structs.replace(line, hidden_by=dead.get(line.row.id)) for line in lines]
    return Table(tuple(told), parents)


class _Known(msgspec.Struct):
    """What decides, read again when any of it changed."""

    stamp: tuple[tuple[int, int, int], ...]
    categories: dict[int, Row]
    rules: list[tuple[Row, Rule]]


_known: WeakKeyDictionary[Town, _Known] = WeakKeyDictionary()


def _known_of(town: Town) -> _Known:
    records = town.store.records
    stamp = tuple(records.stamp(name) for name in ("report_category", "report_area", "report_route"))
    held = _known.get(town)
    if held is None or held.stamp != stamp:
        areas = {row.id: drawn for row, drawn in _areas(records)}
        rules = []
        for row in records.all("report_route", Query(where={"active": True}, sort="position")):
            with suppress(Problem):  # shown on the table's page; a line that cannot be read decides nothing
                rules.append((row, _rule(row, areas)))
        held = _known[town] = _Known(stamp, _categories(records), rules)
    return held


def settle(
    town: Town, values: Mapping[str, Any], place: tuple[float, float] | None, territory: str | None
) -> Arrival:  # fmt: skip
    """Return what is decided for a report with these values (`category`, `answers`, `requested`) at `place`."""
    calendar, known = calendar_of(town, territory), _known_of(town)
    above = lineage(known.categories, values.get("category"))
    moment = to_datetime(values["requested"]).astimezone(calendar.zone)
    case = Case(tuple(str(row.values["code"]) for row in above), moment, place, values.get("answers") or {},
                calendar.holiday(moment.date()))  # fmt: skip
    line = next((row for row, rule in known.rules if rule.matches(case)), None)
    chosen = dict(line.values) if line is not None else {}
    days, working = _promised(chosen, above)
    return Arrival(
        department=chosen.get("department") or _inherited(above, "department"),
        priority=chosen.get("priority") or _inherited(above, "priority") or "normal",
        due_us=None if days is None else due_us(values["requested"], Promise(days, working), calendar),
        moderation=chosen.get("moderation") or _inherited(above, "moderation") or "after",
        area=area_at(town, place), line=line.id if line is not None else None,
        contact=Text(said, chosen["contact_en"] or said) if (said := chosen.get("contact")) else None,
    )  # fmt: skip


def contact_at(
    town: Town,
    values: Mapping[str, Any],
    where: Callable[[], tuple[float, float] | None],
    territory: str | None,
) -> Text | None:
    """Return whom to ask instead, when a line of the table says that what is `where` is not the town's; `where` is
    only asked when some line may say so."""
    if not any(row.values["contact"] for row, _ in _known_of(town).rules):
        return None
    return settle(town, values, where(), territory).contact


def _inherited(above: list[Row], name: str) -> Any:
    return next((row.values[name] for row in above if row.values[name] is not None), None)


def _promised(chosen: Mapping[str, Any], above: list[Row]) -> tuple[int | None, bool]:
    """Return the days promised and whether they are working days: the line's, else the nearest category's."""
    for values in (chosen, *(row.values for row in above)):
        if values.get("deadline_days") is not None:
            return values["deadline_days"], bool(values["deadline_working"])
    return None, True
