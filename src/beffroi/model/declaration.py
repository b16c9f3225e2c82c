"""What a service declares besides its collections: datastreams, rules, indicators, cards, pages."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from beffroi.model.text import Text

__all__ = [
    "Card", "DatastreamKind", "Entrance", "Evaluation", "Indicator", "KindOfImport", "RuleTemplate", "UsefulOutput",
]  # fmt: skip


class DatastreamKind(msgspec.Struct, frozen=True):
    """A kind of datastream that a service knows: observed property, unit (UCUM code and symbol), plausible range.

    Intake uses it to name, unit and flag series that arrive with `code` (a decoded payload key, a CSV header).
    """

    code: str
    title: Text
    unit_symbol: str
    unit_ucum: str
    unit_name: str
    definition: str = ""  # URI of the observed property
    minimum: float | None = None  # outside: Quality.SUSPECT
    maximum: float | None = None
    max_step: float | None = None  # a jump larger than this between two neighbours is SUSPECT
    aliases: tuple[str, ...] = ()
    decimals: int = 1  # on screen


class RuleTemplate(msgspec.Struct, frozen=True):
    """A default rule of a service, as the readable YAML that the rules page would write."""

    name: str
    title: Text
    yaml: str

    @property
    def written(self) -> str:
        """The YAML with its name in English too, as a town keeps it."""
        first, line, rest = self.yaml.partition("\n")
        if not first.startswith("name: ") or "\nname_en:" in self.yaml:
            return self.yaml
        return f"{first}{line}name_en: {json.dumps(self.title.en, ensure_ascii=False)}{line}{rest}"


class Indicator(msgspec.Struct, frozen=True):
    """One figure that a service answers for, computed from the store.

    `compute(town, territory, start_us, end_us)` returns the value or None when unknown; `formula` says how in words.
    """

    name: str
    title: Text
    unit: str
    compute: Callable[[Any, str | None, int, int], float | None]
    formula: Text
    better: Literal["higher", "lower", "neither"] = "neither"
    decimals: int = 0
    read: str = "citizen"
    standing: bool = False  # says how things stand, whatever the span: what it was before is not known


class Card(msgspec.Struct, frozen=True):
    """One card of the situation page: a datastream kind or an indicator, with its period."""

    name: str
    title: Text
    source: str  # "indicator:NAME" or "datastream:KIND" (the freshest series of that kind)
    period: str = "P1D"
    read: str = "citizen"
    order: int = 100


class Entrance(msgspec.Struct, frozen=True):
    """A page of a service that its own page leads to, for those who have at least the role `read`.

    With `record`, the name of a collection, it is a page about one of its records, that the record's page leads to:
    `{id}` and `{key}` of the address are filled in.
    """

    title: Text
    href: str
    read: str = "citizen"
    record: str = ""


class KindOfImport(msgspec.Struct, frozen=True):
    """A kind of file that `beffroi import` reads.

    `read(path, options)` yields the rows of `standards.reading`; or, when `collections` names what it fills, the
    `Entry` and `Reject` of `store.record` for each in turn (`options["collection"]`), so that what the last one
    refers to comes first. The report counts the last one, or all when each has rows of its own (`apart`). With `options["counting"]` it is only asked how many rows there
    are: whatever is yielded for each is not looked at.

    Who brings a file by the page is offered the kinds that have its ending in `extensions`. `signs`: names of columns that
    together tell a file of this kind; it is then taken for one at once.
    """

    name: str
    title: Text
    read: Callable[[Any, Mapping[str, str]], Any]
    extensions: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    apart: bool = False


class UsefulOutput(msgspec.Struct, frozen=True):
    """What a service is for, counted: a report closed, an alarm raised. What it consumes is told for one of them.

    `count(town, territory, start_us, end_us)` returns how many there were, None when not known.
    """

    title: Text
    count: Callable[[Any, str | None, int, int], float | None]


class Evaluation(msgspec.Struct, frozen=True):
    """What a service brings to its own proof: proposed business cases (documents of `evaluation.case`, their titles
    as `{"fr": …, "en": …}`), and its useful outputs."""

    cases: tuple[Mapping[str, Any], ...] = ()
    outputs: tuple[UsefulOutput, ...] = ()
