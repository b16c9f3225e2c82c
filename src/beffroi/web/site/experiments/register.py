"""`/preuve/experimentations`: the public register of experiments, those that were stopped too."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.evaluation.experiments.life import stop_day, today
from beffroi.evaluation.experiments.papers import impact_rows
from beffroi.evaluation.experiments.studying import finding_of
from beffroi.evaluation.impact.finding import NOT_EVALUABLE, VERDICTS, Finding
from beffroi.evaluation.impact.publication import impact_csv
from beffroi.store.record import Query, Row
from beffroi.web.kit.page import figures_of, language_of, render, translate
from beffroi.web.kit.table import Cell, Column
from beffroi.web.kit.table import Row as Line
from beffroi.web.site.experiments.shown import insee_of, may_act, town_of
from beffroi.web.site.experiments.words import MARKS, field_words, in_words, overdue, signed
from beffroi.web.site.proof.sections import tabs_of

__all__ = ["ROUTES", "columns_of", "lines_of", "published"]

_ORDER = ("ended", "running", "registered", "draft", "stopped", "continued", "procured", "withdrawn")


def published(request: Request, service: str = "") -> list[Row]:
    """Return the experiments that the reader may see, those that wait for somebody first."""
    rows = list(town_of(request).store.records.all("experiment", Query(limit=500)))
    seen = [
        r
        for r in rows
        if (r.values["published"] or may_act(request, r)) and (not service or r.values["service"] == service)
    ]
    seen.sort(key=lambda r: (_ORDER.index(r.values["state"]), r.values["ends_on"], r.id))
    return seen


def columns_of(request: Request) -> list[Column]:
    """Return the columns of the register."""
    _ = translate(request)
    return [
        Column("title", _("Expérimentation")), Column("state", _("État")), Column("verdict", _("Verdict")),
        Column("effect", _("Effet mesuré"), "number"), Column("starts_on", _("Début"), "date"), Column("ends_on", _("Fin"), "date"),
        Column("budget", _("Budget"), "number", unit="€", decimals=0),
    ]  # fmt: skip


def lines_of(request: Request, rows: list[Row]) -> list[Line]:
    """Return the rows of the register."""
    _, figures, language = translate(request), figures_of(request), language_of(request)
    lines = []
    for row in rows:
        values = in_words(row.values, figures)
        finding = finding_of(values["finding"])
        said = ""
        effect: Any = ""
        if finding is not None:
            said = f"{MARKS[finding.verdict]} {VERDICTS[finding.verdict].of(language)}"
            if finding.relative is not None and finding.verdict != NOT_EVALUABLE:
                effect = Cell(
                    signed(figures.quantity(100 * finding.relative, "%", 1), finding.relative),
                    note=_sure(request, finding),
                )
        state: Any = field_words(request, values, "state")
        if values["state"] == "ended":
            state = Cell(state, note=_("sans décision, arrêt le {day}.", day=figures.day(stop_day(values))))
        elif values["state"] == "stopped":
            state = Cell(state, note=_("par décision") if values["decision"] else _("faute de décision"))
        lines.append(
            Line(
                {"title": Cell(values["title"], note=f"{values['indicator']} ({values['unit']})"), "state": state, "verdict": said, "effect": effect, "starts_on": values["starts_on"],
                 "ends_on": values["ends_on"], "budget": values["budget_eur"]},
                href=f"/preuve/experimentations/{values['code']}",
            )
        )  # fmt: skip
    return lines


def _sure(request: Request, finding: Finding) -> str:
    """Return between what and what a relative effect lies, 95 times in 100; "" when that is not known."""
    if finding.interval95 is None or not finding.estimate or not finding.relative:
        return ""
    scale, number = 100 * finding.relative / finding.estimate, figures_of(request).number
    low, high = sorted(scale * edge for edge in finding.interval95)
    values = {"low": signed(number(low, 1), low), "high": signed(number(high, 1), high)}
    return translate(request)("entre {low} et {high} %, 95 fois sur 100", **values)


def register(request: Request) -> Response:
    """Answer the register."""
    town = town_of(request)
    rows = published(request)
    now = today(town.store)
    waiting = [(r, stop_day(r.values)) for r in rows if overdue(r.values, now)]
    return render(
        request, "experiments/register.html", columns=columns_of(request), rows=lines_of(request, rows), waiting=waiting,
        running=sum(r.values["state"] == "running" for r in rows), may_write=may_act(request),
        tabs=tabs_of(request), stopped=sum(r.values["state"] == "stopped" for r in rows),
    )  # fmt: skip


def impact_file(request: Request) -> Response:
    """Answer the figures of every published experiment, in the national schema."""
    town = town_of(request)
    rows = [r for r in town.store.records.all("experiment") if r.values["published"]]
    told = [
        line for r in rows for line in impact_rows(r.values, finding_of(r.values["finding"]), town.name, insee_of(r))
    ]  # fmt: skip
    headers = {"Content-Disposition": 'attachment; filename="impact-experimentations.csv"'}
    return Response(impact_csv(told), media_type="text/csv; charset=utf-8", headers=headers)


ROUTES: list[BaseRoute] = [
    Route("/preuve/experimentations", register, methods=["GET"]),
    Route("/preuve/experimentations/impact.csv", impact_file, methods=["GET"]),
]
