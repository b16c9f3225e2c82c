"""Build the demonstration town: aside first, put in place when it is whole."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from beffroi.demo.catalogue import write_stations
from beffroi.demo.clock import StoryClock
from beffroi.demo.history import Teller
from beffroi.identity import people, territories
from beffroi.model.instant import HOUR_US, format_instant
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.plugins import load_registry
from beffroi.scene import Scene
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import Town

__all__ = ["Built", "build_town"]

CHUNK_US = 6 * HOUR_US
GROUP_CODE, GROUP_NAME = "200099907", "Communauté de communes du Val de Sarelle"
Progress = Callable[[float], None]


class Built(msgspec.Struct, frozen=True):
    """What was built: its name and how many there are of each."""

    name: str
    things: int
    datastreams: int
    observations: int
    records: int
    alarms: int


def build_town(
    data: Path, scene: Scene, settle: Callable[[Path, Scene], None], progress: Progress = lambda _share: None
) -> Built:
    """Make the town of `scene` in `data`. Raises `Problem` when there is a town already.

    `settle(folder, scene)` writes its settings and whatever is of today (the first sign-in link). Equal scenes
    give equal towns. What an interrupted build left is thrown away.
    """
    if (data / "beffroi.toml").exists():
        raise Problem(
            Text("Il y a déjà une ville dans « {data} ».", "There is a town in '{data}' already.").filled(data=data),
            Text("Choisissez un autre dossier, ou servez celle-ci : beffroi serve --data {data}.",
                 "Choose another directory, or serve that one: beffroi serve --data {data}.").filled(data=data),
            place="--data",
        )  # fmt: skip
    aside = data / ".building"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    built = _write(aside, scene, progress)
    settle(aside, scene)
    for file in sorted(aside.iterdir(), key=lambda f: f.name == "beffroi.toml"):
        file.replace(data / file.name)  # the settings last: without them it is no town
    aside.rmdir()
    return built


def _write(data: Path, scene: Scene, progress: Progress) -> Built:
    clock = StoryClock(scene.start_us)
    settings = Settings(data=data, name=scene.name)
    registry = load_registry()
    town = Town(settings, Store.open(settings, clock), registry, clock)
    town.store.records.declare(registry.collections.values())
    try:
        _people(town, scene)
        for service in town.registry.services.values():
            if service.demo is not None:
                service.demo(town, scene)
        lines = write_stations(town, scene, scene.stations, {})
        stored = _replay(town, scene, clock, Teller(lines), progress)
        town.store.set_setting("demo.oracle", scene.oracle())
        town.store.set_setting(
            "demo.live", {"seed": scene.seed, "days": scene.days, "end": format_instant(scene.end_us)}
        )
    finally:
        town.close()
    return Built(scene.name, len({line.feature_id for line in lines}), len(lines), stored, 0, 0)


def _people(town: Town, scene: Scene) -> None:
    territories.add(town.store, SYSTEM, GROUP_CODE, GROUP_NAME, kind="group")
    for commune in scene.communes:
        territories.add(town.store, SYSTEM, commune.code, commune.name, parent=GROUP_CODE)
    for person in scene.people:
        people.add(
            town.store, SYSTEM, email=person.mail, name=person.name, role=person.role, territories=person.territories,
            service=person.service,
        )  # fmt: skip


def _replay(town: Town, scene: Scene, clock: StoryClock, teller: Teller, progress: Progress) -> int:
    """Store the history, part by part, in the order of time; return how many observations there are."""
    stored = 0
    for start in range(scene.start_us, scene.end_us, CHUNK_US):
        end = min(start + CHUNK_US, scene.end_us)
        told = teller.until(start, end)
        clock.move(end)
        if told:
            stored += town.store.observations.append([draft for _, draft in told]).stored
        progress((end - scene.start_us) / (scene.end_us - scene.start_us))
    return stored
