"""A store whose clock the test moves, on each kind of database."""

from collections.abc import Iterator

import pytest

from beffroi.identity import people
from beffroi.identity.people import Person
from beffroi.model.instant import parse_instant
from beffroi.model.principal import SYSTEM
from beffroi.settings import Settings
from beffroi.store.open import Store


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now_us = parse_instant("2026-11-22T08:00:00Z")

    def __call__(self) -> int:
        return self.now_us

    def on(self, us: int) -> None:
        """Let time pass."""
        self.now_us += us


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def store(settings: Settings, clock: Hand) -> Iterator[Store]:
    opened = Store.open(settings, clock)
    yield opened
    opened.close()


@pytest.fixture
def admin(store: Store) -> Person:
    """The town's administrator."""
    return people.add(store, SYSTEM, email="Maire@Essai.fr", name="Ada Maire", role="admin")
