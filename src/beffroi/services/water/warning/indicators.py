"""Figures of flood warning: how long the town was warned, how soon someone confirmed, how much of the data came."""

import statistics

from beffroi.model.declaration import Indicator
from beffroi.model.instant import HOUR_US, MINUTE_US
from beffroi.model.text import Text
from beffroi.store.record import Query, Row, Where
from beffroi.town import Town

__all__ = ["INDICATORS"]


def _warnings(town: Town, territory: str | None, start_us: int, end_us: int) -> list[Row]:
    """Return the warnings that were open within a period, drills aside."""
    where = {"opened_at": Where("<", end_us), "exercise": False}
    territories = None if territory is None else (territory, "")
    rows = town.store.records.all("river_warning", Query(where=where, territories=territories))
    return [row for row in rows if row.values["ended_at"] is None or row.values["ended_at"] > start_us]


def _hours(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    if not town.store.records.count("river_station"):
        return None
    spans = [
        (max(start_us, row.values["opened_at"]), min(end_us, row.values["ended_at"] or end_us))
        for row in _warnings(town, territory, start_us, end_us)
        if row.values["state"] != "dismissed"
    ]
    total, reached = 0, start_us
    for begin, end in sorted(spans):  # two stations in one flood count once
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total / HOUR_US


def _delay(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    delays = [
        (row.values["confirmed_at"] - row.values["opened_at"]) / MINUTE_US
        for row in _warnings(town, territory, start_us, end_us)
        if row.values["confirmed_at"] is not None
    ]
    return statistics.median(delays) if delays else None


INDICATORS = (
    Indicator(
        "warning_hours", Text("Heures d'alerte crue", "Hours of flood warning"), "h", _hours,
        Text("Temps de la période où une alerte au moins était ouverte ; exercices et alertes écartées ne comptent pas.",
             "Time of the period during which one warning at least was open; drills and false warnings do not count."),
        "lower",
    ),
    Indicator(
        "confirm_minutes", Text("Délai de confirmation", "Time to confirm"), "min", _delay,
        Text("Médiane du temps entre le premier seuil franchi et la confirmation par un agent.",
             "Median of the time between the first threshold and the confirmation by an agent."),
        "lower", read="elu",
    ),
)  # fmt: skip
