"""Figures of waste collection, from what the containers' sensors told."""

from collections.abc import Iterator
from statistics import fmean
from typing import Any

from sqlalchemy import or_, select

from beffroi.model.declaration import Indicator
from beffroi.model.instant import DAY_US
from beffroi.model.text import Text
from beffroi.services.waste.fill import emptied
from beffroi.store.good import good_values
from beffroi.store.record import Query
from beffroi.store.tables import datastream, thing

__all__ = ["INDICATORS", "collections_between"]

_AWAY = ("planned", "removed")
FULL = 0.95  # the sensor sees the top of the heap, not its last corner
_LEAST_DAYS = 1.0


def _curves(
    town: Any, territory: str | None, start_us: int, end_us: int
) -> Iterator[list[tuple[float, float]]]:
    """Yield the readings of each container's sensor: seconds since 1970, share full."""
    wanted = select(datastream.c.id).join(thing, thing.c.id == datastream.c.thing_id)
    wanted = wanted.where(thing.c.collection == "bin", datastream.c.kind == "fill_level")
    if territory is not None:
        wanted = wanted.where(or_(thing.c.territory == territory, thing.c.territory.is_(None)))
    with town.store.read() as c:
        series = list(c.execute(wanted).scalars())
    for number in series:
        readings = [
            (at / 1e6, value / 100)
            for at, value in good_values(town.store.observations, number, start_us, end_us)
        ]
        if readings:
            yield readings


def collections_between(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return how many collections the sensors saw; None when none spoke."""
    seen = [len(emptied(readings)) for readings in _curves(town, territory, start_us, end_us)]
    return float(sum(seen)) if seen else None


def _fill_at_collection(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return how full containers are when they are collected, in %."""
    levels = [
        level for readings in _curves(town, territory, start_us, end_us) for _, level in emptied(readings)
    ]
    return 100 * fmean(levels) if levels else None


def _full_share(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return the share of the readings that find a container full, in %."""
    levels = [level for readings in _curves(town, territory, start_us, end_us) for _, level in readings]
    return 100 * sum(level >= FULL for level in levels) / len(levels) if levels else None


def _weekly(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return how many times a week a container with a sensor is collected, in the mean."""
    rates = []
    for readings in _curves(town, territory, start_us, end_us):
        days = (readings[-1][0] - readings[0][0]) / 86_400
        if days >= _LEAST_DAYS:
            rates.append(7 * len(emptied(readings)) / days)
    return fmean(rates) if rates else None


def _heard(town: Any, territory: str | None, _start_us: int, end_us: int) -> float | None:
    """Return the share of the containers in service whose sensor spoke in the last two days, in %."""
    if "bin" not in town.store.records.collections:
        return None
    tally = town.store.records.tally(
        "bin", "state", Query(territories=None if territory is None else (territory,))
    )
    total = sum(count for state, count in tally.items() if state not in _AWAY)
    heard = sum(1 for _ in _curves(town, territory, end_us - 2 * DAY_US, end_us))
    return 100 * heard / total if total else None


INDICATORS = (
    Indicator(
        "waste_fill_at_collection", Text("Remplissage à la collecte", "Fill at collection"), "%", _fill_at_collection,
        Text("Dernier niveau connu avant chaque chute de plus de 15 points : une collecte.",
             "Last known level before each fall of more than 15 points: a collection."),
        better="higher",
    ),
    Indicator(
        "waste_full", Text("Conteneurs trouvés pleins", "Containers found full"), "%", _full_share,
        Text("Part des relevés à 95 % et plus.", "Share of the readings at 95 % or more."), better="lower", decimals=1,
    ),
    Indicator(
        "waste_collections", Text("Collectes d'un conteneur par semaine", "Collections of a container a week"), "", _weekly,
        Text("Chutes de plus de 15 points vues par les sondes, par conteneur et par semaine.",
             "Falls of more than 15 points seen by the sensors, a container and a week."),
        decimals=2,
    ),
    Indicator(
        "waste_heard", Text("Conteneurs dont la sonde parle", "Containers whose sensor speaks"), "%", _heard,
        Text("Conteneurs en service dont la sonde a parlé depuis deux jours.", "Containers in service whose sensor spoke in the last two days."),
        better="higher",
    ),
)  # fmt: skip
