"""The level out of the picture: where a staff's marks end, and where the water meets a bank that was surveyed.

Both are one question: along a strip that is rectified so that rows are altitudes, at which row does one thing become
another? Above a staff's waterline the print is as drawn; below is anything. Above a bank's waterline nothing moves;
below it does, and has another grey. The row of greatest likelihood answers, its sharpness says how surely, and what is
not sure gives a doubt and no figure.
"""

from typing import Any

import cv2
import msgspec
import numpy as np

from beffroi.services.water.camera.ortho import warped
from beffroi.services.water.camera.projection import Pose, Projection, projection_of
from beffroi.services.water.camera.section import bed_of
from beffroi.services.water.camera.site import Site
from beffroi.services.water.camera.stabilise import hold_still
from beffroi.services.water.camera.staff import staff_picture

__all__ = ["LevelReading", "fused", "read_levels"]

Array = np.ndarray[Any, Any]
_LEAST_GAIN = 1.0  # of likelihood for each independent row: less is no edge
_STRIP_M = 2.0  # along the bank
_LEAST_SPAN_M = 0.15
_CONFLICT = 3.0
_BANK_M = 0.01  # how well a bank is known where its survey does not say
_APART_M, _RIVAL = 0.1, 0.9


class LevelReading(msgspec.Struct, frozen=True):
    """A level in metres on the gauge from one source, or None; how sure (σ, metres), and the doubts."""

    source: str
    level_m: float | None
    sigma_m: float
    doubts: tuple[str, ...] = ()


def read_levels(site: Site, frames: list[Array]) -> list[LevelReading]:
    """Return what each source in the picture says: "staff", "bank_left", "bank_right", those that the site has."""
    projection = projection_of(site)
    if projection.pose is None:
        return []
    still = hold_still(frames)
    moves = _about_the_mean(still.moves)
    found = []
    if site.staff is not None:
        found.append(_of_staff(site, projection, frames, moves))
    if site.section is not None:
        found += [_of_bank(site, projection, frames, moves, side) for side in ("bank_left", "bank_right")]
    return [r for r in found if r is not None]


def fused(readings: list[LevelReading]) -> LevelReading:
    """Return one level, sources weighed by 1/σ²; those that contradict the surest by more than 3 σ are told."""
    sure = sorted((r for r in readings if r.level_m is not None), key=lambda r: r.sigma_m)
    doubts = tuple(dict.fromkeys(d for r in readings for d in r.doubts if d != "level_unseen"))
    if not sure:
        return LevelReading("none", None, float("inf"), (*doubts, "level_unseen"))
    best = sure[0]
    agreeing = [r for r in sure if _apart(r, best) <= _CONFLICT]
    if len(agreeing) < len(sure):
        doubts = (*doubts, "level_conflict")
    weights = np.array([1 / r.sigma_m**2 for r in agreeing])
    level = float(np.sum(weights * [r.level_m for r in agreeing]) / weights.sum())
    sigma = float(1 / np.sqrt(weights.sum()))
    if len(agreeing) < len(sure):
        sigma = max(abs(r.level_m - level) for r in sure if r.level_m is not None) / 2
    return LevelReading("+".join(r.source for r in agreeing), level, sigma, doubts)


def _apart(a: LevelReading, b: LevelReading) -> float:
    if a.level_m is None or b.level_m is None:
        return 0.0
    return abs(a.level_m - b.level_m) / float(np.hypot(np.hypot(a.sigma_m, b.sigma_m), 0.01))


def _about_the_mean(moves: list[Array] | None) -> list[Array] | None:
    """Return the moves from where the camera was on average: a shake's first frame is no better than another."""
    if moves is None:
        return None
    back = np.eye(3)
    back[:2, 2] = -np.mean([m[:2, 2] for m in moves], 0)
    return [m @ back for m in moves]


def _strip(
    pose: Pose, frames: list[Array], moves: list[Array] | None, points: Array
) -> tuple[Array, float] | None:
    """Return the frames seen on a grid of ground points (rows, columns, 3), and the share of it that is in view."""
    rows, columns, _ = points.shape
    flat = points.reshape(-1, 3)
    seen = (flat - pose.origin) @ pose.rotation.T + pose.translation
    with np.errstate(divide="ignore", invalid="ignore"):
        straight = (seen[:, :2] / seen[:, 2:]) @ pose.matrix[:2, :2].T + pose.matrix[:2, 2]
    straight[seen[:, 2] <= 0] = np.nan
    if np.any(pose.distortion):
        bent, _ = cv2.projectPoints(
            np.nan_to_num(flat - pose.origin), cv2.Rodrigues(pose.rotation)[0], pose.translation, pose.matrix,
            pose.distortion,
        )  # fmt: skip
        straight = np.where(np.isfinite(straight), bent.reshape(-1, 2), np.nan)
    height, width = frames[0].shape
    with np.errstate(invalid="ignore"):
        inside = (
            (straight[:, 0] >= 0)
            & (straight[:, 0] < width)
            & (straight[:, 1] >= 0)
            & (straight[:, 1] < height)
        )
    if inside.mean() < 0.3:
        return None
    straight = np.where(np.isfinite(straight), straight, -1e6).astype(np.float32)
    map_x, map_y = (straight[:, i].reshape(rows, columns) for i in (0, 1))
    stack = np.stack(
        [
            warped(f, map_x, map_y, None if moves is None else moves[i]).astype(np.float32)
            for i, f in enumerate(frames)
        ]
    )
    keep = inside.reshape(rows, columns).all(1)
    first, last = int(np.argmax(keep)), len(keep) - int(np.argmax(keep[::-1]))
    if last - first < 8:
        return None
    stack[:, ~keep] = np.nan
    return stack, float(inside.mean())


def _pixel_m(pose: Pose, points: Array) -> float:
    """Return the metres of altitude that a pixel covers along a column of ground points."""
    column = points[:, points.shape[1] // 2]
    seen = (column - pose.origin) @ pose.rotation.T + pose.translation
    pixels = (seen[:, :2] / seen[:, 2:]) @ pose.matrix[:2, :2].T
    step = np.hypot(*np.diff(pixels, axis=0).T)
    return float(np.median(np.abs(np.diff(column[:, 2])) / np.maximum(step, 1e-9)))


def _of_staff(
    site: Site, projection: Projection, frames: list[Array], moves: list[Array] | None
) -> LevelReading | None:
    staff, pose = site.staff, projection.pose
    if staff is None or pose is None:
        return None
    corners = staff.corners()
    count = max(40, round((staff.top - staff.bottom) / 0.004))
    heights = staff.top - (np.arange(count) + 0.5) / count * (staff.top - staff.bottom)
    across = np.linspace(0.08, 0.92, 24)
    ground = corners[0, :2] + np.outer(across, corners[1, :2] - corners[0, :2])
    points = np.empty((count, len(across), 3))
    points[..., :2], points[..., 2] = ground[None], heights[:, None]
    strip = _strip(pose, frames, moves, points)
    if strip is None:
        return LevelReading("staff", None, float("inf"), ("level_unseen",))
    pixel_m = _pixel_m(pose, points)
    plate: Any = staff_picture(staff).astype(np.float32)
    blur = max(0.5, 0.5 * pixel_m * plate.shape[0] / (staff.top - staff.bottom))
    plate = cv2.GaussianBlur(plate, (0, 0), blur)
    expected = cv2.resize(plate, (plate.shape[1], count), interpolation=cv2.INTER_AREA)
    columns = np.rint(across * (plate.shape[1] - 1)).astype(int)
    gain, row, soft = _print_ends(strip[0], expected[:, columns], pixel_m / (heights[0] - heights[1]))
    level = staff.top - row * (staff.top - staff.bottom) / count - site.zero
    sigma = float(np.hypot(0.5 * pixel_m, soft * (heights[0] - heights[1])))
    return _reading("staff", level, sigma, gain, _LEAST_GAIN, at_edge=row < 12 or row > count - 3)


def _reading(
    source: str, level: float, sigma: float, gain: float, least: float, *, at_edge: bool
) -> LevelReading:
    if gain < least or at_edge or not np.isfinite(level):
        return LevelReading(source, None, float("inf"), ("level_unseen",))
    doubts = ("level_uncertain",) if sigma > 0.03 or gain < 1.5 * least else ()
    return LevelReading(source, level, max(sigma, 0.002), doubts)


def _print_ends(stack: Array, expected: Array, rows_per_pixel: float) -> tuple[float, float, float]:
    """Return the gain in likelihood per independent row, the row where the print ends, and how soft that is (rows)."""
    good: Array = np.asarray(np.isfinite(stack).all((0, 2)))
    whole = np.nan_to_num(stack)
    seen = np.median(whole, 0)
    moving = np.where(good, whole.std(0).mean(1), 0)
    columns = seen.shape[1]
    weight = good.astype(float) * columns
    sums = [np.cumsum(np.where(good, v, 0)) for v in (
        expected.sum(1), seen.sum(1), (expected**2).sum(1), (seen**2).sum(1), (expected * seen).sum(1), weight)]  # fmt: skip
    se, ss, see, sss, ses, n = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        vee, vss, ves = see / n - (se / n) ** 2, sss / n - (ss / n) ** 2, ses / n - se * ss / n**2
        above = np.where(ves > 0, vss - ves**2 / np.maximum(vee, 1e-6), vss)
        left = n[-1] - n
        below = (sss[-1] - sss) / left - ((ss[-1] - ss) / left) ** 2
    noise = 1.0
    shape = np.maximum(above, noise)
    rest = np.maximum(below, noise)
    total = max(float(vss[-1]), noise)
    independent = 1 / max(rows_per_pixel, 1.0)
    like = -0.5 * (n * np.log(shape / total) + left * np.log(rest / total)) / columns * independent
    like += independent * _two_levels(moving, good)
    like[~good] = -np.inf
    least = max(10, int(0.05 * len(like)))
    like[:least], like[-3:] = -np.inf, -np.inf
    like = np.where(np.isfinite(like), like, -np.inf)
    best = int(np.argmax(like))
    # the print must be there above: seen and drawn alike
    alike = float(ves[best] / np.sqrt(max(vee[best] * vss[best], 1e-9))) if vss[best] > 0 else 0.0
    rows = max(1.0, min(best, len(like) - best) * independent)
    gain = float(like[best] / rows) if np.isfinite(like[best]) else 0.0
    return (gain if alike > 0.5 else 0.0), best + 1.0, _softness(like, best)


def _two_levels(values: Array, good: Array) -> Array:
    """Return the log-likelihood gained by a change of mean and spread after each row."""
    value = np.where(good, values, 0.0)
    n = np.cumsum(good).astype(float)
    s, q = np.cumsum(value), np.cumsum(value**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = n[-1] - n
        above = q / n - (s / n) ** 2
        below = (q[-1] - q) / left - ((s[-1] - s) / left) ** 2
        total = q[-1] / n[-1] - (s[-1] / n[-1]) ** 2
    floor = max(0.01 * float(total), 1e-3)
    like = -0.5 * (
        n * np.log(np.maximum(above, floor) / max(total, floor))
        + left * np.log(np.maximum(below, floor) / max(total, floor))
    )
    return np.where(np.isfinite(like), like, -np.inf)


def _softness(like: Array, best: int) -> float:
    """Return the standard deviation in rows of where the likelihood is high around its best."""
    top = like[best]
    near = np.arange(max(0, best - 60), min(len(like), best + 61))
    weight = np.exp(np.clip(like[near] - top, -50, 0))
    middle = float(np.sum(near * weight) / weight.sum())
    return float(np.sqrt(np.sum((near - middle) ** 2 * weight) / weight.sum()))


def _of_bank(
    site: Site, projection: Projection, frames: list[Array], moves: list[Array] | None, side: str
) -> LevelReading | None:
    pose = projection.pose
    if site.section is None or pose is None:
        return None
    bed = bed_of(site.section)
    stations = _up_the_bank(bed, left=side == "bank_left")
    if stations is None:
        return None
    along, across = _axes(site)
    origin = np.array(site.section.points[0][:2])
    heights = np.interp(stations, bed[:, 0], bed[:, 1])
    offsets = np.linspace(-_STRIP_M / 2, _STRIP_M / 2, 48)
    points = np.empty((len(stations), len(offsets), 3))
    points[..., :2] = origin + stations[:, None, None] * along + offsets[None, :, None] * across
    points[..., 2] = heights[:, None]
    strip = _strip(pose, frames, moves, points)
    if strip is None:
        return None
    pixel_m = _pixel_m(pose, points)
    stack, _ = strip
    good: Array = np.asarray(np.isfinite(stack).all((0, 2)))
    if good.sum() < 12:
        return None
    step = abs(float(np.median(np.diff(heights))))
    rows_per_pixel = max(1.0, pixel_m / step)
    like = _bank_likelihood(stack, good) / rows_per_pixel
    edge = max(4, round(3 * rows_per_pixel))
    usable = np.flatnonzero(good)
    like[: usable[0] + edge], like[usable[-1] - edge + 1 :] = -np.inf, -np.inf
    best = int(np.argmax(like))
    if not np.isfinite(like[best]):
        return LevelReading(side, None, float("inf"), ("level_unseen",))
    soft = _softness(like, best)
    independent = max(1.0, min(best - usable[0], usable[-1] - best) / rows_per_pixel)
    gain = float(like[best] / independent)
    if not _water_below(stack, good, best) or _another(like, best, round(_APART_M / step)):
        gain = 0.0
    level = float((heights[best] + heights[min(best + 1, len(heights) - 1)]) / 2) - site.zero
    sigma = float(np.hypot(np.hypot(0.6 * pixel_m, soft * step), site.section.sigma_m or _BANK_M))
    return _reading(side, level, sigma, gain, _LEAST_GAIN, at_edge=False)


def _water_below(stack: Array, good: Array, edge: int) -> bool:
    """True when what lies below the edge moves clearly more than what lies above."""
    moving = np.nan_to_num(stack).std(0).mean(1)
    above, below = moving[: edge + 1][good[: edge + 1]], moving[edge + 1 :][good[edge + 1 :]]
    if len(above) < 3 or len(below) < 3:
        return False
    return bool(
        np.median(below) > 1.3 * np.median(above) + 0.3 and np.median(below) > np.percentile(above, 90)
    )


def _another(like: Array, best: int, apart: int) -> bool:
    """True when another row, well apart, is nearly as likely."""
    rest = np.r_[like[: max(0, best - apart)], like[best + apart :]]
    rest = rest[np.isfinite(rest)]
    return bool(len(rest) and rest.max() > _RIVAL * like[best])


def _bank_likelihood(stack: Array, good: Array) -> Array:
    """Return the likelihood of a change after each row: what moves, its grey, and how rough it is."""
    middle = np.where(good[:, None], np.median(np.nan_to_num(stack), 0), 0)
    moving = np.nan_to_num(stack).std(0).mean(1)
    grey, rough = middle.mean(1), middle.std(1)
    return np.asarray(
        _two_levels(moving, good) + 0.5 * _two_levels(grey, good) + 0.5 * _two_levels(rough, good)
    )


def _up_the_bank(bed: Array, *, left: bool) -> Array | None:
    """Return stations from the bank's top downwards, an even step of altitude apart, as long as the bed falls."""
    line = bed if left else bed[::-1]
    low = int(np.argmin(line[:, 1]))
    falls = line[: low + 1]
    falling = [falls[0]]
    for point in falls[1:]:
        if point[1] >= falling[-1][1]:
            break
        falling.append(point)
    if len(falling) < 2 or falling[0][1] - falling[-1][1] < _LEAST_SPAN_M:
        return None
    table = np.array(falling)
    heights = np.arange(table[0, 1], table[-1, 1], -0.005)
    return np.asarray(np.interp(-heights, -table[:, 1], table[:, 0]))


def _axes(site: Site) -> tuple[Array, Array]:
    points = np.array(site.section.points, float) if site.section else np.zeros((2, 3))
    along = points[-1, :2] - points[0, :2]
    along = along / np.hypot(*along)
    return along, np.array((-along[1], along[0]))
