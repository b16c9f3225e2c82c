"""Letters: what the town tells people about a report, as plain text that any mailbox or telephone shows."""

from calendar import monthrange
from datetime import date
from email.message import EmailMessage
from email.utils import formataddr
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from beffroi.model.instant import to_datetime
from beffroi.model.text import Text
from beffroi.services.reports.keys import key_of, reply_key, written
from beffroi.services.reports.states import REASONS, STATES
from beffroi.settings import Settings

__all__ = [
    "Department",
    "Words",
    "alert_words",
    "confirm_words",
    "in_two_months",
    "key_name",
    "letter",
    "receipt_subject",
    "receipt_words",
    "silence",
    "update_words",
]


class Words(msgspec.Struct, frozen=True):
    """A message: its subject and its paragraphs; for a device, `short` words and the pages that it opens and stops by."""

    subject: str
    body: str
    short: str = ""
    page: str = ""
    stop: str = ""


class Department(msgspec.Struct, frozen=True):
    """Who answers: what an accusé de réception names (CRPA, art. R112-11-1)."""

    name: str = ""
    address: str = ""
    mail: str = ""
    phone: str = ""


def key_name(values: dict[str, Any]) -> str:
    """Return what a report's key is made from: its number and when it came (numbers are guessed, instants are not)."""
    return f"{values['number']}/{values['requested']}"


def _link(settings: Settings, path: str) -> str:
    return f"{settings.base_url.rstrip('/')}{path}" if settings.base_url else path


def own_link(settings: Settings, values: dict[str, Any]) -> str:
    """Return the address of a report for its author."""
    return _link(settings, f"/suivi/{values['number']}/{key_of(settings.secret(), key_name(values))}")


def _moment(settings: Settings, instant_us: int, language: str) -> str:
    local = to_datetime(instant_us).astimezone(ZoneInfo(settings.time_zone))
    return local.strftime("%d/%m/%Y à %H:%M" if language == "fr" else "%Y-%m-%d at %H:%M")


def _choice(options: Any, value: Any, language: str) -> str:
    return next((o.title.of(language) for o in options if o.value == value), "")


def receipt_words(
    settings: Settings,
    values: dict[str, Any],
    what: str,
    department: Department,
    category: str,
    language: str,
) -> Words:
    """Return the receipt of a report: `what` is "received" (signalement), "aee" or "are" (saisine). It says what was sent,
    under the title of its `category`, and leads to the page that prints it."""
    number, at = values["number"], _moment(settings, values["requested"], language)
    key = written(key_of(settings.secret(), key_name(values)))
    said = _RECEIPTS[what]
    lines = [said.of(language).format(number=number, at=at, town=settings.name)]
    if what == "are":
        lines.append(_department(department, language))
        lines.append(silence(settings, values["requested"], language))
    lines.append(
        Text("Numéro : {n}\nClé : {k} (gardez-la pour vous)", "Number: {n}\nKey: {k} (keep it to yourself)")
        .of(language)
        .format(n=number, k=key)
    )
    if copy := _copy(values, category, language):
        lines.append(copy)
    own = own_link(settings, values)
    links = Text("Suivre, compléter, retirer : {u}\nAccusé à imprimer : {u}/accuse", "Follow, complete, withdraw: {u}\nReceipt to print: {u}/accuse")  # fmt: skip
    lines.append(links.of(language).format(u=own))
    return Words(receipt_subject(values, what, language), "\n\n".join(lines), page=own)


def _copy(values: dict[str, Any], category: str, language: str) -> str:
    """Return what was sent, so that its author keeps it: what, where, and in what words."""
    told = (
        (Text("Quoi : {v}", "What: {v}"), category),
        (Text("Où : {v}", "Where: {v}"), values.get("place") or values.get("address")),
        (Text("Vous avez écrit : {v}", "You wrote: {v}"), values.get("description")),
    )
    return "\n".join(said.of(language).format(v=value) for said, value in told if value)


def receipt_subject(values: dict[str, Any], what: str, language: str) -> str:
    """Return what a receipt is called."""
    return _SUBJECTS[what].of(language).format(number=values["number"])


def silence(settings: Settings, received_us: int, language: str) -> str:
    """Return what an accusé de réception must say of a demand that is not answered (CRPA, art. R112-11-1): that silence
    refuses it, on which day, and what one can do then."""
    local = to_datetime(received_us).astimezone(ZoneInfo(settings.time_zone)).date()
    refused = in_two_months(local)
    return _SILENCE.of(language).format(day=refused.strftime("%d/%m/%Y" if language == "fr" else "%Y-%m-%d"))


def in_two_months(day: date) -> date:
    """Return the same day of the month two months later, or the last of that month."""
    year, month = day.year + (day.month + 1) // 12, (day.month + 1) % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


_SUBJECTS = {
    "received": Text("Signalement {number} reçu", "Report {number} received"),
    "aee": Text(
        "Accusé d'enregistrement de votre saisine {number}", "Your formal request {number} is recorded"
    ),
    "are": Text("Accusé de réception de votre saisine {number}", "Receipt of your formal request {number}"),
}
_RECEIPTS = {
    "received": Text("Merci. Votre signalement {number} est arrivé le {at} à {town}.", "Thank you. Your report {number} reached {town} on {at}."),
    "aee": Text("Accusé d'enregistrement électronique (CRPA, art. R112-11-2). Votre envoi {number} a été reçu par {town} le {at}.",
                "Electronic acknowledgement of recording (CRPA, art. R112-11-2). Your message {number} was received by {town} on {at}."),
    "are": Text("Accusé de réception électronique (CRPA, art. L112-11 et R112-11-1). Votre envoi {number} a été reçu par {town} le {at}.",
                "Electronic receipt (CRPA, art. L112-11 and R112-11-1). Your message {number} was received by {town} on {at}."),
}  # fmt: skip
_SILENCE = Text(
    "Un envoi qui signale un fait n'est pas une demande de décision. S'il en est une, sans réponse elle est réputée rejetée le {day}, sauf texte contraire (CRPA, art. L231-4). Le tribunal administratif peut alors être saisi dans les deux mois (code de justice administrative, art. R421-2), sur papier ou par www.telerecours.fr.",
    "A message that reports a fact asks for no decision. If yours does, without an answer it counts as refused on {day}, unless a text says otherwise (CRPA, art. L231-4). The administrative court can then be seized within two months (code de justice administrative, art. R421-2), on paper or at www.telerecours.fr.",
)


def _department(department: Department, language: str) -> str:
    said = Text("Service chargé du dossier : {name}\nAdresse postale : {address}\nCourriel : {mail}\nTéléphone : {phone}",
                "Service in charge: {name}\nPostal address: {address}\nE-mail: {mail}\nTelephone: {phone}")  # fmt: skip
    return said.of(language).format(**msgspec.structs.asdict(department))


def update_words(
    settings: Settings, values: dict[str, Any], update: dict[str, Any], *, own: bool, stop: str, language: str
) -> Words:
    """Return what is told of one update; `stop` is the path that ends the subscription."""
    state = _choice(STATES, update.get("state"), language)
    reason = _choice(REASONS, update.get("reason"), language)
    number = values["number"]
    about = (
        Text("Signalement {n} : {s}", "Report {n}: {s}") if state else Text("Signalement {n}", "Report {n}")
    )
    subject = about.of(language).format(n=number, s=f"{state} ({reason})" if reason else state)
    lines = []
    if values.get("scheduled") and update.get("state") == "scheduled":
        lines.append(
            Text("Intervention prévue le {at}.", "Work is planned on {at}.")
            .of(language)
            .format(at=_moment(settings, values["scheduled"], language))
        )
    if update.get("text"):
        lines.append(update["text"])
    if update.get("state") == "closed" and own:
        lines.append(Text("Est-ce vraiment réglé ? Répondez en un clic, ou rouvrez, sur la page de suivi.",
                          "Is it really settled? Answer in one click, or reopen, on the page that follows.").of(language))  # fmt: skip
    page = own_link(settings, values) if own else _link(settings, f"/signalements/{number}")
    end = Text("Ne plus recevoir ces messages : {u}", "To stop these messages: {u}").of(language)
    body = "\n\n".join([f"{subject}.", *lines, page, end.format(u=_link(settings, stop))])
    return Words(subject, body, "\n".join(lines), page, _link(settings, stop))


def alert_words(
    settings: Settings, values: dict[str, Any], category: str, near: int | str, stop: str, language: str
) -> Words:
    """Return what is told of a new report: so many metres from someone's point, or in the area that they chose."""
    away = Text("{c} signalé à {near} m", "{c} reported {near} m away")
    inside = Text("{c} signalé, quartier {near}", "{c} reported in {near}")
    about = (inside if isinstance(near, str) else away).of(language)
    subject = about.format(c=category or Text("Problème", "Problem").of(language), near=near)
    told = [line for line in (values.get("place"), values.get("description")) if line]
    page, end = _link(settings, f"/signalements/{values['number']}"), _link(settings, stop)
    said = Text("Arrêter cette alerte : {u}", "Stop this alert: {u}").of(language).format(u=end)
    return Words(subject, "\n\n".join([f"{subject}.", *told, page, said]), "\n".join(told), page, end)


def confirm_words(settings: Settings, path: str, language: str) -> Words:
    """Return the letter by which someone confirms that an alert is theirs."""
    subject = Text("Confirmez votre alerte", "Confirm your alert").of(language)
    said = Text("Ouvrez cette page et confirmez : {u}\n\nSi vous n'avez rien demandé, ne faites rien.",
                "Open this page and confirm: {u}\n\nIf you asked for nothing, do nothing.").of(language)  # fmt: skip
    return Words(subject, said.format(u=_link(settings, path)))


def letter(
    settings: Settings, words: Words, to: str, key: str, report: int | None, paper: tuple[str, bytes] | None = None
) -> EmailMessage:  # fmt: skip
    """Return the mail; a reply to it names its report (RFC 5322), and no machine answers it (RFC 3834). `paper` is the
    name and the bytes of a PDF that goes with it."""
    made = EmailMessage()
    user, _, host = settings.mail.sender.rpartition("@")
    made["From"] = formataddr((settings.name, settings.mail.sender))
    made["To"] = to
    made["Subject"] = " ".join(words.subject.split())[:200]
    mark = reply_key(settings.secret(), report) if report is not None else ""
    made["Message-ID"] = f"<{'.'.join(p for p in (key.replace('/', '.'), mark) if p)}@{host}>"
    if mark:
        made["Reply-To"] = formataddr((settings.name, f"{user}+{mark}@{host}"))
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(words.body + f"\n\n-- \n{settings.name}\n")
    if paper is not None:
        made.add_attachment(paper[1], maintype="application", subtype="pdf", filename=paper[0])
    return made
