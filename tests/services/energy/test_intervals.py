"""Energy is conserved to the watt-hour, whatever the order, the steps, the duplicates and the day."""

import json
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.services.energy.flows.on_demand import read_on_demand
from beffroi.services.energy.flows.row import Row
from beffroi.services.energy.intervals import curve, day_energies, energies

PARIS = ZoneInfo("Europe/Paris")
PRM = "99103630318530"
_DAYS = ("2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25", "2026-06-01")


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, float]:
    """Return a load curve over two days as a file, and the energy (Wh) that it holds."""
    begin = datetime.fromisoformat(draw(st.sampled_from(_DAYS))).replace(tzinfo=PARIS)
    at, end, total, points = begin.timestamp(), (begin + timedelta(days=2)).timestamp(), 0.0, []
    while at < end:
        step = draw(st.sampled_from((10, 15, 30, 60)))
        for _ in range(draw(st.integers(1, 12))):
            if at + step * 60 > end:
                step = 10
            if at >= end:
                break
            watts = draw(st.integers(0, 90_000))
            at += step * 60
            total += watts * step / 60
            points.append(
                {
                    "d": f"{datetime.fromtimestamp(at, PARIS):%Y-%m-%dT%H:%M:%S%z}",
                    "v": watts,
                    "p": f"PT{step}M",
                    "n": "B",
                }
            )
    points += draw(st.lists(st.sampled_from(points), max_size=10))  # sent twice
    points = draw(st.permutations(points))
    magnitude = {"grandeurMetier": "CONS", "grandeurPhysique": "PA", "unite": "W", "points": points}
    return json.dumps(
        {"header": {"codeFlux": "R63"}, "mesures": [{"idPrm": PRM, "grandeur": [magnitude]}]}
    ).encode(), total


@settings(max_examples=25)
@given(files())
def test_a_curve_keeps_its_energy(file: tuple[bytes, float]) -> None:
    data, total = file
    found = curve(read_on_demand("r63", data))
    (intervals,) = found.intervals.values()
    assert not found.doubts
    assert abs(sum(i.wh for i in intervals) - total) < 1
    assert all(a.end_us == b.start_us for a, b in pairwise(intervals))


def row(
    kind: str,
    grid: str | None,
    start: str,
    end: str,
    value: float,
    name: str | None = None,
    nature: str = "réel",
    unit: str = "Wh",
) -> Row:
    return Row(PRM, kind, grid, start, end, value, unit, name, nature, None)  # type: ignore[arg-type]


def test_energy_on_two_calendars_is_counted_once() -> None:
    rows = [
        row("energy", "D", "2026-01-01", "2026-02-01", 100, "HPH"), row("energy", "D", "2026-01-01", "2026-02-01", 50, "HCH"),
        row("energy", "F", "2026-01-01", "2026-02-01", 151, "BASE"), row("energy", "F", "2026-02-01", "2026-03-01", 90, "BASE"),
    ]  # fmt: skip
    (intervals,) = energies(rows).intervals.values()
    assert [i.wh for i in intervals] == [150, 90]


def test_indexes_give_days_and_a_new_meter_is_told() -> None:
    day = "2026-01-{:02}T00:00:00+01:00".format
    marks = [(1, 1000, 400), (2, 1100, 430), (3, 5, 440), (4, 25, 450)]
    rows = [row("index", "D", day(n), day(n), v, c) for n, a, b in marks for v, c in ((a, "HPH"), (b, "HCH"))]
    rows += [row("index", None, day(n), day(n), a + b, "IDX_EAS_T") for n, a, b in marks]
    found = day_energies(reversed(rows))
    (intervals,) = found.intervals.values()
    assert [i.wh for i in intervals] == [130, 30]
    assert len(found.doubts) == 1 and "recule" in found.doubts[0].reason.fr


def test_what_overlaps_is_told_and_the_finer_is_kept() -> None:
    hour = row("curve", None, "2026-06-01T10:00:00+02:00", "2026-06-01T11:00:00+02:00", 1000, unit="W")
    half = row("curve", None, "2026-06-01T10:00:00+02:00", "2026-06-01T10:30:00+02:00", 800, unit="W")
    found = curve([hour, half])
    (intervals,) = found.intervals.values()
    assert ([i.wh for i in intervals], len(found.doubts)) == ([400], 1)


@pytest.mark.parametrize(
    ("nature", "state"),
    [
        ("réel", "raw"),
        ("REEL", "raw"),
        ("corrigé", "corrected"),
        ("estimé", "estimated"),
        ("ESTIME", "estimated"),
    ],
)
def test_states_are_kept_apart(nature: str, state: str) -> None:
    found = energies([row("energy", None, "2026-01-01", "2026-02-01", 1, None, nature)])
    assert list(found.intervals) == [(PRM, state)]


def test_a_unit_that_is_not_one_is_told() -> None:
    found = energies([row("energy", None, "2026-01-01", "2026-02-01", 1, None, "réel", "m3")])
    assert not found.intervals and "m3" in found.doubts[0].reason.fr


def test_the_golden_day_of_a_real_flow(shared: Path) -> None:
    data = (shared / "data/networks/enedis/r64.json").read_bytes()
    assert day_energies(read_on_demand("r64", data)).intervals == {
        ("99103630318530", "raw"): [],
        ("99331145115979", "raw"): [],
    }
