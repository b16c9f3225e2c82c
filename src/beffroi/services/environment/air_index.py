"""An « indice indicatif » of the air: the worst of five sub-indices, each of one day. Pure.

Only the approved network of the region (AASQA) computes the index that bears the name "ATMO", over a whole group of communes
(arrêté of 10 July 2020): this one is of the town's own sensors, and is never called so.

Particles count by the mean of their day, gases by its highest hour. The classes change: they are data with dates.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from beffroi.model.text import Text

__all__ = [
    "CLASSES", "GASES", "NAMES", "POLLUTANTS", "Classes", "classes_on", "daily_index", "sub_index", "to_ppb", "to_ug_m3",
]  # fmt: skip

POLLUTANTS = ("pm25", "pm10", "no2", "o3", "so2")
PARTICLES = ("pm25", "pm10")
NAMES = (
    Text("Bon", "Good"), Text("Moyen", "Fair"), Text("Dégradé", "Moderate"), Text("Mauvais", "Poor"),
    Text("Très mauvais", "Very poor"), Text("Extrêmement mauvais", "Extremely poor"),
)  # fmt: skip
_WHOLE = 18  # hours of a day that a day's figure needs: three in four (Directive 2024/2881, annex V)
# Molar masses, g/mol; concentrations are given at 20 °C and 101.3 kPa (Directive 2024/2881, annex VI, section B).
_MOLAR = {"no2": 46.0055, "o3": 47.9982, "so2": 64.064, "no": 30.0061, "co": 28.0101}
GASES = tuple(_MOLAR)
_GAS = 8.314462618


class Classes(msgspec.Struct, frozen=True):
    """The upper bounds (µg/m³) of classes 1 to 5 of each pollutant, from one day until another; above them is class 6.
    `read`: the pollutants whose table was read in the text itself; the others are to be checked."""

    since: date
    until: date | None
    source: Text
    bounds: Mapping[str, tuple[float, float, float, float, float]]
    read: frozenset[str] = frozenset()


CLASSES = (
    Classes(
        date(2021, 1, 1), None,
        Text("Arrêté du 10 juillet 2020 (NOR TRER2017892A), annexe I", "French order of 10 July 2020 (NOR TRER2017892A), annex I"),
        {"pm25": (10, 20, 25, 50, 75), "pm10": (20, 40, 50, 100, 150), "no2": (40, 90, 120, 230, 340),
         "o3": (50, 100, 130, 240, 380), "so2": (100, 200, 350, 500, 750)},
        frozenset({"no2", "so2"}),
    ),
)  # fmt: skip


def classes_on(day: date) -> Classes:
    """Return the classes in force on a day; before the first, the first: what is judged is the air, not the law of then."""
    return next(
        (c for c in reversed(CLASSES) if c.since <= day and (c.until is None or day < c.until)), CLASSES[0]
    )


def to_ug_m3(pollutant: str, ppb: float, celsius: float = 20.0, hectopascal: float = 1013.0) -> float:
    """Return a concentration of a gas in µg/m³ from parts per billion. Raises `KeyError` for what is no gas."""
    return ppb * _MOLAR[pollutant] / _molar_litres(celsius, hectopascal)


def to_ppb(pollutant: str, ug_m3: float, celsius: float = 20.0, hectopascal: float = 1013.0) -> float:
    """Return a concentration of a gas in parts per billion from µg/m³. Raises `KeyError` for what is no gas."""
    return ug_m3 / _MOLAR[pollutant] * _molar_litres(celsius, hectopascal)


def _molar_litres(celsius: float, hectopascal: float) -> float:
    """Return what one mole of a gas takes up, in litres."""
    return 1000.0 * _GAS * (celsius + 273.15) / (hectopascal * 100.0)


def sub_index(pollutant: str, value: float, classes: Classes) -> int:
    """Return the class of one pollutant's figure of a day, 1 (good) to 6 (extremely poor): an upper bound is in its class."""
    return 1 + sum(value > bound for bound in classes.bounds[pollutant])


def figure(pollutant: str, hours: Sequence[float]) -> float | None:
    """Return a day's figure: the mean for particles, the highest hour for gases; None without three hours in four."""
    if len(hours) < _WHOLE:
        return None
    return sum(hours) / len(hours) if pollutant in PARTICLES else max(hours)


def daily_index(day: date, hours: Mapping[str, Sequence[float]], needed: Iterable[str] = ()) -> int | None:
    """Return the index of a day from the hourly means (µg/m³) of each pollutant; None when none has enough of them, or one
    that is `needed` has not."""
    classes = classes_on(day)
    figures = {p: figure(p, hours.get(p, ())) for p in POLLUTANTS}
    if any(figures[p] is None for p in needed):
        return None
    known = [sub_index(p, value, classes) for p, value in figures.items() if value is not None]
    return max(known, default=None)
