"""Drafts: what a form holds between its two pages: photos already cut and sealed, and the reports that were shown.

One job of the house's table, by a key that only the form knows. A draft that nobody sends is forgotten after an hour:
its photos are erased, and its reader is noted to have seen the reports shown, and left.
"""

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select

from beffroi.model.instant import HOUR_US
from beffroi.services.reports.following import saw_and_left
from beffroi.services.reports.photos.cut import Cut
from beffroi.services.reports.submission import Held, stage
from beffroi.store.record import Query
from beffroi.store.record_writer import Writer
from beffroi.store.tables import job
from beffroi.town import Town

__all__ = ["begin", "forget_due", "take"]

KIND = "report-draft"
KEPT_US = HOUR_US


def begin(
    town: Town, photos: Sequence[Cut], near: Sequence[int], visitor: str, held: Sequence[Held] = ()
) -> str:
    """Hold photos and the reports that are shown; return the draft's key."""
    key = secrets.token_urlsafe(16)
    staged = stage(town, photos)
    with town.store.write() as c:
        names = [
            *((h.name, h.orientation) for h in held),
            *((town.store.files.keep(c, file), photo.orientation) for photo, file in staged),
        ]
        payload = msgspec.json.encode({"photos": names, "near": list(near), "visitor": visitor}).decode()
        c.execute(
            insert(job).values(
                id=town.store.next(c),
                kind=KIND,
                key=f"{KIND}/{key}",
                payload=payload,
                due_us=town.clock() + KEPT_US,
            )
        )
    return key


def take(writer: Writer, key: str) -> tuple[Held, ...]:
    """End a draft in the writer's transaction and return its photos, whose one use passes to the caller."""
    dropped = delete(job).where(job.c.kind == KIND, job.c.key == f"{KIND}/{key}").returning(job.c.payload)
    payload = writer.connection.execute(dropped).scalar()
    photos = msgspec.json.decode(payload)["photos"] if payload else []
    return tuple(Held(name, orientation) for name, orientation in photos)


def forget_due(town: Town) -> int:
    """Forget the drafts that nobody sent; return how many."""
    due = select(job).where(job.c.kind == KIND, job.c.due_us <= town.clock()).limit(100)
    with town.store.read() as c:
        rows = c.execute(due).all()
    for row in rows:
        payload: dict[str, Any] = msgspec.json.decode(row.payload)
        with town.store.write() as c:
            if not c.execute(delete(job).where(job.c.id == row.id)).rowcount:
                continue
            gone = town.store.files.release(c, [name for name, _ in payload["photos"]])
        town.store.files.unlink(gone)
        if payload["near"]:
            near = town.store.records.find(
                "service_request", Query(where={"_id": payload["near"]}, limit=20)
            ).rows
            saw_and_left(town, near, payload["visitor"])
    return len(rows)
