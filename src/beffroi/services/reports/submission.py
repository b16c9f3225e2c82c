"""Submission: a report comes in, by whatever channel, in one transaction with its photos, its follower, its receipt.

`submit` is the one door: the form, staff on the telephone, letters and Open311 all pass it, so that metadata are cut,
signs of abuse noted and personal words flagged on every path.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from anyio import CapacityLimiter
from sqlalchemy import Connection

from beffroi.identity.pseudonyms import pseudonym
from beffroi.model.instant import to_datetime
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports import notices
from beffroi.services.reports.abuse import Post, signs
from beffroi.services.reports.arrival.table import settle
from beffroi.services.reports.categories_tree import Category, categories_of
from beffroi.services.reports.keys import digest, key_of
from beffroi.services.reports.letters import key_name
from beffroi.services.reports.personal_words import personal_words
from beffroi.services.reports.photos.cut import Cut
from beffroi.services.reports.questions import check_answers
from beffroi.services.reports.states import shown_after
from beffroi.services.reports.where import LonLat, Spot, spot
from beffroi.store.files import Staged
from beffroi.store.record_writer import Writer
from beffroi.town import Town

__all__ = [
    "CITIZEN",
    "DOOR",
    "MOST_PHOTOS",
    "Held",
    "Receipt",
    "Submission",
    "add_photos",
    "check",
    "keep",
    "number_for",
    "stage",
    "submit",
]

# How many reports a process takes in at once: they write one after the other anyway, and must not hold the threads
# that others read pages with.
DOOR = CapacityLimiter(3)
CITIZEN = Principal("citizen", "Habitant", "citizen")
MOST_PHOTOS = 4
MOST_TEXT = 5000
_MAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\.[^@\s,;<>\".]{2,24}")
_PHONE = re.compile(r"\+?[\d\s().-]{6,24}")
ABUSE_LIST = "reports.abuse"  # the town's setting: words and addresses whose posts are read first


class Held(msgspec.Struct, frozen=True):
    """A cut photo that the store of files holds already."""

    name: str
    orientation: int = 1


class Submission(msgspec.Struct, frozen=True):
    """What someone reports. Texts are theirs; `point` is (longitude, latitude); `photos` were cut already."""

    category: int | None = None
    description: str = ""
    place: str = ""
    point: LonLat | None = None
    asset: str = ""
    answers: Mapping[str, Any] = {}
    confidential: bool = False
    kind: str = "signalement"
    channel: str = "web"
    language: str = "fr"
    name: str = ""
    mail: str = ""
    phone: str = ""
    postal: str = ""
    photos: tuple[Cut, ...] = ()
    territory: str | None = None
    read_first: bool = False  # an agent reads it before anyone else does


class Receipt(msgspec.Struct, frozen=True):
    """What the author is given: the number, the key that nobody else has, and whether it is public already."""

    id: int
    number: str
    key: str
    shown: bool


def _need(place: str, fr: str, en: str, mend: Text) -> Problem:
    return Problem(Text(fr, en), mend, place=place)


def check(town: Town, given: Submission) -> list[Problem]:
    """Return everything that must be mended before the report can be taken, each at its field."""
    category = categories_of(town).get(given.category)
    found: list[Problem] = []
    if category is None and given.category is not None:
        found.append(_need("category", "Cette catégorie n'existe pas.", "There is no such category.", Text("Choisissez dans la liste.", "Choose from the list.")))  # fmt: skip
    if category is not None and category.not_ours:
        found.append(_need("category", "Ce n'est pas la commune qui s'en occupe.", "The town does not handle this.", category.contact))  # fmt: skip
    if len(given.description.strip()) < 3 and category is None:
        found.append(_need("description", "Dites ce qui ne va pas.", "Say what is wrong.", Text("Quelques mots suffisent.", "A few words are enough.")))  # fmt: skip
    if len(given.description) > MOST_TEXT:
        found.append(_need("description", "Le texte est trop long.", "The text is too long.", Text(f"Au plus {MOST_TEXT} signes.", f"At most {MOST_TEXT} characters.")))  # fmt: skip
    if given.point is None and not given.asset and len(given.place.strip()) < 3:
        found.append(_need("place", "Dites où c'est.", "Say where it is.", Text("Une adresse, un carrefour, un repère.", "An address, a crossing, a landmark.")))  # fmt: skip
    found += _contact_faults(given)
    if category is not None:
        found += check_answers(category, given.answers)
    if len(given.photos) > MOST_PHOTOS:
        found.append(_need("photo", "Il y a trop de photos.", "There are too many photos.", Text(f"Gardez-en {MOST_PHOTOS}.", f"Keep {MOST_PHOTOS}.")))  # fmt: skip
    return found


def _contact_faults(given: Submission) -> list[Problem]:
    found = []
    if given.mail and not _MAIL.fullmatch(given.mail.strip()):
        found.append(_need("mail", "Cette adresse n'a pas la forme d'un courriel.", "This is not an e-mail address.", Text("Par exemple : nom@exemple.fr", "For example: name@example.org")))  # fmt: skip
    if given.phone and not _PHONE.fullmatch(given.phone.strip()):
        found.append(_need("phone", "Ce numéro n'est pas compris.", "This number is not understood.", Text("Par exemple : 06 12 34 56 78", "For example: 06 12 34 56 78")))  # fmt: skip
    if given.kind == "saisine":
        why = Text("Une saisine est identifiée (CRPA, art. R112-9-1).", "A formal request is identified (CRPA, art. R112-9-1).")  # fmt: skip
        for field, fr, en in (("name", "Donnez vos nom et prénom.", "Give your name."), ("mail", "Donnez votre courriel.", "Give your e-mail address."),
                              ("postal", "Donnez votre adresse postale.", "Give your postal address.")):  # fmt: skip
            if not getattr(given, field).strip():
                found.append(_need(field, fr, en, why))
    return found


def stage(town: Town, photos: Sequence[Cut]) -> list[tuple[Cut, Staged]]:
    """Write cut photos to the disk before any transaction."""
    return [(photo, town.store.files.stage(photo.data, photo.media_type)) for photo in photos]


def submit(
    town: Town, given: Submission, post: Post | None = None, who: Principal = CITIZEN,
    held: Callable[[Writer], Sequence[Held]] = lambda _writer: (),
) -> Receipt:  # fmt: skip
    """Take a report in; return its receipt. `post` None: staff or a trusted program, no sign of abuse is looked for.
    `held` gives, in the transaction, photos that the store holds already, whose use passes to the report.

    Raises the first `Problem` of `check`.
    """
    for problem in check(town, given):
        raise problem
    category = categories_of(town).get(given.category)
    at = spot(
        town,
        point=given.point,
        asset=given.asset,
        words=given.place,
        private_home=bool(category and category.private_home),
    )
    staged = stage(town, given.photos)
    now = town.clock()
    values = _values(town, given, category, at, now)
    personal = [f.kind for f in personal_words(f"{given.description}\n{given.place}")]
    listed = town.store.setting(ABUSE_LIST, []) if post is not None else []
    with town.store.records.writer(
        who
    ) as writer:  # everyone who writes waits for its end: what can be said before was
        found = (
            signs(writer.connection, town.settings.secret(), post, now, listed) if post is not None else []
        )
        number = number_for(town, writer.connection, now)
        values |= _settled(values, number, list(dict.fromkeys([*personal, *found])))
        key = key_of(town.settings.secret(), key_name(values))
        values["key_hash"] = digest(town.settings.secret(), key_name(values))
        territory = given.territory or at.territory
        point = {"type": "Point", "coordinates": list(at.shown)} if at.shown else None
        row = writer.create("service_request", values, point, territory)
        kept = [*held(writer), *keep(town, writer, staged)]
        town.store.files.release(writer.connection, [photo.name for photo in kept[MOST_PHOTOS:]])
        add_photos(writer, row.id, kept[:MOST_PHOTOS], territory=territory)
        if given.mail.strip() or given.phone.strip():
            _follow(town, writer, row.id, given, now, territory)
        notices.receipts(town, writer, row)
    return Receipt(row.id, number, key, bool(values["shown"]))


def number_for(town: Town, c: Connection, now_us: int) -> str:
    """Return the next number of the year of an instant, such as 26-00042, in the transaction of `c`."""
    year = to_datetime(now_us).year % 100
    return f"{year:02d}-{town.store.number(c, f'report {year:02d}'):05d}"


def _values(
    town: Town, given: Submission, category: Category | None, at: Spot, now_us: int
) -> dict[str, Any]:  # fmt: skip
    """Return all that is known of a report before it has a number, and before its post was looked at."""
    before = category is not None and category.moderation == "before"
    values: dict[str, Any] = {
        "kind": given.kind, "category": given.category, "description": given.description.strip() or None,
        "place": given.place.strip()[:300] or None, "area": at.area, "asset": given.asset or None,
        "answers": dict(given.answers) or None, "channel": given.channel, "requested": now_us, "language": given.language,
        "confidential": given.confidential or given.kind == "saisine" or bool(category and category.confidential),
        "moderation": "waiting" if before or given.read_first else "accepted",
        "name": given.name.strip() or None, "mail": given.mail.strip() or None, "phone": given.phone.strip() or None,
        "postal": given.postal.strip() or None, "reporter": reporter_of(town, given.mail, given.phone),
        "exact_place": {"type": "Point", "coordinates": list(at.exact)} if at.exact and at.exact != at.shown else None,
    }  # fmt: skip
    arrived = settle(
        town, values, at.exact or at.shown, given.territory or at.territory
    )  # the routing table decides
    values |= {"department": arrived.department, "priority": arrived.priority, "due": arrived.due_us}
    if arrived.moderation == "before":
        values["moderation"] = "waiting"
    return values


def _settled(values: Mapping[str, Any], number: str, flags: list[str]) -> dict[str, Any]:
    """Return what its number and what was found about its post add to a report's values."""
    added: dict[str, Any] = {"number": number, "flags": flags or None}
    if flags:
        added["moderation"] = "waiting"
    return {**added, "shown": shown_after({**values, **added})}


def reporter_of(town: Town, mail: str, phone: str) -> str | None:
    """Return the pseudonym of someone who left a contact: the same person, without saying whom."""
    contact = mail.strip().lower() or re.sub(r"\D", "", phone)[-9:]
    return pseudonym(town.settings.secret(), "reports", contact) if contact else None


def _follow(
    town: Town, writer: Writer, report: int, given: Submission, now_us: int, territory: str | None
) -> None:
    values = {
        "request": report, "since": now_us, "reason": "author", "language": given.language, "mail": given.mail.strip() or None,
        "phone": given.phone.strip() or None, "reporter": reporter_of(town, given.mail, given.phone),
    }  # fmt: skip
    writer.create("report_follower", values, None, territory)


def keep(town: Town, writer: Writer, staged: Sequence[tuple[Cut, Staged]]) -> list[Held]:
    """Keep staged photos in the writer's transaction."""
    return [Held(town.store.files.keep(writer.connection, file), photo.orientation) for photo, file in staged]


def add_photos(
    writer: Writer, report: int, photos: Sequence[Held], *, territory: str | None,
    taken_by: str = "reporter", update: int | None = None, moderation: str = "accepted",
) -> None:  # fmt: skip
    """Add photos to a report, in the writer's transaction; nobody sees them until they are made again."""
    for photo in photos:
        values = {"request": report, "update": update, "original": photo.name, "orientation": photo.orientation,
                  "taken_by": taken_by, "moderation": moderation}  # fmt: skip
        writer.create("report_photo", values, None, territory)
