"""Contract forms side by side: the same physical scenario, bought in five ways, as the town's own money.

The physical scenario is what the lines of kind `investment`, `running`, `staff` and `residual` cost the local authority.
What changes is who carries the capital and at what rate, the margin, the taxes, the risk, and what it costs to leave:

- **régie**: the town invests (VAT, then the FCTVA back a year later) and runs; the overrun is all its own.
- **marché**: the same, the running bought with a margin.
- **concession**: the operator invests and runs, keeps the receipts of users, and is paid the level subsidy that gives it
  its rate (below nothing: it pays the town, a *redevance*).
- **marché de partenariat**: a level rent repays the operator's capital at its rate, running and margin on top.
- **logiciel libre mutualisé**: the share `shared` of the costs is divided between `towns`, each adds its `coordination`.

All in constant money, worth today at the discount rate of the case.
"""

import math

import msgspec
import numpy as np

from beffroi.evaluation.case import money
from beffroi.evaluation.case.flows import Array, base_values, signed_amounts
from beffroi.evaluation.case.model import BusinessCase, Contract

__all__ = ["ContractFigures", "Scenario", "compare_contracts", "physical_scenario"]


class Scenario(msgspec.Struct, frozen=True):
    """What the service costs, whoever buys it: capital, purchases, staff and what is left, a year each (all ≥ 0)."""

    capital: tuple[float, ...]
    purchases: tuple[float, ...]
    staff: tuple[float, ...]
    residual: tuple[float, ...]


class ContractFigures(msgspec.Struct, frozen=True):
    """One form: what the town pays each year, what that is worth today, what leaving costs at the end of each year.

    `level`: the yearly subsidy or rent. `break_even`: from how many towns on sharing is the cheapest (None: never, or
    it is not shared). `towns`: the value today by number of towns, for a form that is shared.
    """

    form: str
    title: str
    payments: tuple[float, ...]
    value: float
    level: float | None
    exits: tuple[float, ...]
    break_even: int | None = None
    towns: tuple[tuple[int, float], ...] = ()


def physical_scenario(case: BusinessCase) -> Scenario:
    """Return the physical scenario of a case."""
    found = {kind: np.zeros(case.years) for kind in ("investment", "running", "staff", "residual")}
    for line, amount in zip(case.lines, signed_amounts(case), strict=True):
        if line.kind in found and line.by == "collectivite":
            found[line.kind] += np.abs(amount)
    capital, purchases, staff, residual = (tuple(map(float, v)) for v in found.values())
    return Scenario(capital, purchases, staff, residual)


def compare_contracts(case: BusinessCase) -> list[ContractFigures]:
    """Return each contract of the case, in its order."""
    scenario = physical_scenario(case)
    found = [_Form(case, contract, scenario).figures() for contract in case.contracts]
    others = [f.value for f in found if f.form != "logiciel_libre_mutualise"]
    done = []
    for contract, figures in zip(case.contracts, found, strict=True):
        shared = figures.form == "logiciel_libre_mutualise"
        form = _Form(case, contract, scenario)
        done.append(form.with_towns(figures, min(others, default=None)) if shared else figures)
    return done


class _Form:
    """One form of contract over the scenario."""

    def __init__(self, case: BusinessCase, contract: Contract, scenario: Scenario) -> None:
        self.case, self.contract = case, contract
        self.factors = money.discount_factors(case.rates(), case.years)
        # what the private side saves of the costs, what it spends too much, and who bears that
        saved = 1.0 - contract.efficiency
        self.capital = np.array(scenario.capital) * saved
        self.purchases = np.array(scenario.purchases) * saved
        self.staff = np.array(scenario.staff)
        self.residual = np.array(scenario.residual)
        self.overrun = 1.0 + contract.overrun * (1.0 - contract.risk_carried)

    def figures(self) -> ContractFigures:
        payments, level = getattr(self, f"_{self.contract.form}")()
        payments = payments + self.contract.management
        return ContractFigures(
            self.contract.form, self.contract.title.fr, tuple(map(float, payments)), float(payments @ self.factors),
            level, tuple(map(float, self._exits(level))),
        )  # fmt: skip

    # --- what the town pays each year
    def _bought_capital(self, capital: Array) -> Array:
        """Return what capital costs the town that invests: with VAT, the FCTVA coming back the year after."""
        paid = capital * self.overrun * (1.0 + self.contract.vat)
        back = np.zeros_like(paid)
        back[1:] = paid[:-1] * self.contract.fctva
        return paid - back

    def _regie(self) -> tuple[Array, float | None]:
        running = self.purchases * (1.0 + self.contract.vat) * self.overrun
        return self._bought_capital(self.capital) + running + self.staff - self.residual, None

    def _marche(self) -> tuple[Array, float | None]:
        bought = self.purchases * (1.0 + self.contract.margin) * (1.0 + self.contract.vat) * self.overrun
        return self._bought_capital(self.capital) + bought + self.staff - self.residual, None

    def _receipts(self) -> Array:
        found = np.zeros(self.case.years)
        values, prices = base_values(self.case), self.case.prices_of_year()
        for t, amount in enumerate(self.contract.receipts):
            if amount is not None:
                known = {
                    **values,
                    **{n: p[t] for n, p in prices.items()},
                    "t": t,
                    "year": self.case.start + t,
                }
                found[t] = float(amount.value(known))
        return found

    def _level(self, needs: Array) -> float:
        """Return the level yearly payment that is worth `needs` at the operator's rate."""
        factors = money.discount_factors({0: self.contract.rate}, self.case.years)
        return float(needs @ factors / factors.sum())

    def _concession(self) -> tuple[Array, float | None]:
        running = (self.purchases + self.staff) * (1.0 + self.contract.margin)
        needs = self.capital * self.overrun + running * self.overrun - self._receipts() - self.residual
        level = self._level(needs)
        return np.full(self.case.years, level), level

    def _marche_de_partenariat(self) -> tuple[Array, float | None]:
        running = (self.purchases + self.staff) * (1.0 + self.contract.margin) * self.overrun
        rent = self._level(self.capital * self.overrun - self.residual)
        taxed = (rent + running) * (1.0 + self.contract.vat)
        back = np.zeros(self.case.years)
        back[1:] = rent * (1.0 + self.contract.vat) * self.contract.fctva
        return taxed - back, rent

    def _logiciel_libre_mutualise(self) -> tuple[Array, float | None]:
        return self._shared_by(self.contract.towns), None

    def _shared_by(self, towns: int) -> Array:
        whole, _ = self._marche()
        share = self.contract.shared
        return whole * (1.0 - share) + whole * share / towns + self.contract.coordination

    # --- leaving
    def _exits(self, level: float | None) -> Array:
        """Return what it costs to leave at the end of each year: data, equipment, notice, capital still owed."""
        contract = self.contract
        left = np.arange(self.case.years - 1, -1, -1)
        worn = float(self.capital.sum()) * left / self.case.years
        cost = contract.exit_data + contract.exit_equipment * worn
        monthly = self.purchases * (1.0 + contract.margin) / 12.0
        cost = cost + contract.exit_notice_months * monthly * (left > 0)
        if contract.form in ("concession", "marche_de_partenariat") and level is not None:
            cost = cost + self._owed()
        return np.where(left > 0, cost, contract.exit_data)

    def _owed(self) -> Array:
        """Return the operator's capital that level payments have not repaid yet, at the end of each year."""
        rate, needs = self.contract.rate, self.capital * self.overrun - self.residual
        level, owed, found = self._level(needs), 0.0, []
        for need in needs:
            owed = max(0.0, owed * (1.0 + rate) + float(need) - level)
            found.append(owed)
        return np.array(found)

    # --- sharing
    def with_towns(self, figures: ContractFigures, cheapest: float | None) -> ContractFigures:
        """Return the figures with the value by number of towns and the break-even against the cheapest other form."""
        worth = [
            (n, float((self._shared_by(n) + self.contract.management) @ self.factors))
            for n in (1, 2, 3, 5, 8, 10, 15, 20, 30, 50)
        ]
        if cheapest is None:
            return msgspec.structs.replace(figures, towns=tuple(worth))
        whole = float(self._marche()[0] @ self.factors)
        own = float((self.contract.coordination + self.contract.management) * self.factors.sum()) + whole * (
            1.0 - self.contract.shared
        )
        room, common = cheapest - own, whole * self.contract.shared
        even = None if room <= 0 else max(1, math.ceil(common / room - 1e-9))
        return msgspec.structs.replace(figures, towns=tuple(worth), break_even=even)
