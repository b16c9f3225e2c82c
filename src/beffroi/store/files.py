"""Files: photos and documents, held by their SHA-256, sealed on the disk.

Each file has a key of its own, itself sealed under a key derived (HKDF-SHA256, RFC 5869) from the installation's
secret and kept in the database (AES-256-GCM, NIST SP 800-38D): dropping the row erases the file, copies in backups
included. Bytes are written and on disk before the transaction that keeps them; what no row names is swept later.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, delete, select, update

from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.store.audit import Fault
from beffroi.store.quick import quick
from beffroi.store.tables import stored_file

__all__ = ["Files", "Staged"]

_NONCE = 12
ORPHAN_S = 3600  # a file that no row names is swept after that: its transaction may still be running
_KEEP = (
    "INSERT INTO stored_file (name, path, size, media_type, created_us, wrapped, uses)"
    " VALUES (:name, :path, :size, :media_type, :created_us, :wrapped, 1)"
    " ON CONFLICT (name) DO UPDATE SET uses = stored_file.uses + 1 RETURNING path"
)


class Staged(msgspec.Struct, frozen=True):
    """A file that is on the disk, and that nothing keeps yet. `name` is the SHA-256 of its bytes, in hexadecimal."""

    name: str
    path: str
    size: int
    media_type: str
    wrapped: bytes


class House(Protocol):
    """What the files need of the store."""

    def read(self) -> AbstractContextManager[Connection]:
        """Return a connection for reading."""
        ...


def _lost(name: str) -> NotFound:
    return NotFound(
        Text("Ce fichier n'existe pas, ou plus.", "This file does not exist, or no longer."), place=name
    )


class Files:
    """The files of one installation, in `folder`."""

    def __init__(
        self, folder: Path, house: House, secret: Callable[[], bytes], clock: Callable[[], int]
    ) -> None:
        self.folder = folder
        self._house = house
        self._secret = secret
        self._clock = clock
        self._wrapping: AESGCM | None = None

    def _wrap(self) -> AESGCM:
        if self._wrapping is None:
            derived = HKDF(SHA256(), 32, salt=None, info=b"beffroi file keys").derive(self._secret())
            self._wrapping = AESGCM(derived)
        return self._wrapping

    # --- Keeping.

    def stage(self, data: bytes, media_type: str) -> Staged:
        """Write `data` to the disk, outside of any transaction; `keep` makes it last."""
        name = hashlib.sha256(data).hexdigest()
        path = f"{name[:2]}/{secrets.token_hex(16)}"
        key, nonce = AESGCM.generate_key(256), os.urandom(_NONCE)
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, nonce + AESGCM(key).encrypt(nonce, data, name.encode()))
        nonce = os.urandom(_NONCE)
        return Staged(
            name, path, len(data), media_type, nonce + self._wrap().encrypt(nonce, key, name.encode())
        )

    def keep(self, c: Connection, staged: Staged) -> str:
        """Keep a staged file in the transaction of `c`, or count one more use of the same bytes; return its name."""
        values = msgspec.structs.asdict(staged) | {"created_us": self._clock()}
        held: str = quick(c, _KEEP, values)[0][0]
        if held != staged.path:
            (self.folder / staged.path).unlink(missing_ok=True)
        return staged.name

    def put(self, c: Connection, data: bytes, media_type: str) -> str:
        """Stage and keep at once; return the name."""
        return self.keep(c, self.stage(data, media_type))

    def release(self, c: Connection, names: Iterable[str | None]) -> list[str]:
        """Give up one use of each name in the transaction of `c`; return the paths that nobody uses any more, for
        `unlink` once it is committed. From then on nobody can read them, whether or not they were unlinked."""
        gone: list[str] = []
        t = stored_file.c
        for name in names:
            if name is None:
                continue
            c.execute(update(stored_file).where(t.name == name).values(uses=t.uses - 1))
            dropped = delete(stored_file).where(t.name == name, t.uses <= 0).returning(t.path)
            gone += c.execute(dropped).scalars()
        return gone

    def unlink(self, paths: Iterable[str]) -> None:
        """Remove files that `release` returned."""
        for path in paths:
            (self.folder / path).unlink(missing_ok=True)

    # --- Reading.

    def read(self, name: str, c: Connection | None = None) -> tuple[bytes, str]:
        """Return a file's bytes and media type. Raises `NotFound`; `Problem` (500) when it was tampered with."""
        if c is None:
            with self._house.read() as connection:
                return self.read(name, connection)
        row = c.execute(select(stored_file).where(stored_file.c.name == name)).first()
        if row is None:
            raise _lost(name)
        try:
            return self._opened(row), row.media_type
        except FileNotFoundError as error:
            raise _lost(name) from error

    def _opened(self, row: "object") -> bytes:
        name, path, wrapped = row.name, row.path, bytes(row.wrapped)  # type: ignore[attr-defined]
        try:
            key = self._wrap().decrypt(wrapped[:_NONCE], wrapped[_NONCE:], name.encode())
            sealed = (self.folder / path).read_bytes()
            return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
        except InvalidTag as error:
            raise Problem(
                Text("Ce fichier ne s'ouvre pas : il a changé, ou la clé n'est pas celle de cette installation.",
                     "This file does not open: it changed, or the key is not this installation's."),
                Text("Remettez le fichier secret.key d'origine, ou restaurez la sauvegarde.",
                     "Put the original secret.key file back, or restore the backup."),
                place=path, status=500,
            ) from error  # fmt: skip

    def names(self) -> list[str]:
        """Return the name of every file that is kept."""
        with self._house.read() as c:
            return list(c.execute(select(stored_file.c.name).order_by(stored_file.c.name)).scalars())

    # --- Housekeeping.

    def sweep(self, older_than_s: float = ORPHAN_S) -> int:
        """Remove files that no row names and that are older than `older_than_s`; return how many."""
        old = [p for p in self._on_disk() if time.time() - p.stat().st_mtime >= older_than_s]
        with self._house.read() as c:
            named = set(c.execute(select(stored_file.c.path)).scalars())
        gone = [p for p in old if p.relative_to(self.folder).as_posix() not in named]
        for path in gone:
            path.unlink(missing_ok=True)
        return len(gone)

    def _on_disk(self) -> Iterator[Path]:
        return self.folder.glob("??/*") if self.folder.exists() else iter(())

    def verify(self) -> Iterator[Fault]:
        """Yield a fault for each kept file that is missing or does not open."""
        with self._house.read() as c:
            rows = c.execute(select(stored_file).order_by(stored_file.c.name)).all()
        for row in rows:
            try:
                self._opened(row)
            except FileNotFoundError:
                yield Fault(row.path, Text("Un fichier gardé manque.", "A kept file is missing."))
            except Problem as problem:
                yield Fault(row.path, problem.reason)


def _write(path: Path, data: bytes) -> None:
    """Write a whole new file and its name durably."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
