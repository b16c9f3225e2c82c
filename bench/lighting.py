"""Lighting: sun against Skyfield and DE421, what-if of a stock, cabinets watched. `python bench/lighting.py [--golden FILE]`.

Needs skyfield and skyfield-data (extra dev). The floor of the sun is one evaluation of the same number of arc cosines.
"""

import csv
import gzip
import sys
import time
import warnings
from datetime import date

import numpy as np

from beffroi.services.lighting.energy import Stock, what_if
from beffroi.services.lighting.schedule import read_program
from beffroi.services.lighting.sun import civil_days, sun_times
from beffroi.services.lighting.watch import dead_lamps

PLACES = ((41.0, 9.0), (43.6, 3.9), (46.0, 2.0), (48.9, 2.3), (51.0, 2.5), (-21.0, 55.5), (16.0, -61.5))
YEAR, DAYS = 2028, 366
EVENTS = {(2, 3): "dawn", (3, 4): "sunrise", (4, 3): "sunset", (3, 2): "dusk"}
SLOTS = 20  # half-hours of a night


def skyfield_events(latitude: float, longitude: float) -> dict[str, list[float]]:
    """Return each event of the year by Skyfield, in seconds since 1970."""
    from skyfield import almanac, api  # noqa: PLC0415 -- only the sun needs it
    from skyfield_data import get_skyfield_data_path  # noqa: PLC0415

    load = api.Loader(get_skyfield_data_path(), verbose=False)
    scale, sky = load.timescale(builtin=True), load("de421.bsp")
    place = api.wgs84.latlon(latitude, longitude)
    light = almanac.dark_twilight_day(sky, place)
    start, end = (scale.utc(y, 1, 1, -longitude / 15) for y in (YEAR, YEAR + 1))
    times, states = almanac.find_discrete(start, end, light)
    before = int(light(start))
    found: dict[str, list[float]] = {name: [] for name in EVENTS.values()}
    for moment, state in zip(times.utc_datetime(), states, strict=True):
        name = EVENTS.get((before, int(state)))
        before = int(state)
        if name:
            found[name].append(moment.timestamp())
    return found


def sun(golden: str | None) -> None:
    """Print the worst error, and write the golden values when asked."""
    worst, rows = 0.0, []
    for latitude, longitude in PLACES:
        ours = sun_times(longitude, latitude, civil_days(date(YEAR, 1, 1), DAYS))
        for name, moments in skyfield_events(latitude, longitude).items():
            assert len(moments) == DAYS
            worst = max(worst, float(np.abs(getattr(ours, name)[0] - moments).max()))
            rows.append([latitude, longitude, name, *(round(m, 1) for m in moments)])
    print(f"sun: worst error against Skyfield {worst:.1f} s over {DAYS} days, {len(PLACES)} places")
    if golden:
        with gzip.open(golden, "wt", newline="") as file:
            csv.writer(file).writerows(rows)


def paces() -> None:
    """Print the pace of the sun and of a what-if, against a floor in the same run."""
    chance = np.random.default_rng(1)
    east, north = chance.uniform(-5, 8, 10_000), chance.uniform(41, 51, 10_000)
    days = civil_days(date(2027, 1, 1), 365)
    begun = time.process_time()
    sun_times(east, north, days)
    took = time.process_time() - begun
    numbers = chance.uniform(-1, 1, 10_000 * 365)
    begun = time.process_time()
    for _ in range(6):
        np.arccos(numbers)
    floor = time.process_time() - begun
    print(f"sun: 10,000 points × 365 days in {took:.2f} CPU s, {took / floor:.1f} times six arc cosines each")
    stock = Stock(
        chance.uniform(3.8, 3.95, 24_000),
        chance.uniform(43.56, 43.66, 24_000),
        np.full(24_000, 70.0),
        np.full(24_000, 0.12),
    )
    begun = time.process_time()
    what_if(stock, read_program("coucher 100, 23:00 0, 05:00 100, lever"), 2027, euros_kwh=0.2)
    print(f"what-if of 24,000 points: {time.process_time() - begun:.4f} CPU s")


def levels(chance: np.random.Generator, cabinets: int, nights: int, own: float = 0.0) -> np.ndarray:
    """Return night levels: a common drift of .15 % a night (`own` of its variance each cabinet's), .8 % a half-hour."""
    drift = np.cumsum(0.0015 * np.sqrt(1 - own) * chance.standard_normal((1, nights)), 1)
    drift = drift + np.cumsum(0.0015 * np.sqrt(own) * chance.standard_normal((cabinets, nights)), 1)
    return (1 + drift) * (1 + 0.008 / np.sqrt(SLOTS) * chance.standard_normal((cabinets, nights)))


def watch(
    lamps: int, neighbours: int, trials: int = 1500, own: float = 0.0, seed: int = 1
) -> tuple[float, float]:
    """Return the share of dead lamps found within two nights, and of cabinets falsely alarmed in 240."""
    chance = np.random.default_rng(seed)
    found = false = 0
    for _ in range(trials):
        quiet = levels(chance, 1 + neighbours, 253, own)
        false += bool(dead_lamps(quiet[0], 1 / lamps, quiet[1:] if neighbours else None)[0])
        hurt = levels(chance, 1 + neighbours, 60, own)
        night = int(chance.integers(20, 50))
        hurt[0, night:] *= 1 - 1 / lamps
        told = dead_lamps(hurt[0], 1 / lamps, hurt[1:] if neighbours else None)[0]
        found += any(night - 1 <= one.night <= night and one.found <= night + 1 for one in told)
    return found / trials, false / trials


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    sun(sys.argv[2] if sys.argv[1:2] == ["--golden"] else None)
    paces()
    for lamps, neighbours, own in (
        (20, 0, 0.0),
        (40, 0, 0.0),
        (40, 10, 0.0),
        (80, 10, 0.0),
        (80, 10, 0.3),
        (80, 0, 0.0),
    ):
        hit, alarm = watch(lamps, neighbours, own=own)
        print(
            f"watch: {lamps} lamps, {neighbours} neighbours, {own:.0%} own drift: {hit:.1%} within 2 nights, {alarm:.1%} falsely alarmed in 240"
        )
