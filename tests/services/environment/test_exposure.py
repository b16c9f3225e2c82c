"""Air, noise, heat and slopes: against figures worked out another way, on real air of London and invented series."""

import csv
import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.towns import town_at

from beffroi.intake.take import Intake
from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, from_datetime, parse_instant
from beffroi.model.result import number_of
from beffroi.plugins import load_registry
from beffroi.services.environment import air_index, heat, noise, slope
from beffroi.services.environment.air_index import (
    CLASSES,
    POLLUTANTS,
    classes_on,
    daily_index,
    sub_index,
    to_ppb,
    to_ug_m3,
)
from beffroi.services.environment.exposure import index_by_day
from beffroi.standards.reading import Reading, Series, Station
from beffroi.town import Town, open_town

PARIS = ZoneInfo("Europe/Paris")
END = parse_instant("2026-07-15T00:00:00Z")


# --- air


@pytest.mark.parametrize(("gas", "factor"), [("no2", 1.9125), ("o3", 1.9957), ("so2", 2.6609)])
def test_parts_per_billion_become_micrograms_at_twenty_degrees(gas: str, factor: float) -> None:
    assert to_ug_m3(gas, 1.0) == pytest.approx(factor, rel=2e-3)
    assert to_ug_m3(gas, 40.0) == pytest.approx(40 * to_ug_m3(gas, 1.0))
    assert to_ug_m3(gas, 1.0, celsius=0.0) == pytest.approx(to_ug_m3(gas, 1.0) * 293.15 / 273.15)
    with pytest.raises(KeyError):
        to_ug_m3("pm10", 1.0)
    # there and back, at any weather: a mole of no2 weighs 46.0055 g and takes 24.06 L at 20 °C
    for celsius, hectopascal in ((20.0, 1013.0), (-15.0, 880.0)):
        back = to_ppb(gas, to_ug_m3(gas, 40.0, celsius, hectopascal), celsius, hectopascal)
        assert back == pytest.approx(40.0, rel=1e-12)
    assert to_ppb("no2", 200.0) == pytest.approx(200 / 46.0055 * 24.06, rel=1e-4)


def test_classes_are_dated_grow_and_follow_one_another() -> None:
    for classes in CLASSES:
        assert set(classes.bounds) == set(POLLUTANTS)
        assert all(list(b) == sorted(b) for b in classes.bounds.values())
        assert classes.source.fr
    assert all(a.until == b.since for a, b in pairwise(CLASSES))
    assert classes_on(date(2003, 1, 1)) is CLASSES[0]


@given(st.sampled_from(POLLUTANTS), st.floats(0, 1000))
def test_a_sub_index_is_the_first_class_whose_bound_is_not_exceeded(pollutant: str, value: float) -> None:
    bounds = (*CLASSES[-1].bounds[pollutant], math.inf)
    assert sub_index(pollutant, value, CLASSES[-1]) == next(
        n for n, bound in enumerate(bounds, 1) if value <= bound
    )


def hours_of_london(shared: Path) -> dict[date, dict[str, list[float]]]:
    found: dict[date, dict[str, list[float]]] = {}
    with (shared / "data/hydro/air/marylebone_hourly_2003.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            day = date.fromisoformat(row["date"][:10])
            for pollutant in POLLUTANTS:
                if row[pollutant] not in ("", "NA"):
                    value = float(row[pollutant])
                    gas = pollutant not in air_index.PARTICLES
                    found.setdefault(day, {}).setdefault(pollutant, []).append(
                        to_ug_m3(pollutant, value) if gas else value
                    )
    return found


@pytest.mark.shared
def test_a_year_of_london_air_equals_a_count_by_hand(shared: Path) -> None:
    days = hours_of_london(shared)
    assert len(days) > 360
    tally = dict.fromkeys(range(1, 7), 0)
    for day, hours in days.items():
        worst = 0
        for pollutant, values in hours.items():
            if len(values) < 18:
                continue
            figure = sum(values) / len(values) if pollutant.startswith("pm") else max(values)
            table = {"pm25": (10, 20, 25, 50, 75), "pm10": (20, 40, 50, 100, 150), "no2": (40, 90, 120, 230, 340),
                     "o3": (50, 100, 130, 240, 380), "so2": (100, 200, 350, 500, 750)}[pollutant]  # fmt: skip
            worst = max(worst, 1 + len([bound for bound in table if figure > bound]))
        index = daily_index(day, hours)
        assert index == (worst or None)
        tally[index or 1] += 1
    assert tally[4] > tally[1]  # a kerb of central London was no place to breathe


# --- in a town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("air") / "town"
    town_at(folder, "Essai", email="maire@essai.fr")
    opened = open_town(folder, clock=lambda: END)
    yield opened
    opened.close()


def send(town: Town, station: str, code: str, unit: str, values: list[tuple[int, float]]) -> None:
    intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
    series = Series(f"{station}/{code}", code, Station(station, station), unit=unit)
    intake.take(
        [
            Reading(series, at, number_of(repr(float(v))), source_key=f"{station}{code}{at}".encode())
            for at, v in values
        ]
    )


def figure(town: Town, name: str, days: int = 10) -> float | None:
    indicator = town.registry.indicator(name)
    assert indicator is not None
    return indicator.compute(town, None, END - days * DAY_US, END)


def test_the_town_s_index_takes_parts_per_billion_and_the_median_of_stations(town: Town) -> None:
    midnight = from_datetime(datetime(2026, 7, 10, tzinfo=PARIS))
    hours = [midnight + n * HOUR_US for n in range(24)]
    send(town, "a", "no2", "ppb", [(at, 30.0) for at in hours])  # 57 µg/m³: class 2
    assert index_by_day(town, None, midnight, midnight + DAY_US) == {midnight // DAY_US + 1: 2}
    assert figure(town, "no2_mean") == pytest.approx(57.36, abs=0.02)  # like every figure of the gas
    assert figure(town, "days_no2_who_day") == 1.0
    for station, value in (("a", 60.0), ("b", 60.0), ("c", 500.0)):  # one that is stuck does not decide
        send(
            town,
            station,
            "pm10",
            "µg/m³",
            [(at + n * 15 * MINUTE_US, value) for at in hours for n in range(4)],
        )
    assert index_by_day(town, None, midnight, midnight + DAY_US) == {midnight // DAY_US + 1: 4}
    assert (figure(town, "air_index"), figure(town, "bad_air_days")) == (4.0, 1.0)
    send(
        town, "a", "o3", "µg/m³", [(at + DAY_US, 400.0) for at in hours[:10]]
    )  # less than three hours in four: no figure
    assert figure(town, "air_index") == 4.0


def test_no_name_of_ours_is_the_official_one() -> None:
    service = load_registry().services["environment"]
    said = [t for i in service.indicators for t in (i.title.fr, i.title.en)] + [
        t for c in service.cards for t in (c.title.fr, c.title.en)
    ]
    assert not [words for words in said if "ATMO" in words.upper()]
    assert any("indicatif" in words for words in said)


# --- noise


@given(st.lists(st.floats(20, 110), min_size=1, max_size=50))
def test_equal_energy_is_between_the_least_and_the_most(levels: list[float]) -> None:
    found = noise.leq(levels)
    assert found is not None
    assert min(levels) - 1e-9 <= found <= max(levels) + 1e-9
    assert found >= sum(levels) / len(levels) - 1e-9


def test_lden_weighs_evenings_and_nights() -> None:
    assert noise.lden(60, 60, 60) == pytest.approx(10 * math.log10((12 * 1e6 + 4 * 10**6.5 + 8 * 1e7) / 24))
    assert noise.lden(60, 55, 50) == pytest.approx(60.0)
    hours = [
        (
            datetime(2026, 7, 1, h, tzinfo=PARIS),
            {**dict.fromkeys(range(6, 18), 60.0), **dict.fromkeys(range(18, 22), 55.0)}.get(h, 50.0),
        )
        for h in range(24)
    ]
    assert noise.lden_of(hours) == pytest.approx(60.0)
    assert noise.lden_of(hours[:6]) is None


def test_lden_of_a_town_is_of_civil_time(town: Town) -> None:
    start = datetime(2026, 7, 12, tzinfo=PARIS)
    levels = []
    for quarter in range(96):
        moment = start + timedelta(minutes=15 * quarter)
        levels.append(
            (from_datetime(moment), {"day": 64.0, "evening": 59.0, "night": 54.0}[noise.period_of(moment)])
        )
    send(town, "bruit", "laeq", "dB(A)", levels)
    assert figure(town, "lden") == pytest.approx(64.0)
    assert figure(town, "night_noise") == pytest.approx(54.0)


# --- heat and slopes


def test_a_heatwave_needs_three_nights_and_three_days(town: Town) -> None:
    lows = {10: 20.0, 11: 22.0, 12: 21.0, 13: 20.0, 15: 30.0}
    highs = {10: 35.0, 11: 36.0, 12: 34.0, 13: 30.0, 15: 40.0}
    assert heat.three_day_means(lows) == {10: 21.0, 11: 21.0}
    assert heat.hot_days(lows, highs, {"min": 21.0, "max": 34.0}) == [10]
    assert heat.hot_days(lows, highs, {"min": 21.1, "max": 30.0}) == []
    for day, (low, high) in enumerate(((20, 35), (22, 36), (21, 34), (15, 25))):
        midnight = datetime(2026, 7, 6 + day, tzinfo=PARIS)
        send(
            town,
            "meteo",
            "temperature",
            "°C",
            [(from_datetime(midnight + timedelta(hours=h)), low if h < 8 else high) for h in range(24)],
        )
    assert figure(town, "heat_nights") == pytest.approx(21.0)
    assert figure(town, "heat_days") == pytest.approx(35.0)
    assert figure(town, "heat_spells") == 1.0
    town.store.set_setting("environment.heat", {"min": 22.0})
    assert figure(town, "heat_spells") == 0.0


@given(st.floats(-50, 50), st.floats(-20, 20), st.integers(3, 300))
def test_the_velocity_of_a_slope_is_its_line_s_and_one_bad_value_does_not_move_it(
    rate: float, start: float, count: int
) -> None:
    values = [(n * HOUR_US, start + rate * n / 24) for n in range(count)]
    assert slope.velocity_per_day(values) == pytest.approx(rate, abs=1e-6)
    if count >= 20:
        values[count // 2] = (values[count // 2][0], 1e6)
        assert slope.velocity_per_day(values) == pytest.approx(rate, abs=1e-6)


def test_slopes_and_heavy_hours_of_a_town(town: Town) -> None:
    send(town, "mur", "crack", "mm", [(END - (48 - n) * HOUR_US, 1.0 + n / 24 * 0.5) for n in range(48)])
    send(town, "talus", "displacement", "mm", [(END - (48 - n) * HOUR_US, -2.0 * n / 24) for n in range(48)])
    assert figure(town, "slope_velocity") == pytest.approx(2.0)
    send(
        town,
        "pluie",
        "rain",
        "mm",
        [(END - (60 - n) * 10 * MINUTE_US, 4.0 if 20 <= n < 29 else 0.2) for n in range(60)],
    )
    assert figure(town, "rain_hour") == pytest.approx(24.0)
