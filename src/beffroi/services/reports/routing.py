"""Which service handles which kind of report: a table that an agent can read, learned from who handled them.

Lines are tried in order and the first that fits wins: exceptions by the word that begins the address (the lanes of
a wood: « Route », « Allée »), alone or within one quarter; then one line per kind (`soustype`). A kind that no line
names takes the service of the kinds whose words are nearest. Measured on Dans Ma Rue (`soustype` → `intervenant`).
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.csv_file import numbered, opened

__all__ = ["Case", "Line", "Table", "accuracy", "learn_table", "read_cases"]

_WAY = re.compile(r"^\W*(?:\d+\s*(?:bis|ter|quater|[a-z])?\s+)?([^\W\d_]+)")
_WORD = re.compile(r"[^\W\d_]{3,}")
_STEM = 6  # letters that two words share when they are taken for one
_WHOSE = Text("Ce sont celles de Dans Ma Rue.", "They are those of Dans Ma Rue.")
_SUPPORT, _SHARE = 2, 0.6  # an exception needs two cases, and to be right for most of what it takes
_NEAREST = 3


class Case(msgspec.Struct, frozen=True):
    """One report that was, or is to be, handed to a service ("" when it is not known)."""

    number: str
    group: str
    kind: str
    quarter: str = ""
    address: str = ""
    service: str = ""

    @property
    def way(self) -> str:
        """Return the word that begins the address after its number, without accents: `route`, `allee`."""
        found = _WAY.match(_plain(self.address))
        return found[1] if found else ""


class Line(msgspec.Struct, frozen=True):
    """One line of the table; an empty column fits everything. `right` of the `cases` it took went to `service`."""

    service: str
    kind: str = ""
    group: str = ""
    way: str = ""
    quarter: str = ""
    cases: int = 0
    right: int = 0

    def fits(self, case: Case) -> bool:
        """Return whether this line decides `case`."""
        return (
            (not self.kind or self.kind == case.kind)
            and (not self.way or self.way == case.way)
            and (not self.quarter or self.quarter == case.quarter)
        )


class Table:
    """The lines in order, and what answers for a kind that none names."""

    def __init__(self, exceptions: Sequence[Line], kinds: Sequence[Line]) -> None:
        self.lines = (*exceptions, *kinds)
        self._exceptions = tuple(exceptions)
        self._kinds = {line.kind: line for line in kinds}
        self._words = {line.kind: _words(line.kind) for line in kinds}
        count = Counter(word for words in self._words.values() for word in words)
        self._weight = {word: math.log((len(kinds) + 1) / (n + 0.5)) for word, n in count.items()}
        self._rare = math.log((len(kinds) + 1) / 0.5)
        total: Counter[str] = Counter()
        for line in kinds:
            total[line.service] += line.cases
        self._most = total.most_common(1)[0][0] if total else ""

    def service_of(self, case: Case) -> str:
        """Return the service for `case`."""
        line = next((line for line in self._exceptions if line.fits(case)), None) or self._kinds.get(
            case.kind
        )
        return line.service if line is not None else self._by_words(case)

    def _by_words(self, case: Case) -> str:
        """Return the service of the kinds nearest in words, the group and the heading before the colon counting
        too; of all kinds the most common service when no word is shared."""
        mine = _words(case.kind)
        votes: dict[str, float] = defaultdict(float)
        near = sorted(
            ((self._likeness(mine, case, line), line.kind) for line in self._kinds.values()), reverse=True
        )
        for likeness, kind in near[:_NEAREST]:
            if likeness > 0:
                votes[self._kinds[kind].service] += likeness**2
        return max(votes, key=lambda s: (votes[s], s)) if votes else self._most

    def _likeness(self, mine: frozenset[str], case: Case, line: Line) -> float:
        theirs = self._words[line.kind]
        shared = sum(self._weight.get(word, self._rare) for word in sorted(mine & theirs))
        every = sum(self._weight.get(word, self._rare) for word in sorted(mine | theirs)) or 1.0
        heading = case.kind.partition(":")[0] == line.kind.partition(":")[0]
        return shared / every + 0.15 * (bool(case.group) and case.group == line.group) + 0.1 * heading


def learn_table(cases: Iterable[Case]) -> Table:
    """Return the table learned from cases whose service is known. Raises `Problem` when there is none."""
    known = [case for case in cases if case.service]
    if not known:
        raise Problem(
            Text(
                "Aucune ligne du premier fichier ne dit son service.",
                "No row of the first file tells its service.",
            ),
            Text("Remplissez la colonne « intervenant ».", "Fill in the column 'intervenant'."),
            place="intervenant",
        )
    kinds = _kinds(known)
    by_kind = {line.kind: line.service for line in kinds}
    said = [by_kind[case.kind] for case in known]
    exceptions = _exceptions(known, said, lambda case: (case.way, ""))
    taken = {line.way for line in exceptions}
    exceptions += [
        line
        for line in _exceptions(known, said, lambda case: (case.way, case.quarter))
        if line.way not in taken
    ]
    return Table(exceptions, kinds)


def _kinds(known: Sequence[Case]) -> list[Line]:
    services: dict[str, Counter[str]] = defaultdict(Counter)
    groups: dict[str, str] = {}
    for case in known:
        services[case.kind][case.service] += 1
        groups.setdefault(case.kind, case.group)
    lines = []
    for kind in sorted(services, key=lambda k: (-services[k].total(), k)):
        service, right = max(services[kind].items(), key=lambda item: (item[1], item[0]))
        lines.append(Line(service, kind, groups[kind], cases=services[kind].total(), right=right))
    return lines


def _exceptions(
    known: Sequence[Case], said: Sequence[str], column: Callable[[Case], tuple[str, str]]
) -> list[Line]:
    """Return the lines that mend what the kinds alone get wrong, for one choice of columns."""
    served: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    wrong: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for case, service in zip(known, said, strict=True):
        where = column(case)
        served[where][case.service] += 1
        if service != case.service:
            wrong[where][case.service] += 1
    lines = []
    for (way, quarter), mended in sorted(wrong.items()):
        service, times = max(mended.items(), key=lambda item: (item[1], item[0]))
        cases, right = served[way, quarter].total(), served[way, quarter][service]
        if way and times >= _SUPPORT and right / (cases + 1) >= _SHARE:
            lines.append(Line(service, way=way, quarter=quarter, cases=cases, right=right))
    return lines


def accuracy(cases: Sequence[Case], services: Sequence[str]) -> tuple[float | None, int]:
    """Return the share of right services among the cases whose service is known, and how many these are."""
    judged = [case.service == said for case, said in zip(cases, services, strict=True) if case.service]
    return (sum(judged) / len(judged) if judged else None), len(judged)


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")


def _words(text: str) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in _WORD.findall(_plain(text)))


def read_cases(path: Path) -> list[Case]:
    """Return the cases of a file of Dans Ma Rue (CSV, gzipped or not). Raises `Problem` naming the line."""
    with opened(path) as lines:
        return list(_cases(lines))


def _cases(lines: Iterable[str]) -> Iterator[Case]:
    for line, row in numbered(lines, ("id_dmr", "soustype", "intervenant"), _WHOSE):
        kind = row["soustype"].strip()
        if not kind:
            raise Problem(
                Text("Le sous-type manque.", "The kind is missing."),
                place=f"line {line}, soustype",
            )
        yield Case(
            number=row["id_dmr"].strip(),
            group=row.get("type", "").strip(),
            kind=kind,
            quarter=row.get("conseilquartier", "").strip(),
            address=row.get("adresse", ""),
            service=row["intervenant"].strip(),
        )
