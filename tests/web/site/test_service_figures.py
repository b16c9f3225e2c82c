"""How long the value of an indicator stands, and who waits for the next one."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.towns import town_at

from beffroi.model.declaration import Indicator
from beffroi.model.instant import HOUR_US, MINUTE_US
from beffroi.model.text import Text
from beffroi.town import open_town
from beffroi.web.site.service_figures import MONTH_US, indicator_of_place

START = 1_790_000_000_000_000


class Counter:
    """An indicator whose value is how often it was computed; `s` is how long that takes."""

    def __init__(self, s: float) -> None:
        self.s, self.times = s, 0
        self.done = threading.Event()
        text = Text("Tours", "Turns")
        self.indicator = Indicator("turns", text, "", self.compute, text)

    def compute(self, _town: Any, _territory: str | None, _start_us: int, _end_us: int) -> float:
        time.sleep(self.s)
        self.times += 1
        self.done.set()
        return float(self.times)


class Reader:
    """Reads a town's indicators as time goes on."""

    def __init__(self, folder: Path) -> None:
        self.now_us = START
        self.town = open_town(town_at(folder), clock=lambda: self.now_us)

    def __call__(self, counter: Counter, later_us: int) -> float | None:
        self.now_us += later_us
        return indicator_of_place(self.town, counter.indicator, "01001", MONTH_US)


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.town.close()


def test_a_quick_indicator_is_computed_when_a_minute_has_passed(read: Reader) -> None:
    counter = Counter(0)
    assert [read(counter, later) for later in (0, MINUTE_US - 1, 1)] == [1, 1, 2]


def test_nobody_waits_twice_for_a_long_one(read: Reader) -> None:
    counter = Counter(0.06)
    assert read(counter, 0) == 1
    counter.done.clear()
    assert read(counter, MINUTE_US) == 1  # shown as it was, while a newer one is made
    assert counter.done.wait(10)
    end = time.monotonic() + 10
    while (known := read(counter, 0)) == 1:
        assert time.monotonic() < end
        time.sleep(0.005)
    assert (known, counter.times) == (2, 2)


def test_what_is_a_quarter_of_a_day_old_is_not_shown(read: Reader) -> None:
    counter = Counter(0.06)
    assert [read(counter, later) for later in (0, 6 * HOUR_US)] == [1, 2]
