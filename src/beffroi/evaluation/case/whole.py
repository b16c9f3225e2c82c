"""Whole: a case with all its figures, computed once and shown in as many ways as one likes."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from beffroi.evaluation.case.comparing import Comparison, compare_sets
from beffroi.evaluation.case.compute import Figures, figures_of, van_of
from beffroi.evaluation.case.contracts import ContractFigures, compare_contracts
from beffroi.evaluation.case.model import BusinessCase
from beffroi.evaluation.case.reading import read_case
from beffroi.evaluation.case.sentences import verdict_of
from beffroi.evaluation.case.uncertainty import (
    DRAWS,
    Bar,
    Simulation,
    Switch,
    simulate,
    switching_values,
    tornado,
)
from beffroi.model.text import Text

__all__ = ["Computed", "compute_all", "computed"]


class Computed(msgspec.Struct, frozen=True, dict=True):
    """A case and its figures, each computed when it is first asked for. `draws` 0: no simulation."""

    case: BusinessCase
    draws: int = DRAWS
    seed: int | None = None

    @cached_property
    def figures(self) -> Figures:
        """The figures themselves."""
        return figures_of(self.case)

    @cached_property
    def bars(self) -> tuple[Bar, ...]:
        """What each hypothesis alone changes, the widest first."""
        return tuple(tornado(self.case))

    @cached_property
    def switches(self) -> tuple[Switch, ...]:
        """Where the result would turn."""
        return tuple(switching_values(self.case))

    @cached_property
    def simulation(self) -> Simulation | None:
        """What the draws gave."""
        return simulate(self.case, self.draws, self.seed) if self.draws else None

    @cached_property
    def contracts(self) -> tuple[ContractFigures, ...]:
        """Each contract form."""
        return tuple(compare_contracts(self.case))

    @cached_property
    def comparison(self) -> Comparison | None:
        """The other parameter set, when the case names one."""
        return None if self.case.compare is None else compare_sets(self.case, self.case.compare)

    @property
    def verdict(self) -> Text:
        """In one sentence, whether the service is worth its cost."""
        return verdict_of(
            float(van_of(self.case)), None if self.simulation is None else self.simulation.below_zero
        )


def compute_all(case: BusinessCase, *, draws: int = DRAWS, seed: int | None = None) -> Computed:
    """Return a case with its figures. Raises `Problem` when it names a set that it cannot be compared with."""
    whole = Computed(case, draws, seed)
    assert whole.comparison is None or whole.comparison.own == case.parameters.name
    return whole


def computed(document: Mapping[str, Any]) -> Computed:
    """Return a document with all its figures. Raises `Problem`."""
    return compute_all(read_case(document))
