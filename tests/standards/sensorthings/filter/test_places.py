"""Geometries in `$filter`: the twelve behaviours that FROST's tests have."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import MEASUREMENT, PROPERTY, SENSOR, UNIT, ids, made

SHAPES: list[dict[str, Any]] = [
    {"type": "Point", "coordinates": [8, 51]}, {"type": "Point", "coordinates": [8, 52]}, {"type": "Point", "coordinates": [8, 53]},
    {"type": "Point", "coordinates": [8, 54]}, {"type": "Polygon", "coordinates": [[[8, 53], [7, 52], [7, 53], [8, 53]]]},
    {"type": "LineString", "coordinates": [[5, 52], [5, 53]]}, {"type": "LineString", "coordinates": [[5, 52], [6, 53]]},
    {"type": "LineString", "coordinates": [[4, 52], [8, 52]]},
]  # fmt: skip
BOX = "geography'POLYGON((7.5 51.5, 7.5 53.5, 8.5 53.5, 8.5 51.5, 7.5 51.5))'"
LINE, ALONG = "geography'LINESTRING(7.5 51, 7.5 54)'", "geography'LINESTRING(7.5 51.5, 7.5 53.5)'"


@pytest.fixture(scope="module")
def sta(bare: TestClient) -> TestClient:
    """Fill the town: a Location and a feature of each shape, three series, an observation at each of the first features."""
    for n in range(3):
        made(bare.post("Things", json={"name": f"Thing {n}", "description": "x"}))
    sensor, seen = (
        made(bare.post("Sensors", json=SENSOR)),
        made(bare.post("ObservedProperties", json=PROPERTY)),
    )
    areas: list[Any] = [{"type": "LineString", "coordinates": [[8, 51], [8, 52]]}, SHAPES[2], SHAPES[3]]
    for n, area in enumerate(areas):
        body = {"name": f"D {n}", "description": "x", "observationType": MEASUREMENT, "unitOfMeasurement": UNIT, "observedArea": area,
                "Thing": {"@iot.id": n + 1}, "Sensor": {"@iot.id": sensor}, "ObservedProperty": {"@iot.id": seen}}  # fmt: skip
        made(bare.post("Datastreams", json=body))
    for n, shape in enumerate(SHAPES):
        common = {"name": f"place {n}", "description": "x", "encodingType": "application/geo+json"}
        made(
            bare.post(
                "Locations", json={**common, "encodingType": "application/vnd.geo+json", "location": shape}
            )
        )
        made(bare.post("FeaturesOfInterest", json={**common, "feature": shape}))
    for n, series in enumerate([1, 1, 2, 3]):
        body = {"result": n, "Datastream": {"@iot.id": series}, "FeatureOfInterest": {"@iot.id": n + 1}}
        made(bare.post("Observations", json=body))
    return bare


BOTH: dict[str, list[tuple[str, list[int]]]] = {  # of Locations, and alike of FeaturesOfInterest; {} is the shape
    "geo.distance": [("geo.distance({}, geography'POINT(8 54.1)') lt 1", [3]), ("geo.distance({}, geography'POINT(8 54.1)') gt 1", [0, 1, 2, 4, 5, 6, 7])],
    "geo.intersects": [(f"geo.intersects({{}}, {LINE})", [4, 7])],
    "geo.length": [
        ("geo.length({}) gt 1", [6, 7]), ("geo.length({}) eq 1", [5]), ("geo.length({}) lt 4", [0, 1, 2, 3, 4, 5, 6]),
        ("geo.length({}) ge 4", [7]), ("geo.length({}) ne 1", [0, 1, 2, 3, 4, 6, 7]), ("geo.length({}) le 4", [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
    "st_contains": [(f"st_contains({BOX}, {{}})", [1, 2])], "st_crosses": [(f"st_crosses({ALONG}, {{}})", [4, 7])],
    "st_disjoint": [(f"st_disjoint({BOX}, {{}})", [0, 3, 5, 6])], "st_equals": [("st_equals({}, geography'POINT(8 53)')", [2])],
    "st_intersects": [(f"st_intersects({{}}, {LINE})", [4, 7])], "st_overlaps": [(f"st_overlaps({BOX}, {{}})", [4])],
    "st_relate": [(f"st_relate({BOX}, {{}}, 'T********')", [1, 2, 4, 7])],
    "st_touches": [("st_touches(geography'POLYGON((8 53, 7.5 54.5, 8.5 54.5, 8 53))', {})", [2, 4])],
    "st_within": [("st_within(geography'POINT(7.5 52.75)', {})", [4])],
}  # fmt: skip


@pytest.mark.parametrize("function", BOTH)
def test_a_place_is_selected_by(sta: TestClient, function: str) -> None:
    for text, places in BOTH[function]:
        for address, field in (("Locations", "location"), ("FeaturesOfInterest", "feature")):
            found = ids(sta, f"{address}?$select=id&$filter={text.format(field)}")
            assert [one - 1 for one in found] == places, text


def test_observations_and_series_are_selected_by_place(sta: TestClient) -> None:
    def found(address: str, text: str) -> list[int]:
        return [one - 1 for one in ids(sta, f"{address}?$select=id&$filter={text}")]

    assert found(
        "Observations", "geo.distance(FeatureOfInterest/feature, geography'POINT(8 54.1)') lt 1"
    ) == [3]
    assert found(
        "Observations", "geo.distance(FeatureOfInterest/feature, geography'POINT(8 54.1)') gt 1"
    ) == [0, 1, 2]
    assert found("Observations", f"st_contains({BOX}, FeatureOfInterest/feature)") == [1, 2]
    assert found("Datastreams", f"geo.intersects(observedArea, {BOX})") == [0, 1]
    assert found("Datastreams", f"st_contains({BOX}, observedArea)") == [1]
    assert found("Things", f"st_within(Datastreams/observedArea, {BOX})") == [1]
