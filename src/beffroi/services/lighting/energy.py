"""Energy, cost and carbon of a lighting stock under any program, and the business case of a change to LED.

`E = P·(1+κ)·Σ level·hours/1000` kWh, κ the loss of the gear. What-if is a product of arrays: hours are computed once for
each cell of 0.05° (in France about 4 × 5 km, 15 s of sun) and each program, never for each point.
"""

from collections.abc import Sequence
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.lighting.calendars import Plan, plan_nights
from beffroi.services.lighting.schedule import PARIS, Program, odd_nights

__all__ = ["CO2_FACTORS", "GEAR_LOSS", "Change", "Factor", "LedCase", "OddNight", "Stock", "WhatIf", "hours_of", "led_case", "led_interval", "odd_hours", "require_points", "what_if"]  # fmt: skip

_CELL = 0.05  # degrees
# Loss of the gear by source: orders of magnitude remembered, not read in a source: « à vérifier » on each page.
GEAR_LOSS = {"shp": 0.12, "im": 0.12, "bf": 0.10, "sbp": 0.15, "fluo": 0.10, "led": 0.05}
_OTHER_LOSS = 0.10
Floats = NDArray[np.float64]


class Factor(msgspec.Struct, frozen=True):
    """A dated emission factor, kg CO₂e a kWh, and where it comes from."""

    name: str
    kg_kwh: float
    year: int
    source: Text


CO2_FACTORS = (
    Factor(
        "lighting", 0.082, 2017,
        Text("SDES, usage éclairage, vers 2017 : à vérifier, l'électricité d'aujourd'hui est plus sobre",
             "SDES, lighting use, about 2017: to be checked, today's electricity emits less"),
    ),
)  # fmt: skip


class Stock(msgspec.Struct, frozen=True, eq=False):
    """Light points as arrays: longitude and latitude (degrees), power of the luminaire (W), loss of its gear (share)."""

    longitude: Floats
    latitude: Floats
    watts: Floats
    loss: Floats

    def __len__(self) -> int:
        return len(self.watts)


class WhatIf(msgspec.Struct, frozen=True):
    """A year of a stock under one program."""

    points: int
    lit_hours: float  # a point's mean
    full_hours: float  # weighted by the level
    kwh: float
    euros: float
    kg_co2: float


def losses_of(sources: Sequence[str | None]) -> Floats:
    """Return the loss of the gear of each source."""
    return np.array([GEAR_LOSS.get(source or "", _OTHER_LOSS) for source in sources])


def hours_of(
    stock: Stock, program: Plan | Program, first: date, count: int, zone: str = PARIS
) -> tuple[Floats, Floats]:
    """Return the hours lit of each point over `count` nights from `first` on, and those at full power that they are worth."""
    keys = np.round(stock.longitude / _CELL) * 10_000 + np.round(stock.latitude / _CELL)
    _, places, cell = np.unique(keys, return_index=True, return_inverse=True)
    nights = plan_nights(program, stock.longitude[places], stock.latitude[places], first, count, zone)
    return nights.lit.sum(1)[cell], nights.full.sum(1)[cell]


def require_points(count: int) -> None:
    """Raise `Problem` when there is no light point to reckon with."""
    if not count:
        raise Problem(
            Text("Il n'y a aucun point lumineux.", "There is no light point."),
            Text("Importez d'abord le patrimoine.", "Import the stock first."),
        )


def what_if(
    stock: Stock, program: Plan | Program, year: int, *, euros_kwh: float, kg_kwh: float = CO2_FACTORS[0].kg_kwh, zone: str = PARIS
) -> WhatIf:  # fmt: skip
    """Return energy, cost and carbon of the year's nights. Raises `Problem` when there is no point or a power is wrong."""
    require_points(len(stock))
    wrong = np.flatnonzero(~(stock.watts >= 0))
    if len(wrong):
        raise Problem(
            Text("Une puissance est négative ou inconnue.", "A power is negative or unknown."),
            Text("Corrigez-la : elle est en watts.", "Mend it: it is in watts."), place=f"point {wrong[0] + 1}",
        )  # fmt: skip
    days = 366 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 365
    lit, full = hours_of(stock, program, date(year, 1, 1), days, zone)
    kwh = float((stock.watts * (1 + stock.loss) * full).sum() / 1000)
    return WhatIf(len(stock), float(lit.mean()), float(full.mean()), kwh, kwh * euros_kwh, kwh * kg_kwh)


class OddNight(msgspec.Struct, frozen=True):
    """A night on which the clocks change: the day it begins, its hours from noon to noon, and a point's mean hours lit
    and at full power."""

    day: date
    hours: int
    lit: float
    full: float


def odd_hours(stock: Stock, program: Plan | Program, year: int, zone: str = PARIS) -> list[OddNight]:
    """Return the nights of 23 and 25 hours of a year."""
    found = []
    for day, hours in odd_nights(year, zone):
        lit, full = hours_of(stock, program, day, 1, zone)
        found.append(OddNight(day, hours, float(lit.mean()), float(full.mean())))
    return found


class Change(msgspec.Struct, frozen=True):
    """A change of luminaires: what is replaced (0) by what (1). Rates and shares are fractions.

    `dimmed` is the mean share of power spared by dimming, `cut` the share of hours switched off; `degradation` is how
    much of the saving is lost each year, `price_rise` how much a kWh costs more each year.
    """

    points: int
    watts0: float
    watts1: float
    loss0: float = 0.12
    loss1: float = 0.05
    hours: float = 4100.0
    dimmed: float = 0.0
    cut: float = 0.0
    euros_kwh: float = 0.20
    euros_point: float = 650.0
    upkeep0: float = 18.0
    upkeep1: float = 8.0
    rate: float = 0.03
    years: int = 20
    degradation: float = 0.0
    price_rise: float = 0.0


class LedCase(msgspec.Struct, frozen=True):
    """Energy before and after (kWh a year), what is saved in the first year (€), payback (years), net present value (€)."""

    kwh0: float
    kwh1: float
    saved_percent: float
    euros_a_year: float
    payback_years: float | None
    npv: float


def led_case(change: Change) -> LedCase:
    """Return the case. Raises `Problem` on a number that has no meaning."""
    for name in ("points", "watts0", "watts1", "hours", "euros_kwh", "euros_point", "years"):
        if getattr(change, name) < 0 or (name in ("points", "years", "hours") and not getattr(change, name)):
            raise Problem(
                Text("Ce nombre doit être positif.", "This number must be positive."),
                Text("Corrigez-le.", "Mend it."), place=name,
            )  # fmt: skip
    for name in ("dimmed", "cut"):
        if not 0 <= getattr(change, name) <= 1:
            raise Problem(
                Text("Cette part va de 0 à 1.", "This share is from 0 to 1."), Text("Corrigez-la.", "Mend it."), place=name
            )  # fmt: skip
    kwh0 = change.points * change.watts0 * (1 + change.loss0) * change.hours / 1000
    full = change.points * change.watts1 * (1 + change.loss1) * change.hours / 1000
    kwh1 = full * (1 - change.dimmed) * (1 - change.cut)
    upkeep = change.points * (change.upkeep0 - change.upkeep1)
    cost = change.points * change.euros_point
    saved = (kwh0 - kwh1) * change.euros_kwh + upkeep
    flows = [
        (kwh0 - kwh1) * (1 - change.degradation) ** n * change.euros_kwh * (1 + change.price_rise) ** n
        + upkeep
        for n in range(change.years)
    ]
    npv = sum(flow / (1 + change.rate) ** n for n, flow in enumerate(flows, 1)) - cost
    percent = 100 * (kwh0 - kwh1) / kwh0 if kwh0 else 0.0
    return LedCase(kwh0, kwh1, percent, saved, cost / saved if saved > 0 else None, npv)


# What is not known well when a case is made: half-widths of triangular laws, relative to the value.
_DOUBT = {"watts0": 0.05, "loss0": 0.3, "loss1": 0.3, "hours": 0.05, "euros_kwh": 0.3, "euros_point": 0.15, "upkeep0": 0.3, "upkeep1": 0.3}  # fmt: skip


def led_interval(
    change: Change, draws: int = 2000, seed: int = 1
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the 90 % intervals of the payback (years) and of the net present value (€), the seed fixed."""
    chance = np.random.default_rng(seed)
    shares = {name: chance.triangular(1 - half, 1, 1 + half, draws) for name, half in _DOUBT.items()}
    cases = [
        led_case(
            msgspec.structs.replace(
                change, **{n: getattr(change, n) * float(s[i]) for n, s in shares.items()}
            )
        )
        for i in range(draws)
    ]
    payback = np.quantile(
        [c.payback_years if c.payback_years is not None else np.inf for c in cases], (0.05, 0.95)
    )
    npv = np.quantile([c.npv for c in cases], (0.05, 0.95))
    return (float(payback[0]), float(payback[1])), (float(npv[0]), float(npv[1]))
