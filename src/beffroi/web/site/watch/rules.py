"""`/regles`: rules in words, tried on the past before they are switched on."""

from typing import Any
from urllib.parse import quote

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from beffroi.identity import territories
from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Problem
from beffroi.model.text import Text
from beffroi.rules import alarms, rulebook
from beffroi.rules.actions import webhook_secret
from beffroi.rules.backtest import Backtest
from beffroi.rules.reading import read_rule
from beffroi.rules.rule import Rule
from beffroi.rules.scope import scope_of_text
from beffroi.rules.trial import try_rule
from beffroi.rules.watching import Series, read_series
from beffroi.store.record import Query, Where
from beffroi.store.record import Row as Record
from beffroi.town import Town
from beffroi.web.kit.page import figures_of, language_of, principal_of, render, translate
from beffroi.web.kit.table import Cell, Column, Row
from beffroi.web.site.catalogue import name_in
from beffroi.web.site.data.desk import author_names
from beffroi.web.site.watch import rule_form
from beffroi.web.site.watch.alarms import alarm_line, columns_of, state_words
from beffroi.web.site.watch.naming import name_of

__all__ = ["ROUTES"]

YEAR_US = 365 * DAY_US
MONTH_US = 30 * DAY_US
WEEK_US = 7 * DAY_US
MOST_TRIED = 100_000  # observations: about a second
MOST_SERIES = 400
SHOWN = 10
LARGEST = 100_000


class Suggestion(msgspec.Struct, frozen=True):
    """A rule that a service proposes."""

    title: str
    sentence: str
    href: str


class Draft(msgspec.Struct):
    """A rule being written: its YAML, what it says, what it would have done, what is wrong with it."""

    text: str
    sentence: str = ""
    trial: Backtest | None = None
    untried: str = ""
    errors: dict[str, str] = {}


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def _reader(request: Request) -> Principal | None:
    """Return who reads, None for one who must sign in first. Raises `Forbidden` for those who may not."""
    who = principal_of(request)
    if who.id == "anonymous":
        return None
    if not (who.staff or who.role == "elu"):
        raise Forbidden(
            Text("Les règles sont pour les agents et les élus.", "Rules are for staff and elected officials.")
        )
    return who


def _sign_in(request: Request) -> Response:
    return RedirectResponse(f"/connexion?suite={quote(request.url.path)}", 303)


def _author(who: Principal) -> bool:
    return who.role in ("responsable", "admin")


def _told(request: Request, problem: Problem) -> str:
    language = language_of(request)
    parts = (
        problem.reason.of(language),
        problem.mend.of(language),
        f"({problem.place})" if problem.place else "",
    )
    return " ".join(part for part in parts if part)


# --- the list


def index(request: Request) -> Response:
    """Answer the rules, in words, with how often they rang."""
    who = _reader(request)
    if who is None:
        return _sign_in(request)
    town, _ = _town(request), translate(request)
    columns = [Column("name", _("Règle")), Column("severity", _("Gravité"), "severity"), Column("on", _("État")),
               Column("open", _("Alarmes ouvertes"), "number"), Column("month", _("En 30 jours"), "number")]  # fmt: skip
    rules = rulebook.rules(town.store)
    since = {"raised_at": Where(">=", town.clock() - MONTH_US)}
    open_ = town.store.records.tally("alarm", "rule", Query(where={"state": list(alarms.OPEN)}))
    month = town.store.records.tally("alarm", "rule", Query(where=since))
    titles, language = town.registry.titles(), language_of(request)
    with town.store.read() as c:
        known = read_series(c)
    rows = [
        Row({"name": Cell(name_of(town, row, language), f"/regles/{row.id}", note=rulebook.said(town.store, row, titles, known).of(language)),
             "severity": row.values["severity"], "on": _("en service") if row.values["enabled"] else _("arrêtée"),
             "open": open_.get(row.id, 0), "month": month.get(row.id, 0)})
        for row in rules
    ]  # fmt: skip
    running = sum(1 for row in rules if row.values["enabled"])
    return render(request, "watch/rules.html", columns=columns, rows=rows, running=running, author=_author(who),
                  suggestions=_suggestions(request, {row.values["name"] for row in rules}) if _author(who) else [])  # fmt: skip


def _suggestions(request: Request, known: set[str]) -> list[Suggestion]:
    town, language, found = _town(request), language_of(request), []
    for service in town.registry.services.values():
        for template in service.rules:
            try:
                rule = read_rule(template.yaml)
            except Problem:
                continue
            if rule.name not in known:
                words = rulebook.in_words(town.store, rule, town.registry.titles()).of(language)
                found.append(
                    Suggestion(
                        template.title.of(language),
                        words,
                        f"/regles/nouvelle?modele={service.name}.{template.name}",
                    )
                )
    return found


# --- writing one


async def new(request: Request) -> Response:
    """Answer the form of a new rule, empty, filled from a service's proposal, or about one series."""
    who = _reader(request)
    if who is None:
        return _sign_in(request)
    rulebook.require_author(who)
    model, series = request.query_params.get("modele", ""), request.query_params.get("serie", "")
    draft = None
    if model:
        draft = await run_in_threadpool(_draft, request, _model(_town(request), model))
    values = {"watch": f"datastream:{series}"} if series.isdigit() and len(series) < 16 else {}
    return await run_in_threadpool(_form, request, values, draft)


def _model(town: Town, wanted: str) -> str:
    service, _, name = wanted.partition(".")
    found = town.registry.services.get(service)
    return next((t.written for t in (found.rules if found else ()) if t.name == name), "")


async def write(request: Request) -> Response:
    """Try what the form or its YAML says, or keep it, or keep it and switch it on."""
    who = principal_of(request)
    rulebook.require_author(who)
    form = {k: str(v) for k, v in (await request.form()).items()}
    return await run_in_threadpool(_write, request, who, form)


def _write(request: Request, who: Principal, form: dict[str, str]) -> Response:
    town, do = _town(request), form.get("do", "try")
    if "yaml" in form:
        text = form["yaml"].replace("\r\n", "\n")
    else:
        try:
            text = rule_form.yaml_of(form)
        except Problem as problem:
            return _form(
                request, form, Draft("", errors={problem.place: problem.reason.of(language_of(request))})
            )
    draft = _draft(request, text)
    if draft.errors or do == "try":
        if "yaml" in form and draft.errors:
            draft.errors = {"yaml": next(iter(draft.errors.values()))}
        return _form(request, form, draft)
    row = rulebook.add(town.store, text, who, enabled=do == "enable")
    return RedirectResponse(f"/regles/{row.id}", 303)


def _draft(request: Request, text: str) -> Draft:
    """Read a rule, say it in words, and try it on the last year."""
    town, language = _town(request), language_of(request)
    try:
        rule = read_rule(text)
        rulebook.check(town.store, rule)
    except Problem as problem:
        return Draft(text, errors={rule_form.field_of(problem): _told(request, problem)})
    draft = Draft(text, rulebook.in_words(town.store, rule, town.registry.titles()).of(language))
    _try(request, rule, draft)
    return draft


def _try(request: Request, rule: Rule, draft: Draft) -> None:
    """Try a rule on the last year, or on the last days that hold as much as a page can judge while one waits."""
    town = _town(request)
    with town.store.read() as c:
        numbers = rulebook.numbers_of(rule, read_series(c))
    stats = [stat for stat in town.store.observations.stats(numbers).values() if stat.last_us is not None]
    last = max((stat.last_us or 0 for stat in stats), default=town.clock())
    a_day = sum(stat.count * DAY_US / max(DAY_US, last - (stat.first_us or last)) for stat in stats)
    span = min(YEAR_US, max(WEEK_US, int(MOST_TRIED / max(a_day, 1.0)) * DAY_US))
    try:
        draft.trial = try_rule(town.store, rule, last - span, last + 1)
    except Problem as problem:
        draft.untried = problem.reason.of(language_of(request))


def _form(request: Request, values: dict[str, str], draft: Draft | None) -> Response:
    town, _ = _town(request), translate(request)
    with town.store.read() as c:
        catalogue = read_series(c)
    series = _named(request, catalogue, values.get("watch", ""))
    known = {s.kind for s in catalogue.values() if s.kind}
    language = language_of(request)
    kinds = sorted(
        (code, _("toutes les séries : {kind}", kind=title.of(language)))
        for code, title in town.registry.titles().items()
        if code in known
    )
    status = 400 if draft is not None and draft.errors else 200
    return render(request, "watch/rule_form.html", status, groups=rule_form.groups_of(_, series, kinds), values=values,
                  draft=draft, errors=draft.errors if draft else {}, trial_rows=_trial_rows(request, draft), columns=_trial_columns(request))  # fmt: skip


def _named(request: Request, catalogue: dict[int, Series], chosen: str) -> list[tuple[str, str]]:
    """Return the series to choose from, by name; of very many, the first ones and the one chosen."""
    ordered = sorted(catalogue.values(), key=lambda s: (s.thing, s.name))
    kept = ordered[:MOST_SERIES] + [s for s in ordered[MOST_SERIES:] if chosen == f"datastream:{s.id}"]
    town, language, unit = _town(request), language_of(request), figures_of(request).unit_name

    def said(one: Series) -> str:
        thing, name = name_in(town, "", one.thing, language), name_in(town, one.kind, one.name, language)
        return f"{thing} – {name}" + (f" ({unit(one.unit)})" if one.unit else "")

    return [(str(s.id), said(s)) for s in kept]


def _trial_columns(request: Request) -> list[Column]:
    _ = translate(request)
    return [Column("start", _("Début"), "instant"), Column("end", _("Fin"), "instant"), Column("lasted", _("Durée")),
            Column("severity", _("Gravité"), "severity"), Column("peak", _("Extrême"), "number")]  # fmt: skip


def _trial_rows(request: Request, draft: Draft | None) -> list[Row]:
    if draft is None or draft.trial is None:
        return []
    figures = figures_of(request)
    return [
        Row({"start": a.start_us, "end": a.end_us, "severity": a.worst, "peak": a.peak,
             "lasted": None if a.end_us is None else figures.duration(a.end_us - a.start_us)})
        for a in reversed(draft.trial.alarms[-SHOWN:])
    ]  # fmt: skip


# --- one rule


def one(request: Request) -> Response:
    """Answer a rule: its sentence, its text, its trial on the past, its alarms and history."""
    who = _reader(request)
    return _sign_in(request) if who is None else _one(request, who)


def _one(request: Request, who: Principal, edited: Draft | None = None) -> Response:
    town = _town(request)
    row = town.store.records.get("rule", request.path_params["id"])
    draft = edited or _draft(request, row.values["yaml"])
    states = state_words(request)
    raised = alarms.query_of(alarms.Wish(rule=row.id), who, limit=10)
    changes = town.store.records.history("rule", row.id, limit=50)
    names = {"system": "Beffroi", **author_names(request, {change.author for change in changes})}
    status = 400 if draft.errors and edited else 200
    own = _author(who) and _own(town, row, who)
    return render(
        request, "watch/rule.html", status, name=name_of(town, row, language_of(request)), row=row, draft=draft, author=own, errors=draft.errors, trial_rows=_trial_rows(request, draft),
        trial_columns=_trial_columns(request), columns=columns_of(request, who), total=town.store.records.count("alarm", raised),
        rows=[alarm_line(request, alarm, states) for alarm in town.store.records.find("alarm", raised).rows],
        events=[(c.at_us, names.get(c.author, c.author), c.reason) for c in changes],
        webhooks=_webhooks(town, row) if own else [], **_ownership(town, row, who, own=own),
    )  # fmt: skip


def _own(town: Town, row: Record, who: Principal) -> bool:
    """True when a rule is about the communes of `who` only, or `who` has no limit."""
    scope = scope_of_text(town.store, row.values["yaml"])
    return not who.territories or bool(scope and scope <= set(who.territories))


def _ownership(town: Town, row: Record, who: Principal, *, own: bool) -> dict[str, Any]:
    """Return for which communes a rule can be copied by who reads it, and whether it is about others than theirs."""
    scope = scope_of_text(town.store, row.values["yaml"])
    able = _author(who) and bool(scope)  # a rule of the whole town holds everywhere already
    copies = [(code, name) for code, name in _communes(town, who) if able and code not in scope]
    return {"copies": copies, "others": _author(who) and not own}


def _webhooks(town: Town, row: Record) -> list[tuple[str, str]]:
    try:
        actions = read_rule(row.values["yaml"]).actions
    except Problem:
        return []
    urls = [str(action.options["webhook"]) for action in actions if action.kind == "webhook"]
    return [(url, webhook_secret(town.settings, url).decode()) for url in urls]


async def edit(request: Request) -> Response:
    """Try or keep a rule's edited text."""
    who = principal_of(request)
    rulebook.require_author(who)
    form = {k: str(v) for k, v in (await request.form()).items()}
    return await run_in_threadpool(_edit, request, who, form)


def _edit(request: Request, who: Principal, form: dict[str, str]) -> Response:
    number, text = request.path_params["id"], form.get("yaml", "").replace("\r\n", "\n")
    draft = _draft(request, text)
    if draft.errors or form.get("do") == "try":
        draft.errors = {"yaml": next(iter(draft.errors.values()))} if draft.errors else {}
        return _one(request, who, draft)
    version = form.get("version", "")
    rulebook.change(
        _town(request).store,
        number,
        text,
        who,
        int(version) if version.isdigit() and len(version) < 10 else None,
    )
    return RedirectResponse(f"/regles/{number}", 303)


def _switch(town: Town, number: int, who: Principal, do: str) -> str:
    if do == "delete":
        rulebook.delete(town.store, number, who)
        return "/regles"
    rulebook.switch(town.store, number, who, enabled=do == "enable")
    return f"/regles/{number}"


async def switch(request: Request) -> Response:
    """Switch a rule on or off, or remove it."""
    who: Any = principal_of(request)
    rulebook.require_author(who)
    do = str((await request.form()).get("do", ""))
    if do not in ("enable", "disable", "delete"):
        raise Problem(Text("Que faire de cette règle ?", "What is to be done with this rule?"), place="do")
    return RedirectResponse(
        await run_in_threadpool(_switch, _town(request), request.path_params["id"], who, do), 303
    )


async def copy(request: Request) -> Response:
    """Make a neighbour's rule one's own: the same watched in one's commune, to be read and switched on."""
    who = principal_of(request)
    rulebook.require_author(who)
    wanted = str((await request.form()).get("territory", ""))
    row = await run_in_threadpool(_copy, _town(request), request.path_params["id"], wanted, who)
    return RedirectResponse(f"/regles/{row.id}", 303)


def _copy(town: Town, number: int, wanted: str, who: Principal) -> Record:
    name = dict(_communes(town, who)).get(wanted)
    if name is None:
        raise Problem(Text("Choisissez une commune.", "Choose a commune."), place="territory")
    return rulebook.copy(town.store, number, wanted, name, who)


def _communes(town: Town, who: Principal) -> list[tuple[str, str]]:
    """Return the communes for which `who` may write rules."""
    return [
        (t.code, t.name) for t in territories.every(town.store) if t.kind == "commune" and who.covers(t.code)
    ]


ROUTES = [
    Route("/regles", index),
    Route("/regles/nouvelle", new),
    Route("/regles/nouvelle", write, methods=["POST"]),
    Route("/regles/{id:int}", one),
    Route("/regles/{id:int}", edit, methods=["POST"]),
    Route("/regles/{id:int}/etat", switch, methods=["POST"]),
    Route("/regles/{id:int}/copie", copy, methods=["POST"]),
]
