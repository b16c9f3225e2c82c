"""Charts drawn by the server as SVG, that need no script: `plot_svg` (axes, thresholds, gaps) and `spark`.

Lines live in a stretched inner viewport, words in the outer one, so that a chart fits any width and
its words keep their size. The chart island draws over it with a cursor and exact values.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import overload
from zoneinfo import ZoneInfo

import msgspec
from markupsafe import Markup

from beffroi.model.instant import DAY_US, from_datetime, to_datetime
from beffroi.web.kit.figures import Figures

__all__ = [
    "Plot",
    "Points",
    "Threshold",
    "bands",
    "drawn",
    "near_levels",
    "plot_svg",
    "reduce",
    "spark",
    "ticks",
    "with_gaps",
]

Point = tuple[int, float | None]
MARKS = 100  # lone marks of doubtful values
COLUMNS = 360  # points a screen can show; more are reduced to the extremes of each column
END = Markup(' text-anchor="end"')
FLOOR = 90  # per cent of the height given to the plot; below it, the words of time


class Points(Sequence[Point]):
    """Points held as two arrays: 16 bytes each, for series of any length. A gap is held as NaN, and given as None."""

    __slots__ = ("times", "values")

    def __init__(self) -> None:
        self.times, self.values = array("q"), array("d")

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Point]:
        for at, value in zip(self.times, self.values, strict=True):
            yield at, value if value == value else None

    @overload
    def __getitem__(self, place: int) -> Point: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Point]: ...
    def __getitem__(self, place: int | slice) -> Point | Sequence[Point]:
        if isinstance(place, slice):
            part = Points()
            part.times, part.values = self.times[place], self.values[place]
            return part
        value = self.values[place]
        return self.times[place], None if math.isnan(value) else value


class Threshold(msgspec.Struct, frozen=True):
    """A level that matters, drawn as a labelled line; `severity` colours it."""

    value: float
    label: str
    severity: str = ""


class Plot(msgspec.Struct, frozen=True):
    """One series over a range of time. `points` are (microseconds, value or None for a gap), in time order.

    `data` is the address of the same points as JSON for the island, `files` the exports under the chart.
    """

    title: str
    start_us: int
    end_us: int
    points: Sequence[Point]
    unit: str = ""
    decimals: int | None = None
    thresholds: tuple[Threshold, ...] = ()
    data: str = ""
    files: tuple[tuple[str, str], ...] = ()
    doubtful: Sequence[tuple[int, float]] = ()  # shown as lone marks, outside the line
    gap_us: int = 0  # a longer silence is a gap; 0: three times the usual step
    rows: int = 48  # lines of the table twin


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Return round values that cover `low` to `high`, first and last included in the axis."""
    if high - low < 1e-7:
        pad = abs(low) * 0.1 if abs(low) > 1e-3 else 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / wanted
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(scale * m for m in (1, 2, 2.5, 5, 10) if scale * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def reduce(points: Sequence[Point], start_us: int, end_us: int, columns: int = COLUMNS) -> list[Point]:
    """Return at most about `4 × columns` points that draw the same line: first, least, most and last of each column.

    A gap (None) stays a gap.
    """
    if len(points) <= columns * 2:
        return list(points)
    return _reduced(points, start_us, end_us, columns)


def drawn(
    points: Sequence[Point], gap_us: int, start_us: int, end_us: int, columns: int = COLUMNS
) -> list[Point]:
    """Return `reduce` of `with_gaps`, without a list of all of them in between."""
    if len(points) <= columns * 2:
        return reduce(with_gaps(points, gap_us), start_us, end_us, columns)
    return _reduced(_gapped(points, gap_us), start_us, end_us, columns)


def _reduced(points: Iterable[Point], start_us: int, end_us: int, columns: int) -> list[Point]:
    width = max(1, (end_us - start_us) // columns)
    kept: list[Point] = []
    column: list[Point] = []
    place = -1
    for point in points:
        here = (point[0] - start_us) // width
        if here != place:
            kept += _extremes(column)
            column, place = [], here
        column.append(point)
    return kept + _extremes(column)


def _extremes(column: list[Point]) -> list[Point]:
    if len(column) <= 4:
        return column
    known = [p for p in column if p[1] is not None]
    if not known:
        return column[:1]
    chosen = {
        known[0],
        known[-1],
        min(known, key=lambda p: p[1] or 0.0),
        max(known, key=lambda p: p[1] or 0.0),
    }
    gap = next((p for p in column if p[1] is None), None)
    return sorted([*chosen, gap] if gap else chosen, key=lambda p: p[0])


def with_gaps(points: Sequence[Point], gap_us: int = 0) -> list[Point]:
    """Return the points with a None between two that are further apart than `gap_us`.

    By default, three times the median step.
    """
    return list(_gapped(points, gap_us))


def _gapped(points: Sequence[Point], gap_us: int) -> Iterator[Point]:
    gap_us = gap_us or 3 * _usual_step(points)
    last: int | None = None
    for point in points:
        if last is not None and gap_us and point[0] - last > gap_us:
            yield last + 1, None
        last = point[0]
        yield point


def _usual_step(points: Sequence[Point]) -> int:
    """Return the median step between points; few steps differ, however many points there are."""
    times = points.times if isinstance(points, Points) else [at for at, _ in points]
    steps = Counter(b - a for a, b in pairwise(times))
    rank = (len(points) - 1) // 2
    for step in sorted(steps):
        rank -= steps[step]
        if rank < 0:
            return step
    return 0


def bands(start_us: int, end_us: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    """Return the nights (21 h to 6 h) of a range up to 8 days, the weekends of one up to 100, else nothing."""
    span = end_us - start_us
    if span > 100 * DAY_US:
        return []
    day = to_datetime(start_us).astimezone(zone).replace(
        hour=0, minute=0, second=0, microsecond=0
    ) - timedelta(days=2)
    found = []
    while from_datetime(day) < end_us:
        if span <= 8 * DAY_US:
            first, last = day.replace(hour=21), (day + timedelta(days=1)).replace(hour=6)
        elif day.weekday() == 5:
            first, last = day, day + timedelta(days=2)
        else:
            day += timedelta(days=1)
            continue
        begin, end = max(start_us, from_datetime(first)), min(end_us, from_datetime(last))
        if begin < end:
            found.append((begin, end))
        day += timedelta(days=1)
    return found


def _path(
    points: Sequence[Point], start_us: int, end_us: int, low: float, high: float, size: int = 1000
) -> str:
    parts, pen = [], "M"
    for at, value in points:
        if value is None:
            pen = "M"
            continue
        x = round((at - start_us) * size / max(1, end_us - start_us))
        y = round((high - value) * size / (high - low))
        # a lone point between gaps is a zero-length stroke, which round caps draw as a dot
        parts.append(f"{pen}{x} {y}" + ("h0" if pen == "M" else ""))
        pen = "L"
    return "".join(parts)


def spark(points: Sequence[Point], start_us: int, end_us: int) -> Markup:
    """Return a small line with its own scale, decoration for a figure that is given in words beside it."""
    reduced = drawn(points, 0, start_us, end_us, 24)
    values = [v for _, v in reduced if v is not None]
    if not values:
        return Markup("")
    low, high = min(values), max(values)
    pad = (high - low) * 0.08 or abs(low) * 0.1 or 1.0
    path = _path(reduced, start_us, end_us, low - pad, high + pad, 200)
    return Markup(
        '<svg class="spark" viewBox="0 0 200 200" preserveAspectRatio="none" aria-hidden="true"><path d="{}"/></svg>'
    ).format(path)


def plot_svg(plot: Plot, figures: Figures) -> Markup:
    """Return the chart as SVG: axis words, gridlines, thresholds, nights or weekends, the line and its gaps."""
    points = drawn(plot.points, plot.gap_us, plot.start_us, plot.end_us)
    values = [v for _, v in points if v is not None]
    if not values:
        return Markup("")
    shown = near_levels(plot.thresholds, values)
    near = [t.value for t in shown]
    axis = ticks(min(values + near), max(values + near))
    low, high = axis[0], axis[-1]
    span = max(1, plot.end_us - plot.start_us)
    parts = [Markup('<svg class="plot" role="img" aria-label="{}">').format(plot.title)]
    for begin, end in bands(plot.start_us, plot.end_us, figures.zone):
        parts.append(
            Markup('<rect class="band" x="{:.2f}%" width="{:.2f}%" y="0" height="{}%"/>').format(
                (begin - plot.start_us) * 100 / span, (end - begin) * 100 / span, FLOOR
            )
        )
    decimals = _decimals(axis[1] - axis[0])
    for index, level in enumerate(axis):
        words = (
            figures.quantity(level, plot.unit, decimals)
            if index == len(axis) - 1
            else figures.number(level, decimals)
        )
        y = (high - level) * FLOOR / (high - low)
        parts.append(_level(y, words, "grid", below=index == len(axis) - 1))
    parts += [
        _level((high - t.value) * FLOOR / (high - low), t.label, f"threshold {t.severity}", beside=True)
        for t in shown
    ]
    parts.append(
        Markup(
            '<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="{}%"><path d="{}"/></svg>'
        ).format(FLOOR, _path(points, plot.start_us, plot.end_us, low, high))
    )
    parts += [
        Markup('<circle class="doubt" cx="{:.2f}%" cy="{:.2f}%" r="3"/>').format(
            (at - plot.start_us) * 100 / span, min(max((high - value) / (high - low), 0), 1) * FLOOR
        )
        for at, value in plot.doubtful[:MARKS]
    ]
    parts += [
        Markup('<text class="time" x="{:.2f}%" y="100%" dy="-4"{}>{}</text>').format(
            (at - plot.start_us) * 100 / span, anchor, words
        )
        for at, words, anchor in _times(plot, figures)
    ]
    return Markup("").join([*parts, Markup("</svg>")])


def _decimals(step: float) -> int:
    """Return how many decimals tell the levels of an axis apart: one for a step of 2.5, none for 2 or 5."""
    found = max(0, -math.floor(math.log10(step) + 1e-9))
    shown = step * 10.0**found
    return found + (abs(shown - round(shown)) > 1e-6)


def near_levels(levels: Sequence[Threshold], values: Sequence[float]) -> list[Threshold]:
    """Return the levels that can be shown beside `values` without flattening them."""
    return [level for level in levels if values and _near(level.value, min(values), max(values))]


def _near(level: float, low: float, high: float) -> bool:
    """True when showing a threshold at `level` leaves the line at least a third of the height."""
    span = max(high - low, abs(high) * 0.05, 1e-9)
    return low - 2 * span <= level <= high + 2 * span


def _level(y: float, words: str, kind: str, *, beside: bool = False, below: bool = False) -> Markup:
    x, anchor = ("56" if beside else "0"), Markup("")
    return Markup(
        '<g class="{}"><line x1="0" x2="100%" y1="{:.2f}%" y2="{:.2f}%"/><text x="{}" y="{:.2f}%" dy="{}"{}>{}</text></g>'
    ).format(kind, y, y, x, y, 14 if below else -4, anchor, words)


def _times(plot: Plot, figures: Figures) -> list[tuple[int, str, Markup]]:
    """Return five moments of the range with their words."""
    span = plot.end_us - plot.start_us
    said = figures.clock if span <= 2 * DAY_US else figures.short_day
    anchors = {0: Markup(""), 4: END}
    moments = [plot.start_us + span * k // 4 for k in range(5)]
    return [(at, said(at), anchors.get(k, Markup(' text-anchor="middle"'))) for k, at in enumerate(moments)]
