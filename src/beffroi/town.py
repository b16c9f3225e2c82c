"""Town: one installation, opened: its settings, store, services and clock. Everything above receives it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from beffroi.evaluation.case.collections import CASE_COLLECTIONS
from beffroi.evaluation.experiments.collections import EXPERIMENT_COLLECTIONS
from beffroi.extensions import shelf
from beffroi.model.instant import Clock, system_clock
from beffroi.plugins import Registry, load_registry
from beffroi.rules.collections import PLATFORM_COLLECTIONS
from beffroi.settings import Settings, load_settings
from beffroi.store.open import Store

__all__ = ["PLATFORM", "Town", "open_town"]

# the collections that every installation has, whatever its services
PLATFORM = (*PLATFORM_COLLECTIONS, *CASE_COLLECTIONS, *EXPERIMENT_COLLECTIONS)


class Town:
    """An open installation."""

    def __init__(
        self, settings: Settings, store: Store, registry: Registry, clock: Clock, extra: tuple[Any, ...] = ()
    ) -> None:
        self._extra = extra
        self.settings = settings
        self.store = store
        self.registry = registry
        self.clock = clock

    @property
    def name(self) -> str:
        """The town's name as its people see it."""
        return str(self.store.setting("town.name", self.settings.name))

    def renew(self) -> None:
        """Take the services that are in use now: those of the machine, and the extensions. Raises `Problem`."""
        fresh = load_registry((*self._extra, *shelf.loaded(self.store)), PLATFORM)
        self.store.records.declare(fresh.collections.values())
        self.registry.become(fresh)

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def open_town(data: Path, *, extra: Iterable[Any] = (), clock: Clock = system_clock) -> Town:
    """Open the installation in `data`, with the installed services and the `extra` plugins.

    Raises `Problem` when there is none, or when its settings or database are wrong.
    """
    settings = load_settings(data)
    store = Store.open(settings, clock)
    town = Town(settings, store, load_registry((*extra, *shelf.loaded(store)), PLATFORM), clock, tuple(extra))
    store.records.declare(town.registry.collections.values())
    return town
