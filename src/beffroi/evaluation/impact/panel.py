"""Panel: one outcome of several units over the same periods, what was treated and since when."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Change", "Floats", "Panel"]

Floats = NDArray[np.float64]


class Change(msgspec.Struct, frozen=True):
    """A change of what measures `unit`, first felt at the period `at` (an index): a sensor replaced, moved, set anew."""

    unit: str
    at: int
    note: Text = Text("", "")


class Panel(msgspec.Struct, frozen=True, eq=False):
    """`outcome[t, i]`: the value of `units[i]` in the period `times[t]`.

    `cohort[i]` is the index of the first treated period of the unit, -1 for never. `season` is the number of periods after
    which the year (day, week) comes back, 0 when it is to be found in the data. `covariates` have the outcome's shape.
    """

    outcome: Floats
    units: tuple[str, ...]
    times: tuple[str, ...]
    cohort: NDArray[np.int64]
    covariates: dict[str, Floats] = {}
    season: int = 0
    changes: tuple[Change, ...] = ()

    @property
    def treated(self) -> NDArray[np.int64]:
        """The indices of the units that are treated some day."""
        return np.flatnonzero(self.cohort >= 0)

    @property
    def controls(self) -> NDArray[np.int64]:
        """The indices of the units that never are."""
        return np.flatnonzero(self.cohort < 0)

    @property
    def start(self) -> int:
        """The index of the first treated period, the same for all treated units.

        Raises `Problem` when they began at different times.
        """
        starts = np.unique(self.cohort[self.cohort >= 0])
        if len(starts) != 1:
            raise Problem(
                Text(
                    "Les unités traitées n'ont pas toutes commencé à la même date.",
                    "The treated units did not all begin at the same time.",
                ),
                Text(
                    "Utilisez « staggered », ou gardez une seule vague.", "Use 'staggered', or keep one wave."
                ),
            )
        return int(starts[0])

    def keep(
        self, units: Sequence[int] | NDArray[np.int64], first: int = 0, end: int | None = None
    ) -> "Panel":
        """Return the panel of some units, over the periods `first` to `end` (excluded)."""
        chosen = np.asarray(units, dtype=np.int64)
        names = tuple(self.units[i] for i in chosen)
        return Panel(
            self.outcome[first:end, chosen],
            names,
            self.times[first:end],
            np.where(self.cohort[chosen] >= 0, self.cohort[chosen] - first, -1),
            {name: values[first:end, chosen] for name, values in self.covariates.items()},
            self.season,
            tuple(msgspec.structs.replace(c, at=c.at - first) for c in self.changes if c.unit in names),
        )
