"""`/preuve`: what is measured so far and what is not, said plainly."""

from pathlib import Path

from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.store.tables import latest
from beffroi.town import Town
from beffroi.web.kit.assets import bundle
from beffroi.web.kit.page import figures_of, principal_of, render, translate
from beffroi.web.site.catalogue import series_of
from beffroi.web.site.proof.sections import tabs_of
from beffroi.web.site.proof.worth import section

__all__ = ["ROUTES"]

LIMITS = (("page", 14_000, ("site.css",)), ("figures", 60_000, ("site.css", "chart.js", "live.js")),
          ("map", 220_000, ("site.css", "chart.js", "live.js", "map.js")))  # fmt: skip


def _disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def evidence(request: Request) -> Response:
    """Answer the page of proof: each service with its answer, and the platform's own cost."""
    town: Town = request.app.state.town
    figures, _ = figures_of(request), translate(request)
    who = principal_of(request)
    with town.store.read() as connection:
        count = int(connection.execute(select(func.coalesce(func.sum(latest.c.count), 0))).scalar_one())
    words = {"page": _("Page de lecture"), "figures": _("Page avec graphiques"), "map": _("Page avec carte")}
    weights = [
        (words[name], figures.size(sum(bundle().weight(a) for a in assets)), figures.size(limit))
        for name, limit, assets in LIMITS
    ]
    services = [(s, section(request, s).answer) for s in town.registry.services.values()]
    return render(
        request, "site/evidence.html", services=services, count=count, disk=figures.size(_disk(town.settings.data)),
        series=len(series_of(town, who)), weights=weights, tabs=tabs_of(request),
    )  # fmt: skip


ROUTES: list[BaseRoute] = [Route("/preuve", evidence)]
