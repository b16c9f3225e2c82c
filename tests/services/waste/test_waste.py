"""Fill, rounds and the bins scenario; the town's own round."""

import csv
import math
from itertools import permutations
from pathlib import Path

import msgspec
import numpy as np
import pytest
import shapely
from pyogrio.raw import read
from starlette.testclient import TestClient
from tests.towns import town_at

from beffroi.app import create_app
from beffroi.identity import keys, territories
from beffroi.intake.take import Intake
from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.result import number_of
from beffroi.services.waste.fill import Fill, fill_of, overflow_chance, overflow_days
from beffroi.services.waste.indicators import collections_between
from beffroi.services.waste.rounds import (
    FEWEST_KM,
    FEWEST_VISITS,
    _apart,
    _best_part,
    _length,
    _mended,
    choose,
    length_m,
    restrained,
    steered,
    tour,
)
from beffroi.services.waste.scenario import BARS, KNOWN, Outcome, make_scenario, pays, play, ways
from beffroi.services.waste.stock import Container, round_of, today
from beffroi.services.waste.worth import weighed, worth, worth_of
from beffroi.standards.reading import Reading, Series, Station
from beffroi.store.record import Query, Row
from beffroi.store.tables import thing
from beffroi.town import Town, open_town

DAY = 86_400.0


def test_fill_is_learnt_between_collections() -> None:
    """A container rises by a tenth a day and is emptied on the fifth; a silence says nothing."""
    levels = [0.0, 0.1, 0.2, 0.3, 0.4, 0.0, 0.1, 0.2, 0.3]
    readings = [(n * DAY, v) for n, v in enumerate(levels)]
    found = fill_of([*readings, (20 * DAY, 0.9)])
    assert found is not None
    assert (found.level, found.days) == (0.9, 7)
    assert found.rate == pytest.approx((0.7 + 2 / 7) / 9)
    assert fill_of([]) is None
    assert overflow_chance(Fill(1.1, 0.1, 0.1), 0) == 1.0
    assert overflow_chance(Fill(0.5, 0.25, 0.1), 2) == pytest.approx(0.5)


def test_tours_are_near_the_shortest() -> None:
    chance = np.random.default_rng(4)
    for _ in range(5):
        places = [(float(x), float(y)) for x, y in chance.uniform(0, 1000, (6, 2))]
        best = min(length_m(places, order, (500.0, 500.0)) for order in permutations(range(6)))
        found = tour(places, list(range(6)), (500.0, 500.0), solver=False)
        assert sorted(found.stops) == list(range(6))
        assert best - 1e-6 <= found.metres <= 1.15 * best


def test_nothing_goes_out_when_it_can_wait() -> None:
    places = [(0.0, 100.0), (0.0, 200.0), (50.0, 0.0)]
    calm = [Fill(0.3, 0.1, 0.03)] * 3
    urgent = [Fill(0.98, 0.5, 0.1), *calm[1:]]
    small = msgspec.structs.replace(FEWEST_KM, run=0.5)
    assert choose(calm, places, (0.0, 0.0), 1, small) == []
    assert choose(urgent, places, (0.0, 0.0), 1, small) == [0]
    assert choose(urgent, places, (0.0, 0.0), 1) == []  # one overflow is not worth a round
    assert choose(urgent, places, (0.0, 0.0), 1, FEWEST_VISITS) == [0]


def test_a_container_that_fills_fast_may_wait_for_a_surer_overflow() -> None:
    """A visit that comes a day early costs a day of its container's rhythm: at the same chance, the slow one is taken first."""
    slow, fast = Fill(1 - 0.02 - 0.05, 0.02, 0.1), Fill(1 - 0.5 - 0.05, 0.5, 0.1)
    assert overflow_days(slow, 1) == pytest.approx(overflow_days(fast, 1))
    assert choose([slow, fast], [(0.0, 0.0)] * 2, (0.0, 0.0), 1, FEWEST_VISITS) == [0]


def test_the_best_part_of_a_tour_is_the_best_of_all_parts() -> None:
    chance = np.random.default_rng(8)
    for _ in range(20):
        apart = _apart([(float(x), float(y)) for x, y in chance.uniform(0, 1000, (8, 2))])
        order, prize = np.array([3, 1, 5, 2, 7, 4, 6]), np.concatenate([[0.0], chance.uniform(0, 700, 7)])

        def gain(stops: np.ndarray, apart: np.ndarray = apart, prize: np.ndarray = prize) -> float:
            return float(prize[stops].sum()) - _length(apart, stops) if len(stops) else 0.0

        parts = [order[[i for i in range(7) if bits >> i & 1]] for bits in range(128)]
        best = _best_part(apart, order, prize)
        assert gain(best) == pytest.approx(max(gain(p) for p in parts))
        assert gain(_mended(apart, best, prize)) >= gain(best) - 1e-9


def test_kilometres_are_steered() -> None:
    more, less = steered(FEWEST_KM, 300, 200), steered(FEWEST_KM, 300, 400)
    assert more.overflow > FEWEST_KM.overflow > less.overflow
    assert more.run < FEWEST_KM.run < less.run
    assert steered(FEWEST_KM, 300, 300) == FEWEST_KM
    daily = steered(steered(FEWEST_KM, 300, 400, days=3.5), 300, 400, days=3.5)
    assert daily.overflow == pytest.approx(less.overflow)


def test_visits_are_held_and_never_more_than_usual() -> None:
    held = restrained(FEWEST_VISITS, FEWEST_VISITS, 140, 150)
    assert held.overflow < FEWEST_VISITS.overflow
    assert restrained(held, FEWEST_VISITS, 150, 100) == FEWEST_VISITS


def test_the_bins_scenario() -> None:
    """Whatever is drawn: at most 145 visits at 23 overflow-days; or, by choosing days, at most 307 km and 12."""
    for seed, bars in ((12, ("fewest_visits",)), (5, tuple(BARS))):
        scenario = make_scenario(seed)
        fixed = play(scenario, ways(scenario)["fixed"])
        assert [round(v, 1) for v in (fixed.km, fixed.visits, fixed.overflow_days, fixed.rounds)] == [
            307,
            240,
            23,
            2,
        ]
        for name in bars:
            assert BARS[name](play(scenario, ways(scenario)[name]), KNOWN), (seed, name)


@pytest.mark.nightly
def test_the_bins_scenario_on_twenty_seeds() -> None:
    """Both bars in the median, and on most seeds."""
    found: dict[str, list[Outcome]] = {name: [] for name in BARS}
    for seed in range(20):
        scenario = make_scenario(seed)
        for name in BARS:
            found[name].append(play(scenario, ways(scenario)[name]))
    assert sum(BARS["fewest_visits"](o, KNOWN) for o in found["fewest_visits"]) == 20
    assert sum(BARS["fewest_km"](o, KNOWN) for o in found["fewest_km"]) >= 17
    for name, within in BARS.items():
        middle = (float(np.median([getattr(o, k) for o in found[name]])) for k in Outcome.__struct_fields__)
        assert within(Outcome(*middle), KNOWN)


def test_a_draw_that_is_left_as_it_is_is_weighed_by_its_own_fixed_rounds() -> None:
    drawn, brought = make_scenario(3, as_drawn=True), make_scenario(3)
    stretch = brought.depot[0] / drawn.depot[0]
    assert np.array(brought.places) == pytest.approx(stretch * np.array(drawn.places))
    assert drawn.depot == (8_750.0, 8_750.0)
    assert np.ptp(brought.rises / drawn.rises) == pytest.approx(0, abs=1e-9)
    harder = Outcome(614, 240, 46, 2)
    assert BARS["fewest_visits"](Outcome(900, 145, 46, 5), harder)
    assert not BARS["fewest_visits"](Outcome(900, 146, 46, 5), harder)
    assert BARS["fewest_km"](Outcome(614, 300, 24, 5), harder)
    assert not BARS["fewest_km"](Outcome(614, 300, 24.1, 5), harder)


def test_the_next_round_is_forecast_and_what_sensors_bring_is_reckoned_on_the_towns_own() -> None:
    """Ten containers that fill by a tenth a day, half full: nothing for days, then a round; one round a week is hard to beat."""
    told = [
        Container(Row("bin", n, 1, {"code": f"B{n}"}), (100.0 * n, 50.0 * (n % 3)), Fill(0.5, 0.1, 0.02, 9)) for n in range(10)
    ]  # fmt: skip
    found = round_of(told)
    assert (found.stops, found.unknown) == ((), 0)
    assert found.coming is not None
    assert (found.coming.days, sorted(c.row.id for c in found.coming.stops)) == (4, list(range(10)))
    paid = {n: worth_of(told, rounds=n).ways for n in (1, 3)}
    assert [w.name for w in paid[1]] == ["fixed", "fewest_visits", "fewest_km"]
    assert [round(ways[0].outcome.visits) for ways in paid.values()] == [10, 30]
    assert max(w.brings or 0 for w in paid[1]) <= 0 < min(w.brings or 0 for w in paid[3][1:])
    dearer, dear = worth_of(told, rounds=1, sensor_a_year=90), worth_of(told, rounds=1)
    assert weighed(dear, 90) == dearer != dear


def test_it_is_said_when_sensors_do_not_pay() -> None:
    before, after = Outcome(307, 240, 23, 2), Outcome(306, 143, 23, 2)
    assert pays(before, after, containers=120) == pytest.approx(52 * (2.1 + 97 * 3) - 5400)
    assert pays(before, after, containers=120, sensor_a_year=150) < 0
    assert pays(before, Outcome(350, 236, 8, 3), containers=120) < 0


def _crew_takes_the_round_along(town: Town, stops: list[Row], folder: Path) -> None:
    """The round leaves as a table and as GPX, which GDAL reads: the same stops in the same order."""
    _, secret = keys.create(town.store, SYSTEM, role="agent", service=None, territories=["34172"])
    client = TestClient(
        create_app(town), headers={"Authorization": f"Bearer {secret}", "Accept": "text/html"}
    )
    (folder / "round.gpx").write_bytes(client.get("/services/waste/tournee.gpx").content)
    meta, _, shapes, columns = read(str(folder / "round.gpx"), layer="route_points")
    names = columns[list(meta["fields"]).index("name")].tolist()
    assert [(name, *shapely.from_wkb(at).coords[0]) for name, at in zip(names, shapes, strict=True)] == [
        (f"{n}. {row.values['code']}", *row.geometry["coordinates"]) for n, row in enumerate(stops, 1) if row.geometry
    ]  # fmt: skip
    lines = list(csv.DictReader(client.get("/services/waste/tournee.csv").text.splitlines()))
    assert [line["code"] for line in lines] == [row.values["code"] for row in stops]
    b0 = next(line for line in lines if line["code"] == "B0")
    assert (float(b0["fill_now_percent"]), b0["fill_expected_percent"]) == (
        pytest.approx(96, abs=2),
        b0["fill_now_percent"],
    )
    page = client.get("/services/waste/tournee", params={"lang": "en"}).text
    assert ("tournee.gpx" in page, "90% full and more" in page) == (True, True)


def test_the_round_of_a_town(tmp_path: Path) -> None:
    town_at(tmp_path / "t", "Essai", email="maire@essai.fr")
    town = open_town(tmp_path / "t")
    try:
        territories.add(town.store, SYSTEM, "34172", "Essai")
        assert today(town).containers == ()
        now = town.clock()
        readings = []
        for n, rise in enumerate((0.30, 0.02, 0.02, None)):
            place = {"type": "Point", "coordinates": [3.87 + n / 500, 43.6]}
            town.store.records.put("bin", {"code": f"B{n}"}, geometry=place, territory="34172", who=SYSTEM)
            if rise is not None:
                readings += [
                    Reading(Series(f"b{n}/fill", "fill_level", Station(f"b{n}", f"B{n}")), now - d * DAY_US - HOUR_US, number_of(str(round(96 - 100 * rise * d, 1))))
                    for d in range(3, -1, -1)
                ]  # fmt: skip
        Intake(town.store, town.registry.datastream_kind, town.registry.service_of).take(readings)
        rows = {r.values["code"]: r.id for r in town.store.records.find("bin", Query(limit=9)).rows}
        with town.store.write() as c:
            for n in range(3):
                c.execute(
                    thing.update()
                    .where(thing.c.key == f"b{n}")
                    .values(collection="bin", record_id=rows[f"B{n}"])
                )
        found = today(town)
        assert (len(found.containers), found.unknown) == (4, 1)
        assert found.stops[0].row.values["code"] == "B0" or "B0" in [
            s.row.values["code"] for s in found.stops
        ]
        assert math.isfinite(found.round.metres)
        _crew_takes_the_round_along(town, [s.row for s in found.stops], tmp_path)
        with pytest.raises(Problem, match="sensor"):
            worth(town)  # three sensors say nothing of a town
        # B0 rose by 30 points a day from 6 % to 96 %; then the lorry came, and came too early a day later
        taken = [
            Reading(Series("b0/fill", "fill_level", Station("b0", "B0")), now - HOUR_US + minutes * 60_000_000, number_of(level))
            for minutes, level in ((20, "4"), (30, "40"), (40, "5"))
        ]  # fmt: skip
        Intake(town.store, town.registry.datastream_kind, town.registry.service_of).take(taken)
        figures = {
            i.name: i.compute(town, None, now - 4 * DAY_US, now)
            for i in town.registry.services["waste"].indicators
        }
        assert collections_between(town, None, now - 4 * DAY_US, now) == 2.0
        assert figures["waste_fill_at_collection"] == pytest.approx((96 + 40) / 2)
        assert figures["waste_full"] == pytest.approx(100 * 3 / 15)
        assert figures["waste_heard"] == pytest.approx(75.0)
        weeks = (3 + 40 / 1440) / 7
        assert figures["waste_collections"] == pytest.approx(2 / weeks / 3)
        heard = next(i for i in town.registry.services["waste"].indicators if i.name == "waste_heard")
        assert heard.compute(town, "99999", 0, now) is None
    finally:
        town.close()
