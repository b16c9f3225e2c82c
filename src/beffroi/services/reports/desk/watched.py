"""The town's own reports as incidents: who else reported what was known already, and until when one could.

A report, what was merged into it and its "me too" are one incident. It is watched until it is closed or someone of
the town takes it on. Persons are pseudonyms; nobody's name is read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shapely import touches
from shapely.geometry import shape
from sqlalchemy import Connection, select

from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.services.reports.desk.acting import DEPTH, REQUEST, UPDATE
from beffroi.services.reports.desk.counting import ROWS, between
from beffroi.services.reports.rate.incidents import Incident, Told, incidents_of
from beffroi.store.record import Query
from beffroi.town import Town

__all__ = ["incidents_watched", "neighbours_of"]

_SEEN_TO = ("take", "schedule")


def incidents_watched(
    town: Town, who: Principal, start_us: int, end_us: int, progress: Callable[[float], None] = lambda _: None
) -> list[Incident]:
    """Return the incidents first reported in a range, in the reader's territories. Areas are names, categories codes."""
    return incidents_of(_told(town, who, start_us, end_us, progress), end_us / DAY_US)


def _told(
    town: Town, who: Principal, start_us: int, end_us: int, progress: Callable[[float], None]
) -> Iterator[Told]:
    records = town.store.records
    codes = {row.id: str(row.values["code"]) for row in records.all("report_category", Query(limit=500))}
    with town.store.read() as c:
        reports = {row[0]: row for row in _reports(town, c, who, start_us, end_us)}
        progress(0.5)
        said = _said(town, c, end_us)
    progress(0.6)
    above = {number: row[6] for number, row in reports.items() if row[6] in reports}
    seen: dict[int, float] = defaultdict(lambda: float("inf"))
    for request, at, kind, _who in said:
        if kind != "me_too" and request in reports:
            first = _root(request, above)
            seen[first] = min(seen[first], at / DAY_US)
    for number, row in reports.items():
        root = _root(number, above)
        first = reports[root]
        # a duplicate closed by merging ends nothing: only the end of what was kept does
        closed = first[5] / DAY_US if first[5] is not None else None
        area, category = first[2] or "", codes.get(first[3], "")
        yield Told(str(root), row[1] / DAY_US, area, category, row[4] or "", seen.get(root), closed)
    progress(0.8)
    for request, at, kind, who_said in said:
        if kind == "me_too" and request in reports:
            root = _root(request, above)
            first = reports[root]
            yield Told(str(root), at / DAY_US, first[2] or "", codes.get(first[3], ""), who_said or "")
    progress(1.0)


def _reports(town: Town, c: Connection, who: Principal, start_us: int, end_us: int) -> Iterator[Any]:
    """Yield number, instant, area, category, pseudonym, closing and what it was merged into, of each report of people."""
    r = town.store.records.shelf(REQUEST).table.c
    live = [*between(r, who, start_us, end_us), r["channel"] != "sensor"]  # a machine reports always
    names = ("_id", "requested", "area", "category", "reporter", "closed", "duplicate_of")
    rows = c.execution_options(yield_per=ROWS).execute(select(*(r[n] for n in names)).where(*live))
    for part in rows.partitions():
        yield from part


def _said(town: Town, c: Connection, end_us: int) -> Sequence[Any]:
    """Return report, instant, kind and pseudonym of each "me too" and of each step of someone who takes one on."""
    u = town.store.records.shelf(UPDATE).table.c
    wanted = (u["kind"] == "me_too") | u["action"].in_(_SEEN_TO)
    asked = select(u["request"], u["at"], u["kind"], u["reporter"])
    return c.execute(asked.where(u["_deleted_us"].is_(None), wanted, u["at"] < end_us)).all()


def _root(number: int, above: Mapping[int, int]) -> int:
    """Return what a report was merged into at last."""
    for _ in range(DEPTH):
        up = above.get(number)
        if up is None:
            return number
        number = up
    return number


def neighbours_of(town: Town) -> Sequence[tuple[str, str]]:
    """Return the pairs of areas that touch, by name."""
    rows = [row for row in town.store.records.all("report_area", Query(limit=500)) if row.geometry]
    shapes = [(str(row.values["name"]), shape(row.geometry)) for row in rows]
    return [
        (a, b) for n, (a, one) in enumerate(shapes) for b, other in shapes[n + 1 :] if touches(one, other) or one.intersects(other)
    ]  # fmt: skip
