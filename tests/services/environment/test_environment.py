"""The environment service: what it declares holds together, and its figures are right."""

import json
import statistics
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.towns import town_at

from beffroi.demo.catalogue import Line, write_stations
from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, from_datetime, parse_instant
from beffroi.model.observation import Draft, Quality
from beffroi.model.result import Result
from beffroi.plugins import load_registry
from beffroi.rules.reading import read_rule
from beffroi.scene import Series, Station, make_scene
from beffroi.services.environment.air_index import CLASSES, POLLUTANTS
from beffroi.services.environment.datastreams import DATASTREAMS
from beffroi.services.environment.domain import by_day, days_beyond, middle_day, percent_change
from beffroi.services.environment.indicators import INDICATORS
from beffroi.services.environment.limits import LIMITS
from beffroi.services.environment.rules import RULES
from beffroi.town import Town, open_town

PARIS = ZoneInfo("Europe/Paris")
END = parse_instant("2026-11-01")


# --- declarations


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_default_rule_reads_and_watches_a_declared_kind(rule: object) -> None:
    read = read_rule(rule.yaml)  # type: ignore[attr-defined]
    codes = {kind.code for kind in DATASTREAMS}
    assert not read.watch.kind or read.watch.kind in codes
    assert read.watch.wide


def test_every_alias_leads_to_one_kind() -> None:
    registry = load_registry()
    for kind in DATASTREAMS:
        for name in (kind.code, *kind.aliases, kind.code.upper()):
            found = registry.datastream_kind(name)
            assert found is not None
            assert found.code == kind.code


@pytest.mark.shared
def test_names_of_the_real_files_are_known(shared: Path) -> None:
    registry = load_registry()
    sensors = shared / "data" / "sensors"
    header = (sensors / "meteo_T_BED.csv").read_text("utf-8").partition("\n")[0].split(",")
    assert registry.datastream_kind(header[2]).code == "temperature"  # type: ignore[union-attr]
    header = (sensors / "meteo_P_BED.csv").read_text("utf-8").partition("\n")[0].split(",")
    assert registry.datastream_kind(header[2]).code == "rain"  # type: ignore[union-attr]
    records = json.loads((sensors / "air_grandpoitiers_ods.json").read_text("utf-8"))
    found = {registry.datastream_kind(r["fields"]["nom_pll"]) for r in records}
    assert {kind.code for kind in found if kind} == {"no2", "o3", "pm10", "pm25"}
    assert None not in found


def test_limits_are_of_declared_kinds_and_say_their_source() -> None:
    for limit in LIMITS.values():
        assert limit.kind in {kind.code for kind in DATASTREAMS}
        assert limit.source.fr
        assert limit.source.en


# --- pure functions


@given(st.lists(st.tuples(st.integers(0, 400 * 24 * 60), st.floats(-50, 50)), max_size=80))
def test_by_day_groups_as_the_calendar_of_paris_does(pairs: list[tuple[int, float]]) -> None:
    start = parse_instant("2026-01-01")
    values = [(start + minute * MINUTE_US, value) for minute, value in pairs]
    wanted: dict[int, list[float]] = {}
    for instant, value in values:
        day = datetime.fromtimestamp(instant / 1e6, PARIS).date()
        wanted.setdefault(day.toordinal() - date(1970, 1, 1).toordinal(), []).append(value)
    assert by_day(values) == wanted


def test_by_day_counts_25_hours_when_summer_time_ends() -> None:
    midnight = from_datetime(datetime(2026, 10, 25, tzinfo=PARIS))
    following = from_datetime(datetime(2026, 10, 26, tzinfo=PARIS))
    hours = [(t, 1.0) for t in range(midnight, following, HOUR_US)]
    assert [len(day) for day in by_day(hours).values()] == [25]


def test_middle_day_is_not_moved_by_one_faulty_sensor() -> None:
    assert middle_day([{1: 10.0, 2: 11.0}, {1: 11.0, 2: 12.0}, {1: 90.0}]) == {1: 11.0, 2: 11.5}


def test_days_beyond_counts_strictly() -> None:
    days = {1: 45.0, 2: 45.1, 3: 10.0}
    assert days_beyond(days, 45.0) == 1
    assert days_beyond(days, 45.0, below=True) == 1


@pytest.mark.parametrize(
    ("before", "now", "wanted"),
    [(100.0, 112.0, 12.0), (0.0, 5.0, None), (None, 5.0, None), (50.0, 0.0, -100.0)],
)
def test_percent_change(before: float | None, now: float, wanted: float | None) -> None:
    assert percent_change(before, now) == wanted


# --- indicators, on a real store


def series(key: str, kind: str, minutes: int) -> Series:
    return Series(key, kind, minutes * MINUTE_US, lambda _a, _b: 0.0)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town_at(tmp_path / "t", "Essai")
    opened = open_town(tmp_path / "t", clock=lambda: END)
    yield opened
    opened.close()


def write(town: Town, *stations: tuple[str, str, str, int]) -> list[Line]:
    """Write a station for each (key, kind, commune, minutes)."""
    things = [
        Station(
            key,
            key,
            key,
            "environment",
            commune,
            (0.0, 0.0),
            "essai",
            (series(f"{key}/{kind}", kind, minutes),),
        )
        for key, kind, commune, minutes in stations
    ]
    return write_stations(town, make_scene(1, 1, END), things, {})


def fill(town: Town, line: Line, values: list[tuple[int, float]], quality: Quality = Quality.GOOD) -> None:
    town.store.observations.append(
        [Draft(line.datastream_id, t, Result(v), quality=int(quality)) for t, v in values]
    )


def figure(town: Town, name: str, territory: str | None, days: int = 10) -> float | None:
    indicator = next(i for i in INDICATORS if i.name == name)
    return indicator.compute(town, territory, END - days * DAY_US, END)


def test_indicators_know_nothing_of_an_empty_town(town: Town) -> None:
    assert {figure(town, indicator.name, None) for indicator in INDICATORS} == {None}


def test_rain_is_the_mean_of_the_gauges_of_the_territory(town: Town) -> None:
    first, second, other = write(
        town, ("a", "rain", "18901", 60), ("b", "rain", "18901", 60), ("c", "rain", "18902", 60)
    )
    fill(town, first, [(END - 3 * HOUR_US, 2.0), (END - 2 * HOUR_US, 3.0), (END - 20 * DAY_US, 99.0)])
    fill(town, second, [(END - 3 * HOUR_US, 6.0)])
    fill(town, other, [(END - 3 * HOUR_US, 40.0)])
    assert figure(town, "rain", "18901") == 5.5
    assert figure(town, "rain", "18902") == 40.0


def test_hot_days_follow_the_median_station_and_leave_suspect_values_aside(town: Town) -> None:
    lines = write(town, *[(key, "temperature", "18901", 60) for key in "abc"])
    noon = END - 5 * DAY_US + 11 * HOUR_US
    for line, highest in zip(lines, (30.0, 31.0, 55.0), strict=True):
        fill(town, line, [(noon, highest), (noon - 6 * HOUR_US, 15.0)])
        fill(town, line, [(noon + DAY_US, 29.9)])
    fill(town, lines[0], [(noon + DAY_US, 45.0)], Quality.SUSPECT)
    fill(town, lines[1], [(noon + DAY_US, 45.0)], Quality.BAD)
    assert figure(town, "hot_days", "18901") == 1


def test_days_over_the_pm10_limit_equal_a_count_by_hand(town: Town) -> None:
    lines = write(town, ("a", "pm10", "18901", 60), ("b", "pm10", "18901", 60))
    start = from_datetime(datetime(2026, 10, 22, tzinfo=PARIS))
    told: list[dict[date, list[float]]] = []
    for number, line in enumerate(lines):
        values = [
            (start + h * HOUR_US, 20.0 + 35.0 * ((h * 7 + number * 3) % 29) / 29 + (h // 24) * 3)
            for h in range(240)
        ]
        fill(town, line, values)
        days: dict[date, list[float]] = {}
        for instant, value in values:
            days.setdefault((datetime.fromtimestamp(instant / 1e6, PARIS)).date(), []).append(value)
        told.append(days)
    first = date(2026, 10, 22)
    every = [first + timedelta(days=n) for n in range(10)]
    wanted = sum(
        statistics.median(statistics.fmean(d[day]) for d in told if day in d) > 45.0 for day in every
    )
    assert figure(town, "days_pm10_eu_day", "18901", 11) == wanted
    assert 0 < wanted < 10


def test_cyclists_add_the_counters_and_an_incomplete_day_is_no_small_day(town: Town) -> None:
    one, two = write(town, ("a", "bicycles", "18901", 360), ("b", "bicycles", "18901", 360))
    midnight = from_datetime(datetime(2026, 10, 2, tzinfo=PARIS))
    quarter = 6 * HOUR_US

    def days(first: int, last: int, each: float) -> list[tuple[int, float]]:
        return [(midnight + d * DAY_US + q * quarter, each) for d in range(first, last) for q in range(4)]

    fill(town, one, days(0, 10, 20.0) + days(10, 20, 25.0))
    fill(town, two, days(12, 16, 10.0))
    fill(town, two, [(midnight + 17 * DAY_US + 9 * HOUR_US, 1.0)])  # the counter came back for an hour
    start, end = midnight + 10 * DAY_US, midnight + 20 * DAY_US
    by_name = {i.name: i for i in INDICATORS}
    assert by_name["cyclists_per_day"].compute(town, None, start, end) == 140.0
    assert by_name["cyclists_trend"].compute(town, None, start, end) == pytest.approx(
        25.0
    )  # the same counters


def test_trend_is_unknown_when_there_was_little_before(town: Town) -> None:
    (one,) = write(town, ("a", "bicycles", "18901", 360))
    midnight = from_datetime(datetime(2026, 10, 2, tzinfo=PARIS))
    fill(town, one, [(midnight + h * 6 * HOUR_US, 10.0) for h in range(4 * 12)])
    trend = next(i for i in INDICATORS if i.name == "cyclists_trend")
    assert trend.compute(town, None, midnight + 2 * DAY_US, midnight + 12 * DAY_US) is None


def test_completeness_counts_what_came_against_the_announced_pace(town: Town) -> None:
    one, two = write(town, ("a", "o3", "18901", 60), ("b", "no2", "18901", 30))
    fill(town, one, [(END - (h + 1) * HOUR_US, 1.0) for h in range(24)])
    fill(town, two, [(END - (h + 1) * HOUR_US, 1.0) for h in range(24)])
    assert figure(town, "environment_completeness", "18901", 1) == pytest.approx(100 * 48 / 72)


def test_river_peak_is_the_highest_level(town: Town) -> None:
    (gauge,) = write(town, ("a", "river_level", "18901", 10))
    fill(town, gauge, [(END - HOUR_US, 0.4), (END - 2 * HOUR_US, 1.87), (END - 3 * HOUR_US, 1.2)])
    assert figure(town, "river_peak", "18901") == 1.87


def test_what_was_not_read_in_its_text_says_so() -> None:
    said = {i.name: i.formula for i in INDICATORS}
    for code, limit in (("pm10_who_day", LIMITS["pm10_who_day"]), ("pm10_eu_day", LIMITS["pm10_eu_day"])):
        assert ("à vérifier" in said[f"days_{code}"].fr, "to be checked" in said[f"days_{code}"].en) == (
            not limit.read,
        ) * 2
    unread = [p for p in POLLUTANTS if p not in CLASSES[-1].read]
    assert unread == ["pm25", "pm10", "o3"]
    assert "celles des PM2,5, PM10 et O₃ restent à vérifier" in said["air_index"].fr
