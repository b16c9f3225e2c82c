"""A rating curve drawn by the server: discharge to the right, stage upwards, as hydrologists draw it."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from markupsafe import Markup

from beffroi.services.water.rating.table import RatingTable
from beffroi.web.kit.chart import ticks
from beffroi.web.kit.figures import Figures

__all__ = ["curve_svg"]

_FLOOR = 90  # per cent of the height given to the drawing; the words of the axis are below
_SIZE = 1000
_NEWEST = 8  # gaugings drawn full: those that say where the curve is now


def curve_svg(
    table: RatingTable, gaugings: Sequence[tuple[float, float]], figures: Figures, title: str
) -> Markup:
    """Return the curve with its 90 % band, and the `gaugings` (stage m, discharge m³/s; the newest last, drawn full).

    What no gauging supports is dashed. Discharges are drawn by their square roots: floods and low waters both show.
    """
    stages = [*table.stages, *(h for h, _ in gaugings)]
    across = ticks(0.0, math.sqrt(max([*table.discharges, *(q for _, q in gaugings)])), 5)
    upward = ticks(min(stages), max(stages))

    def x(discharge: float) -> float:
        return min(math.sqrt(max(discharge, 0.0)) / across[-1], 1.0)

    def y(stage: float) -> float:
        return (upward[-1] - stage) / (upward[-1] - upward[0])

    parts = [Markup('<svg class="plot rating" role="img" aria-label="{}">').format(title)]
    decimals = max(0, -math.floor(math.log10(upward[1] - upward[0]) + 1e-9))
    for index, level in enumerate(upward):
        top = index == len(upward) - 1
        words = figures.quantity(level, "m", decimals) if top else figures.number(level, decimals)
        parts.append(
            Markup('<g class="grid"><line x1="0" x2="100%" y1="{0:.2f}%" y2="{0:.2f}%"/><text x="0" y="{0:.2f}%" dy="{1}">{2}</text></g>').format(y(level) * _FLOOR, 14 if top else -4, words)
        )  # fmt: skip
    parts.append(
        Markup('<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="{}%">').format(
            _FLOOR
        )
    )
    parts += [_band(table, x, y), *_lines(table, x, y), Markup("</svg>")]
    for index, (stage, discharge) in enumerate(gaugings):
        kind = "new" if index >= len(gaugings) - _NEWEST else "old"
        parts.append(
            Markup('<circle class="gauging {}" cx="{:.2f}%" cy="{:.2f}%" r="4"/>').format(
                kind, x(discharge) * 100, y(stage) * _FLOOR
            )
        )
    parts += _discharges(across, figures)
    return Markup("").join([*parts, Markup("</svg>")])


def _place(point: tuple[float, float]) -> str:
    return f"{round(point[0] * _SIZE)} {round(point[1] * _SIZE)}"


def _band(table: RatingTable, x: Callable[[float], float], y: Callable[[float], float]) -> Markup:
    low = [(x(q), y(h)) for h, q in zip(table.stages, table.lows, strict=True)]
    high = [(x(q), y(h)) for h, q in zip(table.stages, table.highs, strict=True)]
    return Markup('<path class="interval" d="M{}Z"/>').format(
        "L".join(_place(p) for p in [*low, *reversed(high)])
    )


def _lines(table: RatingTable, x: Callable[[float], float], y: Callable[[float], float]) -> list[Markup]:
    runs: dict[bool, list[str]] = {True: [], False: []}
    for (h1, q1), (h2, q2) in pairwise(zip(table.stages, table.discharges, strict=True)):
        supported = table.lowest <= (h1 + h2) / 2 <= table.highest
        runs[supported].append(f"M{_place((x(q1), y(h1)))}L{_place((x(q2), y(h2)))}")
    return [
        Markup('<path class="{}" d="{}"/>').format("sure" if supported else "guess", "".join(path))
        for supported, path in runs.items()
        if path
    ]


def _discharges(across: Sequence[float], figures: Figures) -> list[Markup]:
    parts = []
    for index, root in enumerate(across):
        last = index == len(across) - 1
        anchor = (
            Markup("")
            if index == 0
            else Markup(' text-anchor="end"')
            if last
            else Markup(' text-anchor="middle"')
        )
        # the unit is said at zero, where there is room
        words = figures.number(root**2, 0 if root > 3 else 1) if index else figures.quantity(0.0, "m³/s", 0)
        parts.append(
            Markup('<text class="time" x="{:.2f}%" y="100%" dy="-4"{}>{}</text>').format(
                root / across[-1] * 100, anchor, words
            )
        )
    return parts
