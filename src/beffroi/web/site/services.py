"""`/services` and `/services/{name}`: what each service of the town is, from its own manifest and declarations."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.declaration import Indicator
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.plugins import Service
from beffroi.store.desk import Desk
from beffroi.town import Town
from beffroi.web.kit.page import figures_of, principal_of, render, words_of
from beffroi.web.site.catalogue import Series, series_of
from beffroi.web.site.service_figures import MONTH_US, indicator_now, may_read, service_cards

__all__ = ["ROUTES", "indicators_of"]


def _counts(town: Town, who: Principal, service: Service, found: list[Series]) -> dict[str, int]:
    desk = Desk(town.store.records, who)
    records = sum(desk.count(c.name) for c in service.collections if c.readable(who))
    return {
        "records": records,
        "series": sum(s.service == service.name for s in found),
        "indicators": len(service.indicators),
    }


def index(request: Request) -> Response:
    """Answer the list of services."""
    town: Town = request.app.state.town
    who = principal_of(request)
    found = series_of(town, who, language=words_of(request).language)
    services = [(s, _counts(town, who, s, found)) for s in town.registry.services.values()]
    return render(request, "site/services.html", services=services)


def _measured(town: Town, who: Principal, indicator: Indicator) -> tuple[float | None, float | None]:
    measure = indicator_now(town, who, indicator, MONTH_US)
    return measure.now, measure.before


def indicators_of(
    request: Request, service: Service, measured: Callable[[Town, Principal, Indicator], tuple[float | None, float | None]] | None = None
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the service's indicators that the reader may see, over the last thirty days and the thirty before."""
    town: Town = request.app.state.town
    who, figures, language = principal_of(request), figures_of(request), words_of(request).language
    rows = []
    for indicator in service.indicators:
        if not may_read(who, indicator.read):
            continue
        now, before = (measured or _measured)(town, who, indicator)
        rows.append({
            "name": indicator.name, "title": indicator.title.of(language), "formula": indicator.formula.of(language),
            "now": figures.quantity(now, indicator.unit, indicator.decimals),
            "before": figures.quantity(before, indicator.unit, indicator.decimals),
            "better": indicator.better, "known": now is not None,
        })  # fmt: skip
    return rows


MANIFEST = {
    "version": Text("Version", "Version"), "maintainer": Text("Tenu par", "Maintained by"),
    "quality": Text("Qualité, d'après son auteur", "Quality, as its author says"),
    "standards_in": Text("Normes qu'il lit", "Standards it reads"),
    "standards_out": Text("Normes qu'il écrit", "Standards it writes"),
    "personal_data": Text("Données personnelles", "Personal data"),
    "limits": Text("Ce qu'il ne fait pas", "What it does not do"),
    "collections": Text("fiches", "records"), "fields": Text("champs", "fields"),
    "retention_days": Text("jours de garde", "days kept"),
}  # fmt: skip
NONE = Text("aucune", "none")


def _word(key: str, language: str) -> str:
    return MANIFEST[key].of(language) if key in MANIFEST else key


def said(value: Any, language: str) -> str:
    """Return a value of a manifest in words: a `{fr, en}` table in the reader's language, a list with commas."""
    if isinstance(value, dict):
        if "fr" in value:
            return str(value["en"] if language == "en" else value["fr"])
        other = "_fr" if language == "en" else "_en"
        known = {k.removesuffix("_" + language): v for k, v in value.items() if v and not k.endswith(other)}
        colon = ": " if language == "en" else " : "
        parts = [
            said(v, language) if k == "purpose" else f"{_word(k, language)}{colon}{said(v, language)}"
            for k, v in known.items()
        ]
        return " ; ".join(parts) or NONE.of(language)
    if isinstance(value, list):
        return ", ".join(said(part, language) for part in value)
    return str(value)


def detail(request: Request) -> Response:
    """Answer the page of one service: what it is for, its figures, its data, its standards, its limits."""
    town: Town = request.app.state.town
    who, words = principal_of(request), words_of(request)
    service = town.registry.services.get(request.path_params["name"])
    if service is None:
        raise NotFound(Text("Il n'y a pas de service de ce nom.", "There is no service of that name."))
    manifest = [
        (_word(key, words.language), said(value, words.language))
        for key, value in service.manifest.items()
        if key != "name"
    ]
    desk = Desk(town.store.records, who)
    collections = [(c, desk.count(c.name)) for c in service.collections if c.readable(who)]
    return render(
        request, "site/service.html", service=service, manifest=manifest, collections=collections,
        cards=service_cards(town, who, service, figures_of(request)), indicators=indicators_of(request, service),
        seq=town.store.observations.head(), entrances=[e for e in service.entrances if not e.record and may_read(who, e.read)],
    )  # fmt: skip


ROUTES: list[BaseRoute] = [Route("/services", index), Route("/services/{name}", detail)]
