"""What is wrong with the pictures: night, rain, fog, glare, shadow, a dirty lens, ice, a camera that moved.

Each test is a figure of the pictures against a bound that holds for any camera (grey levels of 0 to 255, shares of the
picture or of the water). They err towards doubt: a doubt costs a look, a silent error costs trust.
"""

from typing import Any

import cv2
import numpy as np

from beffroi.services.water.camera.site import Landmark

__all__ = ["landmark_patch", "moved_since_survey", "picture_doubts"]

Array = np.ndarray[Any, Any]
_NIGHT, _DARK = 55.0, 12.0  # mean grey
_FLAT, _BLIND = 11.0, 2.0  # what the picture varies by, noise taken off
_SHINES = 250
_GLARE_SHARE = 0.03  # of the water that is burnt out
_RAIN_STREAKS = 6  # upright, on a frame, gone in the next
_SHADOW = 0.2  # of the water's grey, from one side of a long straight edge to the other
_DIRT_SHARE = 0.002
_ICE_GREY, _ICE_GRAIN, _ICE_SHARE = 190, 8.0, 0.15
_PATCH = 32
_MOVED_PX, _LIKE = 5.0, 0.55


def picture_doubts(frames: list[Array], water: Array | None = None) -> list[str]:
    """Return the doubts that the pictures themselves raise; `water` is a polygon (n, 2) in pixels."""
    few = frames[:: max(1, len(frames) // 5)][:5]
    half = [cv2.resize(f, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for f in few]
    mask = _mask(half[0].shape, water)
    middle = np.median(np.stack(half), 0)
    found = []
    light = float(middle.mean())
    if light < _NIGHT:
        found.append("dark" if light < _DARK else "night")
    varies = _varies(half, middle)
    if varies < _BLIND:
        found.append("blind")
    elif (varies < _FLAT and light >= _NIGHT) or _veiled(middle):
        found.append("fog")
    found += ["rain"] if _rain(half) else []
    wet = middle[mask]
    if len(wet) > 100:
        if float((wet >= _SHINES).mean()) > _GLARE_SHARE:
            found.append("glare")
        if _shadow(middle, mask):
            found.append("shadow")
        if _ice(half, mask):
            found.append("ice")
    if _dirt(half, mask):
        found.append("lens_dirt")
    return found


def _mask(shape: tuple[int, ...], water: Array | None) -> Array:
    mask = np.zeros(shape[:2], np.uint8)
    if water is None or len(water) < 3:
        return np.ones(shape[:2], bool)
    cv2.fillPoly(mask, [np.rint(np.clip(water / 2, -20_000, 20_000)).astype(np.int32)], 1)
    return mask.astype(bool)


def _varies(half: list[Array], middle: Array) -> float:
    """Return the standard deviation of the picture, the noise of one frame to the next taken off."""
    noise = 0.0
    if len(half) > 1:
        noise = float(np.median(np.abs(half[0].astype(np.float32) - half[1]))) / 0.954
    soft = cv2.GaussianBlur(middle.astype(np.float32), (0, 0), 1.5)
    return float(np.sqrt(max(float(soft.var()) - noise**2 / (30 * len(half)), 0)))


def _veiled(middle: Array) -> bool:
    """True when even the darkest parts are light: air stands before everything."""
    return bool(np.percentile(middle, 1) > 95 and np.percentile(middle, 99) - np.percentile(middle, 1) < 90)


def _rain(half: list[Array]) -> bool:
    """True when frames have thin bright upright streaks that the others do not."""
    if len(half) < 3:
        return False
    stack = np.stack(half).astype(np.float32)
    over = stack - np.median(stack, 0)
    moving = cv2.blur(np.median(np.abs(over), 0), (9, 9))
    land = moving < 1.6 * float(np.percentile(moving, 10)) + 0.2  # foam on the water makes streaks too
    if land.mean() < 0.05:
        return False
    counts = []
    for picture in over:
        long = cv2.blur(picture, (1, 7))
        sharp = long - (np.roll(long, 3, 1) + np.roll(long, -3, 1)) / 2
        noise = 1.4826 * float(np.median(np.abs(sharp[land]))) + 0.3
        streaks = (sharp > 5 * noise) & land
        _, _, stats, _ = cv2.connectedComponentsWithStats(streaks.astype(np.uint8))
        wide, high = stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT]
        counts.append(int(((high >= 10) & (high >= 3 * wide)).sum()))
    return float(np.median(counts)) >= _RAIN_STREAKS


def _shadow(middle: Array, mask: Array) -> bool:
    """True when the water has two greys, each in one large piece, with an edge between them sharper than the water."""
    wet = middle[mask]
    level, _ = cv2.threshold(wet.astype(np.uint8).reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    low, high = wet[wet <= level], wet[wet > level]
    if min(len(low), len(high)) < 0.1 * len(wet):
        return False
    apart = float(np.median(high) - np.median(low))
    inside = float(max(low.std(), high.std(), 1.0))
    if apart < _SHADOW * float(np.median(high)) or apart < 2.2 * inside:
        return False
    bright = ((middle > level) & mask).astype(np.uint8)
    soft = cv2.medianBlur(bright, 15)
    return bool(float((soft != bright)[mask].mean()) < 0.08)


def _ice(half: list[Array], mask: Array) -> bool:
    """True when much of the water is white and has no grain, lying still along the banks or drifting in plates: foam is
    white too, and all grain."""
    shares = []
    for picture in half:
        soft = cv2.blur(picture.astype(np.float32), (5, 5))
        grain = np.sqrt(np.maximum(cv2.blur(picture.astype(np.float32) ** 2, (5, 5)) - soft**2, 0))
        white = (soft > _ICE_GREY) & (soft < _SHINES) & (grain < _ICE_GRAIN) & mask
        shares.append(float(white.sum()) / max(int(mask.sum()), 1))
    return float(np.median(shares)) > _ICE_SHARE


def _dirt(half: list[Array], mask: Array) -> bool:
    """True when parts of the moving water stand still and blurred: something is on the glass."""
    if len(half) < 3:
        return False
    stack = np.stack(half).astype(np.float32)
    calm = cv2.GaussianBlur(stack.std(0), (0, 0), 4)
    moves = float(np.median(calm[mask]))
    noise = float(np.percentile(calm, 2))
    if moves < 2.5 * max(noise, 0.5):
        return False
    inner = cv2.erode(mask.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool)
    middle = np.median(stack, 0)
    detail = cv2.GaussianBlur((middle - cv2.GaussianBlur(middle, (0, 0), 3)) ** 2, (0, 0), 4)
    smooth = detail < 0.25 * float(np.median(detail[inner])) if inner.any() else np.zeros_like(mask)
    held = (calm < max(1.3 * noise, 0.25 * moves)) & inner & smooth
    parts, names, stats, _ = cv2.connectedComponentsWithStats(held.astype(np.uint8))
    rim = inner & ~cv2.erode(inner.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    for i in range(1, parts):
        area, box = stats[i, cv2.CC_STAT_AREA], stats[i, cv2.CC_STAT_WIDTH] * stats[i, cv2.CC_STAT_HEIGHT]
        if area > _DIRT_SHARE * held.size and area > 0.5 * box and not (rim & (names == i)).any():
            return True  # one round spot with moving water all around it
    return False


def landmark_patch(frame: Array, px: float, py: float) -> bytes:
    """Return the small picture around a landmark at the survey, to be kept with it (grey bytes, square)."""
    patch = cv2.getRectSubPix(frame, (2 * _PATCH + 1, 2 * _PATCH + 1), (px, py))
    return bytes(cv2.imencode(".png", patch)[1])


def moved_since_survey(frame: Array, landmarks: tuple[Landmark, ...]) -> list[str]:
    """Return ["camera_moved"] when most landmarks are found elsewhere than at the survey, [] when they are in place
    or cannot be seen."""
    shifts = []
    for mark in landmarks:
        if not mark.patch:
            continue
        patch = cv2.imdecode(np.frombuffer(mark.patch, np.uint8), cv2.IMREAD_GRAYSCALE)
        if patch is None or patch.std() < 3:
            continue
        reach = _PATCH + 40
        area = cv2.getRectSubPix(frame, (2 * reach + 1, 2 * reach + 1), (mark.px, mark.py))
        core = patch[_PATCH // 2 : -_PATCH // 2, _PATCH // 2 : -_PATCH // 2]
        match = cv2.matchTemplate(area, core, cv2.TM_CCOEFF_NORMED)
        _, like, _, (x, y) = cv2.minMaxLoc(match)
        if like > _LIKE:
            middle = (match.shape[1] - 1) / 2
            shifts.append(float(np.hypot(x - middle, y - middle)))
    return ["camera_moved"] if len(shifts) >= 2 and float(np.median(shifts)) > _MOVED_PX else []
