"""A year of use drawn by the server beside what the baseline says: observed full, expected dashed, works shaded."""

from collections.abc import Sequence

import msgspec
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from beffroi.web.kit.chart import ticks
from beffroi.web.kit.figures import Figures

__all__ = ["Year", "year_svg"]

_FLOOR, _SIZE, _STEP_DAYS = 90, 1000, 7
_DAY_US = 86_400_000_000


class Year(msgspec.Struct, frozen=True):
    """Civil days since 1970, what was used, what was expected (NaN: unknown), and works as (first day, last day)."""

    days: NDArray[np.int64]
    used: NDArray[np.float64]
    expected: NDArray[np.float64]
    works: tuple[tuple[int, int], ...] = ()


def year_svg(year: Year, figures: Figures, title: str, unit: str) -> Markup:
    """Return the drawing, by weeks; nothing when nothing is known."""
    used, expected = _weekly(year.used), _weekly(year.expected)
    known = np.concatenate([used[np.isfinite(used)], expected[np.isfinite(expected)]])
    if not len(known):
        return Markup("")
    axis = ticks(0.0, float(known.max()))
    parts = [Markup('<svg class="plot" role="img" aria-label="{}">').format(title)]
    span = max(int(year.days[-1] - year.days[0]), 1)
    for first, last in year.works:
        begin, end = (min(max((d - int(year.days[0])) / span, 0.0), 1.0) * 100 for d in (first, last))
        parts.append(
            Markup('<rect class="band" x="{:.2f}%" width="{:.2f}%" y="0" height="{}%"/>').format(
                begin, max(end - begin, 0.8), _FLOOR
            )
        )
    for index, level in enumerate(axis):
        top = index == len(axis) - 1
        words = figures.quantity(level, unit) if top else figures.number(level)
        y = (axis[-1] - level) / axis[-1] * _FLOOR
        parts.append(
            Markup(
                '<g class="grid"><line x1="0" x2="100%" y1="{0:.2f}%" y2="{0:.2f}%"/><text x="0" y="{0:.2f}%" dy="{1}">{2}</text></g>'
            ).format(y, 14 if top else -4, words)
        )
    parts.append(
        Markup('<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="{}%">').format(
            _FLOOR
        )
    )
    parts.append(
        Markup('<path class="guess" d="{}"/><path d="{}"/></svg>').format(
            _path(expected, axis[-1]), _path(used, axis[-1])
        )
    )
    return Markup("").join([*parts, *_months(year.days, figures), Markup("</svg>")])


def _weekly(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each seven days, NaN where fewer than four are known."""
    weeks = values[: len(values) // _STEP_DAYS * _STEP_DAYS].reshape(-1, _STEP_DAYS)
    known = np.isfinite(weeks).sum(1)
    return np.where(
        known >= 4, np.where(np.isfinite(weeks), weeks, 0.0).sum(1) / np.maximum(known, 1), np.nan
    )


def _path(values: NDArray[np.float64], top: float) -> str:
    parts, pen = [], False
    for index, value in enumerate(values):
        if not np.isfinite(value):
            pen = False
            continue
        x = (index + 0.5) * _SIZE / max(len(values), 1)
        parts.append(f"{'L' if pen else 'M'}{x:.0f} {(1 - value / top) * _SIZE:.0f}")
        pen = True
    return "".join(parts)


def _months(days: NDArray[np.int64], figures: Figures) -> Sequence[Markup]:
    count = len(days)
    marks = (
        [days[i] for i in np.linspace(count * 0.08, count * 0.92, 4).astype(int)] if count > 8 else [days[0]]
    )
    return [
        Markup('<text class="time" x="{:.2f}%" y="100%" dy="-4" text-anchor="middle">{}</text>').format(
            (day - days[0]) / max(count, 1) * 100, figures.day(int(day) * _DAY_US + _DAY_US // 2)
        )
        for day in marks
    ]
