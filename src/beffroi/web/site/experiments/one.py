"""`/preuve/experimentations/{code}`: one experiment, its verdict, what was promised, and the decision it waits for."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.evaluation.experiments import life
from beffroi.evaluation.experiments.collections import DECISIONS, METHODS
from beffroi.evaluation.experiments.papers import data_file, impact_rows
from beffroi.evaluation.experiments.registration import canonical, departures, register
from beffroi.evaluation.experiments.studying import finding_of, plan
from beffroi.evaluation.impact.finding import Finding
from beffroi.evaluation.impact.publication import impact_csv
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.store.record import Row
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import figures_of, language_of, render, translate
from beffroi.web.site.administration.desk import refused
from beffroi.web.site.data.desk import author_names
from beffroi.web.site.experiments.drawing import trace_svg
from beffroi.web.site.experiments.paper import deliberation_pdf
from beffroi.web.site.experiments.shown import (
    found,
    insee_of,
    may_act,
    must_act,
    observed_so_far,
    studied,
    tools_of,
    town_of,
)
from beffroi.web.site.experiments.words import check_rows, in_words, promise, said_of, state_sentence

__all__ = ["ROUTES"]

_DECIDABLE = ("registered", "running", "ended", "continued", "procured", "stopped")


def _address(row: Row, rest: str = "") -> str:
    return f"/preuve/experimentations/{row.values['code']}{rest}"


def _page(request: Request, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    row = found(request)
    town, figures, language = town_of(request), figures_of(request), language_of(request)
    _ = translate(request)
    values = in_words(row.values, figures)
    method = request.query_params.get("methode", "")
    method = method if any(m.value == method for m in METHODS) else ""
    finding = studied(request, row, method)
    trace = observed_so_far(request, row) if finding is None else finding.trace
    drawing = None
    if trace is not None:
        drawing = trace_svg(trace, figures, values["indicator"], values["unit"], _("Début"))
    changes = list(reversed(town.store.records.history("experiment", row.id)))
    names = author_names(request, {c.author for c in changes})
    planned = plan(town.store, row.values, town.clock()) if values["state"] == "draft" else None
    return render(
        request, "experiments/one.html", status, row=row, values=values, address=_address(row), finding=finding,
        said=None if finding is None else said_of(request, values, finding), drawing=drawing, trace=trace,
        checks=[] if finding is None else check_rows(finding, language), promised=promise(request, row, town.registry.services),
        sentence=state_sentence(request, values), stop=life.stop_day(values), may_act=may_act(request, row),
        inputs=_decision_inputs(request), errors=errors or {}, sent={"decision": values["decision"] or "", "reason": values["decision_reason"] or ""},
        decidable=values["state"] in _DECIDABLE, methods=[(m.value, m.title.of(language)) for m in METHODS], method=method or values["method"],
        departed=bool(finding is not None and finding.values.get("exploratory")) or bool(values["registration"] and departures(row.values)),
        history=[(c, names.get(c.author, c.author)) for c in changes], planned=planned,
        models=[] if finding is None else [(m.words.of(language), m) for m in finding.models],
    )  # fmt: skip


def _decision_inputs(request: Request) -> list[Input]:
    _, language = translate(request), language_of(request)
    options = tuple((d.value, d.title.of(language)) for d in DECISIONS)
    return [
        Input("decision", _("Décision"), "radio", required=True, options=options),
        Input("reason", _("Motif"), "textarea", required=True, hint=_("Publié avec la décision."), rows=3),
    ]


def page(request: Request) -> Response:
    """Answer the page of one experiment."""
    return _page(request)


async def act(request: Request) -> Response:
    """Register, decide or withdraw."""
    form = await request.form()
    sent = {name: str(value) for name, value in form.items()}
    return await run_in_threadpool(_act, request, sent)


def _act(request: Request, sent: dict[str, str]) -> Response:
    row = found(request)
    who = must_act(request, row)
    town = town_of(request)
    try:
        match sent.get("action", "decide"):
            case "register":
                planned = plan(town.store, row.values, town.clock())
                register(town.store, row, who, mde=planned.mde, power=planned.power)
            case "withdraw":
                life.withdraw(town.store, row, who, sent.get("reason", ""))
            case _:
                if not sent.get("reason", "").strip():
                    raise Problem(
                        Text("Dites pourquoi : le motif est publié.", "Say why: the reason is published."), place="reason"
                    )  # fmt: skip
                life.decide(town.store, tools_of(town), row, who, sent.get("decision", ""), sent["reason"])
    except Problem as problem:
        if problem.status in (401, 403, 404):
            raise
        return _page(request, problem.status, refused(request, problem))
    return RedirectResponse(_address(row), 303)


def registration(request: Request) -> Response:
    """Answer the frozen registration, byte for byte what was hashed."""
    row = found(request)
    if not row.values["registration"]:
        raise NotFound(Text("Elle n'est pas encore inscrite.", "It is not registered yet."))
    headers = {"X-Content-SHA256": row.values["registration_sha256"]}
    return Response(canonical(row.values["registration"]), media_type="application/json", headers=headers)


def impact(request: Request) -> Response:
    """Answer the experiment's figures in the national schema."""
    row, town = found(request), town_of(request)
    told = impact_rows(row.values, finding_of(row.values["finding"]), town.name, insee_of(row))
    headers = {"Content-Disposition": f'attachment; filename="impact-{row.values["code"]}.csv"'}
    return Response(impact_csv(told), media_type="text/csv; charset=utf-8", headers=headers)


def data(request: Request) -> Response:
    """Answer the experiment's data: the file kept when it stopped, else what there is now."""
    row, town = found(request), town_of(request)
    if row.values["data_file"]:
        body, media = town.store.files.read(row.values["data_file"])
    else:
        media = "application/zip"
        body = data_file(town.store, row.values, finding_of(row.values["finding"]), town.name, insee_of(row))
    headers = {"Content-Disposition": f'attachment; filename="{row.values["code"]}.zip"'}
    return Response(body, media_type=media, headers=headers)


def study(request: Request) -> Response:
    """Answer the study as JSON."""
    import json  # noqa: PLC0415

    finding = _concluded(request, found(request))
    body = json.dumps(finding.report(language_of(request)), ensure_ascii=False)
    return Response(body, media_type="application/json")


def _concluded(request: Request, row: Row) -> Finding:
    finding = studied(request, row, request.query_params.get("methode", ""))
    if finding is None:
        raise NotFound(
            Text("L'étude n'est pas conclue : elle l'est à la fin.", "The study is not concluded: it is at the end.")
        )  # fmt: skip
    return finding


def deliberation(request: Request) -> Response:
    """Answer the draft deliberation: the PDF that was written at the end, or one made now."""
    row, town = found(request), town_of(request)
    finding = _concluded(request, row)
    kept = row.values["deliberation"]
    if kept and language_of(request) == "fr":
        body, media = town.store.files.read(kept)
    else:
        body, media = deliberation_pdf(request, row, finding), "application/pdf"
    name = f'inline; filename="deliberation-{row.values["code"]}.pdf"'
    return Response(body, media_type=media, headers={"Content-Disposition": name})


_BASE = "/preuve/experimentations/{code}"
ROUTES: list[BaseRoute] = [
    Route(_BASE, page, methods=["GET"]),
    Route(_BASE, act, methods=["POST"]),
    Route(_BASE + "/inscription.json", registration, methods=["GET"]),
    Route(_BASE + "/impact.csv", impact, methods=["GET"]),
    Route(_BASE + "/etude.json", study, methods=["GET"]),
    Route(_BASE + "/donnees.zip", data, methods=["GET"]),
    Route(_BASE + "/deliberation.pdf", deliberation, methods=["GET"]),
]
