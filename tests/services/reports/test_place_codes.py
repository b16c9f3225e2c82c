"""Points that people write: the examples of the specifications, and what is no code."""

import pytest

from beffroi.services.reports.place_codes import point_written

ZURICH = (8.5, 47.4)


@pytest.mark.parametrize(
    ("words", "point"),
    [
        ("8FVC9G8F+6X", (8.5249375, 47.3655625)),  # Open Location Code, test data
        ("8fvc9g8f+6xq", (8.524984375, 47.3655875)),
        ("4V75 devant l'école", None),
        ("9G8F+6X Zürich", (8.5249375, 47.3655625)),  # short, completed by where the town is
        ("7FG49Q00+", None),  # a padded code is a district
        ("47.365562, 8.524997", (8.524997, 47.365562)),
        ("GPS : 47.3655 8.5249 près du banc", (8.5249, 47.3655)),
        ("-20.87812;55.44811", (55.44811, -20.87812)),
        ("JN47GJ37", (8.529167, 47.40625)),
        ("JN47GJ37MX", (8.529340, 47.408247)),
        ("JN47", None),
        ("12.5, 3.4", None),  # a number with one decimal is no place
        ("91.12345, 8.52499", None),
        ("12 rue de la Gare", None),
        ("C+C", None),
    ],
)
def test_what_people_write(words: str, point: tuple[float, float] | None) -> None:
    found = point_written(words, ZURICH)
    assert found == (point if point is None else pytest.approx(point, abs=1e-6))


def test_a_short_code_needs_to_know_the_town_and_finds_the_nearest() -> None:
    assert point_written("9G8F+6X", None) is None
    east = point_written("9G8F+6X", (9.02, 47.365))  # just over the edge of the square of one degree
    assert east == pytest.approx((8.5249375, 47.3655625), abs=1e-6)
