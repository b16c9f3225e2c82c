"""Charts of water: what an area loses and what enters it at night, a plant's nights, how long an overflow ran each day."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.instant import DAY_US
from beffroi.services.watergrid.areas.judging import Story
from beffroi.services.watergrid.areas.reading import last_day, local_day, rows_of, series_of
from beffroi.services.watergrid.areas.round import SEWER_DAYS, rain_by_day
from beffroi.services.watergrid.sewers import Infiltration, infiltration, nights_of
from beffroi.store.record import Row
from beffroi.town import Town
from beffroi.web.kit.chart import Plot, Threshold

__all__ = ["Sewer", "loss_plot", "night_plot", "sewer_of"]

Words = Callable[..., str]
_THRESHOLD = 3.7  # deviations above which a single day is seen
_BEFORE_DAYS, _LEAST_DAYS = 21, 45


class Sewer(msgspec.Struct, frozen=True):
    """A measuring point of the sewers over thirty days: its nights judged, when it has a flow, and its chart."""

    row: Row
    nights: Infiltration | None
    plot: Plot | None


def loss_plot(_: Words, found: Story, area: Row, leak: Row) -> Plot:
    """Return the new losses of an area, from three weeks before a leak on."""
    start, end = _span(found)
    start = max(start, min(leak.values["start"] - _BEFORE_DAYS * DAY_US, end - _LEAST_DAYS * DAY_US))
    lines = (Threshold(_THRESHOLD * found.sigma, _("seuil d'un jour"), "jaune"),)
    title = _("Pertes nouvelles, {name}", name=area.values["name"])
    return _plot(title, found, found.loss, lines, start, end)


def night_plot(_: Words, found: Story, area: Row) -> Plot:
    """Return the night flow of an area beside what its homes use at night, and that with the standing losses."""
    lines = [Threshold(found.legitimate, _("usage légitime"))]
    standing = area.values.get("standing_m3h")
    if standing:
        lines.append(Threshold(found.legitimate + standing, _("avec les pertes anciennes"), "jaune"))
    title = _("Débit de nuit, {name}", name=area.values["name"])
    return _plot(title, found, found.night, tuple(lines), *_span(found))


def _span(found: Story) -> tuple[int, int]:
    return local_day(found.first), local_day(found.day(len(found.loss) - 1)) + 2 * DAY_US


def _plot(
    title: str, found: Story, values: NDArray[np.float64], lines: tuple[Threshold, ...], start: int, end: int
) -> Plot:
    points = [(local_day(found.day(i)) + DAY_US, _known(v)) for i, v in enumerate(values)]
    return Plot(title, start, end, [p for p in points if p[0] >= start], "m³/h", 1, lines, gap_us=3 * DAY_US)


def _known(value: float) -> float | None:
    return round(float(value), 2) if np.isfinite(value) else None


def sewer_of(_: Words, town: Town, point: Row) -> Sewer:
    """Judge a point by its last thirty days: the nights of a flow, or the hours that an overflow ran each day."""
    first = last_day(town.clock()) - timedelta(days=SEWER_DAYS - 1)
    name, v = point.values["name"], point.values
    days = [first + timedelta(days=i) for i in range(SEWER_DAYS)]
    flow = series_of(town, "sewer_point", "sewer_flow").get(point.id)
    if flow is not None:
        rows = rows_of(town, [(1, flow, "")], first, SEWER_DAYS)
        rain = rain_by_day(town, local_day(first + timedelta(hours=6)))
        nights = infiltration(rows, rain, v.get("households") or 0, v["legitimate_lh"])
        lines = [Threshold(nights.legitimate_m3h, _("rejets légitimes"))]
        if nights.night_m3h is not None:
            lines.append(Threshold(nights.night_m3h, _("temps sec"), "jaune"))
        points = [(local_day(d) + DAY_US, _known(x)) for d, x in zip(days, nights_of(rows), strict=True)]
        return Sewer(point, nights, _daily(_("Débit de nuit, {name}", name=name), points, "m³/h", lines))
    ran = series_of(town, "sewer_point", "sewer_overflow").get(point.id)
    if ran is None:
        return Sewer(point, None, None)
    hours = np.clip(rows_of(town, [(1, ran, "")], first, SEWER_DAYS), 0, 1)
    daily = [float(np.nansum(day)) if np.isfinite(day).any() else np.nan for day in hours]
    points = [(local_day(d) + DAY_US, _known(x)) for d, x in zip(days, daily, strict=True)]
    return Sewer(point, None, _daily(_("Heures de déversement par jour, {name}", name=name), points, "h", []))


def _daily(title: str, points: list[tuple[int, float | None]], unit: str, lines: list[Threshold]) -> Plot:
    start, end = points[0][0] - DAY_US, points[-1][0] + DAY_US
    return Plot(title, start, end, points, unit, 1, tuple(lines), gap_us=3 * DAY_US)
