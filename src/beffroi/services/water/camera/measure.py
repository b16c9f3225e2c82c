"""From frames to a discharge: the chain, with its doubts. A picture that cannot be trusted gives no figure."""

import time
from typing import Any

import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.services.water.camera.discharge import Discharge, discharge_of
from beffroi.services.water.camera.doubts import forbids
from beffroi.services.water.camera.frames import Sequence
from beffroi.services.water.camera.ortho import Band, band_of, warped
from beffroi.services.water.camera.projection import projection_of, residuals_of
from beffroi.services.water.camera.quality import moved_since_survey, picture_doubts
from beffroi.services.water.camera.section import Wetted, wetted
from beffroi.services.water.camera.site import Site
from beffroi.services.water.camera.stabilise import hold_still
from beffroi.services.water.camera.standing import without_standing
from beffroi.services.water.camera.surface import COARSE, FINE, ROWS, Look, Profile, measure_profile
from beffroi.services.water.camera.uncertainty import Sigmas, Spread, spread_of

__all__ = ["Measurement", "concluded", "measure", "profile_discharge", "sigmas_of", "water_of"]

Array = np.ndarray[Any, Any]
_ALPHA_STATED, _ALPHA_ASSUMED = 0.03, 0.045  # relative
_FASTEST_FROUDE = 2.0
_SHAKE_PX = 1.5
_SHAKEN = 0.025  # relative, of what holding a shaking picture still leaves (rendered rivers, 2 px)
_BESIDE_SECTION, _NEAR_SECTION = (
    0.35,
    0.12,
)  # of its width: where nothing stands still, where it is surely water
_WORTHLESS = 0.2  # score under which an engine found nothing
_BESIDE = 0.3  # … and under which it does not bear another out: noise comes to 0.22, a river by night to 0.6
_CONTRADICT = 0.5  # relative difference of two engines' discharges that makes both worthless
_ONE_WAY = 0.6  # net over gross flow: an eddy runs back, half of the river does not
_UNEVEN = 0.08
_AGREE = 0.12  # relative difference of two engines' discharges that is worth saying


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """A discharge with its interval, or None with the doubts that forbid it."""

    discharge_m3s: float | None
    interval95: tuple[float, float] | None
    mean_velocity_ms: float | None
    area_m2: float
    measured_share: float
    flags: tuple[str, ...]
    cpu_s: float
    level_m: float | None = None
    surface_velocity_ms: float | None = None
    alpha: float | None = None
    quality: float = 0.0  # 0 to 1
    frames: int = 0
    engine: str = ""
    engines: dict[str, dict[str, float | None]] = {}
    budget: dict[str, float] = {}
    methods: dict[str, float] = {}
    verticals: tuple[dict[str, Any], ...] = ()


def measure(
    site: Site,
    sequence: Sequence,
    level: float | None = None,
    *,
    level_sigma_m: float | None = None,
    engine: str = "auto",
) -> Measurement:
    """Measure the discharge of a site from a sequence at a reading of the gauge (the survey's when None).

    Raises Problem when the site, level and pictures cannot belong together.
    """
    started = time.process_time()
    wet = wetted(site, level)
    doubts = [*sequence.doubts, *_about_level(site, wet, level)]
    band = band_of(site, level, (wet.left, wet.right), COARSE // 2 + ROWS // 2 * FINE // 2, sequence.size)
    if band.projection.level_bound:
        doubts.append("level_unfollowed")
    doubts += picture_doubts(sequence.frames, _water(site, band, wet, _NEAR_SECTION))
    still = hold_still(sequence.frames, _water(site, band, wet))
    doubts += moved_since_survey(sequence.frames[0], site.landmarks)
    doubts += ["not_stabilised"] if still.moves is None else ["shake"] if still.shake_px > _SHAKE_PX else []
    moves = still.moves if still.shake_px > 0.02 else None
    look = _look(band, wet, sequence, moves)
    if not look.seen.any(0).all():
        doubts.append("section_outside")
    profiles = measure_profile(without_standing(look), engine)
    return concluded(site, wet, profiles, doubts, level, band, started, len(sequence.frames), level_sigma_m)


def concluded(
    site: Site,
    wet: Wetted,
    profiles: list[Profile],
    doubts: list[str],
    level: float | None,
    band: Band | None,
    started: float,
    frames: int,
    level_sigma_m: float | None = None,
) -> Measurement:
    """Put the figure, its interval and its doubts together from what the engines found."""
    best = profiles[0]
    doubts += _about_motion(best, profiles[1:])
    found, spread = profile_discharge(site, wet, best, band, level_sigma_m, shaken="shake" in doubts)
    doubts += _about_figure(site, wet, found, best, profiles)
    flags = tuple(dict.fromkeys(doubts))
    barred = forbids(flags)
    engines = {p.engine: _summary(site, wet, p) for p in profiles}
    speeds = found.speeds[found.measured]
    quality = 0.0 if barred else float(np.clip(best.score * (1 - 0.1 * _serious(flags)), 0, 1))
    return Measurement(
        discharge_m3s=None if barred else found.value,
        interval95=None if barred else (spread.low, spread.high),
        mean_velocity_ms=None if barred else found.value / wet.area_m2,
        area_m2=wet.area_m2,
        measured_share=found.measured_share if found.measured.any() else 0.0,
        flags=flags,
        cpu_s=time.process_time() - started,
        level_m=level if level is not None else site.level,
        surface_velocity_ms=float(np.mean(speeds)) if len(speeds) and not barred else None,
        alpha=site.alpha,
        quality=quality,
        frames=frames,
        engine=best.engine,
        engines=engines,
        budget=spread.budget,
        methods={"mid_section": found.value, "trapezoid": found.trapezoid},
        verticals=tuple(
            {
                "station_m": float(s),
                "depth_m": float(d),
                "surface_ms": float(v) if np.isfinite(v) else None,
                "measured": bool(m),
            }
            for s, d, v, m in zip(wet.stations, wet.depths, found.speeds, found.measured, strict=True)
        ),
    )


def profile_discharge(
    site: Site,
    wet: Wetted,
    profile: Profile,
    band: Band | None,
    level_sigma_m: float | None = None,
    *,
    shaken: bool = False,
) -> tuple[Discharge, Spread]:
    """Return the discharge of one engine's profile, and its spread."""
    way = 0 if site.flow_to_right is None else (-1 if site.flow_to_right else 1)
    found = discharge_of(wet.stations, wet.depths, profile.across, profile.valid, site.alpha, way)
    sigmas = sigmas_of(site, wet, profile, found, band, level_sigma_m)
    if shaken:
        sigmas = msgspec.structs.replace(sigmas, pace=float(np.hypot(sigmas.pace, _SHAKEN)))
    sigma = np.nan_to_num(profile.sigma, nan=0.0)
    sounded = None if wet.bed is None else wet.bed[:, 0]
    return found, spread_of(found, wet.stations, wet.depths, sigma, site.alpha, sigmas, sounded)


def sigmas_of(
    site: Site,
    wet: Wetted,
    profile: Profile,
    found: Discharge,
    band: Band | None,
    level_sigma_m: float | None = None,
) -> Sigmas:
    """Return how sure each source is, from the site where it says and from the measurement where it shows."""
    stated = _ALPHA_STATED if site.alpha_stated else _ALPHA_ASSUMED
    pose = band.projection.pose if band is not None else None
    height = float(pose.place()[2] - site.altitude()) if pose is not None else 0.0
    pace = profile.pace
    jitter = 1.4826 * float(np.median(np.abs(pace - np.median(pace)))) if len(pace) > 2 else 0.0
    return Sigmas(
        alpha=stated if site.alpha_sigma is None else site.alpha_sigma / site.alpha,
        level_m=site.level_sigma_m if level_sigma_m is None else level_sigma_m,
        bed_m=site.section.sigma_m if site.section else 0.0,
        control=_control(site, wet),
        scale_per_m=1 / height if height > 0.5 else 0.0,
        pace=1.25 * jitter / np.sqrt(max(1, len(pace))),
        verticals=0.003 + _sampling(wet, found),
    )


def _control(site: Site, wet: Wetted) -> float:
    """Return the relative error of lengths that the control points leave."""
    if not site.points or len(site.points) * 2 <= 8:
        return 0.015  # nothing is left over to judge by
    metres = [r.metres for r in residuals_of(site)]
    return 0.005 + float(np.sqrt(np.mean(np.square(metres))) / max(wet.width_m, 1e-6) / np.sqrt(len(metres)))


def _sampling(wet: Wetted, found: Discharge) -> float:
    """Return the relative error of taking so few verticals: what half of them would have said, over four (the error of
    a trapezoid falls with the square of the step), halved again as a standard deviation."""
    if len(wet.stations) < 7 or not found.trapezoid:
        return 0.02
    product = found.speeds * wet.depths
    keep = np.r_[0 : len(product) : 2]
    if keep[-1] != len(product) - 1:
        keep = np.r_[keep, len(product) - 1]
    fewer = float(np.trapezoid(product[keep], wet.stations[keep]))
    all_ = float(np.trapezoid(product, wet.stations))
    return min(abs(fewer - all_) / max(abs(all_), 1e-9) / 4, 0.05)


def _look(band: Band, wet: Wetted, sequence: Sequence, moves: list[Array] | None) -> Look:
    above = [
        warped(f, band.map_x, band.map_y, None if moves is None else moves[i])
        for i, f in enumerate(sequence.frames)
    ]
    offsets = (np.arange(ROWS) - ROWS // 2) * (FINE // 2)
    columns = np.rint(band.columns(wet.stations)).astype(int)
    x = np.tile(columns, (ROWS, 1))
    y = np.repeat(round(band.row()) + offsets[:, None], len(columns), 1)
    width, height = sequence.size
    inside = (band.map_x >= 0) & (band.map_x <= width - 1) & (band.map_y >= 0) & (band.map_y <= height - 1)
    half = FINE // 2
    seen = np.ones(x.shape, bool)
    for dx in (-half, 0, half):
        for dy in (-half, 0, half):
            rows = np.clip(y + dy, 0, inside.shape[0] - 1)
            cols = np.clip(x + dx, 0, inside.shape[1] - 1)
            # a window may hang over the bank, not over the picture's edge
            seen &= inside[rows, cols]
    return Look(above, sequence.times_s, x, y, seen, band.resolution)


def _water(site: Site, band: Band, wet: Wetted, share: float = _BESIDE_SECTION) -> Array:
    """Return the polygon of the water around the section, in pixels: its width times `share` to each side."""
    if site.region:
        return projection_of(site).pixels(np.array(site.region, float))
    reach = share * (wet.right - wet.left)
    corners = [(wet.left, reach), (wet.right, reach), (wet.right, -reach), (wet.left, -reach)]
    dense = [
        np.array(a) + t * (np.array(b) - np.array(a))
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True)
        for t in np.linspace(0, 1, 8, endpoint=False)
    ]
    flat = np.array([band.origin + s * band.along + n * band.across for s, n in dense])
    pixels = band.projection.pixels(flat)
    return np.asarray(pixels[np.isfinite(pixels).all(1)])


def water_of(site: Site, level: float | None, size: tuple[int, int]) -> Array | None:
    """Return the polygon of the water around the section in pixels, None when the site cannot tell."""
    try:
        wet = wetted(site, level)
        return _water(site, band_of(site, level, (wet.left, wet.right), COARSE, size), wet)
    except Problem:
        return None


def _about_level(site: Site, wet: Wetted, level: float | None) -> list[str]:
    found = []
    if level is None:
        found.append("level_assumed")
    if wet.above_banks:
        found.append("level_above_banks")
    if not site.alpha_stated:
        found.append("alpha_assumed")
    return found


def _about_motion(best: Profile, others: list[Profile]) -> list[str]:
    """Return the doubt that there is a motion at all: noise too has a course for whoever follows it, but no two
    engines follow it alike."""
    if not best.valid.any() or best.valid.mean() < 0.25 or best.score < _WORTHLESS:
        return ["incoherent"]
    alone = bool(others) and max(p.score for p in others) < _BESIDE
    return ["incoherent"] if alone else []


def _about_figure(
    site: Site, wet: Wetted, found: Discharge, best: Profile, profiles: list[Profile]
) -> list[str]:
    doubts = []
    through = found.speeds * wet.depths
    if abs(float(through.sum())) < _ONE_WAY * float(np.abs(through).sum()):
        doubts.append("incoherent")
    speeds = np.abs(found.speeds[found.measured])
    if len(speeds) and float(np.max(speeds)) < 0.01:
        doubts.append("no_motion")
    deep = wet.depths > 0.05
    if (
        deep.any()
        and float(np.median(np.abs(found.speeds[deep]) / np.sqrt(9.81 * wet.depths[deep]))) > _FASTEST_FROUDE
    ):
        doubts.append("implausible_speed")
    if found.measured_share < 0.5:
        doubts.append("little_measured")
    if len(best.pace) > 2 and float(np.median(np.abs(best.pace - np.median(best.pace)))) > _UNEVEN:
        doubts.append("uneven_time")
    others = [p for p in profiles[1:] if p.score > 0.6 * best.score]
    for other in others:
        value = discharge_of(wet.stations, wet.depths, other.across, other.valid, site.alpha).value
        if abs(value - found.value) > _AGREE * abs(found.value):
            apart = abs(value - found.value) / max(abs(found.value), 1e-9)
            doubts.append("incoherent" if apart > _CONTRADICT else "engines_disagree")
            break
    return doubts


def _summary(site: Site, wet: Wetted, profile: Profile) -> dict[str, float | None]:
    found = discharge_of(wet.stations, wet.depths, profile.across, profile.valid, site.alpha)
    return {
        "discharge_m3s": found.value if profile.valid.any() else None,
        "score": profile.score,
        "valid_share": float(profile.valid.mean()),
        "relative_error": profile.error if profile.valid.any() else None,
    }


def _serious(flags: tuple[str, ...]) -> int:
    return sum(f not in ("alpha_assumed", "level_assumed", "not_stabilised") for f in flags)
