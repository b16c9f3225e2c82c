"""Forecast: skill, onsets and coverage on each year left out in turn, beside persistence and lag regression; GR4H beside an oracle.

    BEFFROI_SHARED=… python -m bench.water_forecast [--oracle PYTHON] [TEST.csv]

Prints one line of JSON for each figure. `--oracle` is the Python of a separate environment that has `hydrogr` (GPL: it is
never imported here). With TEST (hours of other years), also forecasts it from the whole shared file.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from beffroi.services.water.forecast.evaluation import Verified, evaluate
from beffroi.services.water.forecast.gr4 import DAILY, HOURLY, Parameters, simulate
from beffroi.services.water.forecast.model import WARM_UP_H
from beffroi.services.water.forecast.series import HourlySeries, read_hourly
from bench.water_data import hydro_folder

LEADS = (1, 3, 6)
SETS = ((350.0, -0.5, 90.0, 6.3), (800.0, 0.3, 200.0, 2.4), (120.0, -2.0, 40.0, 17.7))
DAILY_SETS = ((350.0, -0.5, 90.0, 1.7), (800.0, 0.3, 200.0, 3.4), (120.0, -2.0, 40.0, 6.2))
ORACLE = """
import json, sys
import pandas as pd
from hydrogr.gr4h import ModelGr4h
from hydrogr.gr4j import ModelGr4j
told = json.load(open(sys.argv[1]))
model = {"H": ModelGr4h, "J": ModelGr4j}[told["model"]]
rows = pd.DataFrame({"precipitation": told["rain"], "evapotranspiration": told["evaporation"]})
out = []
for x in told["sets"]:
    one = model(dict(zip(("X1", "X2", "X3", "X4"), x)))
    states = one.get_states(); states["production_store"] = 0.5; states["routing_store"] = 0.5; one.set_states(states)
    out.append(one._run_model(rows)["flow"].tolist())
json.dump(out, open(sys.argv[2], "w"))
"""


def say(figure: str, **values: object) -> None:
    print(json.dumps({"figure": figure, **values, "load": round(os.getloadavg()[0], 1)}), flush=True)


def told(found: Verified) -> dict[str, object]:
    onsets = found.onsets(3)
    held = [found.coverage(lead) for lead in LEADS]
    return {
        "skill": {lead: round(found.skill(lead) or 0, 3) for lead in LEADS},
        "onset3": {"observed": onsets.observed, "forecast": onsets.forecast, "hits": onsets.hits, "right": onsets.right},
        "coverage90": {lead: round(h / n, 3) for lead, (h, n) in zip(LEADS, held, strict=True)},
    }  # fmt: skip


def without(series: HourlySeries, year: int) -> tuple[HourlySeries, HourlySeries]:
    """Return the series with a year's discharge hidden, and that year alone."""
    at = series.times
    start, end = (datetime(y, 1, 1, tzinfo=UTC).timestamp() for y in (year, year + 1))
    inside = (at >= start) & (at < end)
    left = np.where(inside, np.nan, series.discharge)
    cut = slice(int(np.argmax(inside)), int(np.argmax(inside)) + int(inside.sum()))
    scale = series.m3s_per_mm
    one = HourlySeries(
        int(at[cut][0]), series.rain[cut], series.evaporation[cut], series.discharge[cut], scale
    )
    return HourlySeries(series.start, series.rain, series.evaporation, left, scale), one


def lag_regression(train: HourlySeries, test: HourlySeries) -> dict[int, float]:
    """The plain way: ridge on discharge lags and past rain; its skill at each lead."""

    def rows(s: HourlySeries) -> np.ndarray:
        q, p = np.nan_to_num(s.discharge), np.nan_to_num(s.rain)
        lags = [np.roll(q, i) for i in (0, 1, 2, 3, 6, 12, 24)] + [np.roll(p, i) for i in range(12)]
        return np.column_stack([*lags, np.convolve(p, np.ones(48))[: len(p)], np.ones(len(q))])

    skills = {}
    for lead in LEADS:
        x, q = rows(train), train.discharge
        y = np.concatenate([q[lead:], np.full(lead, np.nan)]) - q
        good = np.isfinite(y) & (np.arange(len(y)) > 100)
        normal = x[good].T @ x[good] + 1.0 * np.eye(x.shape[1])
        c = np.linalg.solve(normal, x[good].T @ y[good])
        came = np.concatenate([test.discharge[lead:], np.full(lead, np.nan)]) - test.discharge
        seen = np.isfinite(came) & (np.arange(len(came)) >= WARM_UP_H)
        skills[lead] = round(
            1 - float(((rows(test) @ c - came)[seen] ** 2).sum() / (came[seen] ** 2).sum()), 3
        )
    return skills


def oracle(python: str, series: HourlySeries) -> None:
    n = 4000
    for name, step, sets in (("H", HOURLY, SETS), ("J", DAILY, DAILY_SETS)):
        rain, evaporation = series.rain[:n], series.evaporation[:n]
        if name == "J":
            rain, evaporation = (
                x[: n // 24 * 24].reshape(-1, 24).sum(axis=1) for x in (series.rain, series.evaporation)
            )
        with tempfile.TemporaryDirectory() as folder:
            asked, answered, script = (Path(folder) / f for f in ("asked.json", "answered.json", "oracle.py"))
            script.write_text(ORACLE)
            asked.write_text(
                json.dumps(
                    {"model": name, "rain": rain.tolist(), "evaporation": evaporation.tolist(), "sets": sets}
                )
            )
            subprocess.run([python, script, asked, answered], check=True, timeout=300)
            theirs = np.array(json.loads(answered.read_text()))
        for x, said in zip(sets, theirs, strict=True):
            ours = simulate(rain, evaporation, Parameters.of(*x), step).flow[:, 0]
            late = slice(len(ours) // 3, None)
            apart = np.abs(ours - said)[late].max() / max(said[late].max(), 1e-9)
            say(
                f"GR4{name} beside hydrogr",
                x=x,
                furthest_apart_of_peak=float(f"{apart:.2e}"),
                steps=len(ours),
            )


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--oracle", default="")
    asked.add_argument("test", nargs="?")
    options = asked.parse_args()
    path = hydro_folder() / "series" / "L0123003_hourly_2004_2006.csv"
    series = read_hourly(path)
    if options.oracle:
        oracle(options.oracle, series)
    hits = observed = forecast = right = 0
    for year in (2004, 2005, 2006):
        train, test = without(series, year)
        begun = time.process_time()
        found = evaluate(train, test)
        say(f"forecast of {year}, learned from the others", **told(found), lag_regression=lag_regression(train, test), cpu_s=round(time.process_time() - begun, 1))  # fmt: skip
        onsets = found.onsets(3)
        hits, observed = hits + onsets.hits, observed + onsets.observed
        forecast, right = forecast + onsets.forecast, right + onsets.right
    say(
        "onsets at 3 h, the three years",
        pod=round(hits / observed, 3),
        far=round(1 - right / forecast, 3),
        observed=observed,
    )
    if options.test:
        say("forecast of other years", **told(evaluate(series, read_hourly(Path(options.test)))))


if __name__ == "__main__":
    main()
