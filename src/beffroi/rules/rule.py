"""Rule: what is watched, when it is an alarm, how severe, what is then done."""

from typing import Literal

import msgspec

from beffroi.rules.condition import Latch, Matches, Node, leaves
from beffroi.rules.machine import Machine

__all__ = ["Action", "Moment", "Rule", "Watch"]

Moment = Literal["raise", "acknowledge", "clear"]


class Watch(msgspec.Struct, frozen=True):
    """Which series a rule watches.

    `datastreams`, or any series that has all of `kind`, `thing`, `service`, `territory` that are given: each
    series is judged apart, the alarm is the thing's. Or `series`: a few named ones judged together. Or a
    `collection`, each record judged apart.
    """

    datastreams: tuple[int, ...] = ()
    kind: str = ""
    thing: int | None = None
    service: str = ""
    territory: str = ""
    series: tuple[tuple[str, int], ...] = ()
    collection: str = ""

    @property
    def wide(self) -> bool:
        """True when series that do not exist yet may come under this rule."""
        return not (self.datastreams or self.series or self.collection)


class Action(msgspec.Struct, frozen=True):
    """One thing to do: `kind` is email, webhook, mqtt, record or command; `options` are its words in the YAML."""

    kind: str
    moments: tuple[Moment, ...]
    options: dict[str, str | tuple[str, ...] | dict[str, str]]


class Rule(msgspec.Struct, frozen=True):
    """A rule as read from its YAML (`text`, kept as its author wrote it)."""

    name: str
    watch: Watch
    when: Node
    severity: str
    text: str
    clear: Node | None = None
    message: str = ""
    actions: tuple[Action, ...] = ()
    name_en: str = ""  # the same in English, "" when its author wrote none
    message_en: str = ""
    fingerprint: str = ""  # of what decides: a change of it starts the evaluation afresh

    def machine(self) -> Machine:
        """Return the evaluator of this rule."""
        return Machine(self.when if self.clear is None else Latch(self.when, self.clear))

    @property
    def about_records(self) -> bool:
        """True when the rule watches the records of a collection."""
        return any(isinstance(leaf, Matches) for leaf in leaves(self.when))
