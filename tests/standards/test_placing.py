"""The reference system of a layer: guessed where it can be, refused where it cannot, never silently wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from beffroi.model.problem import Problem
from beffroi.standards.placing import CANDIDATES, SWAPPED, WGS84, Placement, placed

# towns inside the mainland, some near its edges, and the system's zones that may be used there
TOWNS = {
    "Redon": (-2.08, 47.65), "Strasbourg": (7.75, 48.58), "Ajaccio": (8.74, 41.93), "Brest": (-4.49, 48.39),
    "Bayonne": (-1.47, 43.49), "Lille": (3.06, 50.63), "Aiglun": (6.13, 44.07), "Bourges": (2.4, 47.08), "Nice": (7.26, 43.7),
}  # fmt: skip
CONIC = {f"EPSG:{3900 + n}": n for n in range(42, 51)}
UTM = {"EPSG:32630": (-6, 0), "EPSG:32631": (0, 6), "EPSG:32632": (6, 12)}


def usable(town: str) -> list[str]:
    x, y = TOWNS[town]
    conic = [code for code, n in CONIC.items() if abs(y - n) <= 1]
    utm = [code for code, (west, east) in UTM.items() if west <= x <= east]
    return [WGS84, SWAPPED, "EPSG:2154", "EPSG:27572", "EPSG:3857", *conic, *utm]


def written(points: np.ndarray, code: str) -> np.ndarray:
    """Return points of degrees as a file of that system writes them; PROJ alone, not the code under test."""
    if code == WGS84:
        return points
    if code == SWAPPED:
        return points[:, ::-1]
    transformer = Transformer.from_crs(4326, code, always_xy=True)
    return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))


def moved(placement: Placement, points: np.ndarray) -> np.ndarray:
    return np.array(
        [placement.move({"type": "Point", "coordinates": p})["coordinates"] for p in points.tolist()]
    )


def around(town: str, seed: int) -> np.ndarray:
    return np.array(TOWNS[town]) + np.random.default_rng(seed).normal(0, 0.02, (20, 2))


@settings(max_examples=60)
@given(town=st.sampled_from(sorted(TOWNS)), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_with_a_town_that_has_things_every_system_of_france_is_found(
    town: str, seed: int, data: st.DataObject
) -> None:
    code = data.draw(st.sampled_from(usable(town)))
    points = around(town, seed)
    found = placed(written(points, code), None, near=TOWNS[town])
    assert np.abs(moved(found, written(points, code)) - points).max() < 2e-6


@settings(max_examples=60)
@given(town=st.sampled_from(sorted(TOWNS)), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_a_new_town_gets_the_right_place_or_a_refusal(town: str, seed: int, data: st.DataObject) -> None:
    code = data.draw(st.sampled_from([c for c in usable(town) if c != "EPSG:3857"]))
    points = around(town, seed)
    try:
        found = placed(written(points, code), None)
    except Problem as problem:
        assert code in UTM
        assert code in problem.reason.en
        assert "--crs" in problem.mend.en
        return
    assert np.abs(moved(found, written(points, code)) - points).max() < 2e-6


@pytest.mark.parametrize("code", ["EPSG:2154", "EPSG:32631", "EPSG:3946"])
def test_what_a_file_names_is_believed_only_where_it_can_be(code: str) -> None:
    points = np.array([[4.85, 45.75], [4.86, 45.76]])
    right = placed(written(points, code), f"urn:ogc:def:crs:EPSG::{code[5:]}")
    assert (right.crs, right.how) == (code, "named")
    wrong = placed(written(points, code), "EPSG:4326", near=(4.85, 45.75))
    assert (wrong.crs, wrong.how) == (code, "guessed")


def test_lambert_93_in_geojson_without_a_name_is_guessed() -> None:
    found = placed(np.array([[951088.5, 6335099.35]]), None)
    assert (found.crs, found.how) == ("EPSG:2154", "guessed")
    assert found.move({"type": "Point", "coordinates": [951088.5, 6335099.35]})["coordinates"] == pytest.approx(
        [6.135212, 44.070028], abs=2e-6
    )  # fmt: skip
    line = found.move(
        {"type": "LineString", "coordinates": [[951088.5, 6335099.35], [951098.29, 6335095.07]]}
    )
    assert line["coordinates"][1] == pytest.approx((6.135332, 44.069986), abs=2e-6)


def test_what_cannot_be_anywhere_is_refused_with_the_mend() -> None:
    with pytest.raises(Problem) as refused:
        placed(np.array([[12.0, 900_000.0]]), None)
    assert refused.value.place == "crs"
    assert "--crs" in refused.value.mend.fr
    with pytest.raises(Problem) as unknown:
        placed(np.array([[2.0, 48.0]]), "EPSG:99999999")
    assert "EPSG:99999999" in unknown.value.reason.fr


def test_degrees_abroad_stay_where_they_are() -> None:
    points = np.array([[8.96, 46.0], [8.9, 46.2]])  # Lugano
    assert placed(points, None).crs == WGS84
    assert placed(points, "urn:ogc:def:crs:OGC:1.3:CRS84").how == "named"


def test_every_candidate_is_a_system_that_proj_knows() -> None:
    assert {c for c in CANDIDATES if not c.startswith("EPSG:")} == set()
    for code in CANDIDATES.keys() - {SWAPPED}:
        Transformer.from_crs(code, 4326, always_xy=True)
