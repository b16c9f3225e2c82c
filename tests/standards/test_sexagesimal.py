"""Degrees, minutes and seconds: whatever way they are written they are the same angle; what is none is left."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.standards.layer_file import LayerRow, layers_of
from beffroi.standards.sexagesimal import angle_of, pair_of

STYLES = (
    "{d}°{m:02d}'{s}\" {c}", "{d}° {m}′ {s}″{c}", "{c} {d}° {m}' {s}", "{c}{d} {m:02d} {s}", "{d}:{m:02d}:{s}{c}", "{d}º{m}’{s}’’{c}",
)  # fmt: skip


@settings(max_examples=100)
@given(
    d=st.integers(0, 89), m=st.integers(0, 59), s=st.decimals(0, 59, places=2), north=st.booleans(),
    style=st.sampled_from(STYLES), comma=st.booleans(),
)  # fmt: skip
def test_every_way_to_write_an_angle_gives_it(
    d: int, m: int, s: object, north: bool, style: str, comma: bool
) -> None:
    seconds = str(s).replace(".", ",") if comma else str(s)
    for positive, negative in (("N", "S"), ("E", "O"), ("E", "W")):
        written = style.format(d=d, m=m, s=seconds, c=positive if north else negative)
        angle = (d + m / 60 + float(str(s)) / 3600) * (1 if north else -1)
        assert angle_of(written) == pytest.approx(angle, abs=1e-12), written


@pytest.mark.parametrize(
    "written", ["47", "47.65", "47,65", "01/02/2026", "rue 12", "91°00'N", "2°75'O", "2°05'76\"", "-2°05'O", "", None, 47]
)  # fmt: skip
def test_what_is_no_sexagesimal_angle_is_left(written: object) -> None:
    assert angle_of(written) is None


def test_letters_tell_which_of_two_is_the_longitude() -> None:
    here = pytest.approx((-2.0836111, 47.6511111), abs=1e-6)
    for written in ("47°39'04\"N 2°05'01\"W", "2°05'01\"O, 47°39'04\"N", "N47°39'04\" W2°05'01\""):
        assert pair_of(written) == here
    for written in ("47.65, -2.08", "47°39' 2°05'", "47°39'N 47°39'N", "12 35 14 20"):
        assert pair_of(written) is None


def test_a_table_in_degrees_minutes_and_seconds_has_its_places(tmp_path: Path) -> None:
    path = tmp_path / "puits.csv"
    path.write_text(
        "nom;latitude;longitude\nA;47°39'04\" N;2°05'01\" O\nB;47°39'30\" N;\nC;47.5;-2.5\n", "utf-8"
    )
    rows = list(layers_of(path, "csv")[0].rows())
    places = {r.values["nom"]: r.geometry for r in rows if isinstance(r, LayerRow)}
    assert places["A"] == {"type": "Point", "coordinates": pytest.approx([-2.0836111, 47.6511111], abs=1e-6)}
    assert places["C"] == {"type": "Point", "coordinates": [-2.5, 47.5]}
    assert "B" not in places  # half a place is refused, with its line
