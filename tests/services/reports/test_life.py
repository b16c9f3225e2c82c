"""The life of a report: every step, by everyone, from every state; and the whole of it on both databases."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.reports.conftest import Clock, fill
from tests.services.reports.photographs import photograph

from beffroi.identity import territories
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Conflict, Forbidden, NotFound, Problem
from beffroi.plugins import load_registry
from beffroi.rules.collections import PLATFORM_COLLECTIONS
from beffroi.services.reports import drafts, erasure, following, notices, states
from beffroi.services.reports.keys import digest, key_of, opens, plain, written
from beffroi.services.reports.photos.cut import cut
from beffroi.services.reports.preparing import prepare_waiting
from beffroi.services.reports.submission import Submission, submit
from beffroi.services.reports.where import around, coarse, distance_m
from beffroi.store.open import Store
from beffroi.store.record import Query
from beffroi.town import Town, open_town

ACTORS = ("reporter", "neighbour", "firm", "agent", "system")
ALL = tuple(s.value for s in states.STATES)
GIVEN = {"text": "vu", "until_us": 5, "duplicate_of": 7, "evidence": True}


def report(state: str, **values: object) -> dict[str, object]:
    return {"state": state, "first_answered": None, "reopened": 2, "closed": None, "reason": None, **values}


@pytest.mark.parametrize(("action", "actor", "state"), [*itertools.product(states.ACTIONS, ACTORS, ALL)])
def test_each_step_is_for_some_from_some_states(
    action: states.Action, actor: states.Actor, state: str
) -> None:
    def take() -> states.Move:
        return states.move(
            report(state), action.name, actor, 9, reason="repaired" if action.name == "close" else "", **GIVEN
        )

    if actor not in action.actors:
        with pytest.raises(Forbidden):
            take()
    elif state not in action.sources:
        with pytest.raises(Conflict):
            take()
    else:
        made = take()
        after = {**report(state), **made.values}
        assert after["state"] == (action.target or state)
        assert (after["closed"] is not None) == (action.target == "closed")
        assert (after["reason"] is not None) == (action.target == "closed")
        assert (made.update["from_state"], made.update["state"], made.update["at"]) == (
            state,
            after["state"],
            9,
        )
        assert after["first_answered"] == (9 if action.answers and actor in ("agent", "firm") else None)
        assert after["reopened"] == (3 if action.name == "reopen" else 2)
        assert (action in states.actions_for(state, actor)) is True


@pytest.mark.parametrize("reason", ["", "duplicate", "withdrawn", "nonsense"])
def test_closing_needs_a_true_reason(reason: str) -> None:
    with pytest.raises(Problem) as refused:
        states.move(report("received"), "close", "agent", 1, reason=reason)
    assert refused.value.place == "reason"


@pytest.mark.parametrize(("action", "actor", "place"), [("schedule", "agent", "until"), ("hold", "agent", "text"), ("ask", "agent", "text"),
                         ("merge", "agent", "duplicate_of"), ("answer", "reporter", "text"), ("nothing", "agent", "action")])  # fmt: skip
def test_what_a_step_needs_is_asked_for(action: str, actor: states.Actor, place: str) -> None:
    with pytest.raises(Problem) as refused:
        states.move(report("question" if action == "answer" else "received"), action, actor, 1)
    assert refused.value.place == place


def test_the_first_human_answer_is_kept() -> None:
    once = states.move(report("received"), "take", "agent", 5).values
    again = states.move({**report("received"), **once}, "reply", "agent", 9, text="bonjour")
    assert (
        once["first_answered"] == 5 and "first_answered" not in again.values and "state" not in again.values
    )


@given(st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=10, max_size=10))
def test_keys_survive_how_people_write_them(key: str) -> None:
    assert plain(written(key)) == plain(key.lower().replace("0", "o").replace("1", "l")) == key


@given(st.binary(min_size=32, max_size=32), st.text(max_size=20), st.text(max_size=20))
def test_a_key_opens_its_own_thing_only(secret: bytes, one: str, other: str) -> None:
    assert opens(secret, one, key_of(secret, one), digest(secret, one))
    assert not opens(secret, one, key_of(secret, one), None)
    assert opens(secret, one, key_of(secret, other), digest(secret, one)) == (one == other)


@given(st.floats(-5, 9), st.floats(41.5, 51))
def test_coarse_places_are_close_and_the_same_for_a_whole_square(lon: float, lat: float) -> None:
    shown = coarse((lon, lat))
    assert distance_m((lon, lat), shown) <= 71.5  # half the diagonal of a square of a hundred metres
    assert coarse(shown) == shown
    west, south, east, north = around((lon, lat), 250)
    assert west < shown[0] < east and south < shown[1] < north


# --- Both databases.


@pytest.fixture
def anywhere(store: Store) -> Iterator[Town]:
    registry = load_registry((), PLATFORM_COLLECTIONS)
    clock = Clock()
    store.clock = store.records.clock = clock
    store.records.declare(registry.collections.values())
    town = Town(store.settings, store, registry, clock)
    territories.add(store, SYSTEM, "18033", "Essai-les-Bains")
    yield town


def test_the_whole_life_on_both_databases(anywhere: Town) -> None:
    town, clock = anywhere, anywhere.clock
    ids = fill(town)
    notices.read_bus(town)
    photo = cut(photograph("jpeg"))
    made = submit(
        town,
        Submission(
            category=ids["depot"],
            description="Xylophone ici",
            place="rue des Tilleuls",
            mail="a@exemple.fr",
            photos=(photo,),
        ),
    )
    row = following.own(town, made.number, made.key)
    assert following.public(town, made.number.lower()).id == row.id
    assert following.me_too(town, row, "visitor") and not following.me_too(
        town, following.public(town, made.number), "visitor"
    )
    draft = drafts.begin(town, [photo], [row.id], "visitor2")
    clock.wait(4000)
    assert drafts.forget_due(town) == 1
    with town.store.records.writer(SYSTEM) as writer:
        assert drafts.take(writer, draft) == ()
    kept = drafts.begin(town, [cut(photograph("png"))], [], "visitor3")
    with town.store.records.writer(SYSTEM) as writer:
        held = drafts.take(writer, kept)
    following.comment(town, row, "Wapiti", (), actor="reporter", reporter="x", post=None, held=held)
    assert prepare_waiting(town) == 2
    assert following.public(town, made.number).values["photos"] == 2
    while notices.read_bus(town):
        pass
    assert notices.work_off(town) > 0
    kinds = [u.values["kind"] for u in town.store.records.all("report_update", Query(sort="_id"))]
    assert kinds == ["me_too", "saw_and_left", "comment"]
    erasure.erase(town, following.own(town, made.number, made.key), SYSTEM)
    assert erasure.settle(town)
    with pytest.raises(NotFound):
        following.own(town, made.number, made.key)
    held_text = town.store.records.find("service_request", Query(text="xylophone", deleted=None)).rows
    assert held_text == [] and town.store.files.names() == []
    with town.store.read() as c:
        history = str(c.exec_driver_sql("SELECT before, after FROM history").all())
    assert "Xylophone" not in history and "Wapiti" not in history


_KILLED = """
import os, signal, sys
from pathlib import Path
from beffroi.town import open_town
from beffroi.services.reports.submission import Submission, submit
from beffroi.services.reports.photos.cut import cut
town = open_town(Path(sys.argv[1]))
photo = Path(sys.argv[2]).read_bytes()
for n in range(100):
    made = submit(town, Submission(description=f"Problème {n}", place="rue des Tilleuls", mail="a@exemple.fr", photos=(cut(photo),)))
    print(made.number, made.key, flush=True)
    if n == 12:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_acknowledged_survives_a_kill(
    town: Town, categories: dict[str, int], tmp_path: Path
) -> None:
    picture = tmp_path / "p.jpg"
    picture.write_bytes(photograph("jpeg"))
    run = subprocess.run(
        [sys.executable, "-c", _KILLED, str(town.settings.data), str(picture)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    told = [line.split() for line in run.stdout.splitlines()]
    assert len(told) == 13, run.stderr
    again = open_town(town.settings.data)
    for n, (number, key) in enumerate(told):
        row = following.own(again, number, key)
        assert (row.values["description"], row.values["mail"]) == (f"Problème {n}", "a@exemple.fr")
        assert again.store.records.count("report_photo", Query(where={"request": row.id})) == 1
    assert again.store.verify() == []
    assert prepare_waiting(again) == 13
    again.close()
