"""The figures of a case against plain loops, closed forms and the identities that must hold."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.evaluation.case import money
from beffroi.evaluation.case.comparing import compare_sets
from beffroi.evaluation.case.compute import figures_of, van_of
from beffroi.evaluation.case.contracts import compare_contracts, physical_scenario
from beffroi.evaluation.case.measured import Measure, close_loop
from beffroi.evaluation.case.parameters import parameter_set
from beffroi.evaluation.case.reading import read_case
from beffroi.evaluation.case.uncertainty import simulate, switching_values, tornado


def test_a_case_of_two_years_is_what_one_counts_by_hand() -> None:
    case = read_case({
        "title": "Deux ans", "start": 2026, "years": 2, "cofp": 1.2, "beta": 1.9,
        "lines": [
            {"title": "Achat", "kind": "investment", "amount": 1000},
            {"title": "Gain", "kind": "benefit", "by": "usagers", "amount": 1500, "years": 2027},
            {"title": "Aide", "kind": "transfer", "from": "usagers", "to": "collectivite", "amount": 100, "years": 2027},
        ],
    })  # fmt: skip
    f = figures_of(case)
    assert f.factors == (1.0, pytest.approx(1 / 1.05))
    assert f.van_without_cofp == pytest.approx(-1000 + 1500 / 1.05)
    assert f.public_spending == pytest.approx(1000 - 100 / 1.05)
    assert f.van == pytest.approx(-1000 + 1500 / 1.05 - 0.2 * (1000 - 100 / 1.05))
    assert f.van_per_public_euro == pytest.approx(f.van / f.public_spending)
    assert f.tri == (pytest.approx((1500 + 20) / 1200 - 1),)
    assert f.tri_status == "one"
    assert f.payback == pytest.approx(2 / 3)
    assert f.eac == pytest.approx(money.annuity(1000, 0.05, 2))
    assert f.financial_van == pytest.approx(-1000 + 100 / 1.04)


def test_the_engine_equals_plain_loops(document: dict[str, Any]) -> None:
    """The same case written out as a person would, year by year."""
    f = figures_of(read_case(document))
    lamps, price, saved, kwh, tonnes = 1200, 450.5, 280, 0.18, 6e-5
    van = spending = 0.0
    for t in range(12):
        factor = 1.032**-t
        carbon = 256 * (300 / 256) ** (min(t + 1, 5) / 5) if t < 5 else 300 * (563 / 300) ** ((t - 4) / 20)
        running = 9600 * 1.02 ** (t - 1) if t >= 1 else 0.0
        staff = (12_000, 1_000, 1_000.5)[t] if t < 3 else 0.0
        power = lamps * saved * kwh if t >= 1 else 0.0
        capital = lamps * price * 1.1 if t == 0 else 0.0
        residual = price * lamps / 8 if t == 11 else 0.0
        green = lamps * saved * tonnes * carbon if t >= 1 else 0.0
        falls = 0.01 * 15_000 * 1.24
        van += factor * (power + green + falls + residual - capital - running - staff)
        spending += factor * (capital + running + staff - power - 500 * 1.116)
    assert f.van_without_cofp == pytest.approx(van, rel=1e-12)
    assert f.public_spending == pytest.approx(spending, rel=1e-12)
    assert f.van == pytest.approx(van - 0.2 * spending, rel=1e-12)
    assert f.van_with_time == pytest.approx(f.van + sum(3_000 * 1.032**-t for t in range(12)))
    assert f.unit_costs["lamp"] == pytest.approx(f.costs / sum(1200 * 1.032**-t for t in range(12)))


amounts = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 2))
kinds = st.sampled_from(
    ["investment", "running", "staff", "avoided", "benefit", "residual", "unreleased_time"]
)
actors = st.sampled_from(["collectivite", "etat", "usagers", "exploitant", "environnement"])


@given(
    real=st.lists(st.tuples(kinds, actors, amounts, st.booleans()), max_size=6),
    moved=st.lists(st.tuples(actors, actors, amounts, st.booleans()).filter(lambda t: t[0] != t[1]), min_size=1, max_size=6),
    years=st.integers(1, 30), cofp=st.floats(1, 2), beta=st.floats(0, 2),
)  # fmt: skip
@settings(max_examples=120)
def test_transfers_sum_to_zero_and_the_actors_add_up_to_the_whole(
    real: list[Any], moved: list[Any], years: int, cofp: float, beta: float
) -> None:
    lines = [{"title": "r", "kind": k, "by": a, "amount": x, "cash": c} for k, a, x, c in real]
    lines += [
        {"title": "m", "kind": "transfer", "from": a, "to": b, "amount": x, "cash": c} for a, b, x, c in moved
    ]
    f = figures_of(
        read_case({"title": "x", "start": 2026, "years": years, "cofp": cofp, "beta": beta, "lines": lines})
    )
    scale = max(1.0, sum(abs(x) for *_, x, _ in [*real, *moved]) * years)
    for t in range(years):
        assert abs(sum(a.transfers[t] for a in f.actors)) <= 1e-9 * scale
    assert abs(sum(a.value for a in f.actors) - f.cofp_term - f.van) <= 1e-9 * scale
    assert f.cofp_term == pytest.approx((cofp - 1) * f.public_spending, abs=1e-9 * scale)


def test_a_tornado_and_switching_values_are_the_case_computed_again(document: dict[str, Any]) -> None:
    case = read_case(document)
    bars = {bar.name: bar for bar in tornado(case)}
    assert set(bars) == {"lamps", "price", "saved", "kwh", "beta", "cofp"}
    assert [b.width for b in tornado(case)] == sorted((b.width for b in bars.values()), reverse=True)
    again = {**document, "hypotheses": {**document["hypotheses"], "kwh": {"value": 0.12}}}
    assert bars["kwh"].van_low == pytest.approx(figures_of(read_case(again)).van)
    assert bars["cofp"].van_low == pytest.approx(figures_of(case).van_without_cofp)
    assert bars["beta"].van_high == pytest.approx(figures_of(read_case({**document, "beta": 2})).van)
    found = {s.name: s.switch for s in switching_values(case)}
    for name in ("price", "saved", "kwh"):
        assert found[name] is not None
        assert abs(float(van_of(case, {name: found[name]}))) < 1.0
    never = read_case({"title": "x", "start": 2026, "years": 2, "hypotheses": {"a": {"value": 3}}, "lines": [{"title": "l", "kind": "benefit", "amount": "a * a + 1"}]})  # fmt: skip
    assert [s.switch for s in switching_values(never)] == [None]


def test_draws_are_those_of_the_seed_and_of_the_declared_laws(document: dict[str, Any]) -> None:
    case = read_case(document)
    first, again, other = simulate(case, 2_000), simulate(case, 2_000), simulate(case, 2_000, seed=9)
    assert first is not None
    assert other is not None
    assert first == again
    assert first.mean != other.mean
    assert first.p05 < first.p50 < first.p95
    assert sum(n for *_, n in first.bins) == 2_000
    # a uniform gain between 0 and 200 against a cost of 50: below nothing one time in four
    plain = read_case({
        "title": "x", "start": 2026, "years": 1, "cofp": 1, "hypotheses": {"g": {"value": 100, "low": 0, "high": 200, "law": "uniform"}},
        "lines": [{"title": "c", "kind": "running", "amount": 50}, {"title": "g", "kind": "benefit", "amount": "g"}],
    })  # fmt: skip
    drawn = simulate(plain, 40_000)
    assert drawn is not None
    assert abs(drawn.below_zero - 0.25) < 0.01
    assert abs(drawn.mean - 50) < 1
    assert (
        simulate(
            read_case(
                {
                    **document,
                    "hypotheses": {n: {"value": h["value"]} for n, h in document["hypotheses"].items()},
                }
            )
        )
        is None
    )


def test_the_two_french_sets_show_the_effects_of_the_rate_and_of_carbon_apart(
    document: dict[str, Any],
) -> None:
    case = read_case(document)
    found = compare_sets(case, parameter_set("fr-2019"))
    rate = figures_of(read_case({**document, "beta": 1.65})).van  # 1.2 % + 1.65 × 2 % = 4.5 %
    assert found.with_rate == pytest.approx(rate)
    assert found.rate_effect < 0
    assert found.carbon_effect is not None
    assert found.with_other == pytest.approx(found.with_carbon + found.rate_effect, rel=0.05)
    assert found.with_carbon != found.van


def test_measured_values_take_the_place_of_promised_ones(document: dict[str, Any]) -> None:
    case = read_case(document)
    loop = close_loop(case, {"saved": Measure(190.0, 0, 1)})
    again = figures_of(
        read_case({**document, "hypotheses": {**document["hypotheses"], "saved": {"value": 190}}})
    )
    assert loop.promised == pytest.approx(figures_of(case).van)
    assert loop.measured == pytest.approx(again.van)
    kept = {k.name: k for k in loop.kept}
    assert set(kept) == {"saved", "tonnes"}
    assert kept["saved"].ratio == pytest.approx(190 / 280)
    assert kept["saved"].within is False
    assert kept["saved"].effect == pytest.approx(again.van - loop.promised)
    assert kept["tonnes"].measure is None
    assert close_loop(case, {}).measured is None


def test_contract_forms_share_one_scenario_and_answer_by_their_own_rules(document: dict[str, Any]) -> None:
    case = read_case(document)
    scenario = physical_scenario(case)
    assert scenario.capital[0] == pytest.approx(1200 * 450.5 * 1.1)
    forms = {c.form: c for c in compare_contracts(case)}
    regie = forms["regie"]
    first = scenario.capital[0] * 1.15 * 1.2 + scenario.staff[0]
    assert regie.payments[0] == pytest.approx(first)
    second = (
        scenario.purchases[1] * 1.2 * 1.15 + scenario.staff[1] - scenario.capital[0] * 1.15 * 1.2 * 0.16404
    )
    assert regie.payments[1] == pytest.approx(second)
    # the operator of a concession earns exactly its rate
    concession = forms["concession"]
    operator = np.full(12, concession.level) + 500 - np.array(scenario.capital) + np.array(scenario.residual)
    operator -= (np.array(scenario.purchases) + np.array(scenario.staff)) * 1.1
    assert money.present_value(operator, money.discount_factors({0: 0.07}, 12)) == pytest.approx(0, abs=1e-6)
    assert money.internal_rates(operator) == pytest.approx([0.07], abs=1e-9)
    # leaving early costs the capital that is still owed; at the end, the data alone
    assert concession.exits[0] > concession.exits[5] > concession.exits[-1] == 8_000
    assert forms["marche"].exits[-1] == 5_000


def test_the_break_even_number_of_towns_is_the_first_that_is_the_cheapest(document: dict[str, Any]) -> None:
    forms = compare_contracts(read_case(document))
    cheapest = min(c.value for c in forms if c.form != "logiciel_libre_mutualise")
    even = next(c.break_even for c in forms if c.form == "logiciel_libre_mutualise")
    assert even is not None
    for towns in range(1, 8):
        document["contracts"][-1]["towns"] = towns
        value = compare_contracts(read_case(document))[-1].value
        assert (value <= cheapest + 1e-6) == (towns >= even)
    document["contracts"][-1].update(coordination=1e6)
    assert compare_contracts(read_case(document))[-1].break_even is None
