"""Sun against Skyfield (DE421), nights of 23 and 25 hours, energy and the two LED vectors."""

import csv
import gzip
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.model.problem import Problem
from beffroi.services.lighting.calendars import (
    Calendar,
    Plan,
    calendar_nights,
    choose,
    read_rules,
    rules_text,
)
from beffroi.services.lighting.energy import Change, Stock, led_case, led_interval, odd_hours, what_if
from beffroi.services.lighting.schedule import (
    Edge,
    Program,
    Step,
    cut_program,
    levels_at,
    nights_of,
    program_text,
    read_program,
)
from beffroi.services.lighting.sun import civil_days, sun_times

GOLDEN = Path(__file__).parent / "sun_skyfield_2028.csv.gz"  # made by bench/lighting.py --golden
MONTPELLIER = np.array([3.88]), np.array([43.61])
ZONE = ZoneInfo("Europe/Paris")


def test_sun_is_that_of_skyfield() -> None:
    """Every event of 366 days at seven places, 41 to 51° N, −21° and 16°, within ten seconds."""
    with gzip.open(GOLDEN, "rt") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 7 * 4
    days = civil_days(date(2028, 1, 1), 366)
    for latitude, longitude, name, *moments in rows:
        found = getattr(sun_times(float(longitude), float(latitude), days), name)[0]
        assert np.abs(found - np.array(moments, float)).max() < 10, (latitude, name)


def test_no_event_in_polar_night_and_no_place_off_the_globe() -> None:
    found = sun_times(20.0, 69.6, civil_days(date(2026, 12, 21), 1))
    assert np.isnan(found.sunrise[0, 0])
    assert np.isfinite(found.dawn[0, 0])  # the sun stays under the horizon, not under −6°
    with pytest.raises(Problem, match="Earth"):
        sun_times(43.6, 93.9, civil_days(date(2026, 1, 1), 1))


def test_a_year_of_ten_thousand_points_is_a_matter_of_seconds() -> None:
    import time

    chance = np.random.default_rng(1)
    begun = time.process_time()
    sun_times(chance.uniform(-5, 8, 2000), chance.uniform(41, 51, 2000), civil_days(date(2027, 1, 1), 365))
    assert time.process_time() - begun < 0.4  # a fifth of the points, a fifth of the two seconds


def test_nights_of_23_and_25_hours() -> None:
    always = read_program("12:00 100, 11:59")
    spring = nights_of(always, *MONTPELLIER, date(2026, 3, 27), 3).lit[0]
    autumn = nights_of(always, *MONTPELLIER, date(2026, 10, 23), 3).lit[0]
    minute = 1 / 60
    assert spring == pytest.approx([24 - minute, 23 - minute, 24 - minute])
    assert autumn == pytest.approx([24 - minute, 25 - minute, 24 - minute])
    cut = read_program(
        "20:00 100, 01:00 0, 04:00 100, 06:00"
    )  # the hour that is skipped, or comes twice, is dark
    assert nights_of(cut, *MONTPELLIER, date(2026, 3, 28), 1).full[0] == pytest.approx([7])
    assert nights_of(cut, *MONTPELLIER, date(2026, 10, 24), 1).full[0] == pytest.approx([7])
    lit = read_program("20:00 100, 06:00")
    assert nights_of(lit, *MONTPELLIER, date(2026, 3, 28), 1).full[0] == pytest.approx([9])
    assert nights_of(lit, *MONTPELLIER, date(2026, 10, 24), 1).full[0] == pytest.approx([11])


levels = st.integers(0, 100).map(lambda n: n / 100)
steps = st.lists(st.tuples(st.integers(0, 1439), levels), max_size=4, unique_by=lambda s: s[0]).map(
    lambda found: tuple(Step(*s) for s in sorted(found, key=lambda s: (s[0] - 720) % 1440))
)
edges = st.tuples(st.sampled_from(["sunset", "dusk"]), st.integers(-60, 60)).map(lambda e: Edge(*e))


@settings(max_examples=25)
@given(edges, st.integers(-60, 60), levels, steps, st.integers(0, 364))
def test_hours_are_those_of_a_minute_by_minute_clock(
    on: Edge, off: int, level: float, held: tuple[Step, ...], day: int
) -> None:
    """The oracle looks at each minute of the night: wall clock, last step passed since noon."""
    program = Program(on, Edge("sunrise", off), level, held)
    first = date(2026, 1, 1) + timedelta(days=day)
    nights = nights_of(program, *MONTPELLIER, first, 1)
    moments = np.arange(nights.on[0, 0] + 30, nights.off[0, 0], 60.0)
    noon = datetime(first.year, first.month, first.day, 12, tzinfo=ZONE)
    total = 0.0
    for moment in moments:
        now = level
        for step in held:
            on_day = first + timedelta(days=step.minutes < 720)
            at = datetime(
                on_day.year, on_day.month, on_day.day, step.minutes // 60, step.minutes % 60, tzinfo=ZONE
            )
            if noon.timestamp() <= at.timestamp() <= moment:
                now = step.level
        total += now / 60
    assert nights.full[0, 0] == pytest.approx(total, abs=0.06)
    assert levels_at(program, nights, moments).sum() / 60 == pytest.approx(total, abs=0.02)


def test_programs_are_read_and_written_back() -> None:
    program = read_program("Coucher+10 100, 22:30 50, 23:30 0, 05:00 100, lever - 10")
    assert program == Program(
        Edge("sunset", 10), Edge("sunrise", -10), 1.0, (Step(1350, 0.5), Step(1410, 0.0), Step(300, 1.0))
    )
    assert read_program(program.text()) == program
    assert cut_program("23:00-05:00") == read_program("sunset, 23:00 0, 05:00 100, sunrise")


@pytest.mark.parametrize(
    ("text", "place"),
    [("coucher 100", "part 1"), ("midi 100, lever", "part 1"), ("coucher 120, lever", "part 1"), ("coucher 100, 25:00 0, lever", "part 2"),
     ("coucher 100, 23:00, lever", "part 2"), ("coucher 100, 23:00 0, 22:00 50, lever", "part 3"), ("coucher+300 100, lever", "part 1"),
     ("coucher 100, 23:00 0, lune", "part 3")],
)  # fmt: skip
def test_programs_that_are_wrong_name_their_part(text: str, place: str) -> None:
    with pytest.raises(Problem) as told:
        read_program(text)
    assert (told.value.place, bool(told.value.mend.en)) == (place, True)


def test_calendars_choose_the_first_rule_that_fits() -> None:
    rules = read_rules("12-15..01-05 fetes\nferies calme\nsam,dim week-end\n2027-03-01..2027-03-02 essai")
    calendar = Calendar("usuel", rules)
    wanted = {
        date(2026, 12, 31): "fetes",
        date(2027, 1, 5): "fetes",
        date(2027, 1, 6): "usuel",
        date(2027, 5, 8): "calme",
        date(2027, 5, 9): "week-end",
        date(2027, 3, 1): "essai",
        date(2027, 3, 29): "calme",
    }  # fmt: skip  (29 March 2027 is Easter Monday)
    assert {day: choose(calendar, day, 1)[0] for day in wanted} == wanted
    programs = {code: read_program("20:00 100, 06:00") for code in ("fetes", "calme", "week-end", "essai")}
    programs["usuel"] = read_program("20:00 50, 06:00")
    nights = calendar_nights(calendar, programs, *MONTPELLIER, date(2027, 1, 4), 3)
    assert list(nights.full[0]) == pytest.approx([10, 10, 5])
    with pytest.raises(Problem, match="no program"):
        calendar_nights(Calendar("absent"), programs, *MONTPELLIER, date(2027, 1, 4), 1)
    for text, place in (
        ("12-15..13-05 x", "line 1"),
        ("sam,dim week-end\nlundi", "line 2"),
        ("12-15..2027-01-01 x", "line 1"),
    ):
        with pytest.raises(Problem) as told:
            read_rules(text)
        assert told.value.place == place


def test_energy_of_a_stock_is_the_sum_of_its_points() -> None:
    chance = np.random.default_rng(3)
    stock = Stock(
        chance.uniform(3.8, 3.95, 40),
        chance.uniform(43.56, 43.66, 40),
        chance.uniform(20, 150, 40),
        chance.uniform(0, 0.2, 40),
    )
    program = read_program("coucher 100, 23:00 40, 05:00 100, lever")
    found = what_if(stock, program, 2026, euros_kwh=0.2, kg_kwh=0.1)
    exact = nights_of(program, stock.longitude, stock.latitude, date(2026, 1, 1)).full.sum(1)
    kwh = float((stock.watts * (1 + stock.loss) * exact).sum() / 1000)
    assert found.kwh == pytest.approx(kwh, rel=2e-4)  # cells of 0.05°
    assert (found.euros, found.kg_co2) == (pytest.approx(found.kwh * 0.2), pytest.approx(found.kwh * 0.1))
    with pytest.raises(Problem) as told:
        what_if(
            Stock(stock.longitude, stock.latitude, np.where(np.arange(40) == 6, -1, 50.0), stock.loss),
            program,
            2026,
            euros_kwh=0.2,
        )
    assert told.value.place == "point 7"
    with pytest.raises(Problem, match="no light point"):
        what_if(Stock(*(np.empty(0) for _ in range(4))), program, 2026, euros_kwh=0.2)


def test_a_year_under_a_calendar_is_the_sum_of_its_nights() -> None:
    """And the two nights on which the clocks change are of 23 and 25 hours."""
    stock = Stock(np.array([3.88]), np.array([43.61]), np.array([1000.0]), np.array([0.0]))
    programs = {
        code: read_program(f"20:00 {level}, 06:00") for code, level in (("usuel", 50), ("fetes", 100))
    }
    plan = Plan(Calendar("usuel", read_rules("12-15..01-05 fetes")), programs)
    found = what_if(stock, plan, 2026, euros_kwh=0.2)
    # 5 and 17 nights at full power, 343 at half of it: of 10 hours, but for one of 9 and one of 11
    assert found.kwh == pytest.approx(22 * 10 + 341 * 5 + 4.5 + 5.5)
    odd = [(n.day.isoformat(), n.hours, n.lit, n.full) for n in odd_hours(stock, plan, 2026)]
    assert odd == [("2026-03-28", 23, 9.0, 4.5), ("2026-10-24", 25, 11.0, 5.5)]
    assert odd_hours(stock, plan, 2026, "America/Martinique") == []


def test_programs_and_rules_are_said_in_both_languages() -> None:
    """What is written in one is read in the other, and means the same."""
    french, english = "coucher+10 100, 23:30 0, aube-5", "sunset+10 100, 23:30 0, dawn-5"
    assert (program_text(french, "en"), program_text(english, "fr")) == (english, french)
    assert read_program(french) == read_program(english)
    rules = "12-15..01-05 fetes\nsam,dim calme\nferies calme"
    said = rules_text(rules, "en")
    assert said == "12-15..01-05 fetes\nsat,sun calme\nholidays calme"
    assert (rules_text(said, "fr"), read_rules(said)) == (rules, read_rules(rules))
    assert (program_text("midi", "en"), rules_text("rien", "en")) == (
        "midi",
        "rien",
    )  # not readable: as it is


def test_the_two_vectors_of_a_change_to_led() -> None:
    """Vectors of the field notes, to a kilowatt hour and a euro."""
    change = Change(1000, 110, 45, 0.12, 0.05, 4100, 0.25, 0.0, 0.20, 650, 18, 8, 0.03, 20)
    case = led_case(change)
    assert (round(case.kwh0), round(case.kwh1), round(case.saved_percent)) == (505_120, 145_294, 71)
    assert (round(case.payback_years or 0, 2), round(case.npv)) == (7.93, 569_436)
    cut = led_case(Change(1000, 110, 45, 0.12, 0.05, 4100, 0.25, 0.45, 0.20, 650, 18, 8, 0.03, 20))
    assert (round(cut.kwh1), round(cut.saved_percent), round(cut.payback_years or 0, 2), round(cut.npv)) == (
        79_912,
        84,
        6.84,
        763_980,
    )
    (low, high), (worst, best) = led_interval(change, 400)
    assert low < 7.93 < high
    assert worst < case.npv < best
    with pytest.raises(Problem) as told:
        led_case(Change(1000, 110, 45, cut=1.4))
    assert told.value.place == "cut"
    assert led_case(Change(10, 45, 110)).payback_years is None


def test_dates_in_utc_are_those_of_the_local_evening() -> None:
    """The sunset of 21 June at Montpellier is of the evening of that day, at Fort-de-France and Saint-Denis too."""
    for longitude, latitude, zone in (
        (3.88, 43.61, "Europe/Paris"),
        (-61.07, 14.61, "America/Martinique"),
        (55.45, -20.88, "Indian/Reunion"),
    ):
        sunset = sun_times(longitude, latitude, civil_days(date(2026, 6, 21), 1)).sunset[0, 0]
        local = datetime.fromtimestamp(float(sunset), UTC).astimezone(ZoneInfo(zone))
        assert (local.date(), 17 <= local.hour <= 21) == (date(2026, 6, 21), True)
