"""Report: the figures of a case as one JSON document, the answer of `beffroi case compute`."""

from typing import Any

from beffroi.evaluation.case.accounts import Reconciliation
from beffroi.evaluation.case.compute import Figures
from beffroi.evaluation.case.measured import Loop
from beffroi.evaluation.case.model import BusinessCase
from beffroi.evaluation.case.whole import Computed

__all__ = ["report_of"]


def report_of(
    whole: Computed,
    language: str = "fr",
    *,
    reconciliation: Reconciliation | None = None,
    loop: Loop | None = None,
) -> dict[str, Any]:
    """Return every figure of a case, money in its prices, rates as fractions."""
    case, figures, simulation = whole.case, whole.figures, whole.simulation
    report: dict[str, Any] = {
        "title": case.title.of(language), "service": case.service, "years": [case.calendar[0], case.calendar[-1]],
        "prices": {"year": case.prices.year, "currency": case.prices.currency, "tax": case.prices.tax},
        "parameters": _parameters(case, language), **_main(figures), "by_year": _by_year(case, figures),
        "lines": [
            {"key": one.key, "title": line.title.of(language), "kind": one.kind, "by": one.by, "value": one.value, "amounts": list(one.amounts)}
            for one, line in zip(figures.lines, case.lines, strict=True)
        ],
        "actors": [
            {"name": a.name, "title": case.actors[a.name].title.of(language), "value": a.value, "real": a.real_value, "transfers": a.transfer_value,
             "real_by_year": list(a.real), "transfers_by_year": list(a.transfers)}
            for a in figures.actors
        ],
        "contracts": [
            {"form": c.form, "title": terms.title.of(language), "value": c.value, "payments": list(c.payments), "level": c.level,
             "exit_costs": list(c.exits), "break_even_towns": c.break_even, "by_towns": [list(t) for t in c.towns]}
            for c, terms in zip(whole.contracts, case.contracts, strict=True)
        ],
        "tornado": [{"name": b.name, "low": b.low, "high": b.high, "van_low": b.van_low, "van_high": b.van_high} for b in whole.bars],
        "switching_values": [{"name": s.name, "value": s.value, "switch": s.switch, "change": s.change} for s in whole.switches],
        "monte_carlo": None if simulation is None else {
            "draws": simulation.draws, "seed": simulation.seed, "mean": simulation.mean, "sd": simulation.deviation, "p05": simulation.p05,
            "p50": simulation.p50, "p95": simulation.p95, "p_below_zero": simulation.below_zero,
        },
    }  # fmt: skip
    found = whole.comparison
    if found is not None:
        report["comparison"] = {
            "own": found.own, "other": found.other, "van": found.van, "with_rate": found.with_rate, "with_carbon": found.with_carbon,
            "with_other": found.with_other, "rate_effect": found.rate_effect, "carbon_effect": found.carbon_effect,
        }  # fmt: skip
    if reconciliation is not None:
        report["accounts"] = _accounts(reconciliation, language)
    if loop is not None:
        report["loop"] = _loop(loop)
    return report


def _main(figures: Figures) -> dict[str, Any]:
    return {
        "van": figures.van, "van_without_cofp": figures.van_without_cofp, "van_with_unreleased_time": figures.van_with_time,
        "cofp_term": figures.cofp_term, "public_spending": figures.public_spending, "van_per_public_euro": figures.van_per_public_euro,
        "tri": list(figures.tri), "tri_status": figures.tri_status, "costs": figures.costs, "benefits": figures.benefits,
        "eac": figures.eac, "tco": figures.tco, "tco_undiscounted": figures.tco_nominal, "payback": figures.payback,
        "discounted_payback": figures.discounted_payback, "financial_van": figures.financial_van,
        "financial_tri": list(figures.financial_tri), "unit_costs": figures.unit_costs,
    }  # fmt: skip


def _parameters(case: BusinessCase, language: str) -> dict[str, Any]:
    chosen = case.parameters
    rates, used = case.rates(), {"rate", "cofp"} | case.asked
    return {
        "name": chosen.name, "version": chosen.version, "date": chosen.date.isoformat(), "rates": {str(k): v for k, v in rates.items()},
        "rate_source": chosen.rate.source.of(language), "cofp": case.public_cost,
        "carbon": None if chosen.carbon is None else {"price_year": chosen.carbon.price_year, "source": chosen.carbon.source.of(language)},
        "unconfirmed": [{"name": name, "source": source.of(language)} for name, source in chosen.unconfirmed() if name in used],
    }  # fmt: skip


def _by_year(case: BusinessCase, figures: Figures) -> list[dict[str, Any]]:
    rows = zip(case.calendar, figures.factors, figures.social, figures.spending, figures.cash, strict=True)
    return [
        {"year": year, "factor": factor, "social": social, "public_spending": spending, "town_cash": cash}
        for year, factor, social, spending, cash in rows
    ]


def _accounts(found: Reconciliation, language: str) -> dict[str, Any]:
    return {
        "entries": found.entries, "unmatched": found.unmatched, "unmatched_amount": found.unmatched_amount, "without_account": list(found.unbooked),
        "lines": [{"key": r.key, "title": r.title.of(language), "year": r.year, "typed": r.typed, "booked": r.booked, "gap": r.gap, "agrees": r.agrees}
                  for r in found.lines],
    }  # fmt: skip


def _loop(loop: Loop) -> dict[str, Any]:
    return {
        "van_promised": loop.promised, "van_measured": loop.measured,
        "hypotheses": [
            {"name": k.name, "source": k.source, "promised": k.promised, "measured": None if k.measure is None else k.measure.value,
             "ratio": k.ratio, "within_range": k.within, "effect": k.effect}
            for k in loop.kept
        ],
    }  # fmt: skip
