"""Where the ground of a town comes from: one row of `SOURCES` per public source, from the network or from files.

Each source knows the names its files go by, the address it is asked at, and how its rows become entries.
"""

import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.layer_file import LayerRow, layers_of, number_of
from beffroi.standards.placing import placed, sample
from beffroi.standards.pmtiles import Ground
from beffroi.standards.text_table import open_table
from beffroi.store.record import Entry

__all__ = ["SOURCES", "Commune", "Found", "Source", "communes_in", "department_of"]

NEAR_DEGREES = 0.2  # some 20 km: stations that tell of the town's river and air
_OVERPASS = (
    '[out:xml][timeout:180];area["ref:INSEE"="{insee}"]->.a;(way(area.a)[highway];way(area.a)[building];'
    "way(area.a)[waterway];way(area.a)[natural=water];way(area.a)[railway=rail];);(._;>;);out;"
)


class Commune(msgspec.Struct, frozen=True):
    """The commune that moves in: INSEE code, name, limits in WGS 84."""

    insee: str
    name: str
    boundary: BaseGeometry

    @property
    def box(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the commune and of what is near."""
        west, south, east, north = self.boundary.bounds
        return west - NEAR_DEGREES, south - NEAR_DEGREES, east + NEAR_DEGREES, north + NEAR_DEGREES


class Found(msgspec.Struct, frozen=True):
    """One row of a source: the entry, its collection, and what it is on the base map, if anything."""

    collection: str
    entry: Entry
    ground: Ground | None = None


class Source(msgspec.Struct, frozen=True):
    """One public source. `files`: patterns of the files it comes as; `address`: where it is asked, "" when it needs a
    key or a form; `file`: what a download is called; `credit` is owed wherever it is shown."""

    title: Text
    files: tuple[str, ...]
    read: Callable[[Path, Commune], Iterator[Found]]
    address: str = ""
    file: str = ""
    credit: str = ""
    absent: Text = Text("", "")  # why it may be absent, when nobody can ask for it


def department_of(insee: str) -> str:
    """Return the department of an INSEE code, overseas ones in three figures."""
    return insee[:3] if insee[:2] in ("97", "98") else insee[:2]


# --- limits


def communes_in(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield INSEE code, name and limits (WGS 84) of the communes of a file. Raises `Problem`."""
    for _, row, geometry in _rows(path):
        code = _first(row, "code", "insee", "INSEE_COM", "code_insee", "insee_com")
        if code and geometry is not None:
            yield code, _first(row, "nom", "NOM", "name", "nom_commune") or code, geometry


def _communes(path: Path, here: Commune) -> Iterator[Found]:
    for code, name, geometry in communes_in(path):
        limits = shape(geometry)
        own = code == here.insee
        if own or limits.intersects(here.boundary):
            entry = Entry(
                {"code": code, "nom": name, "voisine": not own, "code_insee": code, "source": path.name},
                geometry,
                code,
                code,
            )
            yield Found("communes", entry, Ground("boundary", _about(limits.boundary, here), name))


def _about(line: BaseGeometry, here: Commune) -> BaseGeometry:
    """Return the part of a line that is around the commune: the base map is of the commune, not of its neighbours."""
    west, south, east, north = here.boundary.bounds
    wide, high = (east - west) / 10, (north - south) / 10
    return shapely.clip_by_rect(line, west - wide, south - high, east + wide, north + high)


# --- addresses


def _addresses(path: Path, here: Commune) -> Iterator[Found]:
    """Read BAN (`code_insee`, `id`) and BAL (`commune_insee`, `cle_interop`) tables, packed or not."""
    packed = path.suffix == ".gz"
    data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    table = open_table(io.BytesIO(data))
    names = [n.strip().lower() for n in table.header]
    for line, cells in table.rows():
        if cells is None:
            continue
        row = dict(zip(names, cells, strict=False))
        if _first(row, "code_insee", "commune_insee") != here.insee:
            continue
        lon, lat = number_of(_first(row, "lon", "long")), number_of(row.get("lat"))
        number = f"{_first(row, 'numero')}{(' ' + _first(row, 'rep', 'suffixe')).rstrip()}"
        street = _first(row, "nom_voie", "voie_nom")
        code = _first(row, "id", "uid_adresse", "cle_interop")
        values = {
            "code": code, "numero": number, "voie": street, "libelle": f"{number} {street}".strip(),
            "code_postal": _first(row, "code_postal"), "code_insee": here.insee, "source": path.name,
        }  # fmt: skip
        place = None if lon is None or lat is None else {"type": "Point", "coordinates": [lon, lat]}
        yield Found(
            "adresses", Entry({k: v for k, v in values.items() if v}, place, here.insee, f"line {line}")
        )


# --- OpenStreetMap: streets, buildings, water


def _openstreetmap(path: Path, here: Commune) -> Iterator[Found]:
    from beffroi.standards.pmtiles import osm_ways  # noqa: PLC0415 -- needs the extra [tiles]

    shapely.prepare(here.boundary)
    for number, way in osm_ways(path):
        ground = way
        if not here.boundary.intersects(ground.geometry):
            continue
        into = _OSM_INTO.get(ground.kind)
        if into is None:
            yield Found("", Entry({}), ground)
            continue
        values = {
            "code": f"osm-{number}",
            "nom": ground.name or None,
            "nature": ground.kind,
            "code_insee": here.insee,
            "source": path.name,
        }
        entry = Entry(
            {k: v for k, v in values.items() if v},
            _sound(ground.geometry),
            here.insee,
            f"way {number}",
        )
        yield Found(into, entry, ground)


_OSM_INTO = {
    **dict.fromkeys(("motorway", "trunk", "primary", "secondary", "tertiary", "street", "path"), "voies"),
    "building": "batiments", "water": "eaux", "river": "eaux",
}  # fmt: skip


# --- IGN BD TOPO


def _bd_topo(collection: str, kind: str) -> Callable[[Path, Commune], Iterator[Found]]:
    def read(path: Path, here: Commune) -> Iterator[Found]:
        shapely.prepare(here.boundary)
        for place, row, geometry in _rows(path):
            if geometry is None or not here.boundary.intersects(shape(geometry)):
                continue
            nature = _first(row, "NATURE", "nature")
            name = _first(row, "NOM", "TOPONYME", "NOM_C_EAU", "nom", "toponyme", "NOM_1_G", "NOM_VOIE_G")
            values = {
                "code": _first(row, "ID", "cleabs"),
                "nom": name,
                "nature": nature,
                "code_insee": here.insee,
                "source": path.name,
            }
            entry = Entry({k: v for k, v in values.items() if v}, _sound(shape(geometry)), here.insee, place)
            yield Found(collection, entry, Ground(kind, shape(geometry), name))

    return read


# --- stations


def _hydro(path: Path, here: Commune) -> Iterator[Found]:
    """Read the answer of Hub'Eau's list of hydrometric stations."""
    try:
        whole = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        listed = [dict(one) for one in whole.get("data", [])]
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise Problem(Text("Ce n'est pas la liste de stations de Hub'Eau.", "This is not Hub'Eau's list of stations."),
                      Text("Téléchargez-la de nouveau.", "Download it again."), place=str(path)) from error  # fmt: skip
    for one in listed:
        lon, lat = number_of(one.get("longitude_station")), number_of(one.get("latitude_station"))
        if lon is None or lat is None or not one.get("code_station"):
            continue
        yield from _station(path, here, str(one["code_station"]), str(one.get("libelle_station") or ""), "hydrométrie", lon, lat,
                            str(one.get("code_commune_station") or ""))  # fmt: skip


def _air(path: Path, here: Commune) -> Iterator[Found]:
    for place, row, geometry in _rows(path):
        if geometry is not None and geometry["type"] == "Point":
            lon, lat = geometry["coordinates"][:2]
            code = _first(row, "code_site", "code_station", "code", "id") or place
            yield from _station(
                path,
                here,
                code,
                _first(row, "nom_site", "nom_station", "nom", "name"),
                "air",
                lon,
                lat,
                _first(row, "insee_com"),
            )


def _station(
    path: Path, here: Commune, code: str, name: str, what: str, lon: float, lat: float, insee: str
) -> Iterator[Found]:
    west, south, east, north = here.box
    if west <= lon <= east and south <= lat <= north:
        values = {
            "code": code,
            "nom": name or code,
            "mesure": what,
            "code_insee": insee or here.insee,
            "source": path.name,
        }
        yield Found(
            "stations_voisines", Entry(values, {"type": "Point", "coordinates": [lon, lat]}, here.insee, code)
        )


# --- what they share


def _sound(geometry: BaseGeometry) -> dict[str, Any]:
    """Return a geometry whose rings cross themselves mended, when that leaves something of it."""
    flat = shapely.force_2d(geometry)
    if not flat.is_valid and flat.geom_type in ("Polygon", "MultiPolygon"):
        parts = shapely.get_parts(shapely.make_valid(flat))
        areas = [p for p in parts if p.geom_type in ("Polygon", "MultiPolygon") and p.area > 0]
        flat = shapely.union_all(areas) if areas else flat
    return dict(mapping(flat))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any] | None]]:
    """Yield place, values and WGS 84 geometry of the rows of any layer file."""
    kinds = {".shp": "shp", ".zip": "shp", ".gpkg": "gpkg", ".csv": "csv", ".xlsx": "xlsx"}
    for layer in layers_of(path, kinds.get(path.suffix.lower(), "geojson")):
        shapes = (row.geometry for row in layer.rows() if isinstance(row, LayerRow))
        move = placed(sample(shapes), layer.crs).move
        for row in layer.rows():
            if isinstance(row, LayerRow):
                yield row.place, row.values, row.geometry and move(row.geometry)


def _first(row: dict[str, Any], *names: str) -> str:
    return next((str(row[n]).strip() for n in names if row.get(n) not in (None, "")), "")


ETALAB, ODBL = "Licence Ouverte 2.0", "ODbL 1.0"
SOURCES: dict[str, Source] = {
    "communes": Source(
        Text("Limites des communes", "Limits of communes"), ("communes*.geojson", "communes*.json", "COMMUNE.shp"), _communes,
        "https://geo.api.gouv.fr/departements/{department}/communes?fields=nom,code&format=geojson&geometry=contour",
        "communes-{department}.geojson", f"IGN Admin Express, {ETALAB}",
    ),
    "adresses": Source(
        Text("Adresses (BAN, BAL)", "Addresses (BAN, BAL)"), ("adresses*.csv", "adresses*.csv.gz", "ban*.csv", "ban*.csv.gz", "bal*.csv"), _addresses,
        "https://adresse.data.gouv.fr/data/ban/adresses/latest/csv/adresses-{department}.csv.gz", "adresses-{department}.csv.gz",
        f"Base Adresse Nationale, {ETALAB}",
    ),
    "openstreetmap": Source(
        Text("Rues, bâtiments et eaux d'OpenStreetMap", "Streets, buildings and waters of OpenStreetMap"), ("*.osm", "*.osm.pbf", "*.pbf"), _openstreetmap,
        "https://overpass-api.de/api/interpreter?data=" + _OVERPASS, "openstreetmap-{insee}.osm", f"© OpenStreetMap, {ODBL}",
    ),
    "bdtopo-batiments": Source(
        Text("Bâtiments de la BD TOPO", "Buildings of BD TOPO"), ("BATIMENT.shp", "batiment*.gpkg", "bdtopo*.gpkg"), _bd_topo("batiments", "building"),
        credit=f"IGN BD TOPO, {ETALAB}", absent=Text("livrée par département : à télécharger, puis à donner en fichier", "delivered by department: to download, then to give as a file"),
    ),
    "bdtopo-eaux": Source(
        Text("Eaux de la BD TOPO", "Waters of BD TOPO"), ("SURFACE_HYDROGRAPHIQUE.shp",), _bd_topo("eaux", "water"),
        credit=f"IGN BD TOPO, {ETALAB}", absent=Text("livrée par département : à télécharger, puis à donner en fichier", "delivered by department: to download, then to give as a file"),
    ),
    "stations-hydro": Source(
        Text("Stations hydrométriques voisines (Hub'Eau)", "Hydrometric stations nearby (Hub'Eau)"), ("stations_hydro*.json", "stations-hydro*.json"), _hydro,
        "https://hubeau.eaufrance.fr/api/v2/hydrometrie/referentiel/stations?bbox={box}&en_service=true&format=json&size=500",
        "stations-hydro-{insee}.json", f"Hub'Eau, {ETALAB}",
    ),
    "stations-air": Source(
        Text("Stations de qualité de l'air voisines", "Air-quality stations nearby"), ("stations_air*.*", "stations-air*.*"), _air,
        credit="Geod'air, LCSQA", absent=Text("Geod'air demande un compte : liste à télécharger, puis à donner en fichier", "Geod'air wants an account: a list to download, then to give as a file"),
    ),
}  # fmt: skip
