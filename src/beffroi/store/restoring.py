"""Restoring: records and observations put back as they were, with their numbers, versions, times and authors.

For a town that moves in whole: no history is written, no rule is told, nothing is folded.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import delete, insert

from beffroi.model.collection import Collection, Field
from beffroi.model.instant import parse_instant
from beffroi.model.result import Result
from beffroi.store.geometry import place
from beffroi.store.open import Store
from beffroi.store.quick import insert_rows
from beffroi.store.record_codec import from_history, place_of, to_column
from beffroi.store.tables import fresh_row, latest

__all__ = ["Newest", "Stored", "restore_latest", "restore_observations", "restore_records"]

_NOWHERE = (None, (None, None, None, None))


class Stored(NamedTuple):
    """An observation with its number."""

    id: int
    datastream_id: int
    start_us: int
    end_us: int | None
    result_time_us: int | None
    result: Result
    quality: int
    feature_id: int | None
    extra: str | None


class Newest(msgspec.Struct):
    """What a datastream holds so far: how much, since when, and its newest."""

    count: int = 0
    first_us: int = 0
    last: Stored | None = None


def restore_observations(store: Store, rows: Sequence[Stored], newest: Newest) -> None:
    """Put observations of one datastream back, and count them into `newest`."""
    if not rows:
        return
    with store.database.write_observations() as c:
        c.execute(insert(fresh_row), [_columns(row) for row in rows])
    first = min(row.start_us for row in rows)
    newest.first_us = first if not newest.count else min(newest.first_us, first)
    newest.count += len(rows)
    last = max(rows, key=lambda row: (row.start_us, row.id))
    if newest.last is None or (last.start_us, last.id) > (newest.last.start_us, newest.last.id):
        newest.last = last


def restore_latest(store: Store, series: int, newest: Newest) -> None:
    """Say what the newest observation of a datastream is, once all are back."""
    row: dict[str, Any] = {"datastream_id": series, "count": newest.count, "received_us": store.clock()}
    if newest.last is not None:
        told = _columns(newest.last)
        row |= {"observation_id": told.pop("id"), "first_us": newest.first_us, **told}
    with store.database.write_observations() as c:
        c.execute(delete(latest).where(latest.c.datastream_id == series))
        c.execute(insert(latest), row)


def _columns(row: Stored) -> dict[str, Any]:
    r = row.result
    return {
        "id": row.id, "datastream_id": row.datastream_id, "start_us": row.start_us, "end_us": row.end_us,
        "result_time_us": row.result_time_us, "value": r.value, "decimals": r.decimals, "literal": r.literal,
        "feature_id": row.feature_id, "quality": row.quality, "extra": row.extra,
    }  # fmt: skip


def restore_records(store: Store, collection: Collection, features: Sequence[Mapping[str, Any]]) -> None:
    """Put records back from their GeoJSON features; personal values are sealed under keys of this installation."""
    shelf, keyring = store.records.shelf(collection), store.records.keyring
    if not features:
        return
    with store.write(many=True) as c:
        persons = {f["person"] for f in features if f.get("person") is not None}
        keys = keyring.keys(c, persons)
        keys |= keyring.new(c, sorted(persons - keys.keys()))
        rows = [_row(collection, f, keys.get(f.get("person") or 0)) for f in features]
        insert_rows(c, shelf.table, rows)


def _row(collection: Collection, feature: Mapping[str, Any], key: bytes | None) -> dict[str, Any]:
    number, values = feature["id"], feature["properties"]
    bound = place_of(collection, number)
    wkb, box = (feature["geometry"] and place(feature["geometry"], "any")) or _NOWHERE
    row = {
        "_id": number, "_version": feature["version"], "_territory": feature["territory"] or "",
        "_created_us": parse_instant(feature["created"]), "_updated_us": parse_instant(feature["updated"]),
        "_deleted_us": parse_instant(feature["deleted"]) if feature.get("deleted") else None,
        "_author": feature["author"], "_person": feature.get("person"), "_geometry": wkb,
        **dict(zip(("_minx", "_miny", "_maxx", "_maxy"), box, strict=True)),
    }  # fmt: skip
    for field in collection.fields:
        row[field.name] = to_column(field, _value(field, values.get(field.name)), key, bound)
    return row


def _value(field: Field, written: Any) -> Any:
    return (
        None
        if written is None
        else from_history(msgspec.structs.replace(field, personal=None), written, None, "")
    )
