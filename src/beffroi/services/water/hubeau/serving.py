"""`/api/hubeau/v2/hydrometrie/…`: the town's own stations and measurements, as Hub'Eau hydrométrie v2 answers.

A program written for Hub'Eau reads them by changing its address alone. Pages of observations follow a cursor, which
stays right while new ones arrive; 206 says that another page follows. Heights are millimetres, flows litres per second.
"""

import base64
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, or_
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US, MINUTE_US, format_instant, parse_instant
from beffroi.model.observation import Observation, Quality
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.public_stations import PublicStation, public_stations
from beffroi.standards.hubeau import VERSION, thousandfold
from beffroi.store.aggregates import Cell, Grain
from beffroi.store.good import good_cells
from beffroi.store.observations import ObservationQuery
from beffroi.store.tables import observation
from beffroi.town import Town
from beffroi.web.kit.packing import packed

__all__ = ["ROUTES"]

ROOT = "/api/hubeau/v2/hydrometrie"
SIZE, LARGEST, DEEPEST = 1_000, 20_000, 20_000
EARTH_KM = 6_371.0
_QUALIFICATIONS = {Quality.GOOD: (20, "Bonne"), Quality.SUSPECT: (12, "Douteuse")}
_UNCHECKED = (16, "Non qualifiée")
Rows = list[dict[str, Any]]


def _refuse(name: str, fr: str, en: str) -> Problem:
    return Problem(
        Text(fr, en),
        Text("Voyez la documentation de Hub'Eau.", "See the documentation of Hub'Eau."),
        place=name,
    )


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def _guarded(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Answer problems as Hub'Eau does: 400 with a code and the parameter."""

    def guarded(request: Request) -> Response:
        try:
            return answer(request)
        except Problem as problem:
            told = {
                "code": "Bad Request",
                "message": problem.reason.fr,
                "field_errors": [{"field": problem.place, "message": problem.reason.fr}],
            }
            return packed(request, msgspec.json.encode(told), "application/json", status=400)

    return guarded


def _whole(request: Request, name: str, default: int, most: int) -> int:
    written = request.query_params.get(name, str(default))
    if not (written.isdigit() and 1 <= int(written[:9]) <= most):
        raise _refuse(name, f"« {name} » va de 1 à {most}.", f"'{name}' goes from 1 to {most}.")
    return int(written)


def _listed(request: Request, name: str) -> list[str]:
    return [
        part.strip()
        for written in request.query_params.getlist(name)
        for part in written.split(",")
        if part.strip()
    ]


def _number(request: Request, name: str) -> float | None:
    written = request.query_params.get(name)
    if written is None:
        return None
    try:
        value = float(written)
    except ValueError as error:
        raise _refuse(name, "Un nombre est attendu.", "A number is expected.") from error
    if not math.isfinite(value):
        raise _refuse(name, "Un nombre est attendu.", "A number is expected.")
    return value


# --- Which stations.


def _asked(request: Request, stations: Iterable[PublicStation]) -> list[PublicStation]:
    """Return the stations that an address asks for by place: box, or distance (km) from a point."""
    box = _listed(request, "bbox")
    found = list(stations)
    if box:
        try:
            west, south, east, north = (float(part) for part in box)
        except ValueError as error:
            raise _refuse("bbox", "Quatre nombres sont attendus.", "Four numbers are expected.") from error
        found = [s for s in found if _within(s, west, south, east, north)]
    lon, lat, reach = (_number(request, name) for name in ("longitude", "latitude", "distance"))
    if lon is not None and lat is not None and reach is not None:
        found = [s for s in found if _away_km(s, lon, lat) <= reach]
    return found


def _within(station: PublicStation, west: float, south: float, east: float, north: float) -> bool:
    lon, lat = station.place
    return lon is not None and lat is not None and west <= lon <= east and south <= lat <= north


def _away_km(station: PublicStation, lon: float, lat: float) -> float:
    x, y = station.place
    if x is None or y is None:
        return math.inf
    a, b = math.radians(lat), math.radians(y)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(x - lon) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(h)))


def _station_row(station: PublicStation) -> dict[str, Any]:
    v, (lon, lat) = station.row.values, station.place
    commune = station.row.territory or ""
    return {
        "code_site": station.site, "libelle_site": v["name"], "code_station": station.code, "libelle_station": v["name"],
        "type_station": "STD", "longitude_station": lon, "latitude_station": lat, "code_projection": 26,
        "altitude_ref_alti_station": None if v["zero_m"] is None else thousandfold(v["zero_m"]), "code_systeme_alti_site": 3,
        "code_commune_station": commune, "code_departement": commune[:2], "libelle_cours_eau": v["river"], "en_service": True,
        "date_ouverture_station": format_instant(station.row.created_us), "date_fermeture_station": None,
        "date_maj_station": format_instant(station.row.updated_us),
    }  # fmt: skip


_STATION_FILTERS = (
    "code_station",
    "code_site",
    "code_commune_station",
    "code_departement",
    "libelle_cours_eau",
    "libelle_station",
    "libelle_site",
)


def stations(request: Request) -> Response:
    """Answer `referentiel/stations`."""
    rows = [(s, _station_row(s)) for s in _asked(request, public_stations(_town(request)))]
    return _referential(request, rows, _STATION_FILTERS, "code_station")


def sites(request: Request) -> Response:
    """Answer `referentiel/sites`: one for the stations of each site."""
    found: dict[str, tuple[PublicStation, dict[str, Any]]] = {}
    for station in _asked(request, public_stations(_town(request))):
        told, (lon, lat) = _station_row(station), station.place
        row = {"code_site": station.site, "libelle_site": told["libelle_site"], "code_commune_site": told["code_commune_station"],
               "code_departement": told["code_departement"], "libelle_cours_eau": told["libelle_cours_eau"], "longitude_site": lon,
               "latitude_site": lat, "date_maj_site": told["date_maj_station"], "date_premiere_donnee_dispo_site": told["date_ouverture_station"]}  # fmt: skip
        found.setdefault(station.site, (station, row))
    filters = ("code_site", "code_commune_site", "code_departement", "libelle_cours_eau", "libelle_site")
    return _referential(request, list(found.values()), filters, "code_site")


def _referential(
    request: Request, found: list[tuple[PublicStation, dict[str, Any]]], filters: tuple[str, ...], key: str
) -> Response:
    for name in filters:
        wanted = [w.lower() for w in _listed(request, name)]
        if wanted:
            near = name.startswith("libelle")
            found = [
                p
                for p in found
                if any(w in str(p[1][name]).lower() if near else w == str(p[1][name]).lower() for w in wanted)
            ]
    if request.query_params.get("en_service") == "0":
        found = []
    found.sort(key=lambda pair: str(pair[1][key]))
    rows: Rows = []
    geojson = request.query_params.get("format") == "geojson"
    for station, row in found:
        rows.append(_feature(station, _kept(request, row)) if geojson else _kept(request, row))
    return _page(request, rows, "features" if geojson else "data")


def _feature(station: PublicStation, row: dict[str, Any]) -> dict[str, Any]:
    lon, lat = station.place
    shape = None if lon is None else {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "geometry": shape, "properties": row}


def _kept(request: Request, row: Mapping[str, Any]) -> dict[str, Any]:
    fields = _listed(request, "fields")
    return {name: value for name, value in row.items() if not fields or name in fields}


def _page(request: Request, rows: Rows, holder: str = "data") -> Response:
    """Answer one numbered page of rows."""
    size, page = _whole(request, "size", SIZE, LARGEST), _whole(request, "page", 1, DEEPEST)
    if size * page > max(DEEPEST, size):
        raise _refuse("page", f"page × size dépasse {DEEPEST}.", f"page × size exceeds {DEEPEST}.")
    start = (page - 1) * size
    more = start + size < len(rows)
    links = {
        "first": _link(request, page=1),
        "prev": _link(request, page=page - 1) if page > 1 else None,
        "next": _link(request, page=page + 1) if more else None,
    }
    return _answer(request, rows[start : start + size], len(rows), links, holder)


def _link(request: Request, **changes: object) -> str:
    base = (_town(request).settings.base_url or str(request.base_url)).rstrip("/")
    url = request.url.include_query_params(**changes)
    return f"{base}{url.path}?{url.query}"


def _answer(
    request: Request, rows: Rows, count: int, links: Mapping[str, str | None], holder: str = "data"
) -> Response:
    told: dict[str, Any] = {
        "count": count,
        "first": links["first"],
        "last": None,
        "prev": links["prev"],
        "next": links["next"],
        "api_version": VERSION,
    }
    if holder == "features":
        told |= {
            "type": "FeatureCollection",
            "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
        }
    status = 206 if links["next"] else 200
    return packed(request, msgspec.json.encode({**told, holder: rows}), "application/json", status=status)


# --- Observations.


def _entities(request: Request) -> list[PublicStation]:
    """Return the stations whose code, or whose site's, is asked; all of them when none is."""
    codes = set(_listed(request, "code_entite"))
    found = _asked(request, public_stations(_town(request)))
    return [s for s in found if not codes or s.code in codes or s.site in codes]


def _instant(request: Request, name: str) -> int | None:
    written = request.query_params.get(name)
    try:
        return parse_instant(written) if written else None
    except Problem as problem:
        raise problem.at(name) from problem


def _end(request: Request, name: str) -> int | None:
    """Return the end of a range: a day alone is meant whole, and the instant itself is in."""
    at = _instant(request, name)
    whole = len(request.query_params.get(name, "")) <= len("2026-11-22")
    return None if at is None else at + (DAY_US if whole else 1)


def observations(request: Request) -> Response:
    """Answer `observations_tr`."""
    town, stations_asked = _town(request), _entities(request)
    grandeurs = _listed(request, "grandeur_hydro") or ["H", "Q"]
    owner = {
        s.series[g]: (s, g) for s in stations_asked for g in ("H", "Q") if g in s.series and g in grandeurs
    }
    down = request.query_params.get("sort", "desc") != "asc"
    size = _whole(request, "size", SIZE, LARGEST)
    after = _cursor(request)
    between = (_instant(request, "date_debut_obs"), _end(request, "date_fin_obs"))

    def wanted(_dialect: str, mark: tuple[int, int] | None = None) -> ColumnElement[bool]:
        c = observation.c
        good = c.value.is_not(None) & (c.quality != Quality.BAD)
        if mark is None:
            return good
        at, number = mark
        later = or_(c.start_us < at, and_(c.start_us == at, c.id < number)) if down else or_(c.start_us > at, and_(c.start_us == at, c.id > number))  # fmt: skip
        return and_(good, later)

    query = ObservationQuery(
        datastreams=tuple(owner), where=wanted, between=between, id_descending=down, limit=size + 1,
        order=lambda _dialect: [(observation.c.start_us, down)],
    )  # fmt: skip
    count = town.store.observations.count(msgspec.structs.replace(query, limit=None)) if owner else 0
    page = msgspec.structs.replace(query, where=lambda d: wanted(d, after))
    found = town.store.observations.select(page) if owner else []
    rows = [_kept(request, _row(o, *owner[o.datastream_id])) for o in _stepped(request, found[:size])]
    following = _link(request, cursor=_mark(found[size - 1])) if len(found) > size else None
    first = _link(request, cursor="").removesuffix("cursor=").rstrip("?&")
    return _answer(request, rows, count, {"first": first, "prev": None, "next": following})


def _mark(last: Observation) -> str:
    return base64.urlsafe_b64encode(f"{last.start_us}.{last.id}".encode()).decode().rstrip("=")


def _cursor(request: Request) -> tuple[int, int] | None:
    written = request.query_params.get("cursor", "")
    if not written:
        return None
    try:
        at, number = base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)).decode().split(".")
        mark = int(at), int(number)
    except ValueError as error:
        raise _refuse("cursor", "Ce curseur n'est pas le nôtre.", "This cursor is not ours.") from error
    return mark


def _stepped(request: Request, found: list[Observation]) -> Iterator[Observation]:
    """Yield one observation of each series a step (`timestep`, minutes)."""
    step = _whole(request, "timestep", 1, 1440) * MINUTE_US if "timestep" in request.query_params else 0
    seen: set[tuple[int, int]] = set()
    for one in found:
        place = (one.datastream_id, one.start_us // step) if step else (one.id, 0)
        if place not in seen:
            seen.add(place)
            yield one


def _row(one: Observation, station: PublicStation, grandeur: str) -> dict[str, Any]:
    lon, lat = station.place
    code, words = _QUALIFICATIONS.get(Quality(one.quality), _UNCHECKED)
    computed = one.quality == Quality.ESTIMATED or grandeur == "Q"
    at = format_instant(one.start_us)
    return {
        "code_site": station.site, "code_station": station.code, "grandeur_hydro": grandeur, "date_debut_serie": at, "date_fin_serie": at,
        "code_statut": 4, "libelle_statut": "Donnée brute", "code_systeme_alti_serie": 31, "date_obs": at,
        "resultat_obs": thousandfold(one.result.value or 0.0), "code_methode_obs": 8 if computed else 0,
        "libelle_methode_obs": "Calculée" if computed else "Mesurée", "code_qualification_obs": code, "libelle_qualification_obs": words,
        "continuite_obs_hydro": True, "longitude": lon, "latitude": lat,
    }  # fmt: skip


# --- Elaborated ones: of each UTC day or month.


# By name: H or Q, what is told of a period, and how many characters of the date make it.
_ELABORATED: dict[str, tuple[str, Callable[[Cell], float | None], int]] = {
    "QmnJ": ("Q", lambda c: c.total / c.numbers, 10), "QmM": ("Q", lambda c: c.total / c.numbers, 7), "HIXnJ": ("H", lambda c: c.high, 10),
    "HIXM": ("H", lambda c: c.high, 7), "QIXnJ": ("Q", lambda c: c.high, 10), "QIXM": ("Q", lambda c: c.high, 7),
    "QINnJ": ("Q", lambda c: c.low, 10), "QINM": ("Q", lambda c: c.low, 7),
}  # fmt: skip


def elaborated(request: Request) -> Response:
    """Answer `obs_elab`, computed from what the town measured: QmnJ alone unless another is asked."""
    town = _town(request)
    names = ["QIXM" if n == "QixM" else n for n in _listed(request, "grandeur_hydro_elab") or ["QmnJ"]]
    start, end = _instant(request, "date_debut_obs_elab"), _end(request, "date_fin_obs_elab")
    low, high = _number(request, "resultat_min"), _number(request, "resultat_max")
    rows: Rows = []
    for name in names:
        if name not in _ELABORATED:
            raise _refuse("grandeur_hydro_elab", "Cette grandeur n'existe pas.", "There is no such quantity.")
        for station in _entities(request):
            rows += [r for r in _of_station(town, station, name, start, end)
                     if (low is None or r["resultat_obs_elab"] >= low) and (high is None or r["resultat_obs_elab"] <= high)]  # fmt: skip
    rows.sort(key=lambda r: (r["code_station"], r["date_obs_elab"], r["grandeur_hydro_elab"]))
    return _page(request, [_kept(request, row) for row in rows])


def _of_station(
    town: Town, station: PublicStation, name: str, start: int | None, end: int | None
) -> Iterator[dict[str, Any]]:
    grandeur, told, length = _ELABORATED[name]
    number = station.series.get(grandeur)
    if number is None:
        return
    days = good_cells(town.store.observations, (number,), start, end, Grain(DAY_US))[number]
    periods: dict[str, Cell] = {}
    for day, cell in days.items():
        period = format_instant(day * DAY_US)[:length]
        if period in periods:
            periods[period].add(cell)
        else:
            periods[period] = cell
    lon, lat = station.place
    for period, cell in periods.items():
        yield {
            "code_site": station.site, "code_station": station.code, "date_obs_elab": period if length == 10 else f"{period}-01",
            "resultat_obs_elab": round(1000 * (told(cell) or 0.0), 3), "date_prod": format_instant(town.clock()), "code_statut": 4,
            "libelle_statut": "Donnée brute", "code_methode": 8, "libelle_methode": "Calculée", "code_qualification": 16,
            "libelle_qualification": "Non qualifiée", "longitude": lon, "latitude": lat, "grandeur_hydro_elab": name,
        }  # fmt: skip


ROUTES: list[BaseRoute] = [
    Route(f"{ROOT}/referentiel/stations", _guarded(stations)),
    Route(f"{ROOT}/referentiel/sites", _guarded(sites)),
    Route(f"{ROOT}/observations_tr", _guarded(observations)),
    Route(f"{ROOT}/obs_elab", _guarded(elaborated)),
]
