"""Rules under `kill -9`: whatever the moment, no alarm is lost, none doubled, none mistimed."""

import random
import signal
import time

from tests.forked import Forked, script
from tests.rules.conftest import CHIEF

from beffroi.model.instant import MINUTE_US
from beffroi.model.observation import Draft, Observation
from beffroi.model.result import number_of
from beffroi.rules import rulebook
from beffroi.rules.backtest import back_test
from beffroi.rules.engine import OBSERVED
from beffroi.rules.reading import read_rule

KILLS = 4
JUDGE = """
import sys, threading
from pathlib import Path
from beffroi.rules.collections import PLATFORM_COLLECTIONS
from beffroi.rules.keeper import judge
from beffroi.settings import Settings
from beffroi.store.open import Store
store = Store.open(Settings(data=Path(sys.argv[1])))
store.records.declare(PLATFORM_COLLECTIONS)
print("ready", flush=True)
judge(store, threading.Event())
"""


def start(folder) -> Forked:
    child = Forked(script, JUDGE, str(folder))
    assert child.stdout.readline() == b"ready\n"
    return child


def test_killed_again_and_again_the_alarms_are_those_of_a_quiet_run(small):
    chance, store = random.Random(7), small.store
    series = small.series()
    texts = [
        f"name: a\nwatch: {{datastream: {series}}}\nwhen: {{above: {{jaune: 60, rouge: 90}}, hysteresis: 5, for: PT10M}}\n",
        f"name: b\nwatch: {{datastream: {series}}}\nwhen: {{below: 20, times: 2, of: 3}}\n",
        f"name: c\nwatch: {{datastream: {series}}}\nwhen: {{silent: PT40M}}\n",
    ]
    rules = [rulebook.add(store, text, CHIEF, enabled=True).id for text in texts]
    at, kept, child = small.clock.now - 86_400_000_000 * 300, [], start(store.settings.data)
    reached = set()
    for _ in range(KILLS):
        for _ in range(chance.randint(2, 8)):
            drafts = []
            for _ in range(chance.randint(1, 40)):
                at += chance.choice((5, 5, 5, 30, 60)) * MINUTE_US
                drafts.append(Draft(series, at, number_of(str(chance.randint(0, 100)))))
            ids = store.observations.append(drafts).ids
            kept += [
                Observation(i, series, d.start_us, None, None, d.result, None, 0, None, i)
                for i, d in zip(ids, drafts, strict=True)
            ]
            time.sleep(chance.random() * 0.5)
        reached.add(store.setting(OBSERVED))
        child.signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        child = start(store.settings.data)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and int(store.setting(OBSERVED, -1)) < store.observations.head():
        time.sleep(0.2)
    child.signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    for rule, text in zip(rules, texts, strict=True):
        expected = back_test(read_rule(text), [("value", kept)], kept[0].start_us, kept[-1].start_us).alarms
        found = [
            (r.values["raised_at"], r.values["cleared_at"], r.values["worst"])
            for r in small.alarms(rule=rule)
        ]
        assert sorted(found, key=str) == sorted([(a.start_us, a.end_us, a.worst) for a in expected], key=str)
        assert len(expected) > 3
    assert len(reached) > 2, "the engine was killed before it ever worked"
