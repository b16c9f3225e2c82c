"""Instants: exact microseconds, every offset, French civil time with its days of 23 and 25 hours."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.instant import (
    DAY_US,
    HOUR_US,
    PARIS,
    format_instant,
    format_interval,
    from_datetime,
    parse_duration,
    parse_instant,
    parse_interval,
    to_datetime,
)  # fmt: skip
from beffroi.model.problem import Problem


@given(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_parse_and_format_are_inverse_at_any_offset(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    instant = parse_instant(moment.isoformat())
    assert instant == from_datetime(moment)
    assert parse_instant(format_instant(instant)) == instant
    assert to_datetime(instant) == moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00+01", "2026-03-01T11:00:00Z"),
        ("2026-03-01T12:00:00+0130", "2026-03-01T10:30:00Z"),
        ("2026-03-01 12:00:00.5-05:00", "2026-03-01T17:00:00.500Z"),
        ("2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123456Z"),
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("2026-03-01T12:00", "2026-03-01T12:00:00Z"),
    ],
)
def test_spellings_of_iso_8601(text: str, expected: str) -> None:
    assert format_instant(parse_instant(text)) == expected


@pytest.mark.parametrize(
    "text", ["", "hier", "2026-02-30T00:00:00Z", "2026-03-01T25:00Z", "20260301", "2026-03-01T12:00:00+99:00"]
)
def test_what_is_no_time_is_refused_with_a_mend(text: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_instant(text)
    assert "ISO 8601" in refused.value.mend.en


def test_naive_times_are_paris_when_asked() -> None:
    assert format_instant(parse_instant("2026-07-01T12:00:00", PARIS)) == "2026-07-01T10:00:00Z"
    assert format_instant(parse_instant("2026-01-01T12:00:00", PARIS)) == "2026-01-01T11:00:00Z"
    spring = parse_instant("2026-03-30", PARIS) - parse_instant("2026-03-29", PARIS)
    autumn = parse_instant("2026-10-26", PARIS) - parse_instant("2026-10-25", PARIS)
    assert (spring, autumn) == (23 * HOUR_US, 25 * HOUR_US)
    assert from_datetime(datetime(2026, 7, 1, 12)) == from_datetime(datetime(2026, 7, 1, 10, tzinfo=UTC))


def test_intervals_and_durations() -> None:
    start, end = parse_interval("2026-03-01T12:00:00Z/2026-03-01T13:00:00Z")
    assert end is not None and end - start == HOUR_US
    assert format_interval(start, end) == "2026-03-01T12:00:00Z/2026-03-01T13:00:00Z"
    assert parse_interval("2026-03-01")[1] is None
    with pytest.raises(Problem):
        parse_interval("2026-03-02/2026-03-01")
    assert parse_duration("P1DT2H") == DAY_US + 2 * HOUR_US
    assert parse_duration("-PT0.5S") == -500_000
    assert parse_duration("P2W") == 14 * DAY_US
    for wrong in ("P", "PT", "1h", "P1Y"):
        with pytest.raises(Problem):
            parse_duration(wrong)
