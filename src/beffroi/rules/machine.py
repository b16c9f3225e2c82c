"""The evaluator of one rule: a pure state machine over the observations of its series, or of one record.

`(state, event) -> transitions`, the state (`Part`) being plain data that JSON keeps. There is no clock in
here: time comes with each event, or by `advance`.

Stated behaviour:
- A value holds until the next one. Between two observations, durations and silences ripen at their exact
  instant: an observation first lets everything due before it happen, then speaks. What arrives at the very
  instant of a deadline is heard before the deadline.
- Observations of one series are judged in the order of (time, id). One that comes after a later one of its
  series was judged is late: stored and shown, not judged, counted in `late`. One with the time and id of the
  newest judged is its correction and is judged again.
- Several series: each has its own order; the part's time is the latest of them and never goes back.
"""

from typing import Any

import msgspec

from beffroi.rules.condition import NEVER, Change, Held, Matches, Node, Silent, Threshold, Total, leaves

__all__ = ["Machine", "Part", "Transition"]


class Part(msgspec.Struct, array_like=True):
    """State of a rule for one series (or one set of named series, or one record)."""

    node: list[Any]
    time_us: int  # the latest instant settled
    level: int = 0
    due_us: int = NEVER
    newest: dict[str, tuple[int, int]] = {}  # series -> (time, id) of the newest judged
    value: float | None = None  # newest value of the leading series
    peak: float | None = None  # its extreme since the condition began
    began_us: int | None = None  # when the condition began to hold, duration not yet counted
    late: int = 0
    seq: int = 0  # commit sequence of the newest observation or change taken in
    lag_us: int = 0  # how far behind the clock this series runs (history being replayed)


class Transition(msgspec.Struct, frozen=True):
    """The level changed at `at_us`. `began_us`: when the condition began to hold."""

    at_us: int
    before: int
    after: int
    value: float | None
    peak: float | None
    began_us: int | None


class Machine:
    """A condition, ready to run."""

    __slots__ = ("_falling", "_leading", "_silent", "root")

    def __init__(self, root: Node) -> None:
        self.root = root
        first = leaves(root)[0]
        self._leading = (
            getattr(first, "series", "") if isinstance(first, Threshold | Change | Total | Silent) else None
        )
        self._falling = isinstance(first, Threshold | Change) and not first.rising
        self._silent = isinstance(first, Silent | Matches)

    def fresh(self, at_us: int) -> Part:
        """Return the state before anything was observed; silences count from `at_us`."""
        node = self.root.fresh(at_us)
        part = Part(node, at_us)
        part.due_us = self.root.due(node, at_us)
        return part

    def observe(self, part: Part, series: str, at_us: int, number: int, value: Any) -> list[Transition]:
        """Take in observation `number` of `series` at `at_us`: a float, a record's change, or None for what
        is no usable number. Returns the transitions it made, those that ripened before it first."""
        newest = part.newest.get(series)
        if newest is not None and (at_us, number) < newest:
            part.late += 1
            return []
        if not part.newest and at_us < part.time_us:
            # the first thing heard is older than the state: history is being replayed, start there
            part.node, part.time_us = self.root.fresh(at_us), at_us
            part.due_us = self.root.due(part.node, at_us)
        part.newest[series] = (at_us, number)
        made = self.advance(part, at_us - 1) if part.due_us < at_us else []
        at_us = max(at_us, part.time_us)
        root = self.root
        root.observe(part.node, series, at_us, value)
        self._measure(part, series, value)
        self._settle(part, at_us, made)
        return made

    def advance(self, part: Part, to_us: int) -> list[Transition]:
        """Let everything happen that is due until `to_us`, each at its own instant."""
        made: list[Transition] = []
        while part.due_us <= to_us:
            self._settle(part, part.due_us, made)
        return made

    def _measure(self, part: Part, series: str, value: Any) -> None:
        """Keep the leading series' newest value and, while its condition holds, its extreme."""
        if not isinstance(value, float) or (self._leading is not None and series != self._leading):
            return
        part.value = value
        if part.peak is None or (value < part.peak if self._falling else value > part.peak):
            part.peak = value

    def _settle(self, part: Part, at_us: int, made: list[Transition]) -> None:
        root, before = self.root, part.level
        level = root.settle(part.node, at_us)
        part.time_us = at_us
        part.due_us = root.due(part.node, at_us)
        warm = level > 0 or (isinstance(root, Held) and part.node[1][0] is not None)
        if part.began_us is None:
            part.peak = part.value
            if warm:
                part.began_us = at_us
        if level != before:
            part.level = level
            made.append(Transition(at_us, before, level, part.value, part.peak, part.began_us))
        if not warm:
            part.began_us = None
