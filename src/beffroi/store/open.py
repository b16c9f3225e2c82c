"""Store: everything a town keeps, behind one object."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, text

from beffroi.model.instant import Clock, system_clock
from beffroi.model.principal import Principal
from beffroi.settings import Settings
from beffroi.store.archive import Archive
from beffroi.store.audit import Audit, Fault
from beffroi.store.checkpoint import move_log
from beffroi.store.database import Database, open_database
from beffroi.store.files import Files
from beffroi.store.migrate import migrate
from beffroi.store.observations import Observations
from beffroi.store.provenance import Provenance
from beffroi.store.records import Records
from beffroi.store.verify import verify_store

__all__ = ["Store"]


class Store:
    """The one store of an installation: catalogue, records, observations, settings of the town."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.dialect = database.dialect
        self.archive = Archive(settings, database)
        self.audit = Audit(settings, clock)
        self.observations = Observations(database, self.archive, clock)
        self.files = Files(settings.data / "files", self, settings.secret, clock)
        self.provenance = Provenance(database, clock)
        self.records = Records(self, settings.secret, clock, self.audit.notes)

    @classmethod
    def open(cls, settings: Settings, clock: Clock = system_clock) -> "Store":
        """Open the store of `settings`, creating or migrating its tables first.

        Raises `Problem` for a wrong address, `Unavailable` when the database does not answer.
        """
        database = open_database(settings)
        migrate(database)
        return cls(settings, database, clock)

    def close(self) -> None:
        """Finish what is being written and close every connection."""
        self.observations.close()
        self.provenance.close()
        self.archive.close()
        self.database.close()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that reads one snapshot (see `Database.read`)."""
        with self.database.read() as connection:
            yield connection

    def glance(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        """Return the rows of one small statement (see `Database.glance`), for what every page asks several times."""
        return self.database.glance(sql, values)

    @contextlib.contextmanager
    def write(self, *, many: bool = False) -> Iterator[Connection]:
        """Give a connection in one durable transaction (see `Database.write`)."""
        with self.database.write(many=many) as connection:
            yield connection

    def checkpoint(self) -> None:
        """Move what was committed from SQLite's log to its file, beside the writers: none of them waits long for it."""
        if self.database.records_path is not None:
            move_log(self.database.records_path, self.database.records_turn)

    def next(self, connection: Connection, n: int = 1) -> int:
        """Return the first of `n` fresh numbers of the commit sequence; call inside `write()`."""
        return self.database.next(connection, n)

    def number(self, connection: Connection, name: str, n: int = 1) -> int:
        """Return the first of `n` fresh ids of the table `name`; call inside `write()`."""
        return self.database.number(connection, name, n)

    def listen(self, callback: Callable[[], None], *, records_only: bool = False) -> Callable[[], None]:
        """Call `callback` after any commit (see `Database.listen`); return what stops it."""
        return self.database.listen(callback, records_only=records_only)

    def verify(self) -> list[Fault]:
        """Return every fault of what is stored: files, segments, counts (the audit verifies itself)."""
        return [*verify_store(self.database, self.archive), *self.files.verify()]

    def setting(self, key: str, default: Any = None) -> Any:
        """Return the value kept under `key` (JSON), or `default`."""
        found = self.glance("SELECT value FROM setting WHERE key = :key", {"key": key})
        return json.loads(found[0][0]) if found else default

    def set_setting(self, key: str, value: Any) -> None:
        """Keep `value` (JSON) under `key`; None forgets it."""
        with self.write() as connection:
            self.put_setting(connection, key, value)

    def change_settings(
        self, who: Principal, settings: Mapping[str, Any], action: str, target: str, detail: dict[str, Any] | None = None
    ) -> None:  # fmt: skip
        """Keep (or forget: None) what a person set on screen, and note it in the journal, in one transaction: a setting
        that nobody is known to have changed does not exist."""
        with self.write() as connection:
            for key, value in settings.items():
                self.put_setting(connection, key, value)
            self.audit.note(connection, who, action, target, detail)

    def put_setting(self, connection: Connection, key: str, value: Any) -> None:
        """Keep (or forget: None) `value` under `key` in the transaction of `connection`."""
        if value is None:
            connection.execute(text("DELETE FROM setting WHERE key = :key"), {"key": key})
            return
        connection.execute(
            text(
                "INSERT INTO setting (key, value) VALUES (:key, :value)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            ),
            {"key": key, "value": json.dumps(value, ensure_ascii=False)},
        )
