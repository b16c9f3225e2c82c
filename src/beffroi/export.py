"""Export: everything a town holds, in open formats that outlive Beffroi, each file counted and digested.

The same town gives the same bytes: rows are in the order of their ids, JSON keys sorted, no time of writing.
"""

import csv
import gzip
import hashlib
import io
import json
import mimetypes
from collections.abc import Callable, Iterable, Iterator, Sequence
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

__all__ = ["CATALOGUE", "HOUSE", "JSON_COLUMNS", "LEFT_OUT", "OBSERVED", "SETTINGS", "export_town", "text_of"]

CATALOGUE = (
    tables.thing, tables.location, tables.thing_location, tables.historical_location,
    tables.historical_location_location, tables.sensor, tables.observed_property, tables.feature_of_interest,
    tables.datastream, tables.multi_datastream_property, tables.actuator, tables.tasking_capability, tables.task,
    *(table for name, table in tables.past.items() if name != "observation"),
)  # fmt: skip
HOUSE = (
    tables.territory, tables.setting, tables.saved_view, tables.audit, tables.declared, tables.cursor, tables.page_reading,
    tables.file_mapping,
)  # fmt: skip
OBSERVED = (
    tables.past["observation"], tables.pace, tables.source_key, tables.provenance, tables.thinned, tables.gap, tables.ledger,
)  # fmt: skip
# People leave without what lets them in; they are given new links.
ACCOUNT = ("id", "email", "name", "role", "territories", "service", "language", "disabled", "created_us")
# What stays behind, and why.
LEFT_OUT = {
    "account": "exported by `ACCOUNT`, without passwords and other secrets", "counter": "exported last",
    "history": "exported by collection", "stored_file": "exported with the files",
    "latest": "follows from the observations", "observation": "exported by datastream", "leaving": "work in hand",
    "segment": "how this machine keeps sealed days", "segment_series": "the same", "long_rollup": "the same",
    "token": "a secret", "session": "a secret", "sign_in_link": "a secret", "attempt": "who tried to sign in",
    "audit_head": "signed by this installation's key", "person_key": "a secret: personal values leave in clear",
    "sighting": "forgotten after a day", "job": "work in hand", "unfinished": "work in hand", "brought": "reports of imports",
    "federated": "who is known to a provider of identity: they sign in there anew", "federated_session": "a secret",
    "second_factor": "a secret", "recovery_code": "a secret", "extension": "programs: installed again from their wheel",
    "mqtt_session": "who is connected", "mqtt_message": "the same", "mqtt_retained": "the same",
}  # fmt: skip
SETTINGS = ("name", "language", "time_zone", "base_url")
FORMAT = 2
JSON_COLUMNS = {
    "properties",
    "location",
    "feature",
    "observed_area",
    "geometry",
    "settings",
    "value",
    "declaration",
    "detail",
    "multi",
    "multi_units",
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
README = Path(__file__).with_name("export_readme.md").read_text("utf-8")


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
    keep("house/account.jsonl", _rows(store, tables.account, ACCOUNT))
    keep("house/settings.json", [_line({n: getattr(store.settings, n) for n in SETTINGS})])
    with store.read() as connection:
        series = sorted(connection.execute(select(tables.latest.c.datastream_id)).scalars())
        collections = sorted(connection.execute(select(tables.declared.c.collection)).scalars())
    for one in series:
        keep(f"observations/{one}.csv.gz", _observations(store, one), packed=True)
    for collection in collections:
        keep(f"records/{collection}.geojsonl", _features(store, collection))
        keep(f"records/{collection}.history.jsonl", _history(store, collection))
    for table in OBSERVED:
        keep(f"observations/{table.name}.jsonl", _rows(store, table))
    for name_of_file in store.files.names():
        data, media_type = store.files.read(name_of_file)
        keep(f"files/{name_of_file}{mimetypes.guess_extension(media_type) or ''}", [data])
    keep(
        "house/stored_file.jsonl",
        _rows(store, tables.stored_file, ("name", "size", "media_type", "created_us", "uses")),
    )
    # the numbers last: above all that was written while this went on
    keep("house/counter.jsonl", _rows(store, tables.counter))
    keep("observations/counter.jsonl", _rows(store, tables.obs_counter))
    keep("LISEZMOI.md", [README.replace("{name}", name).replace("{version}", __version__).encode()])
    manifest = {"name": name, "version": __version__, "format": FORMAT, "files": files}
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
    return text_of(value).encode() + b"\n"


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if name in JSON_COLUMNS and isinstance(value, str):
        return json.loads(value)
    return value


def text_of(value: Any) -> str:
    """Return JSON as text, always the same for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _rows(store: Store, table: Table, names: Sequence[str] = ()) -> Iterator[bytes]:
    columns = [table.c[n] for n in names] or list(table.c)
    order = list(table.primary_key.columns) or list(table.c)
    with store.read() as connection:
        for row in connection.execute(select(*columns).order_by(*order).execution_options(yield_per=5000)):
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
    for row in store.records.all(collection, Query(sort="_id", deleted=None)):
        values = {n: json_value(fields[n], v) if n in fields else v for n, v in row.values.items()}
        yield _line({"type": "Feature", "id": row.id, "geometry": row.geometry, "properties": values,
                     "territory": row.territory, "version": row.version, "created": format_instant(row.created_us),
                     "updated": format_instant(row.updated_us), "author": row.author, "person": row.person,
                     "deleted": None if row.deleted_us is None else format_instant(row.deleted_us)})  # fmt: skip


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
