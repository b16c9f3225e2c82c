"""How long observations are kept: of one series (`/series/{id}/conservation`) and by kind (`/administration/conservation`)."""

from collections.abc import Mapping
from typing import Any

import msgspec
from anyio import to_thread
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_reach
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.rules.needed import needed_since
from beffroi.store.catalogue import change
from beffroi.store.tables import datastream, thing
from beffroi.store.thinning import KINDS, Keep, Saved, Thinned, keep_of, saved, thin
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import figures_of, principal_of, translate, words_of
from beffroi.web.kit.table import Column, Row
from beffroi.web.site.administration.desk import entry, refused, show
from beffroi.web.site.catalogue import Series, find_series, find_station

__all__ = ["ROUTES", "keep_words", "kept_by"]

MOST_DAYS = 36_500


def kept_by(town: Town, series: Series) -> tuple[Keep, Saved | None]:
    """Return how long a series keeps what it has, and what that took away so far."""
    with town.store.read() as connection:
        c = datastream.c
        properties, kind = connection.execute(select(c.properties, c.kind).where(c.id == series.id)).one()
        return keep_of(properties, kind, town.store.setting(KINDS, {})), saved(connection, [series.id]).get(
            series.id
        )


def keep_words(request: Request, keep: Keep) -> str:
    """Return in words how long raw values, then their hours, stay."""
    _ = translate(request)
    if keep.raw_days is None:
        return _("toutes les valeurs, sans limite")
    number = figures_of(request).number
    said = _("chaque valeur {n} jours", n=number(keep.raw_days))
    if keep.hours_days is None:
        said += _(", puis le résumé de chaque heure, sans limite")
    else:
        said += _(", puis le résumé de chaque heure {n} jours, puis rien", n=number(keep.hours_days))
    town: Town = request.app.state.town
    if keep.from_us is not None and keep.from_us > town.clock():
        said += _(" (à partir du {day})", day=figures_of(request).day(keep.from_us))
    return said


def _inputs(request: Request) -> list[Input]:
    _ = translate(request)
    return [
        Input("raw", _("Garder chaque valeur"), "number", unit=_("jours"), minimum=1, maximum=MOST_DAYS,
              hint=_("Vide : sans limite. Au-delà, il reste le résumé de chaque heure : nombre, moyenne, plus bas, plus haut.")),
        Input("hours", _("Puis garder les heures"), "number", unit=_("jours"), minimum=1, maximum=MOST_DAYS,
              hint=_("Vide : sans limite. Au-delà, il ne reste rien.")),
    ]  # fmt: skip


def _sent(sent: Mapping[str, str]) -> dict[str, str]:
    """Return the `retention` that a form asks for. Raises `Problem` at its field."""
    found = {}
    for name in ("raw", "hours"):
        text = sent.get(name, "").strip()
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_DAYS):
            raise Problem(Text("Ce n'est pas un nombre de jours.", "This is no number of days."),
                          Text("Écrivez un nombre entier, par exemple 365, ou laissez vide.",
                               "Write a whole number, such as 365, or leave it empty."), place=name)  # fmt: skip
        found[name] = f"P{int(text)}D"
    if "hours" in found and "raw" not in found:
        raise Problem(
            Text(
                "Dites d'abord combien de temps garder chaque valeur.",
                "Say first how long to keep each value.",
            ),
            place="raw",
        )
    return found


def _values(keep: Keep) -> dict[str, str]:
    return {"raw": str(keep.raw_days or ""), "hours": str(keep.hours_days or "")}


def _trial(
    town: Town, kinds: Mapping[str, Any] | None = None, one: tuple[int, Mapping[str, str]] | None = None
) -> Thinned:
    """Return what the next passage would take away with other rules than those that are kept now."""
    now = town.clock()
    return thin(
        town.store,
        now,
        needed_since(town.store, now),
        dry=True,
        kinds=kinds,
        instead=dict([one]) if one else None,
    )


def _plan_facts(request: Request, plan: Thinned) -> list[tuple[str, str]]:
    _, figures = translate(request), figures_of(request)
    return [
        (_("Libérerait"), figures.size(plan.freed)),
        (_("Valeurs retirées"), figures.number(sum(plan.rows.values()), 0)),
        (_("Heures gardées à leur place"), figures.number(max(0, sum(plan.hours.values())), 0)),
        (_("Séries touchées"), figures.number(len(plan.rows.keys() | plan.hours.keys()), 0)),
    ]


# --- one series
def _may_change(town: Town, who: Principal, series: Series) -> str:
    """Raise unless `who` administers the territory of a series; return that territory."""
    station = find_station(town, who, series.thing_id)
    require_reach(who, (station.territory,) if station.territory else ())
    return station.name


def _series_page(
    request: Request, values: Mapping[str, str] | None = None, errors: dict[str, str] | None = None, plan: Thinned | None = None,
    status: int = 200,
) -> Response:  # fmt: skip
    town: Town = request.app.state.town
    series = find_series(
        town, principal_of(request), request.path_params["id"], language=words_of(request).language
    )
    name = _may_change(town, principal_of(request), series)
    keep, gone = kept_by(town, series)
    return show(
        request, "series_retention", status, series=series, station=name, inputs=_inputs(request), values=values or _values(keep),
        errors=errors or {}, said=keep_words(request, keep), gone=gone, plan=None if plan is None else _plan_facts(request, plan),
        done="fait" in request.query_params,
    )  # fmt: skip


@entry(admin=True)
async def series_page(request: Request) -> Response:
    """Show how long a series is kept, and let an administrator change it."""
    return await to_thread.run_sync(_series_page, request)


@entry(admin=True)
async def change_series(request: Request) -> Response:
    """Try, or keep, how long a series is kept."""
    sent = {name: str(value) for name, value in (await request.form()).items()}
    return await to_thread.run_sync(_change_series, request, sent)


def _change_series(request: Request, sent: Mapping[str, str]) -> Response:
    town: Town = request.app.state.town
    who = principal_of(request)
    series = find_series(town, who, request.path_params["id"], language=words_of(request).language)
    _may_change(town, who, series)
    try:
        asked = _sent(sent)
    except Problem as problem:
        return _series_page(request, sent, refused(request, problem), status=problem.status)
    if sent.get("action") == "essai":
        return _series_page(request, sent, plan=_trial(town, one=(series.id, asked)))
    with town.store.write() as c:
        text = c.execute(select(datastream.c.properties).where(datastream.c.id == series.id)).scalar()
        properties = msgspec.json.decode(text) if text else {}
        properties["retention"] = asked
        change(
            town.store, c, "datastream", series.id, {"properties": msgspec.json.encode(properties).decode()}
        )
        town.store.audit.note(c, who, "retention.series", f"datastream/{series.id}", dict(asked))
    return RedirectResponse(f"/series/{series.id}/conservation?fait", 303)


# --- by kind, and what it saved
def _kinds_page(
    request: Request, values: Mapping[str, str] | None = None, errors: dict[str, str] | None = None, plan: Thinned | None = None,
    status: int = 200,
) -> Response:  # fmt: skip
    town: Town = request.app.state.town
    require_reach(principal_of(request), ())
    _ = translate(request)
    language = words_of(request).language
    kinds = town.store.setting(KINDS, {})
    with town.store.read() as connection:
        by_kind = select(datastream.c.kind, func.count()).group_by(datastream.c.kind)
        counted: dict[str, int] = {row[0]: row[1] for row in connection.execute(by_kind)}
        of_service = select(datastream.c.id, thing.c.service).join(thing, thing.c.id == datastream.c.thing_id)
        services: dict[int, str] = {row[0]: row[1] for row in connection.execute(of_service)}
        gone = saved(connection)
        held = town.store.archive.live(connection)

    def title(kind: str) -> str:
        found = town.registry.datastream_kind(kind)
        return kind if found is None else found.title.of(language)

    known = sorted({k for k in counted if k} | set(kinds), key=title)
    rows = [
        Row({"kind": title(k), "series": counted.get(k, 0), "keep": keep_words(request, keep_of(None, k, kinds))}) for k in known
    ]  # fmt: skip
    by_service: dict[str, list[int]] = {}
    for series, one in gone.items():
        total = by_service.setdefault(services.get(series, ""), [0, 0, 0])
        for i, n in enumerate((one.bytes, one.rows, one.hours)):
            total[i] += n
    names = {s.name: s.title.of(language) for s in town.registry.services.values()}
    figures = figures_of(request)
    return show(
        request, "retention", status, plan=None if plan is None else _plan_facts(request, plan), errors=errors or {}, values=values or {},
        columns=[Column("kind", _("Nature")), Column("series", _("Séries"), "number", decimals=0), Column("keep", _("Ce qui est gardé"))],
        rows=rows, done="fait" in request.query_params,
        inputs=[Input("kind", _("Nature"), "select", required=True, options=tuple((k, title(k)) for k in known)), *_inputs(request)],
        saved_columns=[Column("service", _("Service")), Column("bytes", _("Espace gagné")), Column("rows", _("Valeurs retirées"), "number", decimals=0),
                       Column("hours", _("Heures gardées"), "number", decimals=0)],
        saved_rows=[Row({"service": names.get(s, s) or _("sans service"), "bytes": figures.size(t[0]), "rows": t[1], "hours": t[2]})
                    for s, t in sorted(by_service.items())],
        facts=[(_("Espace gagné en tout"), figures.size(sum(one.bytes for one in gone.values()))),
               (_("Historique sur le disque"), figures.size(sum(s.bytes + (s.rollup_bytes or 0) for s in held))),
               (_("Valeurs de l'historique"), figures.number(sum(s.count for s in held), 0))],
    )  # fmt: skip


@entry(admin=True)
async def kinds_page(request: Request) -> Response:
    """Show how long each kind of series is kept, and what that saved."""
    return await to_thread.run_sync(_kinds_page, request)


@entry(admin=True)
async def change_kind(request: Request) -> Response:
    """Try, or keep, how long a kind of series is kept."""
    sent = {name: str(value) for name, value in (await request.form()).items()}
    return await to_thread.run_sync(_change_kind, request, sent)


def _change_kind(request: Request, sent: Mapping[str, str]) -> Response:
    town: Town = request.app.state.town
    who = principal_of(request)
    require_reach(who, ())
    try:
        asked = _sent(sent)
        kind = sent.get("kind", "")
        if not kind:
            raise Problem(Text("Choisissez une nature de série.", "Choose a kind of series."), place="kind")
    except Problem as problem:
        return _kinds_page(request, sent, refused(request, problem), status=problem.status)
    kinds = {**town.store.setting(KINDS, {}), kind: asked}
    if sent.get("action") == "essai":
        return _kinds_page(request, sent, plan=_trial(town, kinds))
    town.store.change_settings(who, {KINDS: kinds}, "retention.kind", kind, dict(asked))
    return RedirectResponse("/administration/conservation?fait", 303)


ROUTES: list[BaseRoute] = [
    Route("/series/{id:int}/conservation", series_page, methods=["GET"]),
    Route("/series/{id:int}/conservation", change_series, methods=["POST"]),
    Route("/administration/conservation", kinds_page, methods=["GET"]),
    Route("/administration/conservation", change_kind, methods=["POST"]),
]
