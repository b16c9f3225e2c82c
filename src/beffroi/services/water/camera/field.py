"""A field of surface velocities that another tool measured, in a NetCDF-4 file (read as the HDF5 it is)."""

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.camera.measure import Measurement, concluded
from beffroi.services.water.camera.section import wetted
from beffroi.services.water.camera.site import Site
from beffroi.services.water.camera.surface import Profile

__all__ = ["Field", "measure_field", "read_field"]

Array = np.ndarray[Any, Any]
_LEAST_TIMES = 0.05  # share of the times at which a cell must have a velocity
_MEMORY = 5  # times after which a velocity is independent of another


class Field(msgspec.Struct, frozen=True, eq=False):
    """Ground places (n, 2) and velocities (times, n, 2) on the ground's axes in m/s, absent as NaN; the cell's size."""

    places: Any
    velocities: Any
    cell_m: float


def read_field(path: Path) -> Field:
    """Return the field of a file with v_x and v_y over (time,) y, x. Raises Problem when it is not one."""
    import h5py  # noqa: PLC0415 -- heavy, and only here

    try:
        with h5py.File(path, "r") as file:
            across, down = _values(file, "v_x"), _values(file, "v_y")
            grid = _grid(file)
    except (OSError, KeyError) as error:
        raise Problem(
            Text("Ce fichier n'est pas un champ de vitesses NetCDF-4 : {why}",
                 "This file is not a NetCDF-4 field of velocities: {why}").filled(why=str(error)),
            Text("Il faut v_x et v_y sur (temps,) y, x, et xs, ys ou x, y.",
                 "It needs v_x and v_y over (time,) y, x, and xs, ys or x, y."), str(path)) from error  # fmt: skip
    if across.ndim == 2:
        across, down = across[None], down[None]
    xs, ys, sign_x, sign_y = grid
    east = np.array((xs[0, 1] - xs[0, 0], ys[0, 1] - ys[0, 0])) * sign_x
    north = np.array((xs[1, 0] - xs[0, 0], ys[1, 0] - ys[0, 0])) * sign_y
    cell = float((np.hypot(*east) + np.hypot(*north)) / 2)
    velocities = across[..., None] * (east / np.hypot(*east)) + down[..., None] * (north / np.hypot(*north))
    return Field(np.column_stack((xs.ravel(), ys.ravel())), velocities.reshape(len(velocities), -1, 2), cell)


def _values(file: Any, name: str) -> Array:
    data = file[name]
    raw = data[...]
    values = raw.astype(float)
    for mark in ("_FillValue", "missing_value"):
        if mark in data.attrs:
            values[raw == np.ravel(data.attrs[mark])[0]] = np.nan
    scale = float(np.ravel(data.attrs.get("scale_factor", 1.0))[0])
    return np.asarray(values * scale + float(np.ravel(data.attrs.get("add_offset", 0.0))[0]))


def _grid(file: Any) -> tuple[Array, Array, float, float]:
    x, y = file["x"][...].astype(float), file["y"][...].astype(float)
    signs = (float(np.sign(x[1] - x[0])), float(np.sign(y[1] - y[0])))
    if "xs" in file and "ys" in file:
        return file["xs"][...].astype(float), file["ys"][...].astype(float), *signs
    xs, ys = np.meshgrid(x, y)
    return xs, ys, *signs


def measure_field(
    site: Site, field: Field, level: float | None = None, level_sigma_m: float | None = None
) -> Measurement:
    """Measure the discharge of a site from a field of velocities: the median over time of the cells at the section."""
    started = time.process_time()
    wet = wetted(site, level)
    points = np.array(site.section.points, float) if site.section else np.zeros((0, 3))
    along = points[-1, :2] - points[0, :2]
    along = along / np.hypot(*along)
    away = field.places - points[0, :2]
    station, offset = away @ along, away @ np.array((-along[1], along[0]))
    near = np.abs(offset) <= field.cell_m
    speeds = field.velocities[:, near] @ np.array((-along[1], along[0]))
    beside = field.velocities[:, near] @ along
    seen = np.isfinite(speeds).mean(0) >= min(_LEAST_TIMES, 1 / len(speeds))
    width = max(0.75 * field.cell_m, float(np.diff(wet.stations).max()) / 2)
    profile = _profile(wet.stations, station[near][seen], speeds[:, seen], beside[:, seen], width)
    doubts = [] if level is not None else ["level_assumed"]
    doubts += ["alpha_assumed"] if not site.alpha_stated else []
    doubts += ["level_above_banks"] if wet.above_banks else []
    return concluded(site, wet, [profile], doubts, level, None, started, len(field.velocities), level_sigma_m)


def _profile(stations: Array, at: Array, speeds: Array, beside: Array, width: float) -> Profile:
    n = len(stations)
    across, along, sigma = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    for j, s in enumerate(stations):
        close = np.abs(at - s) <= width
        values = speeds[:, close]
        good = values[np.isfinite(values)]
        if not len(good):
            continue
        count = np.isfinite(values).sum(0)
        cells = np.nanmedian(values[:, count > 0], 0)
        across[j] = float(np.average(cells, weights=count[count > 0]))
        along[j] = float(np.nanmedian(beside[:, close]))
        scatter = 1.4826 * float(np.median(np.abs(good - np.median(good))))
        sigma[j] = 1.25 * scatter / np.sqrt(max(1.0, len(good) / _MEMORY))
    valid = np.isfinite(across)
    found = Profile("field", across, along, sigma, valid, np.ones(1), 0.0)
    return msgspec.structs.replace(found, score=float(valid.mean() / (1 + 10 * min(found.error, 1e3))))
