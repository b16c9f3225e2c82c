"""A rendered river whose truth is known: camera, bed, level, velocities, surface coefficient, all from a seed.

The channel is a prism: its bed does not change along the flow. Water carries two layers of texture at the speed of
each station; land and a staff stand still. Night, rain, fog, glare, dirt and shake can be put before the lens. It feeds
the demonstration town, the tests and the bench.
"""

import math
from typing import Any

import cv2
import msgspec
import numpy as np

from beffroi.services.water.camera.site import Point, Section, Site
from beffroi.services.water.camera.staff import STAFF_WIDTH_M, Staff, staff_picture

__all__ = ["River", "Weather", "frame", "frames", "river_of", "site_of", "truth_m3s"]

Array = np.ndarray[Any, Any]
_TEXTURE = 512  # pixels of a tile
_TILE_M = 8.0  # metres that a tile covers
_NEAR, _FAR = 0.5, 400.0


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """What stands between the camera and a good picture."""

    light: float = 1.0  # of a clear day
    noise: float = 2.0  # grey levels
    shake_px: float = 0.0
    rain: int = 0  # streaks on a picture
    fog: float = 0.0  # 0 to 1
    glare: float = 0.0  # share of the water
    dirt: int = 0  # spots on the lens
    shadow: float = 0.0  # of the light taken from half of the water
    ice: float = 0.0  # share of the width that is frozen, from the banks
    floes: float = 0.0  # share of the water that drifting ice covers
    moved_px: float = 0.0  # since the survey
    waves: float = 1.0  # contrast of the water


class River(msgspec.Struct, frozen=True, eq=False):
    """One river and its camera. `bed`: (n, 2) station and altitude; the section is the line n = 0."""

    seed: int
    bed: Any
    level: float
    speed_scale: float  # surface speed at a metre of depth, m/s
    alpha: float
    way: int  # 1: flows towards +n
    size: tuple[int, int]
    matrix: Any
    rotation: Any
    place: Any  # of the camera
    staff: Staff

    def depths(self, stations: Array) -> Array:
        """Return the depths at stations."""
        return np.asarray(np.maximum(self.level - np.interp(stations, self.bed[:, 0], self.bed[:, 1]), 0))

    def speeds(self, stations: Array) -> Array:
        """Return the surface speeds at stations, m/s: faster where deeper, slower at the banks."""
        across = np.asarray(stations) / self.bed[-1, 0]
        return np.asarray(
            self.speed_scale * self.depths(stations) ** 0.6 * (1 + 0.12 * np.sin(5 * across + self.seed))
        )

    def pixels(self, points: Array) -> Array:
        """Return the pixels of points (n, 3)."""
        seen = (points - self.place) @ self.rotation.T @ self.matrix.T
        return np.asarray(seen[:, :2] / seen[:, 2:])


def river_of(
    seed: int, size: tuple[int, int] = (800, 450), level: float | None = None, *, close: bool = False
) -> River:
    """Return the river of a seed; `level` overrides its own. `close`: the camera that watches the staff."""
    rng = np.random.default_rng((seed, 17))
    width, deep = rng.uniform(10, 22), rng.uniform(1.0, 2.2)
    own = float(rng.uniform(0.55, 0.95) * deep)
    skew = rng.uniform(0.35, 0.65)
    at = np.array((0, 0.12, 0.3, skew, 0.75, 0.9, 1.0)) * width
    down = np.array((0, 0.45, 0.8, 1.0, 0.85, 0.5, 0)) * deep * (1 + 0.08 * rng.standard_normal(7))
    at.sort()
    down[[0, -1]] = 0
    banks = np.array(((-3.0, 2.2), (0.0, 0.4)))
    bed = np.vstack(
        (
            banks,
            np.column_stack((at[1:-1], -down[1:-1])),
            ((width, 0.4), (width + 3.0, 2.2)),
        )
    )
    bed[:, 1] += deep
    place = np.array((width * rng.uniform(0.35, 0.65), -rng.uniform(9, 13), deep + rng.uniform(5.0, 8.0)))
    look = np.array((width / 2, rng.uniform(-0.5, 1.0), own))
    focal = size[0] * rng.uniform(0.55, 0.7) * min(1.0, 14 / width)
    matrix = np.array(((focal, 0, (size[0] - 1) / 2), (0, focal, (size[1] - 1) / 2), (0, 0, 1.0)))
    scale, alpha, way = rng.uniform(0.7, 1.7), rng.uniform(0.82, 0.92), 1 if rng.random() < 0.5 else -1
    falls = bed[np.argmin(bed[:, 1]) :]
    stands = float(np.interp(0.2 * deep, falls[:, 1], falls[:, 0]))
    staff = Staff(
        stands, float(rng.uniform(-0.5, 0.5)), bottom=0.15 * deep, top=deep + 0.3, width_m=STAFF_WIDTH_M
    )
    if close:
        place = np.array(
            (stands - rng.uniform(0.5, 1.5), staff.y - rng.uniform(5, 7), deep + rng.uniform(1.5, 2.5))
        )
        look = np.array((stands + rng.uniform(0.2, 0.6), staff.y, 0.7 * deep))
        matrix[0, 0] = matrix[1, 1] = size[0] * rng.uniform(1.1, 1.3)
    return River(
        seed, bed, own if level is None else level, float(scale), float(alpha), way, size, matrix,
        _looking(place, look), place, staff,
    )  # fmt: skip


def _looking(place: Array, at: Array) -> Array:
    forward = (at - place) / np.linalg.norm(at - place)
    right = np.cross(forward, (0, 0, 1.0))
    right /= np.linalg.norm(right)
    return np.stack((right, np.cross(forward, right), forward))


def truth_m3s(river: River) -> float:
    """Return the discharge that flows."""
    fine = np.linspace(river.bed[0, 0], river.bed[-1, 0], 4001)
    return float(river.alpha * np.trapezoid(river.speeds(fine) * river.depths(fine), fine))


def site_of(river: River, *, errors: bool = False, sigma: dict[str, float] | None = None) -> Site:
    """Return the river's site as surveyed; with `errors` each value has an error drawn from what the site states."""
    rng = np.random.default_rng((river.seed, 23))
    said = {"pixel": 0.5, "ground_m": 0.01, "level_m": 0.01, "bed": 0.03, "alpha": 0.03} | (sigma or {})
    on = 1.0 if errors else 0.0
    control = _control(river)
    pixels = river.pixels(control) + on * said["pixel"] * rng.standard_normal((len(control), 2))
    ground = control + on * said["ground_m"] * rng.standard_normal(control.shape)
    points = tuple(Point(*map(float, p), *map(float, g)) for p, g in zip(pixels, ground, strict=True))
    bed = river.bed.copy()
    depth = np.maximum(river.level - bed[:, 1], 0)
    bed[:, 1] += (
        on
        * said["bed"]
        * (0.5 * depth * rng.standard_normal() + math.sqrt(0.75) * depth * rng.standard_normal(len(bed)))
    )
    return Site(
        name=f"river {river.seed}",
        width=river.size[0],
        height=river.size[1],
        points=points,
        level=river.level + on * said["level_m"] * float(rng.standard_normal()),
        section=Section(tuple((float(s), 0.0, float(z)) for s, z in bed)),
        alpha=river.alpha * (1 + on * said["alpha"] * float(rng.standard_normal())),
        alpha_stated=True,
        level_sigma_m=said["level_m"],
        staff=river.staff,
    )


def _control(river: River) -> Array:
    """Return a dozen points that the camera sees, well spread over the picture: marks on the ground, on walls and on
    poles."""
    rng = np.random.default_rng((river.seed, 5))
    wide, high = river.size
    ways = np.linalg.inv(river.matrix).T @ river.rotation
    found: list[Array] = []
    for _ in range(20_000):
        pixel = np.array((rng.uniform(0.02, 0.98) * wide, rng.uniform(0.02, 0.98) * high))
        point = river.place + rng.uniform(3, 30) * (np.append(pixel, 1.0) @ ways)
        ground = max(float(np.interp(point[0], river.bed[:, 0], river.bed[:, 1])), river.level)
        apart = wide / (7 if len(found) < 8 else 14)
        seen = [river.pixels(f[None])[0] for f in found]
        if ground <= point[2] <= ground + 2 and all(np.hypot(*(pixel - p)) > apart for p in seen):
            found.append(point)
        if len(found) == 12:
            break
    return np.array(found)


class _Seen(msgspec.Struct, frozen=True, eq=False):
    """What each pixel looks at: station, distance along the flow, altitude, and whether it is water."""

    station: Any
    along: Any
    height: Any
    water: Any


def _seen(river: River) -> _Seen:
    u, v = np.meshgrid(np.arange(river.size[0]), np.arange(river.size[1]))
    rays = (
        np.stack((u.ravel(), v.ravel(), np.ones(u.size)), 1) @ np.linalg.inv(river.matrix).T @ river.rotation
    )
    with np.errstate(divide="ignore"):
        reach = np.where(rays[:, 2] < -1e-6, (river.level - river.place[2]) / rays[:, 2], _FAR)
    reach = np.clip(reach, _NEAR, _FAR)
    hit = river.place + rays * reach[:, None]
    bed = np.interp(hit[:, 0], river.bed[:, 0], river.bed[:, 1])
    land = (bed > river.level) | (reach >= _FAR)
    near, far = np.full(len(reach), _NEAR), reach.copy()
    for _ in range(18):  # where a ray meets the bank, between the camera and the plane of the water
        middle = (near + far) / 2
        at = river.place + rays * middle[:, None]
        above = at[:, 2] > np.interp(at[:, 0], river.bed[:, 0], river.bed[:, 1])
        near, far = np.where(above, middle, near), np.where(above, far, middle)
    met = river.place + rays * near[:, None]
    met = np.where(land[:, None], met, hit)
    shape = (int(river.size[1]), int(river.size[0]))
    station, along, height = (met[:, i].reshape(shape) for i in range(3))
    return _Seen(station, along, height, ~land.reshape(shape))


def _tile(seed: int, sizes: tuple[float, ...], weights: tuple[float, ...]) -> Array:
    """Return a texture that goes on at its edges, of blobs of several sizes (pixels), one standard deviation high."""
    rng = np.random.default_rng(seed)
    total = np.zeros((_TEXTURE, _TEXTURE), np.float32)
    for size, weight in zip(sizes, weights, strict=True):
        noise = rng.standard_normal((_TEXTURE, _TEXTURE)).astype(np.float32)
        wide = np.pad(noise, 40, mode="wrap")
        soft = cv2.GaussianBlur(wide, (0, 0), size)[40:-40, 40:-40]
        total += weight * soft / soft.std()
    return np.asarray(total / total.std())


def _look_up(tile: Array, s: Array, n: Array) -> Array:
    scale = _TEXTURE / _TILE_M
    x = np.mod(s * scale, _TEXTURE).astype(np.float32)
    y = np.mod(n * scale, _TEXTURE).astype(np.float32)
    wide = np.pad(tile, ((0, 2), (0, 2)), mode="wrap")
    return np.asarray(cv2.remap(wide, x, y, cv2.INTER_LINEAR))


def frames(
    river: River, count: int = 10, dt_s: float = 0.1, weather: Weather = Weather(), start_s: float = 0.0
) -> list[Array]:
    """Return grey frames (uint8) `dt_s` apart."""
    seen = _seen(river)
    layers = [_tile(river.seed * 3 + k, (1.6, 4.0, 10.0), (1.0, 0.8, 0.5)) for k in range(2)]
    ground = _tile(river.seed * 3 + 2, (1.2, 3.0, 20.0), (1.0, 0.7, 1.2))
    land = 110 + 26 * _look_up(ground, seen.station * 0.9 + 0.4 * seen.height, seen.along * 0.9)
    speeds = river.way * river.speeds(seen.station)
    rng = np.random.default_rng((river.seed, 99))
    marks = _marks(river, rng)
    return [
        _one(
            river,
            seen,
            layers,
            land,
            speeds,
            weather,
            marks,
            start_s + k * dt_s,
            np.random.default_rng((river.seed, 1000 + k)),
        )
        for k in range(count)
    ]


def frame(river: River, weather: Weather = Weather()) -> Array:
    """Return one frame."""
    picture: Array = frames(river, 1, weather=weather)[0]
    return picture


def _marks(river: River, rng: np.random.Generator) -> dict[str, Any]:
    width, height = river.size
    dirt = [
        (rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.03, 0.08) * width) for _ in range(12)
    ]
    return {"dirt": dirt, "glare": rng.uniform(0.3, 0.7)}


def _one(
    river: River,
    seen: _Seen,
    layers: list[Array],
    land: Array,
    speeds: Array,
    weather: Weather,
    marks: dict[str, Any],
    at_s: float,
    rng: np.random.Generator,
) -> Array:
    carried = seen.along - speeds * at_s
    mix = 0.5 + 0.35 * math.sin(2 * math.pi * at_s / 7)
    waves = mix * _look_up(layers[0], seen.station, carried) + (1 - mix) * _look_up(
        layers[1], seen.station, carried
    )
    water = 95 + 17 * weather.waves * waves
    if weather.shadow:
        water = np.where(seen.station < river.bed[-1, 0] * 0.45, water * (1 - weather.shadow), water)
    if weather.glare:
        middle = marks["glare"] * river.bed[-1, 0]
        shine = np.exp(-(((seen.station - middle) / (weather.glare * river.bed[-1, 0])) ** 2) * 2)
        water = water + 240 * shine
    if weather.ice:
        edge = weather.ice / 2 * river.bed[-1, 0]
        water = np.where(np.minimum(seen.station, river.bed[-1, 0] - seen.station) < edge, 222.0, water)
    if weather.floes:
        plates = _look_up(_tile(river.seed * 3 + 5, (25.0,), (1.0,)), seen.station, carried)
        water = np.where(plates > np.quantile(plates[seen.water], 1 - weather.floes), 222.0, water)
    picture = np.where(seen.water, water, land)
    picture = _with_staff(river, picture)
    picture = picture * weather.light
    if weather.fog:
        picture = picture * (1 - weather.fog) + 190 * weather.light * weather.fog
    return _through_lens(picture, weather, marks, rng)


def _with_staff(river: River, picture: Array) -> Array:
    """Draw the staff above the water, and a faint reflection of it below."""
    plate = staff_picture(river.staff)
    per_m = plate.shape[0] / (river.staff.top - river.staff.bottom)
    dry = max(0, min(plate.shape[0], round((river.staff.top - river.level) * per_m)))
    corners = river.staff.corners()
    pixels = river.pixels(corners).astype(np.float32)
    high, wide = plate.shape
    source = np.array(
        ((-0.5, -0.5), (wide - 0.5, -0.5), (wide - 0.5, high - 0.5), (-0.5, high - 0.5)), np.float32
    )
    way = cv2.getPerspectiveTransform(source, pixels)
    shown = plate[:dry].astype(np.float32)
    if not dry:
        return picture
    size = (picture.shape[1], picture.shape[0])
    fine = 4  # drawn finer than seen, then averaged: a pixel is an area
    up = np.array(((fine, 0, (fine - 1) / 2), (0, fine, (fine - 1) / 2), (0, 0, 1.0)))
    x0, y0 = (int(v) for v in np.clip(np.floor(pixels.min(0)) - 2, 0, np.array(size) - 1))
    x1, y1 = (int(v) for v in np.clip(np.ceil(pixels.max(0)) + 3, 1, size))
    if x1 <= x0 or y1 <= y0:
        return picture
    shift = np.array(((1, 0, -x0), (0, 1, -y0), (0, 0, 1.0)))
    area = ((x1 - x0) * fine, (y1 - y0) * fine)
    drawn = cv2.warpPerspective(shown, up @ shift @ way, area, flags=cv2.INTER_LINEAR)
    cover = cv2.warpPerspective(np.ones_like(shown), up @ shift @ way, area, flags=cv2.INTER_LINEAR)
    small = ((x1 - x0), (y1 - y0))
    drawn, cover = (cv2.resize(m, small, interpolation=cv2.INTER_AREA) for m in (drawn, cover))
    out = picture.copy()
    out[y0:y1, x0:x1] = picture[y0:y1, x0:x1] * (1 - cover) + drawn
    return out


def _through_lens(picture: Array, weather: Weather, marks: dict[str, Any], rng: np.random.Generator) -> Array:
    height, width = picture.shape
    picture = picture.astype(np.float32)
    if weather.shake_px or weather.moved_px:
        shift = weather.shake_px * rng.standard_normal(2) + np.array(
            (weather.moved_px, 0.4 * weather.moved_px)
        )
        place = np.array(((1, 0, shift[0]), (0, 1, shift[1])))
        picture = cv2.warpAffine(
            picture, place, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
    for _ in range(weather.rain):
        x, y, long = rng.uniform(0, width), rng.uniform(-20, height), rng.uniform(15, 60)
        slant = rng.uniform(-0.08, 0.08)
        streak = np.zeros_like(picture)
        cv2.line(streak, (int(x), int(y)), (int(x + slant * long), int(y + long)), 1.0, 1, cv2.LINE_AA)
        picture += streak * rng.uniform(25, 60) * max(weather.light, 0.5)
    for x, y, radius in marks["dirt"][: weather.dirt]:
        yy, xx = np.ogrid[:height, :width]
        spot = np.exp(-((((xx - x) ** 2 + (yy - y) ** 2) / radius**2) ** 2)).astype(np.float32)
        picture = picture * (1 - 0.85 * spot) + 70 * weather.light * 0.85 * spot
    picture = picture + rng.normal(0, weather.noise, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
