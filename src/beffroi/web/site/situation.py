"""`/`: is the town well, what asks for someone, where, and the figures of the day."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.identity import territories
from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.store.record import Query, Where
from beffroi.town import Town
from beffroi.web.kit.map import MapView
from beffroi.web.kit.page import figures_of, principal_of, render, translate, words_of
from beffroi.web.kit.words import Words
from beffroi.web.site.base_map import base_map
from beffroi.web.site.catalogue import Station, silent, stations
from beffroi.web.site.open_alarms import OpenAlarm, alarm_rows, open_alarms, worst
from beffroi.web.site.service_figures import cards_of
from beffroi.web.site.tour import unfinished

__all__ = ["ROUTES", "sentence"]

SHOWN = 5
MOST_STATIONS = 5_000


def sentence(alarms: list[OpenAlarm], mute: int, words: Words) -> str:
    """Say in words how the town is: `Une alarme rouge, deux jaunes, un capteur muet.`"""
    parts = []
    levels = (
        ("rouge", "{n} alarme rouge", "{n} alarmes rouges"),
        ("orange", "{n} alarme orange", "{n} alarmes orange"),
        ("jaune", "{n} vigilance jaune", "{n} vigilances jaunes"),
    )
    for level, one, many in levels:
        count = sum(a.severity == level for a in alarms)
        if count:
            parts.append(words.plural(count, one, many))
    if mute:
        parts.append(words.plural(mute, "{n} capteur muet", "{n} capteurs muets"))
    if not parts:
        return words.of("Tout est calme : aucune alarme, tous les capteurs répondent.")
    urgent = any(a.severity in ("orange", "rouge") for a in alarms)
    return ", ".join(parts) + (words.of(".") if urgent else words.of(", rien d'urgent."))


def _states(words: Words) -> dict[str, str]:
    return {"active": words.of("à prendre en charge"), "acknowledged": words.of("prise en charge")}


def _since_yesterday(town: Town, who: Principal) -> dict[str, int]:
    """Return what changed in a day, for agents: alarms raised and over, things that wait for approval."""
    yesterday = town.clock() - DAY_US
    territories = who.territories or None
    records = town.store.records
    return {
        "raised": records.count(
            "alarm", Query(where={"raised_at": Where(">=", yesterday)}, territories=territories)
        ),
        "over": records.count(
            "alarm", Query(where={"cleared_at": Where(">=", yesterday)}, territories=territories)
        ),
    }


def _view(town: Town, words: Words, alarms: list[OpenAlarm], found: list[Station]) -> MapView:
    base = base_map(town)
    severity = {a.thing_id: a.severity for a in reversed(alarms)}
    marks = tuple(
        (*s.place, severity.get(s.id, ""), s.name)
        for s in sorted(found, key=lambda s: s.id in severity)
        if s.place
    )[-400:]
    return MapView(
        words.of("Carte de {town}", town=town.name), "/carte.geojson?couche=capteurs", base.drawing(marks=marks),
        None if marks else base.box, base.url, base.credit, small=True,
    )  # fmt: skip


def page(request: Request) -> Response:
    """Answer the situation: the public page, or the agent's when someone of the town is signed in."""
    town: Town = request.app.state.town
    who, words, _ = principal_of(request), words_of(request), translate(request)
    now = town.clock()
    alarms = open_alarms(town, who, words.language)
    found = stations(town, who, language=words.language, limit=MOST_STATIONS)
    mute = [s for s in found if any(silent(x, now) for x in s.series)]
    cards = cards_of(town, who, figures_of(request), [x for s in found for x in s.series])
    context: dict[str, Any] = {
        "level": worst(alarms) if alarms else ("jaune" if mute else "vert"),
        "sentence": sentence(alarms, len(mute), words),
        "alarms": alarm_rows(alarms[:SHOWN], {s.id: s.name for s in found}, _states(words)), "more": max(0, len(alarms) - SHOWN),
        "cards": [c for c in cards if c.value is not None], "idle": [c for c in cards if c.value is None], "mute": mute[:SHOWN], "muted": len(mute), "total": len(found),
        "view": _view(town, words, alarms, found), "seq": town.store.observations.head(),
        "mine": [], "changes": None, "waiting": 0, "tour": unfinished(town, who, _),
        "communes": sum(t.kind == "commune" for t in territories.every(town.store)),
    }  # fmt: skip
    if who.staff:
        mine = [a for a in alarms if a.assignee == who.name]
        context |= {
            "mine": alarm_rows(mine, {s.id: s.name for s in found}, _states(words)),
            "changes": _since_yesterday(town, who), "waiting": sum(not s.approved for s in found),
        }  # fmt: skip
    return render(request, "site/situation.html", **context)


ROUTES: list[BaseRoute] = [Route("/", page, name="situation")]
