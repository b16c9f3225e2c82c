"""`/preuve/modeles/…/modifier`: the editor of a business case, one small form at a time, every save a version."""

from collections.abc import Callable, Mapping
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.evaluation.case.collections import CASE
from beffroi.evaluation.case.editing import normal
from beffroi.evaluation.case.parameters import SETS, parameter_set
from beffroi.evaluation.case.reading import line_of, read_case, read_text
from beffroi.evaluation.case.whole import computed
from beffroi.model.instant import to_datetime
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.standards.yaml_text import write_yaml
from beffroi.store.record import Row
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, principal_of, render, translate
from beffroi.web.site.administration.desk import entry
from beffroi.web.site.proof.case_page import opened
from beffroi.web.site.proof.case_parts import PARTS, Part, measured_by
from beffroi.web.site.proof.case_words import Words
from beffroi.web.site.proof.cases import desk_of, loop_of, town_of
from beffroi.web.site.proof.sections import tabs_of

__all__ = ["ROUTES"]

Sent = Mapping[str, str]
EMPTY: dict[str, Any] = {"title": "", "parameters": SETS[0], "years": 10, "hypotheses": {}, "lines": []}


def _row(request: Request) -> Row:
    """Return the record that the address names, which the reader may change. Raises `Problem`."""
    row = opened(request).row
    desk = desk_of(request)
    if not desk.writable(CASE, row.territory):
        # the refusal that writing would give, said before anyone types
        desk.put(CASE.name, {}, id=row.id)
    return row


def _document(row: Row) -> dict[str, Any]:
    return dict(row.values.get("document") or {})


def _keep(request: Request, row: Row, document: dict[str, Any], reason: str, **fields: Any) -> Response:
    """Keep a document as a new version and go back to the editor."""
    values = {
        "document": document,
        "title": french_of(document.get("title")),
        "title_en": english_of(document.get("title")) or None,
        "service": str(document.get("service", "")),
        **fields,
    }
    desk_of(request).put(CASE.name, values, id=row.id, version=row.version, reason=reason)
    return RedirectResponse(f"/preuve/modeles/{row.id}/modifier?fait", 303)


def french_of(value: Any) -> str:
    """Return the French of a title."""
    return str(value.get("fr", "")) if isinstance(value, Mapping) else str(value or "")


def english_of(value: Any) -> str:
    """Return the English of a title, "" when it has none."""
    return str(value.get("en") or "") if isinstance(value, Mapping) else ""


def _refused(request: Request, problem: Problem, pointer: str, fields: set[str]) -> dict[str, str]:
    """Return the errors of a form: at the field that the refusal is about, else about the whole form."""
    if problem.status in (401, 403, 503):
        raise problem
    language = language_of(request)
    said = " ".join(part for part in (problem.reason.of(language), problem.mend.of(language)) if part)
    field = (
        problem.place.removeprefix(f"{pointer}/").partition("/")[0]
        if problem.place.startswith(f"{pointer}/")
        else ""
    )
    field = {"from": "by", "years": "first", "name": "title"}.get(field, field)
    if field in fields:
        return {field: said}
    return {
        "": said if not problem.place or problem.place.startswith(pointer) else f"{said} ({problem.place})"
    }


# --- the whole case
def _settings_inputs(request: Request) -> list[Input]:
    _, language = translate(request), language_of(request)
    services = tuple((s.name, s.title.of(language)) for s in town_of(request).registry.services.values())
    sets = tuple((name, parameter_set(name).title.of(language)) for name in SETS)
    return [
        Input("title", _("Titre"), required=True), Input("summary", _("En deux phrases"), "textarea", rows=3, hint=_("Ce que le service fait, pour qui.")),
        Input("service", _("Service"), "select", options=(("", "–"), *services)), Input("start", _("Première année"), "number", required=True, minimum=1900, maximum=2200),
        Input("years", _("Durée"), "number", unit=_("ans"), required=True, minimum=1, maximum=200),
        Input("parameters", _("Valeurs officielles"), "select", options=sets, required=True, hint=_("Taux d'actualisation, prix du carbone, coût des fonds publics.")),
        Input("price_year", _("Montants en euros de"), "number", minimum=1900, maximum=2200, hint=_("L'année des prix, par exemple 2023.")),
        Input("tax", _("Montants"), "select", options=(("HT", _("hors taxes")), ("TTC", _("toutes taxes comprises"))), required=True),
        Input("published", _("Publier : les habitants voient la page"), "checkbox"),
    ]  # fmt: skip


def _settings_values(document: Mapping[str, Any], row: Row | None) -> dict[str, str]:
    prices = document.get("prices") or {}
    chosen = str(document.get("parameters", SETS[0]))
    base = parameter_set(chosen if chosen in SETS else SETS[0]).price_year
    return {
        "title": french_of(document.get("title")), "summary": french_of(document.get("summary")), "service": str(document.get("service", "")),
        "start": str(document.get("start", "")), "years": str(document.get("years", "")), "parameters": chosen, "price_year": str(prices.get("year", base)),
        "tax": str(prices.get("tax", "HT")), "published": "1" if row is not None and row.values.get("published") else "",
    }  # fmt: skip


def _titled(language: str) -> Callable[[Any], str]:
    """Return what says a title of the document in a language."""
    return french_of if language == "fr" else lambda value: english_of(value) or french_of(value)


def _settled(document: Mapping[str, Any], sent: Sent) -> dict[str, Any]:
    """Return the document with what the form of the whole case says."""

    def title(name: str) -> Any:
        before = document.get(name)
        return (
            before
            if isinstance(before, Mapping) and before.get("fr") == sent.get(name, "").strip()
            else sent.get(name, "").strip()
        )

    def whole(name: str) -> Any:
        text = sent.get(name, "").strip()
        return int(text) if text.isdigit() else text

    prices = {**(document.get("prices") or {}), "tax": sent.get("tax") or "HT"}
    if sent.get("price_year", "").strip():
        prices["year"] = whole("price_year")
    found = {
        **document, "title": title("title"), "summary": title("summary"), "service": sent.get("service", ""), "start": whole("start"), "years": whole("years"),
        "parameters": sent.get("parameters") or SETS[0], "prices": prices,
    }  # fmt: skip
    if not found["summary"]:
        found.pop("summary")
    return found


def _editor(
    request: Request, values: Sent | None = None, errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    row = _row(request)
    document = normal(_document(row))
    words, problem = None, None
    try:
        known = computed(document)
        words = Words(request, known, loop_of(town_of(request), principal_of(request), known))
    except Problem as found:
        problem = found
    last = desk_of(request).history(CASE.name, row.id)[:1] if "fait" in request.query_params else []
    return render(
        request, "proof/case_editor.html", status, {"Cache-Control": "no-store"}, row=row, document=document, w=words, problem=problem, inputs=_settings_inputs(request),
        values=values or _settings_values(document, row), errors=errors or {}, tabs=tabs_of(request), done=last[0] if last else None, titled=_titled(language_of(request)),
        measured_by=measured_by(request, town_of(request).registry),
        contracts=[c for c in (document.get("contracts") or []) if isinstance(c, Mapping)],
    )  # fmt: skip


@entry(admin=False)
async def editor(request: Request) -> Response:
    """Show the editor of a case."""
    return await to_thread.run_sync(_editor, request)


@entry(admin=False)
async def settle(request: Request) -> Response:
    """Keep what the form of the whole case says, or delete the case."""
    return await to_thread.run_sync(_settle, request, await _sent(request))


async def _sent(request: Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.form()).items()}


def _settle(request: Request, sent: Sent) -> Response:
    row = _row(request)
    if sent.get("action") == "supprimer":
        desk_of(request).delete(CASE.name, row.id, reason="Modèle supprimé")
        return RedirectResponse("/preuve/modeles", 303)
    document = _settled(_document(row), sent)
    try:
        if document.get("lines"):
            read_case(document)
        return _keep(request, row, document, "Réglages du modèle", published=bool(sent.get("published")))
    except Problem as problem:
        place = problem.place.replace("/prices/year", "/price_year").replace("/prices/tax", "/tax")
        moved = Problem(problem.reason, problem.mend, place, problem.status)
        return _editor(
            request,
            sent,
            _refused(request, moved, "", {i.name for i in _settings_inputs(request)}),
            problem.status,
        )


# --- one part
def _part(request: Request) -> tuple[Part, str]:
    part = PARTS.get(request.path_params["part"])
    if part is None:
        raise NotFound(Text("Il n'y a rien à cette adresse.", "There is nothing at this address."))
    return part, str(request.path_params.get("key", ""))


def _part_page(
    request: Request, values: Sent | None = None, errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    row, (part, key) = _row(request), _part(request)
    document = _document(row)
    shown = values if values is not None else part.values(document, key)
    return render(
        request, "proof/case_part.html", status, {"Cache-Control": "no-store"}, row=row, part=part, key=key, inputs=part.inputs(request, document, town_of(request).registry),
        values=shown, errors=errors or {}, tabs=tabs_of(request),
    )  # fmt: skip


@entry(admin=False)
async def part_page(request: Request) -> Response:
    """Show the form of one hypothesis, line or contract."""
    return await to_thread.run_sync(_part_page, request)


@entry(admin=False)
async def change_part(request: Request) -> Response:
    """Keep one hypothesis, line or contract, or take it away."""
    return await to_thread.run_sync(_change_part, request, await _sent(request))


def _change_part(request: Request, sent: Sent) -> Response:
    row, (part, key) = _row(request), _part(request)
    document = _document(row)
    if key:
        part.values(document, key)  # a part that is gone is told so
    try:
        if sent.get("action") == "supprimer":
            changed, name = part.drop(document, key), key
        else:
            changed, name = part.write(document, key, sent)
        if changed["lines"]:
            read_case(changed)
        return _keep(
            request, row, changed, f"{part.title.fr} : {sent.get('title') or sent.get('form') or name}"[:200]
        )
    except Problem as problem:
        place = part.pointer(key or _new_key(part, document, sent))
        fields = {i.name for i in part.inputs(request, document, town_of(request).registry)}
        return _part_page(request, sent, _refused(request, problem, place, fields), problem.status)


def _new_key(part: Part, document: Mapping[str, Any], sent: Sent) -> str:
    return part.write(document, "", sent)[1]


# --- as text, and new
def _text_page(
    request: Request, text: str | None = None, errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    _ = translate(request)
    row = _row(request)
    inputs = [
        Input(
            "yaml",
            _("Texte du modèle (YAML)"),
            "textarea",
            rows=30,
            required=True,
            hint=_("Tout le modèle, contrats et produits compris."),
        )
    ]
    values = {"yaml": write_yaml(_document(row)) if text is None else text}
    return render(
        request,
        "proof/case_text.html",
        status,
        {"Cache-Control": "no-store"},
        row=row,
        inputs=inputs,
        values=values,
        errors=errors or {},
        tabs=tabs_of(request),
    )


@entry(admin=False)
async def text_page(request: Request) -> Response:
    """Show the whole document as text."""
    return await to_thread.run_sync(_text_page, request)


@entry(admin=False)
async def change_text(request: Request) -> Response:
    """Keep the whole document."""
    return await to_thread.run_sync(_change_text, request, await _sent(request))


def _change_text(request: Request, sent: Sent) -> Response:
    row, text = _row(request), sent.get("yaml", "")
    try:
        document = read_text(text)
        read_case(document)
    except Problem as problem:
        language = language_of(request)
        line = line_of(text, problem.place) if problem.place.startswith("/") else None
        where = f"{problem.place}, {translate(request)('ligne {n}', n=line)}" if line else problem.place
        said = " ".join(
            p
            for p in (problem.reason.of(language), f"({where})" if where else "", problem.mend.of(language))
            if p
        )
        return _text_page(request, text, {"yaml": said}, problem.status)
    return _keep(request, row, document, "Texte du modèle")


def _proposed(request: Request) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the documents that services propose: key, words, document."""
    language = language_of(request)
    found = []
    for service in town_of(request).registry.services.values():
        for n, document in enumerate(service.evaluation.cases if service.evaluation else ()):
            title = document["title"]
            words = title.get(language) or title["fr"] if isinstance(title, Mapping) else str(title)
            found.append((f"{service.name}:{n}", words, dict(document)))
    return found


def _new_page(
    request: Request, values: Sent | None = None, errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    _ = translate(request)
    desk = desk_of(request)
    if not desk.writable(CASE, None if not desk.who.territories else desk.who.territories[0]):
        desk.put(CASE.name, {"title": "", "service": "", "document": {}})  # refuses, in the words of rights
    proposed = _proposed(request)
    inputs = [
        Input("from", _("Commencer par"), "select", required=True, options=(*((key, words) for key, words, _d in proposed), ("", _("une page blanche")))),
        Input("title", _("Titre"), hint=_("Vide : celui du modèle proposé.")),
    ]  # fmt: skip
    wanted = request.query_params.get("service", "")
    first = next(
        (key for key, _w, _d in proposed if key.startswith(f"{wanted}:")),
        proposed[0][0] if proposed and not wanted else "",
    )
    return render(
        request,
        "proof/case_new.html",
        status,
        {"Cache-Control": "no-store"},
        inputs=inputs,
        values=values or {"from": first},
        errors=errors or {},
        tabs=tabs_of(request),
    )


@entry(admin=False)
async def new_page(request: Request) -> Response:
    """Show how a case can begin."""
    return await to_thread.run_sync(_new_page, request)


@entry(admin=False)
async def create(request: Request) -> Response:
    """Make a case from what a service proposes, or from nothing."""
    return await to_thread.run_sync(_create, request, await _sent(request))


def _create(request: Request, sent: Sent) -> Response:
    known = {key: document for key, _words, document in _proposed(request)}
    document = known.get(sent.get("from", ""), {**EMPTY, "start": to_datetime(town_of(request).clock()).year})
    title = sent.get("title", "").strip()
    if title:
        document = {**document, "title": title}
    if not french_of(document.get("title")):
        _ = translate(request)
        return _new_page(request, sent, {"title": _("Donnez un titre à cette page blanche.")}, 400)
    desk = desk_of(request)
    row = desk.put(
        CASE.name,
        {
            "title": french_of(document["title"]),
            "title_en": english_of(document["title"]) or None,
            "service": str(document.get("service", "")),
            "published": False,
            "document": document,
        },
        reason="Nouveau modèle",
    )
    return RedirectResponse(f"/preuve/modeles/{row.id}/modifier", 303)


def _both(path: str, get: Any, post: Any) -> list[BaseRoute]:
    return [Route(path, get, methods=["GET"]), Route(path, post, methods=["POST"])]


ROUTES: list[BaseRoute] = [
    *_both("/preuve/modeles/nouveau", new_page, create),
    *_both("/preuve/modeles/{id:int}/modifier", editor, settle),
    *_both("/preuve/modeles/{id:int}/texte", text_page, change_text),
    *_both("/preuve/modeles/{id:int}/partie/{part}", part_page, change_part),
    *_both("/preuve/modeles/{id:int}/partie/{part}/{key}", part_page, change_part),
]
