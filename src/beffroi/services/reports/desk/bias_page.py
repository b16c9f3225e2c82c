"""`/services/reports/biais`: what nobody reports, told to a mayor; and the frozen extract for researchers."""

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US
from beffroi.services.reports.demo import TRUTH
from beffroi.services.reports.desk.area_map import area_map
from beffroi.services.reports.desk.bias_sheet import (
    WINDOW_DAYS,
    BiasSheet,
    archive_of,
    bias_now,
    incidents_now,
    name_in,
)
from beffroi.services.reports.desk.reckoned import PLACES, kept_or_asked, not_yet, require_reader
from beffroi.services.reports.desk.reckoners import BIAS
from beffroi.services.reports.desk.reckoning import Kept, Standing, few
from beffroi.services.reports.desk.seen import names_of, town_of
from beffroi.services.reports.rate.bias import Cell, explain
from beffroi.services.reports.rate.estimate import ENOUGH
from beffroi.services.reports.rate.regression import Effect
from beffroi.store.record import Query
from beffroi.web.kit.page import figures_of, render, translate, with_query, words_of

__all__ = ["ROUTES"]

PLACE = PLACES[BIAS]
_Z = 1.96


def _sheet(request: Request) -> tuple[BiasSheet | None, Kept | None, Standing | None]:
    """Return the numbers as they are now, with nothing else, or the last that were kept and how that stands."""
    who, town = require_reader(request), town_of(request)
    now = town.clock()
    if few(town, who, now - WINDOW_DAYS * DAY_US):
        return bias_now(town, who, now), None, None
    found, standing = kept_or_asked(town, who, BIAS, BiasSheet)
    return (None, None, standing) if found is None else (found[1], found[0], standing)


def page(request: Request) -> Response:
    """Answer the page: words first, then the map, then the figures with their intervals."""
    sheet, _kept, standing = _sheet(request)
    names, language = names_of(request), words_of(request).language
    shared: dict[str, Any] = {
        "standing": standing,
        "reckoning": BIAS,
        "here": with_query(request),
        "names": names,
    }
    if sheet is None:
        title = translate(request)("Ce que personne ne signale")
        return render(request, "desk/reckoning.html", **shared, title=title)
    bias = sheet.bias
    titles = {str(row.values["code"]): names.category(number) for number, row in names.categories.items()}
    return render(
        request, "desk/bias.html", bias=bias, words=[said.of(language) for said in explain(bias)], enough=ENOUGH,
        areas=[_line(request, cell, cell.area) for cell in bias.areas], categories=[_line(request, cell, titles.get(cell.category, cell.category)) for cell in bias.categories],
        cells=[(cell.area, *_line(request, cell, titles.get(cell.category, cell.category))) for cell in bias.cells if cell.rate.known],
        alike=_alike(request, sheet), fit=sheet.alike, drawing=_drawing(request, bias.areas), days=sheet.days, truth=_truth(request, sheet), **shared,
    )  # fmt: skip


def _alike(request: Request, sheet: BiasSheet) -> list[tuple[str, str, str]]:
    """Return each area that is known, how much sooner or later than on average it reports problems of one category, and between
    what."""
    if sheet.alike is None:
        return []
    figures = figures_of(request)

    def times(log_rate: float) -> str:
        return figures.number(math.exp(-log_rate), 2)  # of the delay: the inverse of the rate

    def line(name: str, one: Effect) -> tuple[str, str, str]:
        return name or translate(request)("sans quartier"), times(one.value), f"{times(one.value + _Z * one.error)} – {times(one.value - _Z * one.error)}"  # fmt: skip

    return [line(name, one) for name, one in sorted(sheet.alike.areas.items())]


def _line(request: Request, cell: Cell, name: str) -> tuple[str, str, str, int, int]:
    """Return name, delay and interval in words, problems and further reports."""
    _, figures, rate = translate(request), figures_of(request), cell.rate
    known = (
        rate.known and rate.delay is not None and rate.delay_low is not None and rate.delay_high is not None
    )
    delay = figures.quantity(rate.delay, _("j"), 1) if known else _("on ne sait pas")
    between = f"{figures.number(rate.delay_low, 1)} – {figures.number(rate.delay_high, 1)}" if known else "–"
    return name or _("sans quartier"), delay, between, rate.incidents, rate.duplicates


def _drawing(request: Request, cells: tuple[Cell, ...]) -> Any:
    _, figures = translate(request), figures_of(request)
    delays = {cell.area: cell.rate.delay if cell.rate.known else None for cell in cells}
    rows = town_of(request).store.records.all("report_area", Query(limit=500))
    shades = [
        (name, row.geometry, delays.get(name), figures.quantity(delays[name], _("j"), 1) if delays.get(name) is not None else _("on ne sait pas"))
        for row in rows if row.geometry and (name := str(row.values["name"]))
    ]  # fmt: skip
    return area_map(shades, _("Jours qu'attend un problème avant d'être signalé"))


def _truth(request: Request, sheet: BiasSheet) -> list[tuple[str, str, str, str, int, int]]:
    """Return, in a demonstration town, what its residents truly do beside what was found without knowing it: area, true
    delay, interval, whether it holds the truth, problems that there were, problems that nobody told."""
    _, figures = translate(request), figures_of(request)
    truth = town_of(request).store.setting(TRUTH)
    if not truth:
        return []
    rates, known = sheet.truth, {one["area"]: one for one in truth["areas"]}
    found = []
    for cell in sheet.bias.areas:
        rate, true = cell.rate, rates.get(cell.area)
        if true is None:
            continue
        high = f"{figures.number(rate.delay_high, 1)}" if rate.delay_high is not None else "∞"
        between = f"{figures.number(rate.delay_low, 1)} – {high}"
        held = rate.low <= true <= (rate.high or 0)
        untold = known[cell.area]["problems"] - known[cell.area]["told"]
        found.append((cell.area, figures.quantity(1 / true, _("j"), 1), between, _("oui") if held else _("non"),
                      int(known[cell.area]["problems"]), int(untold)))  # fmt: skip
    return found


def extract(request: Request) -> Response:
    """Answer the frozen extract as one archive; the same incidents give the same bytes."""
    who, town = require_reader(request), town_of(request)
    now = town.clock()
    if few(town, who, now - WINDOW_DAYS * DAY_US):
        name, body = archive_of(town, incidents_now(town, who, now), now)
    else:
        found, _standing = kept_or_asked(town, who, BIAS, BiasSheet)
        if found is None or found[0].file is None:
            raise not_yet()
        body, _ = town.store.files.read(found[0].file)
        name = name_in(body)
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(body, media_type="application/zip", headers=headers)


ROUTES: list[BaseRoute] = [Route(PLACE, page), Route(f"{PLACE}/extrait.zip", extract)]
