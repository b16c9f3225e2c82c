"""Rating: leave-one-out errors and the time of a fit, the next gauging of the Ardèche by periods, beside naive windows
and beside a curve that knows the future.

    BEFFROI_SHARED=… python -m bench.water_rating [NEXT.tsv]

Prints one line of JSON for each figure. With NEXT (the Ardèche layout, later than the shared file), also predicts it.
"""

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from beffroi.services.water.rating import tracking
from beffroi.services.water.rating.evaluation import evaluate_fit, predict_next
from beffroi.services.water.rating.gaugings import GaugingFile, read_dated_gaugings, read_gaugings
from bench.water_data import hydro_folder

Array = NDArray[np.float64]
Rows = NDArray[np.int_]

ARDECHE = "ardeche_meyras_gaugings_2001_2011.tsv"
STATIONS = ("isere", "green_channel", "nordura", "provo_natural")
STARTS = (15, 25, 40, 55)  # gaugings learned from; all that follow are predicted
# each general figure of the tracker, doubled or halved: results must not hang on them
VARIED = {
    "_DRIFT": (0.01, 0.04), "_BETWEEN_JUMPS": (0.75, 3.0), "_JUMP": (0.05, 0.2), "_SHAPE_ERROR": (0.03, 0.12), "_HIGH_ERROR": (0.04, 0.16),
    "_STAGE_ERROR": (0.0025, 0.01), "_SIGMA_SHARE": (0.4, 1.0), "_CLIMATE": (1.0, 3.0),
}  # fmt: skip


def say(figure: str, **values: object) -> None:
    print(json.dumps({"figure": figure, **values, "load": round(os.getloadavg()[0], 1)}), flush=True)


def errors_of(past: GaugingFile, following: GaugingFile) -> dict[str, float]:
    said, _ = predict_next(past, following)
    errors = np.array([p.error_percent for p in said])
    held = np.mean([p.low <= p.discharge <= p.high for p in said])
    return {"median": round(float(np.median(errors)), 2), "mean": round(float(errors.mean()), 2), "coverage90": round(float(held), 3), "n": len(said)}  # fmt: skip


def window(last: int, past: GaugingFile, following: GaugingFile) -> dict[str, float]:
    """The naive way: one power law through the last gaugings."""
    known = list(past.gaugings)
    errors = []
    for gauging in following.gaugings:
        stages = np.array([g.stage for g in known[-last:]])
        flows = np.log([g.discharge for g in known[-last:]])
        best = (np.inf, 0.0, np.zeros(2))
        for offset in np.linspace(stages.min() - 1, stages.min() - 0.005, 150):
            built = np.column_stack([np.ones(len(stages)), np.log(stages - offset)])
            coefficients = np.linalg.lstsq(built, flows, rcond=None)[0]
            left = float(((flows - built @ coefficients) ** 2).sum())
            best = min(best, (left, float(offset), coefficients), key=lambda b: b[0])
        said = np.exp(best[2] @ [1, np.log(max(gauging.stage - best[1], 0.01))])
        errors.append(abs(said / gauging.discharge - 1) * 100)
        known.append(gauging)
    return {"median": round(float(np.median(errors)), 2), "mean": round(float(np.mean(errors)), 2)}


def knowing(path: Path, start: int) -> dict[str, float]:
    """The floor: a curve that knows the published shifts and every other gauging, later ones too; each left out in turn."""
    with path.open() as text:
        rows = list(csv.DictReader(text, delimiter="\t"))
    stage, log_q = np.array([float(r["h"]) for r in rows]), np.log([float(r["Q"]) for r in rows])
    sigma = np.array([float(r["Qsigma"]) for r in rows]) * 0.0065
    _, period, among = np.unique([r["Period"] for r in rows], return_inverse=True, return_counts=True)

    def read(x: Array, at: Rows) -> tuple[Array, Array]:
        depth = np.maximum(stage[at] - x[3:][period[at]], 0.004)
        return x[0] + x[1] * np.log(depth) + x[2] * np.maximum(np.log(2 * depth), 0), x[1] / depth

    def fit(kept: Rows, first: Array) -> Array:
        def left(x: Array) -> Array:
            said, slope = read(x, kept)
            sd = np.sqrt(sigma[kept] ** 2 + 0.04**2 + (slope * 0.005) ** 2)
            away = np.log1p(((log_q[kept] - said) / sd) ** 2 / 5) * 6  # Student's law of 5 degrees
            return np.concatenate(
                [np.sqrt(away), np.sqrt(2 * np.log(sd / 0.02)), [(x[1] - 1.8) / 0.3, x[2] / 0.2]]
            )

        return np.asarray(least_squares(left, first, max_nfev=200).x)

    zeros = [np.median((stage - np.exp((log_q - 3) / 1.8))[period == p]) for p in range(len(among))]
    every = np.arange(len(rows))
    usual = fit(every, np.array([3.0, 1.8, 0.0, *zeros]))
    errors = [
        abs(np.exp(read(fit(np.delete(every, i), usual), every[i : i + 1])[0][0] - log_q[i]) - 1) * 100
        for i in every[start:] if among[period[i]] > 1
    ]  # fmt: skip
    return {
        "median": round(float(np.median(errors)), 2),
        "mean": round(float(np.mean(errors)), 2),
        "n": len(errors),
    }


def part(file: GaugingFile, begin: int, end: int | None = None) -> GaugingFile:
    return GaugingFile(file.gaugings[begin:end], ())


def main() -> None:
    folder = hydro_folder() / "rating"
    for name in STATIONS:
        fitted = evaluate_fit(read_gaugings(folder / f"{name}.csv"))
        say(f"leave-one-out {name}", mape_percent=round(float(np.abs(fitted.errors).mean()) * 100, 3),
            segments=len(fitted.curve.exponents), fit_ms=round(fitted.fit_ms, 1))  # fmt: skip
    ardeche = read_dated_gaugings(folder / ARDECHE)
    for start in STARTS:
        past, following = part(ardeche, 0, start), part(ardeche, start)
        say(f"Ardèche, {start} learned", **errors_of(past, following), last8=window(8, past, following), last10=window(10, past, following), knowing_the_future=knowing(folder / ARDECHE, start))  # fmt: skip
    for name, values in VARIED.items():
        usual = getattr(tracking, name)
        for value in values:
            setattr(tracking, name, value)
            say(f"Ardèche, 40 learned, {name[1:].lower()} {value:g} instead of {usual:g}", **errors_of(part(ardeche, 0, 40), part(ardeche, 40)))  # fmt: skip
        setattr(tracking, name, usual)
    if len(sys.argv) > 1:
        following = read_dated_gaugings(Path(sys.argv[1]))
        say("Ardèche, later years", **errors_of(ardeche, following), last8=window(8, ardeche, following), last10=window(10, ardeche, following))  # fmt: skip


if __name__ == "__main__":
    main()
