"""The camera gauge against known truth, other tools and published figures: every line of its table of figures.

`python -m bench.water_camera [PART …] [--seeds 200 [--first 0]] [--oracle PYTHON]`; parts: piv, peers, pisco, ngwerere, geul, river
(or river-day, river-night), level. `--oracle` is the Python of an environment of its own with `pip install ffpiv OpenPIV pyopenrivercam` (GPL and
AGPL: they are run beside, never imported). Every figure is CPU time of this process or of the peer's, one thread.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from beffroi.services.water.camera.correlation import correlate
from beffroi.services.water.camera.field import measure_field, read_field
from beffroi.services.water.camera.frames import Sequence, read_folder, read_video
from beffroi.services.water.camera.importing import import_site
from beffroi.services.water.camera.level import fused, read_levels
from beffroi.services.water.camera.measure import measure
from beffroi.services.water.camera.ortho import grid_map, warped
from beffroi.services.water.camera.pair import displacements
from beffroi.services.water.camera.projection import projection_of, residuals_of
from beffroi.services.water.camera.scene import Weather, frames, river_of, site_of, truth_m3s
from bench.water_particles import CASES, CLEAN, RIVER, errors, pair

HYDRO = Path(os.environ.get("BEFFROI_SHARED", "../shared")) / "data" / "hydro"
BARS = {("clean", "vortex"): 0.11, ("river", "uniform 3.4"): 0.16, ("river", "channel"): 0.19}
DAY = Weather()
NIGHT = Weather(light=0.35, noise=6, rain=60, shake_px=2.0)
_SEEDS = (1, 2, 3)


def line(name: str, said: str, good: bool | None = None) -> None:
    mark = "" if good is None else "ok    " if good else "SHORT "
    print(f"{mark:6} {name:34} {said}", flush=True)


def least(work: Any, times: int = 5) -> tuple[float, Any]:
    """Return the least CPU seconds of `times` runs, and the last result."""
    spent, result = [], None
    for _ in range(times):
        started = time.process_time()
        result = work()
        spent.append(time.process_time() - started)
    return min(spent), result


def piv() -> None:
    print(f"# pairs of 1024 x 1024, windows 32, step 16, 3,969 vectors; seeds {_SEEDS}; {CLEAN}; {RIVER}")
    for name, kind, flow, label in CASES:
        rms, wrong, spent, engine = [], [], [], ""
        for seed in _SEEDS:
            first, second = pair(flow, kind, seed)
            cpu, found = least(lambda a=first, b=second: displacements(a, b))
            off, share = errors(found.x, found.y, found.u, found.v, flow)
            rms.append(off)
            wrong.append(share)
            spent.append(cpu)
            engine = found.engine
        bar = BARS.get((label, name), 0.065)
        most_ms = 250 if label == "clean" else 60
        good = max(rms) <= bar and min(spent) * 1000 <= most_ms and (label == "clean" or max(wrong) <= 1.3)
        line(
            f"{label} {name}",
            f"RMS {max(rms):.3f} px (bar {bar}), {max(wrong):.2f} % wrong, {min(spent) * 1000:.0f} CPU ms (bar {most_ms}), {engine}",
            good,
        )


_PEERS = """
import json, sys, time
import numpy as np
a, b = np.load(sys.argv[1]), np.load(sys.argv[2])
out = {}
def least(work, times=3):
    spent = []
    for _ in range(times):
        t = time.process_time(); r = work(); spent.append(time.process_time() - t)
    return min(spent), r
try:
    import ffpiv
    stack = np.stack((a, b)).astype(np.uint8)
    work = lambda: ffpiv.piv_stack(stack, window_size=(32, 32), overlap=(16, 16), engine="numba")
    work()
    cpu, (u, v, *_) = least(work)
    out["ffpiv"] = {"cpu": cpu, "u": np.asarray(u)[0].tolist(), "v": np.asarray(v)[0].tolist()}
except Exception as error:
    out["ffpiv"] = {"absent": repr(error)}
try:
    from openpiv import windef
    s = windef.PIVSettings()
    s.windowsizes, s.overlap, s.num_iterations = (64, 32, 32), (32, 16, 16), 3
    s.sig2noise_validate = False
    s.show_all_plots = False; s.save_plot = False
    from openpiv import pyprocess, validation, filters
    def work():
        x, y, u, v, s2n = windef.first_pass(a.astype(float), b.astype(float), s)
        u = np.ma.masked_array(u, mask=np.ma.nomask); v = np.ma.masked_array(v, mask=np.ma.nomask)
        for i in range(1, s.num_iterations):
            x, y, u, v, grid_mask, flags = windef.multipass_img_deform(a.astype(float), b.astype(float), i, x, y, u, v, s)
        return x, y, u, v
    cpu, (x, y, u, v) = least(work, 2)
    out["windef"] = {"cpu": cpu, "x": x.tolist(), "y": y.tolist(), "u": np.ma.filled(u, np.nan).tolist(), "v": np.ma.filled(v, np.nan).tolist()}
except Exception as error:
    out["windef"] = {"absent": repr(error)}
print(json.dumps(out))
"""


def peers(oracle: str) -> None:
    print("# the same river pairs by ffpiv (pyorc's engine) and OpenPIV windef, run beside")
    for name, kind, flow, label in CASES:
        if label != "river":
            continue
        first, second = pair(flow, kind, 1)
        ours, found = least(lambda a=first, b=second: displacements(a, b))
        off, wrong = errors(found.x, found.y, found.u, found.v, flow)
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{i}.npy" for i in (0, 1)]
            for path, picture in zip(paths, (first, second), strict=True):
                np.save(path, picture)
            ran = subprocess.run(
                [oracle, "-W", "ignore", "-c", _PEERS, *map(str, paths)],
                capture_output=True,
                text=True,
                check=False,
                timeout=900,
            )
        if ran.returncode:
            line(
                f"peers {name}",
                f"not run: {ran.stderr.strip().splitlines()[-1] if ran.stderr else ran.returncode}",
            )
            continue
        for peer, said in json.loads(ran.stdout.strip().splitlines()[-1]).items():
            if "absent" in said:
                line(f"{peer} {name}", f"absent: {said['absent']}")
                continue
            u, v = np.array(said["u"], float), np.array(said["v"], float)
            at = (np.arange(u.shape[0]) * 16 + 15.5, np.arange(u.shape[1]) * 16 + 15.5)
            x, y = np.meshgrid(at[1], at[0])
            there = np.isfinite(u) & np.isfinite(v)
            best = min(
                (errors(x[there], y[there], u[there], s * v[there], flow) for s in (1, -1)),
                key=lambda e: e[0],
            )
            ratio, bar = said["cpu"] / ours, {"ffpiv": 4, "windef": 10}[peer]
            line(
                f"{name}: {peer}",
                f"{ratio:.1f} x our CPU (bar {bar}); RMS {best[0]:.3f} px, {best[1]:.1f} % wrong; ours {off:.3f}, {wrong:.2f} %",
                ratio >= bar and off <= best[0],
            )


def pisco() -> None:
    folder = HYDRO / "camera_pisco"
    site = import_site(sorted(folder.iterdir()))
    sequence = read_folder(folder, 0.08)
    started = time.process_time()
    found = measure(site, read_folder(folder, 0.08), 1.765)
    spent = time.process_time() - started
    _say("Pisco, 8 frames", found, 50.52, 0.04, spent)
    worst = 0.0
    inside = True
    for left in range(8):
        # seven of the eight, one left out at either end keeps the pace; inside, the gap is told by the times
        keep = [i for i in range(8) if i != left]
        part = Sequence([sequence.frames[i] for i in keep], sequence.times_s[keep])
        said = measure(site, part, 1.765)
        if said.discharge_m3s is None or said.interval95 is None:
            line("Pisco, seven of eight", f"{said.flags}", False)
            return
        worst = max(worst, abs(said.discharge_m3s / 50.52 - 1))
        inside &= said.interval95[0] <= 50.52 <= said.interval95[1]
    line(
        "Pisco, any seven of the eight",
        f"at most {worst:.1%} off (bar 5 %), intervals contain it: {inside}",
        worst <= 0.05 and inside,
    )


def _say(name: str, found: Any, truth: float, bar: float, spent: float) -> None:
    if found.discharge_m3s is None:
        line(name, f"no figure: {found.flags}", False)
        return
    low, high = found.interval95
    half = (high - low) / 2 / found.discharge_m3s
    off = found.discharge_m3s / truth - 1
    good = abs(off) <= bar and low <= truth <= high
    line(
        name,
        f"{found.discharge_m3s:.4g} m3/s, {off:+.1%} of {truth} (bar {bar:.0%}), 95 % [{low:.4g}, {high:.4g}] ±{half:.1%}, "
        f"{spent:.2f} CPU s, {found.engine}, flags {list(found.flags)}",
        good,
    )


def ngwerere() -> None:
    folder = HYDRO / "camera_ngwerere"
    field = read_field(folder / "ngwerere_masked.nc")
    for section in ("cross_section1.geojson", "ngwerere_cross_section.csv"):
        site = import_site([folder / "ngwerere.json", folder / section])
        spent, found = least(lambda s=site: measure_field(s, field), 3)
        _say(f"Ngwerere, {section[:16]}", found, 0.1641, 0.05, spent)


_PYORC = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import numpy as np, pyorc
c = pyorc.load_camera_config(sys.argv[1])
p = np.array(json.loads(sys.argv[2]))
missed = np.array(c.project_points(np.array(c.gcps["dst"]))) - np.array(c.gcps["src"], float)
ground = c.unproject_points(p, np.full(len(p), c.gcps["z_0"])).tolist()
print(json.dumps({"ground": ground, "rms": float(np.sqrt((missed**2).mean()))}))
"""


def geul(oracle: str) -> None:
    folder = HYDRO / "camera_geul"
    code = "import sys; sys.path.insert(0, '.'); from bench.water_camera import geul_chain; geul_chain(sys.argv[1])"
    runs = []
    for _ in range(3):  # other work on the machine costs CPU time too: the least of three processes
        ran = subprocess.run(
            [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
        )
        runs.append(json.loads(ran.stdout.splitlines()[-1]))
    said = min(runs, key=lambda r: r["cpu"])
    line(
        "Geul, clip to vectors",
        f"{said['cpu']:.2f} CPU s (bar .6; pyorc 4.15), {said['mb']:.0f} MB at most (bar 250), {said['vectors']} vectors, decode {said['decode']:.2f}",
        said["cpu"] <= 0.6 and said["mb"] <= 250,
    )
    site = import_site([folder / "dk_cam_config.json"])
    missed = np.array([r.pixels for r in residuals_of(site)])
    per_axis = float(np.sqrt(np.mean(missed**2) / 2))
    line(
        "Geul, control points",
        f"RMS {per_axis:.2f} px of a coordinate (bar 3), {np.sqrt(np.mean(missed**2)):.2f} px of distance",
        per_axis <= 3,
    )
    if not oracle:
        line("Geul, ground against pyorc", "absent: give --oracle")
        return
    pixels = [[300, 400], [1500, 900], [900, 500], [200, 800], [1700, 600], [700, 300], [1200, 200]]
    ran = subprocess.run(
        [oracle, "-c", _PYORC, str(folder / "dk_cam_config.json"), json.dumps(pixels)],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        line("Geul, ground against pyorc", f"not run: {ran.stderr.strip().splitlines()[-1]}")
        return
    told = json.loads(ran.stdout.splitlines()[-1])
    line("Geul, control points by pyorc", f"RMS {told['rms']:.2f} px of a coordinate: the same camera")
    theirs = np.array(told["ground"])[:, :2]
    apart = np.hypot(*(projection_of(site).ground(np.array(pixels, float)) - theirs).T)
    line("Geul, ground against pyorc", f"{apart.max():.4f} m apart at most (bar .05)", apart.max() <= 0.05)


def geul_chain(folder: str) -> None:
    """Decode, undistort and project to the site's grid, correlate the nine pairs; print what it cost as JSON."""
    cv2.setNumThreads(1)
    started = time.process_time()
    sequence = read_video(Path(folder) / "dk_control.mp4")
    decode = time.process_time() - started
    site = import_site([Path(folder) / "dk_cam_config.json"])
    corners = np.array(site.region)
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    columns, rows = (round(float(np.hypot(*v)) / (site.resolution or 0.03)) for v in (across, down))
    c, r = np.meshgrid(np.arange(columns) / columns, np.arange(rows) / rows)
    ground = corners[0] + c.reshape(-1, 1) * across + r.reshape(-1, 1) * down
    maps = grid_map(projection_of(site), ground, (rows, columns))
    above = [warped(f, *maps) for f in sequence.frames]
    x, y = np.meshgrid(np.arange(16, columns - 16, 16), np.arange(16, rows - 16, 16))
    found = correlate(
        above, x.ravel(), y.ravel(), 32
    )  # the ensemble of all nine pairs, the default of sequences
    vectors = found.u.size
    print(
        json.dumps(
            {
                "cpu": time.process_time() - started,
                "decode": decode,
                "vectors": int(vectors),
                "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def river(seeds: int, names: tuple[str, ...] = ("day", "night"), first: int = 0) -> None:
    sets = {"day": ("day", DAY, 0.03), "night": ("night, rain, 2 px shake", NIGHT, 0.08)}
    for name, weather, bar in (sets[n] for n in names):
        off, inside, half, silent, beyond = [], [], [], 0, []
        for seed in range(first, first + seeds):
            made = river_of(seed)
            sequence = Sequence(frames(made, 10, 0.1, weather), np.arange(10) * 0.1)
            truth = truth_m3s(made)
            exact = measure(site_of(made), sequence, made.level)
            if exact.discharge_m3s is not None:
                off.append(exact.discharge_m3s / truth - 1)
                if abs(off[-1]) > bar:
                    beyond.append(f"{seed} {off[-1]:+.1%} {exact.engine} {' '.join(exact.flags)}")
            surveyed = site_of(made, errors=True)
            found = measure(surveyed, sequence, surveyed.level)
            if found.discharge_m3s is None or found.interval95 is None:
                silent += 1
                continue
            low, high = found.interval95
            inside.append(low <= truth <= high)
            half.append((high - low) / 2 / found.discharge_m3s)
        away = np.abs(off)
        line(
            f"rendered river, {name}",
            f"{len(off)} seeds from {first}: RMS {np.sqrt(np.mean(away**2)):.2%}, 95 in 100 within {np.percentile(away, 95):.2%}, {len(beyond)} beyond the bar of {bar:.0%} ({'; '.join(beyond) or 'none'}), worst {away.max():.2%}",
            bool(np.percentile(away, 95) <= bar),
        )
        share = float(np.mean(inside))
        line(
            f"interval covers truth, {name}",
            f"{share:.1%}: {sum(inside)} of {len(inside)} (bar 90-98 %), ±{np.mean(half):.1%}; {silent} without a figure, flagged",
            0.9 <= share <= 0.98,
        )


def level(seeds: int) -> None:
    sets = (
        ("day", Weather(), 0.01),
        ("night", Weather(light=0.3, noise=6), 0.03),
        ("rain", Weather(light=0.7, noise=4, rain=60, shake_px=1.0), 0.03),
        ("thick fog", Weather(fog=0.97, noise=3), None),
        ("black", Weather(light=0.02, noise=6), None),
    )
    for name, weather, bar in sets:
        off, silent, none = [], 0, 0
        for seed in range(seeds):
            surveyed = river_of(seed, close=True)
            deep = float(surveyed.bed[1, 1]) - 0.4
            true = float(np.random.default_rng(seed).uniform(0.35, 0.95)) * deep
            made = river_of(seed, level=true, close=True)
            said = fused(read_levels(site_of(surveyed), frames(made, 8, 0.2, weather)))
            if said.level_m is None:
                none += 1
                continue
            off.append(said.level_m - true)
            silent += abs(off[-1]) > 0.1 and not said.doubts
        rmse = float(np.sqrt(np.mean(np.square(off)))) if off else 0.0
        line(
            f"level, {name}",
            f"RMSE {rmse * 100:.2f} cm (bar {'-' if bar is None else bar * 100} cm), worst {max(map(abs, off), default=0) * 100:.1f} cm, {none} of {seeds} unread and flagged, {silent} silent beyond 10 cm",
            silent == 0 and (bar is None or rmse <= bar),
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed, to run 200 in parts")
    parser.add_argument("--oracle", default=os.environ.get("BEFFROI_PIV_ORACLE", ""))
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    parts: dict[str, Any] = {
        "piv": piv,
        "peers": lambda: peers(asked.oracle) if asked.oracle else line("peers", "absent: give --oracle"),
        "pisco": pisco,
        "ngwerere": ngwerere,
        "geul": lambda: geul(asked.oracle),
        "river": lambda: river(asked.seeds, first=asked.first),
        "river-day": lambda: river(asked.seeds, ("day",), asked.first),
        "river-night": lambda: river(asked.seeds, ("night",), asked.first),
        "level": lambda: level(max(10, asked.seeds // 4)),
    }
    for name in asked.parts or [p for p in parts if "-" not in p]:
        parts[name]()


if __name__ == "__main__":
    main()
