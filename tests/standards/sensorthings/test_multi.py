"""MultiDatastreams (18-088 §10): made, read from every side, changed, filtered, filled; each a behaviour of its own."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import (
    LOCATION,
    MEASUREMENT,
    MULTI,
    PROPERTY,
    SENSOR,
    STATION,
    THING,
    UNIT,
    ids,
    made,
    served_town,
    values,
)

Known = dict[str, Any]


def names(client: TestClient, address: str) -> list[str]:
    return [one["name"] for one in values(client, address)]


def refer(one: int) -> dict[str, int]:
    return {"@iot.id": one}


def multi(thing: int, sensor: int, *properties: int, **changes: Any) -> dict[str, Any]:
    """Return the body of a MultiDatastream of existing entities."""
    n = len(properties)
    return {
        **MULTI, "multiObservationDataTypes": [MEASUREMENT] * n, "unitOfMeasurements": [UNIT] * n,
        "Thing": refer(thing), "Sensor": refer(sensor), "ObservedProperties": [refer(p) for p in properties], **changes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with served_town(tmp_path_factory.mktemp("town")) as client:
        yield client


def build(client: TestClient) -> Known:
    """Make two things, sensors and properties, two Datastreams, and MultiDatastreams of one, two, two and two."""
    place = made(client.post("Locations", json=LOCATION))
    things = [made(client.post("Things", json={**THING, "Locations": [refer(place)]})) for _ in range(2)]
    sensors = [made(client.post("Sensors", json=SENSOR)) for _ in range(2)]
    seen = [made(client.post("ObservedProperties", json={**PROPERTY, "name": f"p{n}"})) for n in range(4)]
    plain = {"name": "a", "description": "b", "observationType": MEASUREMENT, "unitOfMeasurement": UNIT}
    series = [
        made(client.post("Datastreams", json={
            **plain, "Thing": refer(things[i]), "Sensor": refer(sensors[i]), "ObservedProperty": refer(seen[0])}))
        for i in range(2)
    ]  # fmt: skip
    shapes = [
        (sensors[0], seen[:1]),
        (sensors[0], seen[:2]),
        (sensors[0], seen[1::-1]),
        (sensors[1], [seen[0]] * 2),
    ]
    multis = [
        made(client.post("MultiDatastreams", json=multi(things[0], sensor, *of))) for sensor, of in shapes
    ]
    observations = [
        made(client.post("Observations", json={"result": i, "Datastream": refer(series[i])}))
        for i in range(2)
    ]
    for i, one in enumerate(multis):
        for n in range(3):
            result = [n] if not i else [n, n + i]
            observations.append(
                made(client.post("Observations", json={"result": result, "MultiDatastream": refer(one)}))
            )
    return {
        "things": things,
        "sensors": sensors,
        "seen": seen,
        "series": series,
        "multis": multis,
        "obs": observations,
    }


@pytest.fixture(scope="module")
def town(client: TestClient) -> Known:
    return build(client)


# --- made and filled
def test_a_multidatastream_is_shown_as_it_was_sent(client: TestClient, town: Known) -> None:
    shown = client.get(f"MultiDatastreams({town['multis'][1]})").json()
    link = shown["@iot.selfLink"]
    assert {k: shown[k] for k in ("name", "description", "multiObservationDataTypes", "unitOfMeasurements")} == {
        "name": "vent", "description": "à 10 m", "multiObservationDataTypes": [MEASUREMENT] * 2,
        "unitOfMeasurements": [UNIT] * 2,
    }  # fmt: skip
    assert shown["observationType"].endswith("OM_ComplexObservation")
    for name in ("Thing", "Sensor", "ObservedProperties", "Observations"):
        assert shown[f"{name}@iot.navigationLink"] == f"{link}/{name}"
    assert "unitOfMeasurement" not in shown
    assert "ObservedProperty@iot.navigationLink" not in shown


def test_deep_insert_makes_a_thing_with_multidatastreams_and_observations(client: TestClient) -> None:
    body = copy.deepcopy({**STATION, "MultiDatastreams": [MULTI]})
    body["MultiDatastreams"][0]["Observations"] = [
        {"result": [3.50, 270], "phenomenonTime": "2024-01-01T00:00:00Z"}
    ]
    thing = made(client.post("Things", json=body))
    (one,) = ids(client, f"Things({thing})/MultiDatastreams")
    assert names(client, f"MultiDatastreams({one})/ObservedProperties") == ["Force", "Direction"]
    (seen,) = values(client, f"MultiDatastreams({one})/Observations")
    assert seen["result"] == [3.5, 270]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"multiObservationDataTypes": None}, "/multiObservationDataTypes"),
        ({"multiObservationDataTypes": [MEASUREMENT]}, "/multiObservationDataTypes"),
        ({"multiObservationDataTypes": [MEASUREMENT, 3]}, "/multiObservationDataTypes/1"),
        ({"multiObservationDataTypes": []}, "/multiObservationDataTypes"),
        ({"unitOfMeasurements": None}, "/unitOfMeasurements"),
        ({"unitOfMeasurements": [UNIT]}, "/multiObservationDataTypes"),
        ({"unitOfMeasurements": ["m", "s"]}, "/unitOfMeasurements/0"),
        ({"ObservedProperties": None}, "/ObservedProperties"),
        ({"ObservedProperties": []}, "/ObservedProperties"),
        ({"ObservedProperties": [PROPERTY]}, "/multiObservationDataTypes"),
        ({"Sensor": None}, "/Sensor"),
        ({"Thing": None}, "/Thing"),
    ],
)
def test_a_multidatastream_that_does_not_hold_together_is_refused(
    client: TestClient, town: Known, change: dict[str, Any], place: str
) -> None:
    before = client.get("MultiDatastreams/$count").text, client.get("ObservedProperties/$count").text
    answer = client.post("MultiDatastreams", json={**MULTI, "Thing": refer(town["things"][0]), **change})
    assert (answer.status_code, answer.json()["place"]) == (400, place)
    assert (
        client.get("MultiDatastreams/$count").text,
        client.get("ObservedProperties/$count").text,
    ) == before


def test_observations_are_arrays_with_their_digits(client: TestClient, town: Known) -> None:
    one = town["multis"][1]
    for address in ("Observations", f"MultiDatastreams({one})/Observations"):
        body = f'{{"result": [2.00, 1e3], "phenomenonTime": "2023-01-01T00:00:00Z", "MultiDatastream": {{"@iot.id": {one}}}}}'
        found = made(client.post(address, content=body))
        assert '"result":[2.00,1e3]' in client.get(f"Observations({found})").text
        client.delete(f"Observations({found})")


@pytest.mark.parametrize("result", [1, "x", None, {"a": 1}, True, [1], [1, 2, 3], []])
def test_a_result_of_another_shape_is_refused(client: TestClient, town: Known, result: Any) -> None:
    one = town["multis"][1]
    for address, body in (
        ("Observations", {"result": result, "MultiDatastream": refer(one)}),
        (f"MultiDatastreams({one})/Observations", {"result": result}),
        (f"MultiDatastreams({one})/Observations", {"result": result, "parameters": {"a": 1}}),
    ):
        answer = client.post(address, json=body)
        assert (answer.status_code, answer.json()["place"]) == (400, "/result"), address


def test_a_single_value_for_a_single_component_is_an_array_too(client: TestClient, town: Known) -> None:
    one = town["multis"][0]
    assert client.post(f"MultiDatastreams({one})/Observations", json={"result": 5}).status_code == 400
    assert client.post(f"MultiDatastreams({one})/Observations", json={"result": [5, 6]}).status_code == 400
    found = made(client.post(f"MultiDatastreams({one})/Observations", json={"result": [5]}))
    client.delete(f"Observations({found})")


def test_each_type_is_named_by_its_own_name(client: TestClient, town: Known) -> None:
    series, one = town["series"][0], town["multis"][1]
    for address, body, place in (
        ("Observations", {"result": [1, 2], "Datastream": refer(one)}, "/Datastream"),
        ("Observations", {"result": 1, "MultiDatastream": refer(series)}, "/MultiDatastream"),
        ("Observations", {"result": [1], "MultiDatastream": refer(series)}, "/MultiDatastream"),
        ("Observations", {"result": [1, 2], "MultiDatastream": refer(one), "Datastream": refer(series)}, "/MultiDatastream"),
        ("Observations", {"result": [1, 2]}, "/Datastream"),
        (f"Datastreams({series})/Observations", {"result": [1, 2], "MultiDatastream": refer(one)}, "/MultiDatastream"),
        (f"MultiDatastreams({one})/Observations", {"result": [1, 2], "MultiDatastream": refer(one + 1)}, "/MultiDatastream"),
    ):  # fmt: skip
        answer = client.post(address, json=body)
        assert (answer.status_code, answer.json()["place"]) == (400, place), body
    assert client.post(f"Datastreams({one})/Observations", json={"result": [1, 2]}).status_code == 404
    assert client.get(f"Datastreams({one})").status_code == 404
    assert client.get(f"MultiDatastreams({series})").status_code == 404
    assert client.patch(f"Datastreams({one})", json={"name": "x"}).status_code == 404


# --- read from every side
def test_every_neighbour_links_to_multidatastreams(client: TestClient, town: Known) -> None:
    for set_name in ("Things", "Sensors", "ObservedProperties"):
        for one in values(client, set_name):
            assert one["MultiDatastreams@iot.navigationLink"] == f"{one['@iot.selfLink']}/MultiDatastreams"
    links = {"Datastream@iot.navigationLink", "MultiDatastream@iot.navigationLink"}
    for one in values(client, "Observations"):
        shown = links & one.keys()
        expected = "MultiDatastream" if isinstance(one["result"], list) else "Datastream"
        assert shown == {f"{expected}@iot.navigationLink"}
        assert client.get(one[f"{expected}@iot.navigationLink"]).status_code == 200


def test_one_component_of_a_result_has_an_address(client: TestClient, town: Known) -> None:
    one = town["obs"][6]
    assert client.get(f"Observations({one})/result[1]").json() == {"result[1]": 2}
    assert client.get(f"Observations({one})/result/1").json() == {"1": 2}
    assert client.get(f"Observations({one})/result[0]/$value").text == "1"
    assert client.get(f"Observations({one})/result[2]").status_code == 404
    unit = client.get(f"MultiDatastreams({town['multis'][1]})/unitOfMeasurements[1]/symbol").json()
    assert unit == {"symbol": UNIT["symbol"]}


def test_a_thing_has_datastreams_and_multidatastreams_apart(client: TestClient, town: Known) -> None:
    first = town["things"][0]
    assert ids(client, f"Things({first})/Datastreams") == town["series"][:1]
    assert ids(client, f"Things({first})/MultiDatastreams") == town["multis"]
    assert ids(client, f"Things({town['things'][1]})/MultiDatastreams") == []


def test_a_sensor_has_datastreams_and_multidatastreams_apart(client: TestClient, town: Known) -> None:
    first = town["sensors"][0]
    assert ids(client, f"Sensors({first})/Datastreams") == town["series"][:1]
    assert ids(client, f"Sensors({first})/MultiDatastreams") == town["multis"][:3]


def test_an_observed_property_of_both(client: TestClient, town: Known) -> None:
    first = town["seen"][0]
    assert ids(client, f"ObservedProperties({first})/Datastreams") == town["series"]
    assert ids(client, f"ObservedProperties({first})/MultiDatastreams") == town["multis"]


def test_an_observed_property_of_multidatastreams_only(client: TestClient, town: Known) -> None:
    second = town["seen"][1]
    assert ids(client, f"ObservedProperties({second})/Datastreams") == []
    assert ids(client, f"ObservedProperties({second})/MultiDatastreams") == town["multis"][1:3]


def test_an_observation_of_a_datastream_leads_to_it_only(client: TestClient, town: Known) -> None:
    one = town["obs"][0]
    assert client.get(f"Observations({one})/Datastream").json()["@iot.id"] == town["series"][0]
    assert client.get(f"Observations({one})/MultiDatastream").status_code == 404
    shown = client.get(f"Observations({one})?$expand=Datastream,MultiDatastream").json()
    assert shown["Datastream"]["@iot.id"] == town["series"][0]
    assert "MultiDatastream" not in shown


def test_an_observation_of_a_multidatastream_leads_to_it_only(client: TestClient, town: Known) -> None:
    one = town["obs"][2]
    assert client.get(f"Observations({one})/MultiDatastream").json()["@iot.id"] == town["multis"][0]
    assert client.get(f"Observations({one})/Datastream").status_code == 404
    shown = client.get(f"Observations({one})?$expand=Datastream,MultiDatastream").json()
    assert shown["MultiDatastream"]["@iot.id"] == town["multis"][0]
    assert "Datastream" not in shown


def test_observed_properties_come_in_their_order_and_twice_if_they_are(
    client: TestClient, town: Known
) -> None:
    a, b = town["seen"][:2]
    for one, expected in zip(town["multis"], ([a], [a, b], [b, a], [a, a]), strict=True):
        assert ids(client, f"MultiDatastreams({one})/ObservedProperties") == expected
        expanded = client.get(f"MultiDatastreams({one})?$expand=ObservedProperties($count=true)").json()
        assert [p["@iot.id"] for p in expanded["ObservedProperties"]] == expected
        assert expanded["ObservedProperties@iot.count"] == len(expected)
        assert client.get(f"MultiDatastreams({one})/ObservedProperties/$count").text == str(len(expected))
        paged = client.get(f"MultiDatastreams({one})/ObservedProperties?$top=1").json()
        listed = [p["@iot.id"] for p in paged["value"]]
        while "@iot.nextLink" in paged:
            paged = client.get(paged["@iot.nextLink"]).json()
            listed += [p["@iot.id"] for p in paged["value"]]
            assert paged["value"]
            assert len(listed) <= len(expected)
        assert listed == expected
    assert ids(client, f"MultiDatastreams({town['multis'][2]})/ObservedProperties?$orderby=name") == [a, b]


def test_observations_of_each_multidatastream(client: TestClient, town: Known) -> None:
    for i, one in enumerate(town["multis"]):
        assert ids(client, f"MultiDatastreams({one})/Observations") == town["obs"][2 + 3 * i : 5 + 3 * i]


def test_all_observations_are_in_one_set(client: TestClient, town: Known) -> None:
    owners = {
        one["@iot.id"]: (one.get("Datastream") or one["MultiDatastream"])["@iot.id"]
        for one in values(client, "Observations?$top=1000&$expand=Datastream,MultiDatastream")
    }
    expected = [*town["series"], *(one for one in town["multis"] for _ in range(3))]
    assert [owners[one] for one in town["obs"]] == expected


def test_multidatastreams_are_filtered_ordered_selected_and_expanded(client: TestClient, town: Known) -> None:
    a = town["multis"]
    mine = f"Thing/id eq {town['things'][0]}"
    assert ids(client, f"MultiDatastreams?$filter=ObservedProperties/name eq 'p1' and {mine}") == a[1:3]
    assert (
        ids(client, f"MultiDatastreams?$filter=unitOfMeasurements/1/symbol eq '{UNIT['symbol']}' and {mine}")
        == a[1:]
    )
    assert ids(client, f"Things?$filter=MultiDatastreams/id eq {a[3]}") == town["things"][:1]
    assert ids(client, f"Things?$filter=Datastreams/id eq {a[3]}") == []
    assert ids(client, f"Observations?$filter=MultiDatastream/id eq {a[2]}") == town["obs"][8:11]
    assert (
        ids(client, f"Observations?$filter=MultiDatastream/Sensor/id eq {town['sensors'][1]}")
        == town["obs"][11:14]
    )
    assert (
        ids(client, f"Observations?$filter=Datastream/Sensor/id eq {town['sensors'][1]}") == town["obs"][1:2]
    )
    assert ids(client, f"MultiDatastreams?$filter={mine}&$orderby=Sensor/id desc,id") == [a[3], *a[:3]]
    shown = client.get(
        f"Things({town['things'][0]})?$expand=MultiDatastreams($expand=Observations($top=1;$orderby=phenomenonTime desc),"
        "ObservedProperties($select=name);$select=name,multiObservationDataTypes;$orderby=id desc;$top=2)"
    ).json()["MultiDatastreams"]
    assert [set(one) for one in shown] == [
        {"name", "multiObservationDataTypes", "Observations", "ObservedProperties",
         *([k for k in one if k.endswith("nextLink")])} for one in shown
    ]  # fmt: skip
    assert [one["Observations"][0]["@iot.id"] for one in shown] == [town["obs"][13], town["obs"][10]]
    assert [[p["name"] for p in one["ObservedProperties"]] for one in shown] == [["p0", "p0"], ["p1", "p0"]]
    sensor = client.get(
        f"Sensors({town['sensors'][1]})?$expand=Datastreams,MultiDatastreams/Observations"
    ).json()
    assert [one["@iot.id"] for one in sensor["Datastreams"]] == town["series"][1:]
    assert [o["@iot.id"] for o in sensor["MultiDatastreams"][0]["Observations"]] == town["obs"][11:]


def test_the_phenomenon_time_of_a_multidatastream_spans_its_observations(client: TestClient) -> None:
    thing = made(client.post("Things", json={**THING, "Locations": [LOCATION], "MultiDatastreams": [MULTI]}))
    (one,) = ids(client, f"Things({thing})/MultiDatastreams")
    for day in (3, 1, 2):
        body = {"result": [1, 2], "phenomenonTime": f"2024-05-0{day}T00:00:00Z"}
        made(client.post(f"MultiDatastreams({one})/Observations", json=body))
    shown = client.get(f"MultiDatastreams({one})").json()
    assert shown["phenomenonTime"] == "2024-05-01T00:00:00Z/2024-05-03T00:00:00Z"


# --- changed
def test_patch_put_and_json_patch_of_a_multidatastream(client: TestClient, town: Known) -> None:
    one = made(
        client.post(
            "MultiDatastreams", json=multi(*town["things"][:1], *town["sensors"][:1], *town["seen"][:2])
        )
    )
    address = f"MultiDatastreams({one})"
    assert client.patch(address, json={"name": "neuf", "properties": {"a": 1}}).json()["name"] == "neuf"
    assert client.patch(address, json=[{"op": "replace", "path": "/unitOfMeasurements/0/symbol", "value": "K"}],
                        headers={"content-type": "application/json-patch+json"}).json()["unitOfMeasurements"][0]["symbol"] == "K"  # fmt: skip
    turned = [refer(p) for p in town["seen"][1::-1]]
    assert (
        client.patch(
            address, json={"ObservedProperties": turned, "Sensor": refer(town["sensors"][1])}
        ).status_code
        == 200
    )
    assert ids(client, f"{address}/ObservedProperties") == town["seen"][1::-1]
    assert client.get(f"{address}/Sensor").json()["@iot.id"] == town["sensors"][1]
    whole = {
        "name": "mis",
        "description": "d",
        "multiObservationDataTypes": [MEASUREMENT] * 2,
        "unitOfMeasurements": [UNIT] * 2,
    }
    put = client.put(address, json=whole).json()
    assert (put["name"], put.get("properties"), put["unitOfMeasurements"][0]) == ("mis", None, UNIT)
    assert client.put(address, json={"name": "mis", "description": "d"}).status_code == 400
    for wrong in (
        {"multiObservationDataTypes": [MEASUREMENT]}, {"unitOfMeasurements": [UNIT] * 3}, {"ObservedProperties": turned[:1]},
        {"multiObservationDataTypes": None}, {"ObservedProperties": [PROPERTY]},
    ):  # fmt: skip
        assert client.patch(address, json=wrong).status_code == 400, wrong
    three = {"multiObservationDataTypes": [MEASUREMENT] * 3, "unitOfMeasurements": [UNIT] * 3,
             "ObservedProperties": [refer(p) for p in town["seen"][:3]]}  # fmt: skip
    assert client.patch(address, json=three).status_code == 200
    assert ids(client, f"{address}/ObservedProperties") == town["seen"][:3]
    assert client.delete(address).status_code == 200
    assert client.get(address).status_code == 404


def test_an_observation_does_not_change_its_kind(client: TestClient, town: Known) -> None:
    before = client.get(f"Observations({town['obs'][0]})").content
    answer = client.patch(
        f"Observations({town['obs'][0]})", json={"MultiDatastream": refer(town["multis"][0])}
    )
    assert (answer.status_code, answer.json()["place"]) == (400, "/MultiDatastream")
    assert client.get(f"Observations({town['obs'][0]})").content == before
    assert (
        client.patch(
            f"Observations({town['obs'][2]})", json={"Datastream": refer(town["series"][0])}
        ).status_code
        == 400
    )
    assert client.patch(f"Observations({town['obs'][2]})", json={"result": [1, 2]}).status_code == 400
    assert (
        client.patch(
            f"Observations({town['obs'][2]})", json={"MultiDatastream": refer(town["multis"][1])}
        ).status_code
        == 400
    )
    assert client.patch(f"Observations({town['obs'][2]})", json={"result": [7]}).json()["result"] == [7]


def test_an_observed_property_does_not_compose_a_multidatastream(client: TestClient, town: Known) -> None:
    third = town["seen"][2]
    body = {"MultiDatastreams": [refer(town["multis"][0])]}
    assert client.patch(f"ObservedProperties({third})", json=body).status_code == 400
    assert client.post("ObservedProperties", json={**PROPERTY, **body}).status_code == 400
    assert client.post(f"ObservedProperties({third})/MultiDatastreams", json=MULTI).status_code == 400
    assert (
        client.post(
            f"ObservedProperties({third})/MultiDatastreams/$ref", json=refer(town["multis"][0])
        ).status_code
        == 400
    )
    assert (
        client.post(f"MultiDatastreams({town['multis'][0]})/ObservedProperties", json=PROPERTY).status_code
        == 400
    )


def test_a_component_is_taken_away_by_its_reference(client: TestClient, town: Known) -> None:
    units = [{**UNIT, "symbol": f"u{n}"} for n in range(4)]
    body = multi(town["things"][0], town["sensors"][0], *town["seen"], unitOfMeasurements=units)
    one = made(client.post("MultiDatastreams", json=body))
    address, seen = f"MultiDatastreams({one})/ObservedProperties", town["seen"]
    assert client.delete(f"{address}/$ref").status_code == 400
    assert ids(client, address) == seen
    assert client.delete(f"{address}({seen[1]})/$ref").status_code == 204
    assert ids(client, address) == [seen[0], seen[2], seen[3]]
    assert client.delete(f"{address}/$ref?$id=../../ObservedProperties({seen[2]})").status_code == 204
    assert ids(client, address) == [seen[0], seen[3]]
    assert client.delete(f"{address}/$ref?$id=../../ObservedProperties({seen[2]})").status_code == 404
    shown = client.get(f"MultiDatastreams({one})").json()
    assert [u["symbol"] for u in shown["unitOfMeasurements"]] == ["u0", "u3"]
    assert len(shown["multiObservationDataTypes"]) == 2
    assert client.delete(f"{address}({seen[0]})/$ref").status_code == 204
    assert client.delete(f"{address}({seen[3]})/$ref").status_code == 400
    client.delete(f"MultiDatastreams({one})")


# --- data arrays
def test_a_data_array_fills_a_multidatastream_row_by_row(client: TestClient, town: Known) -> None:
    thing = made(client.post("Things", json={**THING, "Locations": [LOCATION], "MultiDatastreams": [MULTI]}))
    (one,) = ids(client, f"Things({thing})/MultiDatastreams")
    rows = [
        ["2010-12-23T10:20:00-07:00", [5, 20]],
        ["2010-12-23T10:21:00-07:00", 30],
        ["2010-12-23T10:22:00-07:00", [5]],
    ]
    body = [{"MultiDatastream": refer(one), "components": ["phenomenonTime", "result"], "dataArray": rows}]
    answer = client.post("CreateObservations", json=body)
    assert answer.status_code == 201
    assert [line.startswith("error") for line in answer.json()] == [False, True, True]
    (group,) = values(client, f"MultiDatastreams({one})/Observations?$resultFormat=dataArray")
    assert group["MultiDatastream@iot.navigationLink"].endswith(f"/MultiDatastreams({one})")
    assert [row[2] for row in group["dataArray"]] == [[5, 20]]
    for wrong in ({"Datastream": refer(one)}, {"MultiDatastream": refer(town["series"][0])},
                  {"Datastream": refer(town["series"][0]), "MultiDatastream": refer(one)}):  # fmt: skip
        assert (
            client.post(
                "CreateObservations", json=[{**body[0], "MultiDatastream": None, **wrong}]
            ).status_code
            == 400
        )


# --- deleted
def test_deleting_what_a_multidatastream_needs_takes_it_along(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with served_town(tmp_path_factory.mktemp("other")) as client:
        town = build(client)
        obs, multis = town["obs"], town["multis"]
        assert client.delete(f"ObservedProperties({town['seen'][1]})").status_code == 200
        assert ids(client, "MultiDatastreams") == [multis[0], multis[3]]
        assert ids(client, "Observations") == [*obs[:5], *obs[11:]]
        assert client.delete(f"Sensors({town['sensors'][1]})").status_code == 200
        assert ids(client, "MultiDatastreams") == multis[:1]
        assert ids(client, "Observations") == [obs[0], *obs[2:5]]
        assert client.delete(f"Things({town['things'][0]})").status_code == 200
        assert ids(client, "MultiDatastreams") == []
        assert ids(client, "Observations") == []
