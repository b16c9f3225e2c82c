"""Figures of the lighting service: what cabinets used by their own curves, what the stock should use, what is wrong."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import or_, select

from beffroi.model.declaration import Indicator
from beffroi.model.instant import DAY_US, to_datetime
from beffroi.model.text import Text
from beffroi.services.lighting.energy import hours_of
from beffroi.services.lighting.plans import Plans
from beffroi.services.lighting.schedule import cut_program
from beffroi.services.lighting.stock import arrays_of, lamps_of
from beffroi.store.good import good_cells
from beffroi.store.record import Query, Where
from beffroi.store.tables import datastream, thing

__all__ = ["INDICATORS"]

_WHOLE = 0.8  # share of the values that a cabinet must have sent


def _curves(town: Any, territory: str | None) -> list[tuple[int, float, int]]:
    """Return the load curves of cabinets: datastream, watts of its unit, its step in microseconds."""
    wanted = select(datastream.c.id, datastream.c.unit_symbol, datastream.c.expected_interval_us).join(
        thing, thing.c.id == datastream.c.thing_id
    )
    wanted = wanted.where(
        thing.c.collection == "cabinet",
        datastream.c.kind == "active_power",
        datastream.c.expected_interval_us > 0,
    )
    if territory is not None:
        wanted = wanted.where(or_(thing.c.territory == territory, thing.c.territory.is_(None)))
    with town.store.read() as c:
        return [(n, 1000.0 if unit == "kW" else 1.0, step) for n, unit, step in c.execute(wanted)]


def _means(town: Any, territory: str | None, start_us: int, end_us: int) -> Iterator[float]:
    """Yield the mean load (W) of each cabinet whose curve is whole enough."""
    curves = {number: (scale, step) for number, scale, step in _curves(town, territory)}
    found = good_cells(town.store.observations, curves, start_us, end_us)
    for number, cells in found.items():
        scale, step = curves[number]
        if cells and cells[0].numbers >= _WHOLE * (end_us - start_us) / step:
            yield scale * cells[0].mean


def _kwh_a_day(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return the energy of the cabinets whose curve is known, kWh a day."""
    means = list(_means(town, territory, start_us, end_us))
    return sum(means) * 24 / 1000 if means else None


def _kwh_expected(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return the energy that all lamps would use if they burned from sunset to sunrise in the period, kWh a day."""
    if "lamp" not in town.store.records.collections:
        return None
    stock, _ = arrays_of(lamps_of(town, None if territory is None else (territory,)))
    if not len(stock):
        return None
    first, count = to_datetime(start_us).date(), max(1, (end_us - start_us) // DAY_US)
    _, full = hours_of(stock, cut_program(None), first, count, town.settings.time_zone)
    return float((stock.watts * (1 + stock.loss) * full).sum()) / 1000 / count


def _cut_share(town: Any, territory: str | None, _start_us: int, end_us: int) -> float | None:
    """Return the share of the lamps' power that is put out in the middle of the night, in %: what the calendars say."""
    if "cabinet" not in town.store.records.collections:
        return None
    watts: dict[int | None, float] = {}
    territories = None if territory is None else (territory,)
    for lamp in lamps_of(town, territories):
        number = lamp.values["cabinet"]
        watts[number] = watts.get(number, 0.0) + (lamp.values["power_w"] or 0.0)
    total = sum(watts.values())
    tonight, plans = to_datetime(end_us).date(), Plans(town)
    cut = sum(
        watts.get(row.id, 0.0)
        for row in town.store.records.all("cabinet", Query(territories=territories))
        if any(not step.level for step in plans.of(row).of_nights(tonight, 1)[0].steps)
    )
    return 100 * cut / total if total else None


def _anomalies(town: Any, territory: str | None, _start_us: int, end_us: int) -> float | None:
    """Return how many anomalies were under way when the period ended."""
    territories = None if territory is None else (territory,)
    begun = {"since": Where("<", end_us)}
    still = Query(where=begun | {"state": "open"}, territories=territories)
    over = Query(where=begun | {"state": "over", "ended": Where(">=", end_us)}, territories=territories)
    return float(
        town.store.records.count("lighting_finding", still)
        + town.store.records.count("lighting_finding", over)
    )


def _orders(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return how many overrides were asked in the period."""
    where = Query(
        where={"asked": (Where(">=", start_us), Where("<", end_us))}, territories=None if territory is None else (territory,)
    )  # fmt: skip
    return float(town.store.records.count("lighting_order", where))


INDICATORS = (
    Indicator(
        "lighting_kwh_a_day", Text("Énergie mesurée de l'éclairage", "Measured energy of lighting"), "kWh/j", _kwh_a_day,
        Text("Moyenne des courbes des armoires dont 4 valeurs sur 5 sont arrivées, par jour.", "Mean of the curves of cabinets with 4 values in 5, a day."),
        better="lower",
    ),
    Indicator(
        "lighting_kwh_all_night", Text("Énergie sans coupure ni gradation", "Energy without cut or dimming"), "kWh/j", _kwh_expected,
        Text("Puissance et perte d'appareillage (à vérifier) de chaque point, du coucher au lever du soleil, sur la même période.",
             "Power and gear loss (to be checked) of each point, from sunset to sunrise, over the same period."),
        better="lower",
    ),
    Indicator(
        "lighting_cut", Text("Éclairage éteint au cœur de la nuit", "Lighting put out in the middle of the night"), "%", _cut_share,
        Text("Puissance des points dont l'armoire s'éteint avant le matin, sur celle de tous ; d'après les calendriers.",
             "Power of the points whose cabinet goes out before the morning, over that of all; as the calendars say."),
        better="higher",
    ),
    Indicator(
        "lighting_anomalies", Text("Anomalies des armoires", "Anomalies of cabinets"), "", _anomalies,
        Text("Lampes mortes, allumées de jour, contacteurs collés, horloges : en cours à la fin de la période.", "Dead lamps, day burners, stuck contactors, clocks: under way at the end of the period."),
        better="lower",
    ),
    Indicator(
        "lighting_orders", Text("Forçages demandés", "Overrides asked"), "", _orders,
        Text("Ordres de groupe demandés dans la période.", "Orders to groups asked in the period."), better="neither", read="agent",
    ),
)  # fmt: skip
