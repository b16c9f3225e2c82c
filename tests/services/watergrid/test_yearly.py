"""The regulatory figures of a year, on vectors worked by hand. Blank is not zero."""

from typing import Any

import pytest

from beffroi.services.watergrid.yearly import figures_of

FULL: dict[str, Any] = {
    "code": "2025", "produced_m3": 100_000, "imported_m3": 10_000, "exported_m3": 5_000, "domestic_m3": 70_000, "other_m3": 10_000,
    "unmetered_m3": 1_000, "service_m3": 500, "length_km": 20, "renewed_km": 1.2, "scarce": False, "days": 365,
}  # fmt: skip
BIG: dict[str, Any] = {**FULL, "produced_m3": 3_000_000, "domestic_m3": 2_000_000, "length_km": 100}

# changes to FULL or BIG; P104.3, P105.3, P106.3, P107.2, ILC, threshold, compliant, confidence
VECTORS: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    (FULL, (78.6364, 3.4247, 3.2192, 1.2, 11.8493, 67.3699, True, "A")),
    ({**FULL, "exported_m3": 0}, (74.0909, 4.1096, 3.9041, 1.2, 11.1644, 67.2329, True, "A")),
    ({**FULL, "unmetered_m3": None, "service_m3": None}, (77.2727, 3.4247, 3.4247, 1.2, 11.6438, 67.3288, True, "B")),
    ({**FULL, "scarce": True}, (78.6364, 3.4247, 3.2192, 1.2, 11.8493, 67.3699, True, "A")),
    ({**BIG, "scarce": True}, (66.9934, 27.2603, 27.2192, 0.24, 55.2466, 81.0493, False, "A")),
    ({**BIG, "scarce": False}, (66.9934, 27.2603, 27.2192, 0.24, 55.2466, 76.0493, False, "A")),
    ({**FULL, "domestic_m3": None}, (None, None, None, 1.2, None, None, None, "C")),
    ({**FULL, "produced_m3": None}, (None, None, None, 1.2, None, None, None, "C")),
    ({**FULL, "length_km": None}, (78.6364, None, None, None, None, None, None, "B")),
    ({**FULL, "domestic_m3": 83_000, "renewed_km": None, "days": 380}, (90.4545, 1.5789, 1.3816, None, 13.0921, 67.6184, True, "A")),
    ({**FULL, "length_km": 2}, (78.6364, 34.2466, 32.1918, 12.0, 118.4932, 85.0, False, "A")),
]  # fmt: skip


@pytest.mark.parametrize(("year", "expected"), VECTORS)
def test_figures(year: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = figures_of(year)
    got = (found.p104_3, found.p105_3, found.p106_3, found.p107_2, found.ilc, found.threshold, found.compliant, found.confidence)  # fmt: skip
    assert tuple(round(v, 4) if isinstance(v, float) else v for v in got) == expected


def test_what_is_blank_is_named() -> None:
    assert figures_of({**FULL, "service_m3": None}).missing == ("service_m3",)
    assert figures_of({**FULL, "service_m3": 0}).missing == ()
