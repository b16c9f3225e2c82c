"""From pixels to the water and back: a plane's homography, or the full pose of a camera with its lens.

A homography that was surveyed on the water holds at that level only. A pose (from six points with their altitudes, from
four with a known lens, or worked out of the homography itself, the pixels being square) holds at every level.
"""

import math
from typing import Any

import cv2
import msgspec
import numpy as np
from scipy.optimize import least_squares

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.camera.site import Point, Site

__all__ = ["Pose", "Projection", "Residual", "pose_of_plane", "projection_of", "residuals_of"]

Array = np.ndarray[Any, Any]
_FLAT = 0.02  # of the points' own spread: less across than that, and they lie in a line
_SAME_LEVEL_M = 0.02  # a homography surveyed on the water is good within this


class Pose(msgspec.Struct, frozen=True, eq=False):
    """A camera: pinhole matrix, distortion, rotation and translation from the ground less `origin`."""

    matrix: Any
    distortion: Any
    rotation: Any
    translation: Any
    origin: Any

    def plane(self, altitude: float) -> Array:
        """Return the homography from the ground (less origin) at an altitude to undistorted pixels."""
        z = altitude - self.origin[2]
        columns = np.column_stack(
            (self.rotation[:, 0], self.rotation[:, 1], self.rotation[:, 2] * z + self.translation)
        )
        return np.asarray(self.matrix @ columns)

    def place(self) -> Array:
        """Return where the camera is, on the ground's axes."""
        return np.asarray(-self.rotation.T @ self.translation + self.origin)


class Residual(msgspec.Struct, frozen=True):
    """How far a control point lies from where the projection puts it."""

    pixels: float
    metres: float


class Projection(msgspec.Struct, frozen=True, eq=False):
    """The way between the pixels of a camera and the ground at one altitude."""

    to_pixel: Any  # ground (less origin) to undistorted pixels
    origin: Any
    matrix: Any  # None: no distortion to undo
    distortion: Any
    pose: Pose | None = None
    level_bound: bool = False  # the survey's level is not this one and no pose could follow it

    def pixels(self, ground: Array) -> Array:
        """Return the pixels (n, 2), distorted as the lens does, of ground points (n, 2)."""
        flat = np.column_stack((ground - self.origin, np.ones(len(ground)))) @ self.to_pixel.T
        with np.errstate(divide="ignore", invalid="ignore"):
            found = flat[:, :2] / flat[:, 2:]
        if self.pose is not None:
            found[flat[:, 2] <= 0] = np.nan  # behind the camera
        return found if self.matrix is None else _distorted(found, self.matrix, self.distortion)

    def ground(self, pixels: Array) -> Array:
        """Return the ground points (n, 2) of pixels (n, 2)."""
        straight: Any = np.asarray(pixels, np.float64).reshape(-1, 2)
        if self.matrix is not None:
            straight = cv2.undistortPoints(
                straight.reshape(-1, 1, 2), self.matrix, self.distortion, P=self.matrix
            ).reshape(-1, 2)
        back = np.column_stack((straight, np.ones(len(straight)))) @ np.linalg.inv(self.to_pixel).T
        return np.asarray(back[:, :2] / back[:, 2:] + self.origin)


def _distorted(pixels: Array, matrix: Array, distortion: Array) -> Array:
    """Bend straight pixels as the lens does. Beyond the radius where the polynomial turns back, nothing is seen."""
    k1, k2, p1, p2, k3 = (float(v) for v in np.append(distortion.ravel(), np.zeros(5))[:5])
    x = (pixels[:, 0] - matrix[0, 2]) / matrix[0, 0]
    y = (pixels[:, 1] - matrix[1, 2]) / matrix[1, 1]
    r2 = x * x + y * y
    bend = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 1 + r2 * (3 * k1 + r2 * (5 * k2 + r2 * 7 * k3))
    bend = np.where(slope > 0, bend, np.nan)
    across = x * bend + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    down = y * bend + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return np.column_stack((across * matrix[0, 0] + matrix[0, 2], down * matrix[1, 1] + matrix[1, 2]))


def projection_of(site: Site, level: float | None = None) -> Projection:
    """Return the projection of a site at a reading of the gauge. Raises Problem when its points do not give one."""
    altitude = site.altitude(level)
    moved = abs(altitude - site.altitude()) > _SAME_LEVEL_M
    if site.homography is not None:
        return _of_homography(np.array(site.homography, float), site, altitude, moved=moved)
    _check(site.points)
    pixels = np.array([(p.px, p.py) for p in site.points], float)
    heights = [p.z for p in site.points]
    ground = np.array([(p.x, p.y) for p in site.points], float)
    z = np.array([site.altitude() if h is None else h for h in heights], float)
    lens = _lens(site)
    if lens is None and (len(site.points) < 6 or np.ptp(z) < 1e-6):
        found, _ = cv2.findHomography(pixels, ground - ground.mean(0))
        if found is None:
            raise _in_a_line()
        shifted = found.copy()
        shifted[:2] += np.outer(ground.mean(0), found[2])
        return _of_homography(shifted, site, altitude, moved=moved or np.ptp(z) > _SAME_LEVEL_M)
    origin = np.append(ground.mean(0), z.mean())
    matrix, distortion = lens or (None, np.zeros(4))
    solid = np.column_stack((ground, z)) - origin
    pose = _pose(solid, pixels, matrix, distortion, (site.width, site.height), origin)
    bent = pose.matrix if np.any(pose.distortion) else None
    return Projection(pose.plane(altitude), origin[:2], bent, pose.distortion, pose)


def _lens(site: Site) -> tuple[Array, Array] | None:
    if site.lens is None:
        return None
    return np.array(site.lens.matrix, float), np.array(site.lens.distortion or (0.0,) * 4, float)


def _of_homography(to_ground: Array, site: Site, altitude: float, *, moved: bool) -> Projection:
    if abs(np.linalg.det(to_ground)) < 1e-18:
        raise _in_a_line()
    centre = np.array((site.width / 2, site.height / 2, 1.0)) if site.width else np.array((1.0, 1.0, 1.0))
    middle = to_ground @ centre
    origin = middle[:2] / middle[2] if abs(middle[2]) > 1e-12 else np.zeros(2)
    shift = np.eye(3)
    shift[:2, 2] = -origin
    to_pixel = np.linalg.inv(shift @ to_ground)
    to_pixel /= to_pixel[2, 2]
    pose = pose_of_plane(to_pixel, site.width, site.height, np.append(origin, site.altitude()))
    if moved and pose is not None:
        return Projection(pose.plane(altitude), origin, None, np.zeros(4), pose)
    return Projection(to_pixel, origin, None, np.zeros(4), None, level_bound=moved)


def pose_of_plane(to_pixel: Array, width: int, height: int, origin: Array) -> Pose | None:
    """Return the camera whose homography this is, its pixels square and its axis through the picture's middle.

    The two first columns of K⁻¹H are orthogonal and as long as one another (Zhang 2000): two equations for one focal
    length. None when the view is too straight down to tell, or the size of the picture is not known.
    """
    if not width or not height:
        return None
    centre = np.array(((1, 0, -(width - 1) / 2), (0, 1, -(height - 1) / 2), (0, 0, 1.0)))
    a, b = (centre @ to_pixel)[:, 0], (centre @ to_pixel)[:, 1]
    # f⁻²·(a0b0 + a1b1) + a2b2 = 0 and f⁻²·(a0² + a1² - b0² - b1²) + a2² - b2² = 0
    left = np.array((a[0] * b[0] + a[1] * b[1], a[0] ** 2 + a[1] ** 2 - b[0] ** 2 - b[1] ** 2))
    right = -np.array((a[2] * b[2], a[2] ** 2 - b[2] ** 2))
    inverse = float(left @ right) / float(left @ left)
    if inverse <= 0:
        return None
    focal = 1 / math.sqrt(inverse)
    if not 0.3 * width < focal < 10 * width:
        return None
    matrix = np.array(((focal, 0, (width - 1) / 2), (0, focal, (height - 1) / 2), (0, 0, 1.0)))
    columns = np.linalg.inv(matrix) @ to_pixel
    columns /= (np.linalg.norm(columns[:, 0]) + np.linalg.norm(columns[:, 1])) / 2
    third = np.cross(columns[:, 0], columns[:, 1])
    u, _, vt = np.linalg.svd(np.column_stack((columns[:, :2], third)))
    rotation, translation = u @ vt, columns[:, 2]
    if (-rotation.T @ translation)[2] < 0:  # a camera is above its water
        flip = np.diag((-1.0, -1.0, 1.0))
        rotation, translation = rotation @ flip, -translation
        if np.linalg.det(rotation) < 0 or (-rotation.T @ translation)[2] < 0:
            return None
    return Pose(matrix, np.zeros(4), rotation, translation, origin)


def _pose(
    solid: Array,
    pixels: Array,
    matrix: Array | None,
    distortion: Array,
    size: tuple[int, int],
    origin: Array,
) -> Pose:
    """Return the pose by least squares on the pixels; without a lens the focal length is fitted too."""
    width, height = size if size[0] else (2 * pixels[:, 0].mean(), 2 * pixels[:, 1].mean())
    best: tuple[float, Any] | None = None
    for focal in (None,) if matrix is not None else (0.7, 1.0, 1.5, 2.2):
        start = (
            matrix
            if focal is None
            else np.array(
                ((focal * width, 0, (width - 1) / 2), (0, focal * width, (height - 1) / 2), (0, 0, 1.0))
            )
        )
        fitted = _fitted(solid, pixels, start, distortion, free_focal=matrix is None)
        if fitted is not None and (best is None or fitted[0] < best[0]):
            best = fitted
    if best is None:
        raise _in_a_line()
    rotation, translation, used = best[1]
    return Pose(used, distortion, rotation, translation, origin)


def _fitted(
    solid: Array, pixels: Array, matrix: Any, distortion: Array, *, free_focal: bool
) -> tuple[float, Any] | None:
    method = cv2.SOLVEPNP_ITERATIVE if len(solid) >= 6 else cv2.SOLVEPNP_SQPNP
    try:
        found, turn, shift = cv2.solvePnP(solid, pixels, matrix, distortion, flags=method)
    except cv2.error:
        return None
    if not found:
        return None

    def camera(values: Array) -> Array:
        used = np.array(matrix, float)
        if free_focal:
            used[0, 0] = used[1, 1] = values[6] * matrix[0, 0]
        return used

    def miss(values: Array) -> Array:
        seen, _ = cv2.projectPoints(solid, values[:3], values[3:6], camera(values), distortion)
        return np.asarray((seen.reshape(-1, 2) - pixels).ravel())

    start = np.concatenate((turn.ravel(), shift.ravel(), [1.0] if free_focal else []))
    solved = least_squares(miss, start, method="lm", x_scale="jac") if len(solid) >= 4 else None
    if solved is None or not np.all(np.isfinite(solved.x)):
        return None
    rotation, _ = cv2.Rodrigues(solved.x[:3])
    return float(solved.cost), (rotation, solved.x[3:6], camera(solved.x))


def _check(points: tuple[Point, ...]) -> None:
    if len(points) < 4:
        raise Problem(
            Text("Il faut quatre points de contrôle au moins ; ce site en a {n}.",
                 "Four control points are needed at least; this site has {n}.").filled(n=len(points)),
            Text("Ajoutez des points, ou une homographie.", "Add points, or a homography."),
            "/points",
        )  # fmt: skip
    for i, p in enumerate(points):
        if not all(math.isfinite(v) for v in (p.px, p.py, p.x, p.y, p.z or 0.0)):
            raise Problem(
                Text("Ce point n'a pas de valeur.", "This point has no value."),
                Text("Donnez des nombres.", "Give numbers."),
                f"/points/{i}",
            )
    for values in (np.array([(p.px, p.py) for p in points]), np.array([(p.x, p.y) for p in points])):
        spread = np.linalg.svd(values - values.mean(0), compute_uv=False)
        if spread[1] <= _FLAT * spread[0]:
            raise _in_a_line()


def _in_a_line() -> Problem:
    return Problem(
        Text("Les points de contrôle sont alignés : ils ne donnent aucun plan.",
             "The control points lie in a line: they give no plane."),
        Text("Relevez des points bien répartis, sur les deux rives.",
             "Survey points well spread, on both banks."),
        "/points",
    )  # fmt: skip


def residuals_of(site: Site) -> list[Residual]:
    """Return the residual of each control point, in pixels and in metres on its own horizontal plane."""
    projection = projection_of(site)
    found = []
    for point in site.points:
        height = site.altitude() if point.z is None else point.z
        seen = (
            projection
            if projection.pose is None
            else msgspec.structs.replace(projection, to_pixel=projection.pose.plane(height))
        )
        pixel = seen.pixels(np.array([(point.x, point.y)]))[0]
        ground = seen.ground(np.array([(point.px, point.py)]))[0]
        found.append(
            Residual(
                float(np.hypot(pixel[0] - point.px, pixel[1] - point.py)),
                float(np.hypot(ground[0] - point.x, ground[1] - point.y)),
            )
        )
    return found
