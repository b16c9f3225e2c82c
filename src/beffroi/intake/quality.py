"""Quality flags: what to think of a value. The value itself is never touched.

Checks (as WMO-No. 488 and QARTOD name them): plausible range, step against the last accepted value, and stuck.
"""

from beffroi.model.declaration import DatastreamKind
from beffroi.model.instant import HOUR_US
from beffroi.model.observation import Quality

__all__ = ["Flagger"]

NEIGHBOUR_US = 2 * HOUR_US  # beyond it two values are no neighbours and may differ by anything
STUCK_US = 6 * HOUR_US
STUCK_COUNT = 24
LEVEL_COUNT = 3  # as many values that agree with one another are a new level, not a spike


class Flagger:
    """Judges the values of one datastream in the order they come; late values are judged by range alone."""

    __slots__ = ("_accepted", "_first_same", "_kind", "_last", "_odd", "_same")

    def __init__(self, kind: DatastreamKind | None, last: tuple[int, float] | None = None) -> None:
        self._kind = kind
        self._last = last
        self._accepted = last
        self._odd = 0
        self._same = 0
        self._first_same = last[0] if last else 0

    def judge(self, start_us: int, value: float | None) -> tuple[Quality, str]:
        """Return the flag of a value and, when it is suspect, why: "range", "step" or "stuck"."""
        kind = self._kind
        if kind is None or value is None:
            return Quality.UNCHECKED, ""
        if self._out_of_range(kind, value):
            return Quality.SUSPECT, "range"
        if self._last is not None and start_us < self._last[0]:
            return Quality.GOOD, ""
        stuck = self._stuck(kind, start_us, value)
        spike = self._spike(kind, start_us, value)
        self._last = (start_us, value)
        if spike:
            return Quality.SUSPECT, "step"
        self._accepted = self._last
        return (Quality.SUSPECT, "stuck") if stuck else (Quality.GOOD, "")

    @staticmethod
    def _out_of_range(kind: DatastreamKind, value: float) -> bool:
        below = kind.minimum is not None and value < kind.minimum
        above = kind.maximum is not None and value > kind.maximum
        return below or above

    def _stuck(self, kind: DatastreamKind, start_us: int, value: float) -> bool:
        """Only a quantity that has a step is continuous: counts and rain are rightly the same for hours."""
        if self._last is None or value != self._last[1]:
            self._same, self._first_same = 0, start_us
            return False
        self._same += 1
        long = self._same >= STUCK_COUNT and start_us - self._first_same >= STUCK_US
        return kind.max_step is not None and long

    def _spike(self, kind: DatastreamKind, start_us: int, value: float) -> bool:
        last, accepted, step = self._last, self._accepted, kind.max_step
        if step is None or accepted is None or last is None or start_us - accepted[0] > NEIGHBOUR_US:
            self._odd = 0
            return False
        if abs(value - accepted[1]) <= step:
            self._odd = 0
            return False
        self._odd = self._odd + 1 if abs(value - last[1]) <= step else 1
        return self._odd < LEVEL_COUNT
