"""Requests for data (18-088 §9.3; level 3 of OGC's suite), each option on each of the entity sets, over HTTP."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import MULTI, ids, made, served_town, station, values

from beffroi.standards.sensorthings.entities import ENTITIES, TASKING, Entity

SETS = pytest.mark.parametrize("entity", [e for e in ENTITIES if e.name not in TASKING], ids=lambda e: e.name)
N = 12


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with served_town(tmp_path_factory.mktemp("town")) as client:
        for n in range(N):
            # names in an order that is not that of the ids
            body = station(name=f"n{n * 5 % N:02}", description=f"d{n % 3}")
            body["Locations"][0]["name"] = body["Datastreams"][0]["name"] = body["name"]
            body["Datastreams"][0]["Sensor"]["name"] = body["Datastreams"][0]["ObservedProperty"]["name"] = (
                body["name"]
            )
            body["Datastreams"][0]["Observations"] = [
                {
                    "result": n * 5 % N,
                    "phenomenonTime": f"2015-03-{n * 5 % N + 1:02}T00:00:00Z",
                    "parameters": {"n": n},
                }
            ]
            made(client.post("Things", json={**body, "MultiDatastreams": [{**MULTI, "name": body["name"]}]}))
        yield client


def whole(client: TestClient, entity: Entity) -> list[dict[str, Any]]:
    return values(client, f"{entity.set_name}?$top=1000")


def plain(entity: Entity) -> list[str]:
    """Return the properties that order: texts, times and results."""
    return [p.name for p in entity.properties if p.kind in ("text", "instant", "moment", "result")]


@SETS
def test_select_shows_what_it_names(client: TestClient, entity: Entity) -> None:
    every = whole(client, entity)
    for names in ([p.name] for p in entity.properties):
        shown = values(client, f"{entity.set_name}?$top=1000&$select={','.join(names)}")
        assert shown == [{n: one[n] for n in names if n in one} for one in every]
    both = [p.name for p in entity.properties][:2]
    shown = values(client, f"{entity.set_name}?$top=1000&$select={','.join([*both, '@iot.id'])}")
    assert shown == [{n: one[n] for n in ["@iot.id", *both] if n in one} for one in every]
    assert client.get(f"{entity.set_name}?$select=nothing").status_code == 400


@SETS
def test_expand_shows_what_its_link_gives(client: TestClient, entity: Entity) -> None:
    for hop in entity.navigations:
        for one in values(client, f"{entity.set_name}?$top=3&$expand={hop.name}"):
            answer = client.get(f"{entity.set_name}({one['@iot.id']})/{hop.name}")
            if answer.status_code == 404:
                assert hop.name not in one
            else:
                assert one[hop.name] == (answer.json()["value"] if hop.many else answer.json())
        for far in (h for h in ENTITIES if h.name == hop.target):
            for deep in far.navigations[:2]:
                for notation in (f"{hop.name}/{deep.name}", f"{hop.name}($expand={deep.name})"):
                    answer = client.get(f"{entity.set_name}?$top=2&$expand={notation}")
                    assert answer.status_code == 200
    assert client.get(f"{entity.set_name}?$expand=Nothing").status_code == 400


@SETS
def test_top_skip_and_count(client: TestClient, entity: Entity) -> None:
    every = [one["@iot.id"] for one in whole(client, entity)]
    for top, skip in ((5, 0), (0, 0), (3, 4), (100, 10), (5, 1_000)):
        page = client.get(f"{entity.set_name}?$top={top}&$skip={skip}&$count=true").json()
        assert [one["@iot.id"] for one in page["value"]] == every[skip : skip + top]
        assert page["@iot.count"] == len(every)
        assert ("@iot.nextLink" in page) == (0 < top < len(every) - skip)
    assert "@iot.count" not in client.get(f"{entity.set_name}?$count=false").json()


@SETS
def test_pages_give_each_entity_once_in_order(client: TestClient, entity: Entity) -> None:
    for order in ("", *(f"&$orderby={name} desc" for name in plain(entity))):
        listed = ids(client, f"{entity.set_name}?$top=1000{order}")
        page = client.get(f"{entity.set_name}?$top=5{order}").json()
        seen = [one["@iot.id"] for one in page["value"]]
        while "@iot.nextLink" in page:
            page = client.get(page["@iot.nextLink"]).json()
            seen += [one["@iot.id"] for one in page["value"]]
            assert page["value"]
            assert len(seen) <= len(listed)
        assert seen == listed


@SETS
def test_orderby_each_property_both_ways(client: TestClient, entity: Entity) -> None:
    every = whole(client, entity)
    assert plain(entity)
    for name in plain(entity):

        def rank(one: dict[str, Any], name: str = name) -> tuple[Any, ...]:
            value = one.get(name)
            return (
                value is not None,
                isinstance(value, list),
                json.dumps(value) if isinstance(value, list) else value or 0,
            )

        up = values(client, f"{entity.set_name}?$top=1000&$orderby={name} asc")
        assert [rank(one) for one in up] == sorted(rank(one) for one in every)
        down = values(client, f"{entity.set_name}?$top=1000&$orderby={name} desc")
        assert [rank(one) for one in down] == sorted((rank(one) for one in every), reverse=True)
        assert client.get(f"{entity.set_name}?$orderby={name} sideways").status_code == 400


@SETS
def test_filter_each_property_by_each_comparison(client: TestClient, entity: Entity) -> None:
    every = whole(client, entity)
    names = [n for n in plain(entity) if n not in ("result", "phenomenonTime")]
    for name in names:
        known = sorted({one[name] for one in every if one.get(name) is not None})
        middle = known[len(known) // 2] if known else ""
        literal = middle if name in ("time", "resultTime") else quote("'" + middle.replace("'", "''") + "'")
        for operator, holds in (("eq", middle.__eq__), ("ne", middle.__ne__), ("lt", middle.__gt__), ("le", middle.__ge__),
                                ("gt", middle.__lt__), ("ge", middle.__le__)):  # fmt: skip
            if not known:
                continue
            expected = [one["@iot.id"] for one in every if one.get(name) is not None and holds(one[name])]
            assert ids(client, f"{entity.set_name}?$top=1000&$filter={name} {operator} {literal}") == expected
    assert client.get(f"{entity.set_name}?$filter=nothing eq 1").status_code == 400


def test_options_apply_in_their_order(client: TestClient) -> None:
    page = client.get("Observations?$count=true&$top=2&$skip=1&$orderby=result desc&$filter=result gt 5 and result lt 100"
                      "&$select=result&$expand=Datastream($select=name)").json()  # fmt: skip
    assert page["@iot.count"] == 6
    assert [one["result"] for one in page["value"]] == [10, 9]
    assert [one["Datastream"] for one in page["value"]] == [{"name": "n10"}, {"name": "n09"}]
    assert set(page["value"][0]) == {"result", "Datastream"}


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("Things", 200), ("Things(1)", 200), ("Things(1)/name", 200), ("Things(1)/name/$value", 200), ("Things/$count", 200),
        ("Things(1)/Datastreams/$ref", 200), ("Things(99999)", 404), ("Thing", 404), ("Things(1)/nothing", 404),
        ("Things?$top=-1", 400), ("Things?$filter=name eq", 400), ("Things?$unknown=1", 400), ("Things?$orderby=nothing", 400),
        ("Things?$filter=nothing(name)", 400), ("Observations?$resultFormat=nothing", 400), ("Things?$expand=Observations", 400),
    ],
)  # fmt: skip
def test_status_codes_tell_what_was_wrong(client: TestClient, address: str, status: int) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    if status >= 400:
        assert answer.json()["code"] == status
        assert answer.json()["message"]
