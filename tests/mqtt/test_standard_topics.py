"""SensorThings' topics (18-088 §14): a case of our own for each behaviour of FROST's functional tests, MQTT create (C1-C4)
and MQTT subscribe (S1-S14, and F1-F5 for its `$filter` and `$expand` topics).

Messages are heard by paho and by mosquitto_sub; what they say is what a GET says.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.mqtt.test_town import Client, Serving, free_port, until
from tests.sensorthings_town import (
    DATASTREAM,
    LOCATION,
    MEASUREMENT,
    PROPERTY,
    SENSOR,
    UNIT,
    client_of,
    made,
    station,
)

from beffroi.identity import keys
from beffroi.model.principal import SYSTEM
from beffroi.town import Town, open_town

FEATURE = {"name": "f", "description": "f", "encodingType": "application/geo+json",
           "feature": {"type": "Point", "coordinates": [1, 2]}}  # fmt: skip
TYPES = ("Things", "Locations", "Sensors", "ObservedProperties", "FeaturesOfInterest", "Datastreams", "Observations",
         "HistoricalLocations")  # fmt: skip
CHANGES: dict[str, dict[str, Any]] = {
    "Things": {"name": "other", "description": "said", "properties": {"a": [1, 2.50]}},
    "Locations": {
        "name": "other",
        "description": "said",
        "location": {"type": "Point", "coordinates": [3, 4]},
    },
    "Sensors": {"name": "other", "description": "said", "metadata": "http://a.test/o.pdf"},
    "ObservedProperties": {"name": "other", "definition": "http://a.test/o", "description": "said"},
    "FeaturesOfInterest": {
        "name": "other",
        "description": "said",
        "feature": {"type": "Point", "coordinates": [5, 6]},
    },
    "Datastreams": {"name": "other", "description": "said", "unitOfMeasurement": {**UNIT, "symbol": "K"}},
    "Observations": {"result": 99.10, "phenomenonTime": "2026-02-02T00:00:00Z", "parameters": {"p": 1}},
    "HistoricalLocations": {"time": "2026-02-03T00:00:00Z"},
}


class Stage:
    """A served town, its SensorThings over HTTP, and one entity of each type."""

    def __init__(self, folder: Path) -> None:
        (folder / "beffroi.toml").write_text('name = "Essai"\nbase_url = "http://127.0.0.1"\n', "utf-8")
        self.town: Town = open_town(folder)
        self.serving = Serving(self.town, free_port())
        assert self.serving.ready.wait(10)
        self.http: TestClient = client_of(self.town)
        self.http.__enter__()
        self.key = keys.create(self.town.store, SYSTEM, role="device", name="d")[1]
        self.ids: dict[str, int] = {}
        self.clients: list[Client] = []
        self.watcher = self.hear("v1.1/HistoricalLocations", "v1.1/Observations")
        self.reset()

    def reset(self) -> None:
        """Make new entities, and wait until nobody who subscribes now would still hear of it."""
        self.ids = {}
        for name in TYPES:
            self.ids[name] = self.insert(name)
        for name in ("HistoricalLocations", "Observations"):
            until(
                lambda name=name: self.ids[name] in {b["@iot.id"] for b in news(self.watcher, f"v1.1/{name}")}
            )  # type: ignore[misc]
        self.watcher.heard.clear()

    def body(self, name: str) -> dict[str, Any]:
        ref = {kind: {"@iot.id": number} for kind, number in self.ids.items()}
        return {
            "Things": lambda: {"name": "t", "description": "d"},
            "Locations": lambda: {**LOCATION, "Things": [ref["Things"]]},
            "Sensors": lambda: SENSOR,
            "ObservedProperties": lambda: PROPERTY,
            "FeaturesOfInterest": lambda: FEATURE,
            "Datastreams": lambda: {"name": "s", "description": "s", "observationType": MEASUREMENT, "unitOfMeasurement": UNIT,
                                    "Thing": ref["Things"], "Sensor": ref["Sensors"], "ObservedProperty": ref["ObservedProperties"]},
            "Observations": lambda: {"result": 1.50, "phenomenonTime": "2026-01-01T00:00:00Z", "Datastream": ref["Datastreams"],
                                     "FeatureOfInterest": ref["FeaturesOfInterest"]},
            "HistoricalLocations": lambda: {"time": "2026-01-02T00:00:00Z", "Thing": ref["Things"], "Locations": [ref["Locations"]]},
        }[name]()  # fmt: skip

    def insert(self, name: str, body: dict[str, Any] | None = None) -> int:
        return made(self.http.post(name, json=body or self.body(name)))

    def change(self, name: str, body: dict[str, Any], *, whole: bool = False) -> None:
        address = f"{name}({self.ids[name]})"
        if whole:
            old = {k: v for k, v in self.get(address).items() if "@" not in k and v is not None}
            old.pop("phenomenonTime" if name == "Datastreams" else "", None)
            answer = self.http.put(address, json={**old, **body})
        else:
            answer = self.http.patch(address, json=body)
        assert answer.status_code == 200, answer.text

    def get(self, address: str) -> Any:
        return self.http.get(address).json()

    def hear(self, *topics: str) -> Client:
        self.clients.append(Client(self.serving.port, self.key))
        if topics:
            self.clients[-1].subscribe(*topics)
        return self.clients[-1]

    def close(self) -> None:
        for one in self.clients:
            one.leave()
        self.http.__exit__(None, None, None)
        self.serving.close()
        self.town.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    opened = Stage(tmp_path_factory.mktemp("town"))
    yield opened
    opened.close()


def news(client: Client, topic: str) -> list[Any]:
    """Return what was said on a topic since it was subscribed to."""
    return [body for at, body, kept in list(client.heard) if at == topic and not kept]


def said_once(client: Client, topic: str) -> Any:
    until(lambda: news(client, topic))
    return news(client, topic)[-1]


# --- create


@pytest.mark.parametrize("path", ["Observations", "Datastreams({Datastreams})/Observations",
                                  "FeaturesOfInterest({FeaturesOfInterest})/Observations"])  # fmt: skip
def test_c1_to_c3_an_observation_published_to_a_set(stage: Stage, path: str) -> None:
    body = {
        **stage.body("Observations"), "validTime": "2016-01-01T01:01:01Z/2016-01-01T23:59:59Z", "result": -9007199254740993,
        "parameters": {"param1": "some value1", "param2": "some value2"},
    }  # fmt: skip
    writer = stage.hear()
    assert writer.publish("v1.1/" + path.format(**stage.ids), json.dumps(body)) == "Success"
    found = stage.get(
        "Observations?$orderby=id desc&$top=1&$expand=Datastream($select=@iot.id),FeatureOfInterest($select=@iot.id)"
    )
    one = found["value"][0]
    assert {k: one[k] for k in body} == body


def test_a_plain_observation_is_of_its_topics_datastream_and_of_the_feature_it_names(stage: Stage) -> None:
    stage.reset()
    feature = stage.insert("FeaturesOfInterest")
    for path, body in (
        ("Datastreams({Datastreams})/Observations", {}),
        ("Observations", {"Datastream": {"@iot.id": stage.ids["Datastreams"]}}),
    ):
        sent = {"result": 4.75, "FeatureOfInterest": {"@iot.id": feature}, **body}
        assert stage.hear().publish("v1.1/" + path.format(**stage.ids), json.dumps(sent)) == "Success"
    address = f"Datastreams({stage.ids['Datastreams']})/Observations?$filter=result eq 4.75&$expand=FeatureOfInterest"
    assert [one["FeatureOfInterest"]["@iot.id"] for one in stage.get(address)["value"]] == [feature, feature]


def test_an_observation_published_to_a_feature_is_of_it(stage: Stage) -> None:
    body = {"result": 8.25, "Datastream": {"@iot.id": stage.ids["Datastreams"]}}
    feature = stage.insert("FeaturesOfInterest")
    assert (
        stage.hear().publish(f"v1.1/FeaturesOfInterest({feature})/Observations", json.dumps(body))
        == "Success"
    )
    assert [one["result"] for one in stage.get(f"FeaturesOfInterest({feature})/Observations")["value"]] == [
        8.25
    ]


def test_c4_an_observation_published_with_everything_it_belongs_to(stage: Stage) -> None:
    body = {
        "phenomenonTime": "2015-03-01T00:00:00Z", "result": 17, "FeatureOfInterest": FEATURE,
        "Datastream": {**DATASTREAM, "Thing": {"name": "Test Thing", "description": "for 17"}},
    }  # fmt: skip
    assert stage.hear().publish("v1.1/Observations", json.dumps(body)) == "Success"
    expand = "Datastream($expand=Thing,Sensor,ObservedProperty),FeatureOfInterest"
    one = stage.get(f"Observations?$orderby=id desc&$top=1&$expand={expand}")["value"][0]
    assert (one["result"], one["FeatureOfInterest"]["feature"]) == (17, FEATURE["feature"])
    series = one["Datastream"]
    assert (series["name"], series["Thing"]["description"], series["Sensor"]["metadata"]) == (
        "air", "for 17", SENSOR["metadata"],
    )  # fmt: skip


def test_any_entity_is_created_by_publishing_it_to_its_set(stage: Stage) -> None:
    writer = stage.hear("v1.1/Things")
    assert writer.publish("v1.1/Things", json.dumps(station(name="par MQTT"))) == "Success"
    thing = said_once(writer, "v1.1/Things")
    assert thing["name"] == "par MQTT"
    assert len(stage.get(f"Things({thing['@iot.id']})/Datastreams")["value"]) == 1
    sensor = {**DATASTREAM, "name": "deuxième"}
    assert writer.publish(f"v1.1/Things({thing['@iot.id']})/Datastreams", json.dumps(sensor)) == "Success"
    assert [d["name"] for d in stage.get(f"Things({thing['@iot.id']})/Datastreams")["value"]] == [
        "air",
        "deuxième",
    ]


def test_a_message_sent_again_with_its_idempotency_key_is_stored_once(stage: Stage) -> None:
    topic = f"v1.1/Datastreams({stage.ids['Datastreams']})/Observations"
    before = stage.get(f"{topic[5:]}?$count=true&$top=0")["@iot.count"]
    for _ in range(2):  # two clients: nothing but the key tells that it is the same
        subprocess.run(
            ["mosquitto_pub", "-V", "5", "-h", "127.0.0.1", "-p", str(stage.serving.port), "-u", "x", "-P", stage.key, "-q", "1",
             "-t", topic, "-m", '{"result": 5}', "-D", "publish", "user-property", "Idempotency-Key", "frame-17"],
            check=True, timeout=20,
        )  # fmt: skip
    assert stage.get(f"{topic[5:]}?$count=true&$top=0")["@iot.count"] == before + 1


# --- subscribe


@pytest.mark.parametrize("name", TYPES)
def test_s1_a_set_tells_of_what_is_inserted(stage: Stage, name: str) -> None:
    stage.reset()
    client = stage.hear(f"v1.1/{name}")
    number = stage.insert(name)
    assert said_once(client, f"v1.1/{name}") == stage.get(f"{name}({number})")


def test_s1_an_observation_that_makes_its_feature_tells_of_both(stage: Stage) -> None:
    stage.reset()
    thing = stage.insert("Things", station())
    series = stage.get(f"Things({thing})/Datastreams")["value"][0]["@iot.id"]
    client = stage.hear("v1.1/Observations", "v1.1/FeaturesOfInterest")
    stage.insert("Observations", {"result": 1, "Datastream": {"@iot.id": series}})
    said_once(client, "v1.1/Observations")
    assert said_once(client, "v1.1/FeaturesOfInterest")["name"] == LOCATION["name"]


@pytest.mark.parametrize("whole", [False, True], ids=["s2-patch", "s3-put"])
@pytest.mark.parametrize("name", TYPES)
def test_s2_s3_a_set_tells_of_what_is_changed(stage: Stage, name: str, whole: bool) -> None:
    stage.reset()
    client = stage.hear(f"v1.1/{name}")
    stage.change(name, CHANGES[name], whole=whole)
    said = said_once(client, f"v1.1/{name}")
    assert said == stage.get(f"{name}({stage.ids[name]})")
    assert {k: said[k] for k in CHANGES[name]} == CHANGES[name]


def halves(name: str) -> list[list[str]]:
    names = list(CHANGES[name])
    return [half for half in (names[::2], names[1::2]) if half]


@pytest.mark.parametrize("name", TYPES)
def test_s4_s5_s6_a_set_tells_the_selected_properties(stage: Stage, name: str) -> None:
    for half in halves(name):
        stage.reset()
        topic = f"v1.1/{name}?$select={','.join(half)}"
        client = stage.hear(topic)
        number = stage.insert(name)
        entity = stage.get(f"{name}({number})")
        assert said_once(client, topic) == {k: entity[k] for k in half if k in entity}
        for i, whole in enumerate((False, True), 2):
            stage.change(
                name, {**CHANGES[name], **({"name": f"n{i}"} if "name" in CHANGES[name] else {})}, whole=whole
            )
            until(lambda i=i, c=client, t=topic: len(news(c, t)) >= i)  # type: ignore[misc]
            entity = stage.get(f"{name}({stage.ids[name]})")
            assert news(client, topic)[-1] == {k: entity[k] for k in half}


RELATED = {
    "Things": "Locations({Locations})/Things", "Locations": "Things({Things})/Locations",
    "Datastreams": "Things({Things})/Datastreams", "Observations": "Datastreams({Datastreams})/Observations",
    "HistoricalLocations": "Things({Things})/HistoricalLocations",
}  # fmt: skip
RELATED_ONE = {
    "Things": "Datastreams({Datastreams})/Thing", "Sensors": "Datastreams({Datastreams})/Sensor",
    "ObservedProperties": "Datastreams({Datastreams})/ObservedProperty", "Datastreams": "Observations({Observations})/Datastream",
    "FeaturesOfInterest": "Observations({Observations})/FeatureOfInterest",
    "Observations": "Datastreams({Datastreams})/Observations({Observations})",
}  # fmt: skip


@pytest.mark.parametrize("name", RELATED)
def test_s7_a_set_of_another_entity_tells_of_its_own_only(stage: Stage, name: str) -> None:
    stage.reset()
    topic = "v1.1/" + RELATED[name].format(**stage.ids)
    client = stage.hear(topic, f"v1.1/{name}")
    first = stage.ids.copy()
    stage.reset()
    stage.change(name, CHANGES[name], whole=True)  # of another Thing: not told
    until(lambda: len(news(client, f"v1.1/{name}")) >= 2)
    stage.ids = first
    stage.change(name, CHANGES[name], whole=True)
    assert said_once(client, topic) == stage.get(f"{name}({stage.ids[name]})")
    assert len(news(client, topic)) == 1


@pytest.mark.parametrize(
    ("name", "body", "sets"),
    [
        ("Things", station, ("Locations", "Datastreams", "Sensors", "ObservedProperties", "HistoricalLocations")),
        ("Datastreams", lambda: DATASTREAM, ("Sensors", "ObservedProperties")),
        ("Observations", lambda: {"result": 3, "FeatureOfInterest": FEATURE}, ("FeaturesOfInterest",)),
    ],
)  # fmt: skip
def test_s8_a_deep_insert_tells_of_each_entity(
    stage: Stage, name: str, body: Callable[[], Any], sets: tuple[str, ...]
) -> None:
    stage.reset()
    client = stage.hear(f"v1.1/{name}", *(f"v1.1/{one}" for one in sets))
    owner = {"Datastreams": {"Thing": {"@iot.id": stage.ids["Things"]}},
             "Observations": {"Datastream": {"@iot.id": stage.ids["Datastreams"]}}}.get(name, {})  # fmt: skip
    number = stage.insert(name, {**body(), **owner})
    assert said_once(client, f"v1.1/{name}") == stage.get(f"{name}({number})")
    for one in sets:
        said = said_once(client, f"v1.1/{one}")
        assert said == stage.get(f"{one}({said['@iot.id']})")


@pytest.mark.parametrize("whole", [False, True], ids=["s9-patch", "s10-put"])
@pytest.mark.parametrize("name", TYPES)
def test_s9_s10_an_entity_tells_of_its_changes(stage: Stage, name: str, whole: bool) -> None:
    stage.reset()
    topic = f"v1.1/{name}({stage.ids[name]})"
    client = stage.hear(topic)
    until(lambda: client.heard)
    assert client.heard == [(topic, stage.get(topic[5:]), True)]  # as it is when one subscribes
    stage.change(name, CHANGES[name], whole=whole)
    assert said_once(client, topic) == stage.get(topic[5:])


@pytest.mark.parametrize("name", RELATED_ONE)
def test_s11_an_entity_reached_over_a_relation_tells_of_its_changes(stage: Stage, name: str) -> None:
    stage.reset()
    topic = "v1.1/" + RELATED_ONE[name].format(**stage.ids)
    client = stage.hear(topic)
    stage.change(name, CHANGES[name], whole=True)
    assert said_once(client, topic) == stage.get(topic[5:])


@pytest.mark.parametrize("whole", [False, True], ids=["s12-patch", "s13-put"])
@pytest.mark.parametrize("name", TYPES)
def test_s12_s13_a_property_tells_of_its_changes(stage: Stage, name: str, whole: bool) -> None:
    stage.reset()
    topics = {p: f"v1.1/{name}({stage.ids[name]})/{p}" for p in CHANGES[name]}
    client = stage.hear(*topics.values())
    for property_, topic in topics.items():
        stage.change(name, {property_: CHANGES[name][property_]}, whole=whole)
        until(lambda topic=topic, p=property_: {p: CHANGES[name][p]} in news(client, topic))  # type: ignore[misc]


def test_a_property_is_silent_while_another_one_changes(stage: Stage) -> None:
    stage.reset()
    name, description = (f"v1.1/Things({stage.ids['Things']})/{p}" for p in ("name", "description"))
    client = stage.hear(name, description)
    stage.change("Things", {"name": "a"})
    until(lambda: {"name": "a"} in news(client, name))
    for text in ("b", "c"):
        stage.change("Things", {"description": text})
        until(lambda text=text: {"description": text} in news(client, description))  # type: ignore[misc]
    assert news(client, name) == [{"name": "a"}]


def test_s14_a_thing_that_moves_tells_its_historical_location(stage: Stage) -> None:
    stage.reset()
    other = stage.insert("Locations", {**LOCATION, "name": "ailleurs"})
    client = stage.hear("v1.1/HistoricalLocations")
    stage.change("Things", {"Locations": [{"@iot.id": other}]})
    newest = stage.get(f"Things({stage.ids['Things']})/HistoricalLocations?$orderby=time desc&$top=1")[
        "value"
    ][0]
    assert said_once(client, "v1.1/HistoricalLocations") == newest


# --- filter and expand


@pytest.mark.parametrize(
    ("condition", "taken"),
    [("result gt 10", [11]), ("result le 10 or result eq 11", [9, 11]), ("Datastream/name eq 's'", [9, 11]),
     ("Datastream/name eq 'x'", []), ("phenomenonTime ge 2027-01-01T00:00:00Z", [11])],
)  # fmt: skip
def test_f1_f2_f3_observations_that_fulfil_a_condition(
    stage: Stage, condition: str, taken: list[int]
) -> None:
    stage.reset()
    topic = f"v1.1/Observations?$filter={condition}"
    client = stage.hear(topic, "v1.1/Observations")
    for year, result in ((2026, 9), (2027, 11)):
        stage.insert(
            "Observations",
            {**stage.body("Observations"), "result": result, "phenomenonTime": f"{year}-06-01T00:00:00Z"},
        )
    until(lambda: len(news(client, "v1.1/Observations")) == 2 and len(news(client, topic)) == len(taken))
    assert [one["result"] for one in news(client, topic)] == taken


def test_f4_entities_that_fulfil_a_condition(stage: Stage) -> None:
    stage.reset()
    topic = "v1.1/Things?$filter=properties/a gt 1&$select=name"
    client = stage.hear(topic, "v1.1/Things")
    for i in (1, 2):
        stage.insert("Things", {"name": f"t{i}", "description": "", "properties": {"a": i}})
    until(lambda: len(news(client, "v1.1/Things")) == 2 and news(client, topic))
    assert news(client, topic) == [{"name": "t2"}]


def test_f5_what_is_expanded_comes_along(stage: Stage) -> None:
    stage.reset()
    topic = "v1.1/Observations?$select=result&$expand=Datastream($select=name;$expand=Thing($select=name))"
    client = stage.hear(topic)
    stage.insert("Observations")
    assert said_once(client, topic) == {"result": 1.5, "Datastream": {"name": "s", "Thing": {"name": "t"}}}


def test_a_topic_that_cannot_be_read_is_refused_when_one_subscribes(stage: Stage) -> None:
    done = subprocess.run(
        ["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", str(stage.serving.port), "-W", "5", "-d",
         "-t", "v1.1/Observations?$filter=result gt", "-t", "v1.1/Nothing"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert "All subscription requests were denied" in done.stderr + done.stdout


# --- retained


@pytest.mark.parametrize(
    "path",
    ["Datastreams({Datastreams})/Observations", "FeaturesOfInterest({FeaturesOfInterest})/Observations",
     "Things({Things})/Datastreams({Datastreams})/Observations", "Datastreams({Datastreams})/Observations?$filter=result lt 2"],
)  # fmt: skip
def test_mosquitto_sub_gets_the_last_value_at_once(stage: Stage, path: str) -> None:
    stage.reset()
    live = stage.hear("v1.1/Observations")
    stage.insert(
        "Observations",
        {**stage.body("Observations"), "result": 1.75, "phenomenonTime": "2026-01-03T00:00:00Z"},
    )
    said_once(live, "v1.1/Observations")  # from now on it is the last value, no longer news
    topic = "v1.1/" + path.format(**stage.ids)
    done = subprocess.run(
        ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(stage.serving.port), "-t", topic, "-C", "1", "-W", "10", "-F", "%r %p"],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    mark, _, body = done.stdout.partition(" ")
    assert (mark, json.loads(body)["result"]) == ("1", 1.75)


def test_a_property_and_a_selection_are_there_at_once_too(stage: Stage) -> None:
    stage.reset()
    thing = stage.ids["Things"]
    topics = (
        f"v1.1/Things({thing})/name",
        f"v1.1/Things({thing})?$select=description",
        f"v1.1/Datastreams({stage.ids['Datastreams']})/Thing",
    )
    client = stage.hear(*topics)
    until(lambda: len(client.heard) == 3)
    found = {topic: body for topic, body, kept in client.heard if kept}
    assert found == {
        topics[0]: {"name": "t"},
        topics[1]: {"description": "d"},
        topics[2]: stage.get(f"Things({thing})"),
    }


def test_the_service_root_says_where_mqtt_is(stage: Stage) -> None:
    told = stage.get("")["serverSettings"]
    base = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
    for name in (
        "create-observations-via-mqtt/observations-creation",
        "receive-updates-via-mqtt/receive-updates",
    ):
        assert base + name in told["conformance"]
        assert told[base + name] == {"endpoints": [f"mqtt://127.0.0.1:{stage.serving.port}"]}
