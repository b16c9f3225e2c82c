"""When each source runs next, what it did, and what went wrong. The state is in the table `cursor`."""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import select, text

from beffroi.connectors import opendatasoft, sensorthings, table
from beffroi.connectors.source import Batch, Poll, Source
from beffroi.intake.devices import learn_steps
from beffroi.intake.source_keys import Occurrences, file_key, row_text
from beffroi.intake.take import Intake
from beffroi.model.instant import HOUR_US, SECOND_US, format_instant
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store import record_import
from beffroi.store.open import Store
from beffroi.store.tables import cursor

__all__ = ["KINDS", "State", "run_once", "states", "work"]

log = logging.getLogger("beffroi.connectors")
KINDS: Mapping[str, Poll] = {
    "opendatasoft": opendatasoft.poll,
    "sensorthings": sensorthings.poll,
    "csv": table.poll,
}
FIRST_RETRY_US = 30 * SECOND_US
LONGEST_RETRY_US = HOUR_US
IDLE_S = 1.0


class State(msgspec.Struct):
    """What is known of a source: where it is, when it last worked, what it last failed on, when it runs next."""

    position: dict[str, object] = {}
    next_us: int = 0
    tried_us: int | None = None
    worked_us: int | None = None
    failures: int = 0  # in a row
    error: Text | None = None
    stored: int = 0  # by the last poll that worked
    unchanged: int = 0
    rejected: int = 0
    total: int = 0  # stored since the beginning


def _row(name: str) -> str:
    return f"connector.{name}"


def state_of(store: Store, name: str) -> State:
    """Return what is known of the source called `name`."""
    with store.read() as connection:
        found = connection.execute(select(cursor.c.position).where(cursor.c.name == _row(name))).scalar()
    return State() if found is None else msgspec.json.decode(found, type=State)


def states(store: Store, sources: list[Source]) -> list[tuple[Source, State]]:
    """Return each source with what is known of it."""
    return [(source, state_of(store, source.name)) for source in sources]


def _keep(store: Store, name: str, state: State) -> None:
    with store.write() as connection:
        connection.execute(
            text(
                "INSERT INTO cursor (name, position) VALUES (:name, :position)"
                " ON CONFLICT (name) DO UPDATE SET position = excluded.position"
            ),
            {"name": _row(name), "position": msgspec.json.encode(state).decode()},
        )


def run_once(intake: Intake, source: Source, poll: Poll | None = None) -> State:
    """Poll a source now, store what is new and return its state; a failure is in the state, not raised.

    The cursor moves only after what it passes is on disk: a poll that ends half-way goes on from there.
    """
    store = intake.store
    state = state_of(store, source.name)
    now = store.clock()
    state.tried_us, state.stored, state.unchanged, state.rejected = now, 0, 0, 0
    seen = Occurrences.exact()
    touched: set[int] = set()
    try:
        for batch in (poll or KINDS[source.kind])(source, dict(state.position)):
            touched |= _take(intake, source, batch, seen, state)
            state.position = dict(batch.cursor) if batch.cursor is not None else state.position
            _keep(store, source.name, state)
    except Problem as problem:
        _failed(state, source, problem, now)
    else:
        state.worked_us, state.failures, state.error = store.clock(), 0, None
        state.next_us = now + source.every_us
    try:
        learn_steps(store, touched)
        _keep(store, source.name, state)
    except Problem as problem:
        _failed(state, source, problem, now)
    return state


def _failed(state: State, source: Source, problem: Problem, now: int) -> None:
    state.failures += 1
    state.error = problem.reason
    wait = min(FIRST_RETRY_US * 2 ** min(state.failures - 1, 20), LONGEST_RETRY_US)
    # spread over ±25 %, so that towns do not all come back to a portal at once
    state.next_us = now + int(wait * random.uniform(0.75, 1.25))  # noqa: S311
    log.warning("the source %r failed (%d in a row): %s", source.name, state.failures, problem.reason.en)


def _take(intake: Intake, source: Source, batch: Batch, seen: Occurrences, state: State) -> set[int]:
    """Store a batch; return the datastreams it was of."""
    state.rejected += len(batch.rejects)
    for collection, entries in batch.records.items():
        outcome = record_import.take(
            intake.store.records, collection, entries, who=SYSTEM, reason=source.name
        )
        state.rejected += len(outcome.rejects)
        state.stored += outcome.stored
        state.unchanged += outcome.unchanged
        state.total += outcome.stored
    if not batch.readings:
        return set()
    if batch.readings[0].source_key is not None:
        taken = intake.take(batch.readings, revising=source.name if batch.revises else "")
        stored, folded, numbers, ids = taken.stored, taken.folded, set(taken.datastreams), taken.ids
    else:
        found = intake.identified(batch.readings)
        rows = [row_text(reading) for reading in batch.readings]
        keys = [
            file_key(found[reading.series.key].id, row, seen.ordinal(row))
            for reading, row in zip(batch.readings, rows, strict=True)
        ]
        ack = intake.store.observations.append(intake.drafts(batch.readings, keys=keys))
        stored, folded, numbers, ids = ack.stored, ack.folded, {one.id for one in found.values()}, ack.ids
    address = urlsplit(source.url)._replace(query="", fragment="").geturl()
    told = {
        "source": source.name,
        "reader": source.kind,
        "url": address,
        "fetchedAt": format_instant(state.tried_us or 0),
    }
    intake.store.provenance.note("connector", told, ids)
    state.stored += stored
    state.unchanged += folded
    state.total += stored
    return numbers


def work(
    intake: Intake,
    sources: list[Source],
    stop: threading.Event,
    sleep: Callable[[float], object] | None = None,
    kinds: Mapping[str, Poll] = KINDS,
) -> None:
    """Poll each source when it is due, until `stop` is set. Blocking: for a thread of its own."""
    pause = sleep or stop.wait
    while not stop.is_set():
        for source in sources:
            if not stop.is_set() and state_of(intake.store, source.name).next_us <= intake.store.clock():
                run_once(intake, source, kinds[source.kind])
        pause(IDLE_S)
