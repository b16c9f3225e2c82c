"""JSON properties in `$filter` and in addresses: the ten behaviours that FROST's tests have."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import LOCATION, PROPERTY, SENSOR, ids, made, station, values

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def text(start: int) -> str:
    return "".join(LETTERS[(start + i) % 26] for i in range(10))


def contents(n: int) -> dict[str, Any]:
    """Return what a Thing's properties and an Observation's parameters hold."""
    return {
        "string": text(n), "boolean": n % 2 == 0, "int": n, "intArray": [n + i for i in range(5)], "strArray": [f"s{n + i}" for i in range(5)],
        "intIntArray": [[n + i + j for j in range(3)] for i in range(3)],
        "objArray": [{"string": text(n + i), "boolean": (n + i) % 2 == 0, "int": n + i, "intArray": [n + i + j for j in range(3)]} for i in range(3)],
    }  # fmt: skip


QUALITY_OBJECT = {"DQ_Status": {"code": 2, "label": "Niveau 1", "comment": "Donnée contrôlée niveau 1"}}
QUALITY_ARRAY = [
    {"nameOfMeasure": "DQ_Status", "DQ_Result": {"code": 2}},
    {"nameOfMeasure": "DQ_Qualification", "DQ_Result": {"code": 1}},
]


@pytest.fixture(scope="module")
def sta(bare: TestClient) -> TestClient:
    """Fill the town: four Things numbered from 8, thirteen observations numbered from 0, three of other shapes, two series."""
    for n in range(4):
        held = {**contents(n + 8), "string": text(n), "boolean": n % 2 == 0}
        made(
            bare.post(
                "Things",
                json={
                    "name": f"Thing {n}",
                    "description": "x",
                    "properties": held,
                    "Locations": [LOCATION] if n == 0 else [],
                },
            )
        )
    made(bare.post("Sensors", json=SENSOR))
    made(bare.post("ObservedProperties", json=PROPERTY))
    for symbol, name, definition in (("°C", "degree celcius", "Cel"), ("°F", "degree Fahrenheit", "[degF]")):
        body = {**station()["Datastreams"][0], "unitOfMeasurement": {"name": name, "symbol": symbol, "definition": definition},
                "Sensor": {"@iot.id": 1}, "ObservedProperty": {"@iot.id": 1}}  # fmt: skip
        made(bare.post("Things(1)/Datastreams", json=body))
    for n in range(13):
        body = {
            "result": n,
            "parameters": contents(n),
            "resultQuality": QUALITY_ARRAY if n % 2 else QUALITY_OBJECT,
        }
        made(bare.post("Datastreams(1)/Observations", json=body))
    other: list[dict[str, Any]] = [
        {"int": text(13), "string": False, "boolean": 13, "objArray": [13, 14], "intArray": [[13]], "intIntArray": [{"int": 13}]},
        {"boolean": text(14), "int": True, "string": 14, "intIntArray": [14, 15], "objArray": [[14]], "intArray": [{"int": 14}]},
        {"boolean": "true", "int": "5"},
    ]  # fmt: skip
    for n, parameters in enumerate(other):
        made(
            bare.post("Datastreams(1)/Observations", json={"result": f"autre {n}", "parameters": parameters})
        )
    return bare


def found(sta: TestClient, address: str, text: str) -> list[int]:
    return [one - 1 for one in ids(sta, f"{address}?$select=id&$top=99&$filter={text}")]


@pytest.mark.parametrize(
    ("address", "field", "n"), [("Things(1)", "properties", 8), ("Observations(1)", "parameters", 0)]
)
def test_an_address_leads_inside_properties(sta: TestClient, address: str, field: str, n: int) -> None:
    held = sta.get(address).json()[field]
    for name in ("string", "boolean", "int", "intArray"):
        assert sta.get(f"{address}/{field}/{name}").json() == {name: held[name]}
    assert sta.get(f"{address}/{field}/int/$value").text == str(n)
    assert sta.get(f"{address}/{field}/objArray/0/string").json() == {"string": held["objArray"][0]["string"]}


TEXTS = [
    ("Things", f"properties/string eq '{text(2)}'", [2]), ("Observations", f"parameters/string eq '{text(2)}'", [2]),
    ("Things", "substringof('cdefgh', properties/string)", [0, 1, 2]), ("Observations", "substringof('cdefgh', parameters/string)", [0, 1, 2]),
    ("Things", "properties/objArray[0]/string eq 'jklmnopqrs'", [1]), ("Observations", "parameters/objArray[0]/string eq 'jklmnopqrs'", [9]),
    ("Observations", "parameters/int eq '5'", [5, 15]),
]  # fmt: skip
NUMBERS = [
    ("Things", "properties/int eq 10", [2]), ("Observations", "parameters/int eq 2", [2]), ("Things", "properties/int gt 9", [2, 3]),
    ("Observations", "parameters/int gt 8", [9, 10, 11, 12]), ("Things", "properties/int lt 9", [0]), ("Observations", "parameters/int lt 8", list(range(8))),
    ("Things", "properties/intArray[1] gt 10", [2, 3]), ("Observations", "parameters/intArray[1] gt 9", [9, 10, 11, 12]),
    ("Things", "properties/intArray[1] lt 10", [0]), ("Observations", "parameters/intArray[1] lt 9", list(range(8))),
    ("Things", "properties/intIntArray[1][0] gt 10", [2, 3]), ("Observations", "parameters/intIntArray[1][0] gt 9", [9, 10, 11, 12]),
    ("Things", "properties/objArray[1]/intArray[0] gt 10", [2, 3]), ("Observations", "parameters/objArray[1]/intArray[0] gt 9", [9, 10, 11, 12]),
]  # fmt: skip
EVEN, ODD = [0, 2, 4, 6, 8, 10, 12], [1, 3, 5, 7, 9, 11]
BOOLEANS = [
    ("Things", "properties/boolean eq false", [1, 3]), ("Observations", "parameters/boolean eq false", ODD), ("Things", "properties/boolean", [0, 2]),
    ("Observations", "parameters/boolean", EVEN), ("Things", "not properties/boolean", [1, 3]), ("Observations", "not parameters/boolean", ODD),
    ("Things", "properties/objArray[1]/boolean", [1, 3]), ("Observations", "parameters/objArray[1]/boolean", ODD),
]  # fmt: skip
UNITS = [
    ("Datastreams", f"unitOfMeasurement/{part} eq '{value}'", [place])
    for place, unit in enumerate([{"symbol": "°C", "name": "degree celcius", "definition": "Cel"}, {"symbol": "°F", "name": "degree Fahrenheit", "definition": "[degF]"}])
    for part, value in unit.items()
]  # fmt: skip
COMPARED = [
    ("Observations", "parameters/int eq Datastream/Thing/properties/int", [8]),
    ("Observations", "parameters/string eq Datastream/Thing/properties/string", [0]),
    ("Observations", "parameters/boolean eq Datastream/Thing/properties/boolean", EVEN),  # a text "true" is no boolean
    ("Observations", "result gt Datastream/Thing/properties/int", [9, 10, 11, 12]),
]  # fmt: skip
LISTS = [
    ("Things", "properties/int in (8,9)", [0, 1]), ("Things", "9 in properties/intArray", [0, 1]), ("Things", "'s10' in properties/strArray", [0, 1, 2]),
    ("Observations", "3 in parameters/intArray", [0, 1, 2, 3]),
]  # fmt: skip
QUALITY = [
    ("Observations", "resultQuality/DQ_Status/code eq 2", EVEN),
    ("Observations", "resultQuality[0]/DQ_Result/code eq 2", ODD),
]


@pytest.mark.parametrize(("address", "text", "places"), TEXTS)
def test_texts_inside(sta: TestClient, address: str, text: str, places: list[int]) -> None:
    assert found(sta, address, text) == places


@pytest.mark.parametrize(("address", "text", "places"), NUMBERS)
def test_numbers_inside(sta: TestClient, address: str, text: str, places: list[int]) -> None:
    assert found(sta, address, text) == places


@pytest.mark.parametrize(("address", "text", "places"), BOOLEANS)
def test_booleans_inside(sta: TestClient, address: str, text: str, places: list[int]) -> None:
    assert found(sta, address, text) == places


@pytest.mark.parametrize(("address", "text", "places"), UNITS)
def test_parts_of_units(sta: TestClient, address: str, text: str, places: list[int]) -> None:
    assert found(sta, address, text) == places


@pytest.mark.parametrize(("address", "text", "places"), COMPARED)
def test_values_of_an_observation_and_of_what_it_belongs_to(
    sta: TestClient, address: str, text: str, places: list[int]
) -> None:
    assert found(sta, address, text) == places


@pytest.mark.parametrize(("address", "text", "places"), LISTS)
def test_lists(sta: TestClient, address: str, text: str, places: list[int]) -> None:
    assert found(sta, address, text) == places


@pytest.mark.parametrize(("address", "text", "places"), QUALITY)
def test_quality_is_any_json(sta: TestClient, address: str, text: str, places: list[int]) -> None:
    assert found(sta, address, text) == places


@pytest.mark.parametrize("part", ["symbol", "name", "definition"])
def test_a_part_of_a_unit_is_addressed_and_selected(sta: TestClient, part: str) -> None:
    unit = sta.get("Datastreams(1)/unitOfMeasurement").json()["unitOfMeasurement"]
    assert sta.get(f"Datastreams(1)/unitOfMeasurement/{part}").json() == {part: unit[part]}
    assert sta.get(f"Datastreams(1)?$select=unitOfMeasurement/{part}").json() == {
        "unitOfMeasurement": {part: unit[part]}
    }
    assert len(values(sta, "Datastreams")) == 2
