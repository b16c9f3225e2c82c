"""Files of records to import: a CSV table or GeoJSON, read against a Collection's declaration.

Columns are recognised by the field's name or by its French or English title; places by `longitude`/`latitude`,
`lon`/`lat`, `x`/`y` or a geometry of GeoJSON, in any reference system that PROJ knows (Lambert-93 is EPSG:2154).
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import msgspec
import shapely
from shapely.geometry import mapping, shape

from beffroi.model.collection import Collection, Field
from beffroi.model.problem import Problem
from beffroi.model.reference_system import is_wgs84, projection
from beffroi.model.text import Text
from beffroi.model.value import check_value, parse_value
from beffroi.standards.layer_file import folded
from beffroi.standards.text_table import open_table
from beffroi.store.record import Entry, Reject

__all__ = ["Columns", "columns_of", "read_records"]

_X = re.compile(r"(x|lon|long|longitude|lng|x_?(l93|lambert93|wgs84)?|coord_?x)\Z")
_Y = re.compile(r"(y|lat|latitude|y_?(l93|lambert93|wgs84)?|coord_?y)\Z")


class Columns(msgspec.Struct, frozen=True):
    """What the columns of a table are: field by column number, where x and y are, and which are not known."""

    fields: dict[int, Field]
    x: int | None
    y: int | None
    ignored: tuple[str, ...]


def columns_of(collection: Collection, header: list[str], mapped: Mapping[str, str] | None = None) -> Columns:
    """Return what each column is; `mapped` gives field names by column name and wins over recognition."""
    known: dict[str, Field] = {}
    for field in collection.fields:
        for name in (field.name, field.title.fr, field.title.en):
            known.setdefault(folded(name), field)
    fields: dict[int, Field] = {}
    x = y = None
    ignored = []
    for number, name in enumerate(header):
        plain = folded((mapped or {}).get(name, name))
        found = known.get(plain)
        if found is not None and found not in fields.values():
            fields[number] = found
        elif x is None and collection.geometry != "none" and _X.match(plain):
            x = number
        elif y is None and collection.geometry != "none" and _Y.match(plain):
            y = number
        elif not plain.startswith("_") and name not in ("_id", "_territory", "_updated"):
            ignored.append(name)
    return Columns(fields, x, y, tuple(ignored))


def _reject(place: str, problem: Problem) -> Reject:
    return Reject(place, problem.place, problem.reason, problem.mend)


def read_records(
    stream: BinaryIO, collection: Collection, *, territory: str | None = None, crs: str = "EPSG:4326", source: str = "",
    mapped: Mapping[str, str] | None = None,
) -> Iterator[Entry | Reject]:  # fmt: skip
    """Yield the entries of a CSV or GeoJSON file, and a `Reject` for each row that cannot be read.

    A table without the key's column gets keys made of `source` and the line, so that the same file read again
    finds the same records. Raises `Problem` for a file that is neither, or has no column that is known.
    """
    is_wgs84(crs)  # an unknown system is refused before anything is read
    stream.seek(0)
    start = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    stream.seek(0)
    if start[:1] == b"{":
        return _from_geojson(stream, collection, territory, crs, source)
    return _from_table(stream, collection, territory, crs, source, mapped)


def _from_table(
    stream: BinaryIO,
    collection: Collection,
    territory: str | None,
    crs: str,
    source: str,
    mapped: Mapping[str, str] | None,
) -> Iterator[Entry | Reject]:
    table = open_table(stream)
    columns = columns_of(collection, table.header, mapped)
    if not columns.fields and columns.x is None:
        listed = ", ".join(f.name for f in collection.fields)
        raise Problem(
            Text("Aucune colonne du fichier n'est connue.", "No column of the file is known."),
            Text(f"Nommez les colonnes : {listed}.", f"Name the columns: {listed}."), place="line 1",
        )  # fmt: skip
    for line, cells in table.rows():
        place = f"line {line}"
        if cells is None:
            yield Reject(place, "", Text("La ligne n'est pas lisible.", "The line cannot be read."),
                         Text("Vérifiez les guillemets.", "Check the quotes."))  # fmt: skip
            continue
        try:
            values = {f.name: _cell(f, cells[n]) for n, f in columns.fields.items() if n < len(cells)}
            values |= _made_key(collection, values, source, line)
            yield Entry(values, _point(cells, columns, crs), territory, place)
        except Problem as problem:
            yield _reject(place, problem)


def _cell(field: Field, text: str) -> Any:
    # a file from outside names a record by its key: the import looks it up
    return text.strip() or None if field.reference else parse_value(field, text)


def _made_key(collection: Collection, values: Mapping[str, Any], source: str, line: int) -> dict[str, str]:
    key = collection.key
    if key is None or key.name in values or key.kind != "text" or not source:
        return {}
    return {key.name: f"{source}-{line}"}


def _point(cells: list[str], columns: Columns, crs: str) -> dict[str, Any] | None:
    if columns.x is None or columns.y is None or max(columns.x, columns.y) >= len(cells):
        return None
    written = [cells[n].strip().replace(",", ".").replace(" ", "") for n in (columns.x, columns.y)]
    if not any(written):
        return None
    try:
        x, y = (float(w) for w in written)
        if not is_wgs84(crs):
            x, y = projection(crs).transform(x, y)
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError(written)
    except ValueError as error:
        raise Problem(
            Text("Les coordonnées ne sont pas comprises.", "The coordinates are not understood."),
            Text("Écrivez deux nombres dans le système choisi.", "Write two numbers in the chosen system."), place="geometry",
        ) from error  # fmt: skip
    # a ten-millionth of a degree is a centimetre: more digits would only be noise of the projection
    return {"type": "Point", "coordinates": [round(x, 7), round(y, 7)]}


def _from_geojson(
    stream: BinaryIO, collection: Collection, territory: str | None, crs: str, source: str
) -> Iterator[Entry | Reject]:
    try:
        whole = msgspec.json.decode(stream.read())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(
            Text("Ce JSON n'est pas lisible.", "This JSON cannot be read."), place=str(error)[:80]
        ) from error
    features = whole.get("features") if isinstance(whole, dict) else None
    if not isinstance(features, list):
        raise Problem(Text("Ce JSON n'est pas une collection GeoJSON.", "This JSON is not a GeoJSON collection."),
                      Text("Il faut un objet FeatureCollection.", "A FeatureCollection object is needed."))  # fmt: skip
    known = {folded(n): f for f in collection.fields for n in (f.title.en, f.title.fr, f.name)}
    for number, feature in enumerate(features):
        place = f"/features/{number}"
        try:
            yield _entry(feature, known, collection, (territory, crs, source, number), place)
        except Problem as problem:
            yield _reject(place, problem)


def _entry(
    feature: Any,
    known: Mapping[str, Field],
    collection: Collection,
    told: tuple[str | None, str, str, int],
    place: str,
) -> Entry:
    territory, crs, source, number = told
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        raise Problem(Text("Cet élément n'est pas un objet GeoJSON.", "This item is not a GeoJSON feature."))
    values: dict[str, Any] = {}
    for name, value in properties.items():
        field = known.get(folded(name))
        if field is not None and field.reference:
            values[field.name] = None if value is None else str(value)
        elif field is not None:
            text = isinstance(value, str) and field.kind not in ("text", "json")
            values[field.name] = parse_value(field, value) if text or (field.choices and isinstance(value, str)) else check_value(
                field, str(value) if field.kind == "text" and isinstance(value, int | float) else value)  # fmt: skip
    values |= _made_key(collection, values, source, number)
    return Entry(values, _moved(feature.get("geometry"), crs), territory, place)


def _moved(geometry: Any, crs: str) -> Any:
    if geometry is None or is_wgs84(crs):
        return geometry
    transformer = projection(crs)
    try:
        return dict(mapping(shapely.transform(shape(geometry), transformer.transform, interleaved=False)))
    except Exception as error:
        raise Problem(
            Text("Cette géométrie n'est pas lisible.", "This geometry cannot be read."), place="geometry"
        ) from error
