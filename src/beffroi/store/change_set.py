"""ChangeSet: changes of the catalogue and of observations that happen all or not at all.

The two live in separate files on SQLite, which no transaction spans. So the catalogue's transaction decides: what is
to be done to observations is written down in it (`unfinished`), and done once it is committed. A process killed in
between leaves the note, and `finish` does what it says, once: new observations carry source keys of their own, and a
correction is left alone when its observation has changed since. Nothing is seen of a change set that failed.
"""

import contextlib
import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, insert, select

from beffroi.model.observation import Draft, Observation
from beffroi.model.problem import NotFound, Problem, Unavailable
from beffroi.model.text import Text
from beffroi.store.observations import Ack, ObservationQuery, Observations
from beffroi.store.open import Store
from beffroi.store.quick import quick
from beffroi.store.tables import observation, unfinished
from beffroi.store.versions import NOBODY, By

__all__ = ["LEFT_AFTER_US", "ChangeSet", "Outcome", "finish_left", "unsettled"]

LEFT_AFTER_US = 10_000_000  # a note older than that is nobody's any more


class _Work(msgspec.Struct):
    """What a change set does to observations, in its order: one of the four."""

    append: list[Draft] = []
    correct: Observation | None = None  # as it is to be; `seq` is that of the state it corrects
    delete: list[int] = []
    series: int | None = None
    by: By = NOBODY


class Outcome(msgspec.Struct, frozen=True):
    """What became of a change set: the ids of its new observations, in order; empty and not `done`: it is decided
    and on disk, but the observations cannot be written yet."""

    ids: tuple[int, ...] = ()
    done: bool = True


class _Noted(Observations):
    """The observations as a change set sees them: what it does to them is noted, and done at its end."""

    def __init__(self, real: Observations) -> None:
        self._real = real
        self._database, self._archive = real._database, real._archive
        self.works: list[_Work] = []
        self.appended = 0
        self._gone: set[int] = set()
        self._gone_series: set[int] = set()
        self._corrected: dict[int, Observation] = {}

    def append(self, drafts: Sequence[Draft]) -> Ack:
        """Note drafts; their ids are provisional: -1 for the first of the change set, -2 for the second …"""
        if not self.works or not self.works[-1].append:
            self.works.append(_Work(append=[]))
        self.works[-1].append.extend(drafts)
        first = self.appended
        self.appended += len(drafts)
        return Ack([-(first + i + 1) for i in range(len(drafts))], len(drafts), 0)

    def correct(self, observation_id: int, *, by: By = NOBODY, **changes: Any) -> Observation:
        """Note a correction. Raises `NotFound`."""
        known = self.get(observation_id)
        if known is None:
            raise NotFound(Text("Cette observation n'existe pas.", "There is no such observation."))
        now = msgspec.structs.replace(known, **changes)
        self._corrected[observation_id] = now
        # it holds what earlier corrections of this change set said too
        self.works = [w for w in self.works if w.correct is None or w.correct.id != observation_id]
        self.works.append(_Work(correct=now, by=by))
        return now

    def delete(self, ids: Iterable[int], *, by: By = NOBODY) -> int:
        """Note deletions; return how many there are to delete."""
        known = [i for i in ids if self.get(i) is not None]
        self._gone.update(known)
        self.works.append(_Work(delete=known, by=by))
        return len(known)

    def delete_series(self, datastream_id: int) -> None:
        """Note that a datastream goes with its observations."""
        self._gone_series.add(datastream_id)
        self.works.append(_Work(series=datastream_id))

    def get(self, observation_id: int, *more: Any) -> Observation | None:
        """Return an observation as the change set leaves it."""
        found = self._corrected.get(observation_id) or self._real.get(observation_id, *more)
        gone = observation_id in self._gone or (
            found is not None and found.datastream_id in self._gone_series
        )
        return None if gone else found

    def select(self, query: ObservationQuery, reading: Connection | None = None) -> list[Observation]:
        """Return the stored observations of `query` that the change set leaves."""
        del reading  # a change set's own connection does not see the observations
        gone, inner = sorted(self._gone), query.where
        if gone:
            left = observation.c.id.not_in(gone)
            query = msgspec.structs.replace(
                query, where=(lambda d: left if inner is None else and_(inner(d), left))
            )
        return self._real.select(query)


class ChangeSet(Store):
    """A store whose writings all join one transaction; give it to whatever writes, then `end` it.

    Use as `with ChangeSet.begin(store) as changes: …`: leaving with an exception undoes everything.
    """

    def __init__(self, store: Store, connection: Connection) -> None:
        vars(self).update(vars(store))
        self.real = store
        self._connection = connection
        self.noted = _Noted(store.observations)
        self.observations = self.noted
        self.key = uuid.uuid4().hex
        self.outcome = Outcome()

    @classmethod
    @contextlib.contextmanager
    def begin(cls, store: Store) -> Iterator["ChangeSet"]:
        """Give a change set; at the end it is committed and `outcome` says the ids of its observations.

        Raises `Unavailable` when nothing could be written.
        """
        with store.write() as connection:
            changes = cls(store, connection)
            yield changes
            works = changes.noted.works
            note = 0
            if works:
                _with_keys(works, changes.key)
                note = store.number(connection, "unfinished")
                body = msgspec.json.encode(works).decode()
                connection.execute(insert(unfinished).values(id=note, at_us=store.clock(), body=body))
        if works:
            changes.outcome = _finish_soon(store, note, works)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give the connection of the change set: it sees what was changed so far."""
        yield self._connection

    def glance(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        """Return the rows of one small statement, as the change set leaves them."""
        return quick(self._connection, sql, values)

    @contextlib.contextmanager
    def write(self, *, many: bool = False) -> Iterator[Connection]:  # noqa: ARG002 -- it is one of its own
        """Give the connection of the change set."""
        yield self._connection


def _with_keys(works: list[_Work], key: str) -> None:
    """Give every new observation a source key, so that doing the work again stores it once."""
    number = 0
    for work in works:
        for draft in work.append:
            if draft.source_key is None:
                text = f"change set\x1f{key}\x1f{number}"
                draft.source_key = hashlib.blake2b(text.encode(), digest_size=16).digest()
            number += 1


def _finish_soon(store: Store, note: int, works: list[_Work]) -> Outcome:
    try:
        return Outcome(tuple(_finish(store, note, works)))
    except Unavailable:
        return Outcome(done=False)  # the note stays: `finish_left` will do it


def _finish(store: Store, note: int, works: list[_Work]) -> list[int]:
    """Do what a note says and take it away; return the ids of the new observations. Raises `Unavailable`."""
    ids: list[int] = []
    for work in works:
        if work.append:
            ack = store.observations.append(work.append)
            ids.extend(_ids(store, ack, work.append))
        elif work.correct is not None:
            _correct(store, work.correct, work.by)
        elif work.series is not None:
            store.observations.delete_series(work.series)
        elif work.delete:
            store.observations.delete(work.delete, by=work.by)
    with store.write() as c:
        c.execute(delete(unfinished).where(unfinished.c.id == note))
    return ids


def _ids(store: Store, ack: Ack, drafts: Sequence[Draft]) -> list[int]:
    if None not in ack.ids:
        return [i for i in ack.ids if i is not None]
    known = store.observations.of_keys([d.source_key for d in drafts if d.source_key is not None])
    return [known.get(d.source_key or b"", 0) for d in drafts]


def _correct(store: Store, wanted: Observation, by: By) -> None:
    known = store.observations.get(wanted.id)
    if known is None or known.seq != wanted.seq:
        return  # gone, done already, or changed by someone else since
    changes = {name: getattr(wanted, name) for name in wanted.__struct_fields__ if name not in ("id", "seq")}
    store.observations.correct(wanted.id, by=by, **changes)


def finish_left(store: Store, before_us: int) -> int:
    """Finish the change sets decided before `before_us` whose process ended early; return how many there were.

    Raises `Unavailable` when the observations cannot be written.
    """
    with store.read() as c:
        left = list(
            c.execute(select(unfinished).where(unfinished.c.at_us < before_us).order_by(unfinished.c.id))
        )
    for row in left:
        _finish(store, row.id, msgspec.json.decode(row.body, type=list[_Work]))
    return len(left)


def unsettled(place: str) -> Problem:
    """Return the problem of a reference to an observation that its own change set is only about to make."""
    return Problem(
        Text("Cette observation n'a pas encore d'identifiant.", "This observation has no id yet."),
        Text("Donnez-lui sa forme dès sa création, ou changez-la dans une demande suivante.",
             "Give it its form when it is made, or change it in a later request."), place,
    )  # fmt: skip
