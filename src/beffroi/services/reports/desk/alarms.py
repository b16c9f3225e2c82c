"""Sensors as reporters: a rule whose action is `record: service_request` opens a report; the end of its alarm closes it.

    actions: [{record: service_request, values: {number: 'A-{id}', source: alarm, source_id: '{id}', channel: sensor,
              requested: '{raised_at}', description: '{message}', category: '12'}}]

The report then gets what a citizen's would: place of the sensor or asset, area, department, deadline. When the alarm
ends by itself the report is closed as already done, unless someone has answered it: then a note says so.
"""

import threading
from typing import Any

import msgspec
from sqlalchemy import select, text

from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound
from beffroi.services.reports import states
from beffroi.services.reports.arrival.table import settle
from beffroi.services.reports.desk.acting import REQUEST, UPDATE
from beffroi.services.reports.desk.context import place_of
from beffroi.services.reports.states import OPEN
from beffroi.store.follow import follow
from beffroi.store.record import Change, Query, Row
from beffroi.store.record_writer import Writer
from beffroi.store.tables import cursor, location, thing_location
from beffroi.town import Town

__all__ = ["SOURCE", "follow_alarms", "read_alarms"]

SOURCE = "alarm"
_CURSOR = "reports.alarms"
_BATCH = 5000
_READ = frozenset(("source", "cleared_at"))


def follow_alarms(town: Town, stop: threading.Event) -> None:
    """Read the bus of records until `stop` (a duty of the service)."""
    follow(town.store, stop, lambda: read_alarms(town), whole=_BATCH)


def read_alarms(town: Town) -> int:
    """Handle the changes committed since the last time, in one transaction with the cursor; return how many."""
    with town.store.read() as c:
        position = c.execute(select(cursor.c.position).where(cursor.c.name == _CURSOR)).scalar()
    if position is None:  # a town that had alarms before it had reports begins now
        position = 0 if town.store.records.count(REQUEST) else town.store.records.head()
    news = town.store.records.news(int(position), _BATCH, fields=_READ, wanted=_wanted)
    if not news.read:
        return 0
    with town.store.records.writer(SYSTEM, "Suite d'une alarme") as writer:
        for change in news.changes:
            _handle(town, writer, change)
        writer.connection.execute(
            text("INSERT INTO cursor (name, position) VALUES (:n, :p) ON CONFLICT (name) DO UPDATE SET position = excluded.position"),
            {"n": _CURSOR, "p": str(news.seq)},
        )  # fmt: skip
    return news.read


def _wanted(collection: str, action: str, after: str) -> bool:
    """True for the changes that `_handle` handles, told from what they hold before they are opened."""
    if collection == "alarm":
        return "cleared_at" in after
    return collection == REQUEST and action == "create" and f'"{SOURCE}"' in after


def _handle(town: Town, writer: Writer, change: Change) -> None:
    if change.collection == REQUEST and change.action == "create" and change.after.get("source") == SOURCE:
        _complete(town, writer, change.record_id)
    elif change.collection == "alarm" and change.after.get("cleared_at") is not None:
        where = {"source": SOURCE, "source_id": str(change.record_id), "state": OPEN}
        for row in town.store.records.find(REQUEST, Query(where=where), c=writer.connection).rows:
            _close(town, writer, row)


def _complete(town: Town, writer: Writer, number: int) -> None:
    """Give a report that a rule opened its place, department, deadline and publicity."""
    try:
        row = town.store.records.get(REQUEST, number, c=writer.connection)
        alarm = town.store.records.get("alarm", int(row.values["source_id"] or 0), c=writer.connection)
    except (NotFound, ValueError):
        return
    geometry, asset = _subject(town, writer, alarm)
    spot = (float(geometry["coordinates"][0]), float(geometry["coordinates"][1])) if geometry else None
    made = settle(town, row.values, spot, row.territory)
    values = {"department": made.department, "priority": made.priority, "due": made.due_us, "area": made.area,
              "asset": row.values["asset"] or asset, "moderation": "accepted"}  # fmt: skip
    confidential = bool(row.values["confidential"]) or not alarm.values["public"]
    after = {**row.values, **values, "confidential": confidential}
    writer.change(
        REQUEST,
        number,
        {**values, "confidential": confidential, "shown": states.shown_after(after)},
        geometry,
    )
    if alarm.values["cleared_at"] is not None:
        _close(town, writer, town.store.records.get(REQUEST, number, c=writer.connection))


def _subject(town: Town, writer: Writer, alarm: Row) -> tuple[dict[str, Any] | None, str | None]:
    """Return where an alarm's subject is, and the asset that it is ("bin/12"), as far as they are known."""
    subject = str(alarm.values["subject"])
    if subject.startswith("record:"):
        _, collection, key = subject.split(":", 2)
        try:
            row = town.store.records.get(collection, int(key), c=writer.connection)
        except (NotFound, ValueError):
            return None, None
        spot = place_of(row)
        return ({"type": "Point", "coordinates": list(spot)} if spot else None), f"{collection}/{row.id}"
    if alarm.values["thing_id"] is None:
        return None, None
    places = (
        select(location.c.location)
        .join(thing_location, thing_location.c.location_id == location.c.id)
        .where(thing_location.c.thing_id == alarm.values["thing_id"])
    )
    for written in writer.connection.execute(places).scalars():
        found = msgspec.json.decode(written)
        if isinstance(found, dict) and found.get("type") == "Point":
            return {"type": "Point", "coordinates": found["coordinates"][:2]}, None
    return None, None


def _close(town: Town, writer: Writer, row: Row) -> None:
    said = (
        "L'alarme s'est terminée d'elle-même."
        if town.settings.language == "fr"
        else "The alarm ended by itself."
    )
    if row.values["first_answered"] is not None or row.values["state"] not in ("received", "waiting"):
        values = {"request": row.id, "kind": "note", "at": town.clock(), "actor": "system", "text": said}
        writer.create(UPDATE, values, territory=row.territory)
        return
    made = states.move(row.values, "close", "system", town.clock(), reason="already_done", text=said)
    writer.change(REQUEST, row.id, made.values)
    writer.create(
        UPDATE,
        {**made.update, "request": row.id, "shown": bool(row.values["shown"])},
        territory=row.territory,
    )
