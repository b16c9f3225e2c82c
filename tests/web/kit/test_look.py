"""Colours: what the town chooses and what we chose can be read, light and dark."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.problem import Problem
from beffroi.web.kit.look import (
    DARK_GROUND,
    DEFAULT_ACCENT,
    LIGHT_GROUND,
    Look,
    check_accent,
    contrast,
    readable,
)

CSS = Path(__file__).parents[3] / "frontend/src/site.css"
COLOURS = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")
PAIRS = [("ink", "ground"), ("ink", "paper"), ("ink", "wash"), ("soft", "ground"), ("soft", "paper"), ("soft", "wash"),
         ("accent", "ground"), ("accent", "paper"), ("accent", "wash"), ("on-accent", "accent"), ("on-vert", "vert"),
         ("on-jaune", "jaune"), ("on-orange", "orange"), ("on-rouge", "rouge"), ("mark-rouge", "ground"),
         ("mark-rouge", "paper"), ("mark-orange", "ground")]  # fmt: skip
MARKS = [
    ("mark-vert", "paper"),
    ("mark-jaune", "paper"),
    ("mark-orange", "paper"),
    ("mark-rouge", "land"),
    ("edge", "paper"),
]


def palette(scheme: str) -> dict[str, str]:
    """Return the custom properties of the style in a colour scheme."""
    blocks = re.findall(r":root \{(.*?)\}", CSS.read_text("utf-8"), re.DOTALL)
    found: dict[str, str] = {}
    for block in blocks[: 1 if scheme == "light" else 2]:
        for name, value in re.findall(r"--([\w-]+):\s*(#[0-9a-f]{3,6})", block):
            found[name] = value if len(value) == 7 else "#" + "".join(c * 2 for c in value[1:])
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_pair_of_the_style_can_be_read(scheme: str) -> None:
    colours = palette(scheme)
    low = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in PAIRS}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}
    marks = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in MARKS}
    assert {pair: ratio for pair, ratio in marks.items() if ratio < 3} == {}


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48
    assert contrast(DEFAULT_ACCENT, LIGHT_GROUND) > 4.5


@given(COLOURS, st.sampled_from([LIGHT_GROUND, DARK_GROUND, "#ffffff"]))
def test_readable_always_is(colour: str, ground: str) -> None:
    assert contrast(readable(colour, ground), ground) >= 4.5


@given(COLOURS)
def test_refused_colour_comes_with_one_that_is_taken(colour: str) -> None:
    try:
        assert check_accent(colour) == colour
    except Problem as problem:
        better = re.search(r"#[0-9a-f]{6}", problem.mend.fr)
        assert better is not None
        assert check_accent(better.group()) == better.group()


@pytest.mark.parametrize("text", ["bleu", "#12345", "#1234567", "red;}", ""])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(Problem, match="not understood"):
        check_accent(text)


def test_colour_of_the_town_is_given_for_both_schemes() -> None:
    css = Look("Redon", "#7a1f5c", readable("#7a1f5c", DARK_GROUND)).css()
    assert css.startswith(":root{--accent:#7a1f5c;--on-accent:#fff}")
    assert "prefers-color-scheme:dark" in css
