"""Displacements between two pictures, against flows that are known."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from bench.water_particles import CLEAN, RIVER, channel, errors, pair, uniform, vortex
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from beffroi.cli import application
from beffroi.model.problem import Problem
from beffroi.services.water.camera.correlation import correlate
from beffroi.services.water.camera.pair import PAIR_ENGINES, displacements

SIZE = 256
app = application("water")


def test_the_signs_of_an_unequal_field(tmp_path: Path):
    first, second = pair(uniform(3.4, -1.7), CLEAN, 7, SIZE)
    for name, picture in (("a.png", first), ("b.png", second)):
        cv2.imwrite(str(tmp_path / name), picture)
    ran = CliRunner().invoke(
        app,
        [
            "water",
            "piv",
            str(tmp_path / "a.png"),
            str(tmp_path / "b.png"),
            "--window",
            "32",
            "--step",
            "16",
            "--json",
        ],
    )
    said = json.loads(ran.stdout)
    assert ran.exit_code == 0
    assert len(said["x"]) == len(said["y"]) == len(said["u"]) == len(said["v"]) == len(said["flag"]) == 225
    assert (said["x"][0], said["y"][0], said["x"][1]) == (15.5, 15.5, 31.5)
    assert (round(np.mean(said["u"]), 1), round(np.mean(said["v"]), 1)) == (3.4, -1.7)
    assert set(said["flag"]) == {0}


@pytest.mark.parametrize("engine", sorted(PAIR_ENGINES))
def test_each_engine_finds_a_uniform_flow(engine: str):
    first, second = pair(uniform(2.3, 1.1), CLEAN, 3, SIZE)
    found = displacements(first, second, engine=engine)
    assert errors(found.x, found.y, found.u, found.v, uniform(2.3, 1.1))[0] < 0.13


def test_clean_and_sparse_pictures_by_one_default():
    # the whole size, one seed; three seeds and every flow are in the bench
    first, second = pair(vortex, CLEAN, 11)
    found = displacements(first, second)
    assert found.x.size == 63 * 63
    assert errors(found.x, found.y, found.u, found.v, vortex)[0] <= 0.11
    first, second = pair(channel, RIVER, 11)
    found = displacements(first, second)
    rms, wrong = errors(found.x, found.y, found.u, found.v, channel)
    assert (rms <= 0.19, wrong <= 1.3) == (True, True)


@settings(max_examples=8)
@given(st.integers(-6, 6), st.integers(-6, 6))
def test_whole_pixels_are_found_exactly(u: int, v: int):
    rng = np.random.default_rng(5)
    wide = cv2.GaussianBlur(rng.integers(0, 255, (160, 160)).astype(np.uint8), (0, 0), 1.2)
    first, second = wide[20:140, 20:140], wide[20 - v : 140 - v, 20 - u : 140 - u]
    found = correlate([first, second], np.array([60]), np.array([60]), 32)
    assert (round(float(found.u[0])), round(float(found.v[0]))) == (u, v)
    assert abs(found.u[0] - u) + abs(found.v[0] - v) < 0.1


def test_the_sum_of_pairs_sees_what_one_pair_does_not():
    rng = np.random.default_rng(2)
    texture = cv2.GaussianBlur(rng.normal(0, 1, (200, 400)), (0, 0), 1.2)
    texture *= 3 / texture.std()
    frames = [
        np.clip(
            120 + texture[20:180, 60 - 3 * k : 260 - 3 * k] + rng.normal(0, 5, (160, 200)), 0, 255
        ).astype(np.uint8)
        for k in range(12)
    ]
    x, y = (g.ravel() for g in np.meshgrid(np.arange(40, 170, 20), np.arange(40, 130, 20)))
    one = correlate(frames[:2], x, y, 32)
    all_ = correlate(frames, x, y, 32)

    def wrong(found):
        return float((np.hypot(found.u - 3, found.v) > 0.5).mean())

    assert (wrong(all_) < 0.1, wrong(one) > 0.4) == (True, True)


def test_pictures_of_two_sizes_and_windows_too_large_are_refused():
    with pytest.raises(Problem, match="one size"):
        displacements(np.zeros((64, 64), np.uint8), np.zeros((64, 65), np.uint8))
    with pytest.raises(Problem, match="between 8 and 64"):
        displacements(np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8), window=128)


def test_a_grey_wall_gives_no_vector():
    found = displacements(np.full((96, 96), 128, np.uint8), np.full((96, 96), 128, np.uint8))
    assert (set(found.flag.ravel()), bool(np.isnan(found.u).all())) == ({2}, True)


def test_a_truncated_picture_is_named(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.jpg"), np.random.default_rng(1).integers(0, 255, (64, 64)).astype(np.uint8))
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) // 2])
    ran = CliRunner().invoke(app, ["water", "piv", str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")])
    assert (
        ran.exit_code,
        isinstance(ran.exception, Problem),
        "b.jpg" in str(getattr(ran.exception, "place", "")),
    ) == (1, True, True)
