"""Cabinets watched through their curves: simulated as the field notes say, each fault at its night, nothing else."""

from datetime import date, timedelta

import numpy as np
import pytest
from bench.lighting import watch as trial

from beffroi.model.instant import DAY_US, MINUTE_US, to_datetime
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.services.lighting.calendars import Calendar, Plan
from beffroi.services.lighting.schedule import cut_program, levels_at, nights_of, read_program
from beffroi.services.lighting.stock import nights_for
from beffroi.services.lighting.watch import Cabinet, Finding, dead_lamps, watch_cabinet
from beffroi.services.lighting.watching import known_of, watch_town
from beffroi.store.catalogue import New, create
from beffroi.store.record import Query
from beffroi.town import Town

PLACE = (3.88, 43.61)
PROGRAM = read_program("coucher 100, 23:30 0, 05:30 100, lever")
FIRST, COUNT = date(2026, 11, 1), 20


def test_small_cabinets() -> None:
    """40 lamps alone: at least 99 % within two nights, at most 2 % falsely alarmed in 240 nights (the bench tries more)."""
    found, false = trial(40, 0, trials=400)
    assert found >= 0.99
    assert false <= 0.02


def test_large_cabinets_with_neighbours() -> None:
    """80 lamps with ten neighbours: at least 95 %, at most 10 %."""
    found, false = trial(80, 10, trials=150)
    assert found >= 0.95
    assert false <= 0.10


def curve(cabinet: Cabinet, fault: str = "", night: int = 8, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return half-hour means of a cabinet over the nights, with a fault from a night on."""
    chance = np.random.default_rng(seed)
    nights = nights_of(PROGRAM, np.array([PLACE[0]]), np.array([PLACE[1]]), FIRST, COUNT)
    start = float(nights.days[0]) * 86_400 + 39_600
    minutes = start + 60.0 * np.arange(COUNT * 1440)
    since = minutes >= float(nights.days[night]) * 86_400 + 43_200
    shown = np.where(since, minutes - 3600.0, minutes) if fault == "wrong_clock" else minutes
    level = levels_at(PROGRAM, nights, shown)
    full = np.where(since & (fault == "dead_lamp"), cabinet.full_w - cabinet.one_w, cabinet.full_w)
    watts = level * full
    if fault == "stuck_on":
        watts = np.where(since, cabinet.full_w, watts)
    if fault == "dark":
        watts = np.where(since, 0.0, watts)
    if fault == "day_burner":
        watts = np.where(since, np.maximum(watts, cabinet.one_w), watts)
    half = watts.reshape(-1, 30).mean(1) + cabinet.base_w
    return minutes[::30], half * (1 + 0.008 * chance.standard_normal(len(half)))


def seen(cabinet: Cabinet, fault: str, **options: int) -> list[Finding]:
    """Return what the curve of a cabinet with a fault says."""
    nights = nights_for(Plan(Calendar("p"), {"p": PROGRAM}), PLACE, FIRST, COUNT, "Europe/Paris")
    return list(watch_cabinet(*curve(cabinet, fault, **options), cabinet, nights).findings)


LAMPS = Cabinet("AR1", (60.0,) * 30, 12.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("fault", "amount"),
    [("day_burner", 1), ("stuck_on", 0), ("wrong_clock", 60), ("dark", 30), ("dead_lamp", 1)],
)
def test_each_fault_is_known_by_the_next_day(fault: str, amount: int, seed: int) -> None:
    """All but the dead lamp, which takes two nights, are known after the first night."""
    [found] = seen(LAMPS, fault, seed=seed)
    assert (found.kind, found.night, found.found) == (fault, 8, 8 + (fault == "dead_lamp"))
    assert found.amount == pytest.approx(amount, abs=16 if fault == "wrong_clock" else 0)


def test_nothing_is_said_of_a_good_curve() -> None:
    assert [seen(LAMPS, "", seed=seed) for seed in range(5)] == [[]] * 5


def test_it_says_when_it_cannot_know() -> None:
    nights = nights_for(Plan(*_plan()), PLACE, FIRST, COUNT, "Europe/Paris")
    seconds, watts = curve(LAMPS)
    assert watch_cabinet(seconds, watts, Cabinet("AR2", ()), nights).why == "no_lamps"
    assert watch_cabinet(seconds[:100], watts[:100], LAMPS, nights).why == "gaps"
    assert watch_cabinet(seconds, watts, LAMPS, nights[:4]).why == "too_short"
    small = watch_cabinet(seconds, watts, LAMPS, nights)
    many = Cabinet("AR3", (6.0,) * 300, 12.0)
    large = watch_cabinet(*curve(many), many, nights)
    assert small.least == 1
    assert large.least is not None
    assert large.least > 1
    assert not dead_lamps(large.level * np.where(np.arange(COUNT) >= 10, 1 - 1 / 300, 1.0), 1 / 300)[
        0
    ]  # one in 300 is not guessed


def _plan() -> tuple[object, ...]:
    return Calendar("p"), {"p": PROGRAM}


def test_a_lamp_that_is_mended_is_told_so() -> None:
    level = 1 + 0.001 * np.random.default_rng(4).standard_normal(40)
    level[15:25] -= 1 / 30
    nights = nights_for(Plan(*_plan()), PLACE, FIRST, 40, "Europe/Paris")
    assert len(nights) == 40
    from beffroi.services.lighting.watch import _until

    [loss], _ = dead_lamps(level, 1 / 30)
    mended, _ = dead_lamps(1 / level, 1 / 30)
    assert (loss.night, _until(loss, mended).last) == (15, 24)


def test_what_lasts_is_one_finding_until_it_is_over(town: Town) -> None:
    """A contactor stuck for longer than the nights looked at is one anomaly, since its first night; then it is over."""
    cabinet = town.store.records.find("cabinet", Query(limit=1)).rows[0]
    step, days, stuck = 30 * MINUTE_US, 60, (10, 55)
    start = town.clock() // DAY_US * DAY_US - days * DAY_US
    with town.store.write() as c:
        series = create(town.store, c, New("datastream", {
            "name": "Puissance", "description": "", "observation_type": "OM_Measurement", "unit_name": "watt", "unit_symbol": "W",
            "unit_definition": "W", "kind": "active_power", "expected_interval_us": step,
        }, belongs={
            "sensor_id": New("sensor", {"name": "Compteur", "description": "", "encoding_type": "text/plain", "metadata": '"m"'}),
            "observed_property_id": New("observed_property", {"name": "Puissance", "definition": "", "description": ""}),
            "thing_id": New("thing", {"name": "AR1", "description": "", "service": "lighting", "collection": "cabinet", "record_id": cabinet.id}),
        })).id  # fmt: skip
    nights = nights_of(cut_program("23:00-05:00"), *(np.array([x]) for x in cabinet.geometry["coordinates"]),
                       to_datetime(start).date() - timedelta(days=1), days + 1)  # fmt: skip
    ends = start + step * np.arange(1, days * 48)
    level = levels_at(cut_program("23:00-05:00"), nights, (ends - step / 2) / 1e6)
    day = (ends - start) / DAY_US
    watts = 126.0 * np.where((day > stuck[0] + 0.5) & (day < stuck[1] + 0.5), 1.0, level) + 6.0
    town.store.observations.append(
        [Draft(series, int(end), number_of(f"{w:.1f}")) for end, w in zip(ends, watts, strict=True)]
    )
    told = []
    for after in (20, 54, 60):
        watch_town(town, start + after * DAY_US + DAY_US // 2)
        told.append([
            ((r.values["since"] - start) // DAY_US, r.values["state"])
            for r in town.store.records.all("lighting_finding", Query(where={"kind": "stuck_on"}))
        ])  # fmt: skip
    assert told == [[(10, "open")], [(10, "open")], [(10, "over")]]
    assert known_of(town)[1][cabinet.id].lamps == 3
