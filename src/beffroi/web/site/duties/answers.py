"""`/administration/devoirs`: what only the town can say: publisher, host, contacts, its audit of accessibility and its plan."""

import datetime as dt
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_reach
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import principal_of, render, translate
from beffroi.web.site.administration.desk import (
    PRIVATE,
    entry,
    off_loop,
    refused,
    sections_of,
    see_other,
    store_of,
)
from beffroi.web.site.duties.said import SETTING, Said, said_of

__all__ = ["ROUTES"]

PLACE = "/administration/devoirs"
_LONGEST = 4000


def _inputs(request: Request) -> list[Input]:
    _ = translate(request)
    return [
        Input("publisher", _("Éditeur du site"), "textarea", _("Nom, adresse et téléphone de la commune."), rows=3),
        Input("director", _("Directeur de la publication"), hint=_("Le plus souvent le maire.")),
        Input("host", _("Hébergeur"), "textarea", _("Nom, adresse et téléphone de qui fait tourner la machine ; la commune elle-même s'il n'y en a pas d'autre."), rows=3),
        Input("contact", _("Contact pour l'accessibilité"), hint=_("Courriel, téléphone ou adresse d'un formulaire.")),
        Input("security", _("Contact pour la sécurité"), hint=_("Courriel ou adresse ; il est publié dans security.txt.")),
        Input("privacy", _("Délégué à la protection des données"), hint=_("Courriel, téléphone ou adresse ; il est dit dans les mentions légales.")),
        Input("terms", _("Conditions d'utilisation propres à la commune"), "textarea", _("S'ajoutent à celles que le site dit de lui-même."), rows=4),
        Input("audit_day", _("Jour de l'audit d'accessibilité"), "date", _("Vide tant qu'aucun audit selon le RGAA 4 n'a été fait : le site est alors « non conforme ».")),
        Input("auditor", _("Qui a fait l'audit")),
        Input("rate", _("Critères respectés"), "number", unit="%", minimum=0, maximum=100, step="0.1"),
        Input("failures", _("Non-conformités"), "textarea", _("Une par ligne, avec son critère.")),
        Input("exemptions", _("Dérogations et contenus hors de la loi"), "textarea", _("Une par ligne, avec sa raison.")),
        Input("plan", _("Plan de plusieurs années"), "textarea", _("Une étape par ligne : 2027 : audit par un organisme extérieur."), rows=6),
    ]  # fmt: skip


@entry(admin=True)
async def page(request: Request) -> Response:
    """Show the form."""
    require_reach(principal_of(request), ())
    said = await off_loop(said_of, request.app.state.town)
    return _show(request, msgspec.to_builtins(said), {})


def _show(
    request: Request, values: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> Response:
    return render(
        request, "duties/answers.html", status, PRIVATE, sections=sections_of(request), inputs=_inputs(request), values=values,
        errors=errors, done="fait" in request.query_params,
    )  # fmt: skip


@entry(admin=True)
async def change(request: Request) -> Response:
    """Keep what the town says."""
    who = principal_of(request)
    require_reach(who, ())
    form = await request.form()
    sent = {one.name: str(form.get(one.name, "")).strip()[:_LONGEST] for one in _inputs(request)}
    try:
        _check(sent)
    except Problem as problem:
        return _show(request, sent, refused(request, problem), 400)
    kept = {SETTING: sent, "town.conformity": msgspec.convert(sent, Said).state}
    await off_loop(store_of(request).change_settings, who, kept, "setting", SETTING, {})
    return see_other(f"{PLACE}?fait")


def _check(sent: Mapping[str, str]) -> None:
    """Raise `Problem` at the field that cannot be."""
    if sent["audit_day"]:
        try:
            dt.date.fromisoformat(sent["audit_day"])
        except ValueError as error:
            raise Problem(
                Text("Ce n'est pas un jour.", "This is no day."), Text("Écrivez 2026-11-30.", "Write 2026-11-30."), place="audit_day"
            ) from error  # fmt: skip
    try:
        right = not sent["rate"] or 0 <= float(sent["rate"].replace(",", ".")) <= 100
    except ValueError:
        right = False
    if not right:
        raise Problem(
            Text("Ce n'est pas une part.", "This is no share."),
            Text("Écrivez un nombre de 0 à 100.", "Write a number from 0 to 100."),
            place="rate",
        )
    if bool(sent["audit_day"]) != bool(sent["rate"]):
        raise Problem(
            Text("Un audit a un jour et une part de critères respectés.", "An audit has a day and a share of criteria met."),
            Text("Donnez les deux, ou aucun.", "Give both, or neither."), place="rate" if sent["audit_day"] else "audit_day",
        )  # fmt: skip


ROUTES: list[BaseRoute] = [Route(PLACE, page, methods=["GET"]), Route(PLACE, change, methods=["POST"])]
