"""What was seen beside what would have been seen without, drawn by the server as SVG; the table twin says the same."""

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup

from beffroi.evaluation.impact.finding import Trace
from beffroi.web.kit.chart import ticks
from beffroi.web.kit.figures import Figures

__all__ = ["trace_paper", "trace_svg"]

_FOOT = 90  # per cent of the height given to the lines; below it, the words of time


def trace_svg(trace: Trace, figures: Figures, title: str, unit: str, start: str) -> Markup:
    """Return the chart of a trace: a full line for what was seen, a dashed one for without, a mark at the start."""
    values = [*trace.observed, *(v for v in trace.without if v is not None)]
    if not values:
        return Markup("")
    axis = ticks(min(values), max(values))
    low, high = axis[0], axis[-1]
    steps = max(1, len(trace.times) - 1)
    decimals = 0 if axis[1] - axis[0] >= 1 else 2
    parts = [Markup('<svg class="plot" role="img" aria-label="{}">').format(title)]
    for index, level in enumerate(axis):
        top = index == len(axis) - 1
        y = (high - level) * _FOOT / (high - low)
        words = figures.quantity(level, unit, decimals) if top else figures.number(level, decimals)
        parts.append(
            Markup('<g class="grid"><line x1="0" x2="100%" y1="{0:.2f}%" y2="{0:.2f}%"/><text x="0" y="{0:.2f}%" dy="{1}">{2}</text></g>')
            .format(y, 14 if top else -4, words)
        )  # fmt: skip
    at = (trace.start - 0.5) * 100 / steps
    near = Markup(' text-anchor="end"') if at > 60 else Markup("")
    parts.append(
        Markup('<g class="threshold"><line x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="{1}%"/><text x="{0:.2f}%" dx="{2}" y="12"{3}>{4}</text></g>')
        .format(at, _FOOT, -6 if near else 6, near, start)
    )  # fmt: skip
    lines = (
        (_line(trace.without, low, high, steps), Markup(' stroke-dasharray="6 5" opacity=".7"')),
        (_line(trace.observed, low, high, steps), Markup("")),
    )
    parts += [
        Markup('<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="{}%"><path d="{}"{}/></svg>')
        .format(_FOOT, path, look)
        for path, look in lines
    ]  # fmt: skip
    for place, anchor in ((0, ""), (len(trace.times) // 2, "middle"), (len(trace.times) - 1, "end")):
        said = Markup(' text-anchor="{}"').format(anchor) if anchor else Markup("")
        parts.append(
            Markup('<text class="time" x="{:.2f}%" y="100%" dy="-4"{}>{}</text>')
            .format(place * 100 / steps, said, figures.day(date.fromisoformat(trace.times[place])))
        )  # fmt: skip
    return Markup("").join([*parts, Markup("</svg>")])


def _line(values: Sequence[float | None], low: float, high: float, steps: int) -> str:
    parts, pen = [], "M"
    for i, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        parts.append(f"{pen}{i * 1000 / steps:.1f} {(high - value) * 1000 / (high - low):.1f}")
        pen = "L"
    return "".join(parts)


_SHORT = 6  # letters of a unit beside an axis; a longer one is in the caption only


def trace_paper(trace: Trace, figures: Figures, title: str, unit: str, start: str) -> Markup:
    """Return the same chart for paper: in units of its own size, its look in its own attributes."""
    values = [*trace.observed, *(v for v in trace.without if v is not None)]
    if not values:
        return Markup("")
    axis = ticks(min(values), max(values))
    low, high = axis[0], axis[-1]
    left, width, height = 90, 900, 260
    steps = max(1, len(trace.times) - 1)
    decimals = 0 if axis[1] - axis[0] >= 1 else 2

    def place(at: float, value: float) -> str:
        return f"{left + at * width / steps:.1f} {10 + (high - value) * height / (high - low):.1f}"

    parts = [
        Markup(
            '<svg viewBox="0 0 1000 310" role="img" aria-label="{}" font-family="DejaVu Sans" font-size="15">'
        ).format(title)
    ]
    for index, level in enumerate(axis):
        y = 10 + (high - level) * height / (high - low)
        words = (
            figures.quantity(level, unit, decimals)
            if index == len(axis) - 1 and len(unit) <= _SHORT
            else figures.number(level, decimals)
        )
        parts.append(
            Markup('<line x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}" stroke="#bbb"/><text x="{3}" y="{4:.1f}" text-anchor="end" fill="#333">{5}</text>')
            .format(left, left + width, y, left - 8, y + 5, words)
        )  # fmt: skip
    at = left + (trace.start - 0.5) * width / steps
    parts.append(
        Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="10" y2="270" stroke="#111" stroke-dasharray="3 3"/><text x="{1:.1f}" y="24" text-anchor="end" fill="#111">{2}</text>')
        .format(at, at - 6, start)
    )  # fmt: skip
    for series, dashes in ((trace.without, Markup(' stroke-dasharray="7 5"')), (trace.observed, Markup(""))):
        path, pen = [], "M"
        for i, value in enumerate(series):
            if value is None:
                pen = "M"
                continue
            path.append(pen + place(i, value))
            pen = "L"
        parts.append(
            Markup('<path d="{}" fill="none" stroke="#1d4e6b" stroke-width="2.2"{}/>').format(
                "".join(path), dashes
            )
        )
    for i, anchor in ((0, "start"), (len(trace.times) // 2, "middle"), (len(trace.times) - 1, "end")):
        parts.append(
            Markup('<text x="{:.1f}" y="298" text-anchor="{}" fill="#333">{}</text>')
            .format(left + i * width / steps, anchor, figures.day(date.fromisoformat(trace.times[i])))
        )  # fmt: skip
    return Markup("").join([*parts, Markup("</svg>")])
