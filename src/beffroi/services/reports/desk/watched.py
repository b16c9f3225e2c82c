"""The town's own reports as incidents: who else reported what was known already, and until when one could.

A report, what was merged into it and its "me too" are one incident. It is watched until it is closed or someone of
the town takes it on. Persons are pseudonyms; nobody's name is read.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from shapely import touches
from shapely.geometry import shape
from sqlalchemy import select

from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.services.reports.desk.acting import DEPTH, REQUEST, UPDATE
from beffroi.services.reports.rate.incidents import Incident, Told, incidents_of
from beffroi.store.record import Query
from beffroi.town import Town

__all__ = ["incidents_watched", "neighbours_of"]

_SEEN_TO = ("take", "schedule")


def incidents_watched(town: Town, who: Principal, start_us: int, end_us: int) -> list[Incident]:
    """Return the incidents first reported in a range, in the reader's territories. Areas are names, categories codes."""
    return incidents_of(_told(town, who, start_us, end_us), end_us / DAY_US)


def _told(town: Town, who: Principal, start_us: int, end_us: int) -> Iterator[Told]:
    records = town.store.records
    r, u = records.shelf(REQUEST).table.c, records.shelf(UPDATE).table.c
    codes = {row.id: str(row.values["code"]) for row in records.all("report_category", Query(limit=500))}
    live = [
        r["_deleted_us"].is_(None),
        r["requested"] >= start_us,
        r["requested"] < end_us,
        r["parent"].is_(None),
    ]
    live.append(r["channel"] != "sensor")  # a machine reports always
    if who.territories:
        live.append(r["_territory"].in_((*who.territories, "")))
    names = ("_id", "requested", "area", "category", "reporter", "closed", "reason", "duplicate_of")
    with town.store.read() as c:
        reports = {row[0]: row for row in c.execute(select(*(r[n] for n in names)).where(*live))}
        said = c.execute(
            select(u["request"], u["at"], u["kind"], u["action"], u["reporter"]).where(
                u["_deleted_us"].is_(None),
                (u["kind"] == "me_too") | u["action"].in_(_SEEN_TO),
                u["at"] < end_us,
            )
        ).all()
    root = {number: _root(number, {n: row[7] for n, row in reports.items()}) for number in reports}
    seen: dict[int, float] = defaultdict(lambda: float("inf"))
    for request, at, kind, _action, _who in said:
        if kind != "me_too" and request in root:
            seen[root[request]] = min(seen[root[request]], at / DAY_US)
    for number, row in reports.items():
        first = reports[root[number]]
        # a duplicate closed by merging ends nothing: only the end of what was kept does
        closed = first[5] / DAY_US if first[5] is not None else None
        inspected = seen.get(root[number])
        yield Told(
            str(root[number]),
            row[1] / DAY_US,
            first[2] or "",
            codes.get(first[3], ""),
            row[4] or "",
            inspected,
            closed,
        )
    for request, at, kind, _action, reporter in said:
        if kind == "me_too" and request in root:
            first = reports[root[request]]
            yield Told(
                str(root[request]), at / DAY_US, first[2] or "", codes.get(first[3], ""), reporter or ""
            )


def _root(number: int, above: dict[int, int | None]) -> int:
    for _ in range(DEPTH):
        up = above.get(number)
        if up is None or up not in above:
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
