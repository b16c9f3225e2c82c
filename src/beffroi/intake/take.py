"""Intake: the one way in. Readings are identified, flagged, keyed and stored; folded when they came before."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from beffroi.intake.flags import Flags
from beffroi.intake.identify import OPEN, Entrance, Identified, KindOf, ServiceOf, identify
from beffroi.intake.source_keys import sent_key
from beffroi.model.declaration import KindOfImport
from beffroi.model.observation import Draft, Observation, Quality
from beffroi.standards.reading import Reading
from beffroi.store.open import Store
from beffroi.store.versions import By

__all__ = ["Intake", "Taken"]


class Taken(msgspec.Struct, frozen=True):
    """What became of readings: the id of each observation (None where folded) and its datastream's. `stored` counts
    those that corrected one."""

    ids: list[int | None]
    datastreams: list[int]
    stored: int
    folded: int


class Intake:
    """Takes readings into a store; any number of threads may share one. `file_kinds` returns what services read besides
    the kinds of the house."""

    def __init__(
        self, store: Store, known: KindOf, service_of: ServiceOf = lambda _kind: "",
        file_kinds: Callable[[], Iterable[KindOfImport]] = tuple,
    ) -> None:  # fmt: skip
        self.store = store
        self.known = known
        self.service_of = service_of
        self.file_kinds = file_kinds
        self.flags = Flags(store, known)

    def identified(self, readings: Sequence[Reading], *, door: Entrance = OPEN) -> dict[str, Identified]:
        """Return the datastream of each series of `readings`, made when it is new."""
        series = {reading.series.key: reading.series for reading in readings}
        numbers = {reading.series.key: reading.result.value is not None for reading in readings}
        return identify(
            self.store,
            self.known,
            series.values(),
            numeric=numbers.__getitem__,
            door=door,
            service_of=self.service_of,
        )

    def take(self, readings: Sequence[Reading], *, door: Entrance = OPEN, revising: str = "") -> Taken:
        """Store `readings`; they are on disk when this returns. Raises `Unavailable`.

        `revising` names a source that corrects itself: what it sent before under the same key and says otherwise now is
        corrected, and what it was is kept as a version.
        """
        drafts = self.drafts(readings, door=door)
        ack = self.store.observations.append(drafts)
        revised = 0
        if revising and ack.folded:
            again = [draft for draft, number in zip(drafts, ack.ids, strict=True) if number is None]
            revised = self._revise(again, By(revising, "source"))
        numbers = [draft.datastream_id for draft in drafts]
        return Taken(ack.ids, numbers, ack.stored + revised, ack.folded - revised)

    def _revise(self, drafts: Sequence[Draft], by: By) -> int:
        """Correct what was stored under the keys of `drafts` and differs; return how many were corrected."""
        last = {draft.source_key: draft for draft in drafts if draft.source_key is not None}
        known = self.store.observations.of_keys(list(last))
        held: dict[int, Observation] = {}
        for number in {draft.datastream_id for draft in last.values()}:
            starts = [draft.start_us for draft in last.values() if draft.datastream_id == number]
            found = self.store.observations.series(number, min(starts), max(starts) + 1)
            held |= {observation.id: observation for observation in found}
        revised = 0
        for key, draft in last.items():
            old = held.get(known.get(key, -1))
            if old is None or (old.result.json(), old.extra) == (draft.result.json(), draft.extra):
                continue
            changes = {"result": draft.result, "quality": draft.quality, "extra": draft.extra}
            self.store.observations.correct(old.id, by=by, **changes)
            revised += 1
        return revised

    def drafts(
        self, readings: Sequence[Reading], *, door: Entrance = OPEN, keys: Sequence[bytes] | None = None
    ) -> list[Draft]:
        """Return the drafts of `readings`, flagged, with their source keys (or with `keys`)."""
        found = self.identified(readings, door=door)
        self.flags.prepare({one.id: one.kind for one in found.values()})
        drafts = []
        for at, reading in enumerate(readings):
            one = found[reading.series.key]
            key = reading.source_key
            if keys is not None:
                key = keys[at]
            elif key is not None:
                key = sent_key(one.id, key)
            drafts.append(_draft(reading, one, key))
        self.flags.judge(drafts)
        return drafts


def _draft(reading: Reading, one: Identified, key: bytes | None) -> Draft:
    return Draft(
        one.id,
        reading.start_us,
        reading.result,
        reading.end_us,
        feature_id=one.feature_id,
        quality=int(Quality.UNCHECKED if reading.quality is None else reading.quality),
        extra=reading.extra,
        source_key=key,
    )
