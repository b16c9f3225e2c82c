"""What clients of others ask, as they write it: QGIS's native provider, browsers, aio-sensorthings and the like."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import LOCATION, ROOT, made, series_of, station

SHAPES: list[Any] = [
    {"type": "Point", "coordinates": [2, 48]}, {"type": "Point", "coordinates": [3, 48]}, {"type": "MultiPoint", "coordinates": [[2, 48], [3, 47]]},
    {"type": "LineString", "coordinates": [[2, 48], [3, 47]]}, {"type": "Polygon", "coordinates": [[[2, 48], [3, 48], [3, 49], [2, 48]]]},
    {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2, 47]}, "properties": {}},
]  # fmt: skip
BOX = "geo.intersects(location, geography'Polygon ((1.5 47.5, 2.5 47.5, 2.5 48.5, 1.5 48.5, 1.5 47.5))')"


def of_type(*names: str) -> str:
    """Return QGIS's filter of a layer's type of geometry."""
    return " or ".join(f"location/type eq '{n}' or location/geometry/type eq '{n}'" for n in names)


@pytest.fixture
def qgis(sta: TestClient) -> TestClient:
    for n, shape in enumerate(SHAPES):
        place = {**LOCATION, "name": f"lieu {n}", "location": shape}
        thing = made(sta.post("Things", json=station(name=f"Thing {n}", Locations=[place])))
        made(sta.post(f"Datastreams({series_of(sta, thing)})/Observations", json={"result": n}))
    return sta


def test_qgis_counts_each_type_of_geometry(qgis: TestClient) -> None:
    for names, count in (
        (("Point",), 3),
        (("MultiPoint",), 1),
        (("LineString", "MultiLineString"), 1),
        (("Polygon", "MultiPolygon"), 1),
    ):
        answer = qgis.get(f"Locations?$top=0&$count=true&$filter={of_type(*names)}").json()
        assert answer == {"@iot.count": count, "value": []}


def test_qgis_reads_a_layer_by_pages_and_by_extent(qgis: TestClient) -> None:
    link, names = f"Locations?$top=2&$count=false&$filter={of_type('Point')}", []
    while link:
        page = qgis.get(link).json()
        assert "@iot.count" not in page
        names += [one["name"] for one in page["value"]]
        assert page["value"]
        assert len(names) <= 3
        link = page.get("@iot.nextLink", "")
    assert names == ["lieu 0", "lieu 1", "lieu 5"]
    for text, expected in (
        (BOX, ["lieu 0", "lieu 2", "lieu 3", "lieu 4"]),
        (f"({of_type('Point')}) and ({BOX})", ["lieu 0"]),
    ):
        page = qgis.get(f"Locations?$top=200&$count=false&$filter={text}").json()
        assert [one["name"] for one in page["value"]] == expected


def test_qgis_expands_to_rows(qgis: TestClient) -> None:
    address = f"Locations?$top=200&$count=false&$filter={of_type('Point')}&$expand=Things($top=100;$expand=Datastreams($top=100;$filter=endswith(name,'air');$orderby=name desc;$expand=Observations($orderby=phenomenonTime desc;$top=1)))"  # fmt: skip
    shown = qgis.get(address).json()["value"]
    rows = [
        o["result"]
        for place in shown
        for t in place["Things"]
        for d in t["Datastreams"]
        for o in d["Observations"]
    ]
    assert rows == [0, 1, 5]
    for entity in (
        "Things",
        "Datastreams",
        "Sensors",
        "ObservedProperties",
        "Observations",
        "FeaturesOfInterest",
        "HistoricalLocations",
    ):
        assert qgis.get(f"{entity}?$top=0&$count=true").json()["@iot.count"] == 6


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("Things/", {}), ("Things", {"Accept": "application/json;charset=UTF-8"}), ("Things", {"Accept": "*/*"}),
        ("Things?%24top=3", {"Accept": "application/json, text/plain, */*"}), ("Things?$TOP=3&$Count=TRUE", {}), ("Things?$top=3&", {}),
        ("Things?$filter=name%20eq%20%27Thing+1%27%20or+true", {}), ("Things?$expand=Datastreams/Observations,Locations&callback=x", {}),
        ("Things?$orderby=name%20ASC,@iot.id%20desc", {}), ("Things?$select=@iot.id,name,Datastreams", {}), ("Things?", {}),
    ],
)  # fmt: skip
def test_spellings_that_clients_use_are_read(qgis: TestClient, address: str, headers: dict[str, str]) -> None:
    answer = qgis.get(address, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["value"]


def test_bodies_come_with_and_without_type_and_charset(sta: TestClient) -> None:
    body = b'{"name":"a","description":"b"}'
    for kind in (
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8;IEEE754Compatible=true",
        "text/plain",
    ):
        made(sta.post("Things/", content=body, headers={"content-type": kind}))
    made(sta.post("Things", content=body, headers={}))
    for kind in ("application/geo+json", "application/vnd.geo+json"):
        made(sta.post("Locations", json={**LOCATION, "encodingType": kind}))
    assert sta.get(ROOT).json() == sta.get(ROOT.rstrip("/")).json()
