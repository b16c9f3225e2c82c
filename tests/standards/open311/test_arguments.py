"""The arguments of GeoReport: dates, lists, places, answers."""

import pytest

from beffroi.model.instant import DAY_US, parse_instant
from beffroi.model.problem import Problem
from beffroi.standards.open311.arguments import Window, read_query, read_submission

NOW = parse_instant("2026-11-25T12:00:00Z")


def test_the_last_ninety_days_by_default() -> None:
    asked = read_query({}, NOW)
    assert asked.window == Window(NOW - 90 * DAY_US, NOW)
    assert (asked.page, asked.page_size, asked.extensions, asked.ids, asked.codes, asked.statuses) == (
        1,
        1000,
        False,
        (),
        (),
        (),
    )


def test_one_end_gives_the_other() -> None:
    start = parse_instant("2026-01-01T00:00:00Z")
    assert read_query({"start_date": "2026-01-01T00:00:00Z"}, NOW).window == Window(
        start, start + 90 * DAY_US
    )
    assert read_query({"end_date": "2026-01-01T01:00:00 01:00"}, NOW).window == Window(
        start - 90 * DAY_US, start
    )


def test_lists_and_pages() -> None:
    asked = read_query({"service_code": "001, 002", "status": "OPEN", "page": "3", "page_size": "50", "extensions": "true",
                        "service_request_id": "a,b"}, NOW)  # fmt: skip
    assert (asked.codes, asked.statuses, asked.page, asked.page_size, asked.extensions, asked.ids) == (
        ("001", "002"), ("open",), 3, 50, True, ("a", "b"))  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"status": "done"}, "status"), ({"page": "0"}, "page"), ({"page_size": "1001"}, "page_size"),
        ({"page": "²"}, "page"), ({"start_date": "hier"}, "start_date"),
        ({"start_date": "2026-01-01", "end_date": "2026-04-02"}, "end_date"),
        ({"start_date": "2026-01-02", "end_date": "2026-01-01"}, "end_date"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(arguments: dict[str, str], place: str) -> None:
    with pytest.raises(Problem) as caught:
        read_query(arguments, NOW)
    assert caught.value.place == place


def test_ninety_days_to_the_second() -> None:
    asked = read_query({"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-04-01T00:00:00Z"}, NOW)
    assert asked.window.end_us - asked.window.start_us == 90 * DAY_US


def test_a_submission() -> None:
    sent = read_submission([
        ("service_code", " 001 "), ("lat", "47.65"), ("long", "-2.08"), ("description", " Un trou "), ("attribute[taille]", "g"),
        ("attribute[quoi][]", "a"), ("attribute[quoi][]", "b"), ("attribute[vide]", " "), ("attribute[taille]", "p"),
    ])  # fmt: skip
    assert (sent.service_code, sent.lat, sent.long, sent.text("description"), sent.text("email")) == (
        "001",
        47.65,
        -2.08,
        "Un trou",
        "",
    )
    assert sent.attributes == {"taille": ("g",), "quoi": ("a", "b")}


@pytest.mark.parametrize(
    ("pairs", "place"),
    [
        ([("lat", "1"), ("long", "2")], "service_code"),
        ([("service_code", "1")], "lat"),
        ([("service_code", "1"), ("lat", "1")], "long"),
        ([("service_code", "1"), ("long", "1")], "lat"),
        ([("service_code", "1"), ("lat", "91"), ("long", "1")], "lat"),
        ([("service_code", "1"), ("lat", "nan"), ("long", "1")], "lat"),
        ([("service_code", "1"), ("lat", "x"), ("long", "1")], "lat"),
        ([("service_code", "1"), ("address_string", "a" * 501)], "address_string"),
    ],
)
def test_a_wrong_submission_names_the_argument(pairs: list[tuple[str, str]], place: str) -> None:
    with pytest.raises(Problem) as caught:
        read_submission(pairs)
    assert caught.value.place == place


def test_an_address_is_place_enough() -> None:
    assert read_submission([("service_code", "1"), ("address_string", "3 rue du Four")]).lat is None
