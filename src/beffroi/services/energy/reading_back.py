"""Read a delivery point's use back, by the hour or by the civil day: corrected values first, then raw, then estimated."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from beffroi.model.instant import DAY_US, HOUR_US, PARIS, from_datetime, to_datetime
from beffroi.model.observation import Observation
from beffroi.services.energy.baseline.table import Array, Use
from beffroi.services.energy.intervals import LONGEST_BILLED_US, LONGEST_US, STATES
from beffroi.services.energy.points import known_series
from beffroi.services.energy.school_holidays import labels_of
from beffroi.store.aggregates import AggregateQuery, Grain
from beffroi.store.record import Row
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = [
    "TEMPERATURE",
    "Days",
    "Hours",
    "days_of",
    "highest_powers",
    "hours_of",
    "late_days",
    "local_days",
    "states_of",
    "temperature_of",
    "temperature_series",
    "use_of",
    "with_billed",
]

TEMPERATURE = "energy.temperature"  # setting: the key of the datastream of outside temperature; else the town's own day_temperature
_DEFAULT_TEMPERATURE = "energy/outside/temperature"
_LEAST_H, _MOST_H = 20, 28
_WHOLE = 0.999  # of a day covered by readings of several days
_EPOCH = date(1970, 1, 1).toordinal()
_ASKED_AGAIN = 10  # days
_YEAR_US = 365 * DAY_US
Ints = NDArray[np.int64]


class Hours(msgspec.Struct, frozen=True):
    """Use of each hour: UTC hours since 1970, civil hours since 1970 (Europe/Paris), kWh or m³ (NaN: not wholly known)."""

    utc: Ints
    civil: Ints
    used: Array

    @property
    def days(self) -> Ints:
        """The civil day of each hour."""
        return self.civil // 24


class Days(msgspec.Struct, frozen=True):
    """Use of each civil day since 1970; `share` of it that is known, `estimated` where the best value is estimated.

    `even`: spread evenly from a reading of several days (an index by hand, a month of gas): a sum, not what the day was.
    """

    days: Ints
    used: Array
    share: Array
    estimated: NDArray[np.bool_]
    even: NDArray[np.bool_]

    def since(self, first: int) -> "Days":
        """Return the days from the `first`-th on."""
        return Days(*(getattr(self, name)[first:] for name in self.__struct_fields__))


def _civil(utc: Ints) -> Ints:
    """Return the civil hour of each UTC hour."""
    offsets: dict[int, int] = {}
    for day in np.unique(utc // 24).tolist():
        for half in (2 * day, 2 * day + 1):
            offset = to_datetime(half * 12 * HOUR_US).astimezone(PARIS).utcoffset()
            offsets[half] = int(offset.total_seconds()) // 3600 if offset else 0
    # changes happen at 01:00 UTC: hour 0 of such a day still has the offset of the evening before
    half = utc // 12
    found = np.array([offsets[int(h)] for h in half])
    change = (utc % 24 == 1) | (utc % 24 == 0)
    for i in np.flatnonzero(change):
        offset = to_datetime(int(utc[i]) * HOUR_US).astimezone(PARIS).utcoffset()
        found[i] = int(offset.total_seconds()) // 3600 if offset else 0
    return np.asarray(utc + found)


def hours_of(town: Town, point: Row, start_us: int, end_us: int) -> Hours:
    """Return the hours of a point's curve in [start, end); those whose every interval is not known are NaN."""
    first, last = -(-start_us // HOUR_US), end_us // HOUR_US
    utc = np.arange(first, max(last, first))
    used = np.full(len(utc), np.nan)
    series = known_series(town, point)
    wanted = {number: state for (quantity, state), number in series.items() if quantity == "curve"}
    if not wanted or not len(utc):
        return Hours(utc, _civil(utc), used)
    query = AggregateQuery(
        datastreams=tuple(wanted),
        within=(first * HOUR_US, last * HOUR_US),
        grain=Grain(HOUR_US),
        by_series=True,
    )
    cells = town.store.observations.aggregate(query)
    for state in reversed(STATES):  # the most trusted last, over the others
        mine = [(bucket, cell) for (number, _, bucket), cell in cells.items() if wanted.get(number) == state]
        usual = _usual(mine, utc)
        for bucket, cell in mine:
            if cell.numbers >= usual.get((bucket - first) // 24, 1):
                used[bucket - first] = cell.total
    return Hours(utc, _civil(utc), used)


def _usual(cells: Sequence[tuple[int, object]], utc: Ints) -> dict[int, int]:
    """Return how many intervals an hour has on each day: the most common count, since the step may change."""
    by_day: dict[int, Counter[int]] = {}
    for bucket, cell in cells:
        by_day.setdefault((bucket - int(utc[0])) // 24, Counter())[cell.numbers] += 1  # type: ignore[attr-defined]
    return {day: count.most_common(1)[0][0] for day, count in by_day.items()}


def local_days(start_us: int, end_us: int) -> Ints:
    """Return the civil days that begin in [start, end)."""
    first, last = (
        to_datetime(at).astimezone(PARIS).date().toordinal() - _EPOCH for at in (start_us, end_us - 1)
    )
    return np.arange(first, last + 1)


def days_of(town: Town, point: Row, start_us: int, end_us: int) -> Days:
    """Return the use of each civil day: of the curve where it is whole, else of the daily readings."""
    days = local_days(start_us, end_us)
    used, share, estimated = np.full(len(days), np.nan), np.zeros(len(days)), np.zeros(len(days), dtype=bool)
    begin = from_datetime(
        to_datetime(start_us).astimezone(PARIS).replace(hour=0, minute=0, second=0, microsecond=0)
    )
    even = _readings(town, point, begin, end_us, days, used, share, estimated)
    hours = hours_of(town, point, begin, end_us + DAY_US)
    place = hours.days - days[0] if len(days) else hours.days
    inside = (place >= 0) & (place < len(days))
    known = inside & np.isfinite(hours.used)
    count = np.bincount(place[inside], minlength=len(days))
    there = np.bincount(place[known], minlength=len(days))
    total = np.bincount(place[known], hours.used[known], minlength=len(days))
    whole = (there == count) & (there >= 23)
    used[whole], even[whole] = total[whole], False
    share[:] = np.maximum(share, there / np.maximum(count, 1))
    return Days(days, used, share, estimated, even)


def _readings(
    town: Town,
    point: Row,
    begin: int,
    end: int,
    days: Ints,
    used: Array,
    share: Array,
    estimated: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Put in the readings, the daily ones over those of several days; return which days have the latter's."""
    series = known_series(town, point)
    found = [
        (state, one)
        for state in reversed(STATES)
        if (number := series.get(("day", state))) is not None
        for one in town.store.observations.series(number, begin - LONGEST_US, end)
        if one.end_us is not None and one.end_us > begin and one.result.value is not None
    ]
    even = _spread(found, days, used, share, estimated)
    for state, one in found:
        if _LEAST_H * HOUR_US <= (one.end_us or 0) - one.start_us <= _MOST_H * HOUR_US:
            middle = (one.start_us + (one.end_us or 0)) // 2
            at = _day_at(middle) - int(days[0])
            if 0 <= at < len(days):
                used[at], share[at] = one.result.value or 0.0, 1.0
                estimated[at], even[at] = state == "estimated", False
    return even


def with_billed(town: Town, point: Row, found: Days) -> Days:
    """Return days, those that no meter told filled in with what the network billed, spread evenly: a bill is no reading,
    and its kWh are those of readings told again."""
    number = known_series(town, point).get(("billed", "raw"))
    unknown = np.isnan(found.used)
    if number is None or not unknown.any():
        return found
    edges = np.array([_midnight(int(d)) for d in (*found.days, found.days[-1] + 1)])
    billed, there = np.zeros(len(found.days)), np.zeros(len(found.days))
    for one in town.store.observations.series(number, int(edges[0]) - LONGEST_BILLED_US, int(edges[-1])):
        if one.end_us is not None:
            over = np.clip(np.minimum(edges[1:], one.end_us) - np.maximum(edges[:-1], one.start_us), 0, None)
            billed += over / (one.end_us - one.start_us) * (one.result.value or 0.0)
            there += over / np.diff(edges)
    mine = unknown & (there > _WHOLE)
    return msgspec.structs.replace(found, used=np.where(mine, billed, found.used), even=found.even | mine)


def _day_at(at_us: int) -> int:
    """Return the civil day of an instant."""
    return to_datetime(at_us).astimezone(PARIS).date().toordinal() - _EPOCH


def _spread(
    found: Sequence[tuple[str, Observation]],
    days: Ints,
    used: Array,
    share: Array,
    estimated: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Spread readings of several days over them in proportion to time; a day is known once its every hour is."""
    edges = np.array([_midnight(int(d)) for d in (*days, days[-1] + 1)] if len(days) else [0])
    hours, even = np.diff(edges), np.zeros(len(days), dtype=bool)
    for state in reversed(STATES):
        total, there = np.zeros(len(days)), np.zeros(len(days))
        for said, one in found:
            last = one.end_us or one.start_us
            if said != state or last - one.start_us <= _MOST_H * HOUR_US:
                continue
            over = np.clip(np.minimum(edges[1:], last) - np.maximum(edges[:-1], one.start_us), 0, None)
            total += over / (last - one.start_us) * (one.result.value or 0.0)
            there += over / hours
        whole = there > _WHOLE
        used[whole], estimated[whole], even[whole] = total[whole], state == "estimated", True
        share[:] = np.maximum(share, np.minimum(there, 1.0))
    return even


def _midnight(day: int) -> int:
    found = date.fromordinal(day + _EPOCH)
    return from_datetime(datetime(found.year, found.month, found.day, tzinfo=PARIS))


def states_of(town: Town, point: Row, end_us: int) -> dict[str, float]:
    """Return the share of the time of the last year that each state tells, the most trusted counted first (curve and readings)."""
    start, covered = end_us - 365 * DAY_US, np.zeros(365 * 24, dtype=bool)
    found: dict[str, float] = {}
    series = known_series(town, point)
    for state in STATES:
        mine = np.zeros(len(covered), dtype=bool)
        for quantity in ("curve", "day"):
            number = series.get((quantity, state))
            for one in (
                town.store.observations.series(number, start - LONGEST_US, end_us)
                if number is not None
                else ()
            ):
                first, last = ((t - start) // HOUR_US for t in (one.start_us, one.end_us or one.start_us))
                mine[max(first, 0) : max(last, first + 1, 0)] = True
        found[state] = float((mine & ~covered).mean())
        covered |= mine
    return found


def late_days(town: Town, point: Row, now_us: int) -> list[tuple[date, float]]:
    """Return the days of the last ten that are not whole, with the share that is known, to be asked for again.

    A point that is only read by the month, or by hand, is never late.
    """
    found = days_of(town, point, now_us - _YEAR_US, now_us)
    if not (np.isfinite(found.used) & ~found.even).any():
        return []
    last = zip(found.days[-_ASKED_AGAIN - 1 : -1], found.share[-_ASKED_AGAIN - 1 : -1], strict=True)
    return [(date.fromordinal(int(d) + _EPOCH), float(s)) for d, s in last if s < 1]


def highest_powers(town: Town, point: Row, end_us: int) -> tuple[list[float], int | None]:
    """Return the highest power of each day of the last year (kVA), and None where meters told it; else, from the load curve, the
    highest mean over its steps (kW), and the longest of them in minutes: the peaks within a step are higher."""
    series = known_series(town, point)
    start = end_us - 366 * DAY_US
    told = series.get(("power", "raw"))
    if told is not None:
        found = town.store.observations.series(told, start, end_us)
        return [o.result.value for o in found if o.result.value is not None], None
    number = series.get(("curve", "raw"))
    highest: dict[int, float] = {}
    longest = 0
    if number is not None and point.values["fluid"] == "electricity":
        for one in town.store.observations.series(number, start, end_us):
            span = (one.end_us or one.start_us) - one.start_us
            if span and one.result.value is not None:
                day = (one.start_us + HOUR_US) // DAY_US  # near enough for a day's highest
                highest[day] = max(highest.get(day, 0.0), one.result.value * HOUR_US / span)
                longest = max(longest, span // 60_000_000)
    return list(highest.values()), longest or None


def temperature_series(town: Town) -> int | None:
    """Return the datastream of the outside temperature."""
    key = str(town.store.setting(TEMPERATURE, _DEFAULT_TEMPERATURE))
    with town.store.read() as c:
        number = c.execute(select(datastream.c.id).where(datastream.c.key == key)).scalar()
    return None if number is None else int(number)


def temperature_of(town: Town, days: Ints) -> Array:
    """Return the mean outside temperature of civil days, NaN where it is not known."""
    means = np.full(len(days), np.nan)
    number = temperature_series(town)
    if number is None or not len(days):
        return means
    query = AggregateQuery(
        datastreams=(number,), within=(int(days[0]) * DAY_US - 2 * HOUR_US, (int(days[-1]) + 1) * DAY_US),
        grain=Grain(DAY_US, ((0, 90 * 60_000_000),)),
    )  # fmt: skip
    for (_, _, bucket), cell in town.store.observations.aggregate(query).items():
        if cell.numbers and 0 <= bucket - days[0] < len(days):
            means[bucket - int(days[0])] = cell.mean
    return means


def use_of(town: Town, found: Days, zone: str | None) -> Use:
    """Return days as a model takes them: beside the temperature, labelled by the school calendar. A town without temperature
    has a model of the calendar alone."""
    celsius = temperature_of(town, found.days)
    if not np.isfinite(celsius).any():
        celsius = np.zeros(len(found.days))
    labels = labels_of(found.days, zone) if zone else labels_of(found.days, "-")[:, 1:]
    return Use(found.days * 24, 24, np.where(found.even, np.nan, found.used), celsius, labels)
