"""Paths over relations, nothing, `any`: the ten behaviours of FROST's filter tests; and the fourteen of its query options."""

from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import MEASUREMENT, UNIT, ids, made, values

from beffroi.standards.sensorthings.entities import BY_NAME, ENTITIES, Entity

PLACES: list[tuple[str, Any, int | None]] = [
    ("Location 1.0", 1, 1), ("Location 1.1", 1.1, 1), ("Location 2", 2, 2), ("Location 3", 3, 3), ("Location 4", 4, 4), ("Location 5", 5, None),
]  # fmt: skip
SERIES = [
    (1, 1, 1),
    (1, 2, 2),
    (1, 3, 3),
    (2, 1, 1),
    (2, 2, 2),
    (2, 4, 4),
    (3, 2, 1),
]  # Thing, Sensor, ObservedProperty


@pytest.fixture(scope="module")
def sta(bare: TestClient) -> TestClient:
    """Fill the town: four Things, the last without series, six places, seven series, thirty-six observations."""
    for n, held in enumerate([None, {"field": 2, "string": "one"}, {"field": 3, "string": "two"}, None], 1):
        body: dict[str, Any] = {"name": f"Thing {n}", "description": f"Thing number {n}."}
        made(bare.post("Things", json=body if held is None else {**body, "properties": held}))
    for n, (name, field, thing) in enumerate(PLACES):
        body = {"name": name, "description": "x", "encodingType": "application/vnd.geo+json", "properties": {"field": field},
                "location": {"type": "Point", "coordinates": [8, 51 + n]}}  # fmt: skip
        made(bare.post("Locations" if thing is None else f"Things({thing})/Locations", json=body))
    for n in range(4):
        made(
            bare.post(
                "Sensors",
                json={"name": f"Sensor {n}", "description": "x", "encodingType": "text", "metadata": "m"},
            )
        )
        made(
            bare.post(
                "ObservedProperties",
                json={"name": f"ObservedProperty {n}", "definition": "http://t", "description": "x"},
            )
        )
    for n, (thing, sensor, seen) in enumerate(SERIES):
        body = {"name": f"Datastream {n}", "description": "x", "observationType": MEASUREMENT, "unitOfMeasurement": UNIT,
                "Thing": {"@iot.id": thing}, "Sensor": {"@iot.id": sensor}, "ObservedProperty": {"@iot.id": seen}}  # fmt: skip
        made(bare.post("Datastreams", json=body))
    number = 0
    for series in range(1, 7):
        for i in range(6):
            quality: Any = number if number % 2 == 0 else f"number-{number}"
            body = {
                "result": i + series,
                "phenomenonTime": f"2016-01-01T{series + i:02}:00:00Z",
                "resultQuality": quality,
            }
            made(bare.post(f"Datastreams({series})/Observations", json=body))
            number += 1
    return bare


def found(sta: TestClient, address: str, text: str) -> list[int]:
    return [one - 1 for one in ids(sta, f"{address}?$select=id&$top=99&$filter={quote(text)}")]


FILTERS: dict[str, list[tuple[str, str, list[int]]]] = {
    "over relations": [
        ("Things", "Locations/name eq 'Location 2'", [1]), ("Things", "startswith(HistoricalLocations/Locations/name, 'Location 1')", [0]),
        ("Things", "HistoricalLocations/Locations/properties/field eq properties/field", [1, 2]),
        ("Things", "properties/field eq HistoricalLocations/Locations/properties/field", [1, 2]),
    ],
    "over relations there and back": [
        ("ObservedProperties", "Datastreams/Thing/Datastreams/ObservedProperty/name eq 'ObservedProperty 0'", [0, 1, 2, 3]),
        ("ObservedProperties", "Datastreams/Thing/Datastreams/ObservedProperty/name eq 'ObservedProperty 3'", [0, 1, 3]),
    ],
    "by a part of a text": [
        ("Things", "substring(properties/string, 1) eq 'wo'", [2]), ("Things", "substring(properties/string, 1, 1) eq 'w'", [2]),
        ("Things", "substring(name, 4) eq 'g 4'", [3]), ("Things", "substring(name, 4, 3) eq 'g 4'", [3]),
    ],
    "equal to nothing": [("Things", "properties/field eq null", [0, 3]), ("Things", "Datastreams/id eq null", [3])],
    "not equal to nothing": [("Things", "properties/field ne null", [1, 2]), ("Things", "Datastreams/id ne null", [0, 1, 2])],
    "by a quality that is a text": [("Observations", "resultQuality eq 'number-1'", [1])],
    "by a quality that is a number": [("Observations", "resultQuality eq 2", [2])],
    "by any": [
        ("Things", "Locations/any(l:l/name eq 'Location 2')", [1]),
        ("Things", "HistoricalLocations/any(hl : hl/Locations/any(l : startswith(l/name, 'Location 1')))", [0]),
        ("Things", "HistoricalLocations/any(hl : hl/Locations/any(l : l/properties/field eq properties/field))", [1, 2]),
        ("Things", "Datastreams/any(d:d/ObservedProperty/name eq 'ObservedProperty 0') and Datastreams/any(d:d/ObservedProperty/name eq 'ObservedProperty 1')", [0, 1]),
        ("Things", "Datastreams/any(d:d/ObservedProperty/name eq 'ObservedProperty 3') and Datastreams/any(d:d/ObservedProperty/name eq 'ObservedProperty 1')", [1]),
        ("Things", "Datastreams/any(d:d/ObservedProperty/name eq 'ObservedProperty 0' and d/Sensor/name eq 'Sensor 1')", [2]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_entities_are_selected(sta: TestClient, name: str) -> None:
    for address, text, places in FILTERS[name]:
        assert found(sta, address, text) == places, text


@pytest.mark.parametrize("suffix", ["", "/$value"])
def test_a_property_that_is_nothing_has_no_content(sta: TestClient, suffix: str) -> None:
    answer = sta.get(f"Things(1)/properties{suffix}")
    assert (answer.status_code, answer.content) == (204, b"")


def test_the_name_of_who_asks_is_a_value(sta: TestClient) -> None:
    made(
        sta.post(
            "Things", json={"name": "à moi", "description": "x", "properties": {"owner": "--open-writes"}}
        )
    )
    assert found(sta, "Things", "properties/owner eq principalName()") == [4]
    assert found(sta, "Things", "startswith(principalName(), 'x')") == []
    assert sta.get("Things?$filter=principalName(1) eq 'x'").status_code == 400
    assert sta.delete("Things?$filter=properties/owner eq principalName()").json() == {"deleted": 1}


# --- query options, on all entity sets and on their relations
def sets(sta: TestClient) -> list[tuple[str, Entity]]:
    """Return every entity set, and every relation to several of the first entity of each."""
    found_: list[tuple[str, Entity]] = []
    for entity in ENTITIES:
        found_.append((entity.set_name, entity))
        first = ids(sta, f"{entity.set_name}?$top=1&$select=id")
        for hop in entity.navigations:
            if hop.many and first:
                found_.append((f"{entity.set_name}({first[0]})/{hop.name}", BY_NAME[hop.target]))
    return found_


def whole(sta: TestClient, address: str) -> list[dict[str, Any]]:
    return values(sta, f"{address}?$top=1000")


def test_select_shows_one_or_several_properties(sta: TestClient) -> None:
    for address, entity in sets(sta):
        every = whole(sta, address)
        names = [p.name for p in entity.properties]
        for chosen in (*([n] for n in names), names):
            shown = values(sta, f"{address}?$top=1000&$select={','.join(chosen)}")
            assert shown == [{n: v for n, v in one.items() if n in chosen} for one in every]


def test_select_shows_relations(sta: TestClient) -> None:
    for address, entity in sets(sta):
        for hop in entity.navigations:
            for one in values(sta, f"{address}?$select={hop.name}"):
                absent = hop.name in ("Datastream", "MultiDatastream") and hop.join.here == "datastream_id"
                assert list(one) == [f"{hop.name}@iot.navigationLink"] or (absent and list(one) == [])


def test_expand_shows_what_the_link_leads_to(sta: TestClient) -> None:
    for address, entity in sets(sta):
        for hop in entity.navigations:
            for one in values(sta, f"{address}?$top=3&$expand={hop.name}($top=200)"):
                if f"{hop.name}@iot.navigationLink" not in one:
                    # an observation is of a Datastream or of a MultiDatastream
                    assert (entity.name, hop.join.here) == ("Observation", "datastream_id")
                    assert hop.name not in one
                    continue
                answer = sta.get(f"{one[f'{hop.name}@iot.navigationLink']}{'?$top=200' if hop.many else ''}")
                linked = answer.json() if answer.status_code == 200 else None
                assert one.get(hop.name) == (linked["value"] if hop.many and linked else linked)


def test_expand_goes_over_several_levels_in_both_notations(sta: TestClient) -> None:
    for address, entity in sets(sta):
        for hop in entity.navigations:
            for inner in BY_NAME[hop.target].navigations:
                path = values(sta, f"{address}?$top=2&$expand={hop.name}/{inner.name}")
                nested = values(sta, f"{address}?$top=2&$expand={hop.name}($expand={inner.name})")
                assert path == nested


def test_expand_takes_every_option_inside(sta: TestClient) -> None:
    (thing,) = values(sta, "Things?$top=1&$select=name&$expand=Datastreams($filter=endswith(name,'1') or endswith(name,'2');$orderby=name desc;$top=1;$skip=1;$count=true;$select=name;$expand=Observations($top=2;$orderby=result desc;$select=result;$filter=result lt 6),Sensor($select=name))")  # fmt: skip
    assert thing["name"] == "Thing 1"
    assert thing["Datastreams@iot.count"] == 2
    (series,) = thing["Datastreams"]
    assert (series["name"], series["Sensor"]) == ("Datastream 1", {"name": "Sensor 1"})
    assert series["Observations"] == [{"result": 5}, {"result": 4}]
    following = sta.get(series["Observations@iot.nextLink"]).json()
    assert following["value"] == [{"result": 3}, {"result": 2}]


def test_top_gives_so_many_and_a_link_to_the_others(sta: TestClient) -> None:
    for address, _entity in sets(sta):
        every = [one["@iot.id"] for one in whole(sta, address)]
        for top in (0, 1, 2, 3, 5, 12, 100):
            page = sta.get(f"{address}?$top={top}").json()
            shown = [one["@iot.id"] for one in page["value"]]
            assert shown == every[:top]
            assert ("@iot.nextLink" in page) == (0 < top < len(every))


def test_pages_follow_one_another_to_the_end(sta: TestClient) -> None:
    for address, _entity in sets(sta):
        every = [one["@iot.id"] for one in whole(sta, address)]
        seen: list[int] = []
        link = f"{address}?$top=2"
        while link:
            page = sta.get(link).json()
            seen += [one["@iot.id"] for one in page["value"]]
            assert page["value"] or not every
            assert len(seen) <= len(every)
            link = page.get("@iot.nextLink", "")
        assert seen == every


def test_skip_leaves_out_the_first(sta: TestClient) -> None:
    for address, _entity in sets(sta):
        every = [one["@iot.id"] for one in whole(sta, address)]
        for skip in (1, 2, 3, 4, 12):
            assert ids(sta, f"{address}?$top=1000&$skip={skip}") == every[skip:]


def ordered(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, value)


def test_orderby_orders_by_one_and_by_several_properties(sta: TestClient) -> None:
    for address, entity in sets(sta):
        names = [p.name for p in entity.properties if p.kind in ("text", "instant")]
        every = whole(sta, address)
        for name in names:
            for way, down in (("", False), (" asc", False), (" desc", True)):
                shown = [one.get(name) for one in values(sta, f"{address}?$top=1000&$orderby={name}{way}")]
                assert shown == sorted((one.get(name) for one in every), key=ordered, reverse=down)
        if names:
            shown = [
                [one.get(n) for n in names]
                for one in values(sta, f"{address}?$top=1000&$orderby={','.join(names)}")
            ]
            assert shown == sorted(shown, key=lambda row: [ordered(v) for v in row])


def test_orderby_takes_paths_and_functions(sta: TestClient) -> None:
    by_thing = values(
        sta, "Datastreams?$orderby=Thing/name desc,name&$select=name&$expand=Thing($select=name)"
    )
    assert [d["Thing"]["name"] for d in by_thing] == sorted(
        (d["Thing"]["name"] for d in by_thing), reverse=True
    )
    results = [
        o["result"]
        for o in values(sta, "Observations?$top=100&$orderby=result mod 3,result desc&$select=result")
    ]
    assert results == sorted(results, key=lambda r: (r % 3, -r))
    lengths = [len(o["name"]) for o in values(sta, "Locations?$orderby=length(name) desc")]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize("asked", ["true", "false", ""])
def test_count_is_of_all_whatever_is_shown(sta: TestClient, asked: str) -> None:
    for address, _entity in sets(sta):
        page = sta.get(f"{address}?$top=1{f'&$count={asked}' if asked else ''}").json()
        assert page.get("@iot.count") == (len(whole(sta, address)) if asked == "true" else None)
    assert sta.get("Observations?$top=0&$count=true").json() == {"@iot.count": 36, "value": []}


@pytest.mark.parametrize("operator", ["lt", "le", "eq", "ne", "ge", "gt"])
def test_filter_compares_properties_of_every_set(sta: TestClient, operator: str) -> None:
    import operator as operators

    compare = getattr(operators, operator)
    for address, entity in sets(sta):
        every = whole(sta, address)
        for found_ in (p for p in entity.properties if p.kind == "text"):
            sample = every[len(every) // 2][found_.name] if every else "x"
            shown = ids(
                sta,
                f"{address}?$top=1000&$filter={found_.name} {operator} {quote(chr(39) + sample + chr(39))}",
            )
            assert shown == [one["@iot.id"] for one in every if compare(one[found_.name], sample)]


def test_filter_then_count_then_order_then_skip_then_top(sta: TestClient) -> None:
    page = sta.get(
        "Observations?$count=true&$top=1&$skip=2&$orderby=result asc,id&$filter=result gt '3'"
    ).json()
    # a text compares with the digits of a result, as OGC's own tests have it: 10 is before '3'
    every = sorted((o["result"], o["@iot.id"]) for o in whole(sta, "Observations") if str(o["result"]) > "3")
    assert page["@iot.count"] == len(every)
    assert [(o["result"], o["@iot.id"]) for o in page["value"]] == [every[2]]


PRECEDENCE = [
    ("result eq 2 and result eq 1 or result eq 1", 1), ("(result eq 2 and result eq 1) or result eq 1", 1), ("result eq 2 and (result eq 1 or result eq 1)", None),
    ("not result lt 1 and not result gt 1", 1), ("1 add result mul 2 sub -1 eq 4", 1), ("6 div 2 sub result eq 2", 1),
    ("1 add 2.0 mod (result add 1) eq 1", 1), ("14 div (result add 1) mod 3 mul 3 eq 3", 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "result"), PRECEDENCE)
def test_operators_bind_as_they_should(sta: TestClient, text: str, result: int | None) -> None:
    shown = {o["result"] for o in values(sta, f"Observations?$top=99&$filter={text}")}
    assert shown == (set() if result is None else {result})
