"""The picture that is kept shows the water, and nobody: what is finer than four centimetres before it is gone."""

import cv2
import msgspec
import numpy as np
import pytest

from beffroi.services.water.camera.measure import water_of
from beffroi.services.water.camera.projection import projection_of
from beffroi.services.water.camera.scene import River, site_of
from beffroi.services.water.camera.site import Site
from beffroi.services.water.camera.still import nearest_person, still_of

SIZE = (640, 360)


def board(site: Site, level: float, cell_m: float) -> np.ndarray:
    """A frame whose water is a board of black and white squares."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    ground = projection_of(site, level).ground(np.column_stack([x.ravel(), y.ravel()]).astype(float))
    white = np.floor(ground / cell_m).astype(int).sum(1) % 2 == 1
    return np.where(white, 230, 30).astype(np.uint8).reshape(SIZE[::-1])


def kept(site: Site, level: float, frame: np.ndarray) -> np.ndarray:
    data = still_of(frame, water_of(site, level, SIZE), nearest_person(site, level, SIZE))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)


def inside(site: Site, level: float) -> np.ndarray:
    mask = np.zeros(SIZE[::-1], np.uint8)
    cv2.fillPoly(mask, [np.rint(np.clip(water_of(site, level, SIZE), -9999, 9999)).astype(np.int32)], 1)
    return cv2.erode(mask, np.ones((9, 9))).astype(bool)


def test_what_would_tell_a_face_is_gone_from_the_water_and_what_floats_is_seen(river: River):
    site = site_of(river)
    wet = inside(site, river.level)
    fine, coarse = (kept(site, river.level, board(site, river.level, m))[wet].std() for m in (0.06, 1.0))
    assert board(site, river.level, 0.06)[wet].std() > 90  # the camera itself does see it
    assert fine < 15
    assert coarse > 60


def test_who_stands_on_the_near_bank_is_counted_nearer_than_the_water(river: River):
    site = site_of(river)
    near = nearest_person(site, river.level, SIZE)
    ground = projection_of(site, river.level).ground
    x, y = 20.5 / 32 * 640, 12.5 / 18 * 360
    here, right, down = ground(np.array([(x, y), (x + 1, y), (x, y + 1)]))
    across = 1 / np.linalg.svd(np.column_stack([right - here, down - here]), compute_uv=False)[1]
    above, heads = river.place[2] - river.level, river.bed[:, 1].max() - river.level + 2
    assert near[12, 20] == pytest.approx(across * above / (above - heads), rel=0.02)


def test_a_camera_no_higher_than_heads_and_one_without_a_survey_keep_no_water(river: River):
    low = msgspec.structs.replace(
        site_of(river), section=msgspec.structs.replace(site_of(river).section, points=tuple(
            (x, y, z + (6 if i in (0, 10) else 0)) for i, (x, y, z) in enumerate(site_of(river).section.points)
        ))
    )  # fmt: skip
    frame = board(low, river.level, 1.0)
    wet = inside(site_of(river), river.level)
    assert kept(low, river.level, frame)[wet].std() < 40
    assert nearest_person(Site(), None, SIZE) is None
    data = still_of(frame, water_of(low, river.level, SIZE), None)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), 0)[wet].std() < 40
