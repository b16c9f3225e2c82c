"""`/api/vigicrues/services/…`: the town's own rivers in the shapes of Vigicrues's services, for programs written for it.

A river is a section, the town a territory; colours are the town's own. Nothing here is, or is said to be, Vigicrues.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US, format_instant
from beffroi.model.observation import Quality
from beffroi.model.reference_system import projection
from beffroi.services.water.public_stations import PublicStation, public_stations
from beffroi.services.water.warning.messages import slug_of
from beffroi.services.water.warning.ranks import rank
from beffroi.services.water.warning.standing import rivers
from beffroi.town import Town
from beffroi.web.kit.packing import packed

__all__ = ["ROUTES"]

ROOT = "/api/vigicrues"
TERRITORY = "1"
DAYS = 3
VERSION = "1.1"


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def _json(request: Request, told: Any, media_type: str = "application/json") -> Response:
    return packed(request, msgspec.json.encode(told), media_type, headers={"Cache-Control": "no-cache"})


def _error(request: Request, words: str) -> Response:
    """Answer an error as Vigicrues does: with the status 200."""
    return _json(request, {"error_msg": words})


def _station(request: Request) -> PublicStation | None:
    code = request.query_params.get("CdStationHydro", "")
    return next((s for s in public_stations(_town(request)) if s.code == code), None)


def territories(request: Request) -> Response:
    """Answer the territories (the town), or the sections of one."""
    town = _town(request)
    entry: dict[str, Any] = {"CdEntVigiCru": TERRITORY, "TypEntVigiCru": "5", "LbEntVigiCru": town.name}
    asked = request.query_params.get("CdEntVigiCru")
    if asked is not None:
        entry["aNMoinsUn"] = [
            {"CdEntVigiCruInferieur": slug, "TypEntVigiCruInferieur": "8", "LbEntVigiCruInferieur": name}
            for slug, name in _rivers(town).items()
        ]  # fmt: skip
    return _json(
        request, {"VersionFlux": VERSION, "ListEntVigiCru": [entry] if asked in (None, TERRITORY) else []}
    )


def _rivers(town: Town) -> dict[str, str]:
    return {slug_of(s.row.values["river"]): s.row.values["river"] for s in public_stations(town)}


def sections(request: Request) -> Response:
    """Answer the sections (rivers), or the stations of one."""
    town = _town(request)
    asked = request.query_params.get("CdEntVigiCru")
    found = [
        {
            "CdEntVigiCru": slug, "TypEntVigiCru": "8", "LbEntVigiCru": name,
            "aNMoinsUn": [{"CdEntVigiCruInferieur": s.code, "TypEntVigiCruInferieur": "7", "LbEntVigiCruInferieur": s.row.values["name"]}
                          for s in public_stations(town) if slug_of(s.row.values["river"]) == slug],
        }
        for slug, name in _rivers(town).items() if asked in (None, slug, TERRITORY)
    ]  # fmt: skip
    return _json(request, {"VersionFlux": VERSION, "ListEntVigiCru": found})


def colours(request: Request) -> Response:
    """Answer the colour of each river now; one that cannot be said (silent, without a threshold) is left out."""
    features = [
        {"type": "Feature", "geometry": None, "properties": {
            "CdEntCru": river.slug, "TypEntCru": 8, "lbentcru": river.name, "acroentcru": river.name, "NivInfViCr": rank(river.colour) + 1}}
        for river in rivers(_town(request)) if river.colour
    ]  # fmt: skip
    return _json(request, {"type": "FeatureCollection", "features": features}, "application/geo+json")


def station(request: Request) -> Response:
    """Answer what is known of a station; places are Lambert-93 metres, as text."""
    found = _station(request)
    if found is None:
        return _error(request, "Aucune station de ce code")
    v, (lon, lat) = found.row.values, found.place
    x, y = projection(4326, 2154).transform(lon, lat) if lon is not None else (None, None)
    others = [s for s in public_stations(_town(request)) if s.row.values["river"] == v["river"]]
    return _json(request, {
        "VersionFlux": VERSION, "CdStationHydro": found.code, "LbStationHydro": v["name"], "LbCoursEau": v["river"], "CdCommune": found.row.territory or "",
        "CoordStationHydro": {"CoordXStationHydro": "" if x is None else f"{x:.1f}", "CoordYStationHydro": "" if y is None else f"{y:.1f}"},
        "VigilanceCrues": {
            "StationPrevision": v["forecast"] is not None, "Photo": None, "CruesHistoriques": [],
            "StationsBassin": [{"CdStationHydro": s.code, "LbStationHydro": s.row.values["name"], "LbCoursEau": v["river"]} for s in others],
        },
    })  # fmt: skip


def _at(request: Request, instant_us: int) -> str | int:
    """Return an instant as it is asked for: ISO 8601, else milliseconds."""
    if request.query_params.get("FormatDate") == "iso":
        return format_instant(instant_us).replace("Z", "+00:00")
    return instant_us // 1000


def observations(request: Request) -> Response:
    """Answer the last days of a station, H (m) or Q (m³/s), the oldest first."""
    found, grandeur = _station(request), request.query_params.get("GrdSerie", "H")
    number = found.series.get(grandeur) if found else None
    if found is None or number is None:
        return _error(request, "Aucune observation pour cette station")
    town = _town(request)
    rows = [
        {"DtObsHydro": _at(request, o.start_us), "ResObsHydro": o.result.value}
        for o in town.store.observations.series(number, town.clock() - DAYS * DAY_US)
        if o.result.value is not None and o.quality != Quality.BAD
    ]
    serie = {
        "CdStationHydro": found.code,
        "LbStationHydro": found.row.values["name"],
        "GrdSerie": grandeur,
        "ObssHydro": rows,
    }
    return _json(request, {"VersionFlux": VERSION, "Serie": serie})


def forecasts(request: Request) -> Response:
    """Answer the newest forecast of a station (low, middle and high); an error with the status 200 when there is none."""
    found = _station(request)
    number = found.row.values["forecast"] if found else None
    last = _town(request).store.observations.last([number]).get(number) if number is not None else None
    course = _course(last.extra) if last is not None else []
    if found is None or last is None or not course:
        return _error(request, "Aucune prévision pour cette station")
    prevs = [
        dict(zip(("DtPrev", "ResMinPrev", "ResMoyPrev", "ResMaxPrev"), point, strict=True))
        for point in course
    ]
    simul = {
        "CdStationHydro": found.code,
        "GrdSimul": "H",
        "DtProdSimul": _at(request, last.start_us),
        "CommentSimul": "",
        "Prevs": prevs,
    }
    return _json(request, {"VersionFlux": VERSION, "Simul": simul})


def _course(extra: str | None) -> list[Any]:
    told = msgspec.json.decode(extra) if extra else {}
    parameters = told.get("parameters") if isinstance(told, dict) else None
    course = parameters.get("forecast") if isinstance(parameters, Mapping) else None
    return [p for p in course if isinstance(p, list) and len(p) == 4] if isinstance(course, list) else []


def search(request: Request) -> Response:
    """Answer the search of stations by name (`where=search(lbstationhydro, "…")`)."""
    words = request.query_params.get("where", "").partition('"')[2].rpartition('"')[0].lower()
    found = [
        {"cdstationhydro": s.code, "lbstationhydro": s.row.values["name"], "dtfermeturestationhydro": None}
        for s in public_stations(_town(request)) if words in s.row.values["name"].lower()
    ]  # fmt: skip
    return _json(request, {"total_count": len(found), "results": found})


ROUTES: list[BaseRoute] = [
    Route(f"{ROOT}/services/TerEntVigiCru.json", territories),
    Route(f"{ROOT}/services/v1.1/TerEntVigiCru.json", territories),
    Route(f"{ROOT}/services/v1.1/TronEntVigiCru.json", sections),
    Route(f"{ROOT}/services/InfoVigiCru.geojson", colours),
    Route(f"{ROOT}/services/station.json/index.php", station),
    Route(f"{ROOT}/services/observations.json/index.php", observations),
    Route(f"{ROOT}/services/previsions.json/index.php", forecasts),
    Route(f"{ROOT}/stations/records", search),
]
