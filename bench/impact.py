"""What an impact study is worth: false alarms, power, cases built to fail, published panels, and how long it takes.

    python -m bench.impact [--series N] [--seed N] [--only nulls panels failures published] [--method its] [--data DIR]

Every figure is measured by the very functions of `beffroi evaluate`. Two constants (how many studies the
checks stop: `autocorrelation.STOPPED`, `weather._STOPPED`) were measured on the seeds 0 and 101: confirm power on others.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from beffroi.evaluation.impact.finding import NOT_EVALUABLE, NOTHING_SHOWN, Finding
from beffroi.evaluation.impact.methods import study
from beffroi.evaluation.impact.panel import Change, Floats, Panel
from beffroi.model.text import Text

WEEKS, START = 104, 52
PARTS = ("nulls", "panels", "failures", "published")
BARS = {0.0: 0.06, 0.5: 0.06, 0.7: 0.07, 0.9: 0.09}


def autoregression(rho: float, rows: int, columns: int, seed: int) -> Floats:
    """Return stationary first-order autoregressions, one a column, of innovations of variance 1."""
    noise = np.random.default_rng(seed).standard_normal((rows, columns))
    series = np.empty_like(noise)
    series[0] = noise[0] / np.sqrt(1 - rho**2)
    for t in range(1, rows):
        series[t] = rho * series[t - 1] + noise[t]
    return series


def single(values: Floats, start: int = START, changes: tuple[Change, ...] = ()) -> Panel:
    """Return the panel of one series."""
    times = tuple(str(t) for t in range(1, len(values) + 1))
    return Panel(values[:, None], ("site",), times, np.array([start]), changes=changes)


def many(values: Floats, start: int, treated: int = 1, changes: tuple[Change, ...] = ()) -> Panel:
    """Return a panel whose first units are treated."""
    units = tuple(f"u{i}" for i in range(values.shape[1]))
    cohort = np.where(np.arange(len(units)) < treated, start, -1)
    return Panel(values, units, tuple(str(t) for t in range(1, len(values) + 1)), cohort, changes=changes)


def least_possible(rho: float, rows: int = WEEKS, start: int = START) -> float:
    """Return the effect that generalised least squares sees four times out of five when it knows ρ and the variance."""
    design = np.column_stack([np.ones(rows), np.arange(rows) >= start])
    white = design.copy()
    white[1:] -= rho * design[:-1]
    white[0] *= np.sqrt(1 - rho**2)
    return float((1.959964 + 0.841621) * np.sqrt(np.linalg.inv(white.T @ white)[1, 1]))


def effect(finding: Finding) -> bool:
    """Tell whether a verdict claims an effect."""
    return finding.verdict not in (NOT_EVALUABLE, NOTHING_SHOWN)


def nulls(rho: float, count: int, seed: int = 0, method: str = "its") -> dict[str, float]:
    """Return what `count` series without an effect, and the same with the stated detectable effect, are judged."""
    said: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    ratios = []
    for values in autoregression(rho, WEEKS, count, seed).T:
        finding = study(method, single(100 + values))
        said[finding.verdict] += 1
        assert finding.mde is not None
        ratios.append(finding.mde / least_possible(rho))
        with_effect = 100 + values + finding.mde * (np.arange(WEEKS) >= START)
        seen[study(method, single(with_effect)).verdict] += 1
    judged, judged_seen = count - said[NOT_EVALUABLE], count - seen[NOT_EVALUABLE]
    return {
        "false_alarms": (judged - said[NOTHING_SHOWN]) / count,
        "evaluable": judged / count,
        "power": seen["effet positif"] / max(1, judged_seen),
        "power_of_all": seen["effet positif"] / count,
        "mde_over_gls": float(np.mean(ratios)),
    }


def built_to_fail(seed: int) -> Iterator[tuple[str, Finding]]:
    """Yield studies that must never claim anything, each with its name."""
    rows = np.arange(WEEKS)
    noise = autoregression(0.3, WEEKS, 12, seed)
    line = 100 + 0.08 * rows
    yield "pre-trend, single series", study("its", single(line + noise[:, 0]))
    yield "pre-trend, before and after", study("before-after", single(line + noise[:, 0]))
    early = 100 + np.clip(rows - 30, 0, None) * 0.15
    yield "change begun before the launch", study("its", single(early + noise[:, 1]))
    drifting = 50 + noise.copy()
    drifting[:, 0] += 0.08 * rows
    for method in ("did", "sc", "sdid"):
        yield f"pre-trend, {method}", study(method, many(drifting, START))
    jump = 100 + 4.0 * (rows >= START)
    replaced = (Change("site", START, Text("sonde remplacée", "sensor replaced")),)
    yield "sensor replaced at launch", study("its", single(jump + noise[:, 2], changes=replaced))
    moved = 50 + noise.copy()
    moved[START:, 0] += 4
    own = (Change("u0", START, Text("sonde remplacée", "sensor replaced")),)
    for method in ("did", "sc", "sdid"):
        yield f"sensor replaced at launch, {method}", study(method, many(moved, START, changes=own))
    short = moved[START - 6 :]
    for method in ("did", "sc", "sdid"):
        yield f"6 pre-periods, {method}", study(method, many(short, 6))
    yield "6 pre-periods, single series", study("its", single(short[:, 0], 6))
    yield "6 pre-periods, before and after", study("before-after", single(short[:, 0], 6))
    for method in ("did", "sc", "sdid"):
        yield f"a single control, {method}", study(method, many(moved[:, :2], START))


def panels(method: str, count: int, seed: int = 0, controls: int = 25) -> dict[str, float]:
    """Return how often panels without an effect are said to have one, and judged."""
    said: Counter[str] = Counter()
    for i in range(count):
        common = autoregression(0.8, 60, 1, seed + 2 * i)
        own = autoregression(0.5, 60, controls + 1, seed + 2 * i + 1)
        said[study(method, many(50 + common + own, 40)).verdict] += 1
    judged = count - said[NOT_EVALUABLE]
    return {"false_alarms": (judged - said[NOTHING_SHOWN]) / count, "evaluable": judged / count}


PUBLISHED = (
    ("did california_prop99.csv --time Year --treated California --start 1989", "estimate", -27.349),
    ("sc california_prop99.csv --time Year --treated California --start 1989", "estimate", -19.51),
    ("sdid california_prop99.csv --time Year --treated California --start 1989", "estimate", -15.604),
    ("staggered castle.csv --outcome l_homicide --unit sid --time year --treated post", "estimate", 0.019403),
)  # fmt: skip


def command(arguments: str, folder: Path) -> tuple[dict[str, object], float]:
    """Return what `beffroi evaluate` prints, and the seconds of processor the whole command took (the best of three)."""
    method, file, *options = arguments.split()
    found = next(folder.rglob(file))
    took = []
    for _ in range(3):
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = [sys.executable, "-m", "beffroi", "evaluate", method, str(found), *options, "--json"]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime)
    return json.loads(done.stdout), min(took)


def _published(folder: Path) -> None:
    print("\npublished panels, the whole command, seconds of processor")
    for arguments, name, expected in PUBLISHED:
        told, seconds = command(arguments, folder)
        print(f"  {arguments.split()[0]:12} {told[name]:>10.4f}  (published {expected})  {seconds:.2f} s")
    its = "its seatbelts.csv --time rownames --treated drivers --start 170 --covariate PetrolPrice --covariate kms"
    told, seconds = command(its, folder)
    shown = ", ".join(f"{m['name']} {100 * m['relative']:.1f} %" for m in told["models"])
    print(f"  seatbelts    {shown}  {seconds:.2f} s")
    told, seconds = command(
        "before-after whiteside.csv --treated Gas --period Insul --covariate Temp", folder
    )
    line = told["baseline"]
    print(
        f"  whiteside    {100 * told['avoided']:.2f} % avoided, {line['intercept']:.3f} {line['Temp']:+.3f} T  {seconds:.2f} s"
    )


def _nulls(method: str, count: int, seed: int, rhos: list[float]) -> None:
    print(f"{count} series of {WEEKS} weeks without an effect, {method}, seed {seed}")
    print("   rho  false alarms   bar  evaluable  power  of all  MDE / GLS")
    for rho in rhos:
        bar, r = BARS[rho], nulls(rho, count, seed, method)
        print(
            f"  {rho:4}  {100 * r['false_alarms']:10.1f} %  {100 * bar:.0f} %  {100 * r['evaluable']:7.1f} %"
            f"  {100 * r['power']:4.1f} %  {100 * r['power_of_all']:4.1f} %  {r['mde_over_gls']:6.2f}", flush=True,
        )  # fmt: skip


def _panels(count: int, seed: int) -> None:
    print(f"\n{count} panels of 26 units and 60 periods without an effect, seed {seed}")
    for method in ("did", "sc", "sdid"):
        r = panels(method, count, seed)
        print(
            f"  {method:5} false alarms {100 * r['false_alarms']:.1f} %, evaluable {100 * r['evaluable']:.0f} %",
            flush=True,
        )


def _failures(tries: int, seed: int) -> None:
    print("\nbuilt to fail: claims of an effect")
    claims: Counter[str] = Counter()
    for one in range(seed, seed + tries):
        for name, finding in built_to_fail(one):
            claims[name] += effect(finding)
    for name, claimed in claims.items():
        print(f"  {name:36} {claimed} of {tries}")


def main() -> None:
    """Print every figure, or those of the parts asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument(
        "--method", nargs="+", choices=("its", "before-after"), default=("its", "before-after")
    )
    parser.add_argument("--rho", nargs="+", type=float, choices=BARS, default=list(BARS))
    default = Path(os.environ.get("BEFFROI_SHARED", "../shared")) / "data" / "value"
    parser.add_argument("--data", type=Path, default=default)
    asked = parser.parse_args()
    if "nulls" in asked.only:
        for method in asked.method:
            _nulls(method, asked.series, asked.seed, asked.rho)
    if "panels" in asked.only:
        _panels(max(50, asked.series // 10), asked.seed)
    if "failures" in asked.only:
        _failures(max(20, asked.series // 20), asked.seed)
    if "published" in asked.only and asked.data.is_dir():
        _published(asked.data)


if __name__ == "__main__":
    main()
