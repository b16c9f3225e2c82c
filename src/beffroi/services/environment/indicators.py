"""Figures that the environment service answers for.

Where several stations measure the same thing, a day's figure is the median of the stations: one sensor that
drifts or is stuck does not make the town's figure. Values that their quality flag says are bad or suspect are
left aside.
"""

from collections.abc import Callable
from operator import attrgetter
from statistics import fmean
from typing import Any

from sqlalchemy import and_

from beffroi.model.declaration import Indicator
from beffroi.model.instant import DAY_US
from beffroi.model.text import Text
from beffroi.services.environment.domain import days_beyond, percent_change
from beffroi.services.environment.exposure import EXPOSURE
from beffroi.services.environment.limits import LIMITS
from beffroi.services.environment.readings import Compute, days_of, middle_days, series_of
from beffroi.store.aggregates import Cell
from beffroi.store.observations import ObservationQuery
from beffroi.store.tables import observation
from beffroi.town import Town

__all__ = ["INDICATORS"]

_WHOLE = 0.8


def _days_beyond(kind: str, of: Callable[[Cell], Any], limit: float, *, below: bool = False) -> Compute:
    def compute(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
        days = middle_days(town, kind, territory, start_us, end_us, of)
        return days_beyond(days, limit, below=below) if days else None

    return compute


def _mean_of(kind: str) -> Compute:
    def compute(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
        days = middle_days(town, kind, territory, start_us, end_us, attrgetter("mean"))
        return fmean(days.values()) if days else None

    return compute


def _rain(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    gauges = days_of(town, "rain", territory, start_us, end_us)
    totals = [sum(cell.total for cell in days.values()) for days in gauges.values() if days]
    return fmean(totals) if totals else None


def _river_peak(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    levels = days_of(town, "river_level", territory, start_us, end_us)
    return max((cell.high or 0.0 for days in levels.values() for cell in days.values()), default=None)


def _per_day(
    town: Town, kind: str, territory: str | None, start_us: int, end_us: int
) -> dict[int, tuple[float, int]]:
    """Return the passages of a mean day of each counter, and the days that it is a mean of.

    Only whole days count: one with fewer than 4 in 5 of the values that the counter's pace promises is neither
    a small day nor a zero.
    """
    paces = series_of(town, kind, territory)
    found = {}
    for number, days in days_of(town, kind, territory, start_us, end_us).items():
        every = paces[number]
        enough = _WHOLE * DAY_US / every if every else 0
        whole = [cell.total for cell in days.values() if cell.numbers >= enough]
        if whole:
            found[number] = fmean(whole), len(whole)
    return found


def _passages(kind: str) -> Compute:
    def compute(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
        counters = _per_day(town, kind, territory, start_us, end_us)
        return sum(mean for mean, _ in counters.values()) if counters else None

    return compute


def _trend(kind: str) -> Compute:
    def compute(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
        before = _per_day(town, kind, territory, 2 * start_us - end_us, start_us)
        now = _per_day(town, kind, territory, start_us, end_us)
        # like with like: the counters that told at least half as many days before
        both = [n for n in now if n in before and 2 * before[n][1] >= now[n][1]]
        return percent_change(sum(before[n][0] for n in both), sum(now[n][0] for n in both))

    return compute


def _completeness(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    paced = {i: every for i, every in series_of(town, None, territory).items() if every}
    expected = sum((end_us - start_us) / every for every in paced.values())
    if not expected:
        return None
    query = ObservationQuery(
        datastreams=tuple(paced), between=(start_us, end_us),
        where=lambda _dialect: and_(observation.c.start_us >= start_us, observation.c.start_us < end_us),
    )  # fmt: skip
    return min(100.0, 100.0 * town.store.observations.count(query) / expected)


def _over(name: str) -> Indicator:
    """Return the indicator "days over the limit called `name`", its source in the formula."""
    limit = LIMITS[name]
    label = {"pm10": "PM10", "pm25": "PM2,5", "no2": "NO₂"}[limit.kind]
    by = Text("Europe, 2030", "Europe, 2030") if "_eu_" in name else Text("OMS", "WHO")
    return Indicator(
        f"days_{name}",
        Text(f"Jours au-dessus de {limit.value:g} µg/m³ de {label} ({by.fr})", f"Days over {limit.value:g} µg/m³ of {label.replace(',', '.')} ({by.en})"),
        "", _days_beyond(limit.kind, attrgetter("mean"), limit.value),
        Text(f"Jours dont la moyenne (médiane des stations) dépasse {limit.value:g} µg/m³. Source : {limit.told.fr}.",
             f"Days whose mean (median of the stations) exceeds {limit.value:g} µg/m³. Source: {limit.told.en}."),
        "lower",
    )  # fmt: skip


INDICATORS = (
    Indicator(
        "rain", Text("Pluie cumulée", "Rainfall"), "mm", _rain,
        Text("Somme de la pluie de la période, moyenne des pluviomètres.", "Rain of the period, mean of the gauges."),
        decimals=1,
    ),
    Indicator(
        "hot_days", Text("Jours à 30 °C et plus", "Days at 30 °C or more"), "",
        _days_beyond("temperature", attrgetter("high"), LIMITS["hot_day"].value - 1e-9),
        Text("Jours dont la température maximale (médiane des stations) atteint 30 °C : « jour de forte chaleur » de Météo-France.",
             "Days whose highest temperature (median of the stations) reaches 30 °C: a 'very hot day' of Météo-France."),
        "lower",
    ),
    Indicator(
        "frost_days", Text("Jours de gel", "Frost days"), "",
        _days_beyond("temperature", attrgetter("low"), LIMITS["frost_day"].value + 1e-9, below=True),
        Text("Jours dont la température minimale (médiane des stations) est de 0 °C ou moins.",
             "Days whose lowest temperature (median of the stations) is 0 °C or less."),
    ),
    Indicator(
        "river_peak", Text("Plus haute eau", "Highest water"), "m", _river_peak,
        Text("Plus haute valeur de la période aux échelles du territoire.", "Highest value of the period at the territory's gauges."),
        "lower", 2,
    ),
    _over("pm10_eu_day"),
    _over("pm10_who_day"),
    _over("pm25_who_day"),
    _over("no2_who_day"),
    Indicator(
        "pm10_mean", Text("PM10, moyenne", "PM10, mean"), "µg/m³", _mean_of("pm10"),
        Text("Moyenne des jours de la période (médiane des stations). Valeur limite annuelle de 2030 : 20 µg/m³, directive (UE) 2024/2881 (à vérifier).",
             "Mean of the period's days (median of the stations). Yearly limit of 2030: 20 µg/m³, Directive (EU) 2024/2881 (to be checked)."),
        "lower", 1,
    ),
    Indicator(
        "no2_mean", Text("NO₂, moyenne", "NO₂, mean"), "µg/m³", _mean_of("no2"),
        Text("Moyenne des jours de la période (médiane des stations). Valeur limite annuelle de 2030 : 20 µg/m³, directive (UE) 2024/2881 (à vérifier).",
             "Mean of the period's days (median of the stations). Yearly limit of 2030: 20 µg/m³, Directive (EU) 2024/2881 (to be checked)."),
        "lower", 1,
    ),
    Indicator(
        "cyclists_per_day", Text("Passages de vélos par jour", "Bicycle passages a day"), "", _passages("bicycles"),
        Text("Total d'un jour moyen, ajouté sur les compteurs ; un jour incomplet ne compte pas.",
             "Total of a mean day, added over the counters; an incomplete day does not count."),
        "higher",
    ),
    Indicator(
        "cyclists_trend", Text("Évolution des vélos", "Change in cycling"), "%", _trend("bicycles"),
        Text("Passages par jour de la période, comparés à ceux de la période précédente, sur les mêmes compteurs.",
             "Passages a day of the period, against the period before it, on the same counters."),
        "higher",
    ),
    Indicator(
        "pedestrians_per_day", Text("Passages de piétons par jour", "Pedestrian passages a day"), "", _passages("pedestrians"),
        Text("Total d'un jour moyen, ajouté sur les compteurs ; un jour incomplet ne compte pas.",
             "Total of a mean day, added over the counters; an incomplete day does not count."),
    ),
    Indicator(
        "environment_completeness", Text("Données reçues", "Data received"), "%", _completeness,
        Text("Observations reçues dans la période, rapportées à celles que la cadence annoncée de chaque série promet.",
             "Observations received in the period, against those that the announced pace of each series promises."),
        "higher",
    ),
    *EXPOSURE,
)  # fmt: skip
