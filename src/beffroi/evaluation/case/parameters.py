"""Parameters: dated and sourced sets of values (`parameters/*.toml`), which are data and never code.

Every value has the line that it comes from, and says whether that was confirmed.
"""

import functools
import tomllib
from datetime import date
from importlib.resources import files
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["SETS", "ParameterSet", "Value", "parameter_set"]

SETS = ("fr-2025", "fr-2019", "uk-greenbook", "eu")


class Value(msgspec.Struct, frozen=True):
    """One value: its unit, the year of its prices (0: it is no price), where it comes from."""

    value: float
    source: Text
    confirmed: bool = False
    unit: str = ""
    price_year: int = 0
    elasticity: float = 0.0


class Rate(msgspec.Struct, frozen=True):
    """The discount rate: steps by year, or a risk-free rate and a premium for the risk β of the project."""

    source: Text
    confirmed: bool = False
    steps: dict[str, float] = {}
    risk_free: float = 0.0
    premium: float = 0.0
    beta: float | None = None

    def by_year(self, beta: float | None = None) -> dict[int, float]:
        """Return from which year on which rate holds, for that β (None: the set's own)."""
        if self.steps:
            return {int(year): rate for year, rate in self.steps.items()}
        return {0: self.risk_free + (self.beta or 0.0 if beta is None else beta) * self.premium}


class Path(msgspec.Struct, frozen=True):
    """A price that changes with the year; between two years it grows by a constant rate, outside it stays."""

    price_year: int
    unit: str
    source: Text
    path: dict[str, float]
    confirmed: bool = False
    unconfirmed_years: tuple[int, ...] = ()

    def at(self, years: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the price of each year."""
        known = np.array(sorted(int(y) for y in self.path), float)
        prices = np.log([self.path[str(int(y))] for y in known])
        return np.exp(np.interp(years, known, prices))


class ParameterSet(msgspec.Struct, frozen=True):
    """One set of values of one date. `price_year`: constant euros (or pounds) of that year."""

    name: str
    version: str
    date: date
    price_year: int
    currency: str
    title: Text
    rate: Rate
    cofp: Value
    carbon: Path | None = None
    values: dict[str, Value] = {}

    def unconfirmed(self) -> list[tuple[str, Text]]:
        """Return the name and source of what is not confirmed."""
        found = [
            ("rate", self.rate.source, self.rate.confirmed),
            ("cofp", self.cofp.source, self.cofp.confirmed),
        ]
        if self.carbon is not None:
            found.append(
                ("carbon", self.carbon.source, self.carbon.confirmed and not self.carbon.unconfirmed_years)
            )
        found += [(name, value.source, value.confirmed) for name, value in self.values.items()]
        return [(name, source) for name, source, confirmed in found if not confirmed]


@functools.cache
def parameter_set(name: str) -> ParameterSet:
    """Return the set called `name`. Raises `Problem` when there is none."""
    if name not in SETS:
        known = ", ".join(SETS)
        raise Problem(
            Text(f"Il n'y a pas de jeu de paramètres « {name[:40]} ».", f"There is no parameter set '{name[:40]}'."),
            Text(f"Choisissez parmi : {known}.", f"Choose among: {known}."),
            place="/parameters",
        )  # fmt: skip
    text = (files(__package__) / "parameters" / f"{name}.toml").read_text("utf-8")
    raw: dict[str, Any] = tomllib.loads(text)
    return msgspec.convert(raw, ParameterSet)
