"""Who is called, and when: each step is a job that is due so long after the warning opened, and does nothing once someone
has confirmed. It finds the person on duty for its function at that very moment.

Jobs are queued in the transaction that made them necessary and bear a key, so that each call is made once, whatever stops.
"""

import logging
import os
import smtplib
import threading
from email.message import EmailMessage
from typing import Any

import msgspec

from beffroi.model.instant import DAY_US, MINUTE_US
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import LANGUAGES, Text
from beffroi.rules import outbox
from beffroi.rules.mail import ActionError, send
from beffroi.rules.outbox import Job
from beffroi.rules.webhook import post
from beffroi.services.water.warning.keeping import note, station_of
from beffroi.services.water.warning.ranks import NAMES, rank
from beffroi.services.water.warning.wording import CALLED, EXERCISE, HEADLINES, MUTE, NO_WAY, NOBODY, WAYS
from beffroi.store.follow import follow
from beffroi.store.record import Query, Row, Where
from beffroi.store.record_writer import Writer
from beffroi.town import Town

__all__ = ["KIND", "SMS", "on_duty", "queue", "send_due", "silence", "work_off"]

log = logging.getLogger("beffroi.water")
KIND = "water"
SMS = "reports.sms"  # the town's one SMS gateway, which takes {"to", "text"} as a signed webhook
STALE_US = DAY_US
PAUSE_S = 1.0


def steps(town: Town, colour: str, territory: str | None) -> list[Row]:
    """Return the steps of the escalation of a colour, the first first."""
    rows = town.store.records.find("escalation_step", Query(limit=200)).rows
    wanted = [
        row for row in rows
        if rank(row.values["colour"]) <= rank(colour) and (not row.territory or row.territory == territory)
    ]  # fmt: skip
    return sorted(wanted, key=lambda row: (row.values["after_min"], row.values["position"], row.id))


def queue(town: Town, writer: Writer, warning: Row, colour: str, at_us: int) -> None:
    """Queue the calls of a warning that reached a colour at an instant. What is more than a day old calls nobody."""
    if town.clock() - at_us > STALE_US:
        return
    for step in steps(town, colour, warning.territory):
        payload = {"what": "call", "warning": warning.id, "colour": colour, "step": step.id}
        due = at_us + step.values["after_min"] * MINUTE_US
        outbox.queue(
            town.store,
            writer.connection,
            f"water/{warning.id}/{colour}/{at_us}/{step.id}",
            payload,
            due,
            KIND,
        )


def silence(town: Town, alarm: Row, station_id: int) -> None:
    """Queue the calls of a station that fell silent; they stop when the alarm is taken in charge or over."""
    at = alarm.values["raised_at"]
    station = town.store.records.get("river_station", station_id, deleted=None)
    with town.store.write() as c:
        for step in steps(town, alarm.values["severity"], station.territory):
            payload = {"what": "silence", "alarm": alarm.id, "station": station_id, "step": step.id}
            key = f"water/silence/{alarm.id}/{alarm.values['severity']}/{step.id}"
            outbox.queue(town.store, c, key, payload, at + step.values["after_min"] * MINUTE_US, KIND)


def on_duty(town: Town, function: str, at_us: int, territory: str | None = None) -> Row | None:
    """Return the turn of who answers for a function at an instant: of two, the one that began last."""
    where = {"function": function, "starts": Where("<=", at_us), "ends": Where(">", at_us)}
    rows = town.store.records.find("duty_turn", Query(where=where, sort="-starts", limit=20)).rows
    return next(
        (row for row in rows if not row.territory or territory is None or row.territory == territory), None
    )


# --- Doing it.


def send_due(town: Town, stop: threading.Event) -> None:
    """Make the calls that are due until `stop` is set (a duty of the service)."""
    follow(town.store, stop, lambda: work_off(town, stop), idle_s=PAUSE_S, pause_s=PAUSE_S)


def work_off(town: Town, stop: threading.Event | None = None) -> int:
    """Make every call that is due; return how many were tried."""
    tried, owner = 0, f"pid {os.getpid()}"
    while stop is None or not stop.is_set():
        job = outbox.take(town.store, town.clock(), owner, KIND)
        if job is None:
            return tried
        tried += 1
        try:
            _DO[job.payload["what"]](town, job)
        except (ActionError, Problem, OSError, smtplib.SMTPException) as error:
            final = isinstance(error, Problem) or (isinstance(error, ActionError) and error.final)
            reason = type(error).__name__ if isinstance(error, smtplib.SMTPException) else str(error)
            log.warning("call %s failed (attempt %s): %s", job.key, job.attempts, reason)  # never an address
            outbox.failed(town.store, job, reason, town.clock(), final=final)
    return tried


def _call(town: Town, job: Job) -> None:
    """Call for a warning that still waits for someone."""
    p = job.payload
    warning = town.store.records.get("river_warning", p["warning"])
    v = warning.values
    told = ""
    if (
        v["state"] == "proposed" and v["colour"] == p["colour"]
    ):  # a colour that was passed has calls of its own
        station = station_of(town, warning)
        colour, name = NAMES[v["colour"]], station.values["name"]
        exercise = EXERCISE if v["exercise"] else Text("", "")
        subject = Text(*(
            HEADLINES["Alert"].of(one, exercise=exercise.of(one), colour=colour.of(one), place=name) for one in LANGUAGES
        ))  # fmt: skip
        told = _reach(town, job, subject, f"/services/water/alertes/{warning.id}", warning.territory)
    with town.store.records.writer(SYSTEM, "Escalade") as writer:
        if told:
            note(writer, warning, "call", told, "Beffroi", town.clock())
        outbox.done(writer.connection, job)


def _silence(town: Town, job: Job) -> None:
    """Call for a station that is still silent."""
    p = job.payload
    alarm = town.store.records.get("alarm", p["alarm"])
    if alarm.values["state"] == "active":
        station = town.store.records.get("river_station", p["station"], deleted=None)
        subject = MUTE.filled(place=station.values["name"])
        _reach(town, job, subject, f"/alarmes/{alarm.id}", station.territory)
    with town.store.write() as c:
        outbox.done(c, job)


def _reach(town: Town, job: Job, said: Text, path: str, territory: str | None) -> str:
    """Tell the person on duty by the step's way, in the town's language; return what the log says of it (a function, never
    a name)."""
    step = town.store.records.get("escalation_step", job.payload["step"], deleted=None).values
    turn = on_duty(town, step["function"], town.clock(), territory)
    if turn is None:
        return NOBODY.of("fr", who=step["function"])
    v, subject = turn.values, said.of(town.settings.language)
    by_mail = by_phone = False
    address = f"{(town.settings.base_url or '').rstrip('/')}{path}"
    if step["way"] in ("mail", "both") and v["mail"] and town.settings.mail.url:
        send(town.settings, _letter(town, v["mail"], subject, f"{subject}\n\n{address}\n", job.key))
        by_mail = True
    if (
        step["way"] in ("sms", "both")
        and v["phone"]
        and _text(town, v["phone"], f"{subject} {address}", job.key)
    ):
        by_phone = True
    ways = WAYS.get((by_mail, by_phone))
    return (
        NO_WAY.of("fr", who=step["function"])
        if ways is None
        else CALLED.of("fr", who=step["function"], ways=ways.fr)
    )


def _letter(town: Town, to: str, subject: str, body: str, key: str) -> EmailMessage:
    letter = EmailMessage()
    sender = town.settings.mail.sender
    letter["From"], letter["To"] = sender, to
    letter["Subject"] = " ".join(subject.split())[:200]
    letter["Message-ID"] = f"<{key.replace('/', '.')}@beffroi.{sender.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter["Importance"] = "high"
    letter.set_content(body)
    return letter


def _text(town: Town, phone: str, words: str, key: str) -> bool:
    gateway = town.store.setting(SMS)
    if not gateway:
        return False
    body = msgspec.json.encode({"to": phone, "text": words[:300]})
    status = post(str(gateway), body, town.settings.secret().hex().encode(), key, now_us=town.clock(),
                  private=bool(town.store.setting("webhook.private", False)), timeout_s=15)  # fmt: skip
    if not 200 <= status < 300:
        raise ActionError(f"the SMS gateway answered {status}", final=400 <= status < 500)
    return True


def _message(town: Town, job: Job) -> None:
    """Send a CAP message to one recipient."""
    records = town.store.records
    try:
        recipient = records.get("warning_recipient", job.payload["recipient"]).values
        message = records.get("cap_message", job.payload["message"]).values
    except NotFound:
        recipient, message = {}, {}  # taken off the list since
    if recipient.get("mail") and recipient["active"] and town.settings.mail.url:
        letter = _letter(town, recipient["mail"], message["headline"], message["headline"] + "\n", job.key)
        name = f"{message['identifier']}.xml"
        letter.add_attachment(
            message["xml"].encode(), maintype="application", subtype="cap+xml", filename=name
        )
        send(town.settings, letter)
    with town.store.write() as c:
        outbox.done(c, job)


def queue_message(town: Town, writer: Writer, message: Row, colour: str) -> None:
    """Queue a CAP message to everyone who asked for that colour."""
    found: Any = town.store.records.find(
        "warning_recipient", Query(where={"active": True}, limit=500), writer.connection
    )
    for row in found.rows:
        if rank(row.values["colour"]) <= rank(colour) and (
            not row.territory or row.territory == message.territory
        ):
            payload = {"what": "message", "message": message.id, "recipient": row.id}
            key = f"water/cap/{message.id}/{row.id}"
            outbox.queue(town.store, writer.connection, key, payload, town.clock(), KIND)


_DO = {"call": _call, "silence": _silence, "message": _message}
