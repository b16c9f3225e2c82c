"""CSV and GeoJSON, opened by GDAL too; data arrays inside entities; levels of control information; distinct values."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyogrio
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient
from tests.sensorthings_town import (
    DATASTREAM,
    LOCATION,
    ROOT,
    THING,
    ids,
    made,
    series_of,
    station,
    values,
)

from beffroi.standards.sensorthings import answering
from beffroi.standards.sensorthings.entities import ENTITIES
from beffroi.store import tables
from beffroi.town import Town


def fill(sta: TestClient) -> list[int]:
    """Make two Things with a place and a series each, and three observations in the first; return the series."""
    series = []
    for n, (x, y) in enumerate([(2.35, 48.85), (-1.5, 47.25)]):
        place = {**LOCATION, "name": f"lieu {n}", "location": {"type": "Point", "coordinates": [x, y]}}
        body = station(name=f"station {n}", Locations=[place], properties={"rang": n, "tags": ["a", "b"], "où": {"rive": "=gauche"}})  # fmt: skip
        series.append(series_of(sta, made(sta.post("Things", json=body))))
    for i, text in enumerate(["2.50", "-1", '"=2+3"']):
        body = f'{{"result":{text},"phenomenonTime":"2020-01-0{i + 1}T00:00:00Z","Datastream":{{"@iot.id":{series[0]}}},"resultQuality":{{"code":{i}}}}}'
        made(sta.post("Observations", content=body))
    return series


def table(sta: TestClient, address: str) -> list[list[str]]:
    answer = sta.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "\r\n" in answer.text
    return list(csv.reader(io.StringIO(answer.text)))


def features(sta: TestClient, address: str) -> list[dict[str, Any]]:
    answer = sta.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    document = answer.json()
    assert document["type"] == "FeatureCollection"
    found: list[dict[str, Any]] = document["features"]
    return found


def opened(tmp_path: Path, content: bytes, suffix: str, **options: Any) -> Any:
    """Return what GDAL reads: names of fields, and the columns, by field."""
    file = tmp_path / f"answer.{suffix}"
    file.write_bytes(content)
    meta, _fids, geometries, columns = pyogrio.raw.read(file, **options)
    return dict(zip(meta["fields"], columns, strict=True)), geometries


# --- CSV
def test_a_table_has_a_line_for_each_entity_with_its_digits(sta: TestClient) -> None:
    fill(sta)
    rows = table(sta, "Observations?$resultFormat=CSV&$select=id,phenomenonTime,result")
    assert rows == [
        ["id", "phenomenonTime", "result"],
        ["1", "2020-01-01T00:00:00Z", "2.50"],
        ["2", "2020-01-02T00:00:00Z", "-1"],
        ["3", "2020-01-03T00:00:00Z", "'=2+3"],  # no spreadsheet runs it
    ]


def test_a_table_splits_units_and_shows_relations_to_one_beside(sta: TestClient) -> None:
    series = fill(sta)
    head, first, _second = table(sta, "Datastreams?$resultFormat=csv&$expand=Thing($select=name,properties/rang;$expand=Locations($top=1;$select=name)),Sensor($select=id)")  # fmt: skip
    assert head == [
        "id", "name", "description", "observationType", "unitOfMeasurement/name", "unitOfMeasurement/symbol",
        "unitOfMeasurement/definition", "observedArea", "phenomenonTime", "properties", "Thing/name", "Thing/properties/rang",
        "Thing/Locations/name", "Sensor/id",
    ]  # fmt: skip
    assert first[:7] == [
        str(series[0]),
        "air",
        "air à 2 m",
        DATASTREAM["observationType"],
        "degree Celsius",
        "°C",
        "ucum:Cel",
    ]
    assert first[8:] == ["2020-01-01T00:00:00Z/2020-01-03T00:00:00Z", "", "station 0", "0", "lieu 0", "1"]
    assert table(sta, "Things(1)?$resultFormat=CSV&$select=name,properties/où/rive,properties/tags[1]") == [
        ["name", "properties/où/rive", "properties/tags[1]"], ["station 0", "'=gauche", "b"],
    ]  # fmt: skip


def test_a_table_refuses_a_relation_that_shows_several(sta: TestClient) -> None:
    fill(sta)
    answer = sta.get("Things?$resultFormat=CSV&$expand=Datastreams")
    assert (answer.status_code, answer.json()["place"]) == (400, "$expand:1")
    answer = sta.get("Things?$resultFormat=CSV&$expand=Nothing")
    assert (answer.status_code, answer.json()["place"]) == (400, "$expand:1")
    answer = sta.get("Things?$resultFormat=CSV&$select=colour")
    assert (answer.status_code, answer.json()["place"]) == (400, "$select:1")


def test_a_table_is_the_whole_set_or_a_page_with_a_link(
    sta: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "CHUNK", 7)
    series = fill(sta)[1]
    rows = [[f"2021-01-01T{h:02}:{m:02}:00Z", h * m] for h in range(5) for m in range(20)]
    sta.post("CreateObservations", json=[{"Datastream": {"@iot.id": series}, "components": ["phenomenonTime", "result"], "dataArray": rows}])  # fmt: skip
    address = (
        f"Datastreams({series})/Observations?$resultFormat=CSV&$select=result&$orderby=phenomenonTime desc"
    )
    whole = table(sta, address)
    assert whole[1:] == [[str(r)] for _, r in reversed(rows)]
    paged: list[list[str]] = []
    link = f"{address}&$top=30"
    while link:
        answer = sta.get(link)
        rows_of_page = list(csv.reader(io.StringIO(answer.text)))[1:]
        assert rows_of_page
        paged += rows_of_page
        assert len(paged) < len(whole)
        link = answer.headers.get("link", "").partition(">")[0].lstrip("<")
    assert paged == whole[1:]
    assert len(features(sta, f"Datastreams({series})/Observations?$resultFormat=GeoJSON")) == 100
    assert sta.head(address).content == b""


def test_gdal_opens_the_table(sta: TestClient, tmp_path: Path) -> None:
    fill(sta)
    content = sta.get(
        "Observations?$resultFormat=CSV&$select=id,result&$expand=Datastream($select=name)"
    ).content
    columns, _ = opened(tmp_path, content, "csv")
    assert list(columns) == ["id", "result", "Datastream/name"]
    assert list(columns["result"]) == ["2.50", "-1", "'=2+3"]
    assert list(columns["Datastream/name"]) == ["air"] * 3


# --- GeoJSON
def test_a_feature_has_the_paths_of_everything_and_the_first_geometry(sta: TestClient) -> None:
    series = fill(sta)
    address = "Datastreams?$select=id,name,unitOfMeasurement&$expand=Thing($select=name,properties;$expand=Locations($select=id,location)),Observations($select=result,phenomenonTime;$orderby=phenomenonTime desc;$top=2)&$resultFormat=GeoJSON"  # fmt: skip
    first, second = features(sta, address)
    assert first == {
        "type": "Feature", "id": series[0], "geometry": {"type": "Point", "coordinates": [2.35, 48.85]},
        "properties": {
            "id": series[0], "name": "air", "unitOfMeasurement/name": "degree Celsius", "unitOfMeasurement/symbol": "°C",
            "unitOfMeasurement/definition": "ucum:Cel", "Thing/name": "station 0", "Thing/properties/rang": 0,
            "Thing/properties/tags": ["a", "b"], "Thing/properties/où/rive": "=gauche", "Thing/Locations/0/id": 1,
            "Observations/0/phenomenonTime": "2020-01-03T00:00:00Z", "Observations/0/result": "=2+3",
            "Observations/1/phenomenonTime": "2020-01-02T00:00:00Z", "Observations/1/result": -1,
        },
    }  # fmt: skip
    assert second["geometry"]["coordinates"] == [-1.5, 47.25]


def test_a_map_of_one_entity_and_of_what_has_no_place(sta: TestClient) -> None:
    fill(sta)
    (only,) = features(sta, "Locations(2)?$resultFormat=GeoJSON")
    assert (only["id"], only["geometry"]["coordinates"]) == (2, [-1.5, 47.25])
    assert [f["geometry"] for f in features(sta, "Things?$resultFormat=GeoJSON")] == [None, None]
    assert features(sta, "Things?$resultFormat=GeoJSON&$filter=id eq 99") == []
    document = sta.get("Things?$resultFormat=GeoJSON&$top=1&$count=true").json()
    assert document["@iot.count"] == 2
    assert len(sta.get(document["@iot.nextLink"]).json()["features"]) == 1


@pytest.mark.parametrize("kind", ["application/geo+json", "application/vnd.geo+json"])
def test_a_client_may_ask_by_its_accept_header(sta: TestClient, kind: str) -> None:
    fill(sta)
    answer = sta.get("Locations/", headers={"Accept": f"{kind};charset=utf-8, */*;q=0.1"})
    assert answer.headers["content-type"] == "application/geo+json"
    assert len(answer.json()["features"]) == 2
    assert sta.get("Locations", headers={"Accept": "text/csv"}).text.startswith("id,name,")
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    assert sta.get("Locations", headers={"Accept": browser}).headers["content-type"] == "application/json"


def test_gdal_opens_the_map(sta: TestClient, tmp_path: Path) -> None:
    fill(sta)
    content = sta.get("Locations?$resultFormat=GeoJSON&$expand=Things($select=name,properties)").content
    columns, geometries = opened(tmp_path, content, "geojson")
    import shapely

    assert [shapely.from_wkb(g).wkt for g in geometries] == ["POINT (2.35 48.85)", "POINT (-1.5 47.25)"]
    assert list(columns["name"]) == ["lieu 0", "lieu 1"]
    assert list(columns["Things/0/properties/rang"]) == [0, 1]


# --- data arrays
def test_expanded_observations_are_data_arrays(sta: TestClient) -> None:
    fill(sta)
    page = values(sta, "Things?$resultFormat=dataArray&$select=id&$expand=Datastreams($select=id;$expand=Observations($top=2;$orderby=phenomenonTime))")  # fmt: skip
    assert page[0]["Datastreams"][0]["Observations"] == [{
        "components": ["id", "phenomenonTime", "result", "resultTime", "resultQuality"], "dataArray@iot.count": 2,
        "dataArray": [[1, "2020-01-01T00:00:00Z", 2.5, None, {"code": 0}], [2, "2020-01-02T00:00:00Z", -1, None, {"code": 1}]],
    }]  # fmt: skip
    assert (
        '"2020-01-01T00:00:00Z",2.50,'
        in sta.get("Datastreams?$resultFormat=dataArray&$expand=Observations").text
    )
    assert sta.get("Things?$resultFormat=dataArray").status_code == 400


# --- control information
@pytest.mark.parametrize("asked", ["$resultMetadata=", "$metadata=", "accept"])
def test_levels_of_control_information(sta: TestClient, asked: str) -> None:
    series = fill(sta)[0]
    expand = "$expand=Datastreams($expand=Observations($top=1;$count=true))&$top=1&$count=true"

    def shown(level: str, address: str) -> Any:
        if asked == "accept":
            return sta.get(address, headers={"Accept": f"application/json;odata.metadata={level}"}).json()
        return sta.get(f"{address}{'&' if '?' in address else '?'}{asked}{level}").json()

    assert shown("full", f"Things?{expand}")["value"] == values(sta, f"Things?{expand}")
    for level in ("minimal", "none"):
        page = shown(level, f"Things?{expand}")
        assert page["@iot.nextLink"].startswith(f"{ROOT}Things?")
        assert page["@iot.count"] == 2
        thing = page["value"][0]
        assert set(thing) == {"@iot.id", "name", "description", "properties", "Datastreams"}
        observed = thing["Datastreams"][0]
        assert "Observations@iot.nextLink" in observed
        assert observed["Observations@iot.count"] == 3
        assert set(observed["Observations"][0]) == {
            "@iot.id",
            "phenomenonTime",
            "result",
            "resultTime",
            "resultQuality",
        }
        plain = shown(level, f"Datastreams({series})/Observations")["value"]
        assert [set(one) for one in plain] == [
            {"@iot.id", "phenomenonTime", "result", "resultTime", "resultQuality"}
        ] * 3
        assert set(shown(level, "Things(1)")) == {"@iot.id", "name", "description", "properties"}
    if asked != "accept":
        bare = shown("off", f"Things?{expand}")
        assert set(bare) == {"@iot.count", "value"}
        assert "Observations@iot.nextLink" not in bare["value"][0]["Datastreams"][0]
        assert sta.get(f"Things?{asked}some").json()["place"].endswith(":1")


def test_what_a_property_holds_is_never_taken_for_control_information(sta: TestClient) -> None:
    kept = {"a@iot.selfLink": "x", "Datastreams": [{"b@iot.navigationLink": "y"}]}
    thing = made(sta.post("Things", json={**THING, "properties": kept}))
    assert sta.get(f"Things({thing})?$resultMetadata=none").json()["properties"] == kept


# --- distinct values, deep selection
def test_distinct_values_of_the_catalogue(sta: TestClient) -> None:
    for rang, rive in [(1, "g"), (2, "d"), (1, "g"), (None, "d")]:
        made(sta.post("Things", json={**THING, "properties": {"rang": rang, "où": {"rive": rive}}}))
    assert values(sta, "Things?$select=distinct:properties/rang") == [
        {},
        {"properties": {"rang": 1}},
        {"properties": {"rang": 2}},
    ]
    both = values(
        sta,
        "Things?$select=distinct:properties/où/rive,properties/rang&$orderby=properties/rang desc&$filter=properties/rang ne null",
    )
    assert both == [
        {"properties": {"où": {"rive": "d"}, "rang": 2}},
        {"properties": {"où": {"rive": "g"}, "rang": 1}},
    ]
    page = sta.get("Things?$select=Distinct:name,properties/rang&$count=true&$top=2").json()
    assert (page["@iot.count"], len(page["value"])) == (3, 2)
    assert values(sta, page["@iot.nextLink"]) == [{"name": "station", "properties": {"rang": 2}}]
    assert values(sta, "Datastreams?$select=distinct:unitOfMeasurement/symbol") == []
    for wrong, place in [("distinct:colour", "$select:10"), ("distinct:Datastreams", "$select:10"), ("distinct:name&$orderby=id", "$orderby:1"), ("distinct:name&$expand=Datastreams", "$expand:1")]:  # fmt: skip
        answer = sta.get(f"Things?$select={wrong}")
        assert (answer.status_code, answer.json()["place"]) == (400, place)


def test_distinct_values_of_observations_fresh_and_sealed(sta: TestClient, sta_town: Town) -> None:
    from beffroi.model.instant import DAY_US
    from beffroi.store.sealing import seal

    series = fill(sta)[0]
    made(sta.post("Observations", content=f'{{"result":2.5,"phenomenonTime":"2020-01-01T00:00:00Z","Datastream":{{"@iot.id":{series}}}}}'))  # fmt: skip
    expected = [{"result": -1}, {"result": 2.5}, {"result": "=2+3"}]

    def check() -> None:
        assert values(sta, "Observations?$select=distinct:result") == expected
        assert (
            values(sta, f"Datastreams({series})/Observations?$select=distinct:result&$filter=result lt 9")
            == expected[:2]
        )
        assert values(sta, "Observations?$select=distinct:resultQuality/code&$orderby=resultQuality/code desc") == [
            {"resultQuality": {"code": 2}}, {"resultQuality": {"code": 1}}, {"resultQuality": {"code": 0}}, {},
        ]  # fmt: skip
        assert len(values(sta, "Observations?$select=distinct:phenomenonTime")) == 3
        assert table(sta, "Observations?$select=distinct:result&$resultFormat=CSV")[1:] == [
            ["-1"],
            ["2.5"],
            ["'=2+3"],
        ]

    check()
    assert seal(sta_town.store.database, sta_town.store.archive, 1_577_836_800_000_000 + 2 * DAY_US, sta_town.store.observations.head()).rows == 3  # fmt: skip
    check()


def test_deep_selection_keeps_the_nesting(sta: TestClient) -> None:
    fill(sta)
    assert values(sta, "Things?$select=name,properties/où/rive&$top=1") == [
        {"name": "station 0", "properties": {"où": {"rive": "=gauche"}}}
    ]
    (one,) = values(
        sta, "Datastreams?$select=unitOfMeasurement/symbol,Thing&$top=1&$expand=Sensor($select=name)"
    )
    assert one == {
        "unitOfMeasurement": {"symbol": "°C"},
        "Thing@iot.navigationLink": f"{ROOT}Datastreams(1)/Thing",
        "Sensor": {"name": "sonde"},
    }
    assert values(sta, "Things?$select=properties/tags[1]&$top=1") == [{"properties": {"tags": ["b"]}}]
    assert values(sta, "Locations?$select=location/type&$top=1") == [{"location": {"type": "Point"}}]


# --- filtered delete
def test_a_filter_deletes_what_it_selects_and_counts_it(sta: TestClient, sta_town: Town) -> None:
    series = fill(sta)
    assert sta.delete(
        f"Datastreams({series[0]})/Observations?$filter=phenomenonTime lt 2020-01-02T00:00:00Z"
    ).json() == {"deleted": 1}
    assert ids(sta, "Observations") == [2, 3]
    assert sta.delete("Observations?$filter=result eq '=2%2B3'").json() == {"deleted": 1}
    assert sta.delete("Observations?$filter=result eq 99").json() == {"deleted": 0}
    assert sta.delete("Things?$filter=properties/rang eq 1").json() == {"deleted": 1}
    assert [sta.get(f"{e.set_name}/$count").text for e in ENTITIES[:1]] == ["1"]
    assert sta.delete("Things?$all=true").json() == {"deleted": 1}
    assert sta.get("Observations/$count").text == "0"
    with sta_town.store.read() as c:
        actions = [(e.action, e.detail.get("count")) for e in sta_town.store.audit.entries(c)]
    assert actions.count(("observation.delete", 1)) == 2
    assert [a for a, _ in actions].count("thing.delete") == 2


@pytest.mark.parametrize(
    ("address", "status", "place"),
    [("Things", 400, "$filter"), ("Things?$filter=colour eq 1", 400, "$filter:1"), ("Things?$top=1&$filter=true", 400, "$top:1"),
     ("Things?$all=false", 400, "$all:1"), ("", 405, ""), ("Things/$count", 405, ""), ("Things/name", 404, "path:name")],
)  # fmt: skip
def test_a_deletion_that_is_not_said_is_refused(
    sta: TestClient, address: str, status: int, place: str
) -> None:
    fill(sta)
    answer = sta.delete(address)
    assert (answer.status_code, answer.json()["place"]) == (status, place)
    assert len(ids(sta, "Things")) == 2


def test_a_filtered_deletion_needs_the_rights_to_all_of_it(sta: TestClient, sta_town: Town) -> None:
    from beffroi.model.principal import Principal
    from beffroi.model.problem import Forbidden
    from beffroi.standards.sensorthings.address import read_path
    from beffroi.standards.sensorthings.deleting import delete_matching

    fill(sta)
    store = sta_town.store
    with store.write() as c:
        c.execute(update(tables.thing).where(tables.thing.c.id == 1).values(territory="56165"))
    agent = Principal("user:1", "Anne", "agent", territories=("35236",))
    for path in ("Things", "Observations"):
        with store.write() as c:  # everybody sees it, so that it is selected
            c.execute(update(tables.thing).values(public=1))
        with pytest.raises(Forbidden):
            delete_matching(store, agent, 0, read_path(path), "$all=true")
        assert json.loads(sta.get(f"{path}?$top=0&$count=true").text)["@iot.count"] > 0
    assert len(ids(sta, "Things")) == 2
