"""Deadlines: Signalen's published cases, French holidays, changes of the clock."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.instant import from_datetime, to_datetime
from beffroi.model.problem import Problem
from beffroi.services.reports.arrival.deadlines import Calendar, Promise, due_us, lateness, region_of

PARIS = Calendar(ZoneInfo("Europe/Paris"))


def at(*parts: int, calendar: Calendar = PARIS) -> int:
    return from_datetime(datetime(*parts, tzinfo=calendar.zone))


def due(start: tuple[int, ...], days: int, working: bool, factor: int = 1, calendar: Calendar = PARIS) -> str:
    found = due_us(at(*start, calendar=calendar), Promise(days, working), calendar, factor)
    return to_datetime(found).astimezone(calendar.zone).strftime("%m-%d %H:%M")


# (day of February 2021 at noon, days, working, factor, due), as Signalen's tests of its deadlines list them
SIGNALEN = [
    (15, 1, True, 1, "02-16 12:00"), (16, 1, True, 1, "02-17 12:00"), (19, 1, True, 1, "02-22 12:00"),
    (20, 1, True, 1, "02-23 00:00"), (21, 1, True, 1, "02-23 00:00"),
    (15, 1, True, 3, "02-18 12:00"), (16, 1, True, 3, "02-19 12:00"), (19, 1, True, 3, "02-24 12:00"),
    (20, 1, True, 3, "02-25 00:00"), (21, 1, True, 3, "02-25 00:00"),
    (15, 1, False, 1, "02-16 12:00"), (16, 1, False, 1, "02-17 12:00"), (19, 1, False, 1, "02-20 12:00"),
    (20, 1, False, 1, "02-21 12:00"), (21, 1, False, 1, "02-22 12:00"),
    (15, 1, False, 3, "02-18 12:00"), (16, 1, False, 3, "02-19 12:00"), (19, 1, False, 3, "02-22 12:00"),
    (20, 1, False, 3, "02-23 12:00"), (21, 1, False, 3, "02-24 12:00"),
    (15, 2, True, 1, "02-17 12:00"), (18, 2, True, 1, "02-22 12:00"), (19, 2, True, 1, "02-23 12:00"),
    (20, 2, True, 1, "02-24 00:00"),
    (15, 3, True, 1, "02-18 12:00"), (18, 3, True, 1, "02-23 12:00"), (19, 3, True, 1, "02-24 12:00"),
    (20, 3, True, 1, "02-25 00:00"), (21, 3, True, 1, "02-25 00:00"),
    (15, 10, True, 1, "03-01 12:00"), (19, 10, True, 1, "03-05 12:00"),
    (15, 11, True, 1, "03-02 12:00"), (19, 11, True, 1, "03-08 12:00"),
]  # fmt: skip


@pytest.mark.parametrize(("day", "days", "working", "factor", "wanted"), SIGNALEN)
def test_signalen_cases(day: int, days: int, working: bool, factor: int, wanted: str) -> None:
    assert due((2021, 2, day, 12), days, working, factor) == wanted


@pytest.mark.parametrize(
    ("start", "days", "insee", "zone", "wanted"),
    [
        ((2026, 4, 2, 9), 1, "35236", "Europe/Paris", "04-03 09:00"),  # Good Friday is a working day in Redon
        ((2026, 4, 2, 9), 1, "67482", "Europe/Paris", "04-07 09:00"),  # off in Strasbourg, then Easter Monday
        (
            (2026, 12, 24, 9),
            1,
            "57463",
            "Europe/Paris",
            "12-28 09:00",
        ),  # Metz: Saint Stephen's day is a Saturday
        (
            (2025, 12, 24, 9),
            1,
            "57463",
            "Europe/Paris",
            "12-29 09:00",
        ),  # Metz: 25 and 26 off, then the weekend
        ((2025, 12, 24, 9), 1, "54395", "Europe/Paris", "12-26 09:00"),  # Nancy, next door: only the 25th
        ((2026, 5, 21, 9), 1, "97105", "America/Guadeloupe", "05-22 09:00"),
        ((2026, 5, 26, 9), 1, "97105", "America/Guadeloupe", "05-28 09:00"),  # 27 May, abolition of slavery
        ((2027, 12, 17, 9), 1, "97411", "Indian/Reunion", "12-21 09:00"),  # 20 December, a Monday in 2027
        ((2026, 4, 30, 18), 2, "2A004", "Europe/Paris", "05-05 18:00"),  # 1 May is a Friday
        ((2026, 5, 1, 18), 1, "2A004", "Europe/Paris", "05-05 00:00"),  # made on a holiday: starts on Monday
    ],
)
def test_holidays_of_the_place(start: tuple[int, ...], days: int, insee: str, zone: str, wanted: str) -> None:
    assert due(start, days, True, calendar=Calendar(ZoneInfo(zone), region_of(insee))) == wanted


def test_regions() -> None:
    codes = {
        "67482": "6AE",
        "68066": "6AE",
        "57463": "57",
        "97611": "976",
        "98735": "PF",
        "35236": "",
        "2A004": "",
    }
    assert {code: region_of(code) for code in codes} == codes


def test_a_day_is_a_day_of_the_clock() -> None:
    assert due((2026, 3, 28, 12), 1, False) == "03-29 12:00"  # 23 hours later
    assert due((2026, 10, 24, 12), 1, False) == "10-25 12:00"  # 25 hours later
    assert due((2026, 3, 28, 2, 30), 1, False) == "03-29 03:30"  # 02:30 does not exist that night
    assert due((2026, 3, 27, 9), 1, True) == "03-30 09:00"


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), st.integers(0, 60), st.booleans(),
       st.sampled_from(["", "57", "6AE", "971", "974"]))  # fmt: skip
def test_working_days_by_counting(start: datetime, days: int, working: bool, region: str) -> None:
    calendar = Calendar(ZoneInfo("Europe/Paris"), region)
    begun = from_datetime(start.replace(tzinfo=calendar.zone))
    first = to_datetime(begun).astimezone(calendar.zone)
    end = to_datetime(due_us(begun, Promise(days, working), calendar)).astimezone(calendar.zone)
    passed = [first.date() + timedelta(days=n) for n in range(1, (end.date() - first.date()).days + 1)]
    counted = [day for day in passed if not working or not calendar.off(day)]
    extra = 1 if working and calendar.off(first.date()) else 0  # the day on which the work can start
    assert len(counted) == days + extra
    assert end >= first
    assert not working or not calendar.off(end.date())


def test_lateness() -> None:
    promise = Promise(2, working=True)
    start = at(2026, 11, 23, 10)  # a Monday: due on Wednesday, three times late after Tuesday 1 December
    moments = [at(2026, 11, 25, 10), at(2026, 11, 25, 10, 1), at(2026, 12, 1, 10), at(2026, 12, 1, 10, 1)]
    assert [lateness(moment, start, promise, PARIS) for moment in moments] == [0, 1, 1, 3]
    assert lateness(at(2036, 1, 1), start, None, PARIS) == 0


def test_impossible_promises() -> None:
    for days in (-1, 3651):
        with pytest.raises(Problem) as refused:
            due_us(at(2026, 1, 1), Promise(days), PARIS)
        assert refused.value.place == "days"


def test_a_promise_of_no_day_is_due_at_once_or_on_the_next_working_day() -> None:
    assert due((2026, 11, 25, 10), 0, True) == "11-25 10:00"
    assert due((2026, 11, 28, 10), 0, True) == "11-30 00:00"
    assert PARIS.off(date(2026, 11, 11))
