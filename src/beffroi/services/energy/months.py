"""What of each month is known of a point, and why the rest is not."""

from datetime import date
from itertools import groupby

import msgspec
import numpy as np

from beffroi.model.instant import DAY_US
from beffroi.services.energy.reading_back import Days, days_of
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["Gap", "Month", "months_of"]

_MONTHS = 13
_EPOCH = date(1970, 1, 1).toordinal()


class Gap(msgspec.Struct, frozen=True):
    """Days that follow one another (first and last, both included) of which the same is known: nothing, or a part (0 to 1)."""

    first: date
    last: date
    share: float


class Month(msgspec.Struct, frozen=True):
    """One civil month, up to the last day that has ended: its days, those known whole, of which spread from a reading of
    several days and of which estimated; what was used on the known ones; what is missing."""

    first: date
    days: int
    known: int
    spread: int
    estimated: int
    used: float
    gaps: tuple[Gap, ...]


def months_of(town: Town, point: Row, now_us: int) -> list[Month]:
    """Return the last thirteen months, the newest first, from the first that anything is known of."""
    found = days_of(town, point, now_us - 400 * DAY_US, now_us)
    dates = [date.fromordinal(int(d) + _EPOCH) for d in found.days[:-1]]  # today has not ended
    heard = [n for n, _ in enumerate(dates) if found.share[n] > 0 or np.isfinite(found.used[n])]
    if not heard:
        return []
    months = [
        _month(found, dates, [n for n, _ in some])
        for _, some in groupby(enumerate(dates), key=lambda one: (one[1].year, one[1].month))
    ]
    began = dates[heard[0]].replace(day=1)
    return [m for m in reversed(months) if m.first >= began and m.first.day == 1][:_MONTHS]


def _month(found: Days, dates: list[date], inside: list[int]) -> Month:
    known = [n for n in inside if np.isfinite(found.used[n])]
    return Month(
        dates[inside[0]], len(inside), len(known), int(found.even[known].sum()), int(found.estimated[known].sum()), float(found.used[known].sum()),
        tuple(_gaps(found, dates, [n for n in inside if not np.isfinite(found.used[n])])),
    )  # fmt: skip


def _gaps(found: Days, dates: list[date], missing: list[int]) -> list[Gap]:
    gaps: list[Gap] = []
    for n in missing:
        share = round(float(found.share[n]), 2)
        last = gaps[-1] if gaps else None
        if last is not None and last.share == share and (dates[n] - last.last).days == 1:
            gaps[-1] = Gap(last.first, dates[n], share)
        else:
            gaps.append(Gap(dates[n], dates[n], share))
    return gaps
