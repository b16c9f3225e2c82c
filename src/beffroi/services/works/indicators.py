"""Figures of works in the street: orders that are published, declarations answered in time."""

from typing import Any

from beffroi.model.declaration import Indicator
from beffroi.model.text import Text
from beffroi.services.works.clock import clock_of, today_of
from beffroi.store.record import Query, Row, Where

__all__ = ["INDICATORS"]


def _declarations(town: Any, territory: str | None, start_us: int, end_us: int) -> list[Row]:
    days = (Where(">=", today_of(town, start_us)), Where("<=", today_of(town, end_us)))
    query = Query(where={"received": days}, territories=None if territory is None else (territory,))
    return list(town.store.records.all("works_declaration", query))


def _orders(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return how many orders under way in the period are published."""
    where = {"published": True, "starts": Where("<", end_us), "ends": Where(">=", start_us)}
    query = Query(where=where, territories=None if territory is None else (territory,))
    return float(town.store.records.count("works_permit", query))


def _received(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return how many declarations came in."""
    return float(len(_declarations(town, territory, start_us, end_us)))


def _in_time(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return the share answered by the legal day, in %, among those answered and those whose day is past."""
    today = today_of(town, end_us)
    kept = known = 0
    for row in _declarations(town, territory, start_us, end_us):
        v, limit = row.values, clock_of(row).day
        if v["answered"] is not None:
            known, kept = known + 1, kept + (v["answered"] <= limit)
        elif v["state"] == "open" and limit < today:
            known += 1
    return 100 * kept / known if known else None


INDICATORS = (
    Indicator(
        "works_published", Text("Arrêtés de travaux publiés", "Works orders published"), "", _orders,
        Text("Arrêtés publiés qui valent un jour au moins de la période.", "Published orders that hold on a day at least of the period."),
    ),
    Indicator(
        "works_declared", Text("DT-DICT reçues", "Works declarations received"), "", _received,
        Text("Déclarations reçues dans la période.", "Declarations received in the period."), read="agent",
    ),
    Indicator(
        "works_in_time", Text("DT-DICT répondues à temps", "Works declarations answered in time"), "%", _in_time,
        Text("Répondues au plus tard le jour légal, parmi celles répondues et celles dont ce jour est passé.",
             "Answered by the legal day, among those answered and those whose day is past."),
        better="higher",
    ),
)  # fmt: skip
