"""Conditions as trees of small state machines.

A node's state is a plain list that JSON keeps. Three moves, all pure (no clock, no store):
`observe` takes in one value of one series; `settle` returns the node's level at an instant that never goes
back; `due` says at which later instant the level may change although nothing arrives. A level is 0 (nothing)
or the rank of a severity: 1 jaune, 2 orange, 3 rouge.
"""

import math
from typing import Any, Protocol

import msgspec

from beffroi.rules.civil_hours import CivilHours
from beffroi.rules.expression import Expression

__all__ = [
    "NEVER", "RANKS", "SEVERITIES", "All", "Any_", "Change", "During", "Held", "Latch", "Level", "Matches", "Node", "Not",
    "Silent", "Threshold", "Total", "When", "leaves", "ranks_of",
]  # fmt: skip

NEVER = 2**62
SEVERITIES = ("vert", "jaune", "orange", "rouge")
RANKS = {name: rank for rank, name in enumerate(SEVERITIES)}
TOP = 3


class Level(msgspec.Struct, frozen=True):
    """A limit and the rank it raises; `release` is where it lets go (limit moved back by the hysteresis)."""

    rank: int
    limit: float
    release: float


class Node(Protocol):
    """One node of a condition."""

    def fresh(self, at_us: int) -> list[Any]:
        """Return the state before anything was observed."""

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:
        """Take in a value (None: something arrived that is no usable number)."""

    def settle(self, state: list[Any], at_us: int) -> int:
        """Return the level at `at_us`."""

    def due(self, state: list[Any], at_us: int) -> int:
        """Return the next instant after `at_us` at which the level may change by itself, or `NEVER`."""


def _schmitt(levels: tuple[Level, ...], rising: bool, rank: int, value: float) -> int:
    """Return the rank after `value`: a level is taken beyond its limit and kept until beyond its release."""
    after = 0
    for level in levels:
        if rising:
            holds = value > level.limit or (rank >= level.rank and value >= level.release)
        else:
            holds = value < level.limit or (rank >= level.rank and value <= level.release)
        if holds and level.rank > after:
            after = level.rank
    return after


class Threshold(msgspec.Struct, frozen=True):
    """The value is above (or below) a limit, with hysteresis; `times` of the last `of` values when given.

    State: [rank of the newest value, level, ranks of the last values].
    """

    series: str
    rising: bool
    levels: tuple[Level, ...]
    times: int = 1
    of: int = 1

    def fresh(self, at_us: int) -> list[Any]:  # noqa: ARG002
        """Return the state before any value."""
        return [0, 0, []]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:  # noqa: ARG002
        """Compare a number with the limits."""
        if series != self.series or not isinstance(value, float):
            return
        state[0] = rank = _schmitt(self.levels, self.rising, state[0], value)
        if self.of == 1:
            state[1] = rank
            return
        recent = state[2]
        recent.append(rank)
        if len(recent) > self.of:
            del recent[0]
        ordered = sorted(recent, reverse=True)
        state[1] = ordered[self.times - 1] if len(ordered) >= self.times else 0

    def settle(self, state: list[Any], at_us: int) -> int:  # noqa: ARG002
        """Return the level of the last values."""
        return int(state[1])

    def due(self, state: list[Any], at_us: int) -> int:  # noqa: ARG002
        """Nothing happens by itself."""
        return NEVER


class Change(msgspec.Struct, frozen=True):
    """The value rose (or fell) by more than a limit within a duration, measured from its lowest (highest)
    value in the window that ends at each new value. Hysteresis is on the change.

    State: [level, [[time, value] that may still be the extreme of a window]].
    """

    series: str
    rising: bool
    levels: tuple[Level, ...]
    within_us: int

    def fresh(self, at_us: int) -> list[Any]:  # noqa: ARG002
        """Return the state before any value."""
        return [0, []]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:
        """Measure the change from the extreme of the window to `value`."""
        if series != self.series or not isinstance(value, float):
            return
        signed = value if self.rising else -value
        window = state[1]
        while window and window[0][0] < at_us - self.within_us:
            del window[0]
        while window and window[-1][1] >= signed:
            window.pop()
        window.append([at_us, signed])
        state[0] = _schmitt(self.levels, True, state[0], signed - window[0][1])

    def settle(self, state: list[Any], at_us: int) -> int:  # noqa: ARG002
        """Return the level of the last change."""
        return int(state[0])

    def due(self, state: list[Any], at_us: int) -> int:  # noqa: ARG002
        """Nothing happens by itself."""
        return NEVER


class Total(msgspec.Struct, frozen=True):
    """The values of a duration add up to more than a limit (rain of three hours). A value counts from its time until the
    duration after it; one at the time of the newest replaces it (it is its correction). Hysteresis is on the sum.

    `mean`: not what they add up to but their mean (particles of a day, heat of three), as soon as they span three quarters
    of the duration (Directive 2024/2881, annex V); before, nothing is said.

    State: [level, [[time, value] that still counts]].
    """

    series: str
    levels: tuple[Level, ...]
    within_us: int
    mean: bool = False

    def fresh(self, at_us: int) -> list[Any]:  # noqa: ARG002
        """Return the state before any value."""
        return [0, []]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:
        """Count a number in."""
        if series == self.series and isinstance(value, float):
            if state[1] and state[1][-1][0] == at_us:
                state[1].pop()
            state[1].append([at_us, value])

    def settle(self, state: list[Any], at_us: int) -> int:
        """Let go of what is too old and return the level of the sum."""
        window = state[1]
        gone = 0
        while gone < len(window) and window[gone][0] <= at_us - self.within_us:
            gone += 1
        del window[:gone]
        total = math.fsum(value for _, value in window)
        if not self.mean:
            state[0] = _schmitt(self.levels, True, state[0], total)
        elif window and 4 * (window[-1][0] - window[0][0]) >= 3 * self.within_us:
            state[0] = _schmitt(self.levels, True, state[0], total / len(window))
        else:
            state[0] = 0
        return int(state[0])

    def due(self, state: list[Any], at_us: int) -> int:  # noqa: ARG002
        """Return when the oldest value no longer counts, which may end the level (and raise a mean)."""
        return state[1][0][0] + self.within_us if (state[0] or self.mean) and state[1] else NEVER


class Silent(msgspec.Struct, frozen=True):
    """Nothing arrived for a duration (µs, one for each rank). State: [time of the newest observation]."""

    series: str
    after: tuple[tuple[int, int], ...]  # (rank, duration), durations growing

    def fresh(self, at_us: int) -> list[Any]:
        """Silence counts from `at_us`."""
        return [at_us]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:  # noqa: ARG002
        """Whatever arrives breaks the silence."""
        if series == self.series and at_us > state[0]:
            state[0] = at_us

    def settle(self, state: list[Any], at_us: int) -> int:
        """Return the rank of the longest silence reached."""
        quiet = at_us - state[0]
        return max((rank for rank, duration in self.after if quiet >= duration), default=0)

    def due(self, state: list[Any], at_us: int) -> int:
        """Return when the next silence will have lasted."""
        return min(
            (state[0] + duration for _, duration in self.after if state[0] + duration > at_us), default=NEVER
        )


class When(msgspec.Struct, frozen=True):
    """An expression over the newest values of named series is true. State: [level, {series: value}]."""

    expression: Expression
    rank: int

    def fresh(self, at_us: int) -> list[Any]:  # noqa: ARG002
        """Nothing is known yet."""
        return [0, {}]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:  # noqa: ARG002
        """Compute again once every series that the expression names has a value."""
        if series not in self.expression.names or value is None:
            return
        state[1][series] = value
        known = len(state[1]) == len(self.expression.names)
        state[0] = self.rank if known and self.expression(state[1]) else 0

    def settle(self, state: list[Any], at_us: int) -> int:  # noqa: ARG002
        """Return the rank when the expression is true."""
        return int(state[0])

    def due(self, state: list[Any], at_us: int) -> int:  # noqa: ARG002
        """Nothing happens by itself."""
        return NEVER


class Matches(msgspec.Struct, frozen=True):
    """A record was created or updated and its fields satisfy an expression. State: [level].

    A value is `[action, {field: value}]`; a deleted record matches nothing.
    """

    where: Expression | None
    events: frozenset[str]
    rank: int

    def fresh(self, at_us: int) -> list[Any]:  # noqa: ARG002
        """No change yet."""
        return [0]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:  # noqa: ARG002
        """Judge the record as it is after the change."""
        if series != "record" or value is None:
            return
        action, fields = value
        holds = action != "delete" and fields is not None and (self.where is None or bool(self.where(fields)))
        if not holds:
            state[0] = 0
        elif action in self.events:
            state[0] = self.rank

    def settle(self, state: list[Any], at_us: int) -> int:  # noqa: ARG002
        """Return the rank while the record matches."""
        return int(state[0])

    def due(self, state: list[Any], at_us: int) -> int:  # noqa: ARG002
        """Nothing happens by itself."""
        return NEVER


class All(msgspec.Struct, frozen=True):
    """Every part holds: the least of their levels. State: the parts' states."""

    parts: tuple[Node, ...]

    def fresh(self, at_us: int) -> list[Any]:
        """Return the parts' fresh states."""
        return [part.fresh(at_us) for part in self.parts]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:
        """Pass the value to every part."""
        for part, inner in zip(self.parts, state, strict=True):
            part.observe(inner, series, at_us, value)

    def settle(self, state: list[Any], at_us: int) -> int:
        """Return the least level (every part is settled)."""
        return min([part.settle(inner, at_us) for part, inner in zip(self.parts, state, strict=True)])

    def due(self, state: list[Any], at_us: int) -> int:
        """Return the earliest of the parts."""
        return min([part.due(inner, at_us) for part, inner in zip(self.parts, state, strict=True)])


class Any_(All, frozen=True):  # noqa: N801
    """One part at least holds: the highest of their levels."""

    def settle(self, state: list[Any], at_us: int) -> int:
        """Return the highest level (every part is settled)."""
        return max([part.settle(inner, at_us) for part, inner in zip(self.parts, state, strict=True)])


class Not(msgspec.Struct, frozen=True):
    """The part does not hold. State: [part's state]."""

    part: Node
    rank: int

    def fresh(self, at_us: int) -> list[Any]:
        """Return the part's fresh state."""
        return [self.part.fresh(at_us)]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:
        """Pass the value on."""
        self.part.observe(state[0], series, at_us, value)

    def settle(self, state: list[Any], at_us: int) -> int:
        """Return the rank when the part's level is 0."""
        return 0 if self.part.settle(state[0], at_us) else self.rank

    def due(self, state: list[Any], at_us: int) -> int:
        """Return the part's."""
        return self.part.due(state[0], at_us)


class During(msgspec.Struct, frozen=True):
    """The part holds within hours of the week. State: [inside, next edge, part's state]."""

    part: Node
    hours: CivilHours

    def fresh(self, at_us: int) -> list[Any]:
        """Place `at_us` in the week."""
        return [self.hours.contains(at_us), self.hours.next_edge(at_us), self.part.fresh(at_us)]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:
        """Pass the value on: the part follows its series day and night."""
        self.part.observe(state[2], series, at_us, value)

    def settle(self, state: list[Any], at_us: int) -> int:
        """Return the part's level inside the hours, 0 outside."""
        if at_us >= state[1]:
            state[0], state[1] = self.hours.contains(at_us), self.hours.next_edge(at_us)
        level = self.part.settle(state[2], at_us)
        return level if state[0] else 0

    def due(self, state: list[Any], at_us: int) -> int:
        """Return the next edge of the hours or the part's own."""
        return min(int(state[1]), self.part.due(state[2], at_us))


class Held(msgspec.Struct, frozen=True):
    """The part's level counts once it has held for `raise_us`, and is let go once it has been lost for `clear_us`.

    State: [level, [since when each rank holds], [since when each rank is lost], part's state].
    """

    part: Node
    raise_us: int = 0
    clear_us: int = 0

    def fresh(self, at_us: int) -> list[Any]:
        """Nothing holds yet."""
        return [0, [None] * TOP, [None] * TOP, self.part.fresh(at_us)]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:
        """Pass the value on."""
        self.part.observe(state[3], series, at_us, value)

    def settle(self, state: list[Any], at_us: int) -> int:
        """Move each rank's two timers and return the highest rank that counts."""
        raw = self.part.settle(state[3], at_us)
        held, lost = state[1], state[2]
        before, level = state[0], 0
        for index in range(TOP):
            rank = index + 1
            if raw >= rank:
                lost[index] = None
                if held[index] is None:
                    held[index] = at_us
            else:
                held[index] = None
                if lost[index] is None:
                    lost[index] = at_us
            if before >= rank:
                counts = raw >= rank or at_us - lost[index] < self.clear_us
            else:
                counts = raw >= rank and at_us - held[index] >= self.raise_us
            if counts:
                level = rank
        state[0] = level
        return level

    def due(self, state: list[Any], at_us: int) -> int:
        """Return when the next rank will have held, or been lost, long enough."""
        first = self.part.due(state[3], at_us)
        for index in range(TOP):
            rank = index + 1
            if rank > state[0] and state[1][index] is not None:
                first = min(first, state[1][index] + self.raise_us)
            elif rank <= state[0] and state[2][index] is not None:
                first = min(first, state[2][index] + self.clear_us)
        return first


class Latch(msgspec.Struct, frozen=True):
    """Raised by one part, let go only when the other holds (and the first no longer does).

    State: [level, raising part's state, clearing part's state].
    """

    part: Node
    clear: Node

    def fresh(self, at_us: int) -> list[Any]:
        """Return both parts' fresh states."""
        return [0, self.part.fresh(at_us), self.clear.fresh(at_us)]

    def observe(self, state: list[Any], series: str, at_us: int, value: Any) -> None:
        """Pass the value to both."""
        self.part.observe(state[1], series, at_us, value)
        self.clear.observe(state[2], series, at_us, value)

    def settle(self, state: list[Any], at_us: int) -> int:
        """Return the level kept until cleared."""
        raised = self.part.settle(state[1], at_us)
        cleared = self.clear.settle(state[2], at_us)
        level = raised if cleared else max(raised, int(state[0]))
        state[0] = level
        return level

    def due(self, state: list[Any], at_us: int) -> int:
        """Return the earlier of both."""
        return min(self.part.due(state[1], at_us), self.clear.due(state[2], at_us))


Leaf = Threshold | Change | Total | Silent | When | Matches


def leaves(node: Any) -> list[Leaf]:
    """Return the leaves of a condition, in reading order (a latch's clearing part is not one of them)."""
    if isinstance(node, All):
        return [leaf for part in node.parts for leaf in leaves(part)]
    if isinstance(node, Not | During | Held | Latch):
        return leaves(node.part)
    return [node]


def ranks_of(node: Any) -> list[int]:
    """Return the ranks that a condition can raise, lowest first."""
    found: set[int] = set()
    for leaf in leaves(node):
        if isinstance(leaf, Threshold | Change | Total):
            found.update(level.rank for level in leaf.levels)
        elif isinstance(leaf, Silent):
            found.update(rank for rank, _ in leaf.after)
        else:
            found.add(leaf.rank)
    return sorted(found)
