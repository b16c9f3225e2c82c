"""Read `$apply`: aggregation after the OData Data Aggregation extension, with buckets of time.

$apply = [ "filter(" condition ")/" ] ( "groupby((" by { "," by } ")" [ "," aggregate ] ")" | aggregate ) [ "/complete()" ]
by = path | "bucket(phenomenonTime," ( "duration'" ISO "'" | "'" unit "'" [ ",'" zone "'" ] ) ")" [ "as" name ]
aggregate = "aggregate(" measure { "," measure } ")"
measure = ( "result" [ "/" step … ] "with" method | "$count" | "$coverage" ) "as" name
"""

import re
from functools import lru_cache
from typing import Any

import msgspec

from beffroi.model.instant import SECOND_US, parse_duration
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.civil_time import zone_of
from beffroi.standards.sensorthings.parse import misread, parse_filter
from beffroi.standards.sensorthings.syntax import Name, Node
from beffroi.store.buckets import UNITS, Buckets

__all__ = ["METHODS", "Apply", "Measure", "parse_apply", "percentile_of"]

METHODS = ("average", "sum", "min", "max", "first", "last", "median")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)\Z")
_TOKEN = re.compile(
    r"\s*(?:(?P<duration>duration'[^']*')|(?P<string>'(?:[^']|'')*')|(?P<name>[$@\w.\-]+(?:/[@\w.\-]+|\[\d{1,9}\])*)|(?P<mark>[(),/]))"
)
_STRING = re.compile(r"'(?:[^']|'')*'")
_STEP = re.compile(r"[^/\[\]]+")  # of a path
_ALIAS = re.compile(r"[^\W\d]\w*\Z")


class Measure(msgspec.Struct, frozen=True):
    """What is computed of each group: a method on its results, or "count" or "coverage" of its observations.

    `inside`: where in a result that is an array or an object (a MultiDatastream's first is `result/0`).
    """

    method: str
    name: str
    at: int = 0
    inside: tuple[str | int, ...] = ()


class Apply(msgspec.Struct, frozen=True):
    """An aggregation that was read. `grouped` False: one answer for everything."""

    filter: Node | None = None
    paths: tuple[Name, ...] = ()
    buckets: Buckets | None = None
    bucket_name: str = "phenomenonTime"
    measures: tuple[Measure, ...] = ()
    complete: bool = False


def percentile_of(method: str) -> float | None:
    """Return the share (0 to 1) of a percentile such as `p95`, or of the median; None for another method."""
    if method == "median":
        return 0.5
    match = _PERCENTILE.match(method)
    return float(match[1]) / 100 if match else None


class _Reader:
    """Goes through the text once, from token to token."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def look(self) -> tuple[str, str, int]:
        """Return kind, text and place of the next token; kind "" at the end."""
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            rest = self.text[self.at :]
            start = self.at + len(rest) - len(rest.lstrip())
            return "", self.text[start : start + 20], start
        kind = str(match.lastgroup)
        return kind, match[kind], match.start(kind)

    def next(self) -> tuple[str, str, int]:
        kind, found, at = self.look()
        self.at = at + len(found) if kind else self.at
        return kind, found, at

    def expect(self, *wanted: str) -> tuple[str, int]:
        kind, found, at = self.next()
        if kind and found in wanted:
            return found, at
        raise self.wrong(
            at, found, Text(f"Attendu : {' · '.join(wanted)}", f"Expected: {' · '.join(wanted)}")
        )

    def wrong(self, at: int, near: str, mend: Text, reason: Text | None = None) -> Problem:
        near = near.replace("{", "(").replace("}", ")")[:40]
        missing = Text("il manque quelque chose à la fin.", "something is missing at the end.")
        return misread("$apply", at, near, mend, reason or (None if near else missing))

    def inside(self) -> tuple[str, int]:
        """Return the text up to the parenthesis that closes what is open, and where it starts."""
        start, depth = self.at, 1
        while self.at < len(self.text):
            quoted = _STRING.match(self.text, self.at)
            if quoted is not None:
                self.at = quoted.end()
                continue
            depth += {"(": 1, ")": -1}.get(self.text[self.at], 0)
            self.at += 1
            if depth == 0:
                return self.text[start : self.at - 1], start
        raise self.wrong(len(self.text), "", Text("Attendu : )", "Expected: )"))


@lru_cache(maxsize=1024)
def parse_apply(text: str) -> Apply:
    """Return the aggregation that `text` asks for. Raises `Problem` with the position."""
    reader = _Reader(text)
    parts: dict[str, Any] = {}
    word, _ = reader.expect("filter", "groupby", "aggregate")
    if word == "filter":
        reader.expect("(")
        parts["filter"] = _filter(*reader.inside())
        reader.expect("/")
        word, _ = reader.expect("groupby", "aggregate")
    reader.expect("(")
    if word == "groupby":
        _groupby(reader, parts)
    else:
        parts["measures"] = _measures(reader)
    kind, found, at = reader.look()
    if kind:
        reader.expect("/")
        reader.expect("complete")
        reader.expect("(")
        reader.expect(")")
        if parts.get("buckets") is None:
            raise reader.wrong(at, "complete", Text("Groupez par bucket(phenomenonTime,…).", "Group by bucket(phenomenonTime,…)."),
                               Text("complete() remplit des périodes, et il n'y en a pas.",
                                    "complete() fills buckets of time, and there are none."))  # fmt: skip
        parts["complete"] = True
        kind, found, at = reader.look()
    if kind or text[reader.at :].strip():
        raise reader.wrong(at, found, Text("Attendu : la fin. Filtrez le résultat par $filter.",
                                           "Expected: the end. Filter the result by $filter."))  # fmt: skip
    _distinct(reader, parts)
    return Apply(**parts)


def _filter(text: str, start: int) -> Node:
    try:
        return parse_filter(text)
    except Problem as problem:
        at = start + int(problem.place.rpartition(":")[2] or 1) - 1
        _, _, fr = problem.reason.fr.partition(" : ")
        _, _, en = problem.reason.en.partition(": ")
        raise misread("$apply", at, "", problem.mend, Text(fr, en)) from problem


def _groupby(reader: _Reader, parts: dict[str, Any]) -> None:
    reader.expect("(")
    paths: list[Name] = []
    while True:
        kind, found, at = reader.next()
        if kind == "name" and found == "bucket":
            _bucket(reader, parts, at)
        elif kind == "name":
            paths.append(Name(tuple(found.split("/")), at))
        else:
            raise reader.wrong(at, found, Text("Attendu : un chemin, ou bucket(phenomenonTime,…)",
                                               "Expected: a path, or bucket(phenomenonTime,…)"))  # fmt: skip
        if reader.expect(",", ")")[0] == ")":
            break
    parts["paths"] = tuple(paths)
    if reader.expect(",", ")")[0] == ",":
        reader.expect("aggregate")
        reader.expect("(")
        parts["measures"] = _measures(reader)
        reader.expect(")")


def _bucket(reader: _Reader, parts: dict[str, Any], at: int) -> None:
    if "buckets" in parts:
        raise reader.wrong(at, "bucket", Text("Gardez-en un.", "Keep one of them."),
                           Text("Il y a deux bucket.", "There are two buckets."))  # fmt: skip
    reader.expect("(")
    reader.expect("phenomenonTime")
    reader.expect(",")
    kind, found, here = reader.next()
    if kind == "duration":
        parts["buckets"] = Buckets(step_us=_step(reader, found, here))
        reader.expect(")")
    elif kind == "string" and found[1:-1] in UNITS:
        zone = "UTC"
        if reader.expect(",", ")")[0] == ",":
            kind, name, there = reader.next()
            if kind != "string":
                raise reader.wrong(
                    there,
                    name,
                    Text("Écrivez par exemple 'Europe/Paris'.", "Write for example 'Europe/Paris'."),
                )
            zone, here = name[1:-1], there
            reader.expect(")")
        try:
            parts["buckets"] = Buckets(found[1:-1], zone=zone_of(zone))
        except Problem as problem:
            raise reader.wrong(here, zone, problem.mend, problem.reason) from problem
    else:
        units = ", ".join(f"'{u}'" for u in UNITS)
        raise reader.wrong(
            here,
            found,
            Text(f"Écrivez duration'PT1H', ou l'un de {units}.", f"Write duration'PT1H', or one of {units}."),
        )
    if reader.look()[1] == "as":
        reader.next()
        parts["bucket_name"] = _alias(reader)


def _step(reader: _Reader, text: str, at: int) -> int:
    mend = Text("Écrivez par exemple duration'PT15M' ; d'un jour civil ou plus, 'day', 'month'…",
                "Write for example duration'PT15M'; for a civil day or more, 'day', 'month'…")  # fmt: skip
    try:
        step = parse_duration(text[9:-1])
    except Problem as problem:
        raise reader.wrong(at, text, mend, problem.reason) from problem
    if not SECOND_US <= step <= 3_652_500 * 86_400 * SECOND_US:
        raise reader.wrong(
            at,
            text,
            mend,
            Text("La durée doit être d'une seconde au moins.", "The duration must be a second or more."),
        )
    return step


def _measures(reader: _Reader) -> tuple[Measure, ...]:
    found: list[Measure] = []
    while True:
        kind, what, at = reader.next()
        first, *inside = _STEP.findall(what) or [""]
        if kind == "name" and what in ("$count", "$coverage"):
            method = what[1:]
        elif kind == "name" and first == "result":
            reader.expect("with")
            _, method, there = reader.next()
            if method not in METHODS and percentile_of(method) is None:
                named = ", ".join(METHODS)
                raise reader.wrong(
                    there,
                    method,
                    Text(f"Les méthodes sont : {named}, p5 … p95.", f"The methods are: {named}, p5 … p95."),
                )
        else:
            raise reader.wrong(
                at,
                what,
                Text(
                    "Attendu : result with … · result/0 with … · $count · $coverage",
                    "Expected: result with … · result/0 with … · $count · $coverage",
                ),
            )
        reader.expect("as")
        steps = tuple(int(s) if s.isdigit() and len(s) < 10 else s for s in inside)
        found.append(Measure(method, _alias(reader), at, steps))
        if reader.expect(",", ")")[0] == ")":
            return tuple(found)


def _alias(reader: _Reader) -> str:
    kind, name, at = reader.next()
    if kind != "name" or not _ALIAS.match(name) or len(name) > 100:
        raise reader.wrong(
            at, name, Text("Donnez un nom : lettres, chiffres, _.", "Give a name: letters, digits, _.")
        )
    return name


def _distinct(reader: _Reader, parts: dict[str, Any]) -> None:
    names = [str(path.steps[0]) for path in {p.steps[0]: p for p in parts.get("paths", ())}.values()]
    if parts.get("buckets") is not None:
        names.append(parts.get("bucket_name", "phenomenonTime"))
    for measure in parts.get("measures", ()):
        if measure.name in names:
            raise reader.wrong(measure.at, measure.name, Text("Donnez un autre nom.", "Give another name."),
                               Text(f"Le nom « {measure.name} » sert deux fois.", f"The name '{measure.name}' is used twice."))  # fmt: skip
        names.append(measure.name)
