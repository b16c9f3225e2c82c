"""What is sent of the store's commits, heard by a listener of the test."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.mqtt.test_town import add_series
from tests.towns import town_at

from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.mqtt.commits import Commits
from beffroi.mqtt.session import Message
from beffroi.town import Town, open_town

NOON = 1_750_000_000_000_000


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    opened = open_town(town_at(tmp_path))
    yield opened
    opened.close()


class Listener:
    """Hears everything; at the first observation it calls `meanwhile`."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile: Callable[[], None] | None = meanwhile
        self.got: list[Message] = []

    def patterns(self) -> Iterator[str]:
        yield "v1.1/Observations"

    def heard(self, topic: str) -> bool:
        if topic == "v1.1/Observations" and self.meanwhile is not None:
            done, self.meanwhile = self.meanwhile, None
            done()
        return topic == "v1.1/Observations"

    def send(self, message: Message, *, retain: bool = False) -> bool:
        self.got.append(message)
        return True

    def put_off(self, topic: str, make: Callable[[], Message]) -> bool:
        return False


def test_what_a_device_awaiting_approval_measures_is_hidden_though_it_comes_amid_others(town: Town) -> None:
    shown = add_series(town.store)

    def measure(series: int, second: int) -> None:
        town.store.observations.append([Draft(series, NOON + second * 1_000_000, result=number_of("1"))])

    def announce() -> None:
        hidden = add_series(town.store, approved=0)
        measure(hidden, 1)
        measure(shown, 2)

    listener = Listener(announce)
    commits = Commits(town, listener)

    async def follow() -> None:
        running = asyncio.create_task(commits.run(lambda: len(listener.got) >= 3))
        await asyncio.sleep(0.1)
        measure(shown, 0)
        await asyncio.wait_for(running, 10)

    asyncio.run(follow())
    assert [message.public for message in listener.got] == [True, False, True]
