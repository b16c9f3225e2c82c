"""The one way in: identified once, flagged, folded by source key, on both databases."""

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.intake.identify import Entrance
from beffroi.intake.quality import Flagger
from beffroi.intake.source_keys import Occurrences
from beffroi.intake.take import Intake
from beffroi.model.declaration import DatastreamKind
from beffroi.model.instant import HOUR_US, MINUTE_US
from beffroi.model.observation import Quality
from beffroi.model.result import number_of, result_of
from beffroi.model.text import Text
from beffroi.standards.reading import Reading, Series, Station
from beffroi.store.open import Store
from beffroi.store.tables import datastream, location, observed_property, sensor, thing, thing_location

AIR = DatastreamKind(
    "air_temperature", Text("Température de l'air", "Air temperature"), "°C", "Cel", "degré Celsius",
    definition="http://vocab.nerc.ac.uk/x", minimum=-40, maximum=50, max_step=8, aliases=("temperature",),
)  # fmt: skip
RAIN = DatastreamKind("rain", Text("Pluie", "Rain"), "mm", "mm", "millimètre", minimum=0)


def known(code: str) -> DatastreamKind | None:
    return {"temperature": AIR, "air_temperature": AIR, "rain": RAIN}.get(code)


def reading(
    start_us: int, text: str, code: str = "meteo:air:temperature", station: str = "s", **more: object
) -> Reading:
    place = Station(f"x/{station}", station.upper(), longitude=-2.0, latitude=47.5)
    series = Series(f"x/{station}/{code}", code, place)
    return Reading(series, start_us, number_of(text), source_key=str((start_us, text)).encode(), **more)  # type: ignore[arg-type]


def rows(store: Store, table: object) -> list[dict[str, object]]:
    with store.read() as connection:
        return [dict(row._mapping) for row in connection.execute(table.select())]  # type: ignore[attr-defined]


def test_a_new_series_makes_its_entities_once_and_a_second_look_finds_them(store: Store) -> None:
    first = Intake(store, known).take([reading(0, "1.50"), reading(MINUTE_US, "2")])
    second = Intake(store, known).take([reading(2 * MINUTE_US, "3"), reading(0, "0.2", "rain")])
    assert (first.stored, second.stored) == (2, 2)
    (series, rain) = sorted(rows(store, datastream), key=lambda row: str(row["key"]))
    assert (series["name"], series["unit_symbol"], series["unit_definition"], series["kind"]) == (
        "Température de l'air, S", "°C", "Cel", "air_temperature",
    )  # fmt: skip
    assert (rain["thing_id"], rain["sensor_id"]) == (series["thing_id"], series["sensor_id"])
    assert [len(rows(store, t)) for t in (thing, location, thing_location, sensor, observed_property)] == [
        1,
        1,
        1,
        1,
        2,
    ]
    assert [o.result.json() for o in store.observations.series(int(str(series["id"])))] == ["1.50", "2", "3"]


def test_a_thing_nobody_approved_says_so(store: Store) -> None:
    Intake(store, known).take([reading(0, "1")], door=Entrance(approved=False, territory="35236"))
    assert [(row["approved"], row["territory"]) for row in rows(store, thing)] == [(0, "35236")]


def test_the_same_source_key_folds_and_equal_times_do_not(store: Store) -> None:
    intake = Intake(store, known)
    assert intake.take([reading(0, "1"), reading(0, "2")]).stored == 2
    again = intake.take([reading(0, "2"), reading(0, "3")])
    assert (again.stored, again.folded, again.ids[0]) == (1, 1, None)


def test_two_intakes_at_once_make_one_series(store: Store) -> None:
    def run(at: int) -> None:
        Intake(store, known).take([reading(at, "1", station=f"s{n}") for n in range(5)])

    threads = [threading.Thread(target=run, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(row["key"] for row in rows(store, datastream)).most_common(1)[0][1] == 1
    assert sum(s.count for s in store.observations.stats().values()) == 20


def test_flags_go_on_from_what_is_stored_and_keep_the_raw_value(store: Store) -> None:
    Intake(store, known).take([reading(0, "10")])
    taken = Intake(store, known).take(
        [reading(MINUTE_US, "30"), reading(2 * MINUTE_US, "99"), reading(3 * MINUTE_US, "11")]
    )
    found = [store.observations.get(i) for i in taken.ids if i is not None]
    assert [(o.quality, o.result.json(), o.extra) for o in found if o] == [
        (Quality.SUSPECT, "30", '{"parameters":{"qualityFlag":"step"}}'),
        (Quality.SUSPECT, "99", '{"parameters":{"qualityFlag":"range"}}'),
        (Quality.GOOD, "11", None),
    ]


def test_text_is_kept_as_an_observation_without_unit(store: Store) -> None:
    state = Reading(Series("x/s/state", "state", Station("x/s", "S")), 0, result_of("ouvert"))
    taken = Intake(store, known).take([state])
    found = store.observations.get(taken.ids[0] or 0)
    assert found is not None
    assert (found.result.json(), found.quality) == ('"ouvert"', Quality.UNCHECKED)
    assert str(rows(store, datastream)[0]["observation_type"]).endswith("OM_Observation")


def judge(values: list[float], step_us: int = 10 * MINUTE_US, kind: DatastreamKind = AIR) -> list[str]:
    flagger = Flagger(kind)
    return [flagger.judge(i * step_us, value)[1] for i, value in enumerate(values)]


def test_a_spike_is_one_flag_and_a_new_level_is_accepted() -> None:
    assert judge([10, 30, 10, 11]) == ["", "step", "", ""]
    assert judge([10, 30, 31, 32, 33]) == ["", "step", "step", "", ""]
    assert judge([10, 30, 31], step_us=3 * HOUR_US) == ["", "", ""]


def test_a_stuck_sensor_is_told_but_dry_weather_is_not() -> None:
    assert judge([10.0] * 60).count("stuck") == 60 - 36
    assert judge([0.0] * 60, kind=RAIN).count("stuck") == 0


@pytest.mark.parametrize("value", [-41, 51])
def test_range(value: float) -> None:
    assert judge([value]) == ["range"]


@given(st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]) | st.binary(max_size=2), max_size=60))
def test_ordinals_are_those_of_a_plain_count(file: list[bytes]) -> None:
    occurrences = Occurrences()
    for row in file:
        occurrences.mark(row)
    count: Counter[bytes] = Counter()
    for row in file:
        assert occurrences.ordinal(row) == count[row]
        count[row] += 1
