"""`/preuve/experimentations/nouvelle`: prepare an experiment, and change it until it is registered."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.evaluation.experiments.collections import EXPERIMENT
from beffroi.model.problem import Conflict, Problem
from beffroi.model.text import Text
from beffroi.store.record import Row
from beffroi.web.kit.form import Input, input_of
from beffroi.web.kit.page import language_of, principal_of, render, translate
from beffroi.web.site.administration.desk import refused
from beffroi.web.site.catalogue import Series, name_in, series_of
from beffroi.web.site.data.desk import territory_names
from beffroi.web.site.experiments.shown import found, may_act, must_act, town_of
from beffroi.web.site.watch.naming import name_of

__all__ = ["ROUTES"]

_ASKED = (
    "title", "title_en", "question", "question_en", "owner", "budget_eur", "better", "expected_percent", "step", "measure", "first_day", "starts_on", "ends_on",
    "grace_days", "method",
)  # fmt: skip
_ROLES = ("treated", "controls", "covariates", "intake")
_LONGEST = 4_000


def _inputs(request: Request) -> list[Input]:
    _, language = translate(request), language_of(request)
    inputs = []
    for name in _ASKED:
        field = EXPERIMENT.field(name)
        assert field is not None
        made = input_of(field, language)
        # what has a default is always answered
        inputs.append(msgspec.structs.replace(made, required=field.required or field.default is not None))
    services = tuple((s.name, s.title.of(language)) for s in town_of(request).registry.services.values())
    inputs.insert(2, Input("service", _("Service"), "select", options=(("", "–"), *services)))
    places = tuple((c, n) for c, n in territory_names(request).items() if principal_of(request).covers(c))
    if places:
        inputs.insert(3, Input("territory", _("Commune"), "select", required=True, options=places))
    return inputs


def _kinds(request: Request, series: list[Series]) -> list[tuple[str, str, int]]:
    """Return the kinds of series that can be measured: code, words, how many."""
    town, language = town_of(request), language_of(request)
    counted: dict[str, int] = {}
    for one in series:
        counted[one.kind] = counted.get(one.kind, 0) + 1
    found_kinds = [
        (code, kind.title.of(language), n)
        for code, n in counted.items()
        if (kind := town.registry.datastream_kind(code)) is not None
    ]
    return sorted(found_kinds, key=lambda k: k[1])


def _page(
    request: Request, row: Row | None, sent: Mapping[str, Any] | None = None, errors: dict[str, str] | None = None, status: int = 200
) -> Response:  # fmt: skip
    must_act(request, row)
    town = town_of(request)
    every = [
        s for s in series_of(town, principal_of(request), language=language_of(request)) if not s.components
    ]
    kind = request.query_params.get("mesure", "") or (sent or {}).get("kind", "")
    if row is not None and not kind:
        kind = next((s.kind for s in every if s.id in row.values["treated"]), "")
    chosen = _chosen(row, sent)
    language = language_of(request)
    shown = [s for s in every if s.kind == kind or s.id in chosen]
    values = dict(sent) if sent is not None else _values(row, language)
    return render(
        request, "experiments/form.html", status, row=row, inputs=_inputs(request), values=values, errors=errors or {},
        kinds=_kinds(request, every), kind=kind, series=sorted(shown, key=lambda s: (s.kind, s.name)), chosen=chosen,
        rules=[(r.id, name_of(town, r, language), r.id in _rules(row, sent)) for r in town.store.records.all("rule")],
    )  # fmt: skip


def _chosen(row: Row | None, sent: Mapping[str, Any] | None) -> dict[int, str]:
    if sent is not None:
        return {int(k[1:]): v for k, v in sent.items() if re.fullmatch(r"s\d+", k) and v}
    if row is None:
        return {}
    roles: dict[int, str] = {}
    for role in ("covariates", "controls", "treated"):
        roles |= dict.fromkeys(row.values[role] or (), role)
    return roles


def _rules(row: Row | None, sent: Mapping[str, Any] | None) -> set[int]:
    if sent is not None:
        return {int(k[1:]) for k in sent if re.fullmatch(r"r\d+", k)}
    return set() if row is None else set(row.values["rules"] or ())


def _values(row: Row | None, language: str) -> dict[str, Any]:
    if row is None:
        return {"better": "lower", "step": "week", "measure": "sum", "grace_days": "14", "method": "did"}
    values = {n: row.values[n] for n in (*_ASKED, "service")}
    for name, value in values.items():
        if isinstance(value, date):
            values[name] = value.isoformat()
        elif isinstance(value, float):
            text = f"{value:.15g}"
            values[name] = text.replace(".", ",") if language == "fr" else text
    return {**values, "territory": row.territory or ""}


def code_of(title: str) -> str:
    """Return an identifier made from a title: `led-rue-haute`."""
    bare = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:60]


def _read(request: Request, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the record's values that a form says. Raises `Problem` at the field."""
    values: dict[str, Any] = {"service": sent.get("service") or None}
    for name in _ASKED:
        field = EXPERIMENT.field(name)
        assert field is not None
        values[name] = _value(field.kind, name, sent.get(name, "").strip(), required=field.required)
    chosen = _chosen(None, sent)
    known = {s.id: s for s in series_of(town_of(request), principal_of(request))}
    chosen = {i: role for i, role in chosen.items() if i in known and role in _ROLES}
    for role in ("treated", "controls", "covariates"):
        values[role] = sorted(i for i, r in chosen.items() if r == role)
    values["intake"] = sorted(i for i in chosen if sent.get(f"o{i}"))
    values["rules"] = sorted(_rules(None, sent))
    if not values["treated"]:
        raise Problem(
            Text("Choisissez au moins une série traitée.", "Choose at least one treated series."),
            Text("Dans le tableau des séries, dites « traitée ».", "In the table of series say 'treated'."), "series",
        )  # fmt: skip
    first = known[values["treated"][0]]
    measured = first.observed or first.name
    english = name_in(town_of(request), first.kind, measured, "en")
    values |= {
        "indicator": measured,
        "indicator_en": None if english == measured else english,
        "unit": first.unit or "1",
    }
    _order(values)
    return values


def _order(values: Mapping[str, Any]) -> None:
    if not values["first_day"] < values["starts_on"] < values["ends_on"]:
        raise Problem(
            Text("Les dates ne se suivent pas.", "The dates do not follow one another."),
            Text("Données depuis, puis début, puis fin.", "Data since, then start, then end."), "starts_on",
        )  # fmt: skip


def _value(kind: str, name: str, text: str, *, required: bool) -> Any:
    if not text:
        if required:
            raise Problem(Text("Il manque une réponse.", "An answer is missing."), place=name)
        return None
    try:
        match kind:
            case "number":
                return float(text.replace(",", ".").replace("\u202f", "").replace(" ", ""))
            case "integer":
                return int(text)
            case "date":
                return date.fromisoformat(text)
    except ValueError:
        raise Problem(
            Text(f"« {text[:40]} » ne convient pas.", f"'{text[:40]}' will not do."),
            Text("Écrivez un nombre, ou une date comme 2026-05-31.", "Write a number, or a date such as 2026-05-31."), name,
        ) from None  # fmt: skip
    return text[:_LONGEST]


def new_page(request: Request) -> Response:
    """Show an empty form."""
    return _page(request, None)


def edit_page(request: Request) -> Response:
    """Show a draft's form."""
    return _page(request, _draft(request))


def _draft(request: Request) -> Row:
    row = found(request)
    if row.values["state"] != "draft":
        raise Conflict(
            Text("Une fois inscrite, une expérimentation ne change plus.", "Once registered an experiment changes no more."),
            Text("Retirez-la avant son début, et inscrivez-en une autre.", "Withdraw it before its start, and register another."),
        )  # fmt: skip
    return row


async def save(request: Request) -> Response:
    """Keep a draft."""
    form = await request.form()
    return await run_in_threadpool(_save, request, {name: str(value) for name, value in form.items()})


def _save(request: Request, sent: dict[str, str]) -> Response:
    row = _draft(request) if "code" in request.path_params else None
    who = must_act(request, row)
    records = town_of(request).store.records
    try:
        values = _read(request, sent)
        territory = sent.get("territory") or (row.territory if row else None)
        if territory is not None and not may_act(request) and not who.covers(territory):
            raise Problem(
                Text("Ce territoire n'est pas le vôtre.", "This territory is not yours."), place="territory"
            )
        if row is None:
            values["code"] = _free_code(request, code_of(values["title"]))
            row = records.put(
                "experiment", values, territory=territory, who=who, reason="Nouvelle expérimentation"
            )
        else:
            row = records.put(
                "experiment", values, id=row.id, territory=territory, who=who, reason="Préparation"
            )
    except Problem as problem:
        if problem.status in (401, 403):
            raise
        return _page(request, row, sent, refused(request, problem), problem.status)
    return RedirectResponse(f"/preuve/experimentations/{row.values['code']}", 303)


def _free_code(request: Request, wanted: str) -> str:
    """Return an identifier that no other experiment has, whatever its territory: it is an address."""
    taken = {r.values["code"] for r in town_of(request).store.records.all("experiment")} | {"nouvelle"}
    base = wanted if len(wanted) > 1 else "essai"
    return next(c for n in range(1, 10_000) if (c := base if n == 1 else f"{base[:55]}-{n}") not in taken)


ROUTES: list[BaseRoute] = [
    Route("/preuve/experimentations/nouvelle", new_page, methods=["GET"]),
    Route("/preuve/experimentations/nouvelle", save, methods=["POST"]),
    Route("/preuve/experimentations/{code}/preparer", edit_page, methods=["GET"]),
    Route("/preuve/experimentations/{code}/preparer", save, methods=["POST"]),
]
