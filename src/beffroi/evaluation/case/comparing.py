"""Two parameter sets on one project: what the rate changes, what the carbon price changes, and both."""

import msgspec

from beffroi.evaluation.case.compute import van_of
from beffroi.evaluation.case.model import BusinessCase
from beffroi.evaluation.case.parameters import ParameterSet
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Comparison", "compare_sets"]


class Comparison(msgspec.Struct, frozen=True):
    """VAN-SE with the case's own set, then with the other's rate alone, its carbon alone, both, and the whole other set."""

    own: str
    other: str
    van: float
    with_rate: float
    with_carbon: float | None
    with_other: float

    @property
    def rate_effect(self) -> float:
        """Return what the other's rate alone changes."""
        return self.with_rate - self.van

    @property
    def carbon_effect(self) -> float | None:
        """Return what the other's carbon price alone changes; None when the case prices no carbon."""
        return None if self.with_carbon is None else self.with_carbon - self.van


def compare_sets(case: BusinessCase, other: ParameterSet) -> Comparison:
    """Return the comparison. Raises `Problem` when the other set's carbon is of other prices and no deflator is given."""
    own = case.parameters
    carbon = any("carbon" in a.names for line in case.lines for a in line.amounts if a is not None)
    if carbon and (other.carbon is None or case.deflator(other.carbon.price_year) is None):
        year = 0 if other.carbon is None else other.carbon.price_year
        base = case.prices.year
        raise Problem(
            Text(f"Le carbone de {other.name} est en prix de {year}, le modèle en prix de {base}.", f"The carbon of {other.name} is in prices of {year}, the case in prices of {base}.")
            if year else Text(f"{other.name} n'a pas de prix du carbone.", f"{other.name} has no carbon price."),
            Text(f"Donnez /prices/deflators/{year}, ou ne comparez pas.", f"Give /prices/deflators/{year}, or do not compare."),
            place="/compare",
        )  # fmt: skip
    rated = msgspec.structs.replace(own, rate=other.rate)
    priced = msgspec.structs.replace(own, carbon=other.carbon)
    return Comparison(
        own.name, other.name, float(van_of(case)), float(van_of(_with(case, rated))),
        float(van_of(_with(case, priced))) if carbon else None,
        float(van_of(_with(case, msgspec.structs.replace(rated, carbon=other.carbon, cofp=other.cofp)))),
    )  # fmt: skip


def _with(case: BusinessCase, parameters: ParameterSet) -> BusinessCase:
    return msgspec.structs.replace(case, parameters=parameters)
