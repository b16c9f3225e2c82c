"""Following: what people do with a report that exists: tell more, say "me too", reopen, say whether it is settled.

Its author shows the key; anyone else is a neighbour. Everything is an update with its instant and a pseudonym, because
that is what the rate of reporting is estimated from: first seen again, by whom, and who saw and left.
"""

import re
from collections.abc import Sequence
from typing import Any

from beffroi.identity.pseudonyms import pseudonym
from beffroi.model.instant import DAY_US
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.reports import states
from beffroi.services.reports.abuse import Post, network_of, signs
from beffroi.services.reports.keys import key_of, opens, plain
from beffroi.services.reports.letters import key_name
from beffroi.services.reports.personal_words import personal_words
from beffroi.services.reports.photos.cut import Cut
from beffroi.services.reports.submission import (
    CITIZEN,
    MOST_PHOTOS,
    Held,
    add_photos,
    keep,
    reporter_of,
    stage,
)
from beffroi.services.reports.subscriptions import end
from beffroi.standards.web_push import Subscription
from beffroi.store.record import Query, Row, Where
from beffroi.store.record_writer import Writer
from beffroi.town import Town

__all__ = [
    "check_mail",
    "comment",
    "follow",
    "follow_on",
    "gone",
    "me_too",
    "own",
    "public",
    "satisfied",
    "saw_and_left",
    "step",
    "stop_following",
    "visitor_of",
]

MOST_TEXT = 2000
_NUMBER = re.compile(r"[\w-]{1,40}")
_MAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\.[^@\s,;<>\".]{2,24}")


def gone(number: str) -> NotFound:
    """Return the problem of a report that the reader may not see, whether or not it exists."""
    return NotFound(
        Text(f"Il n'y a pas de signalement public {number[:40]}.", f"There is no public report {number[:40]}."),
        Text("Vérifiez le numéro ; pour un signalement privé, il faut aussi la clé.",
             "Check the number; a private report also needs its key."),
    )  # fmt: skip


def _numbered(town: Town, number: str) -> list[Row]:
    if not _NUMBER.fullmatch(number):
        return []
    return town.store.records.find("service_request", Query(where={"number": number.upper()}, limit=20)).rows


def public(town: Town, number: str) -> Row:
    """Return a report that everyone may see. Raises `NotFound`."""
    row = next((row for row in _numbered(town, number) if row.values["shown"]), None)
    if row is None:
        raise gone(number)
    return row


def own(town: Town, number: str, key: str) -> Row:
    """Return the report that a key opens. Raises `NotFound`, as for a number that does not exist."""
    secret = town.settings.secret()
    for row in _numbered(town, number):
        if opens(secret, key_name(row.values), key, row.values["key_hash"]):
            return row
    raise gone(number)


def visitor_of(town: Town, address: str, agent: str) -> str:
    """Return a pseudonym of a visitor without contact, good for the day: who presses twice counts once."""
    day = town.clock() // DAY_US
    return pseudonym(town.settings.secret(), f"reports {day}", f"{network_of(address)} {agent}")


def _update(
    town: Town, writer: Writer, row: Row, kind: str, *, actor: str, reporter: str | None, shown: bool = False,
    **values: Any,
) -> Row:  # fmt: skip
    made = {"request": row.id, "kind": kind, "at": town.clock(), "actor": actor, "reporter": reporter,
            "shown": shown and bool(row.values["shown"]), **values}  # fmt: skip
    return writer.create("report_update", made, None, row.territory)


# --- What a neighbour does.


def me_too(town: Town, row: Row, visitor: str, mail: str = "", phone: str = "", language: str = "fr") -> bool:
    """Count someone who sees the same thing, and let them follow; False when they were counted already."""
    check_mail(mail)
    reporter = reporter_of(town, mail, phone) or visitor
    again = Query(where={"request": row.id, "kind": "me_too", "reporter": reporter}, limit=1)
    with town.store.records.writer(CITIZEN) as writer:
        counted = bool(town.store.records.find("report_update", again, c=writer.connection).rows)
        if reporter != row.values["reporter"] and not counted:
            _update(town, writer, row, "me_too", actor="neighbour", reporter=reporter, shown=True)
            writer.change("service_request", row.id, {"me_too": int(row.values["me_too"]) + 1})
        if mail or phone:
            _follow(town, writer, row, mail, phone, language, "me_too")
    return not counted


def saw_and_left(town: Town, rows: Sequence[Row], visitor: str) -> None:
    """Note that someone was shown these reports before sending, and sent nothing: once a day for each."""
    since = Where(">=", town.clock() - DAY_US)
    with town.store.records.writer(CITIZEN) as writer:
        for row in rows:
            where = {"request": row.id, "kind": "saw_and_left", "reporter": visitor, "at": since}
            if not town.store.records.count("report_update", Query(where=where), c=writer.connection):
                _update(town, writer, row, "saw_and_left", actor="neighbour", reporter=visitor)


def follow(town: Town, row: Row, mail: str, phone: str, language: str, *, author: bool = False) -> None:
    """Tell someone of what becomes of a report. Raises `Problem` when they leave no way to be told."""
    if not mail.strip() and not phone.strip():
        raise Problem(Text("Donnez un courriel.", "Give an e-mail address."), place="mail")
    check_mail(mail)
    with town.store.records.writer(CITIZEN) as writer:
        _follow(town, writer, row, mail, phone, language, "author" if author else "follower")


def follow_on(town: Town, row: Row, device: Subscription, language: str, *, author: bool = False) -> int:
    """Tell a browser of what becomes of a report, by web push; return the subscription's number, the same when it
    asks twice."""
    reason = "author" if author else "follower"
    reporter = pseudonym(town.settings.secret(), "reports", device.endpoint)
    with town.store.records.writer(CITIZEN) as writer:
        return _keep(town, writer, row, {"reason": reason, "language": language, "reporter": reporter, "push": device.plain()})  # fmt: skip


def check_mail(mail: str, *, required: bool = False) -> None:
    """Raise `Problem` when a mail address is not one; an empty one only when it is `required`."""
    if (required or mail.strip()) and not _MAIL.fullmatch(mail.strip()):
        raise Problem(
            Text("Cette adresse n'a pas la forme d'un courriel.", "This is not an e-mail address."),
            Text("Par exemple : nom@exemple.fr", "For example: name@example.org"), place="mail",
        )  # fmt: skip


def _follow(town: Town, writer: Writer, row: Row, mail: str, phone: str, language: str, reason: str) -> None:
    values = {"reason": reason, "language": language, "reporter": reporter_of(town, mail, phone),
              "mail": mail.strip() or None, "phone": phone.strip() or None}  # fmt: skip
    _keep(town, writer, row, values)


def _keep(town: Town, writer: Writer, row: Row, values: dict[str, Any]) -> int:
    """Keep a subscription, unless the same person or device has one; return its number."""
    same = Query(where={"request": row.id, "reporter": values["reporter"]}, limit=1)
    held = town.store.records.find("report_follower", same, c=writer.connection).rows
    if held:
        return held[0].id
    made = {"request": row.id, "since": town.clock(), **values}
    return writer.create("report_follower", made, None, row.territory).id


def stop_following(town: Town, follower: int, key: str) -> None:
    """End a subscription by the key that its letters carry: the address is erased at once. Raises `NotFound`."""
    if key_of(town.settings.secret(), f"follower/{follower}") != plain(key):
        raise NotFound(
            Text("Cet abonnement n'existe pas, ou plus.", "This subscription does not exist, or no longer.")
        )
    row = town.store.records.get("report_follower", follower)
    with town.store.records.writer(CITIZEN, "Désabonnement") as writer:
        end(town, writer, "report_follower", row)


# --- What anyone writes.


def comment(
    town: Town, row: Row, text: str, photos: Sequence[Cut], *, actor: str, reporter: str | None, post: Post | None,
    held: Sequence[Held] = (),
) -> Row:  # fmt: skip
    """Add a text or photos to a report; what shows a sign of abuse or is personal waits for an agent."""
    _check_words(text, (*photos, *held))
    staged = stage(town, photos)
    with town.store.records.writer(CITIZEN) as writer:
        flags = _flags(town, writer, text, post)
        made = _update(
            town, writer, row, "comment", actor=actor, reporter=reporter, text=text.strip() or None, shown=not flags,
            moderation="waiting" if flags else "accepted", detail={"flags": flags} if flags else None,
        )  # fmt: skip
        add_photos(writer, row.id, [*held, *keep(town, writer, staged)], territory=row.territory, taken_by=actor, update=made.id,
                   moderation="waiting" if flags else "accepted")  # fmt: skip
    return made


def _check_words(text: str, photos: Sequence[Cut | Held]) -> None:
    if not text.strip() and not photos:
        raise Problem(
            Text("Écrivez quelques mots, ou joignez une photo.", "Write a few words, or add a photo."),
            place="text",
        )
    if len(text) > MOST_TEXT:
        raise Problem(Text("Le texte est trop long.", "The text is too long."),
                      Text(f"Au plus {MOST_TEXT} signes.", f"At most {MOST_TEXT} characters."), place="text")  # fmt: skip
    if len(photos) > MOST_PHOTOS:
        raise Problem(Text("Il y a trop de photos.", "There are too many photos."), place="photo")


def _flags(town: Town, writer: Writer, text: str, post: Post | None) -> list[str]:
    found = [f.kind for f in personal_words(text)]
    if post is not None:
        listed = town.store.setting("reports.abuse", [])
        found += signs(writer.connection, town.settings.secret(), post, town.clock(), listed)
    return list(dict.fromkeys(found))


def step(
    town: Town, row: Row, action: str, text: str, photos: Sequence[Cut], *, actor: states.Actor, reporter: str | None,
    post: Post | None,
) -> Row:  # fmt: skip
    """Take a step of a report's life: reopen with evidence, answer a question, withdraw. Raises as `states.move`."""
    made = states.move(row.values, action, actor, town.clock(), text=text, evidence=bool(photos))
    if text.strip() or photos:
        _check_words(text, photos)
    staged = stage(town, photos)
    with town.store.records.writer(CITIZEN, action) as writer:
        flags = _flags(town, writer, text, post)
        if flags and actor == "neighbour":  # an unsure reopening is a comment to read, not a change of state
            made = states.Move({}, {**made.update, "kind": "comment", "state": None, "from_state": None})
        if made.values:
            writer.change("service_request", row.id, made.values)
        update = writer.create(
            "report_update",
            {**made.update, "request": row.id, "reporter": reporter, "shown": bool(row.values["shown"]) and not flags,
             "moderation": "waiting" if flags else "accepted", "detail": {"flags": flags} if flags else None},
            None, row.territory,
        )  # fmt: skip
        add_photos(writer, row.id, keep(town, writer, staged), territory=row.territory, taken_by=actor, update=update.id,
                   moderation="waiting" if flags else "accepted")  # fmt: skip
    return update


def satisfied(town: Town, row: Row, answer: bool, text: str) -> None:
    """Note whether the author finds a closed report settled. Raises `Problem` when it is open."""
    if row.values["state"] != "closed":
        raise Problem(Text("Ce signalement n'est pas clos.", "This report is not closed."), place="state")
    with town.store.records.writer(CITIZEN) as writer:
        writer.change("service_request", row.id, {"satisfied": answer})
        _update(town, writer, row, "satisfaction", actor="reporter", reporter=row.values["reporter"], satisfied=answer,
                text=text.strip()[:MOST_TEXT] or None)  # fmt: skip
