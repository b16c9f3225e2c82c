"""`/capteurs` and `/capteurs/{id}`: the things of the town, their newest values, which are silent and since when."""

import csv
import io
from typing import Any

import msgspec
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US, format_instant
from beffroi.model.text import Text
from beffroi.store.tables import territory
from beffroi.town import Town
from beffroi.web.kit.card import Card
from beffroi.web.kit.chart import spark
from beffroi.web.kit.map import MapView
from beffroi.web.kit.packing import packed
from beffroi.web.kit.page import figures_of, principal_of, render, translate, with_query, words_of
from beffroi.web.kit.table import Cell, Column, Pager, Row
from beffroi.web.site.base_map import base_map
from beffroi.web.site.catalogue import Series, Station, find_station, silent, stations, things_count
from beffroi.web.site.commands import commands_of
from beffroi.web.site.open_alarms import alarm_rows, open_alarms
from beffroi.web.site.series import qualities
from beffroi.web.site.trace import traces

__all__ = ["ROUTES", "as_csv", "as_geojson", "index", "series_card"]

PAGE = 50
MOST_EXPORTED = 20_000
CARDS = 12
MUTE = Text("muet", "silent")
PROPERTIES = {
    "category": Text("Catégorie", "Category"), "model": Text("Modèle", "Model"), "battery": Text("Pile", "Battery"),
    "manufacturer": Text("Fabricant", "Manufacturer"), "serial": Text("Numéro de série", "Serial number"),
    "installed": Text("Posé le", "Installed on"), "contract": Text("Contrat", "Contract"),
}  # fmt: skip
SAID_ALREADY = ("commune", "insee", "territory")


def _filters(request: Request) -> dict[str, Any]:
    query = request.query_params
    return {"words": query.get("q", "").strip()[:100], "service": query.get("service", "")[:50]}


def _states(request: Request, station: Station, now_us: int) -> Cell:
    """Return in words how a thing is doing: waiting for approval, without data, silent or well."""
    _ = translate(request)
    times = [s.at_us for s in station.series if s.at_us is not None]
    if not station.approved:
        return Cell(_("à approuver"), severity="jaune")
    if not times:
        return Cell(_("sans donnée"))
    if any(silent(s, now_us) for s in station.series):
        return Cell(_("muet"), severity="jaune")
    return Cell(_("en service"))


def _newest(station: Station) -> Series | None:
    return max((s for s in station.series if s.at_us is not None), key=lambda s: s.at_us or 0, default=None)


def _row(request: Request, station: Station, now_us: int, services: dict[str, str]) -> Row:
    newest = _newest(station)
    cells = {
        "name": Cell(station.name, note=station.place_name if station.place_name != station.name else ""),
        "service": services.get(station.service, station.service),
        "series": len(station.series),
        "value": _value(request, newest) if newest else None,
        "at": newest.at_us if newest else None,
        "state": _states(request, station, now_us),
    }
    return Row(cells, f"/capteurs/{station.id}")


def _value(request: Request, series: Series) -> str:
    figures = figures_of(request)
    value = series.said(figures.words.language) if series.components else series.value
    shown = value if isinstance(value, str) else figures.quantity(value, series.unit, series.decimals)
    return f"{series.observed} : {shown}" if figures.words.language == "fr" else f"{series.observed}: {shown}"


def index(request: Request) -> Response:
    """Answer the list of things, 50 a page; `?etat=muets` keeps the silent ones, the longest silent first."""
    town: Town = request.app.state.town
    who, now, _ = principal_of(request), town.clock(), translate(request)
    filters = _filters(request)
    services = {s.name: s.title.of(words_of(request).language) for s in town.registry.services.values()}
    only_silent = request.query_params.get("etat") == "muets"
    page = max(1, int(request.query_params["page"])) if request.query_params.get("page", "").isdigit() else 1
    if only_silent:
        found = [
            s
            for s in stations(town, who, **filters, language=words_of(request).language)
            if any(silent(x, now) for x in s.series)
        ]
        found.sort(key=lambda s: min(x.at_us or 0 for x in s.series if silent(x, now)))
        total = len(found)
        shown = found[(page - 1) * PAGE : page * PAGE]
    else:
        total = things_count(town, who, **filters)
        shown = stations(
            town, who, **filters, language=words_of(request).language, limit=PAGE, offset=(page - 1) * PAGE
        )
    columns = [
        Column("name", _("Nom")), Column("state", _("État")), Column("value", _("Dernière valeur")), Column("at", _("Reçue"), "age"),
        Column("series", _("Séries"), "number", decimals=0), Column("service", _("Service")),
    ]  # fmt: skip
    first = (page - 1) * PAGE + 1
    pager = Pager(
        first if shown else 0, first + len(shown) - 1 if shown else 0, total,
        with_query(request, page=page - 1) if page > 1 else "",
        with_query(request, page=page + 1) if first + PAGE <= total else "",
    )  # fmt: skip
    query = f"?{request.url.query}" if request.url.query else ""
    return render(
        request, "site/things.html", columns=columns, rows=[_row(request, s, now, services) for s in shown], pager=pager,
        total=total, filters=filters, services=services, only_silent=only_silent,
        exports=[("CSV", f"{request.url.path}.csv{query}"), ("GeoJSON", f"{request.url.path}.geojson{query}"), ("SensorThings", "/sensorthings/v1.1/Things")],
    )  # fmt: skip


def series_card(
    town: Town, series: Series, language: str, title: str = "", period_us: int = DAY_US, *, noted: bool = True
) -> Card:
    """Return the card of a series: newest value, its trend over the period that ends now (or at the last value)."""
    now = town.clock()
    end = now if series.at_us is None or series.at_us > now - period_us else series.at_us + 1
    part = (0 if series.components else None,)
    (trace,) = traces(town, series.id, end - period_us, end + DAY_US, part)
    return Card(
        title or series.name, series.said(language) if series.components else series.value, f"/series/{series.id}", unit=series.unit, decimals=series.decimals,
        at_us=series.at_us, trend=spark(trace.points, end - period_us, end), live=series.id,
        severity="jaune" if silent(series, now) else "", said=MUTE.of(language),
        quality=qualities(series.last.quality, language) if series.last and series.doubtful else "",
        note=series.thing if noted else "",
    )  # fmt: skip


def detail(request: Request) -> Response:
    """Answer the page of one thing."""
    town: Town = request.app.state.town
    who = principal_of(request)
    language = words_of(request).language
    _ = translate(request)
    station = find_station(town, who, request.path_params["id"], language=words_of(request).language)
    alarms = [a for a in open_alarms(town, who, language) if a.thing_id == station.id]
    view = None
    if station.place is not None:
        lon, lat = station.place
        base = base_map(town)
        view = MapView(
            _("Où est {name}", name=station.name), f"/carte.geojson?objet={station.id}", base.drawing(station.place),
            (lon - 0.006, lat - 0.004, lon + 0.006, lat + 0.004), base.url, base.credit, small=True,
        )  # fmt: skip
    service = town.registry.services.get(station.service)
    return render(
        request, "site/thing.html", station=station, state=_states(request, station, town.clock()),
        cards=[series_card(town, s, language, s.short, noted=False) for s in station.series[:CARDS]], rest=station.series[CARDS:],
        alarms=alarm_rows(alarms, {}, {}), view=view, service=service.title.of(language) if service else "",
        extra=_properties(station, language), commune=_commune(town, station), seq=town.store.observations.head(),
        origin=town.settings.base_url or str(request.base_url).rstrip("/"), commands=commands_of(request, station),
    )  # fmt: skip


def _properties(station: Station, language: str) -> list[tuple[str, str]]:
    """Return what the thing says of itself, in words where we know them."""
    return [
        (PROPERTIES[key].of(language) if key in PROPERTIES else key, _plain(value))
        for key, value in sorted(station.properties.items())
        if key not in SAID_ALREADY
    ]


def _commune(town: Town, station: Station) -> str:
    with town.store.read() as connection:
        name = connection.execute(
            select(territory.c.name).where(territory.c.code == station.territory)
        ).scalar()
    return f"{name} ({station.territory})" if name else station.territory or "–"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _features(town: Town, request: Request) -> list[dict[str, Any]]:
    found = stations(
        town,
        principal_of(request),
        **_filters(request),
        language=words_of(request).language,
        limit=MOST_EXPORTED,
    )
    return [
        {
            "type": "Feature", "id": s.id,
            "geometry": None if s.place is None else {"type": "Point", "coordinates": list(s.place)},
            "properties": {"name": s.name, "description": s.description, "service": s.service, "territory": s.territory,
                           "series": [x.id for x in s.series], **_last(s)},
        }
        for s in found
    ]  # fmt: skip


def _last(station: Station) -> dict[str, Any]:
    newest = _newest(station)
    if newest is None or newest.at_us is None:
        return {"observed": None, "value": None, "unit": None, "at": None}
    return {
        "observed": newest.observed,
        "value": newest.value,
        "unit": newest.unit,
        "at": format_instant(newest.at_us),
    }


def as_geojson(request: Request) -> Response:
    """Answer the things as GeoJSON (RFC 7946)."""
    body = {"type": "FeatureCollection", "features": _features(request.app.state.town, request)}
    return packed(request, msgspec.json.encode(body), "application/geo+json")


def as_csv(request: Request) -> Response:
    """Answer the things as CSV: `;`, decimal comma, UTF-8 with its mark."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(
        (
            "id",
            "nom",
            "description",
            "service",
            "longitude",
            "latitude",
            "grandeur",
            "valeur",
            "unite",
            "date",
        )
    )
    for f in _features(request.app.state.town, request):
        p, place = f["properties"], (f["geometry"] or {}).get("coordinates", ("", ""))
        row = [
            f["id"],
            p["name"],
            p["description"],
            p["service"],
            *place,
            p["observed"],
            p["value"],
            p["unit"],
            p["at"],
        ]
        writer.writerow([_cell(value) for value in row])
    headers = {"Content-Disposition": 'attachment; filename="capteurs.csv"'}
    return packed(request, b"\xef\xbb\xbf" + out.getvalue().encode(), "text/csv; charset=utf-8", 200, headers)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return str(value).replace(".", ",")
    text = "" if value is None else str(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text  # no cell may be read as a formula


ROUTES: list[BaseRoute] = [
    Route("/capteurs", index, name="things"),
    Route("/capteurs.csv", as_csv),
    Route("/capteurs.geojson", as_geojson),
    Route("/capteurs/{id:int}", detail),
]
