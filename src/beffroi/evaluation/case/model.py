"""The nouns of a business case: hypotheses, lines of cost and benefit, actors, contracts; and the case they make."""

from typing import Literal

import msgspec
import numpy as np

from beffroi.evaluation.case.formula import Formula
from beffroi.evaluation.case.parameters import ParameterSet
from beffroi.model.text import Text

__all__ = [
    "ACTORS",
    "CASH",
    "KINDS",
    "SIGN",
    "Actor",
    "Binding",
    "BusinessCase",
    "Contract",
    "Hypothesis",
    "Kind",
    "Law",
    "Line",
    "Prices",
]

Kind = Literal[
    "investment", "running", "staff", "avoided", "benefit", "unreleased_time", "residual", "transfer"
]
Law = Literal["triangular", "uniform", "normal", "fixed"]
KINDS: dict[str, Text] = {
    "investment": Text("Investissement", "Investment"),
    "running": Text("Fonctionnement", "Running cost"),
    "staff": Text("Temps d'agents", "Staff"),
    "avoided": Text("Dépense évitée", "Avoided spending"),
    "benefit": Text("Avantage", "Benefit"),
    "unreleased_time": Text("Temps gagné, non libéré", "Time saved, not released"),
    "residual": Text("Valeur résiduelle", "Residual value"),
    "transfer": Text("Transfert", "Transfer"),
}
# what a line of each kind does to the actor that bears or receives it
SIGN = {
    "investment": -1,
    "running": -1,
    "staff": -1,
    "avoided": 1,
    "benefit": 1,
    "residual": 1,
    "unreleased_time": 1,
    "transfer": 1,
}
# whether money changes hands: only that counts in net public spending
CASH = {"investment": True, "running": True, "staff": True, "avoided": True, "benefit": False, "residual": False, "unreleased_time": False, "transfer": True}  # fmt: skip


class Actor(msgspec.Struct, frozen=True):
    """Someone who pays or gains. `public`: their spending costs the taxpayer more than itself (COFP)."""

    name: str
    title: Text
    public: bool = False


ACTORS: dict[str, Actor] = {
    a.name: a
    for a in (
        Actor("collectivite", Text("Collectivité", "Local authority"), True),
        Actor("etat", Text("État et autres financeurs publics", "State and other public funders"), True),
        Actor("usagers", Text("Usagers", "Users")),
        Actor("contribuable", Text("Contribuable", "Taxpayer")),
        Actor("exploitant", Text("Exploitant", "Operator")),
        Actor("fournisseur", Text("Fournisseur", "Supplier")),
        Actor("environnement", Text("Environnement", "Environment")),
    )
}


class Binding(msgspec.Struct, frozen=True):
    """Where a hypothesis is measured: an indicator, the datastreams of a kind (or one by its number), or the effect that an
    experiment found (by its code).

    What is read is multiplied by `scale`. `statistic` of datastreams: the mean, the total, the total of a year at the
    pace of the period, or the last value; of an experiment: the effect in its unit, or `relative`, as a share.
    """

    indicator: str = ""
    datastream: str = ""
    statistic: Literal["mean", "sum", "yearly", "last", "relative"] = "mean"
    scale: float = 1.0
    days: int = 90
    experiment: str = ""

    @property
    def source(self) -> str:
        """Return `indicator:NAME`, `datastream:NAME` or `experiment:CODE`."""
        if self.experiment:
            return f"experiment:{self.experiment}"
        return f"indicator:{self.indicator}" if self.indicator else f"datastream:{self.datastream}"


class Hypothesis(msgspec.Struct, frozen=True):
    """One quantity that the case rests on, with how far it may be wrong and where it comes from."""

    name: str
    title: Text
    value: float
    unit: Text = Text("", "")
    low: float | None = None
    high: float | None = None
    law: Law = "triangular"
    source: Text = Text("", "")
    confirmed: bool = False
    bound: Binding | None = None

    @property
    def uncertain(self) -> bool:
        """True when a range is given for it."""
        return self.low is not None and self.high is not None and self.low < self.high and self.law != "fixed"


class Line(msgspec.Struct, frozen=True):
    """One line: an amount for each year of the case (a formula each; None: nothing that year).

    `by` bears it (costs) or receives it; a transfer goes from `by` to `to`.
    """

    key: str
    title: Text
    kind: Kind
    by: str
    amounts: tuple[Formula | None, ...]
    to: str = ""
    cash: bool = True
    growth: float = 0.0
    deflator: float = 1.0
    accounts: tuple[str, ...] = ()
    function: str = ""
    source: Text = Text("", "")
    output: str = ""


class Contract(msgspec.Struct, frozen=True):
    """One way of buying the same service: who carries the capital and at what rate, margin, taxes, risk, exit.

    Rates and shares are fractions; amounts are euros of the case's prices. See `contracts.py` for what each does.
    """

    form: Literal["regie", "marche", "concession", "marche_de_partenariat", "logiciel_libre_mutualise"]
    title: Text
    rate: float = 0.0
    margin: float = 0.0
    vat: float = 0.0
    fctva: float = 0.0
    overrun: float = 0.0
    risk_carried: float = 0.0
    management: float = 0.0
    efficiency: float = 0.0
    towns: int = 1
    shared: float = 0.0
    coordination: float = 0.0
    exit_data: float = 0.0
    exit_equipment: float = 0.0
    exit_notice_months: float = 0.0
    receipts: tuple[Formula | None, ...] = ()
    source: Text = Text("", "")


class Prices(msgspec.Struct, frozen=True):
    """What the amounts are in: constant money of a year, with or without taxes."""

    year: int
    currency: str
    tax: Literal["HT", "TTC"]
    deflators: dict[int, float] = {}


class BusinessCase(msgspec.Struct, frozen=True):
    """A whole case, checked."""

    title: Text
    start: int
    years: int
    parameters: ParameterSet
    prices: Prices
    hypotheses: dict[str, Hypothesis]
    lines: tuple[Line, ...]
    actors: dict[str, Actor]
    contracts: tuple[Contract, ...] = ()
    service: str = ""
    summary: Text = Text("", "")
    beta: float | None = None
    cofp: float | None = None
    financial_rate: float = 0.04
    optimism: dict[str, float] = {}
    outputs: dict[str, tuple[Text, Formula]] = {}
    seed: int = 1
    compare: ParameterSet | None = None

    @property
    def calendar(self) -> tuple[int, ...]:
        """Return the years of the case."""
        return tuple(range(self.start, self.start + self.years))

    @property
    def asked(self) -> frozenset[str]:
        """Return the names that the amounts of its lines ask for."""
        return frozenset(n for line in self.lines for a in line.amounts if a is not None for n in a.names)

    def rates(self, beta: float | None = None) -> dict[int, float]:
        """Return from which year (0 is the first) on which discount rate holds."""
        return self.parameters.rate.by_year(self.beta if beta is None else beta)

    @property
    def public_cost(self) -> float:
        """Return the opportunity cost of public funds."""
        return self.parameters.cofp.value if self.cofp is None else self.cofp

    def prices_of_year(self) -> dict[str, np.ndarray]:
        """Return the prices of the parameter set that formulas may name, one for each year, in the case's prices.

        Those of another year are in only when the case says how prices moved since (`prices.deflators`).
        """
        years = np.array(self.calendar, float)
        found: dict[str, np.ndarray] = {}
        carbon = self.parameters.carbon
        if carbon is not None and self.deflator(carbon.price_year) is not None:
            found["carbon"] = carbon.at(years) * (self.deflator(carbon.price_year) or 1.0)
        for name, value in self.parameters.values.items():
            factor = self.deflator(value.price_year)
            if factor is not None:
                found[name] = np.full(len(years), value.value * factor)
        return found

    def deflator(self, price_year: int) -> float | None:
        """Return what makes prices of a year prices of the case; None when the case does not say (0: no price)."""
        if price_year in (0, self.prices.year):
            return 1.0
        return self.prices.deflators.get(price_year)
