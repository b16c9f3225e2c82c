"""Order: what an administrator asked of the public sources, how far it is, and what each gave; one at a time.

Kept in `sources/order.json` of the data directory, beside the downloads: the page writes what is asked, the keeper does it.
"""

import os
import threading
import time
from pathlib import Path
from typing import Any, Literal

import msgspec

from beffroi.intake.moving_in.fetching import fetch
from beffroi.intake.moving_in.moving import Change, Taken, commune_of, move_in
from beffroi.intake.moving_in.sources import SOURCES, communes_in
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.layer_file import folded
from beffroi.store.open import Store

__all__ = ["Order", "Step", "asked", "do", "files_given", "given_to", "order_of", "search", "work_through"]

Stage = Literal["comparing", "compared", "taking", "done", "failed"]
WAITING: tuple[Stage, ...] = ("comparing", "taking")
_SAID_EVERY_S = 0.5
_PAUSE_S = 1.0
_MOST_FOUND = 20
_SEARCH = (
    "https://geo.api.gouv.fr/communes?nom={name}&fields=nom,code,codeDepartement&boost=population&limit=20"
)


class Step(msgspec.Struct):
    """One source of an order: how many bytes came of how many, what became of it, what it changes."""

    done: int = 0
    whole: int = 0
    state: Literal["waiting", "running", "taken", "absent", "failed"] = "waiting"
    reason: Text = Text("", "")
    changes: list[Change] = []


class Order(msgspec.Struct):
    """What was asked: the commune, files or network, whether to compare first; and how far it is."""

    insee: str
    who: str
    at_us: int
    stage: Stage
    files: bool = False  # from the files in `sources/`, without network
    name: str = ""
    steps: dict[str, Step] = {}
    reason: Text = Text("", "")
    mend: Text = Text("", "")

    @property
    def waiting(self) -> bool:
        """True while the keeper has something to do."""
        return self.stage in WAITING


def _path(store: Store) -> Path:
    return store.settings.data / "sources" / "order.json"


def order_of(store: Store) -> Order | None:
    """Return the last order, None when there was none."""
    try:
        return msgspec.json.decode(_path(store).read_bytes(), type=Order)
    except FileNotFoundError:
        return None


def asked(store: Store, order: Order) -> None:
    """Keep an order, whole or not at all."""
    path = _path(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".order-{os.getpid()}-{threading.get_ident()}")
    fresh.write_bytes(msgspec.json.encode(order))
    fresh.replace(path)


def given_to(store: Store) -> Path:
    """Return where an administrator puts files of sources, for a server without network."""
    return store.settings.data / "sources" / "files"


def files_given(store: Store) -> dict[str, list[Path]]:
    """Return the files of each source that were given."""
    folder = given_to(store)
    return {
        name: sorted({p for pattern in source.files for p in folder.rglob(pattern) if p.is_file()})
        for name, source in SOURCES.items()
    }


def search(store: Store, words: str, *, files: bool) -> list[tuple[str, str]]:
    """Return code and name of the communes that have these words in their name, or this code. Raises `Problem`."""
    words = words.strip()
    if not words:
        return []
    if files:
        wanted = folded(words)
        found = [
            (code, name) for path in files_given(store)["communes"] for code, name, _ in communes_in(path)
            if code == words.upper() or wanted in folded(name)
        ]  # fmt: skip
        return sorted(set(found), key=lambda pair: (len(pair[1]), pair[1]))[:_MOST_FOUND]
    if words.isascii() and len(words) == 5 and words[1:].isalnum() and any(c.isdigit() for c in words):
        return [(words.upper(), words.upper())]
    target = store.settings.data / "sources" / "recherche.json"
    target.unlink(missing_ok=True)
    path = fetch(_SEARCH.format(name=words), target, store.settings.sources)
    try:
        told: list[dict[str, Any]] = msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]])
        return [(str(one["code"]), str(one["nom"])) for one in told]
    except (msgspec.DecodeError, KeyError) as error:
        raise Problem(Text("La réponse n'est pas comprise.", "The answer is not understood."),
                      Text("Écrivez plutôt le code INSEE.", "Write the INSEE code instead."), place="words") from error  # fmt: skip


def work_through(store: Store, stop: threading.Event) -> None:
    """Do what is asked, as it is asked; ends when `stop` is set."""
    seen = -1
    while not stop.is_set():
        changed = _changed_ns(store)
        if changed != seen:
            order = order_of(store)
            if order is not None and order.waiting:
                do(store, order)
            seen = _changed_ns(store)
        stop.wait(_PAUSE_S)


def _changed_ns(store: Store) -> int:
    try:
        return _path(store).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def do(store: Store, order: Order) -> None:
    """Do an order: tell what the sources would change, or take them. What goes wrong is kept with it."""
    order.steps = {name: Step() for name in SOURCES}
    last_s = time.monotonic()

    def progress(name: str, done: int, whole: int) -> None:
        nonlocal last_s
        step = order.steps[name]
        step.done, step.whole, step.state = done, whole, "running"
        if time.monotonic() - last_s >= _SAID_EVERY_S:
            last_s = time.monotonic()
            asked(store, order)

    def told(taken: Taken) -> None:
        step = order.steps[taken.source]
        step.state, step.reason, step.changes = taken.state, taken.reason, _short(taken.changes)
        asked(store, order)

    asked(store, order)
    given = given_to(store) if order.files else None
    dry = order.stage == "comparing"
    try:
        here = commune_of(
            order.insee, given, store.settings.data / "sources", store.settings.sources, progress
        )
        order.name = here.name
        move_in(store, here, given, store.settings.sources, progress, dry=dry, told=told)
        order.stage = "compared" if dry else "done"
    except Problem as problem:
        order.stage, order.reason, order.mend = "failed", problem.reason, problem.mend
    asked(store, order)


def _short(changes: list[Change]) -> list[Change]:
    return [msgspec.structs.replace(one, rejects=one.rejects[:20]) for one in changes]
