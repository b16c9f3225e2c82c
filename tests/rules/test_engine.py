"""Rules at work on a real store: alarms come, stay and go as stated, whatever restarts happen."""

import random

import pytest
from tests.rules.conftest import CHIEF, START
from tests.rules.test_oracle import brute_force, stages

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.instant import MINUTE_US, SECOND_US
from beffroi.model.observation import Observation
from beffroi.model.principal import Principal
from beffroi.model.result import number_of
from beffroi.model.text import Text
from beffroi.rules import alarms, rulebook
from beffroi.rules.backtest import back_test
from beffroi.rules.collections import PLATFORM_COLLECTIONS
from beffroi.rules.reading import read_rule
from beffroi.store.catalogue import remove

AGENT = Principal("user:2", "Yann", "agent")


def told(rows) -> list[tuple[str, str, int, int | None]]:
    """Return (state, severity, start, end) in seconds after START."""

    def second(moment):
        return None if moment is None else (moment - START) // SECOND_US

    return [
        (r.values["state"], r.values["worst"], second(r.values["raised_at"]), second(r.values["cleared_at"]))
        for r in rows
    ]


def test_an_alarm_is_raised_said_in_words_and_ends(place):
    series = place.series()
    place.rule("{above: 200, hysteresis: 10}", series, more="severity: orange")
    place.now(series, "150")
    assert place.alarms() == []
    place.clock.go(60)
    place.now(series, "212.5")
    (alarm,) = place.alarms()
    assert alarm.values["message"] == "Hauteur d'eau (Ardèche à Meyras) dépasse 200 cm"
    assert (alarm.values["severity"], alarm.values["value"], alarm.values["state"]) == (
        "orange",
        212.5,
        "active",
    )
    place.clock.go(60)
    place.now(series, "230")
    place.clock.go(60)
    place.now(series, "189.9")
    assert told(place.alarms()) == [("cleared_unacknowledged", "orange", 60, 180)]
    assert place.alarms()[0].values["peak"] == 230


def test_a_restart_in_the_middle_of_a_duration_changes_nothing(place):
    series = place.series()
    place.rule("{above: 200, for: PT10M}", series)
    place.now(series, "250")
    place.engine.checkpoint()
    place.clock.go(7 * 60)
    place.restart()
    place.work()
    assert place.alarms() == []
    place.clock.go(3 * 60 - 1)
    place.work()
    assert place.alarms() == []
    place.clock.go(1)
    place.work()
    assert told(place.alarms()) == [("active", "orange", 600, None)]
    place.restart()
    place.work()
    assert len(place.alarms()) == 1


def test_a_crash_before_the_first_checkpoint_loses_nothing(place):
    series = place.series()
    place.rule("{above: 200, for: PT10M}", series)
    place.work()
    place.now(series, "250")
    place.restart()  # nothing was kept of the observation
    place.clock.go(600)
    place.work()
    assert told(place.alarms()) == [("active", "orange", 600, None)]


def test_silence_is_an_alarm_that_the_next_value_ends(place):
    series = place.series()
    place.now(series, "1")
    place.rule("{silent: PT1H}", series, more="severity: jaune")
    place.work()
    place.clock.go(3599)
    place.work()
    assert place.alarms() == []
    place.clock.go(1)
    place.work()
    assert told(place.alarms()) == [("active", "jaune", 3600, None)]
    assert (
        place.alarms()[0].values["message"]
        == "Hauteur d'eau (Ardèche à Meyras) ne donne plus rien depuis 1 h"
    )
    place.clock.go(60)
    place.now(series, "1")
    assert told(place.alarms()) == [("cleared_unacknowledged", "jaune", 3600, 3660)]


def test_levels_make_one_alarm_that_gets_worse_and_asks_again(place):
    series = place.series()
    place.rule("{above: {jaune: 100, orange: 200, rouge: 300}, hysteresis: 10}", series)
    place.now(series, "120")
    (alarm,) = place.alarms()
    alarms.acknowledge(place.store, [alarm.id], AGENT)
    place.clock.go(60)
    place.now(series, "310")
    (alarm,) = place.alarms()
    assert (alarm.values["severity"], alarm.values["state"]) == ("rouge", "active")
    assert "dépasse 300 cm" in alarm.values["message"]
    place.clock.go(60)
    place.now(series, "195")
    (alarm,) = place.alarms()
    assert (alarm.values["severity"], alarm.values["worst"]) == ("orange", "rouge")
    place.clock.go(60)
    place.now(series, "50")
    assert told(place.alarms()) == [("cleared_unacknowledged", "rouge", 0, 180)]


def test_several_series_of_one_thing_share_its_alarm(place):
    first = place.series(kind="level")
    from sqlalchemy import select

    from beffroi.store import tables

    with place.store.write() as c:
        from beffroi.store.catalogue import New, create

        known = c.execute(select(tables.datastream)).one()
        made = create(place.store, c, New("datastream", {"name": "Secours", "description": "", "observation_type": "number", "kind": "level"},
                      belongs={"thing_id": known.thing_id, "sensor_id": known.sensor_id, "observed_property_id": known.observed_property_id}))  # fmt: skip
    place.rule("{above: 5}", "{kind: level}")
    place.now(first, "9")
    place.now(made.id, "9")
    place.clock.go(10)
    place.now(first, "1")
    assert told(place.alarms()) == [("active", "orange", 0, None)]
    place.clock.go(10)
    place.now(made.id, "1")
    assert told(place.alarms()) == [("cleared_unacknowledged", "orange", 0, 20)]


def test_a_wide_rule_takes_series_that_come_later_and_lets_go_of_removed_ones(place):
    place.rule("{above: 5}", "{kind: level}")
    place.work()
    series = place.series(kind="level")
    other = place.series(kind="other")
    place.now(series, "9")
    place.now(other, "9")
    assert [r.values["datastream_id"] for r in place.alarms()] == [series]
    with place.store.write() as c:
        remove(place.store, c, "datastream", series)
    place.clock.go(60)
    place.work()
    assert told(place.alarms()) == [("cleared_unacknowledged", "orange", 0, 60)]


def test_a_rule_starts_from_the_newest_value_and_misses_nothing_after_it_is_on(place):
    series = place.series()
    place.send(series, (-100, 9))
    place.work()  # the engine is ahead of the rule to come
    place.rule("{above: 5}", series)
    place.send(series, (1, 1), (2, 9), (3, 1))
    place.work()
    assert told(place.alarms()) == [
        ("cleared_unacknowledged", "orange", 0, 1), ("cleared_unacknowledged", "orange", 2, 3)
    ]  # fmt: skip


def test_switching_off_ends_alarms_and_changing_the_words_keeps_them(place):
    series = place.series()
    rule = place.rule("{above: 5}", series)
    place.now(series, "9")
    rulebook.change(
        place.store, rule, f"name: Autre nom\nwatch: {{datastream: {series}}}\nwhen: {{above: 5}}\n", CHIEF
    )
    place.work()
    assert told(place.alarms()) == [("active", "orange", 0, None)]
    rulebook.change(
        place.store, rule, f"name: Autre nom\nwatch: {{datastream: {series}}}\nwhen: {{above: 8}}\n", CHIEF
    )
    place.work()
    assert told(place.alarms()) == [("active", "orange", 0, None)]
    rulebook.change(
        place.store, rule, f"name: Autre nom\nwatch: {{datastream: {series}}}\nwhen: {{above: 80}}\n", CHIEF
    )
    place.work()
    assert [state for state, *_ in told(place.alarms())] == ["cleared_unacknowledged"]
    rulebook.change(
        place.store, rule, f"name: Autre nom\nwatch: {{datastream: {series}}}\nwhen: {{above: 7}}\n", CHIEF
    )
    place.clock.go(5)
    place.work()
    assert [state for state, *_ in told(place.alarms())] == ["cleared_unacknowledged", "active"]
    rulebook.switch(place.store, rule, CHIEF, enabled=False)
    place.work()
    assert [state for state, *_ in told(place.alarms())] == ["cleared_unacknowledged"] * 2


def test_an_alarm_ended_by_hand_comes_back_only_after_the_condition_stopped(place):
    series = place.series()
    place.rule("{above: 5}", series)
    place.now(series, "9")
    alarms.clear(place.store, place.alarms()[0].id, AGENT, "Fausse alerte : nettoyage")
    for value in ("8", "9"):
        place.clock.go(10)
        place.now(series, value)
    assert len(place.alarms()) == 1
    place.restart()
    for value in ("1", "9"):
        place.clock.go(10)
        place.now(series, value)
    assert [state for state, *_ in told(place.alarms())] == ["cleared", "active"]


def test_a_value_said_bad_or_from_the_far_future_is_not_judged(place):
    from beffroi.model.observation import Draft

    series = place.series()
    place.rule("{above: 5}", series)
    place.store.observations.append([Draft(series, START, number_of("9"), quality=3)])
    place.send(series, (86_400 * 30, 9))
    place.work()
    assert place.alarms() == []
    place.clock.go(5)
    place.now(series, "9")
    assert len(place.alarms()) == 1


def test_a_correction_of_the_newest_value_is_judged(place):
    series = place.series()
    place.rule("{above: 5}", series)
    (number,) = place.send(series, (0, 9))
    place.work()
    place.store.observations.correct(number, result=number_of("1"))
    place.work()
    assert [state for state, *_ in told(place.alarms())] == ["cleared_unacknowledged"]


class Fault(Record):
    code: str = field("Code", "Code", key=True)
    state: str = field(
        "État",
        "State",
        choices=(choice("new", "Nouveau", "New"), choice("done", "Fait", "Done")),
        default="new",
    )
    size: float | None = field("Taille", "Size")


FAULT = Collection("fault", Text("Pannes", "Faults"), Fault)


def test_records_raise_alarms_that_end_with_them(place):
    place.store.records.declare((*PLATFORM_COLLECTIONS, FAULT))
    place.rule(
        "{where: state == 'new' and size > 3, for: P2D}", "{collection: fault}", more="severity: jaune"
    )
    big = place.store.records.put("fault", {"code": "A", "size": 5.0}, who=AGENT).id
    place.store.records.put("fault", {"code": "B", "size": 1.0}, who=AGENT)
    place.work()
    place.clock.go(86_400)
    place.restart()
    place.work()
    assert place.alarms() == []
    place.clock.go(86_400)
    place.work()
    assert told(place.alarms()) == [("active", "jaune", 2 * 86_400, None)]
    assert place.alarms()[0].values["message"] == "Pannes : A"
    place.store.records.put("fault", {"state": "done"}, id=big, who=AGENT)
    place.work()
    assert told(place.alarms()) == [("cleared_unacknowledged", "jaune", 2 * 86_400, 2 * 86_400)]


class Visit(Record):
    """Somebody who looked at a fault."""

    code: str = field("Code", "Code", key=True)
    fault: int = field("Panne", "Fault", reference="fault")
    cause: str = field("Cause", "Cause", choices=(choice("torn", "Arraché", "Torn off"),))
    cost: float = field("Coût", "Cost")
    urgent: bool = field("Urgent", "Urgent")


def test_the_message_of_a_record_says_choices_references_and_numbers_as_people_read_them(small):
    visits = Collection("visit", Text("Visites", "Visits"), Visit)
    small.store.records.declare((*PLATFORM_COLLECTIONS, FAULT, visits))
    template = "{code} / {fault} : {cause}, {cost} €, urgent {urgent}, alerte {severity}, {unknown}"
    more = f'message: "{template}"\nmessage_en: "{template}"\nseverity: jaune'
    small.rule("{where: cause == 'torn'}", "{collection: visit}", more=more)
    fault = small.store.records.put("fault", {"code": "Mât 12"}, who=AGENT).id
    visit = {"code": "V1", "fault": fault, "cause": "torn", "cost": 1234.5, "urgent": True}
    small.store.records.put("visit", visit, who=AGENT)
    small.work()
    said = small.alarms()[0].values
    assert said["message"] == "V1 / Mât 12 : Arraché, 1\u202f234,5 €, urgent oui, alerte jaune, {unknown}"
    assert said["message_en"] == "V1 / Mât 12 : Torn off, 1,234.5 €, urgent yes, alerte yellow, {unknown}"


def test_an_alarm_names_a_series_after_its_kind_in_english(small):
    small.titles = {"river_level": Text("Hauteur d'eau", "Water level")}
    level = small.series("Hauteur d'eau, le Pont", "le Pont", kind="river_level")
    small.rule("{above: {jaune: 5}}", level, name="sans message")
    small.rule("{above: {jaune: 5}}", level, name="avec", more='message: "{series}"\nmessage_en: "{series}"')
    small.now(level, "9")
    said = {(a.values["message"], a.values["message_en"]) for a in small.alarms()}
    assert said == {
        ("Hauteur d'eau, le Pont dépasse 5 cm", "Water level, le Pont exceeds 5 cm"),
        ("Hauteur d'eau, le Pont", "Water level, le Pont"),
    }


def test_several_series_are_judged_together(place):
    rain, level = place.series("Pluie", unit="mm"), place.series()
    place.rule("{expression: pluie > 5 and niveau > 100}", f"{{series: {{pluie: {rain}, niveau: {level}}}}}")
    place.now(rain, "9")
    assert place.alarms() == []
    place.clock.go(1)
    place.now(level, "120")
    assert (
        place.alarms()[0].values["message"]
        == "« Pluie (Ardèche à Meyras) » dépasse 5 et « Hauteur d'eau (Ardèche à Meyras) » dépasse 100"
    )
    place.restart()
    place.clock.go(1)
    place.now(rain, "2")
    assert told(place.alarms()) == [("cleared_unacknowledged", "orange", 1, 2)]


@pytest.mark.parametrize("seed", range(4))
def test_any_cutting_into_batches_and_restarts_gives_the_same_alarms(small, seed):
    chance = random.Random(seed)
    whole, cut = small.series(), small.series()
    for series in (whole, cut):
        small.rule("{above: {jaune: 3, rouge: 6}, hysteresis: 1, for: PT40S, clear_after: PT20S}", series)
        small.rule("{silent: PT90S}", series)
        small.rule("{rises: 4, within: PT60S}", series)
    at, values = 0, []
    for _ in range(300):
        at += chance.choice((5, 10, 30, 120))
        values.append((at, chance.randint(0, 9)))
    small.clock.go(-86_400 * 400)
    replayed = [(s - 86_400 * 800, v) for s, v in values]
    small.clock.go(86_400 * 400)
    small.send(whole, *replayed)
    while replayed:
        size = chance.randint(1, 40)
        small.send(cut, *replayed[:size])
        replayed = replayed[size:]
        small.work()
        if chance.random() < 0.5:
            small.engine.checkpoint()
        if chance.random() < 0.5:
            small.restart()
    small.work()
    first, second = small.alarms(datastream_id=whole), small.alarms(datastream_id=cut)
    assert len(first) > 20
    assert sorted(told(first)) == sorted(told(second))


@pytest.mark.shared
def test_the_real_river_replayed_raises_what_brute_force_counts(small):
    series = small.series()
    rules = {limit: small.rule(f"{{above: {limit}, hysteresis: 10}}", series) for limit in (100, 200, 300)}
    rows = sorted((at, i, text) for i, (at, text) in enumerate(stages()))
    for first in range(0, len(rows), 1000):
        small.send(series, *(((at - START) / SECOND_US, text) for at, _, text in rows[first : first + 1000]))
        small.work()
        small.restart()
    counts = {limit: len(small.alarms(rule=rule)) for limit, rule in rules.items()}
    values = [float(text) for _, _, text in rows]
    observations = [
        Observation(i, series, at, None, None, number_of(text), None, 0, None, i) for at, i, text in rows
    ]
    for rule in rules.values():
        text = small.store.records.get("rule", rule).values["yaml"]
        tried = back_test(read_rule(text), [("value", observations)], rows[0][0], rows[-1][0])
        raised = [
            (a.values["raised_at"], a.values["cleared_at"], a.values["peak"]) for a in small.alarms(rule=rule)
        ]
        assert raised == [(a.start_us, a.end_us, a.peak) for a in tried.alarms]
    assert counts == {limit: brute_force(values, limit, 10) for limit in rules} == {100: 40, 200: 8, 300: 4}


def test_the_next_deadline_is_known(small):
    series = small.series()
    small.rule("{above: 5, for: PT10M}", series)
    small.now(series, "9")
    assert small.engine.next_due() == small.clock.now + 10 * MINUTE_US


def test_after_a_start_silence_is_said_only_once_what_waited_outside_had_time_to_arrive(place):
    series = place.series()
    place.now(series, "1")
    place.rule("{silent: PT1H}", series)
    place.work()
    place.engine.checkpoint()
    place.clock.go(2 * 3600)
    place.restart()
    place.work()
    place.clock.go(60)
    place.work()
    assert place.alarms() == []
    place.send(series, (600, "1"), (3000, "1"), (7200, "1"))
    place.work()
    assert told(place.alarms()) == [("cleared_unacknowledged", "orange", 6600, 7200)]
