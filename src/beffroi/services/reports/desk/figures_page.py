"""`/services/reports/chiffres`: how the town answers, for elected officials and the people who manage it.

Figures only: no report, no person can be reached from here. The same page prints as one council paper.
"""

import csv
import io
from itertools import dropwhile
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US
from beffroi.model.text import Text
from beffroi.services.reports.collections import CHANNELS
from beffroi.services.reports.desk.area_map import area_map, heat_map
from beffroi.services.reports.desk.counting import AXES
from beffroi.services.reports.desk.figures import Wait
from beffroi.services.reports.desk.reckoned import PLACES, kept_or_asked, not_yet, require_reader
from beffroi.services.reports.desk.reckoners import FIGURES
from beffroi.services.reports.desk.reckoning import Standing, few
from beffroi.services.reports.desk.seen import Names, names_of, town_of, word
from beffroi.services.reports.desk.sheet import Sheet, sheet_now, since_of
from beffroi.services.reports.states import REASONS
from beffroi.store.record import Query
from beffroi.web.kit.card import Card
from beffroi.web.kit.chart import Plot, spark
from beffroi.web.kit.page import figures_of, render, translate, with_query
from beffroi.web.kit.paper import pdf

__all__ = ["ROUTES"]

PLACE = PLACES[FIGURES]
MOST_ON_PAPER = 7  # groups of each table, so that the paper is one page
PERIODS = (("30", Text("30 jours", "30 days")), ("90", Text("3 mois", "3 months")), ("365", Text("1 an", "1 year")), ("3650", Text("tout", "all")))  # fmt: skip
TITLES = {
    "category": Text("Par catégorie", "By category"), "area": Text("Par quartier", "By area"),
    "department": Text("Par service", "By department"), "reason": Text("Par motif de clôture", "By closing reason"),
    "channel": Text("Par canal", "By channel"),
}  # fmt: skip


def sheet_of(request: Request) -> tuple[Sheet | None, Standing | None]:
    """Return the figures of the period that the address asks for (a year by default): as they are now, with None, or the
    last that were kept and how that stands."""
    who, town = require_reader(request), town_of(request)
    asked = request.query_params.get("jours", "365")
    days = int(asked) if asked in {name for name, _ in PERIODS} else 365
    now = town.clock()
    if few(town, who, since_of(days, now)):
        return sheet_now(town, who, days, now), None
    sheets, standing = kept_or_asked(town, who, FIGURES, dict[str, Sheet])
    return (None if sheets is None else sheets[1][str(days)]), standing


def sheet_at_hand(request: Request) -> Sheet:
    """Return the figures for a file. Raises `Unavailable` while they are computed for the first time."""
    sheet, _standing = sheet_of(request)
    if sheet is None:
        raise not_yet()
    return sheet


def name_of(axis: str, name: str, names: Names, nothing: str) -> str:
    """Return a group's name in words."""
    if not name:
        return nothing
    if axis == "category":
        return names.category(int(name)) or nothing
    if axis == "department":
        return names.department(int(name)) or nothing
    if axis in ("reason", "channel"):
        return word(REASONS if axis == "reason" else CHANNELS, name, names.language)
    return name


def wait_said(request: Request, half: int | None, wait: Wait) -> str:
    """Return a wait in words: a duration, "not known yet" when too many still wait, "–" of nothing."""
    if half is not None:
        return figures_of(request).duration(half)
    return translate(request)("pas encore") if wait.total else "–"


def _lines(request: Request, sheet: Sheet, axis: str, names: Names) -> list[dict[str, Any]]:
    figures, nothing = figures_of(request), {"reason": translate(request)("encore ouverts")}.get(axis, translate(request)("non dit"))  # fmt: skip

    def percent(share: float | None) -> str:
        return "–" if share is None else figures.quantity(100 * share, "%", 0)

    return [
        {
            "name": name_of(axis, g.name, names, nothing), "total": g.total, "open": g.open, "overdue": g.overdue,
            "answer": wait_said(request, g.answer.median, g.answer), "answer90": wait_said(request, g.answer.p90, g.answer),
            "closing": wait_said(request, g.closing.median, g.closing), "closing90": wait_said(request, g.closing.p90, g.closing),
            "kept": percent(g.kept), "reopened": percent(g.reopened), "satisfied": percent(g.satisfied), "opinions": g.opinions,
            "rate": "–" if g.per_thousand is None else figures.number(g.per_thousand, 1),
        }
        for g in sheet.groups[axis]
    ]  # fmt: skip


def _cards(request: Request, sheet: Sheet) -> list[Card]:
    _, figures, now, then = translate(request), figures_of(request), sheet.whole, sheet.before

    def percent(share: float | None) -> str:
        return "–" if share is None else figures.quantity(100 * share, "%", 0)

    def before(said: str) -> str:
        return _("avant : {value}", value=said) if then.total else ""

    came = [(m.start_us, float(m.came)) for m in sheet.steps]
    return [
        Card(_("Signalements reçus"), now.total, "#categories", note=before(figures.number(then.total)), trend=spark(came, sheet.start_us, sheet.end_us)),
        Card(_("Encore ouverts"), now.open, "#categories"),
        Card(_("En retard"), now.overdue, "#services", severity="orange" if now.overdue else "", said=_("délai passé") if now.overdue else ""),
        Card(_("Première réponse humaine, la moitié en"), wait_said(request, now.answer.median, now.answer), "#services",
             note=_("neuf sur dix : {value}", value=wait_said(request, now.answer.p90, now.answer))),
        Card(_("Clôture, la moitié en"), wait_said(request, now.closing.median, now.closing), "#services",
             note=_("neuf sur dix : {value}", value=wait_said(request, now.closing.p90, now.closing))),
        Card(_("Délai tenu"), percent(now.kept), "#services", note=before(percent(then.kept))),
        Card(_("Vraiment réparés, parmi les clos"), percent(sheet.repaired), "#motifs"),
        Card(_("Auteurs satisfaits"), percent(now.satisfied), "#categories", note=_("{n} avis", n=now.opinions)),
        Card(_("Rouverts, parmi les clos"), percent(now.reopened), "#categories"),
    ]  # fmt: skip


def page(request: Request) -> Response:
    """Answer the figures."""
    sheet, standing = sheet_of(request)
    if sheet is None:
        return render(
            request, "desk/reckoning.html", standing=standing, reckoning=FIGURES, here=with_query(request),
            title=translate(request)("Signalements en chiffres"),
        )  # fmt: skip
    names, _ = names_of(request), translate(request)
    closing = [
        (m.start_us, None if m.closing.median is None else m.closing.median / DAY_US) for m in sheet.steps
    ]
    plot = Plot(
        _("Jours jusqu'à la clôture, la moitié des signalements du mois"),
        sheet.start_us,
        sheet.end_us,
        closing,
        _("j"),
        1,
    )
    return render(
        request, "desk/figures.html", sheet=sheet, cards=_cards(request, sheet), periods=PERIODS, plot=plot if len(closing) > 2 else None,
        tables=[(axis, TITLES[axis], _lines(request, sheet, axis, names)) for axis in AXES], drawing=_drawing(request, sheet), heat=_heat(request, sheet), most_in_square=max((square[4] for square in sheet.squares), default=0),
        steps=_steps(request, sheet), standing=standing, reckoning=FIGURES, here=with_query(request),
    )  # fmt: skip


def _steps(request: Request, sheet: Sheet) -> list[tuple[int, int, int, str, str]]:
    return [
        (m.start_us, m.came, m.closed, wait_said(request, m.answer.median, m.answer), wait_said(request, m.closing.median, m.closing))
        for m in list(dropwhile(lambda m: not m.came and not m.closed, sheet.steps))[-13:]
    ]  # fmt: skip


def _drawing(request: Request, sheet: Sheet) -> Any:
    """Return the map of the areas by reports per 1,000 inhabitants a year."""
    rates = {g.name: g.per_thousand for g in sheet.groups["area"]}
    figures = figures_of(request)
    rows = town_of(request).store.records.all("report_area", Query(limit=500))
    shades = [
        (str(row.values["name"]), row.geometry, rates.get(str(row.values["name"])), figures.number(rates.get(str(row.values["name"])), 1))
        for row in rows if row.geometry
    ]  # fmt: skip
    return area_map(shades, translate(request)("Signalements par an pour 1 000 habitants"))


def _heat(request: Request, sheet: Sheet) -> Any:
    """Return the map of where reports were made."""
    rows = town_of(request).store.records.all("report_area", Query(limit=500))
    return heat_map(
        sheet.squares, [row.geometry for row in rows if row.geometry], translate(request)("Où l'on signale")
    )


def paper(request: Request) -> Response:
    """Answer the figures as one page of council paper."""
    sheet, names = sheet_at_hand(request), names_of(request)
    lines = {
        axis: _lines(request, sheet, axis, names)[:12]
        for axis in ("category", "area", "department", "reason")
    }
    name = f"signalements-{figures_of(request).iso(sheet.end_us)[:10]}.pdf"
    return pdf(
        request,
        "desk/figures_paper.html",
        name,
        sheet=sheet,
        cards=_cards(request, sheet),
        lines=lines,
        titles=TITLES,
        most=MOST_ON_PAPER,
    )


def table(request: Request) -> Response:
    """Answer one table as CSV: waits in hours, shares from 0 to 1, empty when not known."""
    sheet, names = sheet_at_hand(request), names_of(request)
    axis = request.path_params["axis"]
    text = io.StringIO()
    written = csv.writer(text)
    written.writerow([axis, "reports", "open", "overdue", "answer_median_h", "answer_p90_h", "closing_median_h", "closing_p90_h",
                      "kept", "reopened", "satisfied", "opinions", "per_1000_inhabitants_year"])  # fmt: skip
    for g in sheet.groups.get(axis, []):
        waits = [g.answer.median, g.answer.p90, g.closing.median, g.closing.p90]
        hours = ["" if w is None else round(w / 3.6e9, 2) for w in waits]
        shares = ["" if s is None else round(s, 4) for s in (g.kept, g.reopened, g.satisfied)]
        rate = "" if g.per_thousand is None else round(g.per_thousand, 2)
        written.writerow(
            [name_of(axis, g.name, names, ""), g.total, g.open, g.overdue, *hours, *shares, g.opinions, rate]
        )
    headers = {"Content-Disposition": f'attachment; filename="signalements-{axis}.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


ROUTES: list[BaseRoute] = [
    Route(PLACE, page),
    Route(f"{PLACE}.pdf", paper),
    Route(f"{PLACE}/{{axis}}.csv", table),
]
