"""Administration of keys: what programs and devices hold."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.identity import keys
from beffroi.identity.keys import KEY_ROLES, Key
from beffroi.identity.rights import require_reach
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import principal_of, translate
from beffroi.web.kit.table import Column, Row
from beffroi.web.site.administration.desk import (
    codes_of,
    entry,
    off_loop,
    refused,
    role_names,
    see_other,
    show,
    store_of,
    within,
)
from beffroi.web.site.administration.people import limits

__all__ = ["ROUTES"]


@entry(admin=True)
async def ring(request: Request) -> Response:
    """List the keys and offer to create one."""
    return await _ring(request)


async def _ring(
    request: Request,
    values: Mapping[str, str] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    _ = translate(request)
    names, now = role_names(request), request.app.state.town.clock()
    mine = [
        k
        for k in await off_loop(keys.every, store_of(request))
        if within(principal_of(request), k.territories)
    ]
    columns = [
        Column("name", _("Nom")), Column("prefix", _("Début")), Column("role", _("Rôle")), Column("limits", _("Limitée à")),
        Column("used", _("Dernier usage"), "age"), Column("expires", _("Expire"), "date"), Column("state", _("État")),
    ]  # fmt: skip
    states = {True: _("valable"), False: _("expirée")}
    rows = [
        Row({
            "name": k.name, "prefix": f"{k.prefix}…", "role": names[k.role], "used": k.used_us, "expires": k.expires_us,
            "limits": " ".join((k.service or "", *k.territories)).strip(),
            "state": _("révoquée") if k.revoked_us else states[k.valid_at(now)],
        }, href=f"/administration/cles/{k.id}")
        for k in mine
    ]  # fmt: skip
    inputs = [
        Input(
            "name", _("À quoi elle sert"), required=True, hint=_("Par exemple : passerelle LoRaWAN du stade.")
        ),
        *await off_loop(limits, request, KEY_ROLES),
        Input(
            "days", _("Expire après (jours)"), "number", minimum=1, maximum=36_500, hint=_("Vide : jamais.")
        ),
    ]
    return show(
        request, "keys", status, columns=columns, rows=rows, inputs=inputs, values=values or {"role": "device"},
        errors=errors or {},
    )  # fmt: skip


@entry(admin=True)
async def create(request: Request) -> Response:
    """Create a key and show it, this once."""
    sent = {name: str(value).strip() for name, value in (await request.form()).items()}
    try:
        days = _days(sent.get("days", ""))
        key, secret = await off_loop(
            keys.create, store_of(request), principal_of(request), role=sent.get("role", ""), name=sent.get("name", ""),
            service=sent.get("service") or None, territories=codes_of(sent.get("territories", "")), days=days,
        )  # fmt: skip
    except Problem as problem:
        return await _ring(request, sent, refused(request, problem), problem.status)
    address = request.app.state.town.settings.base_url.rstrip("/") or str(request.base_url).rstrip("/")
    return show(request, "given_key", key=key, secret=secret, address=address)


def _days(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or len(text) > 6:
        raise Problem(
            Text("Ce n'est pas un nombre de jours.", "This is not a number of days."),
            Text("Écrivez un nombre entier, ou laissez vide.", "Write a whole number, or leave it empty."),
            place="days",
        )
    return int(text)


async def _key(request: Request) -> Key:
    number = request.path_params["number"]
    for key in await off_loop(keys.every, store_of(request)):
        if key.id == number:
            require_reach(principal_of(request), key.territories)
            return key
    raise NotFound(Text("Cette clé n'existe pas.", "There is no such key."))


@entry(admin=True)
async def key_page(request: Request) -> Response:
    """Show one key."""
    key = await _key(request)
    return show(request, "key", key=key, role=role_names(request)[key.role])


@entry(admin=True)
async def revoke(request: Request) -> Response:
    """Revoke one key, at once."""
    key = await _key(request)
    await off_loop(keys.revoke, store_of(request), principal_of(request), key.id)
    return see_other(f"/administration/cles/{key.id}")


ROUTES = [
    Route("/administration/cles", ring, methods=["GET"]),
    Route("/administration/cles", create, methods=["POST"]),
    Route("/administration/cles/{number:int}", key_page, methods=["GET"]),
    Route("/administration/cles/{number:int}", revoke, methods=["POST"]),
]
