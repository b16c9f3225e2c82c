"""Reach: what conditions on observations come to that the store knows how to look up: some datastreams, a range of time."""

from collections.abc import Iterable, Sequence

import msgspec

from beffroi.standards.sensorthings import meaning
from beffroi.standards.sensorthings.entities import BY_NAME
from beffroi.standards.sensorthings.meaning import Bound, Field

__all__ = ["Reach", "all_of", "reach_of"]

_PHENOMENON = BY_NAME["Observation"].properties[0]


class Reach(msgspec.Struct):
    """Datastreams (None: all), phenomenon start in [start, end), its end not after `ended_by`; `rest` says the rest."""

    datastreams: tuple[int, ...] | None = None
    start: int | None = None
    end: int | None = None
    ended_by: int | None = None
    rest: list[Bound] = []

    def from_(self, start: int) -> None:
        """Let nothing start before `start`."""
        self.start = start if self.start is None else max(self.start, start)

    def until(self, end: int) -> None:
        """Let nothing start at `end` or later."""
        self.end = end if self.end is None else min(self.end, end)

    def _ended(self, by: int) -> None:
        self.ended_by = by if self.ended_by is None else min(self.ended_by, by)

    def only(self, ids: Iterable[int]) -> None:
        """Keep only these datastreams."""
        among = set(ids)
        self.datastreams = (
            tuple(sorted(among))
            if self.datastreams is None
            else tuple(i for i in self.datastreams if i in among)
        )

    def take(self, part: Bound) -> bool:
        """Take a condition in, exactly; False when it says more, and must be kept."""
        if isinstance(part, meaning.Among) and part.column == "datastream_id":
            self.only(part.ids)
            return True
        if (
            not isinstance(part, meaning.Compare)
            or not isinstance(part.left, Field)
            or not isinstance(part.right, meaning.Value)
        ):
            return False
        field, value = part.left, part.right.value
        if field.hops or value is None:
            return False
        if (
            field.property.columns == ("datastream_id",)
            and part.operator == "eq"
            and isinstance(value, int | float)
        ):
            self.only((int(value),) if value == int(value) else ())
            return True
        if field.property == _PHENOMENON and part.of == "moment" and isinstance(value, tuple):
            return self._take_time(part.operator, *value)
        return False

    def _take_time(self, operator: str, low: int, high: int) -> bool:
        """Each says the same as `compile.py` and `evaluate.py` do of a moment."""
        match operator:
            case "ge":  # both ends are compared: what starts after an instant ends after it too
                self.from_(low)
                return low == high
            case "gt":
                self.from_(max(high, low + 1))
            case "lt":
                self.until(low)
                self._ended(low)
            case "le":
                self.until(low + 1)
                self._ended(high)
            case "eq":  # it says where the end is too
                self.from_(low)
                self.until(low + 1)
                return False
            case _:
                return False
        return True


def all_of(conditions: Sequence[Bound]) -> list[Bound]:
    """Return the conditions that must all hold, nested `and` taken apart."""
    flat: list[Bound] = []
    for part in conditions:
        joined = isinstance(part, meaning.Join) and part.operator == "and"
        flat.extend(all_of(part.parts) if joined else [part])  # type: ignore[union-attr]
    return flat


def reach_of(conditions: Sequence[Bound], datastreams: tuple[int, ...] | None = None) -> Reach:
    """Return the reach of all of `conditions` among `datastreams`."""
    reach = Reach(datastreams)
    reach.rest = [part for part in all_of(conditions) if not reach.take(part)]
    return reach
