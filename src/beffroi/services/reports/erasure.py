"""Erasure: a citizen takes themselves out of a report for good, or takes a copy of all that it holds of them.

What stays is that something was reported there, when, in what category and what became of it: no words, no photo, no
exact place, no contact, no pseudonym, in tables, history, search, files or jobs.
"""

from typing import Any

from beffroi.model.instant import DAY_US, format_instant
from beffroi.model.principal import SYSTEM, Principal
from beffroi.services.reports.letters import key_name
from beffroi.services.reports.where import coarse
from beffroi.store.record import Query, Row, Where
from beffroi.store.record_writer import Writer
from beffroi.store.retention import erase_from_history, erase_person, erase_values
from beffroi.town import Town

__all__ = ["copy_of", "erase", "forget_old", "settle"]

_WORDS = ("description", "place", "address", "answers", "flags", "reporter", "key_hash", "asset")
_UPDATE_WORDS = ("text", "detail", "reporter")
_PHOTO_FIELDS = ("file", "small", "original", "phash", "alt")
PENDING = "reports.erased"  # set by an erasure until the database is settled
PSEUDONYMS_DAYS = 365  # after the end of a report, its pseudonyms go
PHOTOS_DAYS = 365  # and its photos


def erase(town: Town, row: Row, who: Principal, reason: str = "demande de l'auteur") -> None:
    """Erase the author of a report."""
    records = town.store.records
    town.store.set_setting(PENDING, True)
    updates = list(
        records.all("report_update", Query(where={"request": row.id, "actor": "reporter"}, deleted=None))
    )
    followers = list(
        records.all("report_follower", Query(where={"request": row.id, "reason": "author"}, deleted=None))
    )
    for holder in (row, *followers, *updates):
        if holder.person is not None:
            erase_person(records, holder.collection, holder.id, who=who, reason=reason)
    photos = list(
        records.all("report_photo", Query(where={"request": row.id, "taken_by": "reporter"}, deleted=None))
    )
    with records.writer(who, reason) as writer:
        erase_values(records, writer, "service_request", [row.id], _WORDS)
        erase_values(records, writer, "report_update", [u.id for u in updates], _UPDATE_WORDS)
        erase_values(records, writer, "report_follower", [f.id for f in followers], ("reporter", "key_hash"))
        gone = _drop_photos(town, writer, photos)
        _blur_place(town, writer, row)
        writer.change("service_request", row.id, {"photos": 0})
        for follower in followers:
            if (
                records.get("report_follower", follower.id, deleted=None, c=writer.connection).deleted_us
                is None
            ):
                writer.delete("report_follower", follower.id)
    town.store.files.unlink(gone)


def settle(town: Town) -> bool:
    """Overwrite what erasures freed in the database, if there were some since the last time."""
    if not town.store.setting(PENDING):
        return False
    town.store.set_setting(PENDING, None)
    town.store.database.settle(
        ("c_service_request", "c_report_update", "c_report_follower", "c_report_photo", "history", "job")
    )
    return True


def _drop_photos(town: Town, writer: Writer, photos: list[Row]) -> list[str]:
    names = [p.values[f] for p in photos for f in ("original", "file", "small")]
    gone = town.store.files.release(writer.connection, names)
    erase_values(town.store.records, writer, "report_photo", [p.id for p in photos], _PHOTO_FIELDS)
    for photo in photos:
        if photo.deleted_us is None:
            writer.change("report_photo", photo.id, {"shown": False})
            writer.delete("report_photo", photo.id)
    return gone


def _blur_place(town: Town, writer: Writer, row: Row) -> None:
    """Leave of the place the square of a hundred metres that holds it, in history too."""
    if row.geometry is None:
        return
    point = {"type": "Point", "coordinates": list(coarse(tuple(row.geometry["coordinates"][:2])))}
    writer.change("service_request", row.id, {}, point)
    erase_from_history(town.store.records, writer, "service_request", [row.id], "_geometry")


def copy_of(town: Town, row: Row) -> dict[str, Any]:
    """Return everything that the town holds of a report and its author, for the author (RGPD, art. 15 and 20)."""
    records = town.store.records
    shelf = {f.name: f for f in records.shelf("service_request").collection.fields}
    hidden = {"key_hash", "flags", "shown", "assignee"}
    return {
        "report": {k: _said(v, shelf[k].kind) for k, v in row.values.items() if k not in hidden and v is not None},
        "place": row.geometry,
        "updates": [
            {"at": format_instant(u.values["at"]), **{k: u.values[k] for k in ("kind", "actor", "text", "state", "reason") if u.values[k]}}
            for u in records.all("report_update", Query(where={"request": row.id}, sort="at"))
            if u.values["kind"] != "note"
        ],
        "followers": [
            {k: f.values[k] for k in ("reason", "mail", "phone", "push", "language") if f.values[k]}
            for f in records.all("report_follower", Query(where={"request": row.id, "reason": "author"}))
        ],
        "photos": [
            {"file": p.values["file"] or p.values["original"], "state": p.values["state"]}
            for p in records.all("report_photo", Query(where={"request": row.id, "taken_by": "reporter"}))
        ],
        "key_of": key_name(row.values),
    }  # fmt: skip


def _said(value: Any, kind: str) -> Any:
    return format_instant(value) if kind == "instant" else value


def forget_old(town: Town) -> int:
    """Take pseudonyms and photos out of reports that ended long ago; return how many reports that touched."""
    records, touched = town.store.records, 0
    before = town.clock() - PSEUDONYMS_DAYS * DAY_US
    while True:
        old = records.find(
            "service_request",
            Query(where={"closed": Where("<=", before), "key_hash": Where("known")}, limit=200, deleted=None),
        ).rows
        if not old:
            return touched
        for row in old:
            _forget_one(town, row)
        touched += len(old)


def _forget_one(town: Town, row: Row) -> None:
    records = town.store.records
    updates = [
        u.id
        for u in records.all("report_update", Query(where={"request": row.id}, deleted=None))
        if u.values["reporter"]
    ]
    photos = list(records.all("report_photo", Query(where={"request": row.id}, deleted=None)))
    with records.writer(SYSTEM, "Fin de conservation") as writer:
        erase_values(records, writer, "service_request", [row.id], ("reporter", "key_hash"))
        erase_values(records, writer, "report_update", updates, ("reporter",))
        gone = _drop_photos(town, writer, photos)
        if photos:
            writer.change("service_request", row.id, {"photos": 0})
    town.store.files.unlink(gone)
