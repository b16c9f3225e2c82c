"""From reports to incidents: how long each could still be reported, and how often it was again.

Source: Liu, Bhandaram & Garg 2024 (doi 10.1038/s43588-023-00572-6). The first report is never counted: it is what
made the incident known, and counting it is the classic error.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from beffroi.services.reports.duplicates.log import Logged

__all__ = ["CAP_DAYS", "DROP_DAYS", "Incident", "Told", "incidents_of", "incidents_of_log"]

_EPOCH = date(1970, 1, 1).toordinal()
CAP_DAYS = 100.0
DROP_DAYS = 0.01


class Told(msgspec.Struct, frozen=True):
    """One report of an incident. Times are days from any one origin; `by` is a pseudonym, "" when unknown."""

    incident: str
    at: float
    area: str = ""
    category: str = ""
    by: str = ""
    inspected: float | None = None
    closed: float | None = None


class Incident(msgspec.Struct, frozen=True):
    """One incident: `days` it was watched after its first report (T), further reports by others meanwhile (M)."""

    area: str
    category: str
    days: float
    duplicates: int
    first: float = 0.0  # time of the first report, days since 1970 where an extract is made
    name: str = ""


def incidents_of(
    told: Iterable[Told], end: float, *, cap: float = CAP_DAYS, drop: float = DROP_DAYS
) -> list[Incident]:
    """Return the incidents of reports, those watched `drop` days or less left out.

    The watch stops at the first of: closing, first inspection, `cap` days after the first report, `end` of the data.
    Of one person only the first report of an incident counts. Area and category are those of the first report.
    """
    groups: dict[str, list[Told]] = defaultdict(list)
    for report in told:
        groups[report.incident].append(report)
    found = []
    for reports in groups.values():
        reports.sort(key=lambda r: r.at)
        first = reports[0]
        ends = [t for r in reports for t in (r.inspected, r.closed) if t is not None]
        stop = min([*ends, first.at + cap, end])
        days = stop - first.at
        if days > drop:
            found.append(
                Incident(first.area, first.category, days, _others(reports, stop), first.at, first.incident)
            )
    return found


def _others(reports: Sequence[Told], stop: float) -> int:
    """Return how many reports came after the first and before `stop`, repeat callers left out."""
    seen = {reports[0].by} - {""}
    count = 0
    for report in reports[1:]:
        if reports[0].at < report.at < stop and report.by not in seen:
            count += 1
            if report.by:
                seen.add(report.by)
    return count


def incidents_of_log(
    reports: Sequence[Logged], *, cap: float = CAP_DAYS, drop: float = DROP_DAYS
) -> list[Incident]:
    """Return the incidents of a log that marks duplicates: each is linked to the latest incident then open at the
    same address or metre. A log has whole days, so a duplicate of the first day counts; it has no callers.

    A marked duplicate that finds no open incident is left out: what it repeats is not in the log.
    """
    end = max((max(r.created, r.completed or 0) for r in reports), default=0)
    firsts: list[Logged] = []
    again: list[int] = []
    at: dict[object, list[int]] = defaultdict(list)
    for report in reports:
        places = _places(report)
        if report.duplicate:
            ranks = {k for place in places for k in at[place] if _open(firsts[k], report.created)}
            if ranks and (rank := max(ranks)) >= 0 and report.created - firsts[rank].created <= cap:
                again[rank] += 1
            continue
        for place in places:
            at[place].append(len(firsts))
        firsts.append(report)
        again.append(0)
    found = []
    for first, further in zip(firsts, again, strict=True):
        stop = min(first.completed if first.completed is not None else math.inf, first.created + cap, end)
        if stop - first.created > drop:
            at_first = float(first.created - _EPOCH)
            found.append(
                Incident(
                    first.area, first.nature, float(stop - first.created), further, at_first, first.number
                )
            )
    return found


def _open(report: Logged, day: int) -> bool:
    return report.completed is None or report.completed >= day


def _places(report: Logged) -> list[object]:
    places: list[object] = [report.address] if report.address else []
    if not math.isnan(report.x + report.y):
        places.append((round(report.x), round(report.y)))
    return places
