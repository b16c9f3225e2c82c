"""A town with rules at work: a real store, a clock that the test owns, and things to watch."""

from collections.abc import Callable, Iterator

import pytest

from beffroi.model.instant import SECOND_US, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.principal import Principal
from beffroi.model.result import number_of
from beffroi.model.text import Text
from beffroi.rules import rulebook
from beffroi.rules.collections import PLATFORM_COLLECTIONS
from beffroi.rules.engine import Engine
from beffroi.settings import Settings
from beffroi.store.catalogue import New, create
from beffroi.store.open import Store
from beffroi.store.record import Query

START = parse_instant("2026-11-22T10:00:00Z")
CHIEF = Principal("user:1", "Anne Le Goff", "responsable")


class Clock:
    """Time as the test wants it."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += round(seconds * SECOND_US)


class Place:
    """A store with things, rules and an engine; `restart` is what a crash and a new start do."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.titles: dict[str, Text] = {}
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            self._engine = Engine(self.store, self.clock, lambda: self.titles)
        return self._engine

    def restart(self) -> None:
        self._engine = None

    def series(
        self, name: str = "Hauteur d'eau", thing: str = "Ardèche à Meyras", unit: str = "cm", **values
    ) -> int:
        """Make a thing with one datastream and return the datastream's id."""
        about = {"description": ""}
        with self.store.write() as c:
            series = New(
                "datastream",
                {"name": name, **about, "observation_type": "number", "unit_symbol": unit, **values},
                belongs={
                    "sensor_id": New(
                        "sensor", {"name": "s", **about, "encoding_type": "text", "metadata": '""'}
                    ),
                    "observed_property_id": New(
                        "observed_property", {"name": "p", "definition": "", **about}
                    ),
                },
            )
            made = create(self.store, c, New("thing", {"name": thing, **about}, has=[("thing_id", series)]))
            from sqlalchemy import select

            from beffroi.store.tables import datastream

            return c.execute(select(datastream.c.id).where(datastream.c.thing_id == made.id)).scalar_one()

    def rule(
        self, when: str, series: int | str, name: str = "Règle", more: str = "", enabled: bool = True
    ) -> int:
        watch = f"{{datastream: {series}}}" if isinstance(series, int) else series
        text = f"name: {name}\nwatch: {watch}\nwhen: {when}\n{more}"
        return rulebook.add(self.store, text, CHIEF, enabled=enabled).id

    def send(self, series: int, *values: tuple[float, str | float]) -> list[int]:
        """Store values at seconds after START."""
        drafts = [Draft(series, START + round(at * SECOND_US), number_of(str(v))) for at, v in values]
        return [i for i in self.store.observations.append(drafts).ids if i is not None]

    def now(self, series: int, value: str | float) -> None:
        """Store a value at the clock's time, and let the engine see it."""
        self.store.observations.append([Draft(series, self.clock.now, number_of(str(value)))])
        self.work()

    def work(self) -> None:
        while self.engine.step():
            pass

    def alarms(self, **where) -> list:
        return self.store.records.find("alarm", Query(where=where, sort="raised_at", limit=1000)).rows


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(settings: Settings, clock: Clock) -> Iterator[Place]:
    opened = Store.open(settings, clock)
    opened.records.declare(PLATFORM_COLLECTIONS)
    yield Place(opened, clock)
    opened.close()


@pytest.fixture
def small(tmp_path, clock) -> Iterator[Place]:
    """The same, on SQLite only."""
    opened = Store.open(Settings(data=tmp_path, name="Essai-les-Bains"), clock)
    opened.records.declare(PLATFORM_COLLECTIONS)
    yield Place(opened, clock)
    opened.close()


Sender = Callable[[int, float], None]
