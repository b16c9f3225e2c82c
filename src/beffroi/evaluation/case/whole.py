"""Whole: a case with all its figures, computed once and shown in as many ways as one likes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from beffroi.evaluation.case.comparing import Comparison, compare_sets
from beffroi.evaluation.case.compute import Figures, figures_of
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


class Computed(msgspec.Struct, frozen=True):
    """A case with all its figures."""

    case: BusinessCase
    figures: Figures
    bars: tuple[Bar, ...]
    switches: tuple[Switch, ...]
    simulation: Simulation | None
    contracts: tuple[ContractFigures, ...]
    comparison: Comparison | None

    @property
    def verdict(self) -> Text:
        """Return in one sentence whether the service is worth its cost."""
        return verdict_of(self.figures.van, None if self.simulation is None else self.simulation.below_zero)


def compute_all(case: BusinessCase, *, draws: int = DRAWS, seed: int | None = None) -> Computed:
    """Return every figure of a case; `draws` 0: no simulation. Raises `Problem` when sets cannot be compared."""
    comparison = None if case.compare is None else compare_sets(case, case.compare)
    return Computed(
        case, figures_of(case), tuple(tornado(case)), tuple(switching_values(case)),
        simulate(case, draws, seed) if draws else None, tuple(compare_contracts(case)), comparison,
    )  # fmt: skip


def computed(document: Mapping[str, Any]) -> Computed:
    """Return a document with all its figures. Raises `Problem`."""
    return compute_all(read_case(document))
