"""A rule said in words, in French and in English: what the pages show and what an alarm tells."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from beffroi.model.text import Text
from beffroi.rules.civil_hours import DAYS, CivilHours
from beffroi.rules.condition import (
    SEVERITIES,
    All,
    Any_,
    Change,
    During,
    Held,
    Latch,
    Level,
    Matches,
    Not,
    Silent,
    Threshold,
    Total,
    When,
    ranks_of,
)  # fmt: skip
from beffroi.rules.expression_words import expression_words, listed
from beffroi.rules.rule import Rule

__all__ = ["SEVERITY_WORDS", "Naming", "condition", "duration_words", "fill", "number_words", "sentence"]

SEVERITY_WORDS = {
    "vert": Text("verte", "green"), "jaune": Text("jaune", "yellow"), "orange": Text("orange", "orange"),
    "rouge": Text("rouge", "red"),
}  # fmt: skip
_DAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_STEPS = ((DAY_US, "j", "d"), (HOUR_US, "h", "h"), (MINUTE_US, "min", "min"), (SECOND_US, "s", "s"))
_NARROW = "\u202f"
_PLACE = re.compile(r"\{(\w+)\}")

Naming = Callable[[str], tuple[Text, str]]
"""Given a series' name in the rule, returns what people call it and its unit.

"record" is the collection, "record.FIELD" one of its fields, "record.FIELD=VALUE" one choice of it.
"""


def fill(template: str, values: Mapping[str, object]) -> str:
    """Return `template` with its `{names}` filled from `values`; unknown ones stay as written."""
    return _PLACE.sub(lambda m: str(values[m[1]]) if values.get(m[1]) is not None else m[0], template)


def number_words(value: float | None, language: str = "fr") -> str:
    """Return a number as people read it: up to 6 digits after the mark, thousands apart."""
    if value is None:
        return "—"
    text = f"{value:,.6f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:.6g}"
    if text in ("-0", ""):
        text = "0"
    return text if language == "en" else text.replace(",", _NARROW).replace(".", ",")


def duration_words(length_us: int) -> Text:
    """Return a duration in its two largest units: "1 h 30 min"."""
    parts, rest = [], length_us
    for size, fr, en in _STEPS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(Text(f"{count} {fr}", f"{count} {en}"))
        if len(parts) == 2:
            break
    return Text(" ".join(p.fr for p in parts) or "0 s", " ".join(p.en for p in parts) or "0 s")


def sentence(rule: Rule, naming: Naming) -> Text:
    """Return the whole rule as one sentence."""
    said = _say(rule.when, naming)
    ranks = ranks_of(rule.when)
    fr = listed([SEVERITY_WORDS[SEVERITIES[r]].fr for r in ranks], "ou")
    en = listed([SEVERITY_WORDS[SEVERITIES[r]].en for r in ranks], "or")
    text = Text(f"Alerte {fr} quand {said.fr}", f"{en.capitalize()} alert when {said.en}")
    if rule.clear is not None:
        over = _say(rule.clear, naming)
        text = Text(f"{text.fr} ; elle finit quand {over.fr}", f"{text.en}; it ends when {over.en}")
    return Text(text.fr + ".", text.en + ".")


def condition(rule: Rule, naming: Naming, rank: int | None = None) -> Text:
    """Return the condition alone, with a capital; `rank` names only the limit of that level, not its end."""
    said = _say(rule.when if rank is None else _at_rank(rule.when, rank), naming)
    return Text(said.fr[:1].upper() + said.fr[1:], said.en[:1].upper() + said.en[1:])


def _at_rank(node: Any, rank: int) -> Any:
    """Return the node with the limit of one level only, where it has one."""
    replace = msgspec.structs.replace
    if isinstance(node, Threshold | Change | Total):
        kept = [level for level in node.levels if level.rank == rank] or node.levels
        return replace(node, levels=tuple(replace(level, release=level.limit) for level in kept))
    if isinstance(node, Silent):
        return replace(node, after=tuple(pair for pair in node.after if pair[0] == rank) or node.after)
    if isinstance(node, All):
        return replace(node, parts=tuple(_at_rank(part, rank) for part in node.parts))
    if isinstance(node, Not | During | Held):
        return replace(node, part=_at_rank(node.part, rank))
    return node


def _limits(levels: tuple[Level, ...], unit: str) -> Text:
    unit = f" {unit}" if unit else ""
    fr = [number_words(level.limit, "fr") for level in levels]
    en = [number_words(level.limit, "en") for level in levels]
    return Text(listed(fr, "ou") + unit, listed(en, "or") + unit)


def _back(levels: tuple[Level, ...], unit: str, *, rising: bool) -> Text:
    """Say where a level lets go, when hysteresis moves that."""
    first, unit = levels[0], f" {unit}" if unit else ""
    if first.release == first.limit:
        return Text("", "")
    if len(levels) == 1:
        fr, en = number_words(first.release, "fr"), number_words(first.release, "en")
        if rising:
            return Text(f" (fin sous {fr}{unit})", f" (over below {en}{unit})")
        return Text(f" (fin au-dessus de {fr}{unit})", f" (over above {en}{unit})")
    back = abs(first.limit - first.release)
    way = Text("plus bas", "lower") if rising else Text("plus haut", "higher")
    return Text(f" (fin de chaque palier {number_words(back, 'fr')}{unit} {way.fr})",
                f" (each level is over {number_words(back, 'en')}{unit} {way.en})")  # fmt: skip


def _threshold(node: Threshold, naming: Naming) -> Text:
    name, unit = naming(node.series)
    limits, back = _limits(node.levels, unit), _back(node.levels, unit, rising=node.rising)
    verb = Text("dépasse", "exceeds") if node.rising else Text("passe sous", "falls below")
    times = Text("", "")
    if node.of > 1:
        times = (
            Text(f" {node.times} fois de suite", f" {node.times} times in a row")
            if node.times == node.of
            else Text(f" {node.times} fois sur {node.of}", f" {node.times} times out of {node.of}")
        )
    return Text(
        f"{name.fr} {verb.fr} {limits.fr}{times.fr}{back.fr}",
        f"{name.en} {verb.en} {limits.en}{times.en}{back.en}",
    )


def _change(node: Change, naming: Naming) -> Text:
    name, unit = naming(node.series)
    limits, within = _limits(node.levels, unit), duration_words(node.within_us)
    verb = (
        Text("monte de plus de", "rises by more than")
        if node.rising
        else Text("baisse de plus de", "falls by more than")
    )
    return Text(
        f"{name.fr} {verb.fr} {limits.fr} en {within.fr}",
        f"{name.en} {verb.en} {limits.en} within {within.en}",
    )


def _total(node: Total, naming: Naming) -> Text:
    name, unit = naming(node.series)
    limits, within = _limits(node.levels, unit), duration_words(node.within_us)
    if node.mean:
        return Text(
            f"la moyenne de {name.fr} dépasse {limits.fr} sur {within.fr}",
            f"the mean of {name.en} exceeds {limits.en} over {within.en}",
        )
    return Text(
        f"le cumul de {name.fr} dépasse {limits.fr} en {within.fr}",
        f"the total of {name.en} exceeds {limits.en} within {within.en}",
    )


def _silent(node: Silent, naming: Naming) -> Text:
    name, _ = naming(node.series)
    lengths = [duration_words(duration) for _, duration in node.after]
    return Text(f"{name.fr} ne donne plus rien depuis {listed([d.fr for d in lengths], 'ou')}",
                f"{name.en} has been silent for {listed([d.en for d in lengths], 'or')}")  # fmt: skip


def _when(node: When, naming: Naming) -> Text:
    def words(name: str, value: object) -> Text:
        return naming(name)[0] if value is None else Text(str(value), str(value))

    return expression_words(node.expression.text, words, number_words)


def _matches(node: Matches, naming: Naming) -> Text:
    name, _ = naming("record")
    verb = Text("est créé ou modifié", "is created or updated")
    if len(node.events & {"create", "update"}) == 1:
        verb = (
            Text("est créé", "is created") if "create" in node.events else Text("est modifié", "is updated")
        )

    def words(field: str, value: object) -> Text:
        return naming(f"record.{field}" if value is None else f"record.{field}={value}")[0]

    fr = en = ""
    if node.where is not None:
        where = expression_words(node.where.text, words, number_words)
        fr, en = f" et que {where.fr}", f" and {where.en}"
    return Text(f"un enregistrement de « {name.fr} » {verb.fr}{fr}", f"a record of '{name.en}' {verb.en}{en}")


def _group(node: All, naming: Naming) -> Text:
    link = Text(" ou ", " or ") if isinstance(node, Any_) else Text(" et ", " and ")
    said = [_say(part, naming) for part in node.parts]
    return Text(link.fr.join(s.fr for s in said), link.en.join(s.en for s in said))


def _not(node: Not, naming: Naming) -> Text:
    said = _say(node.part, naming)
    return Text(f"il n'est pas vrai que {said.fr}", f"it is not true that {said.en}")


def _hours(hours: CivilHours) -> Text:
    whole = (hours.start, hours.end) == (0, 1440)
    days = _days(sorted(hours.days)) if len(hours.days) < 7 else Text("", "")
    fr = "" if whole else f" de {_clock(hours.start)} à {_clock(hours.end)}"
    en = "" if whole else f" from {_clock(hours.start)} to {_clock(hours.end)}"
    return Text(f",{days.fr}{fr}", f",{days.en}{en}")


def _days(days: list[int]) -> Text:
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        first, last = days[0], days[-1]
        return Text(f" du {DAYS[first]} au {DAYS[last]}", f" {_DAYS_EN[first]} to {_DAYS_EN[last]}")
    fr, en = listed([f"le {DAYS[d]}" for d in days], "et"), listed([_DAYS_EN[d] for d in days], "and")
    return Text(f" {fr}", f" on {en}")


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _during(node: During, naming: Naming) -> Text:
    said, hours = _say(node.part, naming), _hours(node.hours)
    return Text(said.fr + hours.fr, said.en + hours.en)


def _held(node: Held, naming: Naming) -> Text:
    said = _say(node.part, naming)
    if node.raise_us:
        length = duration_words(node.raise_us)
        said = Text(f"{said.fr} pendant {length.fr}", f"{said.en} for {length.en}")
    if node.clear_us:
        length = duration_words(node.clear_us)
        said = Text(
            f"{said.fr} (fin après {length.fr} de calme)", f"{said.en} (over after {length.en} of calm)"
        )
    return said


def _latch(node: Latch, naming: Naming) -> Text:
    return _say(node.part, naming)


_SAYERS: dict[type, Callable[[Any, Naming], Text]] = {
    Threshold: _threshold, Change: _change, Total: _total, Silent: _silent, When: _when, Matches: _matches, All: _group, Any_: _group,
    Not: _not, During: _during, Held: _held, Latch: _latch,
}  # fmt: skip


def _say(node: Any, naming: Naming) -> Text:
    return _SAYERS[type(node)](node, naming)
