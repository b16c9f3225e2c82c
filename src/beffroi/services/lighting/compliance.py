"""The 2018 order over a whole stock: how many points each rule finds well, wrong, or unknown, and which ones."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from beffroi.model.text import Text
from beffroi.services.lighting.exporting import plain_cell
from beffroi.services.lighting.legal import DATED, ORDER, Verdict, check_point, rule_title, verdicts_of
from beffroi.services.lighting.stock import lamps_of
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["ANY", "STATES", "STATE_WORDS", "Line", "Review", "review", "verdict_lines"]

ANY = "toutes"  # instead of a rule: whatever is not as one of them asks
_WORST = ("breach", "missing", "unknown")
STATES = ("ok", "breach", "missing", "unknown", "not_concerned")
STATE_WORDS = {
    "ok": Text("conforme", "as asked"), "breach": Text("non conforme", "not as asked"), "missing": Text("manque", "missing"),
    "unknown": Text("on ne sait pas", "not known"), "not_concerned": Text("pas tenu", "not bound"),
}  # fmt: skip
_HEADER = (
    Text("point", "point"), Text("voie", "street"), Text("règle", "rule"), Text("verdict", "verdict"), Text("constat", "finding"),
    Text("article", "article"), Text("texte", "order"), Text("date du texte", "date of the order"), Text("à vérifier", "to be checked"),
)  # fmt: skip


class Line(msgspec.Struct, frozen=True):
    """One rule over the stock."""

    rule: str
    title: Text
    quote: Text
    sure: bool
    counts: dict[str, int]


class Review(msgspec.Struct, frozen=True):
    """The stock against the order; `wrong` are the first points of a chosen rule that are not as it asks."""

    points: int
    lines: tuple[Line, ...]
    wrong: tuple[tuple[Row, Verdict], ...]
    breaching: int = 0  # points that are not as some rule asks


def review(
    town: Town, territories: tuple[str, ...] | None = None, *, built_up: bool = True, rule: str = "", most: int = 50, skip: int = 0
) -> Review:  # fmt: skip
    """Check every lamp that is installed."""
    wrong: list[tuple[Row, Verdict]] = []
    held: dict[
        int, tuple[Verdict, ...]
    ] = {}  # a stock of thousands has some hundreds of different luminaires
    alike: Counter[int] = Counter()
    for row in lamps_of(town, territories):
        told = verdicts_of(row.values, built_up=built_up)
        alike[id(told)] += 1
        held[id(told)] = told
        if rule:
            wrong += [(row, v) for v in told if _wanted(v, rule)]
    counts: dict[str, Counter[str]] = {}
    quotes: dict[str, Verdict] = {}
    for number, told in held.items():
        for verdict in told:
            counts.setdefault(verdict.rule, Counter())[verdict.state] += alike[number]
            quotes.setdefault(verdict.rule, verdict)
    breaching = sum(alike[number] for number, told in held.items() if any(v.state == "breach" for v in told))
    lines = tuple(
        Line(
            name,
            rule_title(name),
            quotes[name].quote,
            quotes[name].sure,
            {s: counts[name][s] for s in STATES},
        )
        for name in _ordered(counts)
    )
    wrong.sort(key=lambda one: _WORST.index(one[1].state))  # what fails first; within it, as they come
    return Review(alike.total(), lines, tuple(wrong[skip : skip + most]), breaching)


def _wanted(verdict: Verdict, rule: str) -> bool:
    """Return whether a verdict is to be seen under a rule: what is not as it asks; under all of them, what fails one."""
    return (verdict.rule == rule and verdict.state in _WORST) or (rule == ANY and verdict.state == "breach")


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name.startswith("data_"), name))


def verdict_lines(
    town: Town,
    language: str,
    territories: tuple[str, ...] | None = None,
    *,
    built_up: bool = True,
    rule: str = "",
) -> Iterator[str]:
    """Yield a CSV file, a line a verdict: every installed lamp against every rule (or one), with article and date."""
    yield _csv(one.of(language) for one in _HEADER)
    yes = Text("oui", "yes")
    for row in lamps_of(town, territories):
        for verdict in check_point(row.values, built_up=built_up):
            if rule and verdict.rule != rule and not (rule == ANY and verdict.state == "breach"):
                continue
            yield _csv((
                row.values["code"], row.values["street"] or "", rule_title(verdict.rule).of(language), STATE_WORDS[verdict.state].of(language),
                verdict.words.of(language), verdict.article, ORDER.of(language), DATED.isoformat(), "" if verdict.sure else yes.of(language),
            ))  # fmt: skip


def _csv(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([plain_cell(cell) for cell in cells])
    return out.getvalue()
