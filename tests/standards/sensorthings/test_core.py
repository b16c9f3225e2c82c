"""Reading the data model by resource paths (18-088 §8, §9.2): each entity type, its properties, links and neighbours."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import MULTI, ROOT, ids, made, served_town, station, values

from beffroi.standards.sensorthings.entities import BY_NAME, ENTITIES, TASKING, Entity

TYPES = pytest.mark.parametrize(
    "entity", [e for e in ENTITIES if e.name not in TASKING], ids=lambda e: e.name
)
# What 18-088 §8.2 and §10 say each type must have and may have, and where it leads: apart from our own tables.
STANDARD: dict[str, tuple[set[str], set[str], set[str]]] = {
    "Thing": ({"name", "description"}, {"properties"}, {"Datastreams", "MultiDatastreams", "Locations", "HistoricalLocations", "TaskingCapabilities"}),
    "Location": ({"name", "description", "encodingType", "location"}, {"properties"}, {"Things", "HistoricalLocations"}),
    "HistoricalLocation": ({"time"}, set(), {"Thing", "Locations"}),
    "Datastream": ({"name", "description", "unitOfMeasurement", "observationType"}, {"observedArea", "phenomenonTime", "properties"},
                   {"Thing", "Sensor", "ObservedProperty", "Observations"}),
    "MultiDatastream": ({"name", "description", "observationType", "multiObservationDataTypes", "unitOfMeasurements"},
                        {"observedArea", "phenomenonTime", "properties"},
                        {"Thing", "Sensor", "ObservedProperties", "Observations"}),
    "Sensor": ({"name", "description", "encodingType", "metadata"}, {"properties"}, {"Datastreams", "MultiDatastreams"}),
    "ObservedProperty": ({"name", "definition", "description"}, {"properties"}, {"Datastreams", "MultiDatastreams"}),
    "Observation": ({"phenomenonTime", "resultTime", "result"}, {"resultQuality", "validTime", "parameters"},
                    {"Datastream", "FeatureOfInterest"}),
    "FeatureOfInterest": ({"name", "description", "encodingType", "feature"}, {"properties"}, {"Observations"}),
    # Part 2, 17-079r1; the life of a Task (validUntil, status …) is our own
    "Actuator": ({"name", "description", "encodingType", "metadata"}, {"properties"}, {"TaskingCapabilities"}),
    "TaskingCapability": ({"name", "description", "taskingParameters"}, {"properties"}, {"Thing", "Actuator", "Tasks"}),
    "Task": ({"taskingParameters", "creationTime"}, {"validUntil", "status", "statusTime", "statusMessage", "properties"},
             {"TaskingCapability"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with served_town(tmp_path_factory.mktemp("town")) as client:
        body = station()
        body["Datastreams"][0]["Observations"] = [
            {"result": n, "parameters": {"n": {"m": [n]}}} for n in range(3)
        ]
        for _ in range(2):
            thing = made(client.post("Things", json={**body, "MultiDatastreams": [MULTI]}))
            actuator = {
                "name": "a",
                "description": "a",
                "encodingType": "text/html",
                "metadata": "http://a.test",
            }
            capability = {"name": "c", "description": "c", "taskingParameters": {"type": "Count"}, "Actuator": actuator,
                          "Thing": {"@iot.id": thing}}  # fmt: skip
            number = made(client.post("TaskingCapabilities", json=capability))
            made(
                client.post(f"TaskingCapabilities({number})/Tasks", json={"taskingParameters": {"value": 1}})
            )
        yield client


def check(shown: dict[str, Any], entity: Entity) -> None:
    """Check an entity's control information, properties and links."""
    needed, allowed, relations = STANDARD[entity.name]
    link = f"{ROOT}{entity.set_name}({shown['@iot.id']})"
    assert isinstance(shown["@iot.id"], int)
    assert shown["@iot.selfLink"] == link
    properties = {k for k in shown if "@" not in k}
    assert needed <= properties <= needed | allowed
    assert {k: v for k, v in shown.items() if k.endswith("@iot.navigationLink")} == {
        f"{name}@iot.navigationLink": f"{link}/{name}" for name in relations
    }


@TYPES
def test_a_set_shows_its_entities_whole(client: TestClient, entity: Entity) -> None:
    found = values(client, entity.set_name)
    assert found
    for one in found:
        check(one, entity)


@TYPES
def test_an_entity_is_shown_alone_as_in_its_set(client: TestClient, entity: Entity) -> None:
    for one in values(client, entity.set_name):
        alone = client.get(f"{entity.set_name}({one['@iot.id']})")
        assert (alone.status_code, alone.json()) == (200, one)
        assert client.get(one["@iot.selfLink"]).json() == one


@TYPES
def test_an_entity_that_does_not_exist_is_told(client: TestClient, entity: Entity) -> None:
    for key in ("999999", "9007199254740993", "'abc'", "-1"):
        answer = client.get(f"{entity.set_name}({key})")
        assert answer.status_code == 404
        assert answer.json()["code"] == 404


@TYPES
def test_each_property_has_an_address_and_a_value(client: TestClient, entity: Entity) -> None:
    (shown, *_) = values(client, entity.set_name)
    for name in {k for k in shown if "@" not in k} | {"@iot.id"}:
        address = f"{entity.set_name}({shown['@iot.id']})/{name}"
        assert client.get(address).json() == {name: shown[name]}
        bare = client.get(f"{address}/$value")
        assert bare.status_code == 200
        assert (bare.text if isinstance(shown[name], str) else bare.json()) == shown[name]
    for name in {p.name for p in entity.properties} - shown.keys():
        assert client.get(f"{entity.set_name}({shown['@iot.id']})/{name}").status_code == 204
    assert client.get(f"{entity.set_name}({shown['@iot.id']})/nothing").status_code == 404


@TYPES
def test_every_path_four_deep_leads_where_its_links_say(client: TestClient, entity: Entity) -> None:
    paths = [(f"{entity.set_name}({ids(client, entity.set_name)[0]})", entity)]
    asked = 0
    for _ in range(3):
        deeper: list[tuple[str, Entity]] = []
        for path, here in paths:
            for name in sorted(STANDARD[here.name][2] - {"TaskingCapabilities"}):
                hop = here.navigation(name)
                assert hop is not None
                target = BY_NAME[hop.target]
                answer = client.get(f"{path}/{name}")
                assert answer.status_code == 200
                asked += 1
                found = answer.json()["value"] if hop.many else [answer.json()]
                for one in found:
                    check(one, target)
                references = client.get(f"{path}/{name}/$ref").json()
                listed = references["value"] if hop.many else [references]
                inside = client.get(f"{path}?$expand={name}").json()[name]
                assert [one["@iot.id"] for one in (inside if hop.many else [inside])] == [
                    one["@iot.id"] for one in found
                ]
                assert [r["@iot.selfLink"] for r in listed] == [one["@iot.selfLink"] for one in found]
                if found:
                    deeper.append(
                        (f"{path}/{name}({found[0]['@iot.id']})" if hop.many else f"{path}/{name}", target)
                    )
        paths = deeper[:8]
    assert asked >= 8


def test_the_root_lists_the_sets_at_their_addresses(client: TestClient) -> None:
    for address in (ROOT, ROOT.rstrip("/")):
        listed = client.get(address).json()["value"]
        assert {one["name"]: one["url"] for one in listed} == {
            BY_NAME[n].set_name: ROOT + BY_NAME[n].set_name for n in STANDARD if n not in TASKING
        }
    assert client.get("Nothing").status_code == 404
