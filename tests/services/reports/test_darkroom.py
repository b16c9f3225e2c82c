"""The darkroom: what it makes, what it refuses, what ends it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services.reports.photographs import photograph

from beffroi.model.problem import Problem
from beffroi.services.reports.photos import darkroom as place
from beffroi.services.reports.photos.darkroom import Darkroom, Interrupted
from beffroi.services.reports.photos.remake import remake


@pytest.fixture
def room() -> Iterator[Darkroom]:
    opened = Darkroom()
    yield opened
    opened.close()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_makes_what_is_made_here_at_the_lowest_priority(room: Darkroom) -> None:
    photo = photograph("jpeg", 6, (1700, 900))
    assert room.remake(photo, "image/jpeg", 6) == remake(photo, "image/jpeg", 6)
    pid = room.pid
    assert pid is not None
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    with pytest.raises(Problem) as refused:
        room.remake(photo[:300], "image/jpeg")
    assert refused.value.place == "photo"
    assert room.remake(photo, "image/jpeg", 6).height == 1600
    assert room.pid == pid  # neither a refusal nor a photo ends it
    room.close()
    assert room.pid is None and not alive(pid)


def test_a_process_that_was_killed_is_started_again(room: Darkroom) -> None:
    photo = photograph("png")
    room.remake(photo, "image/png")
    killed = room.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    assert room.remake(photo, "image/png") == remake(photo, "image/png")
    assert room.pid != killed


def test_a_photo_that_takes_too_long_is_refused(room: Darkroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "MOST_S", -1.0)
    with pytest.raises(Problem, match=r"abîmée|damaged"):
        room.remake(photograph("jpeg"), "image/jpeg")
    assert room.pid is None


def test_a_town_that_stops_interrupts_the_photo_and_ends_the_process() -> None:
    stop = threading.Event()
    room = Darkroom(stop)
    room.remake(photograph("jpeg"), "image/jpeg")
    pid = room.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # it never answers
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        room.remake(photograph("jpeg"), "image/jpeg")
    assert time.monotonic() - began < 5
    assert room.pid is None and not alive(pid)
