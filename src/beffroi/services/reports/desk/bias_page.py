"""`/services/reports/biais`: what nobody reports, told to a mayor; and the frozen extract for researchers."""

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US, to_datetime
from beffroi.services.reports.demo import TRUTH, true_rates
from beffroi.services.reports.desk.area_map import area_map
from beffroi.services.reports.desk.figures_page import require_reader
from beffroi.services.reports.desk.seen import names_of, town_of
from beffroi.services.reports.desk.watched import incidents_watched
from beffroi.services.reports.rate.bias import Cell, bias_of, explain
from beffroi.services.reports.rate.estimate import ENOUGH
from beffroi.services.reports.rate.extract import write_extract
from beffroi.services.reports.rate.incidents import Incident
from beffroi.store.record import Query
from beffroi.web.kit.page import figures_of, render, translate, words_of

__all__ = ["ROUTES"]

PLACE = "/services/reports/biais"
WINDOW_DAYS = 730


def _incidents(request: Request) -> list[Incident]:
    who, town = require_reader(request), town_of(request)
    now = town.clock()
    return incidents_watched(town, who, now - WINDOW_DAYS * DAY_US, now)


def page(request: Request) -> Response:
    """Answer the page: words first, then the map, then the figures with their intervals."""
    incidents, names, language = _incidents(request), names_of(request), words_of(request).language
    bias = bias_of(incidents, fitted=False)
    titles = {str(row.values["code"]): names.category(number) for number, row in names.categories.items()}
    return render(
        request, "desk/bias.html", bias=bias, words=[said.of(language) for said in explain(bias)], enough=ENOUGH,
        areas=[_line(request, cell, cell.area) for cell in bias.areas], categories=[_line(request, cell, titles.get(cell.category, cell.category)) for cell in bias.categories],
        cells=[(cell.area, *_line(request, cell, titles.get(cell.category, cell.category))) for cell in bias.cells if cell.rate.known],
        drawing=_drawing(request, bias.areas), days=WINDOW_DAYS, names=names, truth=_truth(request, bias.areas, incidents),
    )  # fmt: skip


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


def _truth(
    request: Request, cells: tuple[Cell, ...], incidents: list[Incident]
) -> list[tuple[str, str, str, str, int, int]]:
    """Return, in a demonstration town, what its residents truly do beside what was found without knowing it: area, true
    delay, interval, whether it holds the truth, problems that there were, problems that nobody told."""
    _, figures = translate(request), figures_of(request)
    truth = town_of(request).store.setting(TRUTH)
    if not truth:
        return []
    rates, known = true_rates(truth, incidents), {one["area"]: one for one in truth["areas"]}
    found = []
    for cell in cells:
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
    incidents, town = _incidents(request), town_of(request)
    with tempfile.TemporaryDirectory() as folder:
        made = write_extract(
            incidents,
            Path(folder),
            town=town.name,
            secret=town.settings.secret(),
            made=to_datetime(town.clock()),
        )
        body = _archive(made)
        headers = {"Content-Disposition": f'attachment; filename="{made.name}.zip"'}
    return Response(body, media_type="application/zip", headers=headers)


def _archive(folder: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(f"{folder.name}/{path.name}", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return out.getvalue()


ROUTES: list[BaseRoute] = [Route(PLACE, page), Route(f"{PLACE}/extrait.zip", extract)]
