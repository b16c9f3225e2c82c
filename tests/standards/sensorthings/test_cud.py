"""Creating, updating and deleting (18-088 §10): each behaviour that a client counts on."""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import (
    DATASTREAM,
    LOCATION,
    MEASUREMENT,
    POINT,
    PROPERTY,
    SENSOR,
    THING,
    UNIT,
    ids,
    made,
    series_of,
    served_town,
    station,
    values,
)

SETS = ("Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors", "ObservedProperties", "Observations", "FeaturesOfInterest")  # fmt: skip
FEATURE = {"name": "f", "description": "d", "encodingType": "application/vnd.geo+json", "feature": POINT}
PLAIN = {"name": "a", "description": "b", "observationType": MEASUREMENT, "unitOfMeasurement": UNIT}
PATCH = {"content-type": "application/json-patch+json"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with served_town(tmp_path_factory.mktemp("town")) as client:
        yield client


def refer(one: int) -> dict[str, int]:
    return {"@iot.id": one}


def counts(client: TestClient) -> dict[str, int]:
    return {name: int(client.get(f"{name}/$count").text) for name in SETS}


def stationed(client: TestClient) -> tuple[int, int]:
    """Make a station; return its Thing and its Datastream."""
    thing = made(client.post("Things", json=station()))
    return thing, series_of(client, thing)


# --- creating
@pytest.mark.parametrize(
    "lacking", ["Sensor", "ObservedProperty", "unitOfMeasurement", "observationType", "name"]
)
def test_a_deep_insert_with_an_invalid_part_makes_nothing(client: TestClient, lacking: str) -> None:
    before = counts(client)
    body = station()
    del body["Datastreams"][0][lacking]
    body["Datastreams"][0]["Observations"] = [{"result": 10, "phenomenonTime": "2015-03-01T00:10:00Z"}]
    answer = client.post("Things", json=body)
    assert (answer.status_code, answer.json()["place"]) == (400, f"/Datastreams/0/{lacking}")
    series = {k: v for k, v in body["Datastreams"][0].items() if k != lacking}
    assert client.post("Datastreams", json={**series, "Thing": THING}).status_code == 400
    thing = made(client.post("Things", json=THING))
    assert client.post("Datastreams", json={**series, "Thing": refer(thing)}).status_code == 400
    client.delete(f"Things({thing})")
    assert counts(client) == before


def test_entities_of_each_type_are_made_from_references(client: TestClient) -> None:
    thing, sensor = made(client.post("Things", json=THING)), made(client.post("Sensors", json=SENSOR))
    seen, place = (
        made(client.post("ObservedProperties", json=PROPERTY)),
        made(client.post("Locations", json=LOCATION)),
    )
    feature = made(client.post("FeaturesOfInterest", json=FEATURE))
    body = {**PLAIN, "Thing": refer(thing), "Sensor": refer(sensor), "ObservedProperty": refer(seen)}
    series = made(client.post("Datastreams", json=body))
    stay = {"time": "2015-03-01T00:40:00.000Z", "Thing": refer(thing), "Locations": [refer(place)]}
    past = made(client.post("HistoricalLocations", json=stay))
    one = {
        "result": 8,
        "phenomenonTime": "2015-03-01T00:40:00.000Z",
        "Datastream": refer(series),
        "FeatureOfInterest": refer(feature),
    }
    seen_one = made(client.post("Observations", json=one))
    for address, target in (
        (f"Datastreams({series})/Thing", thing), (f"Datastreams({series})/Sensor", sensor),
        (f"Datastreams({series})/ObservedProperty", seen), (f"Observations({seen_one})/Datastream", series),
        (f"Observations({seen_one})/FeatureOfInterest", feature), (f"HistoricalLocations({past})/Thing", thing),
    ):  # fmt: skip
        assert client.get(address).json()["@iot.id"] == target
    assert ids(client, f"HistoricalLocations({past})/Locations") == [place]


def test_entities_come_with_what_belongs_to_them_both_ways(client: TestClient) -> None:
    before = counts(client)
    down = {**THING, "Locations": [{**LOCATION, "HistoricalLocations": []}],
            "Datastreams": [{**DATASTREAM, "Observations": [{"result": 1, "FeatureOfInterest": FEATURE}, {"result": 2}]}]}  # fmt: skip
    made(client.post("Things", json=down))
    up = {"result": 3, "FeatureOfInterest": FEATURE, "Datastream": {**PLAIN, "Sensor": SENSOR, "ObservedProperty": PROPERTY,
          "Thing": {**THING, "Locations": [LOCATION]}}}  # fmt: skip
    one = made(client.post("Observations", json=up))
    assert (
        client.get(f"Observations({one})/Datastream/Thing/Locations").json()["value"][0]["location"] == POINT
    )
    stay = {
        "time": "2016-01-01T00:00:00Z",
        "Thing": {**THING, "Datastreams": [DATASTREAM]},
        "Locations": [LOCATION],
    }
    past = made(client.post("HistoricalLocations", json=stay))
    assert len(values(client, f"HistoricalLocations({past})/Thing/Datastreams")) == 1
    made(
        client.post(
            "Sensors",
            json={**SENSOR, "Datastreams": [{**PLAIN, "ObservedProperty": PROPERTY, "Thing": THING}]},
        )
    )
    made(client.post("Locations", json={**LOCATION, "Things": [{**THING, "Datastreams": [DATASTREAM]}]}))
    made(client.post("FeaturesOfInterest", json={**FEATURE, "Observations": [{"result": 4, "Datastream": {
        **DATASTREAM, "Thing": THING}}]}))  # fmt: skip
    after = counts(client)
    assert {name: after[name] - before[name] for name in SETS} == {
        "Things": 6, "Locations": 4, "HistoricalLocations": 4, "Datastreams": 6, "Sensors": 6, "ObservedProperties": 6,
        "Observations": 4, "FeaturesOfInterest": 4,
    }  # fmt: skip


def test_nothing_is_made_through_an_entity_that_does_not_exist(client: TestClient) -> None:
    before = counts(client)
    assert client.post("Things(99999)/Datastreams", json=DATASTREAM).status_code == 404
    assert client.post("Datastreams", json={**DATASTREAM, "Thing": refer(99999)}).status_code == 400
    assert client.post("Observations", json={"result": 1, "Datastream": refer(99999)}).status_code == 400
    assert client.post("Things", json={**THING, "Locations": [refer(99999)]}).status_code == 400
    assert counts(client) == before


@pytest.mark.parametrize("lacking", ["Thing", "Sensor", "ObservedProperty"])
def test_a_datastream_needs_its_three_relations(client: TestClient, lacking: str) -> None:
    body = {**DATASTREAM, "Thing": THING}
    del body[lacking]
    answer = client.post("Datastreams", json=body)
    assert (answer.status_code, answer.json()["place"]) == (400, f"/{lacking}")


def test_an_observation_needs_a_datastream_and_a_place(client: TestClient) -> None:
    answer = client.post("Observations", json={"result": 8, "FeatureOfInterest": FEATURE})
    assert (answer.status_code, answer.json()["place"]) == (400, "/Datastream")
    series = made(client.post("Datastreams", json={**DATASTREAM, "Thing": THING}))
    for extra in ({}, {"parameters": {"a": 1}}):
        answer = client.post("Observations", json={"result": 8, "Datastream": refer(series), **extra})
        assert (answer.status_code, answer.json()["place"]) == (400, "/FeatureOfInterest")
    answer = client.post("Observations", json={"Datastream": refer(series), "FeatureOfInterest": FEATURE})
    assert (answer.status_code, answer.json()["place"]) == (400, "/result")


def test_a_feature_is_made_of_the_location_that_is_a_geometry(client: TestClient) -> None:
    words = {"name": "adresse", "description": "d", "encodingType": "text/plain", "location": "1 rue Haute"}
    thing = made(
        client.post("Things", json=station(Locations=[words, LOCATION, {**words, "location": "au fond"}]))
    )
    one = made(client.post(f"Datastreams({series_of(client, thing)})/Observations", json={"result": 1}))
    assert client.get(f"Observations({one})/FeatureOfInterest").json()["feature"] == POINT


def test_a_phenomenon_time_is_given_to_what_has_none(client: TestClient) -> None:
    _, series = stationed(client)
    one = client.get(
        client.post(f"Datastreams({series})/Observations", json={"result": 1}).headers["location"]
    ).json()
    assert one["phenomenonTime"].startswith("2023-11-14T")
    assert one["resultTime"] is None


def test_a_location_given_to_a_thing_is_noted_with_its_time(client: TestClient) -> None:
    thing = made(client.post("Things", json=THING))
    assert ids(client, f"Things({thing})/HistoricalLocations") == []
    places = [made(client.post("Locations", json=LOCATION)) for _ in range(3)]
    client.patch(f"Things({thing})", json={"Locations": [refer(places[0])]})
    (past,) = ids(client, f"Things({thing})/HistoricalLocations")
    assert ids(client, f"HistoricalLocations({past})/Locations") == places[:1]
    assert (
        client.patch(f"HistoricalLocations({past})", json={"time": "2016-01-01T06:00:00Z"}).status_code == 200
    )
    later = {"time": "2016-01-01T07:00:00Z", "Thing": refer(thing), "Locations": [refer(places[1])]}
    made(client.post("HistoricalLocations", json=later))
    assert ids(client, f"Things({thing})/Locations") == [places[1]]
    earlier = {"time": "2016-01-01T05:00:00Z", "Thing": refer(thing), "Locations": [refer(places[2])]}
    made(client.post("HistoricalLocations", json=earlier))
    assert ids(client, f"Things({thing})/Locations") == [places[1]]
    assert len(ids(client, f"Things({thing})/HistoricalLocations")) == 3


def test_a_path_through_a_stranger_leads_nowhere_whatever_the_method(client: TestClient) -> None:
    thing, series = stationed(client)
    other = made(client.post("Things", json=THING))
    body = {"phenomenonTime": "2015-03-01T03:00:00.000Z", "result": 300}
    one = made(client.post(f"Things({thing})/Datastreams({series})/Observations", json=body))
    good, bad = (f"Things({t})/Datastreams({series})/Observations({one})" for t in (thing, other))
    assert client.post(f"Things({other})/Datastreams({series})/Observations", json=body).status_code == 404
    for ask in (client.get, client.delete):
        assert ask(bad).status_code == 404
    for change in (client.put, client.patch):
        assert change(bad, json={**body, "result": 302}).status_code == 404
        assert change(good, json={**body, "result": 301}).json()["result"] == 301
    assert client.get(good).json()["result"] == 301
    assert client.delete(good).status_code == 200
    assert client.get(good).status_code == 404


def test_a_deleted_automatic_feature_is_made_again(client: TestClient) -> None:
    _, series = stationed(client)
    first = made(client.post(f"Datastreams({series})/Observations", json={"result": 1}))
    feature = client.get(f"Observations({first})/FeatureOfInterest").json()["@iot.id"]
    assert client.delete(f"FeaturesOfInterest({feature})").status_code == 200
    assert client.get(f"Observations({first})").status_code == 404
    second = made(client.post(f"Datastreams({series})/Observations", json={"result": 1}))
    again = client.get(f"Observations({second})/FeatureOfInterest").json()["@iot.id"]
    assert again != feature
    third = made(client.post("Observations", json={"result": 1, "Datastream": refer(series)}))
    assert client.get(f"Observations({third})/FeatureOfInterest").json()["@iot.id"] == again


def test_body_and_address_that_name_two_datastreams_are_refused(client: TestClient) -> None:
    (_, series), (thing, other) = stationed(client), stationed(client)
    answer = client.post(
        f"Datastreams({series})/Observations", json={"result": 1, "Datastream": refer(other)}
    )
    assert (answer.status_code, answer.json()["place"]) == (400, "/Datastream")
    body = {**DATASTREAM, "Thing": refer(thing)}
    assert client.post(f"Things({thing + 1000})/Datastreams", json=body).status_code == 404
    assert client.post("Things", json={**THING, "Datastreams": [body]}).status_code == 400


def test_body_and_address_that_name_the_same_datastream_agree(client: TestClient) -> None:
    _, series = stationed(client)
    for named in (refer(series), {"@iot.id": str(series)}, {"id": series, "name": "autre chose"}):
        one = made(
            client.post(f"Datastreams({series})/Observations", json={"result": 1, "Datastream": named})
        )
        assert client.get(f"Observations({one})/Datastream").json()["@iot.id"] == series


def test_text_of_any_script_comes_back(client: TestClient) -> None:
    text = "Hôtel de ville — 町役場 🏛️ \u202eabc\u202c \"'\\/\t"
    thing = made(
        client.post("Things", json={"name": text, "description": text, "properties": {text: [text]}})
    )
    shown = client.get(f"Things({thing})").json()
    assert (shown["name"], shown["properties"]) == (text, {text: [text]})
    assert client.get(f"Things({thing})/name/$value").text == text


# --- the types of results
@pytest.mark.parametrize(
    "result",
    ["true", "false", '"fourty two"', '"42"', "1", "-0.0", "2.00", "1e400", "12345678901234567890", '{"a":1.10,"b":[null,"x"]}',
     "{}", '["fourty two",42,{"a":1.0}]', "[]", "null", '""'],
)  # fmt: skip
@pytest.mark.parametrize("careful", [False, True])
def test_a_result_comes_back_as_it_was_sent(client: TestClient, result: str, careful: bool) -> None:
    _, series = stationed(client)
    extra = ',"parameters":{"a":1}' if careful else ""
    answer = client.post(f"Datastreams({series})/Observations", content=f'{{"result":{result}{extra}}}')
    if result == "1e400":
        assert answer.status_code == 400
        return
    one = made(answer)
    assert f'"result":{result},' in client.get(f"Observations({one})").text
    shown = msgspec.json.decode(client.get(f"Observations({one})").content, type=dict[str, msgspec.Raw])
    assert bytes(shown["result"]).decode() == result
    other = '"other"'
    assert client.patch(f"Observations({one})", content=f'{{"result":{other}}}').json()["result"] == "other"
    assert client.patch(f"Observations({one})", content=f'{{"result":{result}}}').status_code == 200
    assert f'"result":{result},' in client.get(f"Observations({one})").text


@pytest.mark.parametrize("quality", [{"a": [1.50, None]}, [{"nom": "x"}, 2], "bon", 3, False])
def test_a_result_quality_of_any_kind_comes_back(client: TestClient, quality: Any) -> None:
    _, series = stationed(client)
    body = {
        "result": 1, "resultQuality": quality, "parameters": {"p": 1}, "resultTime": "2020-01-01T00:00:00+01:00",
        "validTime": "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z", "phenomenonTime": "2020-01-01T00:00:00Z/2020-01-01T01:00:00Z",
    }  # fmt: skip
    one = made(client.post(f"Datastreams({series})/Observations", json=body))
    shown = client.get(f"Observations({one})").json()
    assert {k: shown[k] for k in body} == {**body, "resultTime": "2019-12-31T23:00:00Z"}
    changed = client.patch(f"Observations({one})", json={"resultQuality": "autre"}).json()
    assert {k: changed[k] for k in ("resultQuality", "parameters", "validTime")} == {
        "resultQuality": "autre", "parameters": {"p": 1}, "validTime": body["validTime"],
    }  # fmt: skip
    assert "parameters" not in client.patch(f"Observations({one})", json={"parameters": None}).json()
    whole = client.put(
        f"Observations({one})", json={"result": 2, "phenomenonTime": "2020-01-01T00:00:00Z"}
    ).json()
    assert [whole.get(k) for k in ("result", "resultQuality", "validTime", "resultTime")] == [
        2,
        None,
        None,
        None,
    ]


# --- updating
NEW: dict[str, dict[str, Any]] = {
    "Things": {"name": "n", "description": "d"},
    "Locations": {"name": "n", "description": "d", "encodingType": "application/vnd.geo+json",
                  "location": {"type": "Point", "coordinates": [-114.05, 50]}},
    "HistoricalLocations": {"time": "2015-08-01T00:00:00Z"},
    "Datastreams": {"name": "n", "description": "d", "observationType": "t",
                    "unitOfMeasurement": {"name": "a", "symbol": "b", "definition": "c"}},
    "Sensors": {"name": "n", "description": "d", "encodingType": "application/pdf", "metadata": {"a": [1.0]}},
    "ObservedProperties": {"name": "n", "definition": "http://a.test/x", "description": "d"},
    "FeaturesOfInterest": {"name": "n", "description": "d", "encodingType": "application/vnd.geo+json",
                           "feature": {"type": "Point", "coordinates": [0, 50]}},
    "Observations": {"result": 5, "phenomenonTime": "2015-08-01T00:00:00Z"},
}  # fmt: skip


def one_of_each(client: TestClient) -> dict[str, int]:
    body = station()
    body["Datastreams"][0] |= {
        "properties": {"a": 1},
        "Observations": [{"result": 1, "parameters": {"a": 1}}],
    }
    for part in (
        body["Locations"][0],
        body["Datastreams"][0]["Sensor"],
        body["Datastreams"][0]["ObservedProperty"],
    ):
        part["properties"] = {"a": 1}
    thing = made(client.post("Things", json=body))
    (series,) = values(
        client,
        f"Things({thing})/Datastreams?$expand=Sensor,ObservedProperty,Observations($expand=FeatureOfInterest)",
    )
    (one,) = series["Observations"]
    return {
        "Things": thing, "Locations": ids(client, f"Things({thing})/Locations")[0], "Datastreams": series["@iot.id"],
        "HistoricalLocations": ids(client, f"Things({thing})/HistoricalLocations")[0], "Observations": one["@iot.id"],
        "Sensors": series["Sensor"]["@iot.id"], "ObservedProperties": series["ObservedProperty"]["@iot.id"],
        "FeaturesOfInterest": one["FeatureOfInterest"]["@iot.id"],
    }  # fmt: skip


@pytest.mark.parametrize("set_name", SETS)
def test_patch_changes_what_it_names_and_nothing_else(client: TestClient, set_name: str) -> None:
    address = f"{set_name}({one_of_each(client)[set_name]})"
    for name, value in NEW[set_name].items():
        before = client.get(address).json()
        answer = client.patch(address, json={name: value})
        assert answer.status_code == 200
        assert client.get(address).json() == {**before, name: value} == answer.json()


@pytest.mark.parametrize("set_name", SETS)
def test_put_replaces_all_and_empties_what_is_not_given(client: TestClient, set_name: str) -> None:
    address = f"{set_name}({one_of_each(client)[set_name]})"
    before = client.get(address).json()
    assert client.put(address, json=NEW[set_name]).status_code == 200
    after = client.get(address).json()
    kept = {k: v for k, v in before.items() if "@iot" in k}
    always = {"resultTime": None} if set_name == "Observations" else {}
    always |= {"phenomenonTime": before["phenomenonTime"]} if set_name == "Datastreams" else {}
    assert after == {**kept, **always, **NEW[set_name]}


@pytest.mark.parametrize("set_name", [s for s in SETS if s != "Observations"])
def test_put_without_something_mandatory_is_refused(client: TestClient, set_name: str) -> None:
    address = f"{set_name}({one_of_each(client)[set_name]})"
    before = client.get(address).json()
    for name in NEW[set_name]:
        body = {k: v for k, v in NEW[set_name].items() if k != name}
        answer = client.put(address, json=body)
        assert (answer.status_code, answer.json()["place"]) == (400, f"/{name}")
        assert client.patch(address, json={name: None}).status_code == 400
    assert client.get(address).json() == before


def test_an_update_makes_no_other_entities(client: TestClient) -> None:
    known = one_of_each(client)
    before = counts(client)
    inline = {
        "Things": ({"Locations": [LOCATION]}, {"Datastreams": [DATASTREAM]}),
        "Sensors": ({"Datastreams": [DATASTREAM]},), "ObservedProperties": ({"Datastreams": [DATASTREAM]},),
        "Datastreams": ({"ObservedProperty": PROPERTY}, {"Sensor": SENSOR}, {"Thing": THING}, {"Observations": [{"result": 1}]}),
        "Observations": ({"FeatureOfInterest": FEATURE}, {"Datastream": DATASTREAM}),
    }  # fmt: skip
    for set_name, bodies in inline.items():
        for body in bodies:
            assert client.patch(f"{set_name}({known[set_name]})", json=body).status_code == 400, body
    assert (
        client.patch(f"Locations({known['Locations']})", json={"location": {"type": "Point"}}).status_code
        == 400
    )
    assert counts(client) == before


def test_an_update_may_tie_an_entity_to_others(client: TestClient) -> None:
    known, other = one_of_each(client), one_of_each(client)
    series = f"Datastreams({known['Datastreams']})"
    ties = {"Thing": "Things", "Sensor": "Sensors", "ObservedProperty": "ObservedProperties"}
    assert client.patch(series, json={name: refer(other[s]) for name, s in ties.items()}).status_code == 200
    for name, set_name in ties.items():
        assert client.get(f"{series}/{name}").json()["@iot.id"] == other[set_name]
        assert client.patch(series, json={name: refer(99999)}).status_code == 400
        assert client.patch(series, json={name: None}).status_code == 400
    one = f"Observations({known['Observations']})"
    moved = {
        "Datastream": refer(other["Datastreams"]),
        "FeatureOfInterest": refer(other["FeaturesOfInterest"]),
    }
    assert client.patch(one, json=moved).status_code == 200
    assert client.get(f"{one}/Datastream").json()["@iot.id"] == other["Datastreams"]
    assert client.patch(one, json={"Datastream": refer(99999)}).status_code == 400


# --- tying by reference
def test_relations_to_several_are_tied_and_untied_by_ref(client: TestClient) -> None:
    thing = made(client.post("Things", json=THING))
    places = [made(client.post("Locations", json=LOCATION)) for _ in range(3)]
    address = f"Things({thing})/Locations"
    for place, reference in zip(places, (refer(places[0]), {"@odata.id": f"../Locations({places[1]})"},
                                         {"@iot.selfLink": f"http://a.test/v1.1/Locations({places[2]})"}), strict=True):  # fmt: skip
        assert client.post(f"{address}/$ref", json=reference).status_code == 204
        assert place in ids(client, address)
    assert len(ids(client, f"Things({thing})/HistoricalLocations")) == 3
    assert client.post(f"{address}/$ref", json=refer(places[0])).status_code == 204
    assert len(ids(client, f"Things({thing})/HistoricalLocations")) == 3
    assert client.delete(f"{address}({places[1]})/$ref").status_code == 204
    assert ids(client, address) == [places[0], places[2]]
    assert client.delete(f"{address}/$ref?$id=Locations({places[2]})").status_code == 204
    assert client.delete(f"{address}/$ref?$id=Locations({places[2]})").status_code == 404
    assert client.delete(f"{address}/$ref").status_code == 400
    assert client.put(f"{address}/$ref", json=[refer(p) for p in places[1:]]).status_code == 204
    assert ids(client, address) == places[1:]
    for wrong in ({}, {"@iot.id": 99999}, {"@odata.id": "../Things(1)"}, [], "x"):
        assert client.post(f"{address}/$ref", json=wrong).status_code == 400, wrong
    assert client.post(f"Things({thing + 1000})/Locations/$ref", json=refer(places[0])).status_code == 404
    back = f"Locations({places[0]})/Things"
    assert client.post(f"{back}/$ref", json=refer(thing)).status_code == 204
    assert ids(client, address) == places
    assert client.delete(f"{back}({thing})/$ref").status_code == 204
    assert ids(client, address) == places[1:]
    assert client.put(f"{back}/$ref", json=[refer(thing)]).status_code == 204
    assert client.put(f"{back}/$ref", json=[]).status_code == 204
    assert ids(client, address) == places[1:]


def test_relations_to_one_are_tied_by_ref_from_both_sides(client: TestClient) -> None:
    known, other = one_of_each(client), one_of_each(client)
    series, one = f"Datastreams({known['Datastreams']})", f"Observations({known['Observations']})"
    assert client.put(f"{series}/Sensor/$ref", json=refer(other["Sensors"])).status_code == 204
    assert client.get(f"{series}/Sensor").json()["@iot.id"] == other["Sensors"]
    assert client.put(f"{series}/Sensor/$ref", json=[refer(other["Sensors"])]).status_code == 400
    assert client.delete(f"{series}/Sensor/$ref?$id=Sensors({other['Sensors']})").status_code == 400
    assert (
        client.post(
            f"Things({other['Things']})/Datastreams/$ref", json=refer(known["Datastreams"])
        ).status_code
        == 204
    )
    assert client.get(f"{series}/Thing").json()["@iot.id"] == other["Things"]
    assert client.put(f"Things({other['Things']})/Datastreams/$ref", json=[]).status_code == 400
    assert (
        client.put(f"{one}/FeatureOfInterest/$ref", json=refer(other["FeaturesOfInterest"])).status_code
        == 204
    )
    assert client.get(f"{one}/FeatureOfInterest").json()["@iot.id"] == other["FeaturesOfInterest"]
    assert client.put(f"{one}/Datastream/$ref", json=refer(other["Datastreams"])).status_code == 204
    assert known["Observations"] in ids(client, f"Datastreams({other['Datastreams']})/Observations")
    assert client.post(f"{series}/Observations/$ref", json=refer(known["Observations"])).status_code == 204
    assert ids(client, f"{series}/Observations") == [known["Observations"]]


# --- JSON Patch (RFC 6902)
def test_json_patch_adds_copies_and_moves(client: TestClient) -> None:
    known = one_of_each(client)
    for address in (
        f"Things({known['Things']})",
        f"Datastreams({known['Datastreams']})",
        f"Sensors({known['Sensors']})",
    ):

        def patch(*operations: dict[str, Any], address: str = address) -> Any:
            return client.patch(address, json=list(operations), headers=PATCH)

        assert patch({"op": "add", "path": "/properties", "value": {"key1": 1}}).json()["properties"] == {
            "key1": 1
        }
        moved = patch({"op": "copy", "from": "/properties/key1", "path": "/properties/keyCopy1"},
                      {"op": "move", "from": "/properties/key1", "path": "/properties/key2"}).json()  # fmt: skip
        assert moved["properties"] == {"keyCopy1": 1, "key2": 1}
        listed = patch({"op": "add", "path": "/properties/l", "value": [1]}, {"op": "add", "path": "/properties/l/0", "value": 0},
                       {"op": "add", "path": "/properties/l/-", "value": 2}, {"op": "remove", "path": "/properties/l/1"})  # fmt: skip
        assert listed.json()["properties"]["l"] == [0, 2]
        before = client.get(address).json()
        for wrong in (
            [{"op": "replace", "path": "/name", "value": "x"}, {"op": "test", "path": "/description", "value": "no"}],
            [{"op": "replace", "path": "/name", "value": "x"}, {"op": "remove", "path": "/properties/nothing"}],
            [{"op": "remove", "path": "/name"}], [{"op": "replace", "path": "/name", "value": 3}],
            [{"op": "add", "path": "/colour", "value": 3}], [{"op": "shout", "path": "/name"}], [{"op": "replace", "path": ""}],
        ):  # fmt: skip
            assert patch(*wrong).status_code == 400, wrong
        assert client.get(address).json() == before


def test_json_patch_that_changes_nothing_is_taken(client: TestClient) -> None:
    thing = made(client.post("Things", json={**THING, "properties": {"key1": 2}}))
    before = client.get(f"Things({thing})").json()
    for operations in (
        [{"op": "replace", "path": "/properties/key1", "value": 2}],
        [],
        [{"op": "test", "path": "/name", "value": "station"}],
    ):
        answer = client.patch(f"Things({thing})", json=operations, headers=PATCH)
        assert (answer.status_code, answer.json()) == (200, before)
    assert len(values(client, f"Things({thing})/Versions")) == 1


def test_json_patch_reaches_relations_to_one(client: TestClient) -> None:
    known, other = one_of_each(client), one_of_each(client)
    series = f"Datastreams({known['Datastreams']})"
    operations = [{"op": "test", "path": "/Thing/@iot.id", "value": known["Things"]},
                  {"op": "replace", "path": "/Sensor/@iot.id", "value": other["Sensors"]},
                  {"op": "replace", "path": "/unitOfMeasurement/symbol", "value": "K"}]  # fmt: skip
    assert client.patch(series, json=operations, headers=PATCH).json()["unitOfMeasurement"]["symbol"] == "K"
    assert client.get(f"{series}/Sensor").json()["@iot.id"] == other["Sensors"]
    assert client.patch(series, json=[{"op": "remove", "path": "/Sensor"}], headers=PATCH).status_code == 400
    one = f"Observations({known['Observations']})"
    operations = [
        {"op": "replace", "path": "/result", "value": 9.5},
        {"op": "add", "path": "/parameters/b", "value": 2},
    ]
    shown = client.patch(one, json=operations, headers=PATCH).json()
    assert (shown["result"], shown["parameters"]) == (9.5, {"a": 1, "b": 2})


# --- deleting
CASCADE = {
    "Things": {"Things", "HistoricalLocations", "Datastreams", "Observations"},
    "Locations": {"Locations", "HistoricalLocations"}, "HistoricalLocations": {"HistoricalLocations"},
    "Datastreams": {"Datastreams", "Observations"}, "Sensors": {"Sensors", "Datastreams", "Observations"},
    "ObservedProperties": {"ObservedProperties", "Datastreams", "Observations"}, "Observations": {"Observations"},
    "FeaturesOfInterest": {"FeaturesOfInterest", "Observations"},
}  # fmt: skip


@pytest.mark.parametrize("set_name", SETS)
def test_deleting_takes_along_what_cannot_stand_without(client: TestClient, set_name: str) -> None:
    known = one_of_each(client)
    before = counts(client)
    assert client.delete(f"{set_name}({known[set_name]})").status_code == 200
    after = counts(client)
    assert {name for name in SETS if after[name] == before[name] - 1} == CASCADE[set_name]
    for name in SETS:
        assert client.get(f"{name}({known[name]})").status_code == (404 if name in CASCADE[set_name] else 200)


@pytest.mark.parametrize("set_name", SETS)
def test_deleting_what_does_not_exist_is_told(client: TestClient, set_name: str) -> None:
    assert client.delete(f"{set_name}(999999)").status_code == 404


def test_a_filter_chooses_what_is_deleted(client: TestClient) -> None:
    thing, series = stationed(client)
    for n in range(6):
        made(
            client.post(
                f"Datastreams({series})/Observations",
                json={"result": n, "phenomenonTime": f"2020-01-01T0{n}:00:00Z"},
            )
        )
    address = f"Datastreams({series})/Observations"
    others = client.get("Observations/$count").text
    assert client.delete(f"{address}?$filter=phenomenonTime lt 2020-01-01T02:00:00Z").status_code == 200
    assert [o["result"] for o in values(client, address)] == [2, 3, 4, 5]
    assert int(client.get("Observations/$count").text) == int(others) - 2
    assert client.delete(address).status_code == 400
    assert client.delete(f"{address}?$filter=nothing eq 1").status_code == 400
    assert client.delete(f"Observations?$filter=Datastream/id eq {series} and result ge 4").status_code == 200
    assert [o["result"] for o in values(client, address)] == [2, 3]
    assert client.delete(f"Things?$filter=id eq {thing}").status_code == 200
    assert client.get(f"Datastreams({series})").status_code == 404


def test_every_pair_of_methods_refuses_a_set_or_the_root(client: TestClient) -> None:
    for change, address in itertools.product((client.put, client.patch), ("Things", "")):
        assert change(address, json=copy.deepcopy(THING)).status_code == 405
