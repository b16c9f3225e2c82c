"""SensorThings over HTTP: reading and writing the eight entity sets, and what is refused."""

import msgspec
from starlette.testclient import TestClient
from tests.sensorthings_town import (
    LOCATION,
    MEASUREMENT,
    POINT,
    PROPERTY,
    ROOT,
    SENSOR,
    THING,
    UNIT,
    client_of,
    ids,
    made,
    series_of,
    station,
    values,
)

from beffroi.standards.sensorthings.entities import BY_NAME, ENTITIES, TASKING
from beffroi.town import Town

PART_1 = tuple(e for e in ENTITIES if e.name not in TASKING)


def test_the_root_lists_the_sets_and_what_is_declared(sta: TestClient) -> None:
    answer = sta.get(ROOT)
    assert answer.status_code == 200
    assert sta.get(ROOT.rstrip("/")).content == answer.content
    listed = {one["name"]: one["url"] for one in answer.json()["value"]}
    assert listed == {e.set_name: f"{ROOT}{e.set_name}" for e in PART_1}
    assert (
        len(answer.json()["serverSettings"]["conformance"]) == 54 + 7
    )  # of part 1 and extensions, of part 2


def test_deep_insert_makes_everything_once(sta: TestClient) -> None:
    body = station()
    body["Datastreams"][0]["Observations"] = [{"phenomenonTime": "2020-01-01T00:00:00Z", "result": 1}]
    thing = made(sta.post("Things", json=body))
    for entity in PART_1:
        assert len(values(sta, entity.set_name)) == int(entity.multi is not True), entity.set_name
    (shown,) = values(sta, f"Things({thing})/Locations")
    assert shown["location"] == POINT
    (history,) = values(sta, f"Things({thing})/HistoricalLocations?$expand=Locations")
    assert history["Locations"][0]["@iot.id"] == shown["@iot.id"]
    (feature,) = values(sta, "FeaturesOfInterest")
    assert feature["feature"] == POINT


def test_the_eight_sets_are_made_alone_by_reference(sta: TestClient) -> None:
    thing, place = made(sta.post("Things", json=THING)), made(sta.post("Locations", json=LOCATION))
    sensor, seen = made(sta.post("Sensors", json=SENSOR)), made(sta.post("ObservedProperties", json=PROPERTY))
    series = made(
        sta.post(
            "Datastreams",
            json={
                "name": "a", "description": "b", "observationType": MEASUREMENT, "unitOfMeasurement": UNIT,
                # references may carry the whole entity, and 1.0 bodies say "id"
                "Thing": {"@iot.id": thing, "name": "whatever", "@iot.selfLink": "x"}, "Sensor": {"id": sensor},
                "ObservedProperty": {"@iot.id": seen},
            },
        )
    )  # fmt: skip
    feature = made(sta.post("FeaturesOfInterest", json={"name": "f", "description": "g", "encodingType": "application/vnd.geo+json", "feature": POINT}))  # fmt: skip
    history = made(sta.post("HistoricalLocations", json={"time": "2019-01-01T00:00:00Z", "Thing": {"@iot.id": thing}, "Locations": [{"@iot.id": place}]}))  # fmt: skip
    one = made(sta.post("Observations", json={"result": 3, "Datastream": {"@iot.id": series}, "FeatureOfInterest": {"@iot.id": feature}}))  # fmt: skip
    assert sta.get(f"Observations({one})/FeatureOfInterest").json()["@iot.id"] == feature
    assert sta.get(f"Observations({one})/Datastream/Thing").json()["@iot.id"] == thing
    assert sta.get(f"HistoricalLocations({history})/Thing").json()["@iot.id"] == thing
    assert ids(sta, f"Things({thing})/Locations") == [place]  # the newest history is where the Thing is
    assert ids(sta, f"Sensors({sensor})/Datastreams({series})/ObservedProperty/Datastreams") == [series]
    assert ids(sta, f"FeaturesOfInterest({feature})/Observations") == [one]


def test_digits_come_back_as_they_came(sta: TestClient, sta_town: Town) -> None:
    series = series_of(sta, made(sta.post("Things", json=station())))
    written = ["2.00", "1e3", "-0.10", "12345678901234567890", "0", "1.7976931348623157E308", '"douze"', "true", "null",
               '{"a":1.50,"b":[1.0]}', "[1.10,2]"]  # fmt: skip
    made_ids = []
    for i, text in enumerate(written):
        body = f'{{"result":{text},"Datastream":{{"@iot.id":{series}}},"phenomenonTime":"2020-01-01T00:{i:02}:00Z"}}'
        made_ids.append(made(sta.post("Observations", content=body)))
    rows = ",".join(f'["2021-01-01T00:{i:02}:00Z",{text}]' for i, text in enumerate(written))
    body = f'[{{"Datastream":{{"@iot.id":{series}}},"components":["phenomenonTime","result"],"dataArray":[{rows}]}}]'
    answer = sta.post("CreateObservations", content=body)
    assert answer.status_code == 201
    made_ids += [int(link.rpartition("(")[2].rstrip(")")) for link in answer.json()]
    for one, text in zip(made_ids, written * 2, strict=True):
        shown = sta.get(f"Observations({one})").content
        assert f'"result":{text},'.encode() in shown
        value = sta.get(f"Observations({one})/result/$value")
        if text != "null":
            assert value.text == text.strip('"')
    page = msgspec.json.decode(
        sta.get("Observations?$resultFormat=dataArray").content, type=dict[str, msgspec.Raw]
    )
    for text in written:
        assert f'Z",{text},'.encode() in bytes(page["value"])


def test_times_of_an_observation(sta: TestClient) -> None:
    series = series_of(sta, made(sta.post("Things", json=station())))
    link = {"Datastream": {"@iot.id": series}}
    one = made(sta.post("Observations", json={"result": 1, **link}))
    shown = sta.get(f"Observations({one})").json()
    assert shown["resultTime"] is None
    assert sta.get(f"Observations({one})/resultTime").json() == {"resultTime": None}
    assert sta.get(f"Observations({one})/parameters").status_code == 204
    assert shown["phenomenonTime"].startswith("2023-11-14T22:13:2")  # now
    body = {"phenomenonTime": "2020-01-01T01:00:00+01:00/2020-01-01T02:00:00.5+01:00", "resultTime": "2020-01-01T03:00:00+02",
            "result": 1, "resultQuality": "Bon", "validTime": "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z",
            "parameters": {"seuil": 1.50}, **link}  # fmt: skip
    shown = sta.get(f"Observations({made(sta.post('Observations', json=body))})").json()
    assert shown["phenomenonTime"] == "2020-01-01T00:00:00Z/2020-01-01T01:00:00.500Z"
    assert shown["resultTime"] == "2020-01-01T01:00:00Z"
    assert (shown["resultQuality"], shown["parameters"]) == ("Bon", {"seuil": 1.5})


def test_the_feature_of_a_place_is_made_once_and_follows_the_thing(sta: TestClient) -> None:
    thing = made(sta.post("Things", json=station()))
    series = series_of(sta, thing)
    body = {"result": 1, "Datastream": {"@iot.id": series}}
    first, second = (made(sta.post("Observations", json=body)) for _ in range(2))
    features = [
        sta.get(f"Observations({one})/FeatureOfInterest").json()["@iot.id"] for one in (first, second)
    ]
    assert features[0] == features[1]
    assert sta.patch(f"Things({thing})", json={"Locations": []}).status_code == 200
    moved = sta.post(
        f"Things({thing})/Locations", json={**LOCATION, "location": {"type": "Point", "coordinates": [3, 45]}}
    )
    assert len(values(sta, f"Things({thing})/Locations")) == 1
    assert len(values(sta, f"Things({thing})/HistoricalLocations")) == 2
    third = made(sta.post("Observations", json=body))
    feature = sta.get(f"Observations({third})/FeatureOfInterest").json()
    assert feature["@iot.id"] != features[0]
    assert feature["feature"]["coordinates"] == [3, 45]
    # a Location that is corrected leaves what was measured at the old place
    sta.patch(f"Locations({made(moved)})", json={"location": {"type": "Point", "coordinates": [4, 45]}})
    fourth = made(sta.post("Observations", json=body))
    assert sta.get(f"Observations({fourth})/FeatureOfInterest").json()["feature"]["coordinates"] == [4, 45]
    assert sta.get(f"Observations({third})/FeatureOfInterest").json()["feature"]["coordinates"] == [3, 45]


def test_an_observation_without_any_place_is_refused(sta: TestClient) -> None:
    series = series_of(sta, made(sta.post("Things", json=station(Locations=[]))))
    body = {"result": 1, "Datastream": {"@iot.id": series}}
    for one in (body, {**body, "resultQuality": "bon"}):
        answer = sta.post("Observations", json=one)
        assert (answer.status_code, answer.json()["place"]) == (400, "/FeatureOfInterest")
    array = [{"Datastream": {"@iot.id": series}, "components": ["result"], "dataArray": [[1]]}]
    assert "error" in sta.post("CreateObservations", json=array).json()[0]
    assert values(sta, "Observations") == []
    feature = {"name": "f", "description": "g", "encodingType": "application/geo+json", "feature": POINT}
    made(sta.post("Observations", json={**body, "FeatureOfInterest": feature}))


def test_patch_put_and_json_patch(sta: TestClient) -> None:
    thing = made(sta.post("Things", json=station()))
    answer = sta.patch(f"Things({thing})", json={"description": "autre"})
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["description"]) == ("station", "autre")
    patch = [
        {"op": "replace", "path": "/properties/rang", "value": 2},
        {"op": "test", "path": "/name", "value": "station"},
    ]
    answer = sta.patch(
        f"Things({thing})", json=patch, headers={"content-type": "application/json-patch+json"}
    )
    assert answer.json()["properties"] == {"rang": 2, "où": {"rive": "gauche"}}
    answer = sta.put(f"Things({thing})", json={"name": "neuve", "description": "x"})
    assert answer.status_code == 200
    assert "properties" not in answer.json()
    assert sta.put(f"Things({thing})", json={"name": "neuve"}).status_code == 400
    assert len(values(sta, f"Things({thing})/Datastreams")) == 1
    series = series_of(sta, thing)
    one = made(sta.post("Observations", json={"result": 1, "Datastream": {"@iot.id": series}}))
    assert sta.patch(f"Observations({one})", content=b'{"result": 2.50}').status_code == 200
    assert b'"result":2.50,' in sta.get(f"Observations({one})").content
    assert (
        sta.put(
            f"Observations({one})", content=b'{"result":[1.0],"phenomenonTime":"2020-01-01T00:00:00Z"}'
        ).status_code
        == 200
    )
    assert sta.get(f"Observations({one})/phenomenonTime").json() == {"phenomenonTime": "2020-01-01T00:00:00Z"}
    unit = {"name": "Kelvin", "symbol": "K", "definition": "ucum:K"}
    assert (
        sta.patch(f"Datastreams({series})", json={"unitOfMeasurement": unit}).json()["unitOfMeasurement"]
        == unit
    )
    other = made(sta.post("Things", json=THING))
    assert sta.patch(f"Datastreams({series})", json={"Thing": {"@iot.id": other}}).status_code == 200
    assert ids(sta, f"Things({other})/Datastreams") == [series]


WRONG_UPDATES = [
        ("Things", {"Locations": [LOCATION]}),
        ("Things", {"Datastreams": [{"name": "x"}]}),
        ("Things", {"name": 5}),
        ("Things", {"name": None}),
        ("Things", {"couleur": "rouge"}),
        ("Things", {"properties": "x"}),
        ("Things", 5),
        ("Datastreams", {"Thing": THING}),
        ("Datastreams", {"Sensor": SENSOR}),
        ("Datastreams", {"Observations": [{"result": 1}]}),
        ("Datastreams", {"Thing": {"@iot.id": 999_999}}),
        ("Sensors", {"Datastreams": [{"name": "x"}]}),
        ("HistoricalLocations", {"time": "hier"}),
        (
            "Locations",
            {"location": {"type": "Pont", "coordinates": [1, 2]}, "encodingType": "application/geo+json"},
        ),
    ]  # fmt: skip


def test_an_update_that_is_wrong_changes_nothing(sta: TestClient) -> None:
    made(sta.post("Things", json=station()))
    for address, body in WRONG_UPDATES:
        one = ids(sta, address)[0]
        before = sta.get(f"{address}({one})").content
        answer = sta.patch(f"{address}({one})", json=body)
        assert answer.status_code == 400
        assert answer.json()["message"]
        assert sta.get(f"{address}({one})").content == before


def test_deleting_takes_along_what_cannot_stand_alone(sta: TestClient) -> None:
    def population() -> dict[str, int]:
        counted = [e for e in PART_1 if e.multi is not True]
        return {e.name: sta.get(f"{e.set_name}?$count=true&$top=0").json()["@iot.count"] for e in counted}

    def full() -> None:
        series = series_of(sta, made(sta.post("Things", json=station())))
        made(sta.post("Observations", json={"result": 1, "Datastream": {"@iot.id": series}}))
        assert set(population().values()) == {1}

    gone = {
        "Thing": {"Thing", "HistoricalLocation", "Datastream", "Observation"},
        "Location": {"Location", "HistoricalLocation"},
        "HistoricalLocation": {"HistoricalLocation"},
        "Datastream": {"Datastream", "Observation"},
        "Sensor": {"Sensor", "Datastream", "Observation"},
        "ObservedProperty": {"ObservedProperty", "Datastream", "Observation"},
        "Observation": {"Observation"},
        "FeatureOfInterest": {"FeatureOfInterest", "Observation"},
    }
    for name, lost in gone.items():
        full()
        address = f"{BY_NAME[name].set_name}({ids(sta, BY_NAME[name].set_name)[0]})"
        assert sta.delete(address).status_code == 200
        assert sta.get(address).status_code == 404
        assert sta.delete(address).status_code == 404
        assert {n for n, count in population().items() if count == 0} == lost
        for entity in PART_1:
            for one in ids(sta, entity.set_name):
                sta.delete(f"{entity.set_name}({one})")


ADDRESSES = [
        ("Nothing", 404), ("Things(1)/Nothing", 404), ("Things(1)", 404), ("Things('abc')", 404), ("Things(-1)", 404),
        ("Things(99999999999999999999)", 404), ("Things(1", 404), ("Things()", 400), ("Things(1;2)", 400),
        ("Things/name", 404), ("Things/$value", 404), ("Observations(1)/Datastream", 404), ("Things?$top=x", 400),
        ("Things?$top=-1", 400), ("Things?$skip=1.5", 400), ("Things?$count=maybe", 400), ("Things?$nope=1", 400),
        ("Things?$top=1&$top=2", 400), ("Things?$select=colour", 400), ("Things?$expand=colour", 400),
        ("Things?$expand=Datastreams($top=)", 400), ("Things?$filter=", 400), ("Things?$orderby=Datastreams/name", 400),
        ("Things?$skiptoken=xyz", 400), ("Things?$skiptoken=WzEsMl0", 400), ("Things?$resultFormat=xml", 400),
        ("Things?$resultFormat=dataArray", 400), ("Observations?$skiptoken=W3sieCI6MX1d", 400),
        ("Things?$filter=name%20eq%20%27%00%27", 400), ("Things?$filter=id%20eq%2099999999999999999999", 200),
        ("Observations?$filter=result%20div%200%20eq%201", 200), ("Observations?$filter=result%20mod%200%20eq%201", 200),
        ("Things?$skip=999999999999999", 200),
    ]  # fmt: skip


def test_addresses_that_lead_nowhere_or_are_wrong(sta: TestClient) -> None:
    for address, status in ADDRESSES:
        answer = sta.get(address)
        assert answer.status_code == status, (address, answer.text)
        if status != 200:
            assert answer.json()["place"]
            assert answer.json()["texts"]["fr"][0]


WRONG_BODIES = [
        ("Things", b"{", "byte 1"),
        ("Things", b"\xff", "byte 0"),
        ("Things", b"[]", ""),
        ("Things", b'{"name":"x"}', "/description"),
        ("Things", b'{"name":"x","description":5}', "/description"),
        ("Things", b'{"name":"x","description":"y","Datastreams":[{}]}', "/Datastreams/0/name"),
        ("Things", b'{"name":"x","description":"y","Locations":{}}', "/Locations"),
        ("Things", b'{"name":"x","description":"y","Locations":[{"@iot.id":77}]}', ""),
        ("Observations", b'{"result":1}', "/Datastream"),
        ("Observations", b'{"result":1,"Datastream":{"@iot.id":77}}', "/Datastream"),
        ("Observations", b'{"result":1,"Datastream":{"@iot.id":"x"}}', "/Datastream/name"),
        ("Observations", b'{"Datastream":{"@iot.id":77}}', "/result"),
        (
            "Observations",
            b'{"result":1,"phenomenonTime":"hier","Datastream":{"@iot.id":77}}',
            "/phenomenonTime",
        ),
        ("Observations", b'{"result":1e999,"Datastream":{"@iot.id":77}}', "/result"),
        (
            "Locations",
            b'{"name":"x","description":"y","encodingType":"application/geo+json","location":"ici"}',
            "/location",
        ),
        ("CreateObservations", b"{}", "/0/Datastream"),
        (
            "CreateObservations",
            b'[{"Datastream":{"@iot.id":77},"components":["result"],"dataArray":[[1]]}]',
            "/0/Datastream",
        ),
        (
            "CreateObservations",
            b'[{"Datastream":{"@iot.id":77},"components":["colour"],"dataArray":[[1]]}]',
            "/0/components",
        ),
        ("CreateObservations", b"nothing", "/"),
    ]  # fmt: skip


def test_bodies_that_are_wrong(sta: TestClient) -> None:
    for address, body, place in WRONG_BODIES:
        answer = sta.post(address, content=body)
        assert answer.status_code == 400, (address, body, answer.text)
        assert answer.json()["place"] == place, body


def test_bodies_without_end(sta: TestClient) -> None:
    for body in (b"[" * 5000, b'{"a":' * 5000, b'{"name":"' + b"x" * 10):
        for address in ("Things", "Observations", "CreateObservations"):
            assert sta.post(address, content=body).status_code == 400


def test_post_where_nothing_can_be_made(sta: TestClient) -> None:
    thing = made(sta.post("Things", json=THING))
    for address in ("", f"Things({thing})", f"Things({thing})/name"):
        assert sta.post(address, json=THING).status_code in (404, 405)
    assert sta.post("Things(999)/Datastreams", json={}).status_code == 404
    assert sta.request("TRACE", "Things").status_code == 405
    series = station()["Datastreams"][0]
    assert (
        sta.post(f"Things({thing})/Datastreams", json={**series, "Thing": {"@iot.id": thing + 1}}).status_code
        == 400
    )
    made(sta.post(f"Things({thing})/Datastreams", json={**series, "Thing": {"@iot.id": thing}}))


def test_a_data_array_says_which_rows_were_refused(sta: TestClient) -> None:
    series = series_of(sta, made(sta.post("Things", json=station())))
    rows = [["2020-01-01T00:00:00Z", 1, "2020-01-01T01:00:00Z"], ["hier", 2, None], ["2020-01-01T00:00:00Z", 3], ["2020-01-02T00:00:00Z", 4, None]]  # fmt: skip
    body = [{"Datastream": {"@iot.id": series}, "components": ["phenomenonTime", "result", "resultTime"], "dataArray@iot.count": 4, "dataArray": rows}]  # fmt: skip
    answer = sta.post("CreateObservations", json=body)
    assert answer.status_code == 201
    assert ["error" in line for line in answer.json()] == [False, True, True, False]
    assert "/0/dataArray/1/phenomenonTime" in answer.json()[1]
    assert [o["result"] for o in values(sta, "Observations")] == [1, 4]


def test_an_idempotency_key_folds_what_is_sent_again(sta: TestClient) -> None:
    series = series_of(sta, made(sta.post("Things", json=station())))
    body = {"result": 1, "Datastream": {"@iot.id": series}}
    assert sta.post("Observations", json=body, headers={"Idempotency-Key": "a1"}).status_code == 201
    assert sta.post("Observations", json=body, headers={"Idempotency-Key": "a1"}).status_code == 200
    assert sta.post("Observations", json=body, headers={"Idempotency-Key": "a2"}).status_code == 201
    assert sta.get("Observations/$count").text == "2"


def test_writing_needs_a_key_and_reading_what_is_public_does_not(sta: TestClient, sta_town: Town) -> None:
    thing = made(sta.post("Things", json=station()))
    series = series_of(sta, thing)
    made(sta.post("Observations", json={"result": 1, "Datastream": {"@iot.id": series}}))
    hidden = made(sta.post("Things", json=station(name="cachée")))
    secret = series_of(sta, hidden)
    made(sta.post("Observations", json={"result": 2, "Datastream": {"@iot.id": secret}}))
    with sta_town.store.write() as c:
        from sqlalchemy import text

        c.execute(text(f"UPDATE thing SET public = 0 WHERE id = {hidden}"))
    with client_of(sta_town, open_writes=False) as public:
        assert public.post("Things", json=THING).status_code == 401
        assert (
            public.post("Observations", json={"result": 1, "Datastream": {"@iot.id": series}}).status_code
            == 401
        )
        assert public.patch(f"Things({thing})", json={"name": "x"}).status_code == 401
        assert public.delete(f"Things({thing})").status_code == 401
        assert ids(public, "Things") == [thing]
        assert ids(public, "Datastreams") == [series]
        assert [o["result"] for o in values(public, "Observations?$count=true")] == [1]
        assert public.get("Observations?$count=true").json()["@iot.count"] == 1
        for address in (f"Things({hidden})", f"Datastreams({secret})", f"Datastreams({secret})/Observations"):
            assert public.get(address).status_code == 404
        assert len(values(public, "Locations")) == len(values(public, "HistoricalLocations")) == 1
        (location,) = values(public, "Locations?$expand=Things")
        assert [t["@iot.id"] for t in location["Things"]] == [thing]
        assert values(public, "Sensors?$filter=Datastreams/Thing/name eq 'cachée'") == []
    assert len(values(sta, "Things")) == 2
