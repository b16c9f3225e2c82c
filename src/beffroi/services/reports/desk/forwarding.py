"""Forwarding: an outside firm sees one report by a link, and acts on it, without an account.

The link holds a key of which only the digest is kept; it expires, and is taken back at once. Opening it changes
nothing (scanners of mail open links): every deed is a form. The firm sees what it needs to repair, never who reported.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import formataddr
from zoneinfo import ZoneInfo

import msgspec

from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.rules import outbox
from beffroi.rules.mail import send
from beffroi.rules.outbox import Job
from beffroi.services.reports import states
from beffroi.services.reports.desk.acting import REQUEST, UPDATE, Deed, Handling
from beffroi.services.reports.desk.deeds import instant_of
from beffroi.services.reports.photos.cut import Cut
from beffroi.services.reports.submission import add_photos, keep, stage
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["FIRM_REASONS", "KIND", "Opened", "act", "forward", "give_back", "letter_of", "open_link"]

KIND = "report-forward"
LONGEST_DAYS = 365
FIRM_REASONS = ("repaired", "already_done", "not_found", "unable")


class Opened(msgspec.Struct, frozen=True):
    """What a link opens: the link's record, the report, and the firm's name."""

    link: Row
    report: Row
    firm: str


def _digest(town: Town, key: str) -> str:
    return hmac.new(town.settings.secret(), f"report forward\0{key}".encode(), hashlib.sha256).hexdigest()


def _key(town: Town, link: int, nonce: str) -> str:
    """Return the key of a link: made again when its letter is written, so that no job holds it."""
    made = hmac.new(town.settings.secret(), f"report forward {link} {nonce}".encode(), hashlib.sha256)
    return f"{link}-{made.hexdigest()[:32]}"


def forward(
    handling: Handling, number: int, *, department: int | None, mail: str, days: int, text: str
) -> str:
    """Give a report to a firm by a link; return the link's path. The letter goes out with the commit.

    Raises `Problem` when nobody is named, or the number of days is not from 1 to 365.
    """
    (row,) = handling.held([number])
    if not 1 <= days <= LONGEST_DAYS:
        raise Problem(Text("Cette durée n'est pas possible.", "This duration is not possible."),
                      Text(f"De 1 à {LONGEST_DAYS} jours.", f"From 1 to {LONGEST_DAYS} days."), place="days")  # fmt: skip
    firm = _firm(handling, department)
    to = mail.strip() or (firm.values["mail"] or "" if firm else "")
    if "@" not in to or len(to) > 254 or any(sign in to for sign in " \r\n,;<>"):
        raise Problem(Text("Il n'y a pas d'adresse où envoyer le lien.", "There is no address to send the link to."),
                      Text("Écrivez le courriel de l'entreprise.", "Write the firm's e-mail address."), place="mail")  # fmt: skip
    town, nonce = handling.town, secrets.token_hex(8)
    with town.store.write() as c, handling.records.writer(handling.who, c=c) as writer:
        link = writer.create(
            "report_forward",
            {"request": row.id, "department": department, "sent": town.clock(), "expires": town.clock() + days * DAY_US, "mail": to},
            territory=row.territory,
        )  # fmt: skip
        key = _key(town, link.id, nonce)
        writer.change("report_forward", link.id, {"key_hash": _digest(town, key)})
        within = Handling(town, handling.who, c)
        within.act([row.id], Deed("forward", text))
        if department is not None:
            writer.change(REQUEST, row.id, {"department": department, "external": "sent"})
        else:
            writer.change(REQUEST, row.id, {"external": "sent"})
        payload = {"link": link.id, "nonce": nonce}
        outbox.queue(town.store, c, f"forward/{link.id}", payload, town.clock(), KIND)
    return f"/confie/{key}"


def _firm(handling: Handling, department: int | None) -> Row | None:
    if department is None:
        return None
    found = handling.records.find("report_department", Query(where={"_id": department}, limit=1)).rows
    if not found:
        raise Problem(Text("Cette entreprise n'existe pas.", "There is no such firm."), place="department")
    return found[0]


def give_back(handling: Handling, number: int, link: int) -> None:
    """Take a link back: it opens nothing any more."""
    (row,) = handling.held([number])
    found = handling.records.get("report_forward", link)
    if found.values["request"] != row.id:
        raise NotFound(Text("Ce lien n'existe pas.", "There is no such link."), place="link")
    handling.records.put("report_forward", {"revoked": handling.town.clock()}, id=link, who=handling.who)


# --- The firm's side.


def open_link(town: Town, key: str) -> Opened:
    """Return what a key opens. Raises `NotFound` for none; `Problem` (410) when it expired or was taken back."""
    number = key.partition("-")[0]
    found = []
    if number.isdigit() and len(number) < 19 and key.isascii():
        found = town.store.records.find("report_forward", Query(where={"_id": int(number)}, limit=1)).rows
    if not found or not hmac.compare_digest(found[0].values["key_hash"] or "", _digest(town, key)):
        raise NotFound(
            Text("Ce lien n'ouvre rien.", "This link opens nothing."),
            Text("Reprenez-le en entier dans le courriel reçu.", "Take it whole from the letter received."),
        )
    link = found[0]
    if link.values["revoked"] is not None or link.values["expires"] <= town.clock():
        raise Problem(
            Text("Ce lien n'est plus valable.", "This link is no longer valid."),
            Text("Demandez-en un autre à la mairie.", "Ask the town hall for another one."), status=410,
        )  # fmt: skip
    names = town.store.records.find(
        "report_department", Query(where={"_id": link.values["department"] or 0}, limit=1)
    ).rows
    report = town.store.records.get(REQUEST, link.values["request"])
    return Opened(link, report, str(names[0].values["name"]) if names else str(link.values["mail"] or ""))


def act(town: Town, opened: Opened, values: Mapping[str, str], photos: Sequence[Cut] = ()) -> None:
    """Do what the firm's form asks for: take on, schedule, answer, or say that it is done, with photos; those of a note
    are for the staff alone. Raises `Problem`."""
    who = Principal(f"forward:{opened.link.id}", opened.firm, "supplier", service="reports")
    do, text, row, now = (
        values.get("do", ""),
        values.get("text", "").strip()[:5000],
        opened.report,
        town.clock(),
    )
    until, staged = values.get("until", ""), stage(town, photos)
    with town.store.records.writer(who, text[:200]) as writer:
        if do == "note":
            if not text and not photos:
                raise Problem(Text("Le message est vide.", "The message is empty."), place="text")
            update = {"kind": "note", "actor": "firm", "at": now, "text": text or "Photo", "request": row.id}
            changed: dict[str, object] = {}
        elif do in ("take", "schedule", "close"):
            reason = values.get("reason", "")
            if do == "close" and reason not in FIRM_REASONS:
                raise Problem(Text("Dites ce qui a été fait.", "Say what was done."), place="reason")
            zone = ZoneInfo(town.settings.time_zone)
            made = states.move(row.values, do, "firm", now, reason=reason, text=text,
                               until_us=instant_of(until, zone, "until") if until else None)  # fmt: skip
            changed = {**made.values, **({"external": "done"} if do == "close" else {})}
            update = {**made.update, "request": row.id, "shown": bool(row.values["shown"])}
        else:
            raise Problem(Text("Que faut-il faire ?", "What is to be done?"), place="do")
        if changed:
            writer.change(REQUEST, row.id, changed)
        made_update = writer.create(UPDATE, update, territory=row.territory)
        add_photos(
            writer, row.id, keep(town, writer, staged), territory=row.territory, taken_by="firm", update=made_update.id,
            moderation="hidden" if do == "note" else "accepted",
        )  # fmt: skip
        if opened.link.values["opened"] is None:
            writer.change("report_forward", opened.link.id, {"opened": now})


# --- The letter.


def letter_of(town: Town, job: Job) -> EmailMessage | None:
    """Return the letter of a queued link, None when the link was taken back or erased meanwhile."""
    try:
        link = town.store.records.get("report_forward", job.payload["link"])
        report = town.store.records.get(REQUEST, link.values["request"])
    except NotFound:
        return None
    to = link.values["mail"]
    if not to or link.values["revoked"] is not None:
        return None
    settings, values = town.settings, report.values
    url = f"{settings.base_url.rstrip('/')}/confie/{_key(town, link.id, job.payload['nonce'])}"
    said = town.store.records.find(
        UPDATE, Query(where={"request": report.id, "action": "forward"}, sort="-at", limit=1)
    ).rows
    english = settings.language == "en"
    lines = [
        f"{'Report' if english else 'Signalement'} {values['number']}", values["place"] or values["address"] or "",
        values["description"] or "", str(said[0].values["text"] or "") if said else "",
        "To see it, plan the work or say that it is done, without an account:" if english
        else "Pour le voir, planifier ou dire que c'est fait, sans compte :",
        url,
    ]  # fmt: skip
    made = EmailMessage()
    made["From"] = formataddr((settings.name, settings.mail.sender))
    made["To"] = to
    made["Subject"] = f"{settings.name} : {values['number']}"[:200]
    made["Message-ID"] = f"<forward.{link.id}@{settings.mail.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content("\n\n".join(line for line in lines if line) + f"\n\n-- \n{settings.name}\n")
    return made


def deliver(town: Town, job: Job) -> None:
    """Send the letter of a queued link. Raises as `rules.mail.send`."""
    letter = letter_of(town, job)
    if letter is not None:
        send(town.settings, letter)
