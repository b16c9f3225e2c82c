"""The kinds of files that `beffroi import` reads, as data. A service adds its own with `IMPORTS`."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from beffroi.model.declaration import KindOfImport
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.standards import comptage, geojson, istsos, mapped_table, opendatasoft, stage_table

__all__ = ["KINDS", "LAYER_KINDS", "kind_called", "kinds_of"]

LAYER_KINDS = ("geojson", "csv", "xlsx", "gpkg", "shp")  # whose columns mean what a person says they do


def _file(read: Callable[[BinaryIO, Mapping[str, Any]], Any]) -> Callable[[Path, Mapping[str, Any]], Any]:
    def rows(path: Path, options: Mapping[str, Any]) -> Any:
        with path.open("rb") as stream:
            yield from read(stream, {"stem": path.stem, **options})

    return rows


def _kind(
    name: str, fr: str, en: str, read: Callable[..., Any], *extensions: str, signs: tuple[str, ...] = ()
) -> KindOfImport:
    return KindOfImport(name, Text(fr, en), _file(read), extensions, signs=signs)


def _features(stream: BinaryIO, _options: Mapping[str, Any]) -> Any:
    return geojson.features(stream)


KINDS: tuple[KindOfImport, ...] = (
    _kind("istsos-csv", "CSV d'istSOS (stations météo)", "istSOS CSV (weather stations)", istsos.read, ".csv", signs=istsos.NEEDED),
    _kind(
        "stage-tsv", "Hauteurs d'une rivière (H en cm, jour Excel et date)",
        "River stages (H in cm, Excel day and time)", stage_table.read, ".tsv",
    ),
    _kind(
        "opendatasoft", "Enregistrements JSON d'un portail Opendatasoft (v1, v2, exports)",
        "JSON records of an Opendatasoft portal (v1, v2, exports)", opendatasoft.read, ".json",
    ),
    _kind(
        "comptage", "Comptages des mobilités (schéma national)", "Mobility counts (national schema)",
        comptage.read, ".csv", signs=comptage.NEEDED,
    ),
    _kind(
        "geojson", "Couche GeoJSON : une collection au nom du fichier, ou --collection",
        "GeoJSON layer: a collection named after the file, or --collection", _features, ".geojson", ".json",
    ),
    _kind(
        "csv", "Tableau : une collection au nom du fichier, ou des mesures avec une correspondance (--mapping)",
        "Table: a collection named after the file, or measurements with a mapping file (--mapping)", mapped_table.read, ".csv", ".tsv", ".txt",
    ),
    _kind("xlsx", "Tableur Excel : une collection au nom du fichier", "Excel workbook: a collection named after the file",
          _features, ".xlsx"),
    _kind("gpkg", "GeoPackage : une collection par couche", "GeoPackage: a collection per layer", _features, ".gpkg"),
    _kind("shp", "Shapefile (ou son .zip) : une collection au nom du fichier",
          "Shapefile (or its .zip): a collection named after the file", _features, ".shp", ".zip"),
)  # fmt: skip


def kind_called(name: str, more: Iterable[KindOfImport] = ()) -> KindOfImport:
    """Return the kind of file called `name`, of ours or of `more`. Raises `NotFound` naming those there are."""
    kinds = {kind.name: kind for kind in (*KINDS, *more)}
    if name not in kinds:
        raise NotFound(
            Text(
                "« {name} » n'est pas une sorte de fichier connue.", "'{name}' is no known kind of file."
            ).filled(name=name[:40].replace("{", "(").replace("}", ")")),
            Text("Les sortes connues : {names}.", "The known kinds: {names}.").filled(names=", ".join(kinds)),
            place="KIND",
        )
    return kinds[name]


def kinds_of(name: str, more: Iterable[KindOfImport] = ()) -> list[KindOfImport]:
    """Return the kinds, of ours and of `more`, that a file called `name` may be of and that know what its columns mean."""
    ending = name.lower()
    return [k for k in (*KINDS, *more) if k.name not in LAYER_KINDS and ending.endswith(k.extensions)]
