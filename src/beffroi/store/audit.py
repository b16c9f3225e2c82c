"""The audit: who did what to what, append-only, provable.

Each writer (a process) has its own hash chain, so that writers never wait for one another; the last link of
a chain is signed with a key (Ed25519) that lives outside the database. Who can write to the database but not
read the data directory can neither alter nor remove an entry unseen.
"""

import hashlib
import hmac
import json
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import Connection, and_, delete, func, insert, or_, select

from beffroi.model.instant import Clock
from beffroi.model.principal import Principal
from beffroi.model.text import Text
from beffroi.settings import Settings
from beffroi.store.quick import insert_rows, quick
from beffroi.store.tables import audit, audit_head

__all__ = ["Audit", "Entry", "Fault"]

_GENESIS = bytes(32)
_NAMES = ("writer", "number", "at_us", "who", "action", "target", "detail")
_MOVE = "UPDATE audit_head SET number = :number, hash = :hash, signature = :signature WHERE writer = :writer"
_SLOTS = 16  # chains per machine: enough that workers rarely share one, few enough to list


class Entry(msgspec.Struct, frozen=True):
    """One line of the audit, as people read it."""

    writer: str
    number: int
    at_us: int
    who: str
    action: str
    target: str
    detail: dict[str, Any]


class Fault(msgspec.Struct, frozen=True):
    """Something that verification found wrong, and where."""

    place: str
    reason: Text


class Audit:
    """The audit of one installation; `note` is called inside the transaction of what it records."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._key: Ed25519PrivateKey | None = None
        self.writer = f"{socket.gethostname()}/{os.getpid() % _SLOTS}"

    def note(
        self,
        connection: Connection,
        who: Principal | str,
        action: str,
        target: str,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Add one entry in the caller's transaction: `note(c, who, "record.update", "bin/12", {"fields": ["state"]})`.

        Put no personal value in `detail`: a name or an address goes in as `digest(value)`.
        """
        self.notes(connection, who, [(action, target, detail or {})])

    def notes(
        self, connection: Connection, who: Principal | str, said: Sequence[tuple[str, str, dict[str, Any]]]
    ) -> None:
        """Add several entries, each an action, a target and details, as `note` does: one signature for all."""
        if not said:
            return
        writer, actor = self.writer, who if isinstance(who, str) else who.id
        number, link = self._head(connection, writer)
        rows = []
        for action, target, detail in said:
            number += 1
            row = (writer, number, self._clock(), actor, action, target, _canonical(detail))
            link = _link(row, link)
            rows.append({**dict(zip(_NAMES, row, strict=True)), "hash": link})
        insert_rows(connection, audit, rows)
        signature = self._private().sign(_signed(writer, number, link))
        moved = {"writer": writer, "number": number, "hash": link, "signature": signature}
        quick(connection, _MOVE, moved)

    def digest(self, value: str) -> str:
        """Return a salted hash of a personal identifier: it can be compared, not read."""
        keyed = hmac.new(self._settings.secret(), b"audit\0" + value.strip().lower().encode(), hashlib.sha256)
        return keyed.hexdigest()[:32]

    def entries(
        self, connection: Connection, *, limit: int = 100, before: tuple[int, str, int] | None = None,
        action: str = "", target: str = "", who: str = "",
    ) -> list[Entry]:  # fmt: skip
        """Return entries, newest first, older than `before` (at_us, writer, number); filters match beginnings."""
        query = (
            select(audit)
            .order_by(audit.c.at_us.desc(), audit.c.writer.desc(), audit.c.number.desc())
            .limit(limit)
        )
        for column, start in ((audit.c.action, action), (audit.c.target, target), (audit.c.who, who)):
            if start:
                query = query.where(column.startswith(start, autoescape=True))
        if before is not None:
            at_us, writer, number = before
            same_time = and_(audit.c.at_us == at_us, audit.c.writer == writer, audit.c.number < number)
            query = query.where(
                or_(audit.c.at_us < at_us, and_(audit.c.at_us == at_us, audit.c.writer < writer), same_time)
            )
        return [
            Entry(r.writer, r.number, r.at_us, r.who, r.action, r.target, json.loads(r.detail))
            for r in connection.execute(query)
        ]

    def verify(self, connection: Connection) -> tuple[int, list[Fault]]:
        """Recompute every chain; return how many entries were read and every fault found.

        Heads that were whole once are remembered in `audit.heads` (outside the database), so that a chain cut
        short or dropped later is found too.
        """
        heads = {row.writer: row for row in connection.execute(select(audit_head))}
        remembered = self._remembered()
        count, faults, seen = 0, [], {}
        for writer, number, link, fault in _walk(connection, remembered):
            count += 1
            seen[writer] = (number, link)
            if fault is not None:
                faults.append(fault)
        faults.extend(self._check_heads(heads, seen))
        faults.extend(_cut_short(remembered, seen))
        if not faults:
            self._remember({writer: (number, link.hex()) for writer, (number, link) in seen.items()})
        return count, faults

    def sign_again(self, connection: Connection) -> None:
        """Sign the end of every chain with this installation's key: the journal came from another one."""
        connection.execute(delete(audit_head))
        last = select(audit.c.writer, func.max(audit.c.number)).group_by(audit.c.writer)
        for writer, number in connection.execute(last).all():
            own = select(audit.c.hash).where(audit.c.writer == writer, audit.c.number == number)
            link = bytes(connection.execute(own).scalar_one())
            signature = self._private().sign(_signed(writer, number, link))
            row = {"writer": writer, "number": number, "hash": link, "signature": signature}
            connection.execute(insert(audit_head), row)

    def _head(self, connection: Connection, writer: str) -> tuple[int, bytes]:
        lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
        query = f"SELECT number, hash FROM audit_head WHERE writer = :writer{lock}"
        rows = quick(connection, query, {"writer": writer})
        if not rows:
            begun = "INSERT INTO audit_head VALUES (:writer, 0, :hash, :hash) ON CONFLICT DO NOTHING"
            quick(connection, begun, {"writer": writer, "hash": _GENESIS})
            rows = quick(connection, query, {"writer": writer})
        return rows[0][0], bytes(rows[0][1])

    def _private(self) -> Ed25519PrivateKey:
        if self._key is None:
            self._key = Ed25519PrivateKey.from_private_bytes(_key_bytes(self._settings.data))
        return self._key

    def _check_heads(self, heads: dict[str, Any], seen: dict[str, tuple[int, bytes]]) -> Iterator[Fault]:
        public = self._private().public_key()
        for writer in sorted(heads.keys() | seen.keys()):
            head, last = heads.get(writer), seen.get(writer, (0, _GENESIS))
            if head is None or (head.number, bytes(head.hash)) != last:
                yield Fault(
                    f"audit/{writer}/{last[0]}",
                    Text(
                        "La chaîne ne finit pas à sa tête signée.",
                        "The chain does not end at its signed head.",
                    ),
                )
            elif head.number and not _authentic(public, head):
                yield Fault(
                    f"audit/{writer}/{head.number}",
                    Text("La signature de la tête est fausse.", "The signature of the head is false."),
                )

    def _remembered(self) -> dict[str, tuple[int, str]]:
        path = self._settings.data / "audit.heads"
        return (
            msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[int, str]]) if path.exists() else {}
        )

    def _remember(self, heads: dict[str, tuple[int, str]]) -> None:
        path = self._settings.data / "audit.heads"
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(msgspec.json.encode(heads))
        fresh.replace(path)


def _walk(
    connection: Connection, remembered: dict[str, tuple[int, str]]
) -> Iterator[tuple[str, int, bytes, Fault | None]]:
    """Give each entry's writer, number and stored link, with the fault it has, if any."""
    query = select(audit).order_by(audit.c.writer, audit.c.number).execution_options(yield_per=5000)
    writer, number, previous = "", 0, _GENESIS
    for row in connection.execute(query):
        if row.writer != writer:
            writer, number, previous = row.writer, 0, _GENESIS
        place = f"audit/{row.writer}/{row.number}"
        expected = _link(tuple(row)[:7], previous)
        known = remembered.get(row.writer)
        fault = None
        if row.number != number + 1:
            fault = Fault(
                place, Text("Une ligne manque avant celle-ci.", "An entry is missing before this one.")
            )
        elif not hmac.compare_digest(expected, bytes(row.hash)):
            fault = Fault(place, Text("La ligne a été modifiée.", "The entry was altered."))
        elif known is not None and known[0] == row.number and known[1] != row.hash.hex():
            fault = Fault(place, Text("La chaîne a été réécrite.", "The chain was rewritten."))
        number, previous = row.number, bytes(row.hash)
        yield row.writer, row.number, previous, fault


def _cut_short(remembered: dict[str, tuple[int, str]], seen: dict[str, tuple[int, bytes]]) -> Iterator[Fault]:
    for writer, (number, _link_hex) in sorted(remembered.items()):
        if seen.get(writer, (0, b""))[0] < number:
            yield Fault(
                f"audit/{writer}/{number}",
                Text("La chaîne a été raccourcie.", "The chain was cut short."),
            )


def _canonical(detail: dict[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def _link(row: tuple[Any, ...], previous: bytes) -> bytes:
    """Return the hash of (writer, number, at_us, who, action, target, detail) chained to the previous one."""
    return hashlib.sha256(
        previous + json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()
    ).digest()


def _signed(writer: str, number: int, link: bytes) -> bytes:
    return b"beffroi audit head\0" + f"{writer}\0{number}\0".encode() + link


def _authentic(public: Ed25519PublicKey, head: Any) -> bool:
    try:
        public.verify(bytes(head.signature), _signed(head.writer, head.number, bytes(head.hash)))
    except InvalidSignature:
        return False
    return True


def _key_bytes(data: Path) -> bytes:
    """Return the raw signing key, made once (mode 600); its public half is `audit.pub`, for whoever verifies."""
    path = data / "audit.key"
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if _create(path, raw, 0o600):
            _create(path.with_name("audit.pub"), public, 0o644)
    return path.read_bytes()


def _create(path: Path, content: bytes, mode: int) -> bool:
    """Create `path` whole and on disk, or return False when it exists already."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    return True
