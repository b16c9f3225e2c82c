"""From the readable YAML of a rule to a checked `Rule`. Every refusal names line, field and mend.

name: Crue de l'Ardèche à Meyras
watch: {datastream: 12}          # or kind, thing, service, territory, series, collection
when: {above: {jaune: 100, orange: 200, rouge: 300}, hysteresis: 10, for: 10 min}
during: {days: lundi-vendredi, hours: 22:00-06:00}
message: "{thing} : {value} {unit}"
message_en: "{thing}: {value} {unit}"   # and name_en: for those who read English
actions:
  - {email: astreinte@ville.fr, on: [raise, clear]}
"""

import difflib
import hashlib
import json
import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US, parse_duration
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.rules.civil_hours import DAYS, CivilHours
from beffroi.rules.condition import (
    RANKS,
    All,
    Any_,
    Change,
    During,
    Held,
    Level,
    Matches,
    Node,
    Not,
    Silent,
    Threshold,
    Total,
    When,
)  # fmt: skip
from beffroi.rules.expression import Expression
from beffroi.rules.rule import Action, Rule, Watch
from beffroi.standards.yaml_text import read_yaml, write_yaml

__all__ = ["read_rule", "rule_of"]

_SEVERITY_WORDS = {"jaune": "jaune", "orange": "orange", "rouge": "rouge", "yellow": "jaune", "red": "rouge"}
_DAY_WORDS = {
    **{name: i for i, name in enumerate(DAYS)}, **{name[:3]: i for i, name in enumerate(DAYS)},
    **{name: i for i, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))},
    **{name: i for i, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))},
}  # fmt: skip
_SETS = {"semaine": (0, 1, 2, 3, 4), "weekdays": (0, 1, 2, 3, 4), "week-end": (5, 6), "weekend": (5, 6),
         "tous": tuple(range(7)), "all": tuple(range(7))}  # fmt: skip
_UNITS = {"s": SECOND_US, "min": MINUTE_US, "h": HOUR_US, "j": DAY_US, "d": DAY_US}
_PLAIN_DURATION = re.compile(r"(\d+(?:[.,]\d+)?)\s*(s|min|h|j|d)\Z")
_HOURS = re.compile(r"(\d{1,2})(?::|h)(\d\d)?\s*-\s*(\d{1,2})(?::|h)(\d\d)?\Z")
_LEAVES = (
    "above",
    "below",
    "rises",
    "falls",
    "totals",
    "means",
    "silent",
    "expression",
    "where",
    "all",
    "any",
    "not",
)
_WORDS = (
    "name",
    "name_en",
    "watch",
    "when",
    "during",
    "severity",
    "clear",
    "message",
    "message_en",
    "actions",
    "description",
)
_EVENTS = {"created": ("create", "restore"), "updated": ("update",)}
_MOMENTS = ("raise", "acknowledge", "clear")
_ACTIONS = {
    "email": ("subject", "text"), "webhook": (), "mqtt": ("payload", "retain"), "record": ("values",),
    "command": ("parameters",),
}  # fmt: skip


class _Place(msgspec.Struct, frozen=True):
    """A value of the YAML with its pointer, and the lines of all pointers."""

    value: Any
    pointer: str
    lines: dict[str, int]

    def refuse(self, fr: str, en: str, mend_fr: str = "", mend_en: str = "") -> Problem:
        """Return the problem at this place, `line 3, when/above`."""
        line = self.lines.get(self.pointer)
        where = (f"line {line}" if line else "") + (f", {self.pointer[1:]}" if self.pointer else "")
        return Problem(Text(fr, en), Text(mend_fr, mend_en), where.lstrip(", "))

    def at(self, key: str | int) -> "_Place":
        """Return the place inside a mapping or list; its value is None when absent."""
        value = self.value.get(key) if isinstance(self.value, dict) else self.value[key]
        return _Place(value, f"{self.pointer}/{key}", self.lines)

    def has(self, key: str) -> bool:
        """True when the mapping has `key`."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def mapping(self, known: Iterable[str]) -> "_Place":
        """Return self after checking that it is a mapping of known keys."""
        known = tuple(known)
        if not isinstance(self.value, dict):
            raise self.refuse("On attend ici des champs « clé: valeur ».", "Fields 'key: value' are expected here.",
                              f"Champs possibles : {', '.join(known)}.", f"Possible fields: {', '.join(known)}.")  # fmt: skip
        for key in self.value:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, 1)
                hint = close[0] if close else ", ".join(known)
                raise self.at(key).refuse(f"Le champ « {key} » n'existe pas ici.", f"There is no field '{key}' here.",
                                          f"Écrivez {hint}.", f"Write {hint}.")  # fmt: skip
        return self

    def text(self, longest: int = 2000) -> str:
        """Return a non-empty text."""
        if (
            not isinstance(self.value, str | int | float)
            or isinstance(self.value, bool)
            or not str(self.value).strip()
        ):
            raise self.refuse("Un texte est attendu ici.", "A text is expected here.")
        if len(str(self.value)) > longest:
            raise self.refuse(
                f"Ce texte dépasse {longest} caractères.", f"This text is longer than {longest} characters."
            )
        return str(self.value).strip()

    def number(self) -> float:
        """Return a finite number; a decimal comma is understood."""
        value = self.value
        if isinstance(value, str):
            try:
                value = float(value.replace(",", ".").replace(" ", "").replace("\u202f", ""))
            except ValueError:
                value = None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.refuse("Un nombre est attendu ici.", "A number is expected here.", "Écrivez par exemple 100 ou 2.5.",
                              "Write for example 100 or 2.5.")  # fmt: skip
        return float(value)

    def whole(self, least: int = 1) -> int:
        """Return an integer, at least `least`."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not least <= self.value < 2**53:
            raise self.refuse(f"Un nombre entier (au moins {least}) est attendu ici.",
                              f"A whole number (at least {least}) is expected here.")  # fmt: skip
        return self.value

    def duration(self) -> int:
        """Return a positive duration in µs: `PT10M`, or `10 min`, `1 h`, `2 j`."""
        text = str(self.value).strip()
        plain = _PLAIN_DURATION.match(text)
        try:
            length = (
                round(float(plain[1].replace(",", ".")) * _UNITS[plain[2]]) if plain else parse_duration(text)
            )
        except Problem as problem:
            raise self.refuse(problem.reason.fr, problem.reason.en, "Écrivez par exemple PT10M, 10 min, 1 h ou 2 j.",
                              "Write for example PT10M, 10 min, 1 h or 2 d.") from problem  # fmt: skip
        if not 0 < length <= 3660 * DAY_US:
            raise self.refuse("La durée doit être positive et de dix ans au plus.",
                              "The duration must be positive and of ten years at most.")  # fmt: skip
        return length

    def many(self) -> list["_Place"]:
        """Return the places of a list, or this place alone."""
        if isinstance(self.value, list):
            return [self.at(i) for i in range(len(self.value))]
        return [self]


def rule_of(value: dict[str, Any]) -> Rule:
    """Return the rule that plain data says (a form's), through the YAML it will be kept as. Raises `Problem`."""
    return read_rule(write_yaml(value))


@lru_cache(maxsize=512)
def read_rule(text: str) -> Rule:
    """Return the rule that `text` says. Raises `Problem` with line and field."""
    value, lines = read_yaml(text)
    top = _Place(value, "", lines).mapping(_WORDS)
    for needed in ("name", "watch", "when"):
        if not top.has(needed):
            raise top.refuse(f"Il manque le champ « {needed} ».", f"The field '{needed}' is missing.",
                             f"Ajoutez une ligne « {needed}: … ».", f"Add a line '{needed}: …'.")  # fmt: skip
    severity = _severity(top.at("severity")) if top.has("severity") else "orange"
    watch = _watch(top.at("watch"))
    reader = _Conditions(watch, RANKS[severity])
    when = reader.held(top.at("when"), top.at("during") if top.has("during") else None)
    clear = reader.held(top.at("clear"), None) if top.has("clear") else None
    actions = tuple(_action(place) for place in top.at("actions").many()) if top.has("actions") else ()
    decides = {key: value.get(key) for key in ("watch", "when", "during", "severity", "clear")}
    print_ = hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return Rule(
        top.at("name").text(200), watch, when, severity, text, clear,
        top.at("message").text() if top.has("message") else "", actions,
        top.at("name_en").text(200) if top.has("name_en") else "",
        top.at("message_en").text() if top.has("message_en") else "", print_,
    )  # fmt: skip


def _severity(place: _Place) -> str:
    word = _SEVERITY_WORDS.get(str(place.value).lower()) or ("orange" if place.value == "orange" else None)
    if word is None:
        raise place.refuse("La gravité est jaune, orange ou rouge.", "A severity is jaune, orange or rouge.")
    return word


def _watch(place: _Place) -> Watch:
    place.mapping(("datastream", "kind", "thing", "service", "territory", "series", "collection"))
    ways = [key for key in ("datastream", "series", "collection") if place.has(key)]
    filters = [key for key in ("kind", "thing", "service", "territory") if place.has(key)]
    if len(ways) > 1 or (ways and filters) or not (ways or filters):
        raise place.refuse(
            "On surveille soit datastream, soit series, soit collection, soit kind/thing/service/territory.",
            "Watch either datastream, or series, or collection, or kind/thing/service/territory.",
            "Écrivez par exemple « datastream: 12 ».", "Write for example 'datastream: 12'.")  # fmt: skip
    if place.has("datastream"):
        return Watch(datastreams=tuple(dict.fromkeys(p.whole() for p in place.at("datastream").many())))
    if place.has("series"):
        return Watch(series=_series(place.at("series")))
    if place.has("collection"):
        return Watch(collection=place.at("collection").text(100))
    kind, service, territory = (
        place.at(k).text(200) if place.has(k) else "" for k in ("kind", "service", "territory")
    )
    thing = place.at("thing").whole() if place.has("thing") else None
    return Watch(kind=kind, thing=thing, service=service, territory=territory)


def _series(place: _Place) -> tuple[tuple[str, int], ...]:
    if not isinstance(place.value, dict) or not place.value:
        raise place.refuse("On attend des séries nommées.", "Named series are expected.",
                           "Écrivez par exemple « series: {pluie: 12, niveau: 13} ».",
                           "Write for example 'series: {rain: 12, level: 13}'.")  # fmt: skip
    for name in place.value:
        if not str(name).isidentifier():
            raise place.at(name).refuse(f"« {name} » ne peut pas nommer une série.", f"'{name}' cannot name a series.",
                                        "Prenez un mot sans espace ni tiret.", "Use a word without space or hyphen.")  # fmt: skip
    named = tuple((str(name), place.at(name).whole()) for name in place.value)
    if len({number for _, number in named}) < len(named):
        raise place.refuse("La même série est nommée deux fois.", "The same series is named twice.",
                           "Un seul nom suffit.", "One name is enough.")  # fmt: skip
    return named


class _Conditions:
    """Reads conditions for one watch; `rank` is the rule's severity, for limits that name none."""

    def __init__(self, watch: Watch, rank: int) -> None:
        self.watch, self.rank = watch, rank
        self.names = tuple(name for name, _ in watch.series) or ("value",)

    def held(self, place: _Place, during: _Place | None) -> Node:
        """Read a condition with its hours and durations."""
        place.mapping(
            (
                *_LEAVES,
                "hysteresis",
                "times",
                "of",
                "within",
                "for",
                "clear_after",
                "during",
                "series",
                "event",
            )
        )
        kinds = [key for key in _LEAVES if place.has(key)]
        if self.watch.collection and not kinds:
            kinds = ["where"]
        if len(kinds) != 1:
            raise place.refuse("Une condition dit une chose et une seule.", "A condition says one thing and only one.",
                               f"Écrivez l'un de : {', '.join(_LEAVES)}.", f"Write one of: {', '.join(_LEAVES)}.")  # fmt: skip
        node = self.leaf(kinds[0], place)
        hours = place.at("during") if place.has("during") else during
        if hours is not None:
            node = During(node, _hours(hours))
        if place.has("for") or place.has("clear_after"):
            node = Held(
                node,
                place.at("for").duration() if place.has("for") else 0,
                place.at("clear_after").duration() if place.has("clear_after") else 0,
            )
        return node

    def leaf(self, kind: str, place: _Place) -> Node:
        """Read the condition proper."""
        if (kind == "where") != bool(self.watch.collection) and kind not in ("all", "any", "not"):
            raise place.at(kind).refuse(
                "« where » va avec une collection, les autres conditions avec des séries.",
                "'where' goes with a collection, the other conditions with series.")  # fmt: skip
        inner = place.at(kind)
        if kind in ("all", "any"):
            if not isinstance(inner.value, list) or not inner.value:
                raise inner.refuse("On attend une liste de conditions.", "A list of conditions is expected.")
            parts = tuple(self.held(part, None) for part in inner.many())
            return All(parts) if kind == "all" else Any_(parts)
        if kind == "not":
            return Not(self.held(inner, None), self.rank)
        return _READERS[kind](self, kind, place)

    def series(self, place: _Place) -> str:
        """Return which series a leaf is about."""
        if not place.has("series"):
            if len(self.names) > 1:
                raise place.refuse("Il faut dire de quelle série il s'agit.", "Say which series this is about.",
                                   f"Ajoutez « series: {self.names[0]} ».", f"Add 'series: {self.names[0]}'.")  # fmt: skip
            return self.names[0]
        name = place.at("series").text()
        if name not in self.names:
            raise place.at("series").refuse(f"La série « {name} » n'est pas surveillée.", f"The series '{name}' is not watched.",
                                            f"Séries connues : {', '.join(self.names)}.",
                                            f"Known series: {', '.join(self.names)}.")  # fmt: skip
        return name

    def levels(self, place: _Place, kind: str) -> tuple[Level, ...]:
        """Read `above: 100` or `above: {jaune: 100, rouge: 300}`, with its hysteresis."""
        rising = kind != "below"
        back = abs(place.at("hysteresis").number()) if place.has("hysteresis") else 0.0
        inner = place.at(kind)
        if not isinstance(inner.value, dict):
            limit = inner.number()
            return (Level(self.rank, limit, limit - back if rising else limit + back),)
        levels = []
        for word in inner.value:
            severity = _severity(_Place(word, f"{inner.pointer}/{word}", inner.lines))
            limit = inner.at(word).number()
            levels.append(Level(RANKS[severity], limit, limit - back if rising else limit + back))
        levels.sort(key=lambda level: level.rank)
        limits = [level.limit if rising else -level.limit for level in levels]
        if not levels or len({level.rank for level in levels}) < len(levels) or limits != sorted(limits):
            raise inner.refuse("Les seuils doivent s'éloigner de jaune à rouge.",
                               "Limits must go further from jaune to rouge.")  # fmt: skip
        return tuple(levels)

    def threshold(self, kind: str, place: _Place) -> Node:
        """Read above/below with times and of."""
        times = place.at("times").whole() if place.has("times") else 1
        of = place.at("of").whole() if place.has("of") else times
        if not times <= of <= 1000:
            raise place.at("of").refuse("« of » vaut au moins « times », et 1000 au plus.",
                                        "'of' is at least 'times', and at most 1000.")  # fmt: skip
        return Threshold(self.series(place), kind == "above", self.levels(place, kind), times, of)

    def change(self, kind: str, place: _Place) -> Node:
        """Read rises, falls, totals or means with within."""
        if not place.has("within"):
            raise place.refuse("Il manque « within » : en combien de temps ?", "'within' is missing: in how much time?",
                               "Ajoutez par exemple « within: 1 h ».", "Add for example 'within: 1 h'.")  # fmt: skip
        levels, within = self.levels(place, kind), place.at("within").duration()
        if kind in ("totals", "means"):
            return Total(self.series(place), levels, within, kind == "means")
        return Change(self.series(place), kind == "rises", levels, within)

    def silent(self, kind: str, place: _Place) -> Node:
        """Read silent, one duration or one for each severity."""
        inner = place.at(kind)
        if not isinstance(inner.value, dict):
            return Silent(self.series(place), ((self.rank, inner.duration()),))
        after = [
            (
                RANKS[_severity(_Place(word, f"{inner.pointer}/{word}", inner.lines))],
                inner.at(word).duration(),
            )
            for word in inner.value
        ]
        after.sort()
        if not after or [d for _, d in after] != sorted(d for _, d in after):
            raise inner.refuse(
                "Les durées doivent croître de jaune à rouge.", "Durations must grow from jaune to rouge."
            )
        return Silent(self.series(place), tuple(after))

    def when(self, kind: str, place: _Place) -> Node:
        """Read an expression over the named series."""
        inner = place.at(kind)
        expression = _expression(inner, self.names)
        if not expression.names:
            raise inner.refuse("L'expression ne parle d'aucune série.", "The expression mentions no series.",
                               f"Séries connues : {', '.join(self.names)}.", f"Known series: {', '.join(self.names)}.")  # fmt: skip
        return When(expression, self.rank)

    def matches(self, kind: str, place: _Place) -> Node:
        """Read what makes a record an alarm."""
        where = _expression(place.at(kind), None) if place.has(kind) else None
        words = [p.text(20) for p in place.at("event").many()] if place.has("event") else list(_EVENTS)
        for word in words:
            if word not in _EVENTS:
                raise place.at("event").refuse(
                    "Un événement est created ou updated.", "An event is created or updated."
                )
        return Matches(where, frozenset(a for word in words for a in _EVENTS[word]), self.rank)


_READERS = {
    "above": _Conditions.threshold, "below": _Conditions.threshold, "rises": _Conditions.change,
    "falls": _Conditions.change, "totals": _Conditions.change, "means": _Conditions.change,
    "silent": _Conditions.silent, "expression": _Conditions.when, "where": _Conditions.matches,
}  # fmt: skip


def _expression(place: _Place, known: Iterable[str] | None) -> Expression:
    try:
        return Expression(place.text(), known)
    except Problem as problem:
        raise place.refuse(
            problem.reason.fr, problem.reason.en, problem.mend.fr, problem.mend.en
        ) from problem


def _hours(place: _Place) -> CivilHours:
    place.mapping(("days", "hours"))
    days = _days(place.at("days")) if place.has("days") else tuple(range(7))
    if not place.has("hours"):
        return CivilHours(days)
    match = _HOURS.match(place.at("hours").text(20))
    start = int(match[1]) * 60 + int(match[2] or 0) if match else -1
    end = int(match[3]) * 60 + int(match[4] or 0) if match else -1
    if not (0 <= start < 1440 and 0 <= end <= 1440):
        raise place.at("hours").refuse("Les heures ne sont pas comprises.", "The hours are not understood.",
                                       "Écrivez par exemple 22:00-06:00.", "Write for example 22:00-06:00.")  # fmt: skip
    return CivilHours(days, start, end)


def _days(place: _Place) -> tuple[int, ...]:
    days: set[int] = set()
    for part in place.many():
        for word in re.split(r"[\s,]+", part.text(200).lower()):
            first, dash, last = (word, "", "") if word in _SETS else word.partition("-")
            if word in _SETS:
                days.update(_SETS[word])
            elif first in _DAY_WORDS and (not dash or last in _DAY_WORDS):
                span = (_DAY_WORDS[last] - _DAY_WORDS[first]) % 7 if dash else 0
                days.update((_DAY_WORDS[first] + step) % 7 for step in range(span + 1))
            else:
                raise part.refuse(f"« {word} » n'est pas un jour.", f"'{word}' is not a day.",
                                  "Écrivez par exemple lundi-vendredi, ou week-end.",
                                  "Write for example monday-friday, or weekend.")  # fmt: skip
    return tuple(sorted(days))


def _action(place: _Place) -> Action:
    place.mapping((*_ACTIONS, "on", *sorted({o for options in _ACTIONS.values() for o in options})))
    kinds = [kind for kind in _ACTIONS if place.has(kind)]
    if len(kinds) != 1:
        raise place.refuse("Une action fait une chose et une seule.", "An action does one thing and only one.",
                           f"Écrivez l'un de : {', '.join(_ACTIONS)}.", f"Write one of: {', '.join(_ACTIONS)}.")  # fmt: skip
    kind = kinds[0]
    place.mapping((kind, "on", *_ACTIONS[kind]))
    moments = [p.text(20) for p in place.at("on").many()] if place.has("on") else ["raise"]
    for moment in moments:
        if moment not in _MOMENTS:
            raise place.at("on").refuse(f"« {moment} » n'est pas un moment d'alarme.", f"'{moment}' is no moment of an alarm.",
                                        f"Écrivez {', '.join(_MOMENTS)}.", f"Write {', '.join(_MOMENTS)}.")  # fmt: skip
    options: dict[str, Any] = {kind: _target(kind, place.at(kind))}
    for option in _ACTIONS[kind]:
        if place.has(option):
            options[option] = _option(place.at(option))
    return Action(kind, tuple(moments), options)  # type: ignore[arg-type]


def _target(kind: str, place: _Place) -> str | tuple[str, ...]:
    if kind == "email":
        addresses = tuple(p.text(254) for p in place.many())
        for address in addresses:
            if not re.fullmatch(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+", address):
                raise place.refuse(
                    f"« {address} » n'est pas une adresse électronique.", f"'{address}' is no e-mail address."
                )
        return addresses
    target = place.text(2000)
    if kind == "webhook" and not re.match(r"https?://[^/\s]+", target):
        raise place.refuse(
            "L'adresse du webhook commence par https://.", "A webhook's address starts with https://."
        )
    if kind == "mqtt" and re.search(r"[#+\0]", target):
        raise place.refuse(
            "Un sujet MQTT où publier n'a ni # ni +.", "An MQTT topic to publish to has no # and no +."
        )
    return target


def _option(place: _Place) -> str | dict[str, str]:
    if isinstance(place.value, dict):
        return {str(key): "" if place.value[key] is None else str(place.value[key]) for key in place.value}
    return str(place.value).lower() if isinstance(place.value, bool) else place.text(4000)
