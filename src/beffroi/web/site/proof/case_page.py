"""`/preuve/modeles`: the business cases; `/preuve/modeles/{id}`: one, as a page, a paper, a spreadsheet, a document."""

import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.evaluation.case.collections import CASE
from beffroi.evaluation.case.report import report_of
from beffroi.evaluation.case.sheet import sheet_bytes
from beffroi.standards.yaml_text import write_yaml
from beffroi.web.kit.kept import PATIENCE_S
from beffroi.web.kit.page import figures_of, language_of, principal_of, render
from beffroi.web.kit.paper import pdf
from beffroi.web.site.proof.case_words import Words, estimates
from beffroi.web.site.proof.cases import Known, cases_of, desk_of, known_case, loop_of, town_of
from beffroi.web.site.proof.sections import tabs_of

__all__ = ["ROUTES", "opened"]

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def opened(request: Request) -> Known:
    """Return the case that the address names. Raises `NotFound`."""
    row = desk_of(request).get(CASE.name, request.path_params["id"])
    return known_case(town_of(request), row)


WHOLE_S = 15.0  # a paper or a file waits for every measure


def _computed(request: Request, wait_s: float = WHOLE_S) -> tuple[Known, Words]:
    """Return a case and its words. Raises the `Problem` of a document that cannot be computed."""
    known = opened(request)
    if known.computed is None:
        assert known.problem is not None
        raise known.problem
    loop = loop_of(town_of(request), principal_of(request), known.computed, wait_s)
    return known, Words(request, known.computed, loop)


def index(request: Request) -> Response:
    """Answer the list of business cases."""
    known = cases_of(request)
    figures = figures_of(request)
    rows = []
    for one in known:
        words = None
        if one.computed is not None:
            words = Words(
                request, one.computed, loop_of(town_of(request), principal_of(request), one.computed)
            )
        rows.append((one, words))
    services = {s.name: s.title for s in town_of(request).registry.services.values()}
    writable = desk_of(request).writable(CASE)
    return render(
        request,
        "proof/cases.html",
        rows=rows,
        services=services,
        writable=writable,
        tabs=tabs_of(request),
        count=figures.number(len(rows)),
    )


def page(request: Request) -> Response:
    """Answer the page of one case; one whose document is wrong says what, and leads to the editor."""
    known = opened(request)
    desk = desk_of(request)
    writable = desk.writable(CASE, known.row.territory)
    service = town_of(request).registry.services.get(str(known.row.values["service"]))
    if known.computed is None:
        return render(
            request,
            "proof/case_wrong.html",
            known=known,
            writable=writable,
            service=service,
            tabs=tabs_of(request),
        )
    _, words = _computed(request, PATIENCE_S)
    return render(
        request, "proof/case.html", known=known, w=words, case=known.computed.case, writable=writable, service=service, tabs=tabs_of(request),
        staffed=desk.staffed(known.row.territory),
    )  # fmt: skip


def _name(known: Known, kind: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", str(known.row.values["title"]).lower()).strip("-")[:40] or "modele"
    return f"{plain}-v{known.row.version}.{kind}"


def paper(request: Request) -> Response:
    """Answer one A4 page for the council (PDF/UA)."""
    known, words = _computed(request)
    service = town_of(request).registry.services.get(str(known.row.values["service"]))
    return pdf(request, "proof/case_paper.html", _name(known, "pdf"), known=known, w=words, case=words.case, service=service,
               doubts=estimates(words.case))  # fmt: skip


def _file(content: bytes | str, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-cache"}
    return Response(content, media_type=media_type, headers=headers)


def sheet(request: Request) -> Response:
    """Answer the spreadsheet with live formulas."""
    known, words = _computed(request)
    return _file(sheet_bytes(words.case, language_of(request)), XLSX, _name(known, "xlsx"))


def figures(request: Request) -> Response:
    """Answer every figure as JSON, as `beffroi case compute --json` gives them, with promised and measured."""
    known, words = _computed(request)
    report: dict[str, Any] = report_of(words.known, language_of(request), loop=words.loop)
    return _file(
        msgspec.json.encode({"version": known.row.version, **report}),
        "application/json",
        _name(known, "json"),
    )


def document(request: Request) -> Response:
    """Answer the document itself, for `beffroi case compute` or another town."""
    known = opened(request)
    text = write_yaml(dict(known.row.values.get("document") or {}))
    return _file(text, "application/yaml; charset=utf-8", _name(known, "yaml"))


ROUTES: list[BaseRoute] = [
    Route("/preuve/modeles", index),
    Route("/preuve/modeles/{id:int}", page),
    Route("/preuve/modeles/{id:int}.pdf", paper),
    Route("/preuve/modeles/{id:int}.xlsx", sheet),
    Route("/preuve/modeles/{id:int}.json", figures),
    Route("/preuve/modeles/{id:int}.yaml", document),
]
