"""Compute: the figures of a business case (French public cost-benefit analysis, guide of 2017 and its complements).

    VAN-SE = Σ (A_t − C_t) f_t − (COFP − 1) Σ DPN_t f_t        f_t: discount factor, t = 0 the first year

Every actor's account is kept; transfers sum to zero each year, and the actors' values less the COFP term are VAN-SE.
"""

from typing import Any

import msgspec
import numpy as np

from beffroi.evaluation.case import money
from beffroi.evaluation.case.flows import (
    Array,
    base_values,
    net_public_spending,
    signed_amounts,
    social_flows,
)
from beffroi.evaluation.case.model import BusinessCase

__all__ = ["ActorAccount", "Figures", "LineAccount", "figures_of", "van_of"]

COSTS = ("investment", "running", "staff", "residual")
TOO_SMALL = 1e-9


class LineAccount(msgspec.Struct, frozen=True):
    """One line: its amount of each year (costs below zero) and what they are worth today."""

    key: str
    kind: str
    by: str
    amounts: tuple[float, ...]
    value: float


class ActorAccount(msgspec.Struct, frozen=True):
    """What one actor gains (or loses) over the years, today: by real flows and by transfers."""

    name: str
    real: tuple[float, ...]
    transfers: tuple[float, ...]
    real_value: float
    transfer_value: float

    @property
    def value(self) -> float:
        """Return the whole."""
        return self.real_value + self.transfer_value


class Figures(msgspec.Struct, frozen=True):
    """The figures of a case. `tri`: every internal rate; `status`: "one", "none" or "several" of them."""

    van: float
    van_without_cofp: float
    van_with_time: float
    cofp_term: float
    public_spending: float
    van_per_public_euro: float | None
    tri: tuple[float, ...]
    tri_status: str
    costs: float
    benefits: float
    eac: float
    tco: float
    tco_nominal: float
    payback: float | None
    discounted_payback: float | None
    financial_van: float
    financial_tri: tuple[float, ...]
    unit_costs: dict[str, float | None]
    social: tuple[float, ...]
    spending: tuple[float, ...]
    cash: tuple[float, ...]
    factors: tuple[float, ...]
    lines: tuple[LineAccount, ...]
    actors: tuple[ActorAccount, ...]


def van_of(
    case: BusinessCase, values: Any = None, *, beta: float | None = None, cofp: float | None = None
) -> Any:
    """Return VAN-SE with some hypotheses replaced: a number, or one for each row when they are columns."""
    amounts = signed_amounts(case, values)
    factors = money.discount_factors(case.rates(beta), case.years)
    cost = (case.public_cost if cofp is None else cofp) - 1.0
    flows = social_flows(case, amounts) - cost * net_public_spending(case, amounts)
    return flows @ factors


def _tuple(values: Array) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def figures_of(case: BusinessCase) -> Figures:
    """Return every figure of a case."""
    amounts = signed_amounts(case)
    factors = money.discount_factors(case.rates(), case.years)
    social, spending = social_flows(case, amounts), net_public_spending(case, amounts)
    term = (case.public_cost - 1.0) * float(spending @ factors)
    without = float(social @ factors)
    public = float(spending @ factors)
    costs = sum(
        (-a for line, a in zip(case.lines, amounts, strict=True) if line.kind in COSTS), np.zeros(case.years)
    )
    time = sum(
        float(a @ factors)
        for line, a in zip(case.lines, amounts, strict=True)
        if line.kind == "unreleased_time"
    )
    tri = money.internal_rates(social - (case.public_cost - 1.0) * spending)
    cash = _town_cash(case, amounts)
    financial = money.discount_factors({0: case.financial_rate}, case.years)
    value = float(costs @ factors)
    return Figures(
        van=without - term, van_without_cofp=without, van_with_time=without - term + time, cofp_term=term, public_spending=public,
        van_per_public_euro=(without - term) / public if public > TOO_SMALL else None,
        tri=tuple(tri), tri_status={0: "none", 1: "one"}.get(len(tri), "several"),
        costs=value, benefits=without + value, eac=value / float(money.discount_factors(case.rates(), case.years + 1)[1:].sum()),
        tco=value, tco_nominal=float(costs.sum()), payback=money.payback(social), discounted_payback=money.discounted_payback(social, factors),
        financial_van=float(cash @ financial), financial_tri=tuple(money.internal_rates(cash)),
        unit_costs=_unit_costs(case, value, factors), social=_tuple(social), spending=_tuple(spending), cash=_tuple(cash), factors=_tuple(factors),
        lines=tuple(LineAccount(line.key, line.kind, line.by, _tuple(a), float(a @ factors)) for line, a in zip(case.lines, amounts, strict=True)),
        actors=_actors(case, amounts, factors),
    )  # fmt: skip


def _town_cash(case: BusinessCase, amounts: list[Array]) -> Array:
    """Return the local authority's own money of each year."""
    total = np.zeros(case.years)
    for line, amount in zip(case.lines, amounts, strict=True):
        if not line.cash:
            continue
        if line.kind == "transfer":
            total += amount * (int(line.to == "collectivite") - int(line.by == "collectivite"))
        elif line.by == "collectivite":
            total += amount
    return total


def _unit_costs(case: BusinessCase, costs: float, factors: Array) -> dict[str, float | None]:
    """Return the levelised cost of one unit of each useful output: worth of the costs over worth of the outputs."""
    prices = case.prices_of_year()
    found: dict[str, float | None] = {}
    for name, (_, amount) in case.outputs.items():
        years = {"t": np.arange(case.years, dtype=float), "year": np.array(case.calendar, float)}
        known = {**base_values(case), **prices, **years}
        made = np.broadcast_to(
            np.asarray(amount.value({n: known[n] for n in amount.names}), float), (case.years,)
        )
        total = float(made @ factors)
        found[name] = costs / total if total > TOO_SMALL else None
    return found


def _actors(case: BusinessCase, amounts: list[Array], factors: Array) -> tuple[ActorAccount, ...]:
    real = {name: np.zeros(case.years) for name in case.actors}
    moved = {name: np.zeros(case.years) for name in case.actors}
    seen: set[str] = set()
    for line, amount in zip(case.lines, amounts, strict=True):
        if line.kind == "unreleased_time":
            continue
        seen |= {line.by, line.to} - {""}
        if line.kind == "transfer":
            moved[line.by] -= amount
            moved[line.to] += amount
        else:
            real[line.by] += amount
    return tuple(
        ActorAccount(name, _tuple(real[name]), _tuple(moved[name]), float(real[name] @ factors), float(moved[name] @ factors))
        for name in case.actors if name in seen
    )  # fmt: skip
