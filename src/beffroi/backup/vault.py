"""Vault: a directory of encrypted chunks, each stored once, and of snapshots that say which chunks make which file.

A chunk is named by a keyed digest of what it holds, so that the same bytes are stored once and nobody without the key
learns what is there; it is compressed, then sealed with AES-256-GCM under its name. A snapshot is sealed alike and
appears only when all its chunks are on disk: a backup that is cut short leaves chunks that the next one uses.
"""

import base64
import hashlib
import hmac
import os
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text

__all__ = ["CHUNK", "Held", "Snapshot", "Vault", "key_of", "new_key"]

CHUNK = 256 * 1024  # bytes: what one changed page of a database makes to store again
_NONCE = 12
_FORMAT = 1


class Held(msgspec.Struct, frozen=True):
    """One file of a snapshot: its size, mode and time, and its chunks in order."""

    path: str
    size: int
    mode: int
    mtime_ns: int
    chunks: tuple[str, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """A town at one instant (microseconds UTC). `id` sorts by time."""

    id: str
    at_us: int
    town: str
    version: str
    files: tuple[Held, ...]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(f.size for f in self.files)


class _Head(msgspec.Struct):
    format: int
    check: str


def new_key() -> str:
    """Return a new key as it is written in a file: 32 random bytes."""
    return base64.b32encode(secrets.token_bytes(32)).decode().rstrip("=")


def key_of(written: str) -> bytes:
    """Return the key that a file holds. Raises `Problem` when it is none."""
    text = "".join(written.split()).upper()
    try:
        key = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise Problem(
            Text("Ce fichier n'est pas une clé de sauvegarde.", "This file is no backup key."),
            Text("Donnez celui qui a été fait avec la première sauvegarde (--key).",
                 "Give the one that was made with the first backup (--key)."), place="--key",
        )  # fmt: skip
    return key


class Vault:
    """The chunks and snapshots in `folder`, read and written with `key`. Raises `Problem` for a wrong key."""

    def __init__(self, folder: Path, key: bytes, *, make: bool = False) -> None:
        self.folder = folder
        self._seal = AESGCM(_derived(key, b"beffroi backup: seal"))
        self._naming = _derived(key, b"beffroi backup: names")
        self.added = 0  # bytes written to this vault
        self._known: set[str] | None = None
        head = folder / "vault.json"
        check = hmac.new(self._naming, b"check", hashlib.sha256).hexdigest()
        if not head.exists():
            if not make:
                raise NotFound(
                    Text("Ce dossier n'est pas une sauvegarde.", "This directory is no backup."),
                    Text("Donnez le dossier qui contient vault.json.", "Give the directory that holds vault.json."),
                    place=str(folder),
                )  # fmt: skip
            for part in ("chunks", "snapshots"):
                (folder / part).mkdir(parents=True, exist_ok=True)
            _put(head, msgspec.json.encode(_Head(_FORMAT, check)))
        try:
            found = msgspec.json.decode(head.read_bytes(), type=_Head)
        except msgspec.DecodeError as error:
            raise _damaged("vault.json") from error
        if not hmac.compare_digest(found.check, check):
            raise Problem(
                Text("La clé n'est pas celle de cette sauvegarde.", "The key is not that of this backup."),
                Text("Donnez la clé faite avec la première sauvegarde (--key).", "Give the key made with the first backup (--key)."),
                place="--key",
            )  # fmt: skip

    # --- chunks
    def keep(self, data: bytes) -> str:
        """Store a chunk unless it is there, and return its name."""
        name = hmac.new(self._naming, data, hashlib.sha256).hexdigest()
        if self._known is None:
            self._known = {p.name for p in self.folder.glob("chunks/*/*") if "." not in p.name}
        if name not in self._known:
            self._write(self.folder / "chunks" / name[:2] / name, zlib.compress(data, 6), name)
            self._known.add(name)
        return name

    def chunk(self, name: str) -> bytes:
        """Return what a chunk holds. Raises `Problem` when it is missing or altered."""
        data = zlib.decompress(self._read(self.folder / "chunks" / name[:2] / name, name))
        if not hmac.compare_digest(hmac.new(self._naming, data, hashlib.sha256).hexdigest(), name):
            raise _damaged(name)
        return data

    # --- snapshots
    def close(self, snapshot: Snapshot) -> None:
        """Make all chunks durable, then the snapshot that names them."""
        os.sync()
        path = self.folder / "snapshots" / snapshot.id
        self._write(path, zlib.compress(msgspec.json.encode(snapshot), 6), snapshot.id, durable=True)

    def ids(self) -> list[str]:
        """Return the ids of the snapshots, oldest first."""
        return sorted(p.name for p in (self.folder / "snapshots").iterdir() if "." not in p.name)

    def snapshot(self, snapshot_id: str | None = None) -> Snapshot:
        """Return a snapshot, the newest by default. Raises `NotFound` naming those there are."""
        known = self.ids()
        wanted = snapshot_id or (known[-1] if known else "")
        if wanted not in known:
            raise NotFound(
                Text("Il n'y a pas cette sauvegarde.", "There is no such snapshot."),
                Text("Il y a : {ids}.", "There are: {ids}.").filled(ids=", ".join(known) or "-"),
                place="--snapshot",
            )
        plain = zlib.decompress(self._read(self.folder / "snapshots" / wanted, wanted))
        return msgspec.json.decode(plain, type=Snapshot)

    def forget(self, keep: int) -> tuple[int, int]:
        """Forget all but the newest `keep` snapshots, and the chunks that none names; return how many of each went."""
        known = self.ids()
        gone = known[: max(0, len(known) - keep)] if keep > 0 else []
        for one in gone:
            (self.folder / "snapshots" / one).unlink()
        if not gone:
            return 0, 0
        used = {name for one in self.ids() for held in self.snapshot(one).files for name in held.chunks}
        dropped = [p for p in self.folder.glob("chunks/*/*") if p.name not in used]
        for path in dropped:
            path.unlink()
        self._known = None
        return len(gone), len(dropped)

    def check(self, snapshot: Snapshot) -> Iterator[tuple[str, Problem]]:
        """Yield each file of a snapshot that cannot be brought back, and why, reading every chunk once."""
        seen: dict[str, Problem | None] = {}
        for held in snapshot.files:
            for name in held.chunks:
                if name not in seen:
                    try:
                        self.chunk(name)
                        seen[name] = None
                    except Problem as problem:
                        seen[name] = problem
            wrong = next((p for n in held.chunks if (p := seen[n]) is not None), None)
            if wrong is not None:
                yield held.path, wrong

    # --- files
    def _write(self, path: Path, plain: bytes, name: str, *, durable: bool = False) -> None:
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._seal.encrypt(nonce, plain, name.encode())
        path.parent.mkdir(exist_ok=True)
        _put(path, sealed, durable=durable)
        self.added += len(sealed)

    def _read(self, path: Path, name: str) -> bytes:
        try:
            sealed = path.read_bytes()
            return self._seal.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
        except FileNotFoundError as error:
            raise _damaged(name) from error
        except (InvalidTag, ValueError) as error:
            raise _damaged(name) from error


def _put(path: Path, data: bytes, *, durable: bool = True) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, purpose).derive(key)


def _damaged(name: str) -> Problem:
    return Problem(
        Text("La sauvegarde est abîmée : {name}", "The backup is damaged: {name}").filled(name=name[:16]),
        Text("Reprenez-la d'une copie, ou une autre date (--snapshot).", "Take it from a copy, or another date (--snapshot)."),
        place=name[:16],
    )  # fmt: skip
