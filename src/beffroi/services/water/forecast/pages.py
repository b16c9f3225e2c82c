"""`/services/water/verification`: the forecasts of now, and how those of the past did, kept automatically. Public."""

from typing import Any

import msgspec
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import HOUR_US
from beffroi.services.water.forecast.figures import EXPECTED, leadlines
from beffroi.services.water.forecast.issuing import LEADS
from beffroi.services.water.warning.public_pages import town_of
from beffroi.store.record import Query, Row
from beffroi.store.tables import datastream
from beffroi.town import Town
from beffroi.web.kit.page import render

__all__ = ["ROUTES"]

_SHOWN = 30


class Coming(msgspec.Struct, frozen=True):
    """A forecast that still holds."""

    series: int
    lead_h: int
    issued_us: int
    at_us: int
    low: float
    median: float
    high: float


def verification(request: Request) -> Response:
    """Answer each station's forecasts and figures, and every past onset, newest first."""
    town = town_of(request)
    found: list[dict[str, Any]] = []
    for station in town.store.records.all("river_station", Query(sort="position")):
        lines, lead_time, came = leadlines(town, station.id)
        coming = _coming(town, station)
        events = town.store.records.find(
            "forecast_event", Query(where={"station": station.id}, sort="-at", limit=_SHOWN)
        )
        found.append({
            "station": station, "lines": lines, "lead_time": lead_time, "came": came, "coming": coming, "events": events.rows,
            "more": events.next is not None,
        })  # fmt: skip
    shown = [one for one in found if one["lines"] or one["coming"]]
    return render(
        request,
        "forecast/verification.html",
        stations=shown,
        silent=len(found) - len(shown),
        expected=EXPECTED,
    )


def _coming(town: Town, station: Row) -> list[Coming]:
    """Return the forecasts of the last issue whose hour has not come."""
    keys = {f"water/{station.values['code']}/forecast/{lead}": lead for lead in LEADS}
    with town.store.read() as c:
        ids = c.execute(select(datastream.c.key, datastream.c.id).where(datastream.c.key.in_(keys))).all()
    now, found = town.clock(), []
    for key, number in ids:
        for one in town.store.observations.series(number, now, limit=1, newest_first=True):
            low, high = msgspec.json.decode(one.extra or "{}")["resultQuality"]["interval90"]
            issued = one.result_time_us or one.start_us - keys[key] * HOUR_US
            found.append(
                Coming(number, keys[key], issued, one.start_us, low, float(one.result.value or 0.0), high)
            )
    return sorted(found, key=lambda f: f.lead_h)


ROUTES: list[BaseRoute] = [Route("/services/water/verification", verification)]
