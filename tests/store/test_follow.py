"""Work that follows commits: how often it is called, and when it ends."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.towns import town_at

from beffroi.store.follow import follow
from beffroi.town import Town, open_town

LONG_S = 600.0


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    opened = open_town(town_at(tmp_path))
    yield opened
    opened.close()


def test_while_there_is_a_whole_lot_it_is_called_again_at_once(town: Town) -> None:
    stop, left = threading.Event(), [5, 5, 5]

    def work() -> int:
        done = left.pop()
        if not left:
            stop.set()
        return done

    follow(town.store, stop, work, whole=5, idle_s=LONG_S, pause_s=LONG_S)
    assert left == []


def test_a_commit_calls_it_that_had_nothing_to_do(town: Town) -> None:
    stop, asked, calls = threading.Event(), threading.Event(), [0]

    def work() -> int:
        calls[0] += 1
        asked.set()
        if calls[0] == 2:
            stop.set()
        return 0

    running = threading.Thread(
        target=follow, args=(town.store, stop, work), kwargs={"idle_s": LONG_S, "pause_s": 0.0}
    )
    running.start()
    assert asked.wait(10)
    while running.is_alive():  # a commit between the work and the wait is heard as well
        town.store.set_setting("essai", calls[0])
        running.join(0.05)
    assert calls == [2]
