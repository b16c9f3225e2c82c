"""Layers: any file of features or rows, whatever programme wrote it, as columns and rows.

Reads GeoJSON, CSV, Excel (.xlsx), GeoPackage and shapefile. A place is the row's own geometry, or two columns of
coordinates, or one column that holds both; its reference system is what the file names, if it names one.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import shapely

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.geojson import Feature, features
from beffroi.standards.reading import Reject
from beffroi.standards.text_table import open_table

__all__ = ["KINDS", "Layer", "LayerRow", "folded", "layers_of", "number_of"]

_BATCH = 5_000
_X = re.compile(
    r"(x|lon|long|longitude|lng|coord_?x|x_.{0,12}|.{0,12}_x|longitude_.{0,8}|.{0,8}_longitude|.{0,8}_lon)\Z"
)
_Y = re.compile(r"(y|lat|latitude|coord_?y|y_.{0,12}|.{0,12}_y|latitude_.{0,8}|.{0,8}_latitude|.{0,8}_lat)\Z")  # fmt: skip
_BOTH = re.compile(
    r"(geo_?point.*|geopoint|coordonnees.*|coordinates|lat_?lon.*|latlng|geolocalisation|position)\Z"
)
_SHAPE = re.compile(r"(wkt|geom|geometry|the_geom|geo_?shape|wkb.*|geometrie)\Z")
_PAIR = re.compile(r"\s*[\[(]?\s*(-?\d+(?:\.\d+)?)\s*[,; ]\s*(-?\d+(?:\.\d+)?)\s*[\])]?\s*\Z")
_WKT = re.compile(r"\s*(?:SRID=(\d+);)?\s*(?:MULTI)?(?:POINT|LINESTRING|POLYGON)\b", re.IGNORECASE)


class LayerRow(msgspec.Struct, frozen=True):
    """One row: where it was read ("line 12"), its values by column, its place as GeoJSON in the layer's system."""

    place: str
    values: dict[str, Any]
    geometry: dict[str, Any] | None = None
    id: str = ""


Rows = Callable[[], Iterator[LayerRow | Reject]]


class Layer(msgspec.Struct, frozen=True):
    """A layer of a file: its `name` ("" when the file has one only), the system that the file names, its rows."""

    rows: Rows
    name: str = ""
    crs: str | None = None


def folded(name: str) -> str:
    """Return a name in lower case without accents, what is neither letter nor digit as `_`."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def number_of(written: object) -> float | None:
    """Return a number as a file writes it, with a decimal comma or point, or None when it is none."""
    if isinstance(written, bool) or written is None:
        return None
    if isinstance(written, int | float):
        return float(written) if math.isfinite(written) else None
    text = re.sub(r"[\s\u202f\xa0]", "", str(written))
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    return float(text) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) else None


def layers_of(path: Path, kind: str) -> list[Layer]:
    """Return the layers of a file of `kind` that have rows. Raises `Problem` for a file that cannot be read as that."""
    try:
        return list(KINDS[kind](path))
    except OSError as error:
        raise Problem(
            Text("Le fichier n'est pas lisible : {detail}", "The file cannot be read: {detail}").filled(
                detail=str(error.strerror or error)
            ),
            Text("Vérifiez le chemin et les droits.", "Check the path and the permissions."),
            place=str(path),
        ) from error


# --- GeoJSON


def _geojson(path: Path) -> Iterable[Layer]:
    def rows() -> Iterator[LayerRow | Reject]:
        with path.open("rb") as stream:
            for number, item in enumerate(features(stream), 1):
                yield _featured(item, number) if isinstance(item, Feature) else item

    return [Layer(rows, crs=_named_crs(path))]


def _featured(item: Feature, number: int) -> LayerRow:
    # a layer may be written on one line: the number tells two apart
    return LayerRow(f"line {item.line} ({number})", item.properties, item.geometry, item.id)


def _named_crs(path: Path) -> str | None:
    """Return the system that the head of a GeoJSON file names (GeoJSON 2008, still written by many)."""
    with path.open("rb") as stream:
        head = stream.read(4096).decode("utf-8", "replace")
    found = re.search(r'"crs"\s*:\s*\{.{0,80}?"name"\s*:\s*"([^"]+)"', head, re.DOTALL)
    if found is None:
        return None
    code = re.search(r"EPSG:(?::|[\d.]+:)?(\d+)|EPSG::(\d+)", found[1])
    if code is not None:
        return f"EPSG:{code[1] or code[2]}"
    return "EPSG:4326" if "CRS84" in found[1] else found[1]


# --- tables


def _csv(path: Path) -> Iterable[Layer]:
    def cells() -> Iterator[tuple[str, dict[str, Any]] | Reject]:
        with path.open("rb") as stream:
            table = open_table(stream)
            header = _header(table.header)
            for line, row in table.rows():
                if row is None:
                    yield Reject(line, "", Text("La ligne n'est pas lisible.", "The line cannot be read."),
                                 Text("Vérifiez les guillemets.", "Check the quotes."))  # fmt: skip
                    continue
                yield f"line {line}", {n: v.strip() for n, v in zip(header, row, strict=False)}

    return [_table(cells)]


def _xlsx(path: Path) -> Iterable[Layer]:
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 -- of the extra [files]
    except ImportError as error:
        raise _missing("openpyxl", "files") from error
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise _unreadable("Excel (.xlsx)", error) from error
    names = [s.title for s in book.worksheets if s.max_row is None or s.max_row > 1]
    book.close()

    def sheet(name: str) -> Callable[[], Iterator[tuple[str, dict[str, Any]] | Reject]]:
        def cells() -> Iterator[tuple[str, dict[str, Any]] | Reject]:
            opened = load_workbook(path, read_only=True, data_only=True)
            try:
                header: list[str] = []
                for line, row in enumerate(opened[name].iter_rows(values_only=True), 1):
                    if not any(v not in (None, "") for v in row):
                        continue
                    if not header:
                        header = _header(["" if v is None else str(v).strip() for v in row])
                        continue
                    yield f"line {line}", {n: _plain(v) for n, v in zip(header, row, strict=False)}
            finally:
                opened.close()

        return cells

    found = [(name, _table(sheet(name))) for name in names]
    full = [(name, layer) for name, layer in found if next(layer.rows(), None) is not None]
    return [msgspec.structs.replace(layer, name=name if len(full) > 1 else "") for name, layer in full]


def _header(names: list[str]) -> list[str]:
    """Return the names of columns, each once; a column without name is called after its number."""
    seen: dict[str, int] = {}
    header = []
    for number, name in enumerate(names, 1):
        plain = name.lstrip("\ufeff").strip() or f"colonne {number}"
        seen[plain] = seen.get(plain, 0) + 1
        header.append(plain if seen[plain] == 1 else f"{plain} {seen[plain]}")
    return header


def _table(cells: Callable[[], Iterator[tuple[str, dict[str, Any]] | Reject]]) -> Layer:
    """Return a table as a layer: the columns that say where, found by their names and by what they hold."""
    head = _first(cells)
    where = _where(head)
    srid = re.match(r"\s*SRID=(\d+);", str(head[0].get(where[0], ""))) if len(where) == 1 and head else None

    def rows() -> Iterator[LayerRow | Reject]:
        for item in cells():
            if isinstance(item, Reject):
                yield item
                continue
            place, values = item
            geometry = _geometry(values, where)
            said = next((n for n in reversed(where) if values.get(n) not in (None, "")), "")
            if geometry is None and said:
                wrong = next((n for n in where if number_of(values.get(n)) is None), said)
                yield Reject(
                    int(place.removeprefix("line ")), wrong,
                    Text("Les coordonnées ne sont pas comprises.", "The coordinates are not understood."),
                    Text("Écrivez deux nombres, ou laissez les deux vides.", "Write two numbers, or leave both empty."),
                )  # fmt: skip
                continue
            yield LayerRow(place, {n: v for n, v in values.items() if n not in where}, geometry)

    return Layer(rows, crs=f"EPSG:{srid[1]}" if srid else None)


def _first(
    cells: Callable[[], Iterator[tuple[str, dict[str, Any]] | Reject]], most: int = 200
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for item in cells():
        if not isinstance(item, Reject):
            found.append(item[1])
        if len(found) == most:
            break
    return found


def _where(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the column that holds a place, or the two (x, y) that make one, or none."""
    names = list(rows[0]) if rows else []

    def share(name: str, test: Callable[[Any], bool]) -> bool:
        said = [r[name] for r in rows if r.get(name) not in (None, "")]
        return bool(said) and sum(map(test, said)) >= 0.6 * len(said)

    for name in names:
        if _SHAPE.match(folded(name)) and share(name, lambda v: _shape(v) is not None):
            return (name,)
    numbers = [n for n in names if share(n, lambda v: number_of(v) is not None)]
    xs = sorted(
        (n for n in numbers if _X.match(folded(n))),
        key=lambda n: ("lon" not in folded(n) and "lng" not in folded(n), len(folded(n)), names.index(n)),
    )  # degrees first: they need no guess
    for x in xs:
        y = _partner(x, [n for n in numbers if _Y.match(folded(n))])
        if y is not None:
            return (x, y)
    for name in names:
        if _BOTH.match(folded(name)) and share(name, lambda v: _PAIR.match(str(v)) is not None):
            return (name,)
    return ()


def _partner(x: str, ys: list[str]) -> str | None:
    """Return the column of y that goes with that of x: named alike, letter for letter."""
    wanted = folded(x)
    pairs = (("longitude", "latitude"), ("long", "lat"), ("lon", "lat"), ("lng", "lat"), ("x", "y"))
    for mine, other in pairs:
        if mine in wanted:
            turned = wanted[::-1].replace(mine[::-1], other[::-1], 1)[::-1]
            for y in ys:
                if folded(y) in (turned, wanted.replace(mine, other, 1)):
                    return y
    return None


def _geometry(values: Mapping[str, Any], where: tuple[str, ...]) -> dict[str, Any] | None:
    if len(where) == 2:
        x, y = (number_of(values.get(n)) for n in where)
        return None if x is None or y is None else {"type": "Point", "coordinates": [x, y]}
    if not where:
        return None
    written = values.get(where[0])
    pair = _PAIR.match(str(written))
    if (
        pair is not None
    ):  # Opendatasoft and maps write latitude first; `placing` turns what is the other way round
        return {"type": "Point", "coordinates": [float(pair[2]), float(pair[1])]}
    return _shape(written)


def _shape(written: Any) -> dict[str, Any] | None:
    """Return a geometry written as WKT, GeoJSON or hexadecimal WKB, or None."""
    text = "" if written is None else str(written).strip()
    try:
        if text.startswith("{"):
            found = msgspec.json.decode(text)
            return found if isinstance(found, dict) and "coordinates" in found else None
        if _WKT.match(text):
            return _mapped(shapely.from_wkt(text.partition(";")[2] if text[:5].upper() == "SRID=" else text))
        if re.fullmatch(r"0[01][0-9A-Fa-f]{16,}", text):
            return _mapped(shapely.from_wkb(text))
    except (msgspec.DecodeError, shapely.errors.ShapelyError):
        return None
    return None


def _mapped(found: Any) -> dict[str, Any] | None:
    if found is None or found.is_empty:
        return None
    return dict(shapely.geometry.mapping(shapely.force_2d(found)))


def _plain(value: Any) -> Any:
    """Return a value of a spreadsheet or a database as JSON has it."""
    if isinstance(value, datetime):
        return (
            value.date().isoformat()
            if (value.hour, value.minute, value.second) == (0, 0, 0)
            else value.isoformat()
        )
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, str):
        return value.strip()
    return value


# --- GeoPackage and shapefile


def _vector(path: Path) -> Iterable[Layer]:
    try:
        import pyogrio  # noqa: PLC0415 -- of the extra [files]
    except ImportError as error:
        raise _missing("pyogrio", "files") from error
    source = f"/vsizip/{path}" if path.suffix.lower() == ".zip" else str(path)
    try:
        names = [str(row[0]) for row in pyogrio.list_layers(source)]
        infos = [(name, pyogrio.read_info(source, layer=name, force_feature_count=True)) for name in names]
    except pyogrio.errors.DataSourceError as error:
        raise _unreadable("GeoPackage, shapefile", error) from error
    full = [(name, info) for name, info in infos if info["features"]]
    return [
        Layer(_ogr_rows(source, name, int(info["features"])), name if len(full) > 1 else "", info["crs"])
        for name, info in full
    ]


def _ogr_rows(source: str, layer: str, count: int) -> Rows:
    def rows() -> Iterator[LayerRow | Reject]:
        from pyogrio.raw import read  # noqa: PLC0415

        for begin in range(0, count, _BATCH):
            meta, fids, shapes, columns = read(
                source,
                layer=layer,
                skip_features=begin,
                max_features=_BATCH,
                return_fids=True,
                datetime_as_string=True,
            )
            values = [c.tolist() for c in columns]
            placed = [None] * len(fids) if shapes is None else shapely.from_wkb(shapes)
            for i in range(len(fids)):
                row = {str(n): _plain(v[i]) for n, v in zip(meta["fields"], values, strict=True)}
                yield LayerRow(f"line {begin + i + 1}", row, _mapped(placed[i]))

    return rows


def _missing(package: str, extra: str) -> Problem:
    return Problem(
        Text("La bibliothèque {p} n'est pas installée.", "The library {p} is not installed.").filled(p=package),
        Text("Installez beffroi[{e}], ou exportez la couche en GeoJSON.", "Install beffroi[{e}], or export the layer as GeoJSON.").filled(
            e=extra
        ),
    )  # fmt: skip


def _unreadable(kind: str, error: BaseException) -> Problem:
    detail = str(error).replace("{", "(").replace("}", ")").strip().splitlines() or [""]
    return Problem(
        Text("Ce fichier n'est pas lisible ({kind}) : {detail}", "This file cannot be read ({kind}): {detail}").filled(
            kind=kind, detail=detail[0][:200]
        ),
        Text("Vérifiez qu'il est complet, ou exportez-le de nouveau.", "Check that it is whole, or export it again."),
    )  # fmt: skip


KINDS: dict[str, Callable[[Path], Iterable[Layer]]] = {
    "geojson": _geojson, "csv": _csv, "xlsx": _xlsx, "gpkg": _vector, "shp": _vector,
}  # fmt: skip
