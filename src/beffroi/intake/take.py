"""Intake: the one way in. Readings are identified, flagged, keyed and stored; folded when they came before."""

import threading
from collections.abc import Sequence

import msgspec

from beffroi.intake.identify import OPEN, Entrance, Identified, KindOf, identify
from beffroi.intake.quality import Flagger
from beffroi.intake.source_keys import sent_key
from beffroi.model.observation import Draft, Quality
from beffroi.standards.reading import Reading
from beffroi.store.open import Store

__all__ = ["Intake", "Taken"]

_MOST_FLAGGERS = 50_000


class Taken(msgspec.Struct, frozen=True):
    """What became of readings: the id of each observation (None where folded) and its datastream's."""

    ids: list[int | None]
    datastreams: list[int]
    stored: int
    folded: int


class Intake:
    """Takes readings into a store; any number of threads may share one."""

    def __init__(self, store: Store, known: KindOf) -> None:
        self.store = store
        self.known = known
        self._flaggers: dict[int, Flagger] = {}
        self._lock = threading.Lock()

    def identified(self, readings: Sequence[Reading], *, door: Entrance = OPEN) -> dict[str, Identified]:
        """Return the datastream of each series of `readings`, made when it is new."""
        series = {reading.series.key: reading.series for reading in readings}
        numbers = {reading.series.key: reading.result.value is not None for reading in readings}
        return identify(self.store, self.known, series.values(), numeric=numbers.__getitem__, door=door)

    def take(self, readings: Sequence[Reading], *, door: Entrance = OPEN) -> Taken:
        """Store `readings`; they are on disk when this returns. Raises `Unavailable`."""
        drafts = self.drafts(readings, door=door)
        ack = self.store.observations.append(drafts)
        return Taken(ack.ids, [draft.datastream_id for draft in drafts], ack.stored, ack.folded)

    def drafts(
        self, readings: Sequence[Reading], *, door: Entrance = OPEN, keys: Sequence[bytes] | None = None
    ) -> list[Draft]:
        """Return the drafts of `readings`, flagged, with their source keys (or with `keys`)."""
        found = self.identified(readings, door=door)
        with self._lock:
            self._prepare(found)
            return [
                self._keyed(reading, found[reading.series.key], keys, at)
                for at, reading in enumerate(readings)
            ]

    def _keyed(self, reading: Reading, one: Identified, keys: Sequence[bytes] | None, at: int) -> Draft:
        if keys is not None:
            return self._draft(reading, one, keys[at])
        key = reading.source_key
        return self._draft(reading, one, None if key is None else sent_key(one.id, key))

    def _draft(self, reading: Reading, one: Identified, key: bytes | None) -> Draft:
        judged, why = self._flaggers[one.id].judge(reading.start_us, reading.result.value)
        quality = judged if reading.quality is None else Quality(reading.quality)
        extra = _with_flag(reading.extra, why) if why else reading.extra
        return Draft(one.id, reading.start_us, reading.result, reading.end_us, feature_id=one.feature_id, quality=int(quality), extra=extra,
                     source_key=key)  # fmt: skip

    def _prepare(self, found: dict[str, Identified]) -> None:
        """Give each datastream that is new here its flagger, going on from its last stored value."""
        fresh = {one.id: one for one in found.values() if one.id not in self._flaggers}
        if not fresh:
            return
        if len(self._flaggers) > _MOST_FLAGGERS:
            self._flaggers.clear()
            fresh = {one.id: one for one in found.values()}
        last = self.store.observations.last([one.id for one in fresh.values() if one.kind is not None])
        for number, one in fresh.items():
            known = last.get(number)
            value = None if known is None else known.result.value
            start = None if known is None or value is None else (known.start_us, value)
            self._flaggers[number] = Flagger(one.kind, start)


def _with_flag(extra: str | None, why: str) -> str:
    """Return the observation's extra JSON with the flag's reason among its parameters."""
    told = msgspec.json.decode(extra) if extra else {}
    parameters = told.setdefault("parameters", {})
    parameters["qualityFlag"] = why
    return msgspec.json.encode(told).decode()
