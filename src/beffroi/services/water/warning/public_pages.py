"""`/riviere/…`: each river as someone woken by water needs it, the pictures, the feed of warnings and their CAP messages.

The page is complete without script or picture, and weighs at most 14 kB with all that it loads.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US, format_instant
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.services.water.warning.advice import advice_of, meaning
from beffroi.services.water.warning.messages import river_path
from beffroi.services.water.warning.ranks import rank
from beffroi.services.water.warning.standing import Limit, River, Standing, rivers
from beffroi.services.water.warning.wording import HEADLINE_SAYINGS
from beffroi.standards.atom import Entry, atom
from beffroi.standards.cap import MEDIA_TYPE
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.chart import Plot, Threshold
from beffroi.web.kit.figures import NO_BREAK
from beffroi.web.kit.packing import packed
from beffroi.web.kit.page import figures_of, language_of, render, translate

__all__ = ["ROUTES", "town_of"]

FEED = 50
_YEAR = "public, max-age=31536000, immutable"


def town_of(request: Request) -> Town:
    """Return the application's town."""
    town: Town = request.app.state.town
    return town


def index(request: Request) -> Response:
    """Answer the list of rivers."""
    return render(request, "warning/rivers.html", rivers=rivers(town_of(request)))


def river(request: Request) -> Response:
    """Answer the page of one river."""
    town = town_of(request)
    found = rivers(town, request.path_params["slug"])
    if not found:
        raise NotFound(
            Text("Cette rivière n'est pas suivie ici.", "This river is not watched here."),
            Text("La liste des rivières est sur /riviere.", "The list of rivers is on /riviere."),
        )
    one = found[0]
    first = one.worst
    colour = first.colour or "vert"
    language = language_of(request)
    advice = advice_of(first.station.values, colour, language) if first.colour else []
    instruction = first.warning.values["instruction"] if first.warning else None
    return render(
        request, "warning/river.html", river=one, first=first, others=[s for s in one.stations if s is not first],
        advice=[instruction, *advice] if instruction else advice, meaning=meaning(colour).of(language) if first.colour else "",
        plot=_plot(request, first), following=_following(first), exercise=bool(first.warning and first.warning.values["exercise"]), ended=_last_ended(town, one),
    )  # fmt: skip


def _plot(request: Request, standing: Standing) -> Plot | None:
    """Return the level of the last day with its thresholds, when there is something to draw."""
    if len(standing.points) < 2:
        return None
    town, _, figures = town_of(request), translate(request), figures_of(request)
    now = town.clock()
    lines = tuple(
        Threshold(
            limit.value,
            figures.words.of(limit.colour) + NO_BREAK + figures.number(limit.value, 2),
            limit.colour,
        )
        for limit in standing.limits
    )
    points = [p for p in standing.points if p[0] >= now - DAY_US]
    step = max(1, len(points) // 72)
    thinned = [*points[:-1:step], points[-1]] if points else []
    return Plot(_("Hauteur des dernières 24 heures"), now - DAY_US, now, thinned, "m", 2, lines)


def _following(standing: Standing) -> Limit | None:
    """Return the next threshold of a higher colour than what people are told now."""
    if not standing.colour:
        return None
    higher = [limit for limit in standing.limits if rank(limit.colour) > rank(standing.colour)]
    return higher[0] if higher else None


def _last_ended(town: Town, one: River) -> Row | None:
    ids = [s.station.id for s in one.stations]
    where = {"station": ids, "state": "ended", "exercise": False}
    rows = town.store.records.find("river_warning", Query(where=where, sort="-opened_at", limit=1)).rows
    return rows[0] if rows else None


def image(request: Request) -> Response:
    """Answer a picture, large or small: it never changes."""
    town = town_of(request)
    row = town.store.records.get("river_image", request.path_params["id"])
    name = row.values["small" if request.path_params.get("size") else "file"]
    data, media_type = town.store.files.read(name)
    return Response(data, headers={"Cache-Control": _YEAR}, media_type=media_type)


def small_image(request: Request) -> Response:
    """Answer the thumbnail."""
    request.path_params["size"] = "small"
    return image(request)


def feed(request: Request) -> Response:
    """Answer the newest CAP messages as an Atom feed; each entry leads to the page of its river and to its XML."""
    town, _ = town_of(request), translate(request)
    base = (town.settings.base_url or str(request.base_url)).rstrip("/")
    rows = town.store.records.find("cap_message", Query(sort="-sent", limit=FEED)).rows
    known: dict[int, Any] = {}
    entries = [_entry(town, base, row, known, language_of(request)) for row in rows]
    updated = format_instant(max((row.values["sent"] for row in rows), default=0))
    title = f"{_('Alertes de crue')} · {town.name}"
    body = atom(
        f"{base}/riviere/alertes.atom", f"{base}/riviere", title, updated, entries, language_of(request)
    )
    return packed(request, body, "application/atom+xml; charset=utf-8")


def _entry(town: Town, base: str, row: Row, known: dict[int, Any], language: str) -> Entry:
    v, said = row.values, HEADLINE_SAYINGS(row.values["headline"], language)
    number = v["warning"]
    if number not in known:
        warning = town.store.records.get("river_warning", number, deleted=None)
        known[number] = town.store.records.get("river_station", warning.values["station"], deleted=None)
    station = known[number]
    xml = f"{base}/riviere/alertes/{v['identifier']}.xml"
    page = f"{base}{river_path(station)}#{v['identifier']}"
    return Entry(page, said, v["sent"], v["sent"], said, station.geometry, ((xml, MEDIA_TYPE),))


def message(request: Request) -> Response:
    """Answer one CAP message as it was sent."""
    town = town_of(request)
    where = {"identifier": request.path_params["identifier"]}
    rows = town.store.records.find("cap_message", Query(where=where, limit=1)).rows
    if not rows:
        raise NotFound(Text("Ce message n'existe pas.", "There is no such message."))
    return packed(
        request,
        rows[0].values["xml"].encode(),
        f"{MEDIA_TYPE}; charset=utf-8",
        headers={"Cache-Control": _YEAR},
    )


ROUTES: list[BaseRoute] = [
    Route("/riviere", index),
    Route("/riviere/alertes.atom", feed),
    Route("/riviere/alertes/{identifier}.xml", message),
    Route("/riviere/images/{id:int}.jpg", image),
    Route("/riviere/images/{id:int}-petite.jpg", small_image),
    Route("/riviere/{slug}", river),
]
