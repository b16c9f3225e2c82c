"""Times of a MultiDatastream's observations in `$filter`: each operator and function on instants and intervals."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import (
    LOCATION,
    MEASUREMENT,
    MULTI,
    PROPERTY,
    THING,
    UNIT,
    ids,
    made,
    served_town,
)

DAY = "2016-01-01"
# phenomenonTime of each observation: hours and minutes of one day, or a whole time; an interval is validTime too
TIMES = (
    "06:00", "06:59", "07:00", "07:01", "07:59", "08:00", "08:01", "09:00", "06:00/06:59", "06:00/07:00", "06:00/07:01",
    "07:00/08:00", "07:01/07:59", "07:59/09:00", "08:00/09:00", "08:01/09:00", "06:59/08:01", "07:00/07:59", "07:00/08:01",
    "06:59/08:00", "07:01/08:00", "2015-01-01T06:00:00Z", "2017-01-01T09:00:00Z",
    "2015-01-01T06:00:00Z/2015-01-01T07:00:00Z", "2017-01-01T09:00:00Z/2017-01-01T10:00:00Z",
)  # fmt: skip


def time(text: str) -> str:
    """Return a time of the day, or an interval, as the standard writes it."""
    return "/".join(part if "T" in part else f"{DAY}T{part}:00.000Z" for part in text.split("/"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with served_town(tmp_path_factory.mktemp("town")) as client:
        one = {
            **MULTI,
            "multiObservationDataTypes": [MEASUREMENT],
            "unitOfMeasurements": [UNIT],
            "ObservedProperties": [PROPERTY],
        }
        thing = made(
            client.post("Things", json={**THING, "Locations": [LOCATION], "MultiDatastreams": [one, one]})
        )
        first, _ = ids(client, f"Things({thing})/MultiDatastreams")
        for n, text in enumerate(TIMES):
            body = {"result": [n], "phenomenonTime": time(text)}
            if "/" in text:
                body["validTime"] = time(text)
            if "/" not in text or n > 22:
                body["resultTime"] = time(text).partition("/")[0]
            assert made(client.post(f"MultiDatastreams({first})/Observations", json=body)) == n + 1
        yield client


def found(client: TestClient, condition: str) -> list[int]:
    """Return the places in `TIMES` of what a condition selects."""
    return [one - 1 for one in ids(client, f"Observations?$filter={condition}")]


RT, VT, PT = "resultTime", "validTime", "phenomenonTime"
INSTANTS_BEFORE_7, INSTANTS_AFTER_7 = {0, 1, 21, 23}, {3, 4, 5, 6, 7, 22, 24}
INTERVALS_BEFORE_7, INTERVALS_AFTER_7 = {8, 9, 23}, {12, 13, 14, 15, 20, 24}
AFTER_8, INTERVALS_AFTER_8 = {5, 6, 7, 22, 24}, {14, 15, 24}
ACROSS_7 = {10, 11, 16, 17, 18, 19}
IN_7_8, INTERVALS_ACROSS = {2, 3, 4}, {10, 11, 12, 13, 16, 17, 18, 19, 20}
# name: condition with {} for property and value; then for 07:00 and for 07:00/08:00, what of resultTime and of validTime
TABLE = {
    "lt": ("{p} lt {v}", INSTANTS_BEFORE_7, INTERVALS_BEFORE_7, INSTANTS_BEFORE_7, INTERVALS_BEFORE_7),
    "lt turned": ("{v} lt {p}", INSTANTS_AFTER_7, INTERVALS_AFTER_7, AFTER_8, INTERVALS_AFTER_8),
    "gt": ("{p} gt {v}", INSTANTS_AFTER_7, INTERVALS_AFTER_7, AFTER_8, INTERVALS_AFTER_8),
    "gt turned": ("{v} gt {p}", INSTANTS_BEFORE_7, INTERVALS_BEFORE_7, INSTANTS_BEFORE_7, INTERVALS_BEFORE_7),
    "le": ("{p} le {v}", INSTANTS_BEFORE_7 | {2}, INTERVALS_BEFORE_7, INSTANTS_BEFORE_7 | {2},
           INTERVALS_BEFORE_7 | {10, 11, 17, 19}),
    "ge": ("{p} ge {v}", INSTANTS_AFTER_7 | {2}, INTERVALS_AFTER_7 | {11, 17, 18}, AFTER_8, {11, 13, 14, 15, 18, 20, 24}),
    "eq": ("{p} eq {v}", {2}, set(), set(), {11}),
    "before": ("before({p},{v})", INSTANTS_BEFORE_7, INTERVALS_BEFORE_7, INSTANTS_BEFORE_7, INTERVALS_BEFORE_7),
    "before turned": ("before({v},{p})", INSTANTS_AFTER_7, INTERVALS_AFTER_7, AFTER_8, INTERVALS_AFTER_8),
    "after": ("after({p},{v})", INSTANTS_AFTER_7, INTERVALS_AFTER_7, AFTER_8, INTERVALS_AFTER_8),
    "meets": ("meets({p},{v})", {2}, {9, 11, 17, 18}, {2, 5}, {9, 14}),
    "overlaps": ("overlaps({p},{v})", {2}, ACROSS_7, IN_7_8, INTERVALS_ACROSS),
    "starts": ("starts({p},{v})", {2}, {11, 17, 18}, {2}, {11, 17, 18}),
    "finishes": ("finishes({p},{v})", {2}, {9}, {5}, {11, 19, 20}),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_times_compare(client: TestClient, name: str) -> None:
    condition, *expected = TABLE[name]
    for value, (instants, intervals) in zip(
        ("07:00", "07:00/08:00"), (expected[:2], expected[2:]), strict=True
    ):

        def asked(p: str, value: str = value) -> set[int]:
            return set(found(client, condition.format(p=p, v=time(value))))

        assert asked(RT) == instants
        assert asked(VT) == intervals
        # 23 and 24 have an instant as resultTime, and an interval as phenomenonTime
        assert asked(PT) == {n for n in instants if "/" not in TIMES[n]} | intervals


def test_during_needs_an_interval(client: TestClient) -> None:
    span = time("07:00/08:00")
    for p in (RT, VT, PT):
        assert client.get(f"Observations?$filter=during({p},{time('07:00')})").status_code == 400
    assert client.get(f"Observations?$filter=during({span},resultTime)").status_code == 400
    assert set(found(client, f"during(resultTime,{span})")) == IN_7_8
    assert set(found(client, f"during(validTime,{span})")) == {11, 12, 17, 20}
    assert set(found(client, f"during(phenomenonTime,{span})")) == IN_7_8 | {11, 12, 17, 20}
    assert set(found(client, f"during({time('07:00')},validTime)")) == ACROSS_7
    assert set(found(client, f"during({span},phenomenonTime)")) == {11, 16, 18, 19}


def test_the_year_of_a_time(client: TestClient) -> None:
    assert set(found(client, "year(resultTime) eq 2015")) == {21, 23}
    assert set(found(client, "year(validTime) eq 2015")) == {23}
    assert set(found(client, "year(phenomenonTime) eq 2015")) == {21, 23}


@pytest.mark.parametrize(
    ("condition", "instants", "intervals"),
    [
        ("{p} add duration'PT1H' gt {nine}", {6, 7, 22, 24}, {15, 24}),
        ("{p} gt {nine} sub duration'PT1H'", {6, 7, 22, 24}, {15, 24}),
        ("{p} sub duration'PT1H' gt {seven}", {6, 7, 22, 24}, {15, 24}),
        ("{p} add duration'PT1H' le {nine}", {0, 1, 2, 3, 4, 5, 21, 23}, {8, 9, 10, 11, 12, 17, 19, 20, 23}),
        ("{p} lt {early} add duration'PT1H'", INSTANTS_BEFORE_7, INTERVALS_BEFORE_7),
        ("{p} gt {late} sub duration'PT1H'", AFTER_8, INTERVALS_AFTER_8),
    ],
)
def test_durations_move_times(
    client: TestClient, condition: str, instants: set[int], intervals: set[int]
) -> None:
    named = {
        "seven": time("07:00"),
        "nine": time("09:00"),
        "early": time("06:00/07:00"),
        "late": time("08:00/09:00"),
    }
    assert set(found(client, condition.format(p=RT, **named))) == instants
    assert set(found(client, condition.format(p=VT, **named))) == intervals
    assert (
        set(found(client, condition.format(p=PT, **named)))
        == {n for n in instants if "/" not in TIMES[n]} | intervals
    )


def test_a_difference_of_times_is_a_duration(client: TestClient) -> None:
    assert found(client, f"phenomenonTime sub {time('08:00')} eq duration'PT1H'") == [7]


def test_not_before_and_not_after_is_overlapping(client: TestClient) -> None:
    for p, expected in ((RT, IN_7_8), (VT, INTERVALS_ACROSS), (PT, IN_7_8 | INTERVALS_ACROSS)):
        condition = f"not {p} lt {time('07:00')} and not {p} ge {time('08:00')}"
        assert set(found(client, condition)) == expected


@pytest.mark.parametrize(
    ("condition", "found_first"),
    [
        ("phenomenonTime lt 2018-01-01T00:00:00Z", True), ("phenomenonTime lt 2015-01-01T06:00:00Z", False),
        ("phenomenonTime gt 2014-01-01T00:00:00Z", True), ("phenomenonTime gt 2017-01-01T10:00:00Z", False),
        ("phenomenonTime eq 2015-01-01T06:00:00Z/2017-01-01T10:00:00Z", True),
        ("during(phenomenonTime, 2014-01-01T00:00:00Z/2018-01-01T00:00:00Z)", True),
        ("overlaps(phenomenonTime, 2016-01-01T07:00:00Z)", True), ("overlaps(phenomenonTime, 2018-01-01T00:00:00Z)", False),
        ("starts(phenomenonTime, 2015-01-01T06:00:00Z/2018-01-01T00:00:00Z)", True),
        ("finishes(phenomenonTime, 2014-01-01T00:00:00Z/2017-01-01T10:00:00Z)", True),
        ("meets(phenomenonTime, 2017-01-01T10:00:00Z/2018-01-01T00:00:00Z)", True),
        ("after(phenomenonTime, 2014-01-01T00:00:00Z)", True), ("before(phenomenonTime, 2018-01-01T00:00:00Z)", True),
    ],
)  # fmt: skip
def test_the_span_of_a_multidatastream_compares(
    client: TestClient, condition: str, found_first: bool
) -> None:
    assert ids(client, f"MultiDatastreams?$filter={condition}") == ([1] if found_first else [])


def test_the_span_goes_with_the_observations(tmp_path_factory: pytest.TempPathFactory) -> None:
    with served_town(tmp_path_factory.mktemp("other")) as client:
        thing = made(
            client.post("Things", json={**THING, "Locations": [LOCATION], "MultiDatastreams": [MULTI]})
        )
        (one,) = ids(client, f"Things({thing})/MultiDatastreams")
        assert "phenomenonTime" not in client.get(f"MultiDatastreams({one})").json()
        first = made(client.post(f"MultiDatastreams({one})/Observations", json={"result": [1, 2]}))
        assert "phenomenonTime" in client.get(f"MultiDatastreams({one})").json()
        client.delete(f"Observations({first})")
        assert "phenomenonTime" not in client.get(f"MultiDatastreams({one})").json()
