"""Export: everything a town holds, in open formats that outlive Beffroi, each file counted and digested.

The same town gives the same bytes: rows are in the order of their ids, JSON keys sorted, no time of writing.
"""

import csv
import gzip
import hashlib
import io
import json
import mimetypes
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from beffroi import __version__
from beffroi.model.instant import format_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.model.value import json_value
from beffroi.store import tables
from beffroi.store.open import Store
from beffroi.store.record import Query

__all__ = ["export_town"]

CATALOGUE = (
    tables.thing, tables.location, tables.thing_location, tables.historical_location,
    tables.historical_location_location, tables.sensor, tables.observed_property, tables.feature_of_interest,
    tables.datastream,
)  # fmt: skip
HOUSE = (tables.territory, tables.setting, tables.saved_view, tables.audit, tables.declared)
_JSON = {
    "properties",
    "location",
    "feature",
    "observed_area",
    "geometry",
    "settings",
    "value",
    "declaration",
    "query",
    "detail",
}
_OBSERVATION = (
    "id",
    "phenomenonTime",
    "phenomenonTimeEnd",
    "resultTime",
    "result",
    "quality",
    "featureOfInterest",
    "extra",
)
_CHUNK = 50_000
README = """# {name}

Export de Beffroi {version} / Export of Beffroi {version}

| dossier, folder | contenu | content |
| --- | --- | --- |
| `catalogue/` | capteurs, séries, lieux (modèle OGC SensorThings), une ligne JSON par entité | sensors, datastreams, places (OGC SensorThings model), one JSON line each |
| `observations/` | une série par fichier CSV compressé (gzip), temps en UTC, chiffres tels que reçus | one gzipped CSV per datastream, times in UTC, digits as received |
| `records/` | une collection par fichier, une entité GeoJSON par ligne (WGS 84) | one collection per file, one GeoJSON feature per line (WGS 84) |
| `house/` | territoires, réglages, vues, journal d'audit, déclarations | territories, settings, views, audit, declarations |
| `files/` | documents, photos, logo | documents, photos, logo |
| `manifest.json` | nombre de lignes et empreinte SHA-256 de chaque fichier | row count and SHA-256 of each file |

Les valeurs personnelles sont en clair : gardez cet export comme vous gardez la base.
Personal values are readable: guard this export as you guard the database.
"""


def export_town(
    store: Store, name: str, target: Path, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Write the whole of `store` under `target`, which must be absent or empty; return the manifest.

    Raises `Problem` when `target` holds something. `progress` is told each file as it begins.
    """
    if target.exists() and any(target.iterdir()):
        raise Problem(
            Text("Le dossier d'export n'est pas vide.", "The export directory is not empty."),
            Text("Donnez un dossier vide ou nouveau.", "Give an empty or new one."),
            place="--to",
        )
    files: dict[str, dict[str, Any]] = {}

    def keep(path: str, lines: Iterable[bytes], *, packed: bool = False) -> None:
        progress(path)
        files[path] = _write(target / path, lines, packed=packed)

    for table in CATALOGUE:
        keep(f"catalogue/{table.name}.jsonl", _rows(store, table))
    for table in HOUSE:
        keep(f"house/{table.name}.jsonl", _rows(store, table))
    with store.read() as connection:
        series = sorted(connection.execute(select(tables.latest.c.datastream_id)).scalars())
        collections = sorted(connection.execute(select(tables.declared.c.collection)).scalars())
    for one in series:
        keep(f"observations/{one}.csv.gz", _observations(store, one), packed=True)
    for collection in collections:
        keep(f"records/{collection}.geojsonl", _features(store, collection))
        keep(f"records/{collection}.history.jsonl", _history(store, collection))
    for name_of_file in store.files.names():
        data, media_type = store.files.read(name_of_file)
        keep(f"files/{name_of_file}{mimetypes.guess_extension(media_type) or ''}", [data])
    keep("README.md", [README.format(name=name, version=__version__).encode()])
    manifest = {"name": name, "version": __version__, "files": files}
    (target / "manifest.json").write_text(
        json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8"
    )
    return manifest


def _write(path: Path, lines: Iterable[bytes], *, packed: bool) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("wb") as file:
        # without name and time, the same rows give the same bytes
        out: Any = gzip.GzipFile("", "wb", 6, file, mtime=0) if packed else file
        for line in lines:
            out.write(line)
            count += 1
        if packed:
            out.close()
    with path.open("rb") as file:
        return {"rows": count, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if name in _JSON and isinstance(value, str):
        return json.loads(value)
    return value


def _rows(store: Store, table: Table) -> Iterator[bytes]:
    order = list(table.primary_key.columns)
    with store.read() as connection:
        for row in connection.execute(select(table).order_by(*order).execution_options(yield_per=5000)):
            values = {n: _plain(n, v) for n, v in row._mapping.items() if v is not None}
            yield _line(values)


def _observations(store: Store, series: int) -> Iterator[bytes]:
    yield (",".join(_OBSERVATION) + "\n").encode()
    start: int | None = None
    seen: set[int] = set()
    while True:
        rows = store.observations.series(series, start, limit=_CHUNK)
        fresh = [o for o in rows if o.id not in seen]
        if not fresh:
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for o in fresh:
            writer.writerow((
                o.id, format_instant(o.start_us), "" if o.end_us is None else format_instant(o.end_us),
                "" if o.result_time_us is None else format_instant(o.result_time_us), o.result.json(), o.quality,
                o.feature_id or "", o.extra or "",
            ))  # fmt: skip
        yield from text.getvalue().encode().splitlines(keepends=True)
        start = rows[-1].start_us  # rows of that very time come again: skipped by id
        seen = {o.id for o in rows if o.start_us == start}


def _features(store: Store, collection: str) -> Iterator[bytes]:
    fields = {f.name: f for f in store.records.shelf(collection).collection.fields}
    for row in store.records.all(collection, Query(sort="_id")):
        values = {n: json_value(fields[n], v) if n in fields else v for n, v in row.values.items()}
        yield _line({"type": "Feature", "id": row.id, "geometry": row.geometry, "properties": values,
                     "territory": row.territory, "version": row.version})  # fmt: skip


def _history(store: Store, collection: str) -> Iterator[bytes]:
    h = tables.history.c
    with store.read() as connection:
        query = select(tables.history).where(h.collection == collection).order_by(h.seq)
        for row in connection.execute(query.execution_options(yield_per=5000)):
            values = dict(row._mapping)
            for name in ("before", "after"):
                values[name] = _opened(json.loads(values[name])) if values[name] else None
            yield _line(values)


def _opened(values: dict[str, Any]) -> dict[str, Any]:
    """Return values of history without what is sealed: outside this house nobody has the key that opens it."""
    return {
        name: {"sealed": True} if isinstance(v, dict) and "sealed" in v else v for name, v in values.items()
    }
