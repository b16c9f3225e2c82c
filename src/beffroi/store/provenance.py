"""Provenance: where each observation came from, beside the observations and not in them.

An arrival (an uplink, a page of a source, a batch of a file) is one row with the ids that it brought. What comes one by
one over HTTP and MQTT is gathered in memory, id after id and who sent it, and written as one row every few seconds: a
post pays an addition to a list. A sudden end loses at most those seconds of "who", never a value.
"""

import contextlib
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select

from beffroi.model.instant import Clock
from beffroi.store.database import Database
from beffroi.store.tables import provenance, source_key

__all__ = ["Arrival", "Provenance"]

PACE_S = 5.0
MOST_RUNS = 100_000  # gathered, beyond which they are written at once
SPAN = 1_000_000  # ids between the first and the last of one row
_NEAR = 20
_IN_LIMIT = 500

Run = tuple[int, int, int]
"""First id, how many follow it, whose (index of the source)."""


class Arrival(msgspec.Struct, frozen=True):
    """What is known of the arrival of one observation. `at_us`: when it was taken in (gathered ones: written down)."""

    kind: str
    at_us: int
    told: dict[str, Any]
    payload: str | None = None


class Provenance:
    """The provenance of one store; any number of threads may share it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._sources: dict[tuple[str, ...], int] = {}
        self._runs: list[list[int]] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # --- writing
    def note(
        self, kind: str, told: dict[str, Any], ids: Iterable[int | None], payload: str | None = None
    ) -> None:
        """Keep where observations came from; on disk when this returns. Folded ones (None) keep their first origin."""
        runs = _runs_of(i for i in ids if i is not None)
        if runs:
            self._write(kind, told, runs, payload)

    def note_keys(
        self, kind: str, told: dict[str, Any], keys: Sequence[bytes], payload: str | None = None
    ) -> None:
        """Do the same for what was stored before under these source keys, if that is not known yet: an arrival whose
        acknowledgement was lost comes again."""
        with self._database.read() as c:
            found: list[int] = []
            for start in range(0, len(keys), _IN_LIMIT):
                mine = select(source_key.c.observation_id).where(
                    source_key.c.key.in_(keys[start : start + _IN_LIMIT])
                )
                found += c.execute(mine).scalars()
        unknown = [i for i in found if self.of(i) is None]
        self.note(kind, told, sorted(unknown), payload)

    def gather(self, source: tuple[str, ...], ids: Sequence[int | None]) -> None:
        """Note who sent observations; written within seconds. `source` is a kind and its words, in `WORDS`' order."""
        with self._lock:
            index = self._sources.setdefault(source, len(self._sources))
            for i in ids:
                if i is None:
                    continue
                last = self._runs[-1] if self._runs else None
                if last is not None and last[2] == index and last[0] + last[1] == i:
                    last[1] += 1
                else:
                    self._runs.append([i, 1, index])
            many = len(self._runs) > MOST_RUNS
        if self._thread is None:
            self._start()
        if many:
            self.flush()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._keep_writing, name="beffroi-provenance", daemon=True
                )
                self._thread.start()

    def _keep_writing(self) -> None:
        while not self._stop.wait(PACE_S):
            with contextlib.suppress(Exception):  # a full disk: what could not be written is tried again
                self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        with self._lock:
            runs, sources = self._runs, list(self._sources)
            self._runs, self._sources = [], {}
        if not runs:
            return
        try:
            self._write("gathered", {"sources": sources}, [(a, n, s) for a, n, s in sorted(runs)], None)
        except Exception:
            with self._lock:
                for first, n, source in runs:
                    self._runs.append(
                        [first, n, self._sources.setdefault(sources[source], len(self._sources))]
                    )
            raise

    def close(self) -> None:
        """Write the last ones, and stop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(
            Exception
        ):  # the values are safe; who sent the last ones is not worth an error
            self.flush()

    def _write(self, kind: str, told: dict[str, Any], runs: list[Run], payload: str | None) -> None:
        rows = []
        now, text, number = self._clock(), msgspec.json.encode(told).decode(), time.time_ns()
        for i, part in enumerate(_split(runs)):
            first, last = part[0][0], part[-1][0] + part[-1][1] - 1
            whole = len(part) == 1 and kind != "gathered"
            rows.append({
                "id": number + i, "kind": kind, "at_us": now, "first_id": first, "last_id": last,
                "runs": None if whole else _packed(part), "told": text, "payload": payload,
            })  # fmt: skip
        with self._database.write_observations() as c:
            c.execute(insert(provenance), rows)

    def forget(self, before_us: int) -> int:
        """Forget arrivals before an instant; their observations stay. Return how many rows went."""
        with self._database.write_observations() as c:
            return c.execute(delete(provenance).where(provenance.c.at_us < before_us)).rowcount

    # --- reading
    def brought_by(self, kind: str, name: str, value: int, since_us: int) -> Iterator[Run]:
        """Yield the runs of ids of the arrivals since an instant of which `told[name]` is `value`."""
        p = provenance.c
        some = select(provenance).where(p.kind == kind, p.at_us >= since_us).order_by(p.id)
        with self._database.read() as c:
            rows = c.execute(some).all()
        for row in rows:
            if msgspec.json.decode(row.told).get(name) == value:
                whole = (row.first_id, row.last_id - row.first_id + 1, 0)
                yield from [whole] if row.runs is None else _unpacked(bytes(row.runs))

    def of(self, observation_id: int) -> Arrival | None:
        """Return the arrival of an observation, None when it is not known (any more)."""
        p = provenance.c
        over = select(provenance).where(
            p.first_id <= observation_id, p.last_id >= observation_id, p.last_id < observation_id + SPAN
        )
        near = select(provenance).where(p.last_id >= observation_id).order_by(p.last_id).limit(_NEAR)
        with self._database.read() as c:
            # arrivals are narrow, and so among the next to end; gathered rows overlap them
            for statement in (near, over.order_by(p.last_id)):
                for row in c.execute(statement):
                    found = _arrival(row, observation_id)
                    if found is not None:
                        return found
        return None


WORDS = {"http": ("key", "name"), "mqtt": ("key", "name", "client", "topic")}


def _arrival(row: Any, observation_id: int) -> Arrival | None:
    if not row.first_id <= observation_id <= row.last_id:
        return None
    if row.runs is None:
        return Arrival(row.kind, row.at_us, msgspec.json.decode(row.told), row.payload)
    for first, n, source in _unpacked(bytes(row.runs)):
        if first <= observation_id < first + n:
            told = msgspec.json.decode(row.told)
            if row.kind != "gathered":
                return Arrival(row.kind, row.at_us, told, row.payload)
            kind, *values = told["sources"][source]
            return Arrival(kind, row.at_us, {k: v for k, v in zip(WORDS[kind], values, strict=False) if v})
    return None


def _runs_of(ids: Iterable[int]) -> list[Run]:
    runs: list[list[int]] = []
    for i in ids:
        if runs and runs[-1][0] + runs[-1][1] == i:
            runs[-1][1] += 1
        else:
            runs.append([i, 1, 0])
    return [(first, n, source) for first, n, source in sorted(runs)]


def _split(runs: list[Run]) -> list[list[Run]]:
    parts: list[list[Run]] = [[]]
    for run in runs:
        if parts[-1] and run[0] + run[1] - parts[-1][0][0] > SPAN:
            parts.append([])
        parts[-1].append(run)
    return parts


def _packed(runs: list[Run]) -> bytes:
    """Return runs as bytes: gaps rather than ids, since they repeat and so shrink."""
    flat, end = [], 0
    for first, n, source in runs:
        flat += [first - end, n, source]
        end = first + n
    return zlib.compress(msgspec.msgpack.encode(flat), 6)


def _unpacked(data: bytes) -> list[Run]:
    flat = msgspec.msgpack.decode(zlib.decompress(data), type=list[int])
    runs, end = [], 0
    for gap, n, source in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
        runs.append((end + gap, n, source))
        end += gap + n
    return runs
