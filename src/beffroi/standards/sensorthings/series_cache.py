"""What an arriving observation must know of its datastream, remembered until the catalogue changes."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable

import msgspec
from sqlalchemy import Connection, select

from beffroi.identity.rights import check_writer
from beffroi.model.problem import Problem
from beffroi.model.result import Result
from beffroi.model.text import Text
from beffroi.store import catalogue
from beffroi.store.open import Store
from beffroi.store.tables import datastream, feature_of_interest, thing

__all__ = ["Series", "SeriesCache", "check_writer"]

_MOST = 200_000
_GLANCE_S = 0.02  # how long what another process changed may go unnoticed


class Series(msgspec.Struct, frozen=True, gc=False):
    """A datastream: whose it is, and the feature of an observation that names none (None: it has none)."""

    territory: str | None
    service: str
    feature_id: int | None
    components: int = 0  # of a MultiDatastream's results; 0: a plain Datastream

    def takes(self, result: Result, *, multi: bool) -> bool:
        """True when it is of the type that was named, and `result` has its shape."""
        return not multi if not self.components else multi and catalogue.fits(result, self.components)


class SeriesCache:
    """The datastreams of one process. `recall` never waits; `look_up` reads the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[int, Series | None] = {}
        self._features: set[int] = set()
        self._version = -1
        self._stale = True
        self._lock = threading.Lock()
        self._asked: set[int] = set()  # by callers that wait: the first one in answers for all
        self._asking = threading.Lock()
        self._perhaps = True
        self._glanced = 0.0
        self._sign: sqlite3.Connection | None = None
        self._seen = -1
        self._cancel: Callable[[], None] = lambda: None
        path = store.database.records_path
        self._cancel = store.listen(self._wake, records_only=True)
        if path is not None:
            # SQLite says in two microseconds whether another connection has written
            self._sign = sqlite3.connect(
                f"file:{path}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
            )

    def close(self) -> None:
        """Stop watching the catalogue."""
        if self._sign is not None:
            self._sign.close()
        self._cancel()

    def _wake(self) -> None:
        # Records were written, here or (seen within 0.2 s) elsewhere. PostgreSQL has no sign that is quicker to look at.
        self._perhaps = True
        if self._sign is None:
            self._stale = True

    def _changed(self) -> bool:
        # Even two microseconds are dear here: a glance is enough every 20 ms, or when this process wrote records.
        now = time.monotonic()
        if self._sign is not None and (self._perhaps or now - self._glanced > _GLANCE_S):
            self._perhaps, self._glanced = False, now
            seen = self._sign.execute("PRAGMA data_version").fetchone()[0]
            if seen != self._seen:
                self._seen, self._stale = seen, True
        return self._stale

    def recall(self, ids: Iterable[int], features: Iterable[int] = ()) -> dict[int, Series | None] | None:
        """Return what is known of all of `ids` (None: no such datastream), or None when the store must be asked."""
        if self._changed():
            return None
        try:
            known = self._known
            return {i: known[i] for i in ids} if self._features.issuperset(features) else None
        except KeyError:
            return None

    def look_up(self, ids: Iterable[int], features: Iterable[int] = ()) -> dict[int, Series | None]:
        """Return the same from the store. Raises `Problem` for a feature that does not exist."""
        wanted = set(ids)
        with self._asking:
            self._asked |= wanted
        with self._lock, self._store.read() as c:
            self._stale = False
            with self._asking:
                asked, self._asked = self._asked | wanted, set()
            version = catalogue.version(c)
            if version != self._version or len(self._known) > _MOST or len(self._features) > _MOST:
                self._known, self._features, self._version = {}, set(), version
            missing = asked - self._known.keys()
            found = self._read(c, missing)
            self._check(c, set(features) - self._features)
            defaults = self._features_of(c, list(found))
        for i in missing:
            row = found.get(i)
            self._known[i] = (
                None
                if row is None
                else Series(row[0], row[1], defaults.get(i), catalogue.component_count(row[2]))
            )
        return {i: self._known[i] for i in wanted}

    @staticmethod
    def _read(c: Connection, ids: set[int]) -> dict[int, tuple[str | None, str, str | None]]:
        statement = (
            select(datastream.c.id, thing.c.territory, thing.c.service, datastream.c.multi)
            .join(thing, thing.c.id == datastream.c.thing_id)
            .where(datastream.c.id.in_(ids))
        )
        return {row[0]: (row[1], row[2], row[3]) for row in c.execute(statement)} if ids else {}

    def _features_of(self, c: Connection, ids: list[int]) -> dict[int, int | None]:
        """Return the default feature of each datastream, making those that are not made yet."""
        known = catalogue.known_features(c, ids)
        missing = [i for i, (feature, place) in known.items() if feature is None and place is not None]
        found = {i: feature for i, (feature, _place) in known.items()}
        if missing:
            with self._store.write() as writing:
                found |= catalogue.default_features(self._store, writing, missing)
                self._version = catalogue.version(writing)
        return found

    def _check(self, c: Connection, features: set[int]) -> None:
        for feature in features:
            row = feature_of_interest
            if c.execute(select(row.c.id).where(row.c.id == feature)).first() is None:
                raise Problem(
                    Text(f"FeatureOfInterest {feature} n'existe pas.", f"There is no FeatureOfInterest {feature}."),
                    Text("Vérifiez l'identifiant.", "Check the id."), place="/FeatureOfInterest",
                )  # fmt: skip
        self._features |= features
