"""`/visite`: the first hour, step by step; what is done is seen in the town itself, never ticked."""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_signed_in
from beffroi.intake.moving_in.ground import GROUND
from beffroi.model.collection import OWN
from beffroi.model.principal import Principal
from beffroi.store.tables import brought, latest
from beffroi.town import Town
from beffroi.web.kit.page import principal_of, render, translate
from beffroi.web.site.base_map import base_map

__all__ = ["ROUTES", "Step", "steps", "unfinished"]

_HIDDEN = "tour.hidden"


class Step(msgspec.Struct, frozen=True):
    """One step: what it is, why, where it is done, and whether the town shows that it was."""

    title: str
    why: str
    href: str
    action: str
    done: bool


def _has_map(town: Town) -> bool:
    return bool(base_map(town).url)


def _has_file(town: Town) -> bool:
    """True when the town has a collection of its own that is not its ground, or took a file in."""
    own = [n for n, c in town.store.records.collections.items() if c.service == OWN and n not in GROUND]
    if any(town.store.records.count(n, most=1) for n in own):
        return True
    with town.store.read() as c:
        return (
            c.execute(select(brought.c.id).where(brought.c.state == "imported").limit(1)).first() is not None
        )


def _has_values(town: Town) -> bool:
    with town.store.read() as c:
        return bool(c.execute(select(func.max(latest.c["count"]))).scalar())


def _has_alarm(town: Town) -> bool:
    return town.store.records.count("alarm", most=1) > 0


def _has_report(town: Town) -> bool:
    return town.store.records.count("service_request", most=1) > 0


def _has_categories(town: Town) -> bool:
    return town.store.records.count("report_category", most=1) > 0


def steps(town: Town, who: Principal, _: Callable[..., str]) -> list[Step]:
    """Return the steps that someone of the town can take, in order."""
    found = []
    if who.role == "admin" and not who.territories:
        found.append(Step(
            _("Le plan de la commune"), _("Limites, rues, adresses et bâtiments viennent des données publiques, et font le fond de carte."),
            "/administration/commune", _("Choisir la commune"), _has_map(town),
        ))  # fmt: skip
    found += [
        Step(_("Un fichier à vous"), _("Un tableau que vous avez déjà : bancs, défibrillateurs, lampadaires. Il est sur la carte en trois clics, et s'annule."),
             "/donnees/apporter", _("Apporter un fichier"), _has_file(town)),
        Step(_("Des mesures"), _("Un relevé de compteurs en tableau suffit ; l'exemple fourni convient. Un capteur LoRaWAN ou MQTT fait de même."),
             "/donnees/apporter", _("Apporter un relevé"), _has_values(town)),
        Step(_("Une alarme"), _("Une règle regarde une série et prévient. Écrivez-en une sur vos mesures, essayez-la sur le passé, mettez-la en service. Pour l'entendre, relevez à la main une valeur au-delà du seuil, sur la page de la série."),
             "/regles", _("Écrire une règle"), _has_alarm(town)),
    ]  # fmt: skip
    if "reports" in town.registry.services and who.role != "agent" and not _has_categories(town):
        found.append(Step(
            _("Un signalement"), _("Donnez d'abord aux habitants une liste de catégories : une liste type vous attend, en un clic. Puis faites comme eux : un nid-de-poule, une photo."),
            "/signaler/reglages", _("Préparer les catégories"), _has_report(town),
        ))  # fmt: skip
    elif "reports" in town.registry.services:
        found.append(Step(
            _("Un signalement"), _("Faites comme un habitant : un nid-de-poule, une photo. Puis répondez comme un agent."),
            "/signaler", _("Signaler quelque chose"), _has_report(town),
        ))  # fmt: skip
    return found


def unfinished(town: Town, who: Principal, _: Callable[..., str]) -> tuple[int, int] | None:
    """Return how many steps are done and how many there are, None when all are or the reader hid the tour."""
    if not who.staff or not who.id.startswith("user:") or who.id in town.store.setting(_HIDDEN, []):
        return None
    found = steps(town, who, _)
    done = sum(step.done for step in found)
    return (done, len(found)) if done < len(found) else None


def page(request: Request) -> Response:
    """Answer the steps."""
    who, town, _ = principal_of(request), request.app.state.town, translate(request)
    if who.id == "anonymous":
        return RedirectResponse("/connexion?suite=/visite", 303)
    found = steps(town, who, _)
    hidden = who.id in town.store.setting(_HIDDEN, [])
    first = next((n for n, step in enumerate(found) if not step.done), None)
    return render(
        request, "site/tour.html", steps=found, first=first, hidden=hidden, done=sum(s.done for s in found)
    )


async def change(request: Request) -> Response:
    """Hide the tour from the situation, or show it there again."""
    who, town = principal_of(request), request.app.state.town
    require_signed_in(who)
    sent: Any = (await request.form()).get("action")
    hidden = [one for one in town.store.setting(_HIDDEN, []) if one != who.id]
    town.store.set_setting(_HIDDEN, [*hidden, who.id] if sent == "hide" else hidden or None)
    return RedirectResponse("/" if sent == "hide" else "/visite", 303)


ROUTES: list[BaseRoute] = [
    Route("/visite", page, methods=["GET"]),
    Route("/visite", change, methods=["POST"]),
]
