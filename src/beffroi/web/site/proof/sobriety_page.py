"""`/preuve/sobriete`: what each service consumes, what nobody reads, what could be done without and what that would lose."""

from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.evaluation.sobriety.footprint import factors
from beffroi.evaluation.sobriety.pages import ecoindex, grade
from beffroi.evaluation.sobriety.study import Economy, known_study, make_study
from beffroi.identity.rights import require_signed_in
from beffroi.model.instant import DAY_US
from beffroi.model.problem import Forbidden
from beffroi.model.text import Text
from beffroi.store.record import Query, Where
from beffroi.town import Town
from beffroi.web.kit.page import figures_of, language_of, principal_of, render, translate, words_of
from beffroi.web.kit.readers import SILENT_DAYS, Screen, screens
from beffroi.web.kit.table import Cell, Column, Row
from beffroi.web.site.proof import keeping
from beffroi.web.site.proof.cases import town_of
from beffroi.web.site.proof.consumption_words import interval
from beffroi.web.site.proof.sections import tabs_of
from beffroi.web.site.proof.spending import spent_by, usage_of
from beffroi.web.site.watch.naming import name_of

__all__ = ["ROUTES"]


def _services(request: Request) -> tuple[list[Column], list[Row]]:
    _, figures, town = translate(request), figures_of(request), town_of(request)
    known = usage_of(town)
    columns = [Column("service", _("Service")), Column("energy", _("Énergie")), Column("carbon", _("CO₂e")), Column("messages", _("Messages"), "number", decimals=0),
               Column("stored", _("Gardé")), Column("out", _("Envoyé")), Column("output", _("Pour un résultat utile"))]  # fmt: skip
    rows = []
    for service in town.registry.services.values():
        if service.name not in known:
            continue
        spent = spent_by(town, service, known[service.name], language_of(request))
        output = next(
            (
                f"{title}{_(' : ')}{interval(request, carbon, 'kgCO₂e')}"
                for title, _n, _e, carbon in spent.outputs
            ),
            "–",
        )
        rows.append(Row({
            "service": service.title.of(language_of(request)), "energy": interval(request, spent.account.energy, "kWh"), "carbon": interval(request, spent.account.carbon, "kgCO₂e"),
            "messages": spent.usage.messages, "stored": figures.size(spent.usage.bytes_stored), "out": figures.size(spent.usage.bytes_out), "output": output,
        }, f"/preuve/{service.name}#sobriete"))  # fmt: skip
    return columns, rows


def _unread(request: Request, found: list[Screen], since: int | None) -> dict[str, Any]:
    """Return what nobody read for ninety days: services, screens, and rules whose alarms nobody took in charge."""
    town, language = town_of(request), language_of(request)
    today = town.clock() // DAY_US
    counted = 0 if since is None else today - since
    late = today - SILENT_DAYS
    silent = [s for s in found if s.last_day is None or s.last_day < late]
    newest: dict[str, int] = {}
    for s in found:
        if s.last_day is not None:
            newest[s.service] = max(newest.get(s.service, 0), s.last_day)
    services = [s.title.of(language) for s in town.registry.services.values() if newest.get(s.name, 0) < late]
    return {
        "counted": counted,
        "enough": counted >= SILENT_DAYS,
        "screens": silent,
        "services": services,
        "rules": _unheard(town, language_of(request)),
    }


def _unheard(town: Town, language: str) -> list[tuple[str, int]]:
    """Return the rules that rang in ninety days without anyone taking an alarm in charge, with how often they rang."""
    since = town.clock() - SILENT_DAYS * DAY_US
    records = town.store.records
    rang = records.tally("alarm", "rule", Query(where={"raised_at": Where(">=", since)}))
    heard = records.tally(
        "alarm", "rule", Query(where={"raised_at": Where(">=", since), "acknowledged_at": Where("known")})
    )
    silent = {rule: n for rule, n in rang.items() if not heard.get(rule)}
    if not silent:
        return []
    names = {
        row.id: name_of(town, row, language)
        for row in records.all("rule", Query(where={"_id": list(silent)}))
    }
    return sorted(
        ((names.get(rule, f"n° {rule}"), n) for rule, n in silent.items()), key=lambda pair: -pair[1]
    )


def _pages(request: Request, found: list[Screen]) -> tuple[list[Column], list[Row]]:
    _, figures = translate(request), figures_of(request)
    columns = [Column("place", _("Page")), Column("score", _("Note"), "number", decimals=0), Column("weight", _("Poids")), Column("elements", _("Éléments"), "number", decimals=0),
               Column("requests", _("Requêtes"), "number", decimals=0), Column("readings", _("Lectures en 30 jours"), "number", decimals=0)]  # fmt: skip
    scored = sorted((ecoindex(s.elements, s.requests, s.weight), s.place, s) for s in found if s.weight)
    rows = [
        Row({"place": s.place, "score": Cell(figures.number(score, 0), note=grade(score)), "weight": figures.size(s.weight), "elements": s.elements,
             "requests": s.requests, "readings": s.readings})
        for score, _place, s in scored
    ]  # fmt: skip
    return columns, rows


def _economies(request: Request, found: tuple[Economy, ...]) -> list[dict[str, str]]:
    """Return each economy in words, beside what it would lose."""
    _, figures, town, language = (
        translate(request),
        figures_of(request),
        town_of(request),
        language_of(request),
    )
    rows = []
    for e in found:
        kind = town.registry.datastream_kind(e.kind)
        unit = kind.unit_symbol if kind else ""

        def said(value: float, unit: str = unit) -> str:
            return figures.quantity(float(f"{value:.2g}"), unit)

        total, plural = figures.number(e.alarms), words_of(request).plural
        late = plural(
            e.adaptive_missed,
            "{n} manquée sur {total}, {delay} de retard au plus",
            "{n} manquées sur {total}, {delay} de retard au plus",
            total=total,
            delay=figures.duration(e.adaptive_delay_us),
        )
        missed = plural(
            e.delta_missed, "{n} alarme manquée sur {total}", "{n} alarmes manquées sur {total}", total=total
        )
        blind = plural(
            e.sensors_missed,
            "{n} alarme manquée sur {total}",
            "{n} alarmes manquées sur {total}",
            total=figures.number(e.sensors_alarms),
        )
        lost = _("erreur {error}, {missed}", error=said(e.sensors_rmse), missed=blind)
        rows.append({
            "kind": kind.title.of(language) if kind else e.kind, "per_day": figures.number(e.per_day, 0), "points": f"÷ {figures.number(e.points, 1)}",
            "points_error": said(e.points_error), "delta": figures.quantity(100 * e.delta_saved, "%", 0), "delta_error": said(e.delta_error),
            "delta_lost": missed, "adaptive": figures.quantity(100 * e.adaptive_saved, "%", 0),
            "adaptive_error": said(e.adaptive_error), "adaptive_lost": late, "sensors": ", ".join(e.sensors), "sensors_lost": lost if e.sensors else "",
        })  # fmt: skip
    return rows


def page(request: Request) -> Response:
    """Answer the page of sobriety."""
    town, who = town_of(request), principal_of(request)
    found, since = screens(town, request.app.routes)
    study = known_study(town.store)
    proposed = keeping.proposals(town)
    kinds = {p.kind: town.registry.datastream_kind(p.kind) for p in proposed}
    names = {code: kind.title.of(language_of(request)) for code, kind in kinds.items() if kind is not None}
    columns, rows = _services(request)
    page_columns, page_rows = _pages(request, found)
    return render(
        request, "proof/sobriety.html", tabs=tabs_of(request), columns=columns, rows=rows, unread=_unread(request, found, since), page_columns=page_columns,
        page_rows=page_rows[:25], study=study, economies=_economies(request, study.economies) if study else [], proposals=proposed, names=names,
        factors=[(name, f, f.source.of(language_of(request))) for name, f in factors().items()], may_apply=keeping.may_apply(who), may_retain=who.role == "admin" and not who.territories, may_study=who.staff, done=request.query_params.get("fait", ""),
    )  # fmt: skip


async def change(request: Request) -> Response:
    """Apply a proposal, undo it, or make the study again."""
    sent = {name: str(value) for name, value in (await request.form()).items()}
    return await to_thread.run_sync(_change, request, sent)


def _change(request: Request, sent: dict[str, str]) -> Response:
    town, who = town_of(request), principal_of(request)
    require_signed_in(who)
    if "etude" in sent:
        if not who.staff:
            raise Forbidden(Text("L'étude est faite par les agents.", "The study is made by the staff."))
        make_study(town.store, town.clock())
        return RedirectResponse("/preuve/sobriete?fait=etude#etude", 303)
    if not keeping.may_apply(who):
        raise Forbidden(
            Text("Les propositions sont appliquées par les agents de toute la ville.", "Proposals are applied by the staff of the whole town."),
            Text("Demandez à l'un d'eux.", "Ask one of them."),
        )  # fmt: skip
    if "annuler" in sent:
        keeping.undo(town, who, sent["annuler"])
    else:
        keeping.apply(town, who, sent.get("appliquer", ""))
    return RedirectResponse("/preuve/sobriete?fait=conservation#conservation", 303)


ROUTES: list[BaseRoute] = [
    Route("/preuve/sobriete", page, methods=["GET"]),
    Route("/preuve/sobriete", change, methods=["POST"]),
]
