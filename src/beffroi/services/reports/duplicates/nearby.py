"""Reports near a point, by a grid in memory, and the suggestion made before a report is sent."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from beffroi.model.text import Text
from beffroi.services.reports.duplicates.likelihood import Likelihood, Reason, Sighting

__all__ = ["RADIUS_M", "Nearby", "Suggestion", "in_words"]

RADIUS_M = 150.0
_CELL_M = 75.0
_AROUND_M = 50.0


class Suggestion(msgspec.Struct, frozen=True):
    """An earlier report that may tell of the same thing."""

    id: int
    probability: float
    reasons: tuple[Reason, ...]


class Nearby:
    """The reports to compare with. `add` and `remove` are one dictionary step; there is nothing to rebuild."""

    def __init__(self, sightings: Iterable[Sighting] = ()) -> None:
        self._cells: dict[tuple[int, int], dict[int, Sighting]] = defaultdict(dict)
        self._cell_of: dict[int, tuple[int, int]] = {}
        for sighting in sightings:
            self.add(sighting)

    def __len__(self) -> int:
        return len(self._cell_of)

    def add(self, sighting: Sighting) -> None:
        """Add a report, or put it in place of the one with its id."""
        self.remove(sighting.id)
        cell = (math.floor(sighting.x / _CELL_M), math.floor(sighting.y / _CELL_M))
        self._cells[cell][sighting.id] = sighting
        self._cell_of[sighting.id] = cell

    def remove(self, id_: int) -> None:
        """Take a report away; nothing happens when it is not there."""
        cell = self._cell_of.pop(id_, None)
        if cell is not None:
            del self._cells[cell][id_]
            if not self._cells[cell]:
                del self._cells[cell]

    def within(self, x: float, y: float, metres: float) -> Iterator[tuple[float, Sighting]]:
        """Yield `(distance, report)` of those within `metres` of a point."""
        left, right = math.floor((x - metres) / _CELL_M), math.floor((x + metres) / _CELL_M)
        low, high = math.floor((y - metres) / _CELL_M), math.floor((y + metres) / _CELL_M)
        for column in range(left, right + 1):
            for row in range(low, high + 1):
                for sighting in self._cells.get((column, row), {}).values():
                    distance = math.hypot(x - sighting.x, y - sighting.y)
                    if distance <= metres:
                        yield distance, sighting

    def suggest(
        self, new: Sighting, law: Likelihood, *, most: int = 5, least: float = 0.1, radius: float = RADIUS_M
    ) -> list[Suggestion]:
        """Return the likeliest earlier reports of the same thing, the likeliest first, at least `least` likely."""
        near = [(d, s) for d, s in self.within(new.x, new.y, radius) if s.id != new.id and s.at <= new.at]
        around = sum(d <= _AROUND_M and (s.closed is None or s.closed >= new.at) for d, s in near)
        scored = []
        for distance, old in near:
            opened = old.closed is None or old.closed >= new.at
            others = around - (1 if distance <= _AROUND_M and opened else 0)
            probability = law.probability(new, old, others)
            if probability >= least:
                scored.append((probability, old, others))
        scored.sort(key=lambda s: (-s[0], s[1].id))
        return [
            Suggestion(old.id, probability, tuple(law.reasons(new, old, others)))
            for probability, old, others in scored[:most]
        ]


def in_words(suggestion: Suggestion) -> Text:
    """Return why, in one sentence: « 87 % : même adresse, encore ouvert, à 2 h d'écart ; mais à 40 m »."""
    heavy = [r for r in suggestion.reasons if abs(r.weight) >= 0.1][:5]
    percent = round(suggestion.probability * 100)
    said = []
    for tongue, spaced, but in (
        ("fr", " %\u00a0: ".replace(" ", "\u00a0", 1), " ; mais "),
        ("en", "%: ", "; but "),
    ):
        pro = ", ".join(r.text.of(tongue) for r in heavy if r.weight > 0)
        con = ", ".join(r.text.of(tongue) for r in heavy if r.weight < 0)
        said.append(f"{percent}{spaced}{but.join(part for part in (pro, con) if part)}")
    return Text(*said)
