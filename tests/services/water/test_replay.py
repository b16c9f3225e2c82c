"""Ten years of the Ardèche at Meyras through thresholds, rules, engine and alarms: equal to a count by brute force."""

import pytest
from tests.rules.test_oracle import stages
from tests.services.water.conftest import River

from beffroi.model.instant import DAY_US
from beffroi.model.observation import Draft
from beffroi.model.result import number_of

LEVELS = {"jaune": 1.0, "orange": 2.0, "rouge": 3.0}
HYSTERESIS = 0.1
Excursion = tuple[int, int | None, str]


def by_hand(rows: list[tuple[int, str]]) -> list[Excursion]:
    """Return each excursion above the lowest level: its start, its end, the highest level it entered."""
    found: list[Excursion] = []
    above = dict.fromkeys(LEVELS, False)
    start, worst = 0, ""
    for at, text in rows:
        value = float(text)
        before = above["jaune"]
        for colour, limit in LEVELS.items():
            above[colour] = value > limit or (above[colour] and not value < limit - HYSTERESIS)
            if above[colour] and (not worst or list(LEVELS).index(colour) > list(LEVELS).index(worst)):
                worst = colour
        if above["jaune"] and not before:
            start = at
        elif before and not above["jaune"]:
            found.append((start, at, worst))
            worst = ""
    return [*found, (start, None, worst)] if above["jaune"] else found


@pytest.mark.shared
def test_every_excursion_of_ten_years_is_one_alarm_and_none_is_missed(river: River) -> None:
    rows = [(at, f"{float(text) / 100:.2f}") for at, text in sorted(stages(), key=lambda row: row[0])]
    present, river.now = river.now, rows[0][0] - DAY_US
    number = river.send("river_level", "0.00", "meyras")
    river.put(
        "river_station", {"level": number, "period_min": 1440}, id=river.pont.id
    )  # it is kept when the water moves
    river.threshold("level", HYSTERESIS, **LEVELS)
    river.follow()
    river.now = present
    for first in range(0, len(rows), 4000):
        river.town.store.observations.append(
            [Draft(number, at, number_of(text)) for at, text in rows[first : first + 4000]]
        )
        while river.engine.step():
            continue
    (rule,) = [r.id for r in river.all("rule") if r.values["origin"] == f"water/{river.pont.id}/level"]
    rung = [
        (a.values["raised_at"], a.values["cleared_at"], a.values["worst"])
        for a in river.all("alarm", "raised_at", rule=rule)
    ]
    expected = by_hand(rows)
    assert rung == expected
    counts = {
        colour: sum(list(LEVELS).index(worst) >= place for _, _, worst in expected)
        for place, colour in enumerate(LEVELS)
    }
    assert counts["jaune"] > counts["orange"] > counts["rouge"] > 0
