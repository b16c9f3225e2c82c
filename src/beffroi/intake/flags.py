"""Flags for observations on their way into the store, whichever door they come by."""

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import select

from beffroi.intake.identify import KindOf, fitting
from beffroi.intake.quality import Flagger
from beffroi.model.declaration import DatastreamKind
from beffroi.model.observation import Draft, Quality
from beffroi.store.open import Store
from beffroi.store.tables import datastream

__all__ = ["Flags"]

_MOST = 50_000
_IN_LIMIT = 500
_UNCHECKED = int(Quality.UNCHECKED)


class Flags:
    """The flaggers of one process, one a datastream, each going on from its last stored value."""

    def __init__(self, store: Store, known: KindOf) -> None:
        self._store = store
        self._known = known
        self._flaggers: dict[int, Flagger] = {}
        self._lock = threading.Lock()

    def prepare(self, kinds: Mapping[int, DatastreamKind | None]) -> None:
        """Give each datastream that is new here its flagger."""
        fresh = {number: kind for number, kind in kinds.items() if number not in self._flaggers}
        if not fresh:
            return
        last = self._store.observations.last([number for number, kind in fresh.items() if kind is not None])
        with self._lock:
            if len(self._flaggers) > _MOST:
                # a new dict, so that a judgement under way keeps the one it has
                self._flaggers = {
                    number: self._flaggers[number] for number in kinds if number in self._flaggers
                }
            for number, kind in fresh.items():
                newest = last.get(number)
                value = None if newest is None else newest.result.value
                start = None if newest is None or value is None else (newest.start_us, value)
                self._flaggers.setdefault(number, Flagger(kind, start))

    def look_up(self, numbers: Iterable[int]) -> None:
        """Prepare datastreams of which only the id is known, reading their kind from the store."""
        wanted, c = list(numbers), datastream.c
        kinds: dict[int, DatastreamKind | None] = dict.fromkeys(wanted)
        with self._store.read() as connection:
            for start in range(0, len(wanted), _IN_LIMIT):
                some = select(c.id, c.kind, c.unit_definition).where(
                    c.id.in_(wanted[start : start + _IN_LIMIT])
                )
                for number, code, ucum in connection.execute(some):
                    kinds[number] = fitting(self._known(code) if code else None, ucum or "")
        self.prepare(kinds)

    def judge(self, drafts: Sequence[Draft]) -> None:
        """Flag drafts whose datastreams were prepared; what its source flagged keeps that flag."""
        flaggers = self._flaggers
        with self._lock:
            for draft in drafts:
                flagger = flaggers.get(draft.datastream_id)
                if flagger is None or draft.result.value is None:
                    continue
                quality, why = flagger.judge(draft.start_us, draft.result.value)
                if draft.quality == _UNCHECKED:
                    draft.quality = int(quality)
                if why:
                    draft.extra = _with_reason(draft.extra, why)

    async def judge_soon(self, drafts: Sequence[Draft]) -> None:
        """Do the same from the event loop, which waits for the store only when a datastream is new here."""
        known = self._flaggers
        if len(drafts) == 1 and drafts[0].datastream_id in known:
            self.judge(drafts)
            return
        # a difference with the keys would walk every known datastream
        missing = {i for i in {draft.datastream_id for draft in drafts} if i not in known}
        if missing:
            await asyncio.to_thread(self.look_up, missing)
        self.judge(drafts)


def _with_reason(extra: str | None, why: str) -> str:
    """Return an observation's extra JSON with the flag's reason among its parameters."""
    told = msgspec.json.decode(extra) if extra else {}
    told.setdefault("parameters", {})["qualityFlag"] = why
    return msgspec.json.encode(told).decode()
