"""Discounting against published tables, closed forms and numpy-financial."""

import math

import numpy as np
import numpy_financial
import pytest

from beffroi.evaluation.case import money
from beffroi.evaluation.case.parameters import SETS, parameter_set


@pytest.mark.parametrize(
    ("year", "factor"), [(10, 0.7089), (30, 0.3563), (50, 0.1973), (75, 0.0942), (125, 0.0274)]
)
def test_the_green_book_factors_are_those_of_its_table(year: int, factor: float) -> None:
    factors = money.discount_factors(parameter_set("uk-greenbook").rate.by_year(), 126)
    assert abs(factors[year] - factor) < 1e-4


def test_in_france_a_euro_is_worth_half_after_22_years() -> None:
    factors = money.discount_factors(parameter_set("fr-2025").rate.by_year(), 23)
    assert abs(factors[22] - 0.5001) < 1e-4
    assert factors[0] == 1.0
    assert parameter_set("fr-2025").rate.by_year(beta=0.0) == {0: 0.012}
    assert parameter_set("fr-2025").rate.by_year(beta=2.0)[0] == pytest.approx(0.052)


@pytest.mark.parametrize(
    ("name", "year", "price"), [("fr-2025", 2030, 300), ("fr-2025", 2050, 563), ("fr-2025", 2040, 411), ("fr-2019", 2030, 250)]
)  # fmt: skip
def test_the_carbon_path_passes_through_its_published_years(name: str, year: int, price: float) -> None:
    path = parameter_set(name).carbon
    assert path is not None
    assert round(float(path.at(np.array([float(year)]))[0])) == price


@pytest.mark.parametrize("name", SETS)
def test_every_value_of_a_set_says_where_it_comes_from(name: str) -> None:
    chosen = parameter_set(name)
    sources = [chosen.rate.source, chosen.cofp.source, *(v.source for v in chosen.values.values())]
    sources += [] if chosen.carbon is None else [chosen.carbon.source]
    assert all(len(s.fr) > 20 and len(s.en) > 20 for s in sources)
    assert chosen.name == name
    # what the field notes mark as from memory is said to be so
    assert "cofp" in dict(chosen.unconfirmed())


def test_values_and_rates_equal_numpy_financial_on_a_thousand_random_flows() -> None:
    chance = np.random.default_rng(6)
    worst_value = worst_rate = 0.0
    compared = 0
    for _ in range(1_000):
        count = int(chance.integers(2, 41))
        flows = chance.normal(100, 60, count)
        flows[0] = -chance.uniform(50, 3_000)
        rate = float(chance.uniform(-0.05, 0.2))
        mine = money.present_value(flows, money.discount_factors({0: rate}, count))
        theirs = float(numpy_financial.npv(rate, flows))
        worst_value = max(worst_value, abs(mine - theirs) / max(1.0, abs(theirs)))
        found, known = money.internal_rates(flows), float(numpy_financial.irr(flows))
        if math.isnan(known):
            assert found == []
            continue
        compared += 1
        worst_rate = max(worst_rate, min(abs(r - known) for r in found))
        for r in found:
            here = money.present_value(flows, money.discount_factors({0: r}, count))
            size = money.present_value(np.abs(flows), money.discount_factors({0: r}, count))
            assert abs(here) <= 1e-9 * size
    assert worst_value <= 1e-9
    assert worst_rate <= 1e-9
    assert compared > 700


def test_no_rate_and_several_rates_are_told_apart() -> None:
    assert money.internal_rates([100, 50, 20]) == []
    assert money.internal_rates([-100, 10, 10, -5]) == []
    assert money.internal_rates([-100, 230, -132]) == pytest.approx([0.1, 0.2], abs=1e-9)
    # three of them, put there on purpose: r = 0, 100 % and 200 %
    assert money.internal_rates([-1, 6, -11, 6]) == pytest.approx([0.0, 1.0, 2.0], abs=1e-9)
    assert money.internal_rates([-100, 220, -121]) == pytest.approx([0.1], abs=1e-6)
    assert money.internal_rates([0, 0, -100, 110]) == pytest.approx([0.1], abs=1e-12)


def test_an_annuity_is_worth_its_value_and_equals_pmt() -> None:
    for rate, years in ((0.032, 20), (0.04, 24), (0.0, 7)):
        paid = money.annuity(1000.0, rate, years)
        assert paid == pytest.approx(-float(numpy_financial.pmt(rate, years, 1000.0)), abs=1e-9)
        assert sum(paid / (1 + rate) ** t for t in range(1, years + 1)) == pytest.approx(1000.0)


def test_raleigh_led_annual_costs_are_reproduced_to_their_rounding() -> None:
    """City of Raleigh, parking deck lighting, April 2012, table 2: 4 %, 2012 to 2035 (24 years), millions of dollars.

    The document says: present values are less the salvage (straight line), annual costs are not; eight decks; LED last 12
    or 24 years. What lasts whole lives has no salvage: the status quo and the change-out at one time follow from table 2 alone.
    Phased by two decks a year, the salvage follows too: the two lives of the change-out at one time differ by the second
    change, in its thirteenth year. The option triggered by a fall in price starts in a year, and pays prices, that are not
    published: what its two figures ask of the salvage is all that can be said.
    """
    rate, years = 0.04, 24
    last = (1 + rate) ** -years

    def annual(value: float) -> float:
        return round(money.annuity(value, rate, years), 2)

    assert [annual(v) for v in (6.4, 6.4, 6.7, 5.2)] == [0.42, 0.42, 0.44, 0.34]
    second = (6.7 - 5.2) * (1 + rate) ** 12  # price of changing all decks once more
    left = [second / 4 * sum(late / life for late in (0, 1, 2, 3)) * last for life in (12, 24)]
    assert [annual(v + s) for v, s in zip((6.1, 4.8), left, strict=True)] == [0.41, 0.32]
    assert [annual(v) for v in (6.1, 4.8)] == [0.4, 0.31]  # without the salvage they are not
    one = money.annuity(1.0, rate, years)
    asked = [((e - 0.005) / one - v, (e + 0.005) / one - v) for v, e in ((6.3, 0.42), (5.2, 0.36))]
    assert [[round(s, 2) for s in span] for span in asked] == [[0.03, 0.18], [0.21, 0.37]]


def test_paybacks_are_those_counted_by_hand() -> None:
    assert money.payback([-100, 40, 40, 40]) == pytest.approx(2.5)
    assert money.payback([-100, 40, 40]) is None
    assert money.payback([10, 10]) == 0.0
    # paid back, then spent again: only the last time counts
    assert money.payback([-100, 150, -100, 40, 40]) == pytest.approx(3.25)
    assert money.discounted_payback([-100, 110], money.discount_factors({0: 0.1}, 2)) == pytest.approx(1.0)
