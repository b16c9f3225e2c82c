"""The mailbox: letters become comments, answers, notes of what did not arrive, or new reports to be read first.

They come from a mailbox that is polled (`mail.inbox = "imaps://user:password@host/INBOX"`, RFC 3501) or from the mail
server of the town, that hands them over (`"smtp://127.0.0.1:2525"`, RFC 5321, extra `mail`). A letter is acknowledged
once it is stored, and one with a `Message-ID` that was taken in is not taken in again.
"""

import asyncio
import hashlib
import imaplib
import logging
import threading
from typing import Any
from urllib.parse import unquote, urlsplit

from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.reports import following
from beffroi.services.reports.desk.letters_in import Letter, key_holds, read_letter
from beffroi.services.reports.photos.cut import Cut, cut
from beffroi.services.reports.submission import MOST_PHOTOS, Submission, reporter_of, submit
from beffroi.store.record import Row
from beffroi.store.tables import job
from beffroi.town import Town

__all__ = ["listen", "receive", "receive_letters"]

log = logging.getLogger("beffroi.reports.mail")
POLL_S = 60.0
MOST_BYTES = 25_000_000
_KIND = "letter"


def receive(town: Town, raw: bytes) -> str:
    """Take one letter in; return what became of it (comment, answer, bounce, report, again, ignored)."""
    letter = read_letter(raw)
    name = f"letter/{hashlib.sha256((letter.message_id or '').encode() or raw).hexdigest()}"
    with town.store.read() as c:
        if c.execute(job.select().where(job.c.key == name)).first() is not None:
            return "again"
    done = _take(town, letter)
    with town.store.write() as c:  # after: a letter that was cut short comes again
        values = {
            "id": town.store.next(c),
            "kind": _KIND,
            "key": name,
            "payload": "{}",
            "due_us": town.clock(),
            "state": "done",
        }
        c.execute(job.insert().values(**values))
    return done


def _take(town: Town, letter: Letter) -> str:
    if key_holds(town.settings.secret(), letter):
        try:
            row = town.store.records.get("service_request", letter.report or 0)
        except NotFound:
            return "ignored"
        return _answer(town, row, letter)
    if letter.automatic or "@" not in letter.sender or not (letter.text or letter.photos):
        return "ignored"
    return _report(town, letter)


def _answer(town: Town, row: Row, letter: Letter) -> str:
    if letter.bounced:
        _bounced(town, row, letter)
        return "bounce"
    if letter.automatic:
        return "ignored"
    photos = _photos(letter)
    if not letter.text and not photos:
        return "ignored"
    author = bool(letter.sender) and letter.sender == (row.values["mail"] or "").strip().lower()
    reporter = row.values["reporter"] if author else reporter_of(town, letter.sender, "")
    if author and row.values["state"] == "question":
        text = letter.text or "Photo"
        following.step(town, row, "answer", text, photos, actor="reporter", reporter=reporter, post=None)
        return "answer"
    actor = "reporter" if author else "neighbour"
    following.comment(town, row, letter.text, photos, actor=actor, reporter=reporter, post=None)
    return "comment"


def _bounced(town: Town, row: Row, letter: Letter) -> None:
    """Tell the staff that a letter about a report did not arrive (to whom is not repeated)."""
    values = {"request": row.id, "kind": "note", "actor": "system", "at": town.clock(), "action": "bounce",
              "text": f"Un courriel n'est pas arrivé : {letter.subject[:120]}"}  # fmt: skip
    town.store.records.put("report_update", values, territory=row.territory, who=SYSTEM)


def _report(town: Town, letter: Letter) -> str:
    """Take a new report in: what it is and where are for an agent to say, before it is public."""
    text = "\n\n".join(part for part in (letter.subject, letter.text) if part)
    submit(town, Submission(description=text[:5000], place="Dit dans le courriel", channel="mail", mail=letter.sender,
                            photos=tuple(_photos(letter)), read_first=True))  # fmt: skip
    return "report"


def _photos(letter: Letter) -> list[Cut]:
    """Return the photos of a letter without their metadata; a file that is no photo is left out."""
    found = []
    for attachment in letter.photos[:MOST_PHOTOS]:
        try:
            found.append(cut(attachment.data))
        except Problem:
            log.info("an attachment of a letter is not a photo that can be taken")
    return found


# --- Where letters come from.


def receive_letters(town: Town, stop: threading.Event) -> None:
    """Take letters in until `stop` (a duty of the service); without `mail.inbox`, nothing."""
    url = urlsplit(town.settings.mail.inbox)
    if url.scheme == "smtp" and url.hostname:
        server = listen(town, url.hostname, url.port or 2525)
        stop.wait()
        server.stop()
        return
    while url.scheme in ("imap", "imaps") and url.hostname and not stop.is_set():
        try:
            poll(town, stop)
        except (OSError, imaplib.IMAP4.error) as error:
            log.warning("the mailbox does not answer: %s", type(error).__name__)
        stop.wait(POLL_S)


def poll(town: Town, stop: threading.Event) -> int:
    """Take in what is new in the IMAP mailbox, and mark it seen; return how many letters that was."""
    url = urlsplit(town.settings.mail.inbox)
    host, secure = url.hostname or "", url.scheme == "imaps"
    box: imaplib.IMAP4 = imaplib.IMAP4_SSL(host, url.port or 993, timeout=30) if secure else imaplib.IMAP4(host, url.port or 143, timeout=30)  # fmt: skip
    taken = 0
    with box:
        box.login(unquote(url.username or ""), unquote(url.password or ""))
        box.select(unquote(url.path.lstrip("/")) or "INBOX")
        numbers = box.uid("SEARCH", "UNSEEN")[1][0].split()
        for number in numbers:
            if stop.is_set():
                break
            parts = box.uid("FETCH", number.decode(), "(BODY.PEEK[])")[1]
            raw = next((part[1] for part in parts if isinstance(part, tuple)), b"")
            if raw and len(raw) <= MOST_BYTES:
                _received(town, raw)
                taken += 1
            box.uid("STORE", number.decode(), "+FLAGS", r"(\Seen)")
    return taken


def _received(town: Town, raw: bytes) -> bool:
    """Take a letter in; False when it must come again."""
    try:
        log.info("a letter came in: %s", receive(town, raw))
    except Problem as problem:
        if problem.status >= 500:
            return False
        log.warning("a letter was left out: %s", problem.reason.en)
    return True


class _Taker:
    """What the listening server asks: one letter, taken in before it is acknowledged."""

    def __init__(self, town: Town) -> None:
        self._town = town

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        """Acknowledge a letter once it is stored."""
        head = "".join(f"X-Original-To: {to}\r\n" for to in envelope.rcpt_tos)
        head += f"Return-Path: <{envelope.mail_from or ''}>\r\n"
        try:
            kept = await asyncio.to_thread(
                _received, self._town, head.encode("utf-8", "replace") + envelope.content
            )
        except Exception:
            log.exception("a letter could not be stored")
            kept = False
        return "250 OK" if kept else "451 Try again later"


def listen(town: Town, host: str, port: int) -> Any:
    """Return a server that takes letters by SMTP, running in a thread of its own; `stop()` ends it.

    Raises `Problem` without the extra `mail`. Bind it to the loopback: whoever reaches it can write.
    """
    try:
        from aiosmtpd.controller import Controller  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise Problem(
            Text("Ce serveur ne reçoit pas de courriel par SMTP.", "This server receives no mail by SMTP."),
            Text("Installez le supplément : pip install 'beffroi[mail]'.", "Install the extra: pip install 'beffroi[mail]'."),
            place="mail.inbox",
        ) from error  # fmt: skip
    server = Controller(_Taker(town), hostname=host, port=port, data_size_limit=MOST_BYTES)
    server.start()
    return server
