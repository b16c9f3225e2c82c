"""Delivery points, and the series that each has: one for each quantity and state."""

import re
from typing import Any

from sqlalchemy import select

from beffroi.intake.identify import Entrance, identify
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.reading import Series, Station
from beffroi.store.record import Query, Row
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = [
    "QUANTITIES",
    "fluid_of_number",
    "known_series",
    "number_doubt",
    "point_by_number",
    "points_of",
    "series_id",
    "unit_of",
]

_PRM, _PCE = re.compile(r"\d{14}\Z", re.ASCII), re.compile(r"(GI\d{6}|\d{14})\Z", re.ASCII)
# quantity -> kind of datastream for energy, for water, and its words
QUANTITIES: dict[str, tuple[str, str, Text]] = {
    "curve": ("delivered_energy", "delivered_water", Text("Courbe", "Curve")),
    "day": ("delivered_energy", "delivered_water", Text("Relève", "Readings")),
    "index": ("meter_index", "water_index", Text("Index", "Index")),
    "billed": ("delivered_energy", "delivered_water", Text("Facturé par le réseau", "Billed by the network")),
    "power": ("highest_power", "highest_power", Text("Puissance maximale", "Highest power")),
}
# what a series of each state is called, with its station: the catalogue says it in English
_STATES = {
    "raw": "{quantity} brute, {code}, {station}",
    "corrected": "{quantity} corrigée, {code}, {station}",
    "estimated": "{quantity} estimée, {code}, {station}",
}
_STATION = "Point de livraison {code}"


def unit_of(point: Row) -> str:
    """Return the unit in which a point's use is counted."""
    return "m³" if point.values["fluid"] == "water" else "kWh"


def fluid_of_number(number: str) -> str:
    """Return the fluid whose points are numbered so: gas for GI and 6 digits, electricity for 14 digits, else water."""
    return "electricity" if _PRM.match(number) else "gas" if _PCE.match(number) else "water"


def number_doubt(point: Row) -> Text | None:
    """Return what is wrong with the number of an electricity or gas point, whose digits are counted; None: nothing."""
    code, fluid = point.values["code"], point.values["fluid"]
    if fluid == "electricity" and not _PRM.match(code):
        return Text(f"Un PRM a 14 chiffres, celui-ci a {len(code)} caractères : ses flux n'arriveront pas ici",
                    f"A PRM has 14 digits, this one has {len(code)} characters: its flows will not come here")  # fmt: skip
    if fluid == "gas" and not _PCE.match(code):
        return Text(f"Un PCE a 14 chiffres, ou GI et 6 chiffres ; celui-ci a {len(code)} caractères",
                    f"A PCE has 14 digits, or GI and 6 digits; this one has {len(code)} characters")  # fmt: skip
    return None


def points_of(town: Town, territories: tuple[str, ...] | None = None, **where: Any) -> list[Row]:
    """Return delivery points, by number."""
    return list(
        town.store.records.all("delivery_point", Query(where=where, territories=territories, sort="code"))
    )


def point_by_number(town: Town, number: str) -> Row | None:
    """Return the point that has a number, wherever it is."""
    return next(
        iter(town.store.records.find("delivery_point", Query(where={"code": number}, limit=1)).rows), None
    )


def series_id(town: Town, point: Row, quantity: str, state: str = "raw") -> int:
    """Return the datastream of a point's quantity in a state, made at first need. Raises `Problem`."""
    if quantity not in QUANTITIES:
        raise Problem(Text(f"Grandeur inconnue : {quantity}", f"Unknown quantity: {quantity}"))
    energy, water, words = QUANTITIES[quantity]
    code = point.values["code"]
    station = Station(f"delivery_point/{code}", _STATION.format(code=code))
    name = _STATES[state].removesuffix(", {station}").format(quantity=words.fr, code=code)
    series = Series(
        _key(code, quantity, state), water if point.values["fluid"] == "water" else energy, station,
        name=name, method="Relevé du gestionnaire de réseau",
    )  # fmt: skip
    found = identify(
        town.store, town.registry.datastream_kind, [series], numeric=lambda _: True, door=Entrance(territory=point.territory),
        service_of=town.registry.service_of,
    )  # fmt: skip
    return found[series.key].id


def known_series(town: Town, point: Row) -> dict[tuple[str, str], int]:
    """Return the datastreams that a point has, by quantity and state."""
    before = f"energy/{point.values['code']}/"
    wanted = {_key(point.values["code"], q, s): (q, s) for q in QUANTITIES for s in _STATES}
    with town.store.read() as c:
        rows = c.execute(select(datastream.c.key, datastream.c.id).where(datastream.c.key.in_(wanted))).all()
    return {wanted[key]: int(number) for key, number in rows if key.startswith(before)}


def _key(code: str, quantity: str, state: str) -> str:
    return f"energy/{code}/{quantity}/{state}"
