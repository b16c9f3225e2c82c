"""A station from its gaugings to its verified forecasts, on a town that runs hour after hour."""

import json
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.towns import town_at

from beffroi.intake.take import Intake
from beffroi.model.instant import HOUR_US, MINUTE_US, format_instant, parse_instant
from beffroi.model.observation import Quality
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.rules import rulebook
from beffroi.services.water.forecast.duties import attend
from beffroi.services.water.forecast.hours import evaporation_of
from beffroi.services.water.forecast.issuing import LEADS, Forecasting, _learned, forecast_series
from beffroi.services.water.forecast.series import HourlySeries
from beffroi.services.water.forecast.verifying import events_in
from beffroi.services.water.own_series import known_series
from beffroi.services.water.rating.keeping import current_rating, derive, rate, rated_series
from beffroi.services.water.warning.thresholds import apply, forecast_key
from beffroi.standards.reading import Reading, Series, Station
from beffroi.store.record import Query, Row
from beffroi.town import Town, open_town

START = parse_instant("2026-01-01")
TRAINED = 2150
HOURS = 16


class Hand:
    """A clock that the test moves."""

    now = START + TRAINED * HOUR_US

    def __call__(self) -> int:
        return self.now


def truth(hours: int) -> tuple[np.ndarray, np.ndarray]:
    """Rain and discharge of each hour; a storm every five days, and one that begins with the forecasts."""
    rain = np.zeros(hours)
    chance = np.random.default_rng(5)
    for begin in range(40, TRAINED, 120):
        rain[begin : begin + 6] += chance.uniform(1, 6)
    rain[TRAINED + 3 : TRAINED + 9] += 7.0
    age = np.arange(100.0)
    return rain, 3 + np.convolve(rain, age * np.exp(-age / 4))[:hours]


def stage_of(discharge: float) -> float:
    return float((discharge / 20) ** (1 / 1.8))


PLACE = Station("pont", "Le pont")
LEVEL, RAIN, FLOW = (
    Series(f"pont/{code}", code, PLACE, unit=unit)
    for code, unit in (("river_level", "m"), ("rain", "mm"), ("discharge", "m³/s"))
)


def readings(begin: int, end: int) -> list[Reading]:
    rain, flow = truth(TRAINED + HOURS)
    found = []
    for hour in range(begin, end):
        at = START + hour * HOUR_US + 30 * MINUTE_US
        found.append(Reading(LEVEL, at, number_of(f"{stage_of(flow[hour]):.4f}"), quality=0))
        found.append(Reading(RAIN, at, number_of(f"{rain[hour]:.3f}"), quality=0))
    return found


@pytest.fixture(scope="module")
def clock() -> Hand:
    return Hand()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, clock: Hand) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town") / "data"
    town_at(folder, name="Essai")
    opened = open_town(folder, clock=clock)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def intake(town: Town) -> Intake:
    return Intake(town.store, town.registry.datastream_kind, town.registry.service_of)


@pytest.fixture(scope="module")
def station(town: Town, intake: Intake) -> Row:
    taken = intake.take(readings(0, TRAINED))
    level, rain = taken.datastreams[0], taken.datastreams[1]
    values = {
        "code": "pont",
        "name": "Le pont",
        "river": "L'Essai",
        "level": level,
        "rain": rain,
        "period_min": 60,
    }
    made = town.store.records.put("river_station", values, who=SYSTEM)
    chance = np.random.default_rng(2)
    for n in range(12):
        discharge = 2.5 * 1.3 ** ((7 * n) % 12)
        gauged = {
            "station": made.id, "at": START + n * 100 * HOUR_US, "stage": round(stage_of(discharge), 3),
            "discharge": round(discharge * float(np.exp(0.02 * chance.standard_normal())), 4), "sigma_percent": 5.0,
        }  # fmt: skip
        town.store.records.put("gauging", gauged, who=SYSTEM)
    return made


def test_gaugings_make_a_version_once_and_a_new_one_makes_another(town: Town, station: Row) -> None:
    made = rate(town, station)
    assert made is not None
    assert made.values["gaugings"] == 12
    assert made.values["zero_m"] == pytest.approx(0, abs=0.1)
    assert rate(town, station) is None
    found = current_rating(town, station.id)
    assert found is not None
    table = found[1]
    for discharge in (3.0, 10.0, 30.0):
        said = table.read(stage_of(discharge))
        assert said.discharge == pytest.approx(discharge, rel=0.06)
        assert said.low < discharge < said.high
        assert said.flags == ()
    assert table.read(stage_of(80.0)).flags == ("extrapolated_high",)
    assert table.read(9.0).flags == ("above_curve",)
    assert table.read(-1.0).discharge == 0
    top = table.stages[-1]
    assert table.stage_of(table.discharges[-1]) == pytest.approx(top)
    assert table.stage_of(2 * table.discharges[-1]) == pytest.approx(
        stage_of(2 * table.discharges[-1]), rel=0.1
    )


def test_discharge_is_computed_from_the_level_and_flagged_beyond_the_gaugings(
    town: Town, station: Row
) -> None:
    rate(town, station)
    assert derive(town, station) > 700  # the last thirty days
    assert derive(town, station) == 0
    _, flow = truth(TRAINED)
    series = town.store.observations.series(rated_series(town, station))
    found = current_rating(town, station.id)
    assert found is not None
    version, table = found
    for one in series[-200:]:
        expected = flow[(one.start_us - START) // HOUR_US]
        assert one.result.value == pytest.approx(expected, rel=0.12)
        extra = json.loads(one.extra or "")
        assert extra["parameters"]["rating_version"] == version.id
        beyond = not table.lowest <= extra["parameters"]["stage_m"] <= table.highest
        assert bool(extra["resultQuality"]["flags"]) == beyond
        assert one.quality == (Quality.SUSPECT if beyond else Quality.ESTIMATED)


def test_forecasts_are_issued_each_hour_and_every_hour_is_verified(
    town: Town, station: Row, intake: Intake, clock: Hand
) -> None:
    station = town.store.records.get("river_station", station.id)
    forecasting = Forecasting(town)
    # the whole history of discharge is computed first, as for a station that was just set up
    town.store.set_setting(f"water.rated.{station.id}", START)
    for hour in range(TRAINED, TRAINED + HOURS):
        clock.now = START + hour * HOUR_US + MINUTE_US
        attend(town, forecasting, station)
        if hour % 6 == 0:
            attend(town, forecasting, station)  # a second look within the hour changes nothing
        intake.take(readings(hour, hour + 1))
    clock.now = START + (TRAINED + HOURS) * HOUR_US + MINUTE_US
    attend(town, forecasting, station)
    rated = {o.start_us: o.result.value for o in town.store.observations.series(rated_series(town, station))}
    for lead in LEADS:
        made = town.store.observations.series(forecast_series(town, station, lead))
        issues = [o.result_time_us or 0 for o in made]
        assert [o.start_us for o in made] == [at + lead * HOUR_US for at in issues]
        last = START + (TRAINED + HOURS) * HOUR_US
        assert issues == list(range(issues[0], last + 1, HOUR_US))
        after = [json.loads(o.extra or "")["parameters"].get("hindcast", False) for o in made]
        assert after == [True] * (len(made) - HOURS) + [False] * HOURS
        squares, held, checked = 0.0, 0, 0
        for one in made:
            came = rated.get(one.start_us - 30 * MINUTE_US)
            if came is None:
                continue
            low, high = json.loads(one.extra or "")["resultQuality"]["interval90"]
            assert low <= one.result.value <= high
            squares += (one.result.value - came) ** 2
            held += low <= came <= high
            checked += 1
        rows = town.store.records.find("forecast_score", Query(where={"lead_h": lead})).rows
        sums = {
            n: sum(r.values[n] for r in rows) for n in ("hours", "squares", "still_squares", "lower", "upper")
        }
        assert sums["hours"] == checked > HOURS
        assert sums["squares"] == pytest.approx(squares, rel=1e-3, abs=1e-3)
        assert sums["lower"] + sums["upper"] == held
        if lead <= 3:
            assert sums["squares"] < 0.5 * sums["still_squares"]
    last = json.loads(made[-1].extra or "")["parameters"]["issued"]
    table = current_rating(town, station.id)[1]
    peaks = {}
    for quantity in ("discharge", "level"):
        for share in ("low", "mid", "high"):
            one = town.store.observations.series(known_series(town, station, forecast_key(quantity, share)))
            assert len(one) == HOURS + 1
            peaks[quantity, share] = one[-1].result.value
            course = json.loads(one[-1].extra or "")["parameters"]["forecast"]
            assert [c["at"] for c in course] == [
                format_instant(parse_instant(last) + lead * HOUR_US) for lead in LEADS
            ]
            assert max(c["value"] for c in course) == one[-1].result.value
    assert peaks["discharge", "low"] < peaks["discharge", "mid"] < peaks["discharge", "high"]
    for share in ("low", "mid", "high"):
        assert peaks["level", share] == pytest.approx(table.stage_of(peaks["discharge", share]), abs=1e-3)
        assert table.read(table.stage_of(5.0)).discharge == pytest.approx(5.0, rel=1e-3)
    events = town.store.records.find("forecast_event", Query()).rows
    newest = max(events, key=lambda e: e.values["at"]).values
    assert (newest["outcome"], newest["at"] > START + TRAINED * HOUR_US) == ("hit", True)
    assert 1 in newest["leads"]
    assert newest["peak_m3s"] > newest["threshold_m3s"]


def test_a_threshold_on_the_forecast_rings_on_what_the_town_forecasts(town: Town, station: Row) -> None:
    for quantity, value in (("forecast", 0.2), ("forecast_flow", 1.0)):
        limit = {"station": station.id, "quantity": quantity, "colour": "orange", "value": value}
        town.store.records.put("river_threshold", limit, who=SYSTEM)
    assert apply(town, town.store.records.get("river_station", station.id)) == []
    rules = {r.values["origin"]: r.values["yaml"] for r in rulebook.rules(town.store)}
    for quantity, of in (("forecast", "level"), ("forecast_flow", "discharge")):
        number = known_series(town, station, forecast_key(of, "high"))
        assert f"datastream: {number}\n" in rules[f"water/{station.id}/{quantity}"]


def test_a_measured_discharge_is_not_replaced(town: Town, station: Row, intake: Intake, clock: Hand) -> None:
    number = rated_series(town, station)
    before = len(town.store.observations.series(number))
    last = town.store.observations.series(number)[-1].start_us
    flow = intake.take([Reading(FLOW, last + HOUR_US, number_of("3.1"), quality=0)]).datastreams[0]
    measured = town.store.records.put("river_station", {"flow": flow}, id=station.id, who=SYSTEM)
    intake.take([Reading(LEVEL, last + HOUR_US, number_of("0.9"), quality=0)])
    clock.now += HOUR_US
    assert derive(town, measured) == 0
    bad = [Reading(LEVEL, last + 3 * HOUR_US, number_of("0.9"), quality=0)]
    bad.append(Reading(FLOW, last + 3 * HOUR_US, number_of("99"), quality=int(Quality.SUSPECT)))
    intake.take(bad)
    clock.now += 2 * HOUR_US
    assert derive(town, measured) == 1
    assert len(town.store.observations.series(number)) == before + 1
    town.store.records.put("river_station", {"flow": None}, id=station.id, who=SYSTEM)


def test_a_station_below_another_is_forecast_with_it_and_alone_when_it_is_silent() -> None:
    hours = 3000
    chance = np.random.default_rng(8)
    rain = np.where(chance.random(hours) < 0.02, chance.uniform(1, 12, hours), 0.0)
    age = np.arange(120.0)
    above = (
        2 + np.convolve(chance.permutation(rain), age * np.exp(-age / 5))[:hours]
    )  # of other rain: nothing else tells
    below = 1 + np.concatenate([np.full(3, above[0]), above[:-3]])
    series = HourlySeries(0, rain, np.zeros(hours), below, None, upstream=(above,))
    learned = _learned(series, 7)
    (with_it, read), (alone, own) = learned.of(series, 7)
    assert (read.upstream[0] is above, own.upstream) == (True, ())
    came = np.concatenate([below[3:], np.full(3, np.nan)])
    misses = [
        float(np.nanmean((model.forecast(part)[3].median - came) ** 2))
        for model, part in ((with_it, read.parts()[0][1]), (alone, own.parts()[0][1]))
    ]
    assert misses[0] < 0.1 * misses[1]
    assert [m for m, _ in learned.of(series, 8)] == [
        alone
    ]  # another station upstream than the one learned from
    silent = msgspec.structs.replace(
        series, upstream=(np.where(np.arange(hours) < hours - 20, above, np.nan),)
    )
    assert [len(silent.parts()), silent.parts()[0][1].upstream[0].size, len(silent.own().parts()[0][1].discharge)] == [
        1, hours - 17, hours,
    ]  # fmt: skip
    assert _learned(msgspec.structs.replace(series, upstream=(np.full(hours, np.nan),)), 7).below is None


@given(st.lists(st.sampled_from([1.0, 9.0]), min_size=60, max_size=60), st.integers(-2, 2))
def test_events_are_those_of_the_definition(flows: list[float], late: int) -> None:
    observed = np.array([1.0] * 30 + flows)
    forecast = np.roll(observed, late)
    came = [i for i in range(24, 90) if observed[i] > 5 and (observed[i - 24 : i] <= 5).all()]
    found = events_in(observed, {3: forecast}, 5.0)
    assert [e.hour for e in found if e.came] == came
    said = [e for e in found if not e.came]
    assert all(observed[e.hour] <= 5 for e in said)  # late is not false
    if abs(late) <= 1 and not (observed[-3:] > 5).any():
        assert all(e.leads == (3,) for e in found if e.came)


def test_evaporation_is_an_ordinary_year_s() -> None:
    year = evaporation_of(np.arange(365 * 24) * 3600)
    assert 650 < year.sum() < 780
    assert year.min() == 0
    assert year[182 * 24 : 183 * 24].sum() > 6 * year[15 * 24 : 16 * 24].sum()
