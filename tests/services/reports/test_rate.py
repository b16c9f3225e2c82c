"""The reporting rate: the watch, the estimator against simulation, the regression, the page, the extract."""

import hashlib
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import chi2

from beffroi.model.problem import Problem
from beffroi.services.reports.duplicates.log import Logged, read_log
from beffroi.services.reports.rate.bias import bias_of, explain
from beffroi.services.reports.rate.estimate import delay_gap, rate_of, rates_by
from beffroi.services.reports.rate.extract import write_extract
from beffroi.services.reports.rate.incidents import Incident, Told, incidents_of, incidents_of_log
from beffroi.services.reports.rate.reading import read_incidents
from beffroi.services.reports.rate.regression import fit_rates

RATES = (0.01, 0.03, 0.1, 0.3)


def test_the_first_report_and_repeat_callers_are_not_counted_and_the_watch_stops_in_time() -> None:
    told = [
        Told("a", 3.0, "N", "lamp", "p1", closed=10.0),
        Told("a", 1.0, "S", "tree", "p0"),  # the first one: it gives area and category
        Told("a", 4.0, by="p0"), Told("a", 5.0, by="p1"), Told("a", 6.0), Told("a", 7.0), Told("a", 10.0, by="p9"),
        Told("b", 0.0), Told("b", 99.0), Told("b", 101.0),
        Told("c", 0.0, inspected=2.0, closed=9.0), Told("c", 1.0), Told("c", 3.0),
        Told("d", 149.0), Told("d", 149.5),
        Told("e", 5.0, closed=5.005), Told("e", 5.001),
    ]  # fmt: skip
    assert incidents_of(told, end=150.0) == [
        Incident("S", "tree", 9.0, 3, 1.0, "a"), Incident("", "", 100.0, 1, 0.0, "b"), Incident("", "", 2.0, 1, 0.0, "c"),
        Incident("", "", 1.0, 1, 149.0, "d"),
    ]  # fmt: skip


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.sampled_from(["", "p", "q"])),
        min_size=1,
        max_size=12,
    )
)
def test_incidents_are_those_of_a_plain_count(rows) -> None:
    found = {i.name: i for i in incidents_of([Told(k, float(at), by=who) for k, at, who in rows], end=8.0)}
    for name in "ab":
        mine = sorted(((at, i, who) for i, (k, at, who) in enumerate(rows) if k == name), key=lambda r: r[0])
        if not mine or mine[0][0] >= 8:
            assert name not in found
            continue
        later = [who for at, _, who in mine[1:] if mine[0][0] < at < 8]
        people = {w for w in later if w} - {mine[0][2]}
        assert (found[name].days, found[name].duplicates) == (8.0 - mine[0][0], later.count("") + len(people))


def test_a_log_links_each_duplicate_to_the_open_report_of_its_place() -> None:
    def logged(number: int, day: int, completed: int | None, dup: bool, place: float) -> Logged:
        return Logged(f"11-{number}", day, completed, dup, "Other", "", "7", "3", place, 0.0)

    found = incidents_of_log([
        logged(1, 10, 14, False, 0), logged(2, 11, 14, True, 0), logged(3, 14, 14, True, 0), logged(4, 15, 20, True, 0),
        logged(5, 16, None, False, 50), logged(6, 16, 16, False, 90), logged(7, 17, 30, True, 50),
    ])  # fmt: skip
    assert [(i.name, i.days, i.duplicates) for i in found] == [("11-1", 4.0, 2), ("11-5", 14.0, 1)]


@given(st.integers(0, 5000), st.floats(0.1, 1e6))
def test_the_interval_is_the_exact_one_of_a_poisson_count(m, days) -> None:
    rate = rate_of([Incident("", "", days, m)])
    low, high = chi2.ppf(0.025, 2 * m) / 2 if m else 0.0, chi2.ppf(0.975, 2 * m + 2) / 2
    assert rate.high * days == pytest.approx(high, rel=0.01)
    # Byar's form is 2.5 % low at three, and worse below, where no rate is said to be known
    assert rate.low * days == pytest.approx(low, rel=0.02 if m > 3 else 0.026 if m == 3 else 0.6)
    assert rate.known == (m >= 30)
    if m:
        assert (rate.lambda_, rate.error, rate.delay) == pytest.approx(
            (m / days, math.sqrt(m) / days, days / m)
        )


def reported(chance: np.random.Generator, rate: float, n: int) -> list[Incident]:
    """Invent incidents that live some weeks and are reported at `rate` a day, and see them as a town does."""
    told = []
    life = chance.exponential(40, n)
    for i in range(n):
        times = np.sort(chance.uniform(0, life[i], chance.poisson(rate * life[i])))
        told += [Told(str(i), float(t), closed=float(life[i])) for t in times]
    return incidents_of(told, end=1e9)


@pytest.mark.parametrize("true", RATES)
def test_the_estimator_finds_the_rate_that_made_the_reports(true: float) -> None:
    rate = rate_of(reported(np.random.default_rng(5), true, int(600 / true)))
    assert rate.lambda_ == pytest.approx(true, rel=0.05)


@pytest.mark.parametrize("true", RATES)
def test_intervals_cover_as_they_say(true: float) -> None:
    chance, covered = np.random.default_rng(11), 0
    for _ in range(200):
        days = np.minimum(chance.exponential(40, 300), 100)
        rate = rate_of(
            [
                Incident("", "", float(t), int(m))
                for t, m in zip(days, chance.poisson(true * days), strict=True)
            ]
        )
        covered += rate.low <= true <= rate.high
    assert 180 <= covered <= 198


def invented(n: int, seed: int) -> tuple[list[Incident], np.ndarray]:
    chance = np.random.default_rng(seed)
    areas, kinds = {"n": 0.25, "s": -0.25}, {"x": 0.3, "y": -0.3}
    x = chance.normal(size=(n, 2))
    area, kind = chance.choice(list(areas), n), chance.choice(list(kinds), n)
    rate = np.exp(
        -3 + np.array([areas[a] for a in area]) + np.array([kinds[k] for k in kind]) + x @ [0.3, -0.2]
    )
    days = np.minimum(chance.exponential(40, n) + 0.1, 100)
    m = np.where(chance.random(n) < 0.45, 0, chance.poisson(rate * days))
    return [
        Incident(str(a), str(k), float(t), int(c)) for a, k, t, c in zip(area, kind, days, m, strict=True)
    ], x


def test_the_zero_inflated_regression_recovers_what_made_the_data() -> None:
    incidents, x = invented(30_000, 4)
    fit = fit_rates(incidents, x)
    assert fit.theta.value == pytest.approx(0.45, abs=0.03)
    found = [
        fit.intercept,
        fit.areas["n"],
        fit.areas["s"],
        fit.categories["x"],
        fit.categories["y"],
        *fit.covariates,
    ]
    assert [e.value for e in found] == pytest.approx([-3, 0.25, -0.25, 0.3, -0.3, 0.3, -0.2], abs=0.02)
    assert all(0.002 < e.error < 0.02 for e in found)
    assert sum(e.value for e in fit.areas.values()) == pytest.approx(0, abs=1e-12)


def test_the_slopes_of_the_regression_are_those_of_finite_differences() -> None:
    from beffroi.services.reports.rate.regression import _Lines, _prior, _slopes, _sum_to_zero

    incidents, x = invented(200, 8)
    design = np.hstack([np.ones((200, 1)), x])
    log_t, m = np.log([i.days for i in incidents]), np.array([i.duplicates for i in incidents], float)
    prior = np.diag([0.0, 0.04, 1.0, 1.0])
    at = np.array([-0.3, -2.5, 0.2, 0.1])
    lines = _Lines(design, np.arange(200), log_t, m)
    height, slope, bend = _slopes(at, lines, prior)
    assert math.isfinite(height)
    assert slope == pytest.approx(approx_fprime(at, lambda v: _slopes(v, lines, prior)[0], 1e-6), abs=1e-3)
    for i in range(4):
        assert bend[i] == pytest.approx(
            approx_fprime(at, lambda v, i=i: _slopes(v, lines, prior)[1][i], 1e-6), abs=1e-3
        )
    # the prior of sum-zero effects is that of the paper: N(0, 1/sqrt(1 - 1/K)) on each of the K effects
    coding = _sum_to_zero(4)
    assert _prior(coding, _sum_to_zero(1), 0, np.zeros((4, 4)))[2:, 2:] == pytest.approx(
        coding.T @ coding * (1 - 1 / 4)
    )


def test_incidents_of_one_area_and_category_may_share_a_line_of_the_design() -> None:
    """The same fit when each incident has a line of its own, as with covariates (here of no effect at all)."""
    some = [Incident("ab"[n % 2], "xyz"[n % 3], 10.0 + n % 7, (n * n) % 4) for n in range(300)]
    shared, own = fit_rates(some), fit_rates(some, covariates=np.zeros((300, 1)))
    assert own.theta.value == pytest.approx(shared.theta.value, rel=1e-9)
    for name in ("areas", "categories"):
        assert {k: e.value for k, e in getattr(own, name).items()} == pytest.approx(
            {k: e.value for k, e in getattr(shared, name).items()}, abs=1e-9
        )


def test_areas_that_touch_are_smoothed() -> None:
    incidents = [Incident(a, "", 50.0, m) for a, m in (("a", 2), ("b", 0), ("c", 9))] + [
        Incident("a", "", 50.0, 1)
    ]
    alone = fit_rates(incidents).areas
    touching = fit_rates(incidents, neighbours=[("a", "b"), ("c", "b"), ("b", "a")], smoothing=100.0).areas
    assert max(e.value for e in touching.values()) < 0.3 * max(e.value for e in alone.values())


def test_without_a_duplicate_there_is_no_fit_and_the_rate_is_not_known() -> None:
    with pytest.raises(Problem, match="No incident was reported twice"):
        fit_rates([Incident("a", "b", 1.0, 0)] * 9)
    bias = bias_of([Incident("a", "b", 1.0, 0)] * 9)
    assert (bias.fit, bias.gap, bias.unknown, bias.town.lambda_) == (None, None, ("a",), None)
    assert "0 repeated reports are known: 30 are needed" in " ".join(text.en for text in explain(bias))


def test_the_page_tells_the_gap_and_what_is_not_known() -> None:
    incidents = (
        [Incident("Nord", "x", 10.0, 2)] * 50
        + [Incident("Sud", "x", 100.0, 2)] * 40
        + [Incident("Port", "y", 9.0, 1)] * 29
    )
    bias = bias_of(incidents)
    assert [(c.area, c.rate.known) for c in bias.areas] == [("Nord", True), ("Port", False), ("Sud", True)]
    assert [(c.area, c.category) for c in bias.cells] == [("Nord", "x"), ("Port", "y"), ("Sud", "x")]
    assert bias.gap is not None
    assert (bias.gap.slowest, bias.gap.fastest, bias.gap.times) == ("Sud", "Nord", pytest.approx(10.0))
    french = " ".join(text.fr for text in explain(bias))
    assert "attend 50 jours dans « Sud » et 5,0 jours dans « Nord » : 10 fois plus" in french
    assert "(moins de 30 signalements répétés) : Port." in french
    assert delay_gap([("a", rates_by(incidents, lambda i: i.area)["Nord"])]) is None


def test_files_of_three_kinds_are_read_and_bad_rows_named(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("area,category,days,duplicates\nN,x,3.5,2\nN,x,0.001,9\n", "utf-8")
    assert read_incidents(file) == [Incident("N", "x", 3.5, 2, name="2")]
    file.write_text(
        "incident,reported_at,area,reporter,closed_at\n"
        "k,2026-01-01T00:00:00Z,N,p,2026-01-05T00:00:00+00:00\nk,2026-01-02,S,q,\nk,2026-01-03T01:00:00+01:00,S,p,\n",
        "utf-8",
    )  # fmt: skip
    (incident,) = read_incidents(file)
    assert (incident.area, incident.days, incident.duplicates) == ("N", 4.0, 1)
    (shorter,) = read_incidents(file, end=datetime(2026, 1, 2, 12, tzinfo=UTC))
    assert (shorter.days, shorter.duplicates) == (1.5, 1)
    for text, place in (
        ("days,duplicates\n1,2\nx,2\n", "line 3, days"), ("days,duplicates\n1,2.5\n", "line 2, duplicates"),
        ("incident,reported_at\na,soon\n", "line 2, reported_at"), ("incident,reported_at\na,\n", "line 2"), ("a\n1\n", "line 1"),
    ):  # fmt: skip
        file.write_text(text, "utf-8")
        with pytest.raises(Problem) as caught:
            read_incidents(file)
        assert caught.value.place == place


def test_an_extract_is_frozen_citable_and_names_nobody(tmp_path: Path) -> None:
    incidents = [Incident("Nord", "x", 3.25, 1, 20454.0, f"case-{i}") for i in range(5)] + [
        Incident("Port", "x", 1.0, 0, 20454.0, "secret-place")
    ]
    made = datetime(2026, 2, 1, tzinfo=UTC)
    first = write_extract(incidents, tmp_path, town="Ville", secret=b"k", made=made)
    body = (first / "incidents.csv").read_bytes()
    again = write_extract(incidents[::-1], tmp_path / "again", town="Ville", secret=b"k", made=made)
    assert (again / "incidents.csv").read_bytes() == body
    manifest = json.loads((first / "manifest.json").read_bytes())
    for name, told in manifest["files"].items():
        assert hashlib.sha256((first / name).read_bytes()).hexdigest() == told["sha256"]
    assert first.name == f"beffroi-rate-{manifest['id'][:12]}"
    rows = body.decode().splitlines()
    assert rows[0] == "incident,area,category,month,days,duplicates"
    assert (
        sorted(r.split(",", 1)[1] for r in rows[1:]) == ["*,x,2026-01,1.00,0"] + ["Nord,x,2026-01,3.25,1"] * 5
    )
    assert b"secret-place" not in b"".join(p.read_bytes() for p in first.iterdir())
    other = write_extract(incidents, tmp_path, town="Ville", secret=b"other", made=made)
    assert other != first
    assert manifest["id"][:12] in (first / "README.md").read_text("utf-8")


@pytest.mark.shared
def test_chicago_has_the_order_of_magnitude_of_the_notes(shared: Path) -> None:
    incidents = incidents_of_log(read_log(shared / "data/reports/chicago_311_sanitation_2010_2012.csv.gz"))
    rate = rate_of(incidents)
    assert (rate.incidents, rate.duplicates) == (32748, 1718)
    assert rate.lambda_ == pytest.approx(1718 / 138223)
