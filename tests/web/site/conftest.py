"""A small town with a river gauge, a private meter and some hours of values."""

from collections.abc import Callable
from typing import Any

import pytest

from beffroi.model.instant import HOUR_US, MINUTE_US
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.store.catalogue import Link, New, create
from beffroi.town import Town

Post = Callable[..., tuple[int, int]]


@pytest.fixture
def post(town: Town) -> Post:
    """Give what makes a thing with one series; returns their ids."""

    def make(
        name: str, unit: str = "cm", *, public: bool = True, approved: bool = True,
        place: tuple[float, float] = (2.37, 47.05), every_us: int | None = 10 * MINUTE_US, **more: Any,
    ) -> tuple[int, int]:  # fmt: skip
        series = New(
            "datastream",
            {"name": f"Niveau, {name}", "description": "Niveau de l'eau", "observation_type": "OM_Measurement",
             "unit_symbol": unit, "expected_interval_us": every_us, "public": int(public)},
            belongs={
                "sensor_id": New("sensor", {"name": "radar", "description": "radar", "encoding_type": "text/html", "metadata": '"x"'}),
                "observed_property_id": New("observed_property", {"name": "Niveau", "definition": "urn:n", "description": "n"}),
            },
        )  # fmt: skip
        lon, lat = place
        where = New(
            "location",
            {"name": "Pont", "description": "Pont", "encoding_type": "application/geo+json",
             "location": f'{{"type":"Point","coordinates":[{lon},{lat}]}}'},
        )  # fmt: skip
        values = {
            "name": name,
            "description": "Une sonde",
            "public": int(public),
            "approved": int(approved),
            **more,
        }
        thing = New(
            "thing",
            values,
            has=[("thing_id", series)],
            linked=[(Link("thing_location", "thing_id", "location_id"), where)],
        )
        with town.store.write() as connection:
            thing_id = create(town.store, connection, thing).id
        from sqlalchemy import select

        from beffroi.store.tables import datastream

        with town.store.read() as connection:
            series_id = connection.execute(
                select(datastream.c.id).where(datastream.c.thing_id == thing_id)
            ).scalar_one()
        return thing_id, series_id

    return make


@pytest.fixture
def fill(town: Town) -> Callable[[int, list[str]], list[int]]:
    """Give what stores values an hour apart, the last one a minute old (or `ago_us`)."""

    def store(series_id: int, values: list[str], *, ago_us: int = MINUTE_US, quality: int = 0) -> list[int]:
        last = town.clock() - ago_us
        start = last - (len(values) - 1) * HOUR_US
        drafts = [
            Draft(series_id, start + i * HOUR_US, number_of(v), quality=quality) for i, v in enumerate(values)
        ]
        return [i for i in town.store.observations.append(drafts).ids if i is not None]

    return store
