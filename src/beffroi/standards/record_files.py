"""Records as files: CSV (RFC 4180), GeoJSON (RFC 7946), JSON, GeoParquet 1.1. All but the last are streams."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from beffroi.model.collection import Collection, Field
from beffroi.model.instant import format_instant
from beffroi.model.value import json_value
from beffroi.store.geometry import place
from beffroi.store.record import Row

__all__ = ["csv_parts", "feature_of", "geojson_parts", "json_parts", "write_parquet"]

_ENOUGH = 1 << 16
_DUCK = {
    "text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE",
    "instant": "TIMESTAMPTZ", "json": "VARCHAR", "reference": "BIGINT",
}  # fmt: skip
_GUARDED = ("=", "+", "-", "@", "\t", "\r")


def values_of(fields: Iterable[Field], row: Row) -> dict[str, Any]:
    """Return the fields of a record as JSON values; a field that may not be seen is left out."""
    return {f.name: json_value(f, row.values[f.name]) for f in fields if f.name in row.values}


def feature_of(fields: Iterable[Field], row: Row) -> dict[str, Any]:
    """Return a record as a GeoJSON feature."""
    own = {
        "territory": row.territory,
        "created": format_instant(row.created_us),
        "updated": format_instant(row.updated_us),
    }
    taken = values_of(fields, row)
    return {
        "type": "Feature", "id": row.id, "geometry": row.geometry,
        "properties": {**taken, **{f"_{k}": v for k, v in own.items()}},
    }  # fmt: skip


def _cell(field: Field, value: Any) -> str:
    plain = json_value(field, value)
    if plain is None:
        return ""
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, dict | list):
        return msgspec.json.encode(plain).decode()
    text = f"{plain:.15g}" if isinstance(plain, float) else str(plain)
    # a spreadsheet would run a text that starts like a formula (OWASP, CSV injection)
    return "'" + text if field.kind == "text" and text.startswith(_GUARDED) else text


def csv_parts(
    fields: Sequence[Field], rows: Iterable[Row], *, delimiter: str = ",", place_of: bool = True
) -> Iterator[bytes]:
    """Yield a CSV table: `_id`, the fields, the territory, and longitude and latitude of points (WKT-free)."""
    buffer = io.StringIO()
    write = csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerow
    write(
        [
            "_id",
            *(f.name for f in fields),
            "_territory",
            "_updated",
            *(["longitude", "latitude"] if place_of else []),
        ]
    )
    for row in rows:
        where: list[str] = []
        if place_of:
            point = row.geometry if row.geometry and row.geometry["type"] == "Point" else None
            where = [repr(v) for v in point["coordinates"][:2]] if point else ["", ""]
        cells = [_cell(f, row.values.get(f.name)) for f in fields]
        write([row.id, *cells, row.territory or "", format_instant(row.updated_us), *where])
        if buffer.tell() > _ENOUGH:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _listed(start: bytes, items: Iterable[bytes], end: bytes) -> Iterator[bytes]:
    parts, size, first = [start], 0, True
    for item in items:
        parts.append(item if first else b",\n" + item)
        first = False
        size += len(item)
        if size > _ENOUGH:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join([*parts, end])


def geojson_parts(fields: Sequence[Field], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a GeoJSON feature collection."""
    features = (msgspec.json.encode(feature_of(fields, row)) for row in rows)
    return _listed(b'{"type":"FeatureCollection","features":[\n', features, b"\n]}\n")


def json_parts(fields: Sequence[Field], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a JSON array of records."""

    def item(row: Row) -> bytes:
        own = {"_id": row.id, "_territory": row.territory, "_updated": format_instant(row.updated_us)}
        return msgspec.json.encode({**own, **values_of(fields, row), "geometry": row.geometry})

    return _listed(b"[\n", map(item, rows), b"\n]\n")


def write_parquet(collection: Collection, fields: Sequence[Field], rows: Iterable[Row], target: Path) -> int:
    """Write records as GeoParquet 1.1 (WKB in column `geometry`, CRS84) to `target`; return how many."""
    with TemporaryDirectory(dir=target.parent) as folder:
        source = Path(folder) / "rows.json"
        kinds: set[str] = set()
        count = 0
        with source.open("wb") as file:
            for row in rows:
                count += 1
                file.write(_line(fields, row, kinds))
        _copy(collection, fields, source, target, sorted(kinds))
    return count


def _line(fields: Sequence[Field], row: Row, kinds: set[str]) -> bytes:
    values = values_of(fields, row)
    for field in fields:
        if field.kind == "json" and values.get(field.name) is not None:
            values[field.name] = msgspec.json.encode(values[field.name]).decode()
    placed = place(row.geometry, "any")
    if row.geometry is not None:
        kinds.add(row.geometry["type"])
    wkb = placed[0].hex() if placed else None
    own = {"_id": row.id, "_territory": row.territory, "_updated": format_instant(row.updated_us)}
    return msgspec.json.encode({**own, **values, "_wkb": wkb}) + b"\n"


def _copy(
    collection: Collection, fields: Sequence[Field], source: Path, target: Path, kinds: list[str]
) -> None:
    columns = {"_id": "BIGINT", "_territory": "VARCHAR", "_updated": "TIMESTAMPTZ"}
    columns |= {f.name: _DUCK[f.kind] for f in fields}
    geo = {"version": "1.1.0", "primary_column": "geometry",
           "columns": {"geometry": {"encoding": "WKB", "geometry_types": kinds}}}  # fmt: skip
    placed = collection.geometry != "none"
    listed = ", ".join(f'"{name}"' for name in columns) + (', unhex("_wkb") AS geometry' if placed else "")
    metadata = f", KV_METADATA {{geo: {_quoted(msgspec.json.encode(geo).decode())}}}" if placed else ""
    declared = ", ".join(f"'{name}': '{kind}'" for name, kind in {**columns, "_wkb": "VARCHAR"}.items())
    import duckdb  # noqa: PLC0415 -- it is large, and this export is rare

    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute(
            f"COPY (SELECT {listed} FROM read_json({_quoted(str(source))}, format = 'newline_delimited',"
            f" columns = {{{declared}}})) TO {_quoted(str(target))} (FORMAT parquet, COMPRESSION zstd{metadata})"
        )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
