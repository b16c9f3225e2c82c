"""The demonstration's water alone, told in a real store: one town for all the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from beffroi.demo.catalogue import write_stations
from beffroi.demo.clock import StoryClock
from beffroi.demo.history import Teller
from beffroi.identity import territories
from beffroi.model.instant import parse_instant
from beffroi.model.principal import SYSTEM
from beffroi.plugins import load_registry
from beffroi.scene import Scene, make_scene
from beffroi.services.watergrid.demo import build
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import PLATFORM, Town

END = parse_instant("2026-11-22")


@pytest.fixture(scope="session")
def scene() -> Scene:
    return make_scene(1, 30, END)


@pytest.fixture(scope="session")
def watertown(tmp_path_factory: pytest.TempPathFactory, scene: Scene) -> Iterator[Town]:
    """Thirty days of meters and sensors; the leaks were found by the rounds as the days went by."""
    clock = StoryClock(scene.start_us)
    settings = Settings(data=tmp_path_factory.mktemp("water"), name=scene.name)
    registry = load_registry((), PLATFORM)
    town = Town(settings, Store.open(settings, clock), registry, clock)
    town.store.records.declare(registry.collections.values())
    territories.add(town.store, SYSTEM, scene.communes[0].code, scene.communes[0].name)
    events = sorted(build(town, scene), key=lambda e: e[0])
    assets = {
        (c, r.values["code"]): r.id
        for c in ("water_meter", "water_node", "sewer_point") for r in town.store.records.all(c)
    }  # fmt: skip
    lines = write_stations(town, scene, scene.of_service("watergrid"), assets)
    told = Teller(lines).until(scene.start_us, scene.end_us)
    at = 0
    for when, happen in [*events, (scene.end_us, lambda: None)]:
        after = next((i for i in range(at, len(told)) if told[i][0] > when), len(told))
        town.store.observations.append([d for _, d in told[at:after]])
        at = after
        clock.move(when)
        happen()
    yield town
    town.close()


@pytest.fixture(scope="session")
def shared(shared: Path) -> Path:
    """The real networks."""
    return shared / "data" / "networks"
