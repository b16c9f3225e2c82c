"""OGC API - Features read by GDAL's own client (OAPIF), and by hand where GDAL does not look."""

import json
import socket
import threading
import time
from collections.abc import Iterator

import pyogrio
import pytest
import uvicorn
from starlette.testclient import TestClient

from beffroi.app import create_app
from beffroi.model.instant import format_instant
from beffroi.model.principal import SYSTEM
from beffroi.store.record import Entry, Query
from beffroi.store.record_import import take
from beffroi.town import Town, open_town

LAMPS = 2345
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[-2.1, 47.6], [-2.09, 47.6], [-2.09, 47.61], [-2.1, 47.61], [-2.1, 47.6]]],
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    data = tmp_path_factory.mktemp("ogc")
    (data / "beffroi.toml").write_text('name = "Essai"\n', "utf-8")
    opened = open_town(data)

    def entries():
        for n in range(LAMPS):
            values = {"code": f"PL-{n:04d}", "street": "Rue de l'Église", "power_w": 30 + n % 100, "notes": "secret",
                      "state": "broken" if n % 10 == 0 else "ok", "installed": "2020-02-29", "dimming": n % 2 == 0}  # fmt: skip
            yield Entry(values, {"type": "Point", "coordinates": [-2.08 + n / 100_000, 47.65]}, "35236")

    take(opened.store.records, "lamp", entries(), who=SYSTEM)
    opened.store.records.put("building", {"code": "MAIRIE", "name": "Mairie"}, geometry=SQUARE, who=SYSTEM)
    opened.store.records.put("fault", {"title": "Lampe", "seen": 0, "caller": "Mme X"}, who=SYSTEM)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def address(town: Town) -> Iterator[str]:
    """Serve the town for real."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(town), log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def client(town: Town) -> Iterator[TestClient]:
    with TestClient(create_app(town), follow_redirects=False) as made:
        yield made


def test_gdal_lists_and_reads_every_feature(address: str, town: Town) -> None:
    layers = dict(pyogrio.list_layers(f"OAPIF:{address}/ogc"))
    assert {"lamp", "support", "building", "bin"} <= set(layers)
    assert "fault" not in layers
    info, table = pyogrio.read_arrow(f"OAPIF:{address}/ogc", layer="lamp")
    assert table.num_rows == LAMPS
    assert sorted(table.column("code").to_pylist()) == [f"PL-{n:04d}" for n in range(LAMPS)]
    assert "CRS84" in str(info["crs"]) or "4326" in str(info["crs"])
    assert "notes" not in table.column_names
    row = town.store.records.by_key("lamp", "PL-0123", "35236")
    at = table.column("code").to_pylist().index("PL-0123")
    assert table.column("power_w").to_pylist()[at] == row.values["power_w"]
    assert info["geometry_type"] == "Point"


def test_gdal_filters_by_box_and_by_property(address: str) -> None:
    inside = pyogrio.read_arrow(f"OAPIF:{address}/ogc", layer="lamp", bbox=(-2.0795, 47.0, -2.079, 48.0))[1]
    assert inside.num_rows == len([n for n in range(LAMPS) if -2.0795 <= -2.08 + n / 100_000 <= -2.079])
    broken = pyogrio.read_arrow(f"OAPIF:{address}/ogc", layer="lamp", where="state = 'broken'")[1]
    assert broken.num_rows == 235


def test_gdal_reads_lambert_93(address: str) -> None:
    assert pyogrio.read_info(f"OAPIF:{address}/ogc", layer="building")["features"] == 1
    lambert = pyogrio.read_arrow(
        f"OAPIF:{address}/ogc", layer="lamp", max_features=1, CRS="http://www.opengis.net/def/crs/EPSG/0/2154"
    )[0]
    assert "2154" in str(lambert["crs"]) or "Lambert" in str(lambert["crs"]), lambert["crs"]


def test_pages_are_whole_and_stable_while_records_are_added(client: TestClient, town: Town) -> None:
    seen: list[int] = []
    href, extra = "/ogc/collections/lamp/items?limit=1000&state=ok", None
    while href:
        body = client.get(href).json()
        seen += [f["id"] for f in body["features"]]
        if extra is None:
            assert body["numberMatched"] == LAMPS - 235
            extra = town.store.records.put("lamp", {"code": "late"}, who=SYSTEM).id
        href = next((k["href"] for k in body["links"] if k["rel"] == "next"), None)
    assert len(seen) == len(set(seen))
    assert set(seen) - {extra} == {
        r.id for r in town.store.records.all("lamp", Query(where={"state": "ok"})) if r.id != extra
    }
    town.store.records.delete("lamp", extra, who=SYSTEM)


def test_each_address_answers_and_links_work(client: TestClient) -> None:
    landing = client.get("/ogc").json()
    for found in landing["links"]:
        answer = client.get(found["href"].replace("http://testserver", ""))
        assert answer.status_code == 200, found
        assert found["type"].split(";")[0] in answer.headers["content-type"], found
    assert (
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core"
        in client.get("/ogc/conformance").json()["conformsTo"]
    )
    lamp = client.get("/ogc/collections/lamp").json()
    west, south, _, north = lamp["extent"]["spatial"]["bbox"][0]
    assert (west, south, north) == (-2.08, 47.65, 47.65)
    for found in lamp["links"]:
        if found["href"].startswith("http://testserver"):
            assert client.get(found["href"].removeprefix("http://testserver")).status_code == 200, found
    schema = client.get("/ogc/collections/lamp/schema").json()
    assert schema["properties"]["state"]["enum"][0] == "ok"
    assert "notes" not in schema["properties"]
    paths = client.get("/ogc/api").json()["paths"]
    assert "/collections/lamp/items" in paths
    assert "/collections/fault/items" not in paths


def test_one_feature_in_both_systems(client: TestClient, town: Town) -> None:
    row = town.store.records.by_key("lamp", "PL-0000", "35236")
    plain = client.get(f"/ogc/collections/lamp/items/{row.id}")
    assert plain.json()["geometry"]["coordinates"] == [-2.08, 47.65]
    assert plain.headers["content-crs"] == "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"
    moved = client.get(
        f"/ogc/collections/lamp/items/{row.id}?crs=http://www.opengis.net/def/crs/EPSG/0/2154"
    ).json()
    x, y = moved["geometry"]["coordinates"]
    assert 100_000 < x < 1_200_000
    assert 6_000_000 < y < 7_200_000
    near = f"{x - 5},{y - 5},{x + 5},{y + 5}"
    found = client.get(
        f"/ogc/collections/lamp/items?bbox={near}&bbox-crs=http://www.opengis.net/def/crs/EPSG/0/2154"
    ).json()
    assert row.id in [f["id"] for f in found["features"]]
    assert found["numberMatched"] < 20
    building = client.get(
        "/ogc/collections/building/items?crs=http://www.opengis.net/def/crs/EPSG/0/2154"
    ).json()
    assert building["features"][0]["geometry"]["coordinates"][0][0][1] > 6_000_000


def test_time_selects_by_last_change(client: TestClient, town: Town) -> None:
    row = town.store.records.by_key("building", "MAIRIE")
    moment, before = format_instant(row.updated_us), format_instant(row.updated_us - 1_000_000)
    for written, count in (
        (f"{before}/..", 1),
        (f"../{before}", 0),
        (moment, 1),
        (f"{before}/{moment}", 1),
        ("../..", 1),
    ):
        assert (
            client.get("/ogc/collections/building/items", params={"datetime": written}).json()[
                "numberReturned"
            ]
            == count
        ), written


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("limit=0", "limit"), ("limit=abc", "limit"), ("limit=-1", "limit"), ("bbox=1,2,3", "bbox"), ("bbox=a,b,c,d", "bbox"),
        ("bbox=0,5,1,4", "bbox"), ("datetime=hier", "datetime"), ("datetime=2026-01-02/2026-01-01", "datetime"),
        ("crs=EPSG:9999", "crs"), ("bbox-crs=x", "bbox-crs"), ("colour=red", "colour"), ("after=zz", "after"),
        ("power_w=many", "power_w"), ("notes=secret", "notes"), ("f=shp", "f"),
    ],
)  # fmt: skip
def test_wrong_questions_are_400_with_their_place(client: TestClient, query: str, place: str) -> None:
    answer = client.get(f"/ogc/collections/lamp/items?{query}")
    assert answer.status_code == 400
    assert answer.json()["place"] == place


def test_what_is_not_public_is_not_served(client: TestClient, town: Town) -> None:
    assert client.get("/ogc/collections/fault").status_code == 401
    assert client.get("/ogc/collections/fault/items").status_code == 401
    assert client.get("/ogc/collections/nothing/items").status_code == 404
    assert client.get("/ogc/collections/lamp/items/99999999").status_code == 404
    assert client.get("/ogc/collections/lamp/items/abc").status_code == 404
    assert client.get(f"/ogc/collections/lamp/items/{'9' * 40}").status_code == 404


def test_the_catalogue_names_every_public_dataset_and_its_files(client: TestClient) -> None:
    catalogue = json.loads(client.get("/catalogue.jsonld").text)
    datasets = {d["dct:identifier"]: d for d in catalogue["dcat:dataset"]}
    assert {"lamp", "support", "building"} <= set(datasets)
    assert "fault" not in datasets
    for distribution in datasets["lamp"]["dcat:distribution"]:
        href = distribution.get("dcat:downloadURL", distribution["dcat:accessURL"])["@id"]
        assert client.get(href.removeprefix("http://testserver")).status_code == 200, href
    assert datasets["lamp"]["dct:spatial"]["dcat:bbox"]["@value"].startswith("POLYGON((-2.08 47.65")
