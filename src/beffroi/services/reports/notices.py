"""Notices: who is told what, and when. Queued with what made them necessary; composed when sent, from sealed records.

A job holds no name and no address, only numbers: what is erased before it is sent is never sent. What agents, firms or
neighbours write needs no call from here: the bus of records is read, and each public update finds its followers.
"""

import logging
import os
import smtplib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from sqlalchemy import select, text

from beffroi.model.instant import MINUTE_US
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.rules import outbox
from beffroi.rules.mail import ActionError, send
from beffroi.rules.outbox import Job
from beffroi.rules.webhook import post
from beffroi.services.reports import devices, letters
from beffroi.services.reports import receipts as papers
from beffroi.services.reports.categories_tree import categories_of
from beffroi.services.reports.preparing import publish
from beffroi.services.reports.subscriptions import alert_path, end, follower_path
from beffroi.services.reports.where import around, distance_m
from beffroi.store.follow import follow
from beffroi.store.record import Change, Query, Row
from beffroi.store.record_writer import Writer
from beffroi.store.tables import cursor
from beffroi.town import Town

__all__ = [
    "KIND",
    "PUSH",
    "confirm_alert",
    "department_of",
    "read_bus",
    "receipts",
    "send_due",
    "tell_updates",
]

log = logging.getLogger("beffroi.reports")
KIND = "report-notice"
PUSH = "report-push"  # apart: a push service that does not answer must not hold the letters up
SMS = "reports.sms"  # the town's setting: address of its SMS gateway, which takes {"to", "text"} as a signed webhook
_CURSOR = "reports.notices"
_BATCH = 5000
GRACE_US = MINUTE_US  # what an agent undoes at once is told to nobody: a letter cannot be taken back
_TOLD = ("reply", "state", "comment")
_WIDEST_M = 20_000


# --- Queueing.


def _queue(
    town: Town, writer: Writer, key: str, *, after_us: int = 0, kind: str = KIND, **payload: Any
) -> None:
    due_us = town.clock() + after_us
    outbox.queue(town.store, writer.connection, f"report/{key}", payload, due_us, kind)


def _kind(told: Row) -> str:
    return PUSH if told.values["push"] else KIND


def receipts(town: Town, writer: Writer, row: Row) -> None:
    """Queue the receipts of a report that just came in, and note the legal ones in its life."""
    saisine = row.values["kind"] == "saisine"
    if saisine:
        _receipt(town, writer, row, "aee")
        if row.values["department"] is not None:
            _receipt(town, writer, row, "are")
    elif row.values["mail"] or row.values["phone"]:
        _queue(town, writer, f"{row.id}/received", what="received", report=row.id)


def _receipt(town: Town, writer: Writer, row: Row, what: str) -> None:
    _queue(town, writer, f"{row.id}/{what}", what=what, report=row.id)
    values = {"request": row.id, "kind": "receipt", "at": town.clock(), "actor": "system", "action": what}
    writer.create("report_update", values, None, row.territory)


def confirm_alert(town: Town, writer: Writer, alert: int) -> None:
    """Queue the letter by which an alert is confirmed."""
    _queue(town, writer, f"alert/{alert}/confirm", what="confirm", alert=alert)


# --- The bus: each public update finds its followers, each new public report its neighbours.


PAUSE_S = 0.5  # a letter may wait that long; a town that writes all the time is not asked ten times a second


def tell_updates(town: Town, stop: threading.Event) -> None:
    """Read the bus of records until `stop`, queueing what it makes necessary (a duty of the service)."""
    follow(town.store, stop, lambda: read_bus(town), whole=_BATCH, idle_s=PAUSE_S, pause_s=PAUSE_S)


def read_bus(town: Town) -> int:
    """Handle the changes that were committed since the last time; return how many were read."""
    records = town.store.records
    with town.store.read() as c:
        position = c.execute(select(cursor.c.position).where(cursor.c.name == _CURSOR)).scalar()
    if position is None:  # a town that had records before it had this service begins now
        start = (
            records.head()
            if records.count("report_update") == 0 and records.count("service_request") == 0
            else 0
        )
        _keep(town, start, [])
        return 1
    news = records.news(int(position), _BATCH, fields=_READ, wanted=_wanted)
    if not news.read:
        return 0
    wanted: list[Callable[[Writer], None]] = []
    for change in news.changes:
        wanted += _asked(town, change)
    _keep(town, news.seq, wanted)
    return news.read


def _wanted(collection: str, action: str, after: str) -> bool:
    """True for the changes that `_asked` may answer, told from what they hold before they are opened."""
    if collection == "service_request":
        return '"shown"' in after and not (action == "create" and '"channel":"import"' in after)
    return collection == "report_update" or (collection == "report_photo" and action == "update")


def _keep(town: Town, seq: int, wanted: list[Callable[[Writer], None]]) -> None:
    with town.store.records.writer(SYSTEM, "Avis envoyés") as writer:
        for one in wanted:
            one(writer)
        writer.connection.execute(
            text("INSERT INTO cursor (name, position) VALUES (:n, :p) ON CONFLICT (name) DO UPDATE SET position = excluded.position"),
            {"n": _CURSOR, "p": str(seq)},
        )  # fmt: skip


_READ = frozenset(("shown", "kind", "request", "moderation", "state", "from_state", "action", "channel"))


def _asked(town: Town, change: Change) -> list[Callable[[Writer], None]]:
    if (
        change.collection == "report_update"
        and change.action == "create"
        and change.after.get("kind") in _TOLD
    ):
        return _of_update(town, change)
    if change.collection == "service_request" and change.action == "create":  # its photos are not ready yet
        new = change.after.get("shown") and change.after.get("channel") != "import"
        return _of_new(town, change) if new else []
    if change.collection == "service_request" and "shown" in change.after:
        return [
            *_of_photos(town, change.record_id),
            *(_of_new(town, change) if change.after["shown"] else ()),
        ]
    if change.collection == "report_photo" and change.action == "update" and "moderation" in change.after:
        photo = town.store.records.find("report_photo", Query(where={"_id": change.record_id}, limit=1)).rows
        return _of_photos(town, photo[0].values["request"]) if photo else []
    return []


def _of_photos(town: Town, report: int) -> list[Callable[[Writer], None]]:
    """Let a report's photos follow what was just decided of it."""
    if not town.store.records.count("report_photo", Query(where={"request": report, "state": "ready"})):
        return []
    return [lambda writer: publish(town, writer, report)]


def _of_update(town: Town, change: Change) -> list[Callable[[Writer], None]]:
    try:
        report = town.store.records.get("service_request", int(change.after["request"]))
    except NotFound:
        return []
    if change.after["kind"] == "comment" and not change.after.get("shown"):
        return []
    wanted: list[Callable[[Writer], None]] = []
    for one in (report, *_merged(town, report.id)):
        for follower in _followers(town, one):
            key = f"{one.id}/update/{change.record_id}/{follower.id}"
            wanted.append(
                _queued(
                    town, key, what="update", report=one.id, update=change.record_id, follower=follower.id, kind=_kind(follower),
                    after_us=GRACE_US if change.author.startswith("user:") else 0,
                )
            )  # fmt: skip
    state = change.after.get("state")
    if state == "closed" or change.after.get("from_state") == "closed":
        wanted += [_until(f, change.at_us if state == "closed" else None) for f in _followers(town, report)]
    if report.values["kind"] == "saisine" and change.after.get("action") == "route":
        wanted.append(_late_receipt(town, report))
    return wanted


def _queued(town: Town, key: str, **how: Any) -> Callable[[Writer], None]:
    return lambda writer: _queue(town, writer, key, **how)


def _until(follower: Row, at_us: int | None) -> Callable[[Writer], None]:
    """Let the time run after which a follower's address is forgotten, or stop it."""

    def change(writer: Writer) -> None:
        writer.change("report_follower", follower.id, {"until": at_us})

    return change


def _late_receipt(town: Town, report: Row) -> Callable[[Writer], None]:
    """Send the accusé de réception once the service is known, when it was not at first."""

    def send_once(writer: Writer) -> None:
        where = {"request": report.id, "kind": "receipt", "action": "are"}
        if not town.store.records.count("report_update", Query(where=where), c=writer.connection):
            _receipt(town, writer, report, "are")

    return send_once


def _merged(town: Town, report: int) -> list[Row]:
    """Return the reports merged into one, directly or through another: their reporters are told too."""
    found: dict[int, Row] = {}
    layer = [report]
    while layer and len(found) < 500:
        rows = town.store.records.find(
            "service_request", Query(where={"duplicate_of": layer}, limit=500)
        ).rows
        layer = [row.id for row in rows if row.id not in found and row.id != report]
        found |= {row.id: row for row in rows if row.id != report}
    return list(found.values())


def _followers(town: Town, report: Row) -> list[Row]:
    where: dict[str, Any] = {"request": report.id}
    if not report.values["shown"]:
        where["reason"] = "author"  # what is private is told to its author alone
    return list(town.store.records.all("report_follower", Query(where=where, limit=1000)))


def _of_new(town: Town, change: Change) -> list[Callable[[Writer], None]]:
    try:
        report = town.store.records.get("service_request", change.record_id)
    except NotFound:
        return []
    if not report.values["shown"] or report.geometry is None or report.values["channel"] == "import":
        return []
    return [
        _queued(town, f"{report.id}/alert/{row.id}", what="alert", report=report.id, alert=row.id, kind=_kind(row))
        for row in _alerts(town, report)
        if not row.values["categories"] or report.values["category"] in row.values["categories"]
    ]  # fmt: skip


def _alerts(town: Town, report: Row) -> Iterator[Row]:
    """Yield the confirmed alerts around a report's place, and those of its area."""
    assert report.geometry is not None
    records, at, area = town.store.records, tuple(report.geometry["coordinates"][:2]), report.values["area"]
    around_points = Query(bbox=around(at, _WIDEST_M), where={"confirmed": True, "area": None}, limit=1000)
    for row in records.all("report_alert", around_points):
        if row.geometry and distance_m(at, tuple(row.geometry["coordinates"][:2])) <= row.values["radius_m"]:
            yield row
    if area:  # of its commune, or one that belongs to none in particular
        where = {"confirmed": True, "area": area, "_territory": [report.territory or "", ""]}
        yield from records.all("report_alert", Query(where=where, limit=1000))


# --- Sending.


def send_due(town: Town, stop: threading.Event) -> None:
    """Send what is due until `stop` (a duty of the service)."""
    follow(town.store, stop, lambda: work_off(town, stop), pause_s=PAUSE_S)


def work_off(town: Town, stop: threading.Event | None = None) -> int:
    """Send every notice that is due, letters before what is pushed to devices; return how many were tried."""
    tried, owner = 0, f"pid {os.getpid()}"
    while stop is None or not stop.is_set():
        waiting = (outbox.take(town.store, town.clock(), owner, kind) for kind in (KIND, PUSH))
        job = next((one for one in waiting if one is not None), None)
        if job is None:
            return tried
        tried += 1
        try:
            _send(town, job)
        except (ActionError, Problem, OSError, smtplib.SMTPException) as error:
            final = isinstance(error, Problem) or (isinstance(error, ActionError) and error.final)
            reason = type(error).__name__ if isinstance(error, smtplib.SMTPException) else str(error)
            log.warning(
                "notice %s failed (attempt %s): %s", job.key, job.attempts, reason
            )  # never an address
            outbox.failed(town.store, job, reason, town.clock(), final=final)
    return tried


class _To(msgspec.Struct, frozen=True):
    """Whom a notice goes to, in what language."""

    mail: str | None
    phone: str | None
    language: str
    push: dict[str, Any] | None = None


def _send(town: Town, job: Job) -> None:
    try:
        to, words, report = _COMPOSE[job.payload["what"]](town, job.payload)
        paper = _paper(town, job.payload) if to.mail and town.settings.mail.url else None
    except NotFound:
        to, words, report = (
            _To(None, None, "fr"),
            letters.Words("", ""),
            None,
        )  # erased since: nothing to tell
        paper = None
    if to.push:
        if not devices.tell(town, to.push, words, job.key, to.language):
            _gone(town, job.payload)
    elif to.mail and town.settings.mail.url:
        send(town.settings, letters.letter(town.settings, words, to.mail, job.key, report, paper))
    elif to.phone:
        _text(town, to.phone, words, job.key)
    with town.store.write() as c:
        outbox.done(c, job)


def _gone(town: Town, payload: dict[str, Any]) -> None:
    """End the subscription of a browser that no longer takes messages."""
    collection, number = (
        ("report_follower", "follower") if "follower" in payload else ("report_alert", "alert")
    )
    row = town.store.records.get(collection, payload[number])
    with town.store.records.writer(SYSTEM, "Appareil parti") as writer:
        end(town, writer, collection, row)


def _text(town: Town, phone: str, words: letters.Words, key: str) -> None:
    gateway = town.store.setting(SMS)
    if not gateway:
        return  # nobody promised a message: the number and the key follow
    body = msgspec.json.encode({"to": phone, "text": f"{words.subject} {words.page}".strip()[:300]})
    status = post(str(gateway), body, town.settings.secret().hex().encode(), key, now_us=town.clock(),
                  private=bool(town.store.setting("webhook.private", False)), timeout_s=15)  # fmt: skip
    if not 200 <= status < 300:
        raise ActionError(f"the SMS gateway answered {status}", final=400 <= status < 500)


Composed = tuple[_To, letters.Words, int | None]


def _compose_receipt(town: Town, payload: dict[str, Any]) -> Composed:
    row = town.store.records.get("service_request", payload["report"])
    to = _To(row.values["mail"], row.values["phone"], row.values["language"])
    words = letters.receipt_words(
        town.settings,
        row.values,
        payload["what"],
        department_of(town, row, to.language),
        categories_of(town).title(row.values["category"], to.language),
        to.language,
    )
    return to, words, row.id


def _paper(town: Town, payload: dict[str, Any]) -> tuple[str, bytes] | None:
    """Return the receipt that goes with its letter as a paper."""
    if payload["what"] not in papers.KINDS:
        return None
    row = town.store.records.get("service_request", payload["report"])
    language = row.values["language"]
    return papers.attached(town, row, department_of(town, row, language), payload["what"], language)


def department_of(town: Town, row: Row, language: str = "fr") -> letters.Department:
    """Return who answers for a report: its department, with what is missing taken from the town hall's own record."""
    records = town.store.records
    own = [records.get("report_department", row.values["department"])] if row.values["department"] else []
    hall = records.find("report_department", Query(where={"code": "mairie"}, limit=1)).rows
    found: dict[str, str] = {}
    for one in (*own, *hall):
        for name in ("name", "address", "mail", "phone"):
            said = (one.values["name_en"] if name == "name" and language == "en" else None) or one.values[
                name
            ]
            if said and name not in found:
                found[name] = said
    return letters.Department(**{"name": town.name, "mail": town.settings.mail.sender, **found})


def _compose_update(town: Town, payload: dict[str, Any]) -> Composed:
    records = town.store.records
    row, update = (
        records.get("service_request", payload["report"]),
        records.get("report_update", payload["update"]),
    )
    follower = records.get("report_follower", payload["follower"])
    v = follower.values
    words = letters.update_words(
        town.settings,
        row.values,
        update.values,
        own=v["reason"] == "author",
        stop=follower_path(town, follower.id),
        language=v["language"],
    )
    return _To(v["mail"], v["phone"], v["language"], v["push"]), words, row.id


def _compose_alert(town: Town, payload: dict[str, Any]) -> Composed:
    records = town.store.records
    row, alert = (
        records.get("service_request", payload["report"]),
        records.get("report_alert", payload["alert"]),
    )
    if not row.values["shown"] or row.geometry is None or alert.geometry is None:
        raise NotFound(Text("Ce signalement n'est plus public.", "This report is no longer public."))
    language = alert.values["language"]
    metres = distance_m(tuple(row.geometry["coordinates"][:2]), tuple(alert.geometry["coordinates"][:2]))
    near = alert.values["area"] or 10 * round(metres / 10)
    category = categories_of(town).title(row.values["category"], language)
    words = letters.alert_words(
        town.settings, row.values, category, near, alert_path(town, alert.id), language
    )
    return _To(alert.values["mail"], None, language, alert.values["push"]), words, None


def _compose_confirm(town: Town, payload: dict[str, Any]) -> Composed:
    alert = town.store.records.get("report_alert", payload["alert"])
    language = alert.values["language"]
    words = letters.confirm_words(town.settings, alert_path(town, alert.id), language)
    return _To(alert.values["mail"], None, language), words, None


_COMPOSE: dict[str, Callable[[Town, dict[str, Any]], Composed]] = {
    "received": _compose_receipt, "aee": _compose_receipt, "are": _compose_receipt, "update": _compose_update,
    "alert": _compose_alert, "confirm": _compose_confirm,
}  # fmt: skip
