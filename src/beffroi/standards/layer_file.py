"""Layers: any file of features or rows, whatever programme wrote it, as columns and rows.

Reads GeoJSON, CSV, Excel (.xlsx), GeoPackage and shapefile. A place is the row's own geometry, or two columns of
coordinates, or one column that holds both; its reference system is what the file names, if it names one.
"""

import math
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import shapely

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.file_signature import check_kind
from beffroi.standards.geojson import Feature, features
from beffroi.standards.reading import Reject
from beffroi.standards.sexagesimal import angle_of, pair_of
from beffroi.standards.table_guess import guess_of, header_in
from beffroi.standards.text_table import open_table

__all__ = ["KINDS", "Layer", "LayerRow", "Told", "folded", "layers_of", "number_of", "where_of"]

_BATCH = 5_000
_X = re.compile(
    r"((c_)?long_coor1|x|lon|long|longitude|lng|coord_?x|x_.{0,12}|.{0,12}_x|longitude_.{0,8}|.{0,8}_longitude|.{0,8}_lon)\Z"
)
_Y = re.compile(r"((c_)?lat_coor1|y|lat|latitude|coord_?y|y_.{0,12}|.{0,12}_y|latitude_.{0,8}|.{0,8}_latitude|.{0,8}_lat)\Z")  # fmt: skip
_BOTH = re.compile(
    r"(geo_?point.*|geopoint|coordonnees.*|coordinates|lat_?lon.*|latlng|geolocalisation|position)\Z"
)
_SHAPE = re.compile(r"(wkt|geom(_.*)?|.*_geom|geometry|geo_?shape|wkb.*|geometrie)\Z")
_PAIR = re.compile(r"\s*[\[(]?\s*(-?\d+(?:\.\d+)?)\s*[,; ]\s*(-?\d+(?:\.\d+)?)\s*[\])]?\s*\Z")
_WKT = re.compile(r"\s*(?:SRID=(\d+);)?\s*(?:MULTI)?(?:POINT|LINESTRING|POLYGON)\b", re.IGNORECASE)


class LayerRow(msgspec.Struct, frozen=True):
    """One row: where it was read ("line 12"), its values by column, its place as GeoJSON in the layer's system."""

    place: str
    values: dict[str, Any]
    geometry: dict[str, Any] | None = None
    id: str = ""


class Told(msgspec.Struct, frozen=True):
    """What a person says of a table where it must not be guessed. `header`: the line that names the columns, 0 for none;
    `where`: the columns of the place (x and y, or one that holds both), empty for none."""

    encoding: str = ""
    delimiter: str = ""
    header: int | None = None
    where: tuple[str, ...] | None = None


NOTHING = Told()
Rows = Callable[[], Iterator[LayerRow | Reject]]


class Layer(msgspec.Struct, frozen=True):
    """A layer of a file: its `name` ("" when the file has one only), the system that the file names, its rows."""

    rows: Rows
    name: str = ""
    crs: str | None = None
    where: tuple[str, ...] = ()  # of a table: the columns that its places were made of


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


def layers_of(path: Path, kind: str, told: Told = NOTHING) -> list[Layer]:
    """Return the layers of a file of `kind` that have rows. Raises `Problem` for a file that cannot be read as that."""
    try:
        check_kind(path, kind)
        return list(KINDS[kind](path, told))
    except OSError as error:
        raise Problem(
            Text("Le fichier n'est pas lisible : {detail}", "The file cannot be read: {detail}").filled(
                detail=str(error.strerror or error)
            ),
            Text("Vérifiez le chemin et les droits.", "Check the path and the permissions."),
            place=str(path),
        ) from error


# --- GeoJSON


def _geojson(path: Path, _told: Told) -> Iterable[Layer]:
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


def _csv(path: Path, told: Told) -> Iterable[Layer]:
    guess = guess_of(path, told.encoding, told.delimiter)
    line_of_names = guess.header if told.header is None else told.header

    def cells() -> Iterator[tuple[str, dict[str, Any]] | Reject]:
        with path.open("rb") as stream:
            # the beginning tells the separator; the encoding is of the whole file
            table = open_table(stream, encoding=told.encoding, delimiter=guess.delimiter,
                               header=line_of_names > 0, skip=max(0, line_of_names - 1))  # fmt: skip
            header = _header(table.header)
            for line, row in table.rows():
                if row is None:
                    yield Reject(line, "", Text("La ligne n'est pas lisible.", "The line cannot be read."),
                                 Text("Vérifiez les guillemets.", "Check the quotes."))  # fmt: skip
                    continue
                if len(row) > len(header):
                    if table.header and any(map(str.strip, row[len(header) :])):
                        yield _too_wide(line, delimiter=guess.delimiter)
                        continue
                    header = header if table.header else _header([""] * len(row))
                yield f"line {line}", {n: v.strip() for n, v in zip(header, row, strict=False)}

    return [_table(cells, told)]


def _too_wide(line: int, delimiter: str) -> Reject:
    """Return the reject of a line with more cells than there are titles: which of them is what cannot be known."""
    shown = {"\t": "tab"}.get(delimiter, delimiter)
    return Reject(
        line, "", Text("La ligne a plus de cellules que de titres.", "The line has more cells than there are titles."),
        Text(f"Mettez entre guillemets le texte qui contient le séparateur ({shown}).", f"Put the text that holds the separator ({shown}) in quotes."),
    )  # fmt: skip


def _xlsx(path: Path, told: Told) -> Iterable[Layer]:
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 -- of the extra [files]
    except ImportError as error:
        raise _missing("openpyxl", "files") from error
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise _unreadable("Excel (.xlsx)", str(error)) from error
    heads = {
        s.title: [[_written(v) for v in row] for row in s.iter_rows(max_row=60, values_only=True)]
        for s in book.worksheets
        if s.max_row is None or s.max_row > 1
    }
    book.close()

    def sheet(name: str) -> Callable[[], Iterator[tuple[str, dict[str, Any]] | Reject]]:
        names_at = header_in(heads[name]) if told.header is None else told.header

        def cells() -> Iterator[tuple[str, dict[str, Any]] | Reject]:
            opened = load_workbook(path, read_only=True, data_only=True)
            try:
                header: list[str] = []
                for line, row in enumerate(opened[name].iter_rows(values_only=True), 1):
                    if line < names_at or not any(v not in (None, "") for v in row):
                        continue
                    if not header:
                        header = _header([_written(v) for v in row] if names_at else [""] * len(row))
                        if names_at:
                            continue
                    yield f"line {line}", {n: _plain(v) for n, v in zip(header, row, strict=False)}
            finally:
                opened.close()

        return cells

    found = [(name, _table(sheet(name), told)) for name in heads]
    full = [(name, layer) for name, layer in found if next(layer.rows(), None) is not None]
    return [msgspec.structs.replace(layer, name=name if len(full) > 1 else "") for name, layer in full]


def _written(value: Any) -> str:
    return "" if value is None else str(_plain(value)).strip()


def _header(names: list[str]) -> list[str]:
    """Return the names of columns, each once; a column without name is called after its number."""
    seen: dict[str, int] = {}
    header = []
    for number, name in enumerate(names, 1):
        plain = name.lstrip("\ufeff").strip() or f"colonne {number}"
        seen[plain] = seen.get(plain, 0) + 1
        header.append(plain if seen[plain] == 1 else f"{plain} {seen[plain]}")
    return header


def _table(cells: Callable[[], Iterator[tuple[str, dict[str, Any]] | Reject]], told: Told) -> Layer:
    """Return a table as a layer: the columns that say where, found by their names and by what they hold."""
    head = _first(cells)
    known = set(head[0]) if head else set()
    where = where_of(head) if told.where is None or not known.issuperset(told.where) else tuple(told.where)
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
                wrong = next((n for n in where if _coordinate(values.get(n)) is None), said)
                yield Reject(
                    int(place.removeprefix("line ")), wrong,
                    Text("Les coordonnées ne sont pas comprises.", "The coordinates are not understood."),
                    Text("Écrivez deux nombres, ou degrés, minutes et secondes (47°39'04\" N), ou laissez les deux vides.",
                         "Write two numbers, or degrees, minutes and seconds (47°39'04\" N), or leave both empty."),
                )  # fmt: skip
                continue
            yield LayerRow(place, {n: v for n, v in values.items() if n not in where}, geometry)

    return Layer(rows, crs=f"EPSG:{srid[1]}" if srid else None, where=where)


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


def where_of(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the column that holds a place, or the two (x, y) that make one, or none."""
    names = list(rows[0]) if rows else []

    def share(name: str, test: Callable[[Any], bool]) -> bool:
        said = [r[name] for r in rows if r.get(name) not in (None, "")]
        return bool(said) and sum(map(test, said)) >= 0.6 * len(said)

    for name in names:
        if _SHAPE.match(folded(name)) and share(name, lambda v: _shape(v) is not None):
            return (name,)
    numbers = [n for n in names if (_X.match(folded(n)) or _Y.match(folded(n))) and share(n, lambda v: _coordinate(v) is not None)]  # fmt: skip
    xs = sorted(
        (n for n in numbers if _X.match(folded(n))),
        key=lambda n: ("lon" not in folded(n) and "lng" not in folded(n), len(folded(n)), names.index(n)),
    )  # degrees first: they need no guess
    for x in xs:
        y = _partner(x, [n for n in numbers if _Y.match(folded(n))])
        if y is not None:
            return (x, y)
    for name in names:
        if _BOTH.match(folded(name)) and share(name, lambda v: _PAIR.match(str(v)) is not None or pair_of(v) is not None):  # fmt: skip
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
        x, y = (_coordinate(values.get(n)) for n in where)
        return None if x is None or y is None else {"type": "Point", "coordinates": [x, y]}
    if not where:
        return None
    written = values.get(where[0])
    pair = _PAIR.match(str(written))
    if (
        pair is not None
    ):  # Opendatasoft and maps write latitude first; `placing` turns what is the other way round
        return {"type": "Point", "coordinates": [float(pair[2]), float(pair[1])]}
    angles = pair_of(written)
    return {"type": "Point", "coordinates": [*angles]} if angles else _shape(written)


def _coordinate(written: object) -> float | None:
    """Return a coordinate written as a number, or as degrees, minutes and seconds."""
    found = number_of(written)
    return angle_of(written) if found is None else found


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


def _vector(path: Path, _told: Told) -> Iterable[Layer]:
    try:
        import pyogrio  # noqa: PLC0415 -- of the extra [files]
    except ImportError as error:
        raise _missing("pyogrio", "files") from error
    try:
        infos = [
            (source, str(row[0]), pyogrio.read_info(source, layer=str(row[0]), force_feature_count=True))
            for source in _sources(path)
            for row in pyogrio.list_layers(source)
        ]
    except (pyogrio.errors.DataSourceError, zipfile.BadZipFile) as error:
        raise _unreadable("GeoPackage, shapefile", str(error).replace(str(path), path.name)) from error
    full = [one for one in infos if one[2]["features"]]
    return [
        Layer(_ogr_rows(source, name, int(info["features"])), name if len(full) > 1 else "", info["crs"])
        for source, name, info in full
    ]


def _sources(path: Path) -> list[str]:
    """Return what GDAL opens: the file, or each shapefile of an archive, in whatever folder of it."""
    if path.suffix.lower() != ".zip":
        return [str(path)]
    with zipfile.ZipFile(path) as packed:
        inner = [
            n for n in packed.namelist() if n.lower().endswith((".shp", ".gpkg")) and "__MACOSX" not in n
        ]
    if not inner:
        raise Problem(
            Text("Cette archive ne contient pas de shapefile.", "This archive holds no shapefile."),
            Text("Mettez ensemble les fichiers .shp, .shx, .dbf et .prj, puis compressez-les.",
                 "Put the .shp, .shx, .dbf and .prj files together, then compress them."),
        )  # fmt: skip
    return [f"/vsizip/{path}/{name}" for name in inner]


def _ogr_rows(source: str, layer: str, count: int) -> Rows:
    def rows() -> Iterator[LayerRow | Reject]:
        from pyogrio.errors import DataSourceError, FeatureError  # noqa: PLC0415
        from pyogrio.raw import read  # noqa: PLC0415

        for begin in range(0, count, _BATCH):
            try:
                meta, fids, shapes, columns = read(
                    source,
                    layer=layer,
                    skip_features=begin,
                    max_features=_BATCH,
                    return_fids=True,
                    datetime_as_string=True,
                )
            except (FeatureError, DataSourceError) as error:
                raise _unreadable(f"{layer}, {begin + 1}-{min(begin + _BATCH, count)}", str(error)) from error
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


def _unreadable(kind: str, said: str) -> Problem:
    if "malformed" in said:  # SQLite's word for a file that ends too soon, or was written over
        return Problem(
            Text("Ce fichier est coupé ou abîmé ({kind}).", "This file is cut or damaged ({kind}).").filled(kind=kind),
            Text("Exportez-le ou téléchargez-le de nouveau.", "Export or download it again."),
        )  # fmt: skip
    detail = said.replace("{", "(").replace("}", ")").strip().splitlines() or [""]
    return Problem(
        Text("Ce fichier n'est pas lisible ({kind}) : {detail}", "This file cannot be read ({kind}): {detail}").filled(
            kind=kind, detail=detail[0][:200]
        ),
        Text("Vérifiez qu'il est complet, ou exportez-le de nouveau.", "Check that it is whole, or export it again."),
    )  # fmt: skip


KINDS: dict[str, Callable[[Path, Told], Iterable[Layer]]] = {
    "geojson": _geojson, "csv": _csv, "xlsx": _xlsx, "gpkg": _vector, "shp": _vector,
}  # fmt: skip
