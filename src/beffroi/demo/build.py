"""Build the demonstration town: aside first, put in place when it is whole."""

import shutil
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from sqlalchemy import delete

from beffroi.demo.catalogue import write_stations
from beffroi.demo.clock import StoryClock
from beffroi.demo.duty import Duty, switch_on
from beffroi.demo.experiments import story_tools, write_experiments
from beffroi.demo.ground import ground
from beffroi.demo.history import Teller
from beffroi.demo.lamps import write_lamps
from beffroi.demo.night_cut import night_cut
from beffroi.demo.proof import write_cases, write_proof
from beffroi.identity import people, territories
from beffroi.model.instant import HOUR_US, format_instant
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.plugins import load_registry
from beffroi.rules.engine import Engine
from beffroi.scene import Scene
from beffroi.settings import Settings, load_settings
from beffroi.standards.pmtiles import Ground, build_base_map
from beffroi.store import ledger
from beffroi.store.open import Store
from beffroi.store.tables import audit, audit_head
from beffroi.town import PLATFORM, Town

__all__ = ["Built", "build_town"]

CHUNK_US = 2 * HOUR_US
GROUP_CODE, GROUP_NAME = "200099907", "Communauté de communes du Val de Sarelle"
Progress = Callable[[float], None]
Event = tuple[int, Callable[[], None]]


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
    _begin_journal(aside)
    for file in sorted(aside.iterdir(), key=lambda f: f.name == "beffroi.toml"):
        file.replace(data / file.name)  # the settings last: without them it is no town
    aside.rmdir()
    return built


def _begin_journal(data: Path) -> None:
    """Empty the audit: making an invented town is nobody's act, and its journal begins with its first visitor."""
    store = Store.open(load_settings(data))
    try:
        with store.write() as connection:
            connection.execute(delete(audit_head))
            connection.execute(delete(audit))
    finally:
        store.close()
    (data / "audit.heads").unlink(missing_ok=True)


def _write(data: Path, scene: Scene, progress: Progress) -> Built:
    clock = StoryClock(scene.start_us)
    settings = Settings(data=data, name=scene.name)
    registry = load_registry((), PLATFORM)
    town = Town(settings, Store.open(settings, clock), registry, clock)
    try:
        town.store.records.declare(registry.collections.values())
        agents = _people(town, scene)
        events: list[Event] = []
        for service in registry.services.values():
            if service.demo is not None:
                events += service.demo(town, scene) or ()
        lines = write_stations(town, scene, scene.stations, _Assets(town, scene))
        write_lamps(town, scene)
        write_cases(town)
        switch_on(town)
        write_experiments(town, scene, clock)
        events += night_cut(town, scene, story_tools(town))
        stored = _replay(town, scene, clock, Teller(lines), events, Duty(town, scene, agents), progress)
        write_proof(town, scene)
        ledger.follow(town.store)
        _settings(town, scene)
        records = {name: town.store.records.count(name) for name in registry.collections}
    finally:
        town.close()
    build_base_map([Ground(*part) for part in ground(scene)], data, credit="Ville inventée par Beffroi")
    return Built(
        scene.name, len({line.feature_id for line in lines}), len(lines), stored,
        sum(n for name, n in records.items() if name not in ("rule", "alarm")), records["alarm"],
    )  # fmt: skip


class _Assets(dict[tuple[str, str], int]):
    """The id of a record by collection and code, found when asked for."""

    def __init__(self, town: Town, scene: Scene) -> None:
        super().__init__()
        self.records = town.store.records
        self.communes = [c.code for c in scene.communes]

    def __missing__(self, key: tuple[str, str]) -> int | None:
        if key[0] not in self.records.collections:
            return None
        found = (self.records.by_key(key[0], key[1], commune) for commune in self.communes)
        return next((row.id for row in found if row is not None), None)

    def get(self, key: tuple[str, str], default: int | None = None) -> int | None:  # type: ignore[override]
        """Return the id, or `default`."""
        found = self[key]
        return default if found is None else found


def _settings(town: Town, scene: Scene) -> None:
    town.store.set_setting("demo.oracle", scene.oracle())
    town.store.set_setting(
        "demo.live", {"seed": scene.seed, "days": scene.days, "end": format_instant(scene.end_us)}
    )


def _people(town: Town, scene: Scene) -> list[Principal]:
    """Write territories and accounts; return the agents."""
    territories.add(town.store, SYSTEM, GROUP_CODE, GROUP_NAME, kind="group")
    for commune in scene.communes:
        territories.add(town.store, SYSTEM, commune.code, commune.name, parent=GROUP_CODE)
    written = [
        people.add(
            town.store, SYSTEM, email=person.mail, name=person.name, role=person.role, territories=person.territories,
            service=person.service,
        )
        for person in scene.people
    ]  # fmt: skip
    return [person.principal for person in written if person.role == "agent"]


def _replay(
    town: Town, scene: Scene, clock: StoryClock, teller: Teller, events: list[Event], duty: Duty, progress: Progress
) -> int:  # fmt: skip
    """Let the history happen, in the order of time, watched by the rules; return how many observations there are."""
    waiting = sorted((at, number) for number, (at, _) in enumerate(events) if at < scene.end_us)
    engine = Engine(town.store, titles=town.registry.titles)
    starts = range(scene.start_us, scene.end_us, CHUNK_US)
    ends = [min(start + CHUNK_US, scene.end_us) for start in starts]
    stored = 0
    # the next part is imagined while the disk is busy with this one
    with ThreadPoolExecutor(1) as ahead:
        parts = deque(
            ahead.submit(teller.until, start, end) for start, end in zip(starts[:1], ends[:1], strict=True)
        )
        for number, end in enumerate(ends):
            if number + 1 < len(ends):
                parts.append(ahead.submit(teller.until, end, ends[number + 1]))
            _happen(events, waiting, clock, end)
            clock.move(end)
            told = parts.popleft().result()
            if told:
                stored += town.store.observations.append([draft for _, draft in told]).stored
            while engine.step():
                continue
            duty.see_to(end)
            progress((end - scene.start_us) / (scene.end_us - scene.start_us))
    engine.checkpoint()
    return stored


def _happen(events: list[Event], waiting: list[tuple[int, int]], clock: StoryClock, end_us: int) -> None:
    """Let the events before an instant happen, each at its own time."""
    while waiting and waiting[0][0] < end_us:
        at, number = waiting.pop(0)
        clock.move(at)
        events[number][1]()
