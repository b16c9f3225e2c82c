"""GeoReport's XML and JSON, both ways, on answers of real servers and on generated ones."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.problem import Problem
from beffroi.standards.open311.nouns import (
    Attribute,
    Fault,
    Note,
    RequestUpdate,
    Service,
    ServiceDefinition,
    ServiceRequest,
    Value,
)
from beffroi.standards.open311.reading import (
    read_definition,
    read_faults,
    read_requests,
    read_services,
    read_updates,
)
from beffroi.standards.open311.writing import definition, faults, requests, services, updates, write


@pytest.fixture(scope="module")
def answers(shared: Path) -> Path:
    return shared / "data" / "reports"


def test_chicago_comes_out_as_it_went_in(answers: Path) -> None:
    sent = json.loads((answers / "chicago_open311_requests_extended_a.json").read_text("utf-8"))
    read = list(read_requests(json.dumps(sent).encode()))
    back = json.loads(write(requests(read, extensions=True), "json"))  # type: ignore[arg-type]
    assert len(back) == 25
    assert [{k: v for k, v in row.items() if k in one} for row, one in zip(back, sent, strict=True)] == sent
    assert not any(v for row, one in zip(back, sent, strict=True) for k, v in row.items() if k not in one)


def test_toronto_xml(answers: Path) -> None:
    first, second = read_requests((answers / "open311_toronto_requests.xml").read_bytes())
    assert isinstance(first, ServiceRequest)
    assert isinstance(second, ServiceRequest)
    assert (first.service_request_id, first.status, first.service_code) == (
        "101005420892",
        "open",
        "CSROWR-12",
    )
    assert (first.description, first.zipcode, first.updated_datetime) == (None, None, None)
    assert (first.lat, first.long) == (43.691104288, -79.272306875)
    assert second.expected_datetime == "2018-08-03T00:01:00-04:00"
    assert list(read_requests((answers / "open311_toronto_request_single.xml").read_bytes())) == [first]


def test_services_of_two_makes(answers: Path) -> None:
    giessen = read_services((answers / "open311_giessen_services.xml").read_bytes())
    assert [s.service_code for s in giessen] == ["015", "010", "013", "012", "011", "016", "017", "014"]
    assert giessen[3] == Service("012", "Verkehrsschild beschädigt", "Report graffiti on a building you own.",
                                 keywords=("graffiti", "paintings"))  # fmt: skip
    sample = read_services((answers / "open311_service_list.json").read_bytes())
    assert sample[0].metadata is True
    assert (sample[1].service_code, sample[1].group) == ("002", "street")


_word = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1).map(
    lambda s: s.strip() or "x"
)  # fmt: skip
_maybe = st.none() | _word
_request = st.builds(
    ServiceRequest, service_request_id=_word, status=st.sampled_from(("open", "closed")), status_notes=_maybe,
    service_name=_maybe, service_code=_maybe, description=_maybe, agency_responsible=_maybe, service_notice=_maybe,
    requested_datetime=_maybe, updated_datetime=_maybe, expected_datetime=_maybe, address=_maybe, address_id=_maybe,
    zipcode=_maybe, lat=st.none() | st.floats(-90, 90), long=st.none() | st.floats(-180, 180), media_url=_maybe,
    extended_attributes=st.dictionaries(st.sampled_from(["ward", "state", "channel"]), _word),
    notes=st.lists(st.builds(Note, datetime=_word, summary=_word, description=_maybe, type=_maybe), max_size=2).map(tuple),
)  # fmt: skip


@given(st.lists(_request, max_size=3), st.sampled_from(("xml", "json")))
def test_requests_survive_both_forms(sent: list[ServiceRequest], form: str) -> None:
    assert list(read_requests(write(requests(sent, extensions=True), form))) == sent


@given(st.lists(_request, max_size=2), st.sampled_from(("xml", "json")))
def test_without_extensions_only_the_standard_travels(sent: list[ServiceRequest], form: str) -> None:
    bare = [msgspec.structs.replace(r, extended_attributes={}, notes=(), attributes={}) for r in sent]
    assert list(read_requests(write(requests(sent), form))) == bare


@pytest.mark.parametrize("form", ["xml", "json"])
def test_definition_faults_updates_survive(form: str) -> None:
    asked = ServiceDefinition("VOIRIE", (
        Attribute("taille", "Quelle taille ?", "singlevaluelist", True, True, "", 1, (Value("p", "Petit & rond"), Value("g", "Grand"))),
        Attribute("avis", "Appelez le 18.", "text", False, False, "", 2),
    ))  # fmt: skip
    assert read_definition(write(definition(asked), form)) == asked
    wrong = [Fault(404, "Il n'y a pas de service « <X> ».")]
    assert read_faults(write(faults(wrong), form)) == wrong
    said = [RequestUpdate("7", "2026-12", "closed", "2026-11-25T10:00:00+01:00", "Réparé", None)]
    assert read_updates(write(updates(said), form)) == said


def test_xml_says_booleans_small_and_lists_by_item() -> None:
    root = ET.fromstring(write(services([Service("001", "Trou", metadata=True, keywords=("a", "b"))]), "xml"))
    assert root.tag == "services"
    assert [(e.tag, e.text) for e in root[0]] == [
        ("service_code", "001"), ("service_name", "Trou"), ("description", None), ("metadata", "true"),
        ("type", "realtime"), ("keywords", "a,b"), ("group", None),
    ]  # fmt: skip


def test_an_attribute_may_be_called_anything_in_xml() -> None:
    one = ServiceRequest("1", "open", attributes={"1 <b>": "x\x00y", "où": ["p", "g"]})
    root = ET.fromstring(write(requests([one], extensions=True), "xml"))
    attributes = root.find("request/attributes")
    assert attributes is not None
    assert [(e.tag, "".join(e.itertext())) for e in attributes] == [("_1__b_", "x�y"), ("o_", "pg")]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'[{"status":"open"}]', "/0/service_request_id"),
        (b'[{"service_request_id":"1","status":"done"}]', "/0/status"),
        (b"<service_requests><request><service_request_id>1</service_request_id><status/></request></service_requests>", "/0/status"),
    ],
)  # fmt: skip
def test_a_bad_item_is_named_and_the_rest_read(body: bytes, place: str) -> None:
    found = list(read_requests(body))
    assert [p.place for p in found if isinstance(p, Problem)] == [place]


@pytest.mark.parametrize(
    "body", [b"", b"<a", b"{", b"\xff\xfe<\x00", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"<html>"]
)
def test_what_is_no_answer_is_a_problem(body: bytes) -> None:
    with pytest.raises(Problem):
        list(read_requests(body))
    assert read_faults(body) == []


@given(st.binary(max_size=200))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    for reader in (read_services, read_definition, read_updates, read_requests):
        try:
            list(reader(body)) if reader is not read_definition else reader(body)  # type: ignore[operator]
        except Problem as problem:
            assert problem.status == 400
