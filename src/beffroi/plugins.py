"""Hooks: how a service, ours or a third party's, joins the platform.

A service is a package whose rooms are modules. Its `__init__.py` is:

    from beffroi.plugins import Service, hookimpl, service_of

    @hookimpl
    def beffroi_service() -> Service:
        return service_of(__name__, name="equipment", title=Text("Patrimoine", "Assets"))

and its distribution (ours too) names it in the entry-point group `beffroi.services`.
"""

import importlib
import importlib.util
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pluggy

from beffroi.model.collection import Collection
from beffroi.model.declaration import Card, DatastreamKind, Entrance, Indicator, KindOfImport, RuleTemplate
from beffroi.model.text import Text

__all__ = [
    "API_VERSION",
    "GROUP",
    "ROOMS",
    "Registry",
    "Service",
    "command_rooms",
    "hookimpl",
    "hookspec",
    "load_registry",
    "service_of",
]

API_VERSION = "1.0"
GROUP = "beffroi.services"
hookspec = pluggy.HookspecMarker("beffroi")
hookimpl = pluggy.HookimplMarker("beffroi")


class Service(msgspec.Struct, frozen=True, eq=False):
    """All that one service brings. `routes` are Starlette routes, mounted at the site's root;
    `package` is the directory of its templates/ and locale/."""

    name: str
    title: Text
    description: Text = Text("", "")
    collections: tuple[Collection, ...] = ()
    datastreams: tuple[DatastreamKind, ...] = ()
    rules: tuple[RuleTemplate, ...] = ()
    indicators: tuple[Indicator, ...] = ()
    cards: tuple[Card, ...] = ()
    routes: tuple[Any, ...] = ()
    entrances: tuple[Entrance, ...] = ()
    connectors: tuple[Any, ...] = ()
    imports: tuple[KindOfImport, ...] = ()
    evaluation: Any = None
    # callable(town, scene): writes the service's part of the demonstration town, and may return what happens
    # later as (instant_us, callable) pairs
    demo: Any = None
    # callables(town, stop): work that one process of the installation does until the event `stop` is set
    duties: tuple[Any, ...] = ()
    # callable(app): adds the service's own commands to the command line (a `typer.Typer`)
    commands: Any = None
    manifest: dict[str, Any] = {}
    package: Path | None = None


class HookSpecs:
    """The hooks (see docs/reference/hooks.md)."""

    @hookspec
    def beffroi_service(self) -> Service:
        """Return the service that this plugin is."""
        raise AssertionError


ROOMS = {
    "collections": ("collections", "COLLECTIONS"),
    "datastreams": ("datastreams", "DATASTREAMS"),
    "rules": ("rules", "RULES"),
    "indicators": ("indicators", "INDICATORS"),
    "cards": ("cards", "CARDS"),
    "routes": ("pages", "ROUTES"),
    "entrances": ("pages", "ENTRANCES"),
    "connectors": ("connectors", "CONNECTORS"),
    "imports": ("connectors", "IMPORTS"),
    "evaluation": ("evaluation", "EVALUATION"),
    "demo": ("demo", "build"),
    "duties": ("duties", "DUTIES"),
    "commands": ("commands", "register"),
}


# rooms that a served town never enters: their modules are loaded when they are called
_LATE = {"demo"}


def service_of(package: str, *, name: str, title: Text, description: Text = Text("", "")) -> Service:
    """Return the service found in `package`: each room that exists as a module gives its table.

    Rooms: collections.COLLECTIONS, datastreams.DATASTREAMS, rules.RULES, indicators.INDICATORS, cards.CARDS,
    pages.ROUTES and .ENTRANCES, connectors.CONNECTORS and .IMPORTS, evaluation.EVALUATION, demo.build, duties.DUTIES,
    commands.register, manifest.toml.
    A small service may keep the tables under the same names in the package itself.
    """
    found: dict[str, Any] = {}
    for part, (module_name, attribute) in ROOMS.items():
        late = part in _LATE and _has(package, module_name)
        value = (
            _later(f"{package}.{module_name}", attribute)
            if late
            else getattr(_room(package, module_name), attribute, None)
        )
        if value is not None:
            found[part] = tuple(value) if isinstance(value, Iterable) else value
    found["collections"] = tuple(
        msgspec.structs.replace(c, service=name) for c in found.get("collections", ())
    )
    spec = importlib.util.find_spec(package)
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    manifest_file = folder / "manifest.toml" if folder else None
    manifest = (
        tomllib.loads(manifest_file.read_text("utf-8")) if manifest_file and manifest_file.exists() else {}
    )
    return Service(
        name=name, title=title, description=description, manifest=manifest, package=folder, **found
    )


def _ours() -> list[str]:
    """Return the names of the services that came with the house, in either of its wheels."""
    return sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent / "services")]) if m.ispkg)


def command_rooms() -> list[str]:
    """Return the full names of the rooms `commands` of the installed services, found without importing the services:
    a command must start fast, whatever the services weigh."""
    packages = sorted(
        {p.module for p in entry_points(group=GROUP)} | {f"beffroi.services.{n}" for n in _ours()}
    )
    rooms = []
    for package in packages:
        found = importlib.util.find_spec(package)
        if found is not None and any(
            (Path(folder) / "commands.py").exists() for folder in found.submodule_search_locations or ()
        ):
            rooms.append(f"{package}.commands")
    return rooms


def _room(package: str, name: str) -> ModuleType:
    """Return the module of one room, or the package itself when it has no such module."""
    if _has(package, name):
        return importlib.import_module(f"{package}.{name}")
    return importlib.import_module(package)


def _has(package: str, name: str) -> bool:
    home = importlib.import_module(package)
    return hasattr(home, "__path__") and importlib.util.find_spec(f"{package}.{name}") is not None


def _later(module: str, name: str) -> Callable[..., Any]:
    def called(*arguments: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*arguments)

    return called


class Registry:
    """All services of this installation, and their declarations by name."""

    def __init__(self, services: Iterable[Service], platform: Iterable[Collection] = ()) -> None:
        self.services = {service.name: service for service in services}
        self.collections: dict[str, Collection] = {c.name: c for c in platform}
        for service in self.services.values():
            for collection in service.collections:
                if collection.name in self.collections:
                    raise TypeError(f"two services declare the collection {collection.name}")
                self.collections[collection.name] = collection

    def become(self, other: "Registry") -> None:
        """Take the services of another registry: whoever holds this one has them from now on."""
        self.collections, self.services = other.collections, other.services

    def titles(self) -> dict[str, Text]:
        """Return what kinds of datastream (`co2`) and services (`service:NAME`) are called."""
        services = self.services.values()
        kinds = {kind.code: kind.title for service in services for kind in service.datastreams}
        return {f"service:{service.name}": service.title for service in services} | kinds

    def datastream_kind(self, code: str) -> DatastreamKind | None:
        """Return the declared kind of datastream whose code or alias is `code`."""
        wanted = code.lower()
        for service in self.services.values():
            for kind in service.datastreams:
                if wanted == kind.code.lower() or wanted in (a.lower() for a in kind.aliases):
                    return kind
        return None

    def recognise(self, name: str, definition: str, symbol: str, unit: str) -> tuple[str, str] | None:
        """Return the code and service of the declared kind that an observed property and a unit are, if any."""
        last = re.split(r"[/#:]", definition)[-1]
        found = self.datastream_kind(name) or (self.datastream_kind(last) if last else None)
        units = () if found is None else (found.unit_ucum, f"ucum:{found.unit_ucum}")
        if found is None or not (found.unit_symbol == symbol or unit in units):
            return None
        return found.code, self.service_of(found)

    def service_of(self, kind: DatastreamKind) -> str:
        """Return the name of the service that declares `kind`, "" when none does."""
        return next((name for name, s in self.services.items() if any(k is kind for k in s.datastreams)), "")

    def file_kinds(self) -> tuple[KindOfImport, ...]:
        """Return the kinds of files that the services read."""
        return tuple(kind for service in self.services.values() for kind in service.imports)

    def indicator(self, name: str) -> Indicator | None:
        """Return the indicator called `name`."""
        return next((i for s in self.services.values() for i in s.indicators if i.name == name), None)


def load_registry(extra: Iterable[Any] = (), platform: Iterable[Collection] = ()) -> Registry:
    """Return the registry of every installed service; `extra` plugins (modules) are registered too, for tests."""
    manager = pluggy.PluginManager("beffroi")
    manager.add_hookspecs(HookSpecs)
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        manager.register(point.load(), name=point.name)
    for name in _ours():
        # a source checkout without an installed distribution has no entry points
        package = f"beffroi.services.{name}"
        if not manager.has_plugin(name) and importlib.util.find_spec(package) is not None:
            manager.register(importlib.import_module(package), name=name)
    for plugin in extra:
        if not manager.is_registered(plugin):
            manager.register(plugin)
    services = sorted(manager.hook.beffroi_service(), key=lambda s: s.name)
    return Registry(services, platform)
