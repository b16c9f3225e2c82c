"""The hour that happens twice is told apart by order; the one that does not exist is refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.instant import HOUR_US, MINUTE_US, format_instant, from_datetime
from beffroi.model.problem import Problem
from beffroi.standards.civil_time import CivilClock, naive_time, zone_of

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize("step", [10, 15, 30, 60])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("day", ["2025-10-25T20:00:00", "2026-03-28T20:00:00", "2026-06-01T20:00:00"])
def test_a_regular_series_written_in_civil_time_comes_back(step: int, backwards: bool, day: str) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    instants = [start + timedelta(minutes=step * i) for i in range(24 * 60 // step)]
    if backwards:
        instants.reverse()
    clock = CivilClock()
    read = [clock.instant(moment.astimezone(PARIS).strftime("%d/%m/%Y %H:%M")) for moment in instants]
    assert read == [from_datetime(moment) for moment in instants]


def test_the_missing_hour_is_refused_with_a_mend() -> None:
    with pytest.raises(Problem, match="does not exist") as refusal:
        CivilClock().instant("29/03/2026 02:30")
    assert "UTC" in refusal.value.mend.fr


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2019-01-17 00:00:00", "2019-01-16T23:00:00Z"),
        ("2019-07-17", "2019-07-16T22:00:00Z"),
        ("17/07/2019 24:00", "2019-07-17T22:00:00Z"),
        ("17/07/2019 14h05", "2019-07-17T12:05:00Z"),
        ("17.7.2019 9:05", "2019-07-17T07:05:00Z"),
        ("2019-07-17T14:05:00+02", "2019-07-17T12:05:00Z"),
        ("2019-07-17T14:05:00.250Z", "2019-07-17T14:05:00.250Z"),
    ],
)
def test_times_as_french_files_write_them(text: str, iso: str) -> None:
    assert format_instant(CivilClock().instant(text)) == iso


def test_the_end_of_an_interval_is_the_first_that_is_after_its_start() -> None:
    clock = CivilClock()
    start = clock.instant("2025-10-26 01:30")
    assert clock.end_after("2025-10-26 02:30", start) == start + HOUR_US
    again = from_datetime(datetime(2025, 10, 26, 0, 45, tzinfo=UTC))
    assert clock.end_after("2025-10-26 02:00", again) == again + 15 * MINUTE_US
    with pytest.raises(Problem, match="ends before"):
        clock.end_after("2025-10-25 02:30", start)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "+99:99", "é"])
def test_an_unknown_zone_is_a_problem(name: str) -> None:
    try:
        zone_of(name)
    except Problem:
        return
    pytest.fail("accepted")


@given(st.text(max_size=40) | st.from_regex(r"[0-9/: .T+-]{1,30}", fullmatch=True))
def test_no_text_is_an_unhandled_error(text: str) -> None:
    clock = CivilClock()
    try:
        clock.instant(text)
        clock.end_after(text, 0)
        naive_time(text)
    except Problem:
        return
