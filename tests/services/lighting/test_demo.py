"""The demonstration town's cabinets: what their curves show is what the story says, and nothing else."""

from datetime import timedelta

import numpy as np
import pytest

from beffroi.model.instant import DAY_US, parse_instant, to_datetime
from beffroi.scene.plan import wgs84
from beffroi.scene.scene import Scene, make_scene
from beffroi.scene.story import cut_trial, newly_cut
from beffroi.services.lighting.calendars import Calendar, Plan, Rule
from beffroi.services.lighting.energy import losses_of
from beffroi.services.lighting.schedule import cut_program
from beffroi.services.lighting.stock import nights_for
from beffroi.services.lighting.watch import Cabinet, watch_cabinet

END = parse_instant("2026-11-25T13:00:00Z")
DAYS = 26
STORY = {"AR14": "dead_lamp", "AR12": "day_burner", "AR16": "stuck_on", "AR08": "wrong_clock", "AR09": "dark"}


def seen(scene: Scene, code: str) -> set[tuple[str, float]]:
    """Return what the curve of a cabinet of the scene shows, each with its size."""
    cabinet = next(c for c in scene.assets.cabinets if c.code == code)
    lamps = [x for x in scene.assets.lamps if x.cabinet == code and x.state != "removed"]
    station = next(s for s in scene.stations if s.key == code)
    told = list(station.series[0].readings(END - (DAYS + 1) * DAY_US, END))
    seconds = np.array([r.start_us / 1e6 - 900 for r in told])
    watts = np.array([r.value * 1000 for r in told])
    programs = {"cut": cut_program("23:30-05:30"), "permanent": cut_program(None)}
    rules: tuple[Rule, ...] = ()
    if code in newly_cut(scene.assets.cabinets, scene.faults):
        # lit all night until the trial of the night cut began
        rules = (Rule("permanent", "2025-01-01", (cut_trial(END)[0] - timedelta(days=2)).isoformat()),)
    plan = Plan(Calendar("cut" if cabinet.astronomical_clock else "permanent", rules), programs)
    place = wgs84(cabinet.place)
    first = to_datetime(END).date() - timedelta(days=DAYS)
    nights = nights_for(plan, (place[0], place[1]), first, DAYS, "Europe/Paris")
    load = np.array([x.power_w for x in lamps]) * (1 + losses_of([x.technology for x in lamps]))
    found = watch_cabinet(seconds, watts, Cabinet(code, tuple(float(w) for w in load), 6.0), nights).findings
    return {(f.kind, f.amount) for f in found}


@pytest.mark.parametrize(
    "seed", [1, pytest.param(3, marks=pytest.mark.nightly), pytest.param(8, marks=pytest.mark.nightly)]
)
def test_the_pages_find_the_story(seed: int) -> None:
    scene = make_scene(seed, 30, END)
    found = {c.code: seen(scene, c.code) for c in scene.assets.cabinets}
    assert {code: {kind for kind, _ in told} for code, told in found.items() if told} == {
        code: {kind} for code, kind in STORY.items()
    }
    assert found["AR14"] == {("dead_lamp", 1.0)}
    assert found["AR12"] == {("day_burner", 2.0)}
