"""The OpenAPI description: valid for a validator that others wrote, complete, and true of what is answered."""

import re
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import MULTI, ROOT, made, series_of, station

from beffroi.standards.sensorthings.entities import ENTITIES, TASKING


def described(sta: TestClient) -> dict[str, Any]:
    answer = sta.get("api")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def test_a_validator_of_others_accepts_it(sta: TestClient) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    assert [str(e) for e in OpenAPIV31SpecValidator(described(sta)).iter_errors()] == []  # type: ignore[arg-type]


def test_every_entity_every_address_and_method_is_described(sta: TestClient) -> None:
    paths = described(sta)["paths"]
    for entity in ENTITIES:
        assert set(paths[f"/{entity.set_name}"]) == {"get", "post", "delete"}
        assert set(paths[f"/{entity.set_name}({{id}})"]) - {"parameters"} == {"get", "patch", "put", "delete"}
        for hop in entity.navigations:
            assert "get" in paths[f"/{entity.set_name}({{id}})/{hop.name}"]
    for path in ("/", "/api", "/$batch", "/CreateObservations"):
        assert paths[path]
    writes = [
        op for item in paths.values() for method, op in item.items() if method in ("post", "patch", "put")
    ]
    assert all("security" in op for op in writes)


def test_what_is_answered_and_accepted_fits_its_schemas(sta: TestClient) -> None:
    document = described(sta)

    def check(value: Any, name: str) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(value)

    body = {**station(), "MultiDatastreams": [MULTI]}
    check(body, "NewThing")
    series = series_of(sta, made(sta.post("Things", json=body)))
    observation = {"result": 1, "Datastream": {"@iot.id": series}, "phenomenonTime": "2020-01-01T00:00:00Z"}
    check(observation, "NewObservation")
    made(sta.post("Observations", json=observation))
    for entity in ENTITIES:
        expand = ",".join(hop.name for hop in entity.navigations)
        page = sta.get(f"{entity.set_name}?$expand={expand}&$count=true").json()
        assert page["value"] or entity.name in TASKING
        check(page, f"{entity.name}Page")
    check(sta.get("Things(99)").json(), "Problem")
    check(sta.get(ROOT).json(), "Root")
    with pytest.raises(jsonschema.ValidationError):
        check({"description": "sans nom"}, "NewThing")


def test_every_reference_leads_somewhere(sta: TestClient) -> None:
    document = described(sta)
    text = sta.get("api").text
    for kind, name in set(re.findall(r'"#/components/(\w+)/([\w$]+)"', text)):
        assert name in document["components"][kind]
    assert document["servers"] == [{"url": ROOT.rstrip("/")}]


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
def test_schemathesis_finds_no_fault(sta: TestClient) -> None:
    """A tool that others wrote makes requests from the description: never a 5xx, never an undeclared answer."""
    import hypothesis
    import schemathesis

    schema = schemathesis.openapi.from_asgi("/sensorthings/v1.1/api", sta.app)
    checks = [schemathesis.checks.not_a_server_error, schemathesis.checks.status_code_conformance]  # type: ignore[attr-defined]
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @hypothesis.settings(
            max_examples=15, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        @hypothesis.given(case=operation.as_strategy())
        def one(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.validate_response(case.call(), checks=checks)

        one()
    assert tried > 500
