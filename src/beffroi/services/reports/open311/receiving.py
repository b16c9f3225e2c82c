"""What GeoReport clients send: requests (texts, answers, photos) and updates of requests.

A POST needs no key: like the form, it is read by an agent before it is public. With the key of an application it is
taken as one of ours. Photos pass the same door as the form's: their metadata are cut before anything is stored. A
`media_url` is fetched only from hosts that the settings name, so that nobody makes this server call another.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from beffroi.connectors.fetch import fetch
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.services.reports import states
from beffroi.services.reports.abuse import Post
from beffroi.services.reports.categories_tree import Category, categories_of
from beffroi.services.reports.keys import written
from beffroi.services.reports.photos.cut import Cut, cut
from beffroi.services.reports.posted import MOST_BYTES
from beffroi.services.reports.submission import Receipt, Submission, check, submit
from beffroi.standards.open311 import arguments
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["Sent", "receive", "receive_update", "unknown_service"]

# FixMyStreet's words for the end of a report, and GeoReport's own (which says no more than that it is closed).
_CLOSING = {
    "closed": "unsaid", "fixed": "repaired", "no_further_action": "unable", "not_councils_responsibility": "not_ours",
    "internal_referral": "not_ours", "duplicate": "already_done",
}  # fmt: skip
_STEPS = {"in_progress": "take", "investigating": "take", "open": "take"}


class Sent(msgspec.Struct, frozen=True):
    """A form as it came: its pairs, its files, the network it came from, and who sent it."""

    pairs: tuple[tuple[str, str], ...]
    photos: tuple[bytes, ...]
    address: str
    who: Principal
    language: str

    @property
    def trusted(self) -> bool:
        """True with the key of an application or of staff."""
        return self.who.staff or self.who.role in ("supplier", "device")


def unknown_service(code: str) -> Problem:
    """Return the problem of a service_code that there is not."""
    return NotFound(Text(f"Il n'y a pas de service_code « {code[:60]} ».", f"There is no service_code '{code[:60]}'."),
                    Text("GET services donne les codes.", "GET services lists the codes."), "service_code")  # fmt: skip


def receive(town: Town, sent: Sent, territory: str | None, *, dry: bool) -> Mapping[str, Any]:
    """Take a request in, or with `dry` only check it; return what the answer says of it. Raises `Problem`."""
    given = arguments.read_submission(sent.pairs)
    category = categories_of(town).by_code(given.service_code)
    if category is None or not category.active:
        raise unknown_service(given.service_code)
    made = _submission(town, sent, given, category, territory)
    for problem in check(town, made):
        raise Problem(
            problem.reason,
            problem.mend,
            _ARGUMENTS.get(problem.place, _attribute(problem.place)),
            problem.status,
        )
    if dry:
        notice = Text(
            "Essai : tout est juste, rien n'a été enregistré.", "Test: all is right, nothing was kept."
        )
        return {
            "service_request_id": "",
            "token": "",
            "service_notice": notice.of(sent.language),
            "account_id": "",
        }
    post = None if sent.trusted else Post(text=made.description, address=sent.address)
    receipt = submit(town, made, post)
    return {
        "service_request_id": receipt.number,
        "token": receipt.number,
        "service_notice": _notice(receipt, sent.language),
        "account_id": "",
    }


_ARGUMENTS = {"category": "service_code", "place": "address_string", "mail": "email", "photo": "media"}


def _attribute(place: str) -> str:
    return f"attribute[{place[2:]}]" if place.startswith("q-") else place


def _submission(
    town: Town, sent: Sent, given: arguments.Submission, category: Category, territory: str | None
) -> Submission:
    kinds = {str(q["code"]): str(q.get("kind", "string")) for q in category.questions}
    answers = {
        code: list(values) if kinds[code] == "multivaluelist" else values[0]
        for code, values in given.attributes.items()
        if code in kinds
    }
    photos = [*(cut(data) for data in sent.photos), *_fetched(town, given.text("media_url"))]
    name = " ".join(t for t in (given.text("first_name"), given.text("last_name")) if t)
    return Submission(
        category=category.id, description=given.text("description"), answers=answers,
        place=given.text("address_string") or given.text("address_id"),
        point=None if given.lat is None or given.long is None else (given.long, given.lat),
        channel="open311", language=sent.language, name=name, mail=given.text("email"), phone=given.text("phone"),
        photos=tuple(photos), territory=territory,
    )  # fmt: skip


def _fetched(town: Town, url: str) -> list[Cut]:
    if not url:
        return []
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname not in town.settings.open311.media_hosts:
        raise Problem(
            Text("Cette commune ne va pas chercher d'image à cette adresse.", "This town fetches no picture from that address."),
            Text("Envoyez l'image elle-même (multipart, champ media), ou faites ajouter l'hôte à open311.media_hosts.",
                 "Send the picture itself (multipart, field media), or have the host added to open311.media_hosts."),
            "media_url",
        )  # fmt: skip
    with fetch(url, timeout=10.0, largest=MOST_BYTES, accept="image/*") as body:
        return [cut(body.read())]


def _notice(receipt: Receipt, language: str) -> str:
    key = written(receipt.key)
    said = (
        Text(f"Signalement {receipt.number} reçu. Clé pour le suivre : {key}.", f"Report {receipt.number} received. Key to follow it: {key}.")
        if receipt.shown
        else Text(f"Signalement {receipt.number} reçu ; il sera lu avant d'être public. Clé pour le suivre : {key}.",
                  f"Report {receipt.number} received; it will be read before it is public. Key to follow it: {key}.")
    )  # fmt: skip
    return said.of(language)


def receive_update(town: Town, sent: Sent) -> dict[str, str]:
    """Take in what another system says of a request of ours (servicerequestupdates); return its update_id.

    The same update_id again changes nothing. Raises `Problem`, `Unauthorised` without a key.
    """
    if not sent.trusted:
        raise Unauthorised(Text("Il faut une clé pour mettre à jour une demande.", "A key is needed to update a request."),
                           Text("Donnez-la dans api_key, ou Authorization: Bearer.", "Give it as api_key, or Authorization: Bearer."), "api_key")  # fmt: skip
    texts = {name: value.strip() for name, value in sent.pairs}
    row = _report(town, texts.get("service_request_id", ""))
    known = texts.get("update_id", "")
    status = texts.get("status", "").lower()
    with town.store.records.writer(sent.who) as writer:
        held = Query(where={"request": row.id, "source_id": known or "-"}, limit=1)
        again = town.store.records.find("report_update", held, c=writer.connection).rows
        if again:
            return {"update_id": str(again[0].id)}
        moved = _moved(row, status, texts.get("description", ""), town.clock())
        if moved.values:
            writer.change("service_request", row.id, moved.values)
        values = {
            **moved.update,
            "request": row.id,
            "shown": bool(row.values["shown"]),
            "source_id": known or None,
        }
        made = writer.create("report_update", values, None, row.territory)
    return {"update_id": str(made.id)}


def _report(town: Town, number: str) -> Row:
    found = town.store.records.find("service_request", Query(where={"number": number or "-"}, limit=1)).rows
    if not found:
        raise NotFound(Text(f"Il n'y a pas de demande « {number[:60]} ».", f"There is no request '{number[:60]}'."),
                       Text("Donnez service_request_id.", "Give service_request_id."), "service_request_id")  # fmt: skip
    return found[0]


def _moved(row: Row, status: str, text: str, now_us: int) -> states.Move:
    """Return the step that a status means where the report stands, or a plain reply."""
    open_now = row.values["state"] != "closed"
    if status in _CLOSING and open_now:
        return states.move(row.values, "close", "firm", now_us, reason=_CLOSING[status], text=text)
    if status in _STEPS and open_now and row.values["state"] in ("received", "waiting"):
        return states.move(row.values, "take", "firm", now_us, text=text)
    if not text.strip():
        raise Problem(Text("Cette mise à jour ne dit rien de nouveau.", "This update says nothing new."),
                      Text("Donnez status ou description.", "Give status or description."), "description")  # fmt: skip
    update = {"kind": "reply", "at": now_us, "actor": "firm", "text": text.strip(), "state": None}
    answered = {} if row.values.get("first_answered") else {"first_answered": now_us}
    return states.Move(answered, update)
