"""Figures of the energy service, each computed from findings, works and series as they are now."""

from typing import Any

from beffroi.model.declaration import Indicator
from beffroi.model.text import Text
from beffroi.services.energy.points import points_of
from beffroi.services.energy.studying import studied
from beffroi.store.record import Query, Where

__all__ = ["INDICATORS"]


def _query(territory: str | None, **where: Any) -> Query:
    return Query(where=where, territories=None if territory is None else (territory,))


def waste_euros(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return the euros a year of what is found wasted and goes on; None when no point is followed."""
    if not town.store.records.count("delivery_point", _query(territory)):
        return None
    found = town.store.records.all("energy_finding", _query(territory, state="open"))
    return float(sum(r.values["euro_year"] for r in found))


def saved_kwh(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return the kWh that works saved in the year that was measured after each; None when none could be measured."""
    works = list(town.store.records.all("energy_works", _query(territory, saved_kwh=Where("known"))))
    return float(sum(r.values["saved_kwh"] for r in works)) if works else None


def saved_percent(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return the mean saving of works, weighted by what their points would have used."""
    works = list(town.store.records.all("energy_works", _query(territory, saved_kwh=Where("known"))))
    would = [
        (r.values["saved_kwh"] / r.values["saved_percent"] * 100, r)
        for r in works
        if r.values["saved_percent"]
    ]
    total = sum(w for w, _ in would)
    return 100 * sum(r.values["saved_kwh"] for _, r in would) / total if total else None


def completeness(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return the share of the days of the last year that meters told, over all points."""
    points = points_of(town, None if territory is None else (territory,))
    return 100 * sum(studied(town, p).share for p in points) / len(points) if points else None


def yearly_use(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return the electricity and gas of a year, in MWh."""
    points = points_of(town, None if territory is None else (territory,))
    years = [y for p in points if p.values["fluid"] != "water" and (y := studied(town, p).year) is not None]
    return sum(years) / 1000 if years else None


INDICATORS = (
    Indicator(
        "energy_waste", Text("Gaspillage constaté, par an", "Waste found, a year"), "€", waste_euros,
        Text("Talons de nuit, fins de semaine, vacances et dérives que les compteurs montrent, au prix payé.",
             "Night base loads, week-ends, holidays and drifts that meters show, at the price paid."),
        better="lower", standing=True,
    ),
    Indicator(
        "energy_saved", Text("Énergie épargnée par les travaux", "Energy saved by works"), "kWh", saved_kwh,
        Text("Mesurée sur le compteur, à climat et calendrier égaux (IPMVP, option C).",
             "Measured on the meter, at equal weather and calendar (IPMVP, option C)."),
        better="higher", standing=True,
    ),
    Indicator(
        "energy_saved_percent", Text("Part épargnée par les travaux", "Share saved by works"), "%", saved_percent,
        Text("Épargne des travaux sur ce que leurs points auraient consommé.", "Savings of works over what their points would have used."),
        better="higher", standing=True, decimals=1,
    ),
    Indicator(
        "energy_completeness", Text("Mesures reçues", "Measurements received"), "%", completeness,
        Text("Part des jours des douze derniers mois que les compteurs ont dits.", "Share of the days of the last twelve months that meters told."),
        better="higher", standing=True, decimals=1,
    ),
    Indicator(
        "energy_use", Text("Électricité et gaz d'une année", "Electricity and gas of a year"), "MWh", yearly_use,
        Text("Moyenne des jours connus des douze derniers mois, sur 365 jours.", "Mean of the known days of the last twelve months, over 365 days."),
        better="lower", standing=True,
    ),
)  # fmt: skip
