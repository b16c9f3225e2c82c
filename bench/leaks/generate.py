"""Leak years of L-Town with known leaks, drawn from a seed: what detection and localisation are judged by.

As the shared leak year was made: EPANET stepping at 15 minutes, every leak a demand on a split pipe, all demands under one
multiplier (season 12 %, 2 % a day, AR(1) 3 %), meters exact to .5 %, pressures to 2 cm. Three years a seed: `base` (only
the leaks that stand already), `calm` (the same, other noise), `leak` (nineteen leaks at other pipes and dates).

    python bench/leaks/generate.py L-TOWN.inp OUT SEED...
"""

import csv
import gzip
import json
import math
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from beffroi.services.watergrid.hydraulics.epanet import Project

STEP, DAY = 900, 96
STEPS = 365 * DAY
YEAR = datetime(2019, 1, 1)  # noqa: DTZ001 -- the files carry local time without offset
FLOWS = ("p227", "p235", "PUMP_1")
SENSORS = [
    "n1",
    "n4",
    "n31",
    "n54",
    "n105",
    "n114",
    "n163",
    "n188",
    "n215",
    "n229",
    "n288",
    "n296",
    "n332",
    "n342",
    "n410",
    "n415",
    "n429",
    "n458",
    "n469",
    "n495",
    "n506",
    "n516",
    "n519",
    "n549",
    "n613",
    "n636",
    "n644",
    "n679",
    "n722",
    "n726",
    "n740",
    "n752",
    "n769",
]
INLETS = {"p227", "p235"}
NIGHT = range(8, 16)  # 02:00 to 03:45


@dataclass(frozen=True)
class Leak:
    """One leak: its peak flow in m³/h, and the steps at which it begins, peaks and is repaired."""

    pipe: str
    peak_m3h: float
    start: int
    peak: int
    end: int
    kind: str

    def flow(self) -> np.ndarray:
        """Return its flow at each step of the year: the hole widens evenly, so the flow grows as the square."""
        t = np.arange(STEPS)
        grown = np.clip((t - self.start + 1) / max(self.peak - self.start, 1), 0, 1) ** 2
        return np.where((t >= self.start) & (t < self.end), self.peak_m3h * grown, 0.0)


def draw_leaks(pipes: list[str], random: np.random.Generator) -> tuple[list[Leak], list[Leak]]:
    """Return four standing leaks, and nineteen of the year: sizes, growth and repairs like the published ones."""
    chosen = list(random.choice(pipes, 23, replace=False))
    standing = [Leak(p, float(random.uniform(5, 7)), 0, 0, STEPS, "standing") for p in chosen[:4]]
    starts = np.sort(random.uniform(10, 328, 19))
    leaks = []
    for i, (pipe, day) in enumerate(zip(chosen[4:], starts, strict=True)):
        repaired = i % 19 in (0, 1, 3, 5, 9, 11, 13, 15)
        peak = float(random.uniform(15, 28) if repaired else random.uniform(5, 15))
        grows = bool(random.random() < 9 / 19)
        widen = float(random.uniform(22, 70)) if grows else 0.0
        life = widen + float(random.uniform(12, 50)) if repaired else 400.0
        start = int(day * DAY)
        leaks.append(
            Leak(
                pipe,
                peak,
                start,
                start + int(widen * DAY),
                min(start + int(life * DAY), STEPS),
                "incipient" if grows else "abrupt",
            )
        )
    return standing, leaks


def multiplier(random: np.random.Generator) -> np.ndarray:
    """Return the demand multiplier of each step of a year."""
    day = np.arange(365)
    season = 1 + 0.12 * np.sin(2 * np.pi * (day - 110) / 365)
    daily = season * (1 + 0.02 * random.standard_normal(365))
    noise, phi = np.empty(STEPS), 0.9
    shock = 0.03 * math.sqrt(1 - phi * phi) * random.standard_normal(STEPS)
    noise[0] = shock[0]
    for i in range(1, STEPS):
        noise[i] = phi * noise[i - 1] + shock[i]
    return np.repeat(daily, DAY) * (1 + noise)


def split(model: Path, leaks: list[Leak], out: Path) -> None:
    """Write the model with each leaking pipe split at its middle by the node `leak-PIPE`."""
    ends: dict[str, float] = {}
    lines, section = [], ""
    wanted = {leak.pipe for leak in leaks}
    text = model.read_text("utf-8", "replace").splitlines()
    for line in text:
        fields = line.split(";")[0].split()
        if line.startswith("["):
            section = line.strip()
        elif section == "[JUNCTIONS]" and fields:
            ends[fields[0]] = float(fields[1])
    added: list[str] = []
    for line in text:
        fields = line.split(";")[0].split()
        if line.startswith("["):
            section = line.strip()
        if section == "[PIPES]" and fields and fields[0] in wanted:
            name, a, b, length = fields[0], fields[1], fields[2], float(fields[3])
            rest = " ".join(fields[4:6])
            lines.append(f" {name} {a} leak-{name} {length / 2} {rest} 0 Open ;")
            lines.append(f" {name}-b leak-{name} {b} {length / 2} {rest} 0 Open ;")
            added.append(f" leak-{name} {(ends.get(a, 70.0) + ends.get(b, 70.0)) / 2} 0 ;")
            continue
        lines.append(line)
        if section == "[JUNCTIONS]" and line.startswith("[JUNCTIONS]"):
            lines.append("@@")
    out.write_text("\n".join("\n".join(added) if x == "@@" else x for x in lines), "utf-8")


def simulate(model: Path, leaks: list[Leak], factor: np.ndarray, out: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the flows (steps × 3, m³/h) and the pressures of the nights (nights' steps × 33, m)."""
    scratch = out / "split.inp"
    split(model, leaks, scratch)
    flows, pressures = np.full((STEPS, len(FLOWS)), np.nan), []
    curves = [leak.flow() for leak in leaks]
    with Project(scratch) as project:
        project.clock((STEPS - 1) * STEP, STEP)
        nodes = [f"leak-{leak.pipe}" for leak in leaks]
        drains = [project.drain(n) for n in nodes]

        def load(i: int) -> None:
            project.multiply(float(factor[i]))
            for node, drain, curve in zip(nodes, drains, curves, strict=True):
                project.draw(node, float(curve[i] / factor[i]), drain)

        load(0)
        for second in project.steps():
            if second % STEP:
                continue
            i = second // STEP
            flows[i] = [project.flow(x) for x in FLOWS]
            if i % DAY in NIGHT:
                pressures.append(project.pressures(SENSORS))
            if i + 1 < STEPS:
                load(i + 1)
    scratch.unlink()
    return flows, np.array(pressures)


def write(path: Path, names: tuple[str, ...] | list[str], steps: list[int], values: np.ndarray) -> None:
    """Write a series like the shared ones."""
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("time", *names))
        for i, row in zip(steps, values, strict=True):
            writer.writerow((YEAR + timedelta(seconds=i * STEP), *(round(float(v), 2) for v in row)))


def generate(model: Path, folder: Path, seed: int) -> None:
    """Write the three years of one seed."""
    out = folder / str(seed)
    if (out / "leaks.json").exists():
        return
    out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    pipes, section = [], ""
    for line in model.read_text("utf-8", "replace").splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[PIPES]" and (fields := line.split(";")[0].split()) and fields[0] not in INLETS:
            pipes.append(fields[0])
    standing, leaks = draw_leaks(pipes, random)
    nights = [i for i in range(STEPS) if i % DAY in NIGHT]
    for name, group in (("base", standing), ("calm", standing), ("leak", standing + leaks)):
        flows, pressures = simulate(model, group, multiplier(random), out)
        flows *= 1 + 0.005 * random.standard_normal(flows.shape)
        pressures += 0.02 * random.standard_normal(pressures.shape)
        write(out / f"{name}_flows.csv.gz", FLOWS, list(range(STEPS)), flows)
        write(out / f"{name}_pressures.csv.gz", SENSORS, nights, pressures)
    told = [asdict(x) | {"start": x.start / DAY, "peak": x.peak / DAY, "end": x.end / DAY} for x in leaks]
    still = [asdict(x) for x in standing]
    (out / "leaks.json").write_text(json.dumps({"leaks": told, "standing": still}, indent=1), "utf-8")


if __name__ == "__main__":
    for seed in sys.argv[3:]:
        generate(Path(sys.argv[1]), Path(sys.argv[2]), int(seed))
