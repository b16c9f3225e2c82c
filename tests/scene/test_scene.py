"""The demonstration town as pure data: the same every time, and believable."""

import itertools
import math

import pytest
from shapely.geometry import Point

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, parse_instant
from beffroi.scene import Scene, make_scene
from beffroi.scene.chance import Chance
from beffroi.scene.civil import moment, school_day
from beffroi.scene.plan import wgs84
from beffroi.scene.weather import Shower, Weather

END = parse_instant("2026-11-22")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(1, 30, END)


def told(
    scene: Scene, key: str, after: int | None = None, until: int | None = None
) -> list[tuple[int, float]]:
    series = next(s for station in scene.stations for s in station.series if s.key == key)
    start = scene.start_us if after is None else after
    return [
        (r.end_us or r.start_us, r.value)
        for r in series.readings(start, scene.end_us if until is None else until)
    ]


def test_scene_is_equal_when_its_three_numbers_are(scene: Scene) -> None:
    other = make_scene(1, 30, END)
    assert wgs84(other.plan.buildings[500].footprint) == wgs84(scene.plan.buildings[500].footprint)
    assert other.assets.lamps == scene.assets.lamps
    for key in (
        "meteo-brevigny/rain",
        "air-centre/no2",
        "velos-quai/bicycles",
        "PAV008/fill_level",
        "salle-01/co2",
    ):
        assert told(other, key) == told(scene, key)


def test_scene_differs_with_the_seed(scene: Scene) -> None:
    other = make_scene(2, 30, END)
    assert told(other, "meteo-brevigny/temperature") != told(scene, "meteo-brevigny/temperature")


def test_series_read_in_two_parts_gives_what_one_reading_gives(scene: Scene) -> None:
    middle = scene.end_us - 11 * DAY_US - 1234567
    for key in ("meteo-montarel/rain", "urbain-04/temperature", "sarelle-pont/river_level"):
        assert told(scene, key, scene.start_us, middle) + told(scene, key, middle) == told(scene, key)


def test_town_has_the_houses_of_its_inhabitants_apart_from_one_another(scene: Scene) -> None:
    town, village = scene.communes
    houses = [b for b in scene.plan.buildings if b.use == "habitation"]
    by_town = [b for b in houses if b.commune == town.code]
    assert 1800 < len(by_town) < 2600
    assert all(town.limits.contains(b.footprint) for b in by_town)
    assert not town.limits.intersection(village.limits).area
    centres = sorted((b.footprint.centroid.x, b.footprint.centroid.y) for b in houses)
    assert all(math.dist(a, b) > 5.0 for a, b in itertools.pairwise(centres))
    assert not any(b.footprint.distance(scene.plan.river) < 9.0 for b in houses)


def test_plan_keeps_distances_when_it_becomes_longitude_and_latitude() -> None:
    (lon_a, lat_a), (_, lat_b) = wgs84(Point(0, 0)), wgs84(Point(0, 1000))
    metres = (lat_b - lat_a) * 111_174  # length of a degree of latitude at 47° N
    assert abs(metres - 1000) < 3
    assert (round(lon_a, 1), round(lat_a, 1)) == (2.4, 47.1)


def test_rain_of_parts_adds_up_to_the_rain_of_the_whole() -> None:
    sky = Weather(5, (Shower(END - 20 * HOUR_US, END - 9 * HOUR_US, 31.4),))
    parts = sum(sky.rain_mm(t, t + 10 * MINUTE_US) for t in range(END - 3 * DAY_US, END, 10 * MINUTE_US))
    assert round(parts, 1) == sky.rain_mm(END - 3 * DAY_US, END)


def test_river_rises_after_the_rain_and_not_without_it(scene: Scene) -> None:
    level = dict(told(scene, "sarelle-montarel/river_level"))
    peak = max(level, key=level.__getitem__)
    storm = scene.end_us - int(9.3 * DAY_US)
    assert storm < peak < storm + 2 * DAY_US
    assert level[peak] > 2.0
    dry = [v for t, v in level.items() if scene.end_us - 15 * DAY_US < t < storm]
    assert max(dry) < 0.5


def test_upstream_gauge_peaks_before_the_town(scene: Scene) -> None:
    def peak(key: str) -> int:
        values = [
            v
            for v in told(scene, key)
            if scene.end_us - 9 * DAY_US - 6 * HOUR_US < v[0] < scene.end_us - 6 * DAY_US
        ]
        return max(values, key=lambda v: v[1])[0]

    lead = peak("sarelle-pont/river_level") - peak("sarelle-montarel/river_level")
    assert HOUR_US < lead < 8 * HOUR_US


def test_faults_are_where_the_oracle_says(scene: Scene) -> None:
    frozen = {v for _, v in told(scene, "urbain-04/temperature", scene.end_us - 6 * DAY_US)}
    assert len(frozen) == 1
    assert told(scene, "salle-03/co2", scene.end_us - DAY_US) == []
    assert (
        told(scene, "pietons-halles/pedestrians", scene.end_us - 14 * DAY_US, scene.end_us - 13 * DAY_US)
        == []
    )
    leak = [v for t, v in told(scene, "ecole-jules-ferry/water_volume") if t > scene.end_us - 5 * DAY_US]
    assert min(leak) >= 0.34
    dark = [v for t, v in told(scene, "AR09/active_power") if t > scene.end_us - 34 * HOUR_US]
    assert set(dark) == {0.0}
    assert len(scene.oracle()) == len(scene.faults)


def test_people_ride_by_day_and_less_in_the_rain(scene: Scene) -> None:
    rides = told(scene, "velos-republique/bicycles")
    by_day = sum(v for t, v in rides if 7 <= moment(t)[2] < 20)
    assert by_day > 0.85 * sum(v for _, v in rides)


def test_lost_messages_are_a_few_of_many(scene: Scene) -> None:
    sent = 30 * 72
    assert 0.955 * sent < len(told(scene, "urbain-01/temperature")) < 0.995 * sent


@pytest.mark.parametrize(
    ("date", "open_"),
    [("2026-11-20", True), ("2026-11-21", False), ("2026-11-18", False), ("2026-11-11", False), ("2026-12-25", False),
     ("2027-03-29", False), ("2027-05-06", False), ("2026-07-20", False)],
)  # fmt: skip
def test_school_opens_on_its_days(date: str, open_: bool) -> None:
    day, weekday, _, holiday = moment(parse_instant(date + "T12:00:00Z"))
    assert school_day(day, weekday, holiday) is open_


def test_chance_has_the_means_it_should() -> None:
    draw = Chance(3, "x")
    count = 20_000
    assert abs(sum(draw.unit(n) for n in range(count)) / count - 0.5) < 0.01
    assert abs(sum(draw.normal(n) for n in range(count)) / count) < 0.03
    assert abs(sum(draw.normal(n) ** 2 for n in range(count)) / count - 1) < 0.04
    for mean in (0.3, 4.0, 60.0):
        assert abs(sum(draw.poisson(mean, n) for n in range(count)) / count / mean - 1) < 0.05
    assert draw.poisson(0.0, 1) == 0
