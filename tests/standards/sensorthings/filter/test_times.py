"""Times and intervals in `$filter`: the sixteen behaviours that FROST's tests have, on both kinds of time.

The observations are those of one morning, by their places in `TIMES`: 0-7 and 21-22 are instants, the others intervals.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import Clock, client_of, ids, made, series_of, station

from beffroi.plugins import Registry
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import Town

DAY = "2016-01-01T"
INSTANTS = ["06:00", "06:59", "07:00", "07:01", "07:59", "08:00", "08:01", "09:00"]
INTERVALS = ["600_659", "600_700", "600_701", "700_800", "701_759", "759_900", "800_900", "801_900", "659_801", "700_759",
             "700_801", "659_800", "701_800"]  # fmt: skip


def at(clock: str) -> str:
    clock = clock.replace(":", "").zfill(4)
    return f"{DAY}{clock[:2]}:{clock[2:]}:00Z"


def span(text: str) -> str:
    start, end = text.split("_")
    return f"{at(start)}/{at(end)}"


T2014, T2015, T2017, T2017_2, T2018 = (
    "2014-01-01T06:00:00Z", "2015-01-01T06:00:00Z", "2017-01-01T09:00:00Z", "2017-01-01T10:00:00Z", "2018-01-01T09:00:00Z",
)  # fmt: skip
I2015, I2017 = f"{T2015}/2015-01-01T07:00:00Z", f"{T2017}/{T2017_2}"
TIMES = [*map(at, INSTANTS), *map(span, INTERVALS), T2015, T2017, I2015, I2017]
T700, T800, T900, I78 = at("700"), at("800"), at("900"), span("700_800")


@pytest.fixture(scope="module")
def sta(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("times")
    clock = Clock()
    store = Store.open(Settings(data=folder), clock)
    with client_of(Town(Settings(data=folder), store, Registry(()), clock)) as client:
        fill(client)
        yield client
    store.close()


def fill(sta: TestClient) -> None:
    series = series_of(sta, made(sta.post("Things", json=station())))
    for n, time in enumerate(TIMES):
        body = {"result": n, "phenomenonTime": time, "Datastream": {"@iot.id": series}}
        if "/" not in time:
            body["resultTime"] = time
        else:
            body["validTime"] = time
            if n in (23, 24):
                body["resultTime"] = time[:20] if n == 23 else T2017_2
        made(sta.post("Observations", json=body))
    other = {**station()["Datastreams"][0], "Thing": {"@iot.id": 1}}
    made(sta.post("Datastreams", json=other))  # has no observations


def found(sta: TestClient, text: str) -> list[int]:
    return [
        one - 1 for one in ids(sta, f"Observations?$top=99&$select=id&$filter={text.replace('+', '%2B')}")
    ]


# Template, then what it selects for resultTime, validTime and phenomenonTime against 7:00, then against 7:00/8:00.
_GT7 = [3, 4, 5, 6, 7, 22, 24], [12, 13, 14, 15, 20, 24], [3, 4, 5, 6, 7, 12, 13, 14, 15, 20, 22, 24]
_GT78 = [5, 6, 7, 22, 24], [14, 15, 24], [5, 6, 7, 14, 15, 22, 24]
_LT = [0, 1, 21, 23], [8, 9, 23], [0, 1, 8, 9, 21, 23]
_GE7 = (
    [2, 3, 4, 5, 6, 7, 22, 24],
    [11, 12, 13, 14, 15, 17, 18, 20, 24],
    [2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 17, 18, 20, 22, 24],
)
_GE78 = [5, 6, 7, 22, 24], [11, 13, 14, 15, 18, 20, 24], [5, 6, 7, 11, 13, 14, 15, 18, 20, 22, 24]
_LE7 = [0, 1, 2, 21, 23], [8, 9, 23], [0, 1, 2, 8, 9, 21, 23]
_LE78 = [0, 1, 2, 21, 23], [8, 9, 10, 11, 17, 19, 23], [0, 1, 2, 8, 9, 10, 11, 17, 19, 21, 23]
_EQ7, _EQ78 = ([2], [], [2]), ([], [11], [11])
_OVER7 = [2], [10, 11, 16, 17, 18, 19], [2, 10, 11, 16, 17, 18, 19]
_OVER78 = [2, 3, 4], [10, 11, 12, 13, 16, 17, 18, 19, 20], [2, 3, 4, 10, 11, 12, 13, 16, 17, 18, 19, 20]
_MEETS7, _MEETS78 = ([2], [9, 11, 17, 18], [2, 9, 11, 17, 18]), ([2, 5], [9, 14], [2, 5, 9, 14])
_STARTS = [2], [11, 17, 18], [2, 11, 17, 18]
_ENDS7, _ENDS78 = ([2], [9], [2, 9]), ([5], [11, 19, 20], [5, 11, 19, 20])

CASES: dict[str, tuple[str, tuple[list[int], ...], tuple[list[int], ...]]] = {
    "a time is before": ("{x} lt {t}", _LT, _LT), "before a time": ("{t} lt {x}", _GT7, _GT78),
    "a time is after": ("{x} gt {t}", _GT7, _GT78), "after a time": ("{t} gt {x}", _LT, _LT),
    "a time is not after": ("{x} le {t}", _LE7, _LE78), "not after a time": ("{t} le {x}", _GE7, _GE78),
    "a time is not before": ("{x} ge {t}", _GE7, _GE78), "not before a time": ("{t} ge {x}", _LE7, _LE78),
    "a time is equal": ("{x} eq {t}", _EQ7, _EQ78), "equal to a time": ("{t} eq {x}", _EQ7, _EQ78),
    "before()": ("before({x},{t})", _LT, _LT), "before() turned": ("before({t},{x})", _GT7, _GT78),
    "after()": ("after({x},{t})", _GT7, _GT78), "after() turned": ("after({t},{x})", _LT, _LT),
    "meets()": ("meets({x},{t})", _MEETS7, _MEETS78), "meets() turned": ("meets({t},{x})", _MEETS7, _MEETS78),
    "overlaps()": ("overlaps({x},{t})", _OVER7, _OVER78), "overlaps() turned": ("overlaps({t},{x})", _OVER7, _OVER78),
    "starts()": ("starts({x},{t})", _STARTS, _STARTS), "starts() turned": ("starts({t},{x})", _STARTS, _STARTS),
    "finishes()": ("finishes({x},{t})", _ENDS7, _ENDS78), "finishes() turned": ("finishes({t},{x})", _ENDS7, _ENDS78),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_time_compares_with_an_instant_and_an_interval(sta: TestClient, name: str) -> None:
    template, instant, interval = CASES[name]
    for time, expected in ((T700, instant), (I78, interval)):
        for field, places in zip(("resultTime", "validTime", "phenomenonTime"), expected, strict=True):
            text = template.format(x=field, t=time)
            assert found(sta, text) == places, text


def test_during_needs_an_interval(sta: TestClient) -> None:
    for field in ("resultTime", "validTime", "phenomenonTime"):
        answer = sta.get(f"Observations?$filter=during({field},{T700})")
        assert (answer.status_code, answer.json()["place"]) == (400, f"$filter:{len(field) + 9}")
    assert found(sta, f"during(resultTime,{I78})") == [2, 3, 4]
    assert found(sta, f"during(validTime,{I78})") == [11, 12, 17, 20]
    assert found(sta, f"during(phenomenonTime,{I78})") == [2, 3, 4, 11, 12, 17, 20]
    for time in (T700, I78):
        assert sta.get(f"Observations?$filter=during({time},resultTime)").status_code == 400
    assert (
        found(sta, f"during({T700},validTime)")
        == found(sta, f"during({T700},phenomenonTime)")
        == [10, 11, 16, 17, 18, 19]
    )
    assert (
        found(sta, f"during({I78},validTime)")
        == found(sta, f"during({I78},phenomenonTime)")
        == [11, 16, 18, 19]
    )


def test_years_are_those_of_the_start(sta: TestClient) -> None:
    assert found(sta, "year(resultTime) eq 2015") == [21, 23]
    assert found(sta, "year(validTime) eq 2015") == [23]
    assert found(sta, "year(phenomenonTime) eq 2015") == [21, 23]


DURATIONS = [
    (f"resultTime add duration'PT1H' gt {T900}", [6, 7, 22, 24]), (f"validTime add duration'PT1H' gt {T900}", [15, 24]),
    (f"phenomenonTime add duration'PT1H' gt {T900}", [6, 7, 15, 22, 24]), (f"resultTime gt {T900} sub duration'PT1H'", [6, 7, 22, 24]),
    (f"validTime gt {T900} sub duration'PT1H'", [15, 24]), (f"phenomenonTime gt {T900} sub duration'PT1H'", [6, 7, 15, 22, 24]),
    (f"resultTime sub duration'PT1H' gt {T700}", [6, 7, 22, 24]), (f"validTime sub duration'PT1H' gt {T700}", [15, 24]),
    (f"phenomenonTime sub duration'PT1H' gt {T700}", [6, 7, 15, 22, 24]), (f"resultTime lt {span('600_700')} add duration'PT1H'", [0, 1, 21, 23]),
    (f"validTime lt {span('600_700')} add duration'PT1H'", [8, 9, 23]), (f"phenomenonTime lt {span('600_700')} add duration'PT1H'", [0, 1, 8, 9, 21, 23]),
    (f"resultTime gt {span('800_900')} sub duration'PT1H'", [5, 6, 7, 22, 24]), (f"validTime gt {span('800_900')} sub duration'PT1H'", [14, 15, 24]),
    (f"phenomenonTime gt {span('800_900')} sub duration'PT1H'", [5, 6, 7, 14, 15, 22, 24]), (f"phenomenonTime sub {T800} eq duration'PT1H'", [7]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "places"), DURATIONS)
def test_times_and_intervals_move_by_durations(sta: TestClient, text: str, places: list[int]) -> None:
    assert found(sta, text) == places


def test_neither_before_nor_not_before_is_overlapping(sta: TestClient) -> None:
    assert found(sta, f"not resultTime lt {T700} and not resultTime ge {T800}") == [2, 3, 4]
    assert found(sta, f"not validTime lt {T700} and not validTime ge {T800}") == [
        10,
        11,
        12,
        13,
        16,
        17,
        18,
        19,
        20,
    ]
    assert found(sta, f"not phenomenonTime lt {T700} and not phenomenonTime ge {T800}") == [
        2,
        3,
        4,
        10,
        11,
        12,
        13,
        16,
        17,
        18,
        19,
        20,
    ]


# What the interval from 2015-01-01T06:00 to 2017-01-01T10:00 of the first datastream answers; the second has none.
WHOLE = f"{T2015}/{T2017_2}"
SERIES = {
    "lt": {T2017_2, T2018, f"{T2017_2}/{T2018}"}, "gt": {T2014, f"{T2014}/{T2015}"},
    "le": {T2017_2, T2018, WHOLE, f"{T2015}/{T2018}", f"{T2017_2}/{T2018}"},
    "ge": {T2014, T2015, f"{T2014}/{T2015}", f"{T2014}/{T2017_2}", WHOLE}, "eq": {WHOLE},
    "before": {T2017_2, T2018, f"{T2017_2}/{T2018}"}, "after": {T2014, f"{T2014}/{T2015}"},
    "meets": {T2015, T2017_2, f"{T2014}/{T2015}", f"{T2017_2}/{T2018}"},
    "during": {f"{T2014}/{T2017_2}", f"{T2014}/{T2018}", WHOLE, f"{T2015}/{T2018}"},
    "overlaps": {T2015, T700, I78, f"{T2014}/{T2017_2}", f"{T2014}/{T2018}", WHOLE, f"{T2015}/{T2018}"},
    "starts": {T2015, WHOLE, f"{T2015}/{T2018}"}, "finishes": {T2017_2, f"{T2014}/{T2017_2}", WHOLE},
}  # fmt: skip
ASKED = [T2014, T2015, T700, T2017_2, T2018, I78, f"{T2014}/{T2015}", f"{T2014}/{T2017_2}", f"{T2014}/{T2018}", WHOLE,
         f"{T2015}/{T2018}", f"{T2017_2}/{T2018}"]  # fmt: skip


@pytest.mark.parametrize("how", SERIES)
def test_the_time_that_a_datastream_covers_compares_alike(sta: TestClient, how: str) -> None:
    shape = (
        f"phenomenonTime {how} {{}}" if re.fullmatch("[lg][te]|eq", how) else f"{how}(phenomenonTime,{{}})"
    )
    held = {
        t
        for t in ASKED
        if ("/" in t or how != "during") and ids(sta, f"Datastreams?$filter={shape.format(t)}") == [1]
    }
    assert held == SERIES[how]


def test_the_time_of_a_datastream_is_gone_with_its_observations(tmp_path: Path) -> None:
    clock = Clock()
    store = Store.open(Settings(data=tmp_path), clock)
    with client_of(Town(Settings(data=tmp_path), store, Registry(()), clock)) as sta:
        fill(sta)
        assert "phenomenonTime" in sta.get("Datastreams(1)").json()
        assert sta.delete("Observations?$all=true").json() == {"deleted": len(TIMES)}
        assert "phenomenonTime" not in sta.get("Datastreams(1)").json()
        assert "phenomenonTime" not in sta.get("Datastreams(2)").json()
    store.close()
