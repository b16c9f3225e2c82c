"""Administration of the town itself: its name, colour, logo; its territories; its settings at a glance."""

import re
from collections.abc import Mapping

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi import __version__
from beffroi.identity import keys, people, sessions, territories
from beffroi.identity.rights import require_reach
from beffroi.identity.wording import clean_name
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.store.open import Store
from beffroi.web.kit.form import Input
from beffroi.web.kit.look import DARK_GROUND, LIGHT_GROUND, check_accent, contrast, look_of, readable
from beffroi.web.kit.page import figures_of, principal_of, translate
from beffroi.web.kit.table import Column, Row
from beffroi.web.site.administration.desk import entry, off_loop, refused, see_other, show, store_of, within
from beffroi.web.site.administration.logo import clean_logo

__all__ = ["ROUTES"]

_HEX = re.compile(r"#[0-9a-f]{6}\Z")


@entry(admin=True)
async def overview(request: Request) -> Response:
    """Say how the town is set, and lead to each part of the administration."""
    _ = translate(request)
    town, store, who = request.app.state.town, store_of(request), principal_of(request)
    staff = [p for p in await off_loop(people.every, store) if within(who, p.territories) and not p.disabled]
    valid = [
        k
        for k in await off_loop(keys.every, store)
        if within(who, k.territories) and k.valid_at(town.clock())
    ]
    settings = town.settings
    facts = [
        (_("Version"), __version__), (_("Base de données"), {"sqlite": "SQLite"}.get(store.dialect, "PostgreSQL")),
        (_("Adresse publique"), settings.base_url or _("non réglée (base_url)")),
        (_("Fuseau horaire"), settings.time_zone),
        (_("Courriel"), settings.mail.sender if settings.mail.url else _("non réglé (mail.url) : aucun envoi")),
        (_("MQTT"), _("serveur extérieur") if settings.mqtt.url else _("serveur intégré")),
        (_("Archivage des mesures"), _("après {n} jours", n=settings.store.seal_after_days)),
        (_("Services"), ", ".join(s.title.of(request.state.language) for s in town.registry.services.values())),
    ]  # fmt: skip
    if who.territories:
        facts = facts[:1]
    names = {p.id for p in staff}
    here = [s for s in await off_loop(sessions.of_person, store) if s.person_id in names]
    counts = [
        (_("Comptes actifs"), len(staff)), (_("Clés valables"), len(valid)), (_("Sessions ouvertes"), len(here)),
    ]  # fmt: skip
    return show(request, "overview", facts=facts, counts=counts)


@entry(admin=True)
async def territory_list(request: Request) -> Response:
    """List the territories and offer to add one."""
    return await _territories(request)


async def _territories(
    request: Request,
    values: Mapping[str, str] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    _ = translate(request)
    who = principal_of(request)
    known = await off_loop(territories.every, store_of(request))
    kinds = {"commune": _("Commune"), "group": _("Groupement de communes")}
    columns = [
        Column("name", _("Nom")),
        Column("code", _("Code")),
        Column("kind", _("Nature")),
        Column("parent", _("Dans")),
    ]
    rows = [
        Row({"name": t.name, "code": t.code, "kind": kinds.get(t.kind, t.kind), "parent": t.parent},
            href=f"/administration/territoires/{t.code}")
        for t in known if within(who, (t.code,))
    ]  # fmt: skip
    groups = (("", "–"), *((t.code, t.name) for t in known if t.kind == "group"))
    inputs = [
        Input(
            "code", _("Code"), required=True, hint=_("INSEE de la commune (35236), ou SIREN du groupement.")
        ),
        Input("name", _("Nom"), required=True),
        Input("kind", _("Nature"), "select", required=True, options=tuple(kinds.items())),
        Input("parent", _("Dans le groupement"), "select", options=groups),
    ]
    return show(
        request, "territories", status, columns=columns, rows=rows, inputs=inputs, values=values or {"kind": "commune"},
        errors=errors or {}, may_add=not who.territories,
    )  # fmt: skip


@entry(admin=True)
async def add_territory(request: Request) -> Response:
    """Add a territory."""
    sent = {name: str(value).strip() for name, value in (await request.form()).items()}
    try:
        await off_loop(
            territories.add, store_of(request), principal_of(request), sent.get("code", ""), sent.get("name", ""),
            kind=sent.get("kind", "commune"), parent=sent.get("parent") or None,
        )  # fmt: skip
    except Problem as problem:
        return await _territories(request, sent, refused(request, problem), problem.status)
    return see_other("/administration/territoires")


@entry(admin=True)
async def town_page(request: Request) -> Response:
    """Show the town's name, colour and logo."""
    require_reach(principal_of(request), ())
    look = await off_loop(look_of, request.app.state.town)
    return _town(request, {"name": look.name, "accent": look.accent})


def _town(
    request: Request, values: Mapping[str, str], errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    _ = translate(request)
    inputs = [
        Input("name", _("Nom de la commune"), required=True, autocomplete="organization"),
        Input("accent", _("Couleur"), "color", required=True,
              hint=_("Celle des liens et des boutons. Le fond sombre reçoit la même, éclaircie.")),
        Input("logo", _("Logo"), "file", accept="image/png,image/svg+xml",
              hint=_("PNG ou SVG, 60 ko au plus. Vide : le logo actuel reste.")),
        Input("no_logo", _("Retirer le logo"), "checkbox"),
    ]  # fmt: skip
    accent = values.get("accent", "").lower()
    return show(
        request, "town", status, inputs=inputs, values=values, errors=errors or {},
        contrasts=_contrasts(request, accent) if _HEX.match(accent) else [], done="fait" in request.query_params,
    )  # fmt: skip


def _contrasts(request: Request, accent: str) -> list[tuple[str, str]]:
    """Return how well a colour reads on each ground (WCAG 2.2 asks 4.5)."""
    _ = translate(request)
    number = figures_of(request).number
    dark = readable(accent, DARK_GROUND)
    pairs = [
        (_("Texte coloré sur fond clair"), accent, LIGHT_GROUND), (_("Texte blanc sur bouton"), "#ffffff", accent),
        (_("Texte coloré sur fond sombre ({colour})", colour=dark), dark, DARK_GROUND),
    ]  # fmt: skip
    return [
        (name, (_("{ratio} : se lit") if contrast(a, b) >= 4.5 else _("{ratio} : trop pâle, il faut 4,5"))
         .format(ratio=number(contrast(a, b), 1)))
        for name, a, b in pairs
    ]  # fmt: skip


@entry(admin=True)
async def change_town(request: Request) -> Response:
    """Check the colour, or keep the town's new look."""
    who = principal_of(request)
    require_reach(who, ())
    async with request.form() as form:
        sent = {name: value for name, value in form.items() if isinstance(value, str)}
        upload = form.get("logo")
        body = await upload.read() if isinstance(upload, UploadFile) else b""
    if sent.get("action") == "check":
        try:
            check_accent(sent.get("accent", ""))
        except Problem as problem:
            return _town(request, sent, refused(request, problem))
        return _town(request, sent)
    try:
        await off_loop(_keep_look, store_of(request), who, sent, body)
    except Problem as problem:
        return _town(request, sent, refused(request, problem), problem.status)
    return see_other("/administration/ville?fait")


def _keep_look(store: Store, who: Principal, sent: Mapping[str, str], logo: bytes) -> None:
    """Keep name, colour and logo, after checking them all. Raises `Problem`."""
    fresh: dict[str, str | None] = {
        "town.name": clean_name(sent.get("name", ""), longest=80), "town.accent": check_accent(sent.get("accent", "")),
    }  # fmt: skip
    if logo:
        fresh["town.logo"] = clean_logo(logo)
    elif "no_logo" in sent:
        fresh["town.logo"] = None
    detail = {"name": fresh["town.name"], "accent": fresh["town.accent"], "logo": "town.logo" in fresh}
    store.change_settings(who, fresh, "town.look", "town", detail)


ROUTES = [
    Route("/administration", overview, methods=["GET"]),
    Route("/administration/territoires", territory_list, methods=["GET"]),
    Route("/administration/territoires", add_territory, methods=["POST"]),
    Route("/administration/ville", town_page, methods=["GET"]),
    Route("/administration/ville", change_town, methods=["POST"]),
]
