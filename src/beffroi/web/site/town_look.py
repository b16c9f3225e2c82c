"""The town's look: its colour and logo as served, and the page where its administrator changes them."""

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.look import LOGO_BYTES, check_accent, check_logo, look_of
from beffroi.web.kit.page import language_of, principal_of, render, translate

__all__ = ["ROUTES"]

KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
SANDBOX = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
LONGEST_NAME = 80


def colours(request: Request) -> Response:
    """Answer the custom properties of the town's colour."""
    return Response(look_of(request.app.state.town).css(), media_type="text/css", headers=KEPT)


def logo(request: Request) -> Response:
    """Answer the town's logo; a drawing may style itself but run nothing."""
    found = look_of(request.app.state.town).logo_file()
    if found is None:
        raise NotFound(Text("Cette ville n'a pas de logo.", "This town has no logo."))
    return Response(found[1], media_type=found[0], headers={**KEPT, **SANDBOX})


def administrator(request: Request) -> Principal:
    """Return who asks, when they administrate the town. Raises `Unauthorised`, `Forbidden`."""
    who = principal_of(request)
    if who.role != "admin":
        reason = Text(
            "Seul un administrateur change l'allure du site.",
            "Only an administrator changes the site's look.",
        )
        raise Unauthorised(reason) if not who.name else Forbidden(reason)
    return who


def _inputs(request: Request) -> list[Input]:
    _ = translate(request)
    return [
        Input("name", _("Nom de la commune"), required=True, autocomplete="organization"),
        Input("accent", _("Couleur"), "text", _("Comme #0b5c73. Elle doit se lire sur un fond clair : contraste de 4,5 au moins. Elle est éclaircie d'elle-même pour l'affichage sombre."), required=True),
        Input("logo", _("Logo"), "file", _("PNG, SVG, JPEG ou WebP, 60 ko au plus. Sans fichier, le logo reste comme il est."), accept="image/png,image/svg+xml,image/jpeg,image/webp"),
        Input("no_logo", _("Retirer le logo"), "checkbox"),
    ]  # fmt: skip


def form(
    request: Request, values: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> Response:
    """Answer the form, with what was refused and why."""
    administrator(request)
    look = look_of(request.app.state.town)
    shown = values or {"name": look.name, "accent": look.accent}
    return render(
        request, "site/town_look.html", 400 if errors else 200, inputs=_inputs(request), values=shown, errors=errors or {},
        saved="fait" in request.query_params,
    )  # fmt: skip


async def show(request: Request) -> Response:
    """Answer the page of the town's look."""
    return await run_in_threadpool(form, request)


async def save(request: Request) -> Response:
    """Keep the name, colour and logo, or say what is wrong with them."""
    administrator(request)
    data = await request.form(max_files=1, max_part_size=4 * LOGO_BYTES)
    upload = data.get("logo")
    body = await upload.read() if isinstance(upload, UploadFile) and upload.filename else b""
    kind = (upload.content_type or "") if isinstance(upload, UploadFile) else ""
    return await run_in_threadpool(_keep, request, data, body, kind)


def _keep(request: Request, data: FormData, body: bytes, kind: str) -> Response:
    town: Town = request.app.state.town
    values = {"name": str(data.get("name", "")).strip(), "accent": str(data.get("accent", "")).strip()}
    errors: dict[str, str] = {}
    language = language_of(request)
    if not 0 < len(values["name"]) <= LONGEST_NAME:
        errors["name"] = translate(request)("Donnez un nom de 1 à 80 lettres.")
    kept = {"town.name": values["name"]}
    try:
        kept["town.accent"] = check_accent(values["accent"])
    except Problem as problem:
        errors["accent"] = _said(problem, language)
    try:
        kept |= {"town.logo": check_logo(body, kind)} if body else {}
    except Problem as problem:
        errors["logo"] = _said(problem, language)
    if errors:
        return form(request, values, errors)
    for key, value in kept.items():
        town.store.set_setting(key, value)
    if data.get("no_logo") and not body:
        town.store.set_setting("town.logo", None)
    return RedirectResponse("/administration/apparence?fait", 303)


def _said(problem: Problem, language: str) -> str:
    return f"{problem.reason.of(language)} {problem.mend.of(language)}"


ROUTES: list[BaseRoute] = [
    Route("/ville-{version}.css", colours),
    Route("/logo-{version}", logo),
    Route("/administration/apparence", show, methods=["GET"]),
    Route("/administration/apparence", save, methods=["POST"]),
]
