"""What the town's people are exposed to: air as an indicative index, noise, heat of three days, moving slopes, heavy rain."""

import statistics
from collections.abc import Mapping
from datetime import date

from beffroi.model.declaration import Indicator
from beffroi.model.instant import DAY_US, HOUR_US, PARIS, to_datetime
from beffroi.model.text import Text
from beffroi.services.environment import air_index, heat, noise, slope
from beffroi.services.environment.domain import by_day, middle_day
from beffroi.services.environment.readings import days_of, hours_of, values_of
from beffroi.town import Town

__all__ = ["EXPOSURE", "index_by_day"]

HEAT = "environment.heat"
BAD = 4
Values = list[tuple[int, float]]


def index_by_day(town: Town, territory: str | None, start_us: int, end_us: int) -> dict[int, int]:
    """Return the indicative index (1 to 6) by civil day (ordinal since 1970): of each pollutant, the median of the stations."""
    figures: dict[int, dict[str, float]] = {}
    for pollutant in air_index.POLLUTANTS:
        told: dict[int, list[float]] = {}
        for values in hours_of(town, pollutant, territory, start_us, end_us):
            for day, hours in by_day(values).items():
                value = air_index.figure(pollutant, hours)
                if value is not None:
                    told.setdefault(day, []).append(value)
        for day, found in told.items():
            figures.setdefault(day, {})[pollutant] = statistics.median(found)
    return {
        day: max(air_index.sub_index(p, v, air_index.classes_on(date.fromordinal(_EPOCH + day))) for p, v in known.items())
        for day, known in sorted(figures.items())
    }  # fmt: skip


_EPOCH = date(1970, 1, 1).toordinal()


def _index(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    days = index_by_day(town, territory, start_us - DAY_US, end_us)
    return float(days[max(days)]) if days else None


def _bad_days(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    days = index_by_day(town, territory, start_us, end_us)
    return float(sum(index >= BAD for index in days.values())) if days else None


def _noise(town: Town, territory: str | None, start_us: int, end_us: int, *, night: bool) -> float | None:
    found = []
    for values in values_of(town, "laeq", territory, start_us, end_us):
        levels = [(to_datetime(at).astimezone(PARIS), level) for at, level in values]
        if night:
            figure = noise.leq(level for moment, level in levels if noise.period_of(moment) == "night")
        else:
            figure = noise.lden_of(levels)
        if figure is not None:
            found.append(figure)
    return statistics.median(found) if found else None


def _lden(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    return _noise(town, territory, start_us, end_us, night=False)


def _night_noise(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    return _noise(town, territory, start_us, end_us, night=True)


def _extremes(
    town: Town, territory: str | None, start_us: int, end_us: int
) -> tuple[dict[int, float], dict[int, float]]:
    """Return the lowest and the highest temperature by day, each the median of the stations."""
    series = days_of(town, "temperature", territory, start_us, end_us).values()
    lowest = [{day: cell.low or 0.0 for day, cell in days.items()} for days in series]
    highest = [{day: cell.high or 0.0 for day, cell in days.items()} for days in series]
    return middle_day(lowest), middle_day(highest)


def _highest(means: Mapping[int, float]) -> float | None:
    return max(means.values(), default=None)


def _heat_nights(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    return _highest(heat.three_day_means(_extremes(town, territory, start_us, end_us)[0]))


def _heat_days(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    return _highest(heat.three_day_means(_extremes(town, territory, start_us, end_us)[1]))


def _heat_spells(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    lowest, highest = _extremes(town, territory, start_us, end_us)
    limits = {**heat.DEFAULT, **(town.store.setting(HEAT) or {})}
    return float(len(heat.hot_days(lowest, highest, limits))) if len(lowest) >= heat.SPAN else None


def _slope(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    found = [
        abs(speed)
        for kind in ("crack", "displacement")
        for values in values_of(town, kind, territory, start_us, end_us)
        if (speed := slope.velocity_per_day(values)) is not None
    ]
    return max(found, default=None)


def _rain_hour(town: Town, territory: str | None, start_us: int, end_us: int) -> float | None:
    most = [
        _most_within(values, HOUR_US)
        for values in values_of(town, "rain", territory, start_us, end_us)
        if values
    ]
    return max(most, default=None)


def _most_within(values: Values, span_us: int) -> float:
    """Return the most that adds up within a span, whenever it begins."""
    first, total, most = 0, 0.0, 0.0
    for at, value in values:
        total += value
        while values[first][0] <= at - span_us:
            total -= values[first][1]
            first += 1
        most = max(most, total)
    return most


EXPOSURE = (
    Indicator(
        "air_index", Text("Indice indicatif de l'air, de 1 (bon) à 6", "Indicative air index, from 1 (good) to 6"), "", _index,
        Text("Le pire de cinq sous-indices du dernier jour connu (moyenne du jour des PM2,5 et PM10, heure la plus haute de NO₂, O₃ et SO₂ ; médiane des stations), classes de l'arrêté du 10 juillet 2020 (celles des PM2,5, PM10 et O₃ restent à vérifier). L'indice officiel est celui de l'AASQA.",
             "The worst of five sub-indices of the last known day (day's mean of PM2.5 and PM10, highest hour of NO₂, O₃ and SO₂; median of the stations), classes of the French order of 10 July 2020 (those of PM2.5, PM10 and O₃ are to be checked). The official index is that of the approved network."),
        "lower",
    ),
    Indicator(
        "bad_air_days", Text("Jours d'air mauvais ou pire", "Days of poor air or worse"), "", _bad_days,
        Text("Jours dont l'indice indicatif est 4 (mauvais) ou plus.", "Days whose indicative index is 4 (poor) or more."), "lower",
    ),
    Indicator(
        "lden", Text("Bruit jour-soir-nuit (Lden)", "Day-evening-night noise (Lden)"), "dB(A)", _lden,
        Text("Lden de la période : jour 6-18 h, soir 18-22 h (+5 dB), nuit 22-6 h (+10 dB), médiane des points de mesure. Directive 2002/49/CE.",
             "Lden of the period: day 6-18, evening 18-22 (+5 dB), night 22-6 (+10 dB), median of the measuring points. Directive 2002/49/EC."),
        "lower", 1,
    ),
    Indicator(
        "night_noise", Text("Bruit de nuit (LAeq 22 h-6 h)", "Night noise (LAeq 22:00-06:00)"), "dB(A)", _night_noise,
        Text("Niveau de même énergie sur les nuits de la période, médiane des points de mesure.",
             "Level of equal energy over the nights of the period, median of the measuring points."),
        "lower", 1,
    ),
    Indicator(
        "heat_nights", Text("Nuits les plus chaudes (3 jours)", "Hottest nights (3 days)"), "°C", _heat_nights,
        Text("Plus haute moyenne sur trois jours des températures minimales (médiane des stations).",
             "Highest three-day mean of the lowest temperatures (median of the stations)."),
        "neither", 1,
    ),
    Indicator(
        "heat_days", Text("Jours les plus chauds (3 jours)", "Hottest days (3 days)"), "°C", _heat_days,
        Text("Plus haute moyenne sur trois jours des températures maximales (médiane des stations).",
             "Highest three-day mean of the highest temperatures (median of the stations)."),
        "neither", 1,
    ),
    Indicator(
        "heat_spells", Text("Jours de canicule", "Heatwave days"), "", _heat_spells,
        Text("Jours qui ouvrent trois jours dont la moyenne des minimales et celle des maximales atteignent toutes deux les seuils du département (réglage environment.heat ; à défaut 19 et 34 °C, à vérifier pour votre département).",
             "Days that begin three days whose means of lows and of highs both reach the limits of the département (setting environment.heat; without it 19 and 34 °C, to be checked for your département)."),
        "lower",
    ),
    Indicator(
        "slope_velocity", Text("Pente ou fissure la plus rapide", "Fastest slope or crack"), "mm/j", _slope,
        Text("Plus grande vitesse (pente de Theil et Sen) des séries d'ouverture et de déplacement de la période.",
             "Highest velocity (slope of Theil and Sen) of the opening and displacement series of the period."),
        "lower", 2,
    ),
    Indicator(
        "rain_hour", Text("Pluie de l'heure la plus forte", "Heaviest hour of rain"), "mm", _rain_hour,
        Text("Plus grand cumul en une heure, au pluviomètre qui en a le plus reçu.", "Highest total within an hour, at the gauge that had most."),
        "neither", 1,
    ),
)  # fmt: skip
