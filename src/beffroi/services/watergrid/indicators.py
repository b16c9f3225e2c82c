"""Figures of the water service: leaks from its files, the regulatory ones from the last complete year."""

from typing import Any

from beffroi.model.declaration import Indicator
from beffroi.model.text import Text
from beffroi.services.watergrid.collections import OPEN_LEAKS
from beffroi.services.watergrid.yearly import Figures, figures_of
from beffroi.store.record import Query, Where

__all__ = ["INDICATORS", "last_figures"]


def _leaks(town: Any, territory: str | None, at_us: int) -> list[Any]:
    """Return the leaks that were known and ran at an instant."""
    query = Query(where={"detected": Where("<=", at_us)}, territories=None if territory is None else (territory,))  # fmt: skip
    rows = [row for row in town.store.records.all("water_leak", query) if row.values["state"] != "false"]
    return [
        row for row in rows
        if (row.values["state"] in OPEN_LEAKS if row.values["end"] is None else row.values["end"] > at_us)
    ]  # fmt: skip


def open_leaks(town: Any, territory: str | None, _start_us: int, end_us: int) -> float | None:
    """Return how many leaks were open at the end of a period."""
    return float(len(_leaks(town, territory, end_us)))


def leak_cost(town: Any, territory: str | None, _start_us: int, end_us: int) -> float | None:
    """Return what the leaks that were open at the end of a period cost a day, in euros."""
    return float(sum(row.values["euro_per_day"] for row in _leaks(town, territory, end_us)))


def leak_volume(town: Any, territory: str | None, _start_us: int, end_us: int) -> float | None:
    """Return what the leaks that were open at the end of a period lose a day, in m³."""
    return float(sum(row.values["m3_per_day"] for row in _leaks(town, territory, end_us)))


def last_figures(town: Any, territory: str | None) -> Figures | None:
    """Return the figures of the last year kept."""
    query = Query(sort="-code", limit=1, territories=None if territory is None else (territory,))
    rows = town.store.records.find("water_year", query).rows
    return figures_of(rows[0].values) if rows else None


def network_yield(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return P104.3 of the last year, in per cent."""
    found = last_figures(town, territory)
    return None if found is None else found.p104_3


def linear_losses(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return P106.3 of the last year, in m³/km/day."""
    found = last_figures(town, territory)
    return None if found is None else found.p106_3


def overflow_hours(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return the hours that sewers overflowed in 30 days, all points together."""
    query = Query(territories=None if territory is None else (territory,), limit=500)
    hours = [r.values["overflow_h"] for r in town.store.records.find("sewer_point", query).rows]
    known = [h for h in hours if h is not None]
    return float(sum(known)) if known else None


INDICATORS = (
    Indicator(
        "open_leaks", Text("Fuites ouvertes", "Open leaks"), "", open_leaks,
        Text("Dossiers de fuite ouverts ou en aggravation, à la fin de la période.", "Leak files open or growing, at the end of the period."), better="lower",
    ),
    Indicator(
        "leak_cost", Text("Coût des fuites ouvertes", "Cost of the open leaks"), "€/j", leak_cost,
        Text("Somme des volumes perdus par jour × prix d'un m³ du secteur.", "Sum of the volumes lost a day × price of a m³ of the area."), better="lower",
    ),
    Indicator(
        "leak_volume", Text("Eau perdue par les fuites ouvertes", "Water lost by the open leaks"), "m³/j", leak_volume,
        Text("Somme des débits des fuites ouvertes, d'après le débit de nuit de chaque secteur.", "Sum of the flows of the open leaks, from the night flow of each area."), better="lower",
    ),
    Indicator(
        "network_yield", Text("Rendement du réseau (P104.3)", "Network yield (P104.3)"), "%", network_yield,
        Text("(Comptabilisé domestique et non domestique + sans comptage + service + exporté) / (produit + importé), dernier exercice.",
             "(Metered domestic and non-domestic + unmetered + service + exported) / (produced + imported), last year."), better="higher", standing=True, decimals=1,
    ),
    Indicator(
        "linear_losses", Text("Pertes linéaires (P106.3)", "Linear losses (P106.3)"), "m³/km/j", linear_losses,
        Text("(Mis en distribution − consommé autorisé) / (jours × linéaire hors branchements), dernier exercice.",
             "(Distributed − authorised consumption) / (days × length without connections), last year."), better="lower", standing=True, decimals=2,
    ),
    Indicator(
        "overflow_hours", Text("Déversements des égouts", "Sewer overflows"), "h", overflow_hours,
        Text("Heures de déversement sur 30 jours, tous points mesurés.", "Hours of overflow in 30 days, all measured points."), better="lower", standing=True,
    ),
)  # fmt: skip
