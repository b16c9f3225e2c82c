"""The loop: each hypothesis promised against what was measured, and the result with what was measured."""

from collections.abc import Mapping

import msgspec

from beffroi.evaluation.case.compute import van_of
from beffroi.evaluation.case.model import BusinessCase

__all__ = ["Kept", "Loop", "Measure", "close_loop", "with_measures"]


class Measure(msgspec.Struct, frozen=True):
    """What was measured of a hypothesis: over which time, from how many values."""

    value: float
    start_us: int
    end_us: int
    count: int = 0


class Kept(msgspec.Struct, frozen=True):
    """One hypothesis that is bound to a measure: promised, measured (None: nothing yet), and what that alone changes."""

    name: str
    source: str
    promised: float
    measure: Measure | None
    within: bool | None  # inside the range that was announced; None: not known
    effect: float | None  # change of VAN-SE when this one alone is as measured

    @property
    def ratio(self) -> float | None:
        """Return measured over promised."""
        return None if self.measure is None or self.promised == 0 else self.measure.value / self.promised


class Loop(msgspec.Struct, frozen=True):
    """All that is bound, and VAN-SE promised and with what was measured (None: nothing was)."""

    kept: tuple[Kept, ...]
    promised: float
    measured: float | None


def with_measures(case: BusinessCase, measures: Mapping[str, Measure]) -> BusinessCase:
    """Return the case with the measured hypotheses in place of the promised ones."""
    changed = {
        name: msgspec.structs.replace(one, value=measures[name].value) if name in measures else one
        for name, one in case.hypotheses.items()
    }
    return msgspec.structs.replace(case, hypotheses=changed)


def close_loop(case: BusinessCase, measures: Mapping[str, Measure]) -> Loop:
    """Return promised against measured."""
    promised = float(van_of(case))
    kept = []
    for name, one in case.hypotheses.items():
        if one.bound is None:
            continue
        found = measures.get(name)
        within = None
        if found is not None and one.low is not None and one.high is not None:
            within = one.low <= found.value <= one.high
        effect = None if found is None else float(van_of(case, {name: found.value})) - promised
        kept.append(Kept(name, one.bound.source, one.value, found, within, effect))
    known = {name: measures[name] for name in case.hypotheses if name in measures}
    return Loop(tuple(kept), promised, float(van_of(with_measures(case, known))) if known else None)
