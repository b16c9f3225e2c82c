"""Charts: the arithmetic under the drawing."""

import math
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.instant import DAY_US, HOUR_US, parse_instant
from beffroi.web.kit.chart import (
    Plot,
    Points,
    Threshold,
    bands,
    drawn,
    near_levels,
    plot_svg,
    reduce,
    spark,
    ticks,
    with_gaps,
)
from beffroi.web.kit.figures import Figures
from beffroi.web.kit.words import Words

PARIS = ZoneInfo("Europe/Paris")
FRENCH = Figures(Words("fr"), PARIS)
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@given(NUMBERS, NUMBERS)
def test_ticks_cover_the_values_with_few_round_steps(one: float, other: float) -> None:
    low, high = sorted((one, other))
    marks = ticks(low, high)
    hair = (marks[1] - marks[0]) * 1e-6
    assert marks[0] <= low + hair and marks[-1] >= high - hair
    assert 2 <= len(marks) <= 8
    assert marks == sorted(set(marks))


def test_ticks_are_round() -> None:
    assert ticks(0.3, 9.7) == [0, 2.5, 5.0, 7.5, 10.0]
    assert ticks(100, 300) == [100, 150, 200, 250, 300]
    assert ticks(5, 5) == [4.5, 4.75, 5.0, 5.25, 5.5]


@given(st.lists(st.one_of(NUMBERS, st.none()), min_size=1, max_size=3000), st.integers(5, 60))
def test_reduce_keeps_extremes_ends_and_order(values: list[float | None], columns: int) -> None:
    points = [(i * 1000, v) for i, v in enumerate(values)]
    kept = reduce(points, 0, len(points) * 1000, columns)
    assert len(kept) <= max(columns * 2, 5 * (columns + 2))
    assert kept == sorted(set(kept), key=lambda p: p[0])
    assert set(kept) <= set(points)
    known = [v for v in values if v is not None]
    drawn = [v for _, v in kept if v is not None]
    if known:
        assert (min(drawn), max(drawn)) == (min(known), max(known))


def test_gaps_are_told_by_the_usual_step() -> None:
    points = [(i * HOUR_US, 1.0) for i in (0, 1, 2, 10, 11)]
    assert with_gaps(points) == [*points[:3], (2 * HOUR_US + 1, None), *points[3:]]
    assert with_gaps(points, 9 * HOUR_US) == points


@given(
    st.lists(st.tuples(st.integers(1, 40), st.one_of(NUMBERS, st.none())), max_size=400), st.integers(0, 60)
)
def test_points_held_as_arrays_draw_the_same_line(steps: list[tuple[int, float | None]], gap: int) -> None:
    held, listed, at = Points(), list[tuple[int, float | None]](), 0
    for step, value in steps:
        at += step
        listed.append((at, value))
        held.times.append(at)
        held.values.append(math.nan if value is None else value)
    assert list(held) == listed
    assert list(held[-7:]) == listed[-7:]
    assert [held[i] for i in range(len(held))] == listed
    assert drawn(held, gap, 0, at + 1, 9) == reduce(with_gaps(listed, gap), 0, at + 1, 9)


def test_nights_of_a_week_and_weekends_of_a_month() -> None:
    start = parse_instant("2026-10-24", PARIS)  # summer time ends in the night that follows
    first, second = bands(start, start + 2 * DAY_US, PARIS)[:2]
    assert first == (start, start + 6 * HOUR_US)
    assert second == (start + 21 * HOUR_US, start + 31 * HOUR_US)  # ten hours long
    month = bands(start, start + 31 * DAY_US, PARIS)
    assert month[0] == (start, start + 49 * HOUR_US)
    assert len(month) == 5
    assert bands(start, start + 366 * DAY_US, PARIS) == []


def test_far_threshold_does_not_flatten_the_line() -> None:
    levels = [Threshold(100, "Vigilance"), Threshold(9000, "Alerte")]
    assert near_levels(levels, [60.0, 90.0]) == levels[:1]


def test_levels_of_an_axis_are_told_as_they_are() -> None:
    svg = plot_svg(Plot("Débit", 0, DAY_US, [(0, 0.3), (DAY_US, 9.7)]), FRENCH)
    assert [f">{level}<" in svg for level in ("2,5", "7,5", "3", "8")] == [True, True, False, False]
    svg = plot_svg(Plot("Débit", 0, DAY_US, [(0, 100.0), (DAY_US, 300.0)]), FRENCH)
    assert ">150<" in svg


def test_chart_escapes_what_people_wrote() -> None:
    points = [(i * HOUR_US, float(i)) for i in range(24)]
    plot = Plot('Niveau "<b>"', 0, DAY_US, points, "cm", 0, (Threshold(12, "<script>", "rouge"),))
    svg = plot_svg(plot, FRENCH)
    assert "<script>" not in svg and "<b>" not in svg
    assert '<g class="threshold rouge">' in svg
    assert "style=" not in svg
    assert plot_svg(Plot("Vide", 0, DAY_US, []), FRENCH) == ""
    assert spark([], 0, DAY_US) == ""
