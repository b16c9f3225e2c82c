"""Administration of one commune of the installation: its name, colour, logo and words, by its own administrator."""

from collections.abc import Mapping

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.identity import territories
from beffroi.identity.rights import require_reach
from beffroi.identity.wording import clean_name
from beffroi.model.place import Territory
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.web.kit.form import Input
from beffroi.web.kit.look import check_accent, look_of_commune
from beffroi.web.kit.page import principal_of, translate
from beffroi.web.site.administration.desk import (
    entry,
    off_loop,
    refused,
    see_other,
    show,
    store_of,
)
from beffroi.web.site.administration.logo import clean_logo

__all__ = ["ROUTES"]

LONGEST_WORDS = 2000


async def _commune(request: Request) -> Territory:
    """Return the territory of the address. Raises `NotFound`, or `Forbidden` for another administrator's."""
    found = await off_loop(territories.get, store_of(request), request.path_params["code"])
    require_reach(principal_of(request), (found.code,))
    return found


@entry(admin=True)
async def page(request: Request) -> Response:
    """Show what a commune's own pages look like."""
    commune = await _commune(request)
    look = await off_loop(look_of_commune, request.app.state.town, commune)
    own = commune.settings
    values = {
        "name": commune.name,
        "accent": look.accent,
        "words": own.get("words", ""),
        "words_en": own.get("words_en", ""),
    }
    return _page(request, commune, values)


def _page(
    request: Request, commune: Territory, values: Mapping[str, str], errors: dict[str, str] | None = None, status: int = 200
) -> Response:  # fmt: skip
    _ = translate(request)
    inputs = [
        Input("name", _("Nom de la commune"), required=True, autocomplete="organization"),
        Input("accent", _("Couleur"), "color", required=True,
              hint=_("Celle des liens et des boutons. Le fond sombre reçoit la même, éclaircie.")),
        Input("logo", _("Logo"), "file", accept="image/png,image/svg+xml",
              hint=_("PNG ou SVG, 60 ko au plus. Vide : le logo actuel reste.")),
        Input("no_logo", _("Retirer le logo"), "checkbox"),
        Input("words", _("Mot d'accueil de sa page"), "textarea", rows=5),
        Input("words_en", _("Le même en anglais"), "textarea", rows=5),
    ]  # fmt: skip
    return show(
        request, "commune", status, commune=commune, inputs=inputs, values=values, errors=errors or {},
        done="fait" in request.query_params,
    )  # fmt: skip


@entry(admin=True)
async def change(request: Request) -> Response:
    """Keep a commune's name, colour, logo and words."""
    commune = await _commune(request)
    async with request.form() as form:
        sent = {name: value for name, value in form.items() if isinstance(value, str)}
        upload = form.get("logo")
        body = await upload.read() if isinstance(upload, UploadFile) else b""
    try:
        await off_loop(_keep, store_of(request), principal_of(request), commune, sent, body)
    except Problem as problem:
        return _page(request, commune, sent, refused(request, problem), problem.status)
    return see_other(f"/administration/territoires/{commune.code}?fait")


def _keep(store: Store, who: Principal, commune: Territory, sent: Mapping[str, str], logo: bytes) -> None:
    fresh: dict[str, str | None] = {"accent": check_accent(sent.get("accent", ""))}
    for name in ("words", "words_en"):
        said = sent.get(name, "").replace("\r\n", "\n").strip()
        if len(said) > LONGEST_WORDS:
            raise Problem(
                Text("Ce texte est trop long.", "This text is too long."),
                Text("2 000 caractères au plus.", "2,000 characters at most."), place=name,
            )  # fmt: skip
        fresh[name] = said or None
    if logo:
        fresh["logo"] = clean_logo(logo)
    elif "no_logo" in sent:
        fresh["logo"] = None
    territories.change(store, who, commune.code, clean_name(sent.get("name", ""), longest=80), fresh)


ROUTES = [
    Route("/administration/territoires/{code}", page, methods=["GET"]),
    Route("/administration/territoires/{code}", change, methods=["POST"]),
]
