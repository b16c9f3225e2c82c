"""Moving: the ground of a commune taken from every source that can be had; taken again, what changed is told."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import msgspec
import shapely
from shapely.geometry import shape
from sqlalchemy import select

from beffroi.intake.moving_in.fetching import fetch
from beffroi.intake.moving_in.ground import GROUND
from beffroi.intake.moving_in.sources import SOURCES, Commune, Found, Source, communes_in, department_of
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.standards.pmtiles import Ground, build_base_map
from beffroi.store import record_import
from beffroi.store.open import Store
from beffroi.store.record import Reject

__all__ = ["Change", "Taken", "commune_of", "move_in"]

Progress = Callable[[str, int, int], None]


class Change(msgspec.Struct):
    """What a source did to a collection; `gone`: records of the same source that it no longer has (they stay)."""

    collection: str
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    gone: int = 0
    rejects: list[Reject] = []


class Taken(msgspec.Struct):
    """What became of a source: `taken`, `absent` (nobody gave it) or `failed`, why, and what it changed."""

    source: str
    title: Text
    state: Literal["taken", "absent", "failed"]
    reason: Text = Text("", "")
    changes: list[Change] = []


def _quiet(_name: str, _done: int, _whole: int) -> None:
    """Say nothing."""


class _Files:
    """Where the files of sources are: in a folder that was given, or downloaded into the town's own."""

    def __init__(self, given: Path | None, kept: Path, mirror: str, progress: Progress) -> None:
        self.given, self.kept, self.mirror, self.progress = given, kept, mirror, progress

    def of(self, name: str, source: Source, insee: str, box: str) -> list[Path]:
        """Return the files of a source. Raises `Problem` when it is asked for and cannot be had."""
        if self.given is not None:
            return sorted({p for pattern in source.files for p in self.given.rglob(pattern) if p.is_file()})
        if not source.address or (not box and "{box}" in source.address):
            return []
        places = {"insee": insee, "department": department_of(insee), "box": box}
        target = self.kept / source.file.format(**places)
        return [
            fetch(
                source.address.format(**places),
                target,
                self.mirror,
                lambda done, whole: self.progress(name, done, whole),
            )
        ]


def commune_of(
    insee: str, given: Path | None, kept: Path, mirror: str = "", progress: Progress = _quiet
) -> Commune:
    """Return the commune of an INSEE code. Raises `NotFound` when the limits at hand have none of that code."""
    files = _Files(given, kept, mirror, progress).of("communes", SOURCES["communes"], insee, "")
    for path in files:
        for code, name, geometry in communes_in(path):
            if code == insee:
                return Commune(insee, name, shapely.make_valid(shape(geometry)))
    looked = ", ".join(p.name for p in files) or ", ".join(SOURCES["communes"].files)
    raise NotFound(
        Text("La commune {c} n'est pas dans les limites données ({f}).", "The commune {c} is not in the limits given ({f}).").filled(
            c=insee[:9].replace("{", "("), f=looked),
        Text("Vérifiez le code INSEE (ce n'est pas le code postal), ou ajoutez le fichier des communes du département.",
             "Check the INSEE code (it is not the postcode), or add the department's file of communes."), place="--insee",
    )  # fmt: skip


def move_in(
    store: Store, here: Commune, given: Path | None, mirror: str = "", progress: Progress = _quiet, *,
    dry: bool = False, told: Callable[[Taken], None] = lambda _taken: None,
) -> list[Taken]:  # fmt: skip
    """Take everything that can be had of a commune into the store, and make its base map; return what became of each.

    A source that fails does not stop the others. Run again, it goes on and tells what changed. With `dry` the sources are
    fetched and what they would change is told, nothing more. `told` is called with each source as it is done.
    """
    data = store.settings.data
    files = _Files(given, data / "sources", mirror, progress)
    box = ",".join(f"{v:.4f}" for v in here.box)
    taken, grounds, owed = [], list[Ground](), list[str]()
    for name, source in SOURCES.items():
        try:
            paths = files.of(name, source, here.insee, box)
            if not paths:
                why = (
                    source.absent
                    if source.absent.fr
                    else Text("aucun fichier de ce nom dans le dossier", "no file of that name in the folder")
                )
                taken.append(Taken(name, source.title, "absent", why))
                told(taken[-1])
                continue
            changes: list[Change] = []
            for path in paths:
                progress(name, 0, 0)
                changes += _take(store, path, source.read(path, here), grounds, dry=dry)
            taken.append(Taken(name, source.title, "taken", changes=changes))
            owed += [source.credit] if source.credit and source.credit not in owed else []
        except Problem as problem:
            taken.append(Taken(name, source.title, "failed", problem.reason))
        told(taken[-1])
    if grounds and not dry:
        build_base_map(_once(grounds), data, ", ".join(owed))
    return taken


def _take(
    store: Store, path: Path, found: Iterable[Found], grounds: list[Ground], *, dry: bool
) -> list[Change]:
    entries: dict[str, list[Found]] = {}
    for one in found:
        if one.ground is not None:
            grounds.append(one.ground)
        if one.collection:
            entries.setdefault(one.collection, []).append(one)
    changes = []
    for name, mine in entries.items():
        collection = GROUND[name]
        if not dry:
            store.records.declare_own(collection)
        before = _codes(store, name, path.name) if name in store.records.collections else set()
        rows = iter([one.entry for one in mine])
        if dry:
            outcome = record_import.would_take(store.records, collection, rows)
        else:
            outcome = record_import.take(store.records, collection, rows, who=SYSTEM, reason=path.name)
        seen = {str(one.entry.values.get("code")) for one in mine}
        changes.append(
            Change(name, outcome.created, outcome.updated, outcome.unchanged, len(outcome.rejects), len(before - seen), outcome.rejects)
        )  # fmt: skip
    return changes


def _codes(store: Store, name: str, source: str) -> set[str]:
    t = store.records.shelf(name).table
    known = select(t.c["code"]).where(t.c["source"] == source, t.c["_deleted_us"].is_(None))
    with store.read() as connection:
        return set(connection.execute(known).scalars())


def _once(grounds: list[Ground]) -> list[Ground]:
    """Return the grounds without the buildings and waters that a second source draws again."""
    seen: set[tuple[str, float, float]] = set()
    kept = []
    for ground in grounds:
        x, y = (
            ground.geometry.representative_point().coords[0][:2]
            if not ground.geometry.is_empty
            else (0.0, 0.0)
        )
        mark = (ground.kind, round(x, 5), round(y, 5))
        if mark not in seen:
            seen.add(mark)
            kept.append(ground)
    return kept
