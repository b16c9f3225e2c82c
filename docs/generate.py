"""Write `docs/reference/` from the code; `--check` says instead what differs and what has no words.

Every command, option, setting, hook, collection, datastream, indicator, kind of import and address is listed
with what its own declaration says; one that says nothing is a fault.
"""

import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ["BEFFROI_LANG"] = "en"  # read when the commands are declared, so before they are imported

import msgspec
import typer
from starlette.routing import BaseRoute, Mount, Route

from beffroi.app import routes_of
from beffroi.cli import application
from beffroi.intake.kinds import KINDS
from beffroi.model.collection import Collection, Field
from beffroi.plugins import API_VERSION, HookSpecs, Registry, Service, load_registry
from beffroi.rules import condition, reading
from beffroi.settings import Settings
from beffroi.standards import feature_documents, mapped_table
from beffroi.standards.sensorthings import service_root
from beffroi.standards.sensorthings.entities import ENTITIES
from beffroi.standards.sensorthings.functions import FUNCTIONS
from beffroi.standards.sensorthings.openapi import OPTIONS
from beffroi.town import PLATFORM, open_town

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
HEAD = "# {title}\n\n<!-- Written by `make docs` from the code: change the code. -->\n\n"

SETTINGS = {
    "name": "Name of the town when the store has none (it is changed on screen).",
    "language": "Language of readers who chose none: `fr` or `en`.",
    "time_zone": "Civil time of the town, an IANA name; files without offsets are read in it.",
    "base_url": "Public address behind a proxy, such as `https://ville.example`; used in links that are sent.",
    "trusted_proxies": "Addresses or networks of the proxies in front whose `X-Forwarded-For` and `-Proto` are believed; nobody else is.",
    "sources": "Another server that holds the public sources of a commune under `/HOST/PATH`, asked instead of theirs; empty: none.",
    "store.records": "`postgresql://user:password@host/database`; empty: SQLite files in the data directory.",
    "store.segments": "Directory of the sealed history; empty: `segments/` in the data directory.",
    "store.seal_after_days": "Observations older than that many days are sealed into Parquet.",
    "store.query_seconds": "A query of a program that takes longer is stopped and refused with a 422; 0: no limit.",
    "store.query_memory_mb": "Memory that queries of the sealed history may take together; beyond, they use the disk or are refused.",
    "store.versions_days": "How many days what was changed or deleted can still be read as it was; 0 is for ever.",
    "mqtt.url": "`mqtt://user:password@host:1883` or `mqtts://…` of an external broker; empty: the embedded one.",
    "store.provenance_days": "For how many days it is kept where each observation came from.",
    "mqtt.tls_port": "Port on which the embedded broker also listens encrypted; 0: none.",
    "mqtt.certificate": "PEM file of the certificate (and its chain) for that port.",
    "mqtt.certificate_key": "PEM file of its private key; empty: it is in the same file.",
    "lorawan": "LoRaWAN networks that commands go through: one table per network, with `name`, `kind` (`ttn` or `chirpstack`), `url`, `key`, `application`.",
    "mqtt.topics": "Topics to subscribe to on an external broker, besides those of SensorThings.",
    "mail.url": "`smtp://user:password@host:25` or `smtps://…`; empty: no mail is sent.",
    "open311.charset": "`false`: the XML of GeoReport is typed `text/xml` bare, as some validators want, instead of with its charset.",
    "open311.contact": "Whom to ask about the GeoReport server (service discovery); empty: the town's name.",
    "open311.key_service": "How to get a key for the GeoReport server (service discovery).",
    "open311.media_hosts": "Hosts that a photo named by `media_url` may be fetched from; none: a photo is sent, not fetched.",
    "push.private": "`true`: browsers may name a push service on a private network or without TLS: for tests, and for towns that run their own.",
    "mail.sender": "Address that mails are from.",
    "mail.inbox": "Letters to reports: `imaps://user:password@host/INBOX` is polled, `smtp://127.0.0.1:2525` listens; empty: none.",
    "oidc": "OpenID Connect providers that people sign in with: one table each, with `name`, `issuer`, `client_id`, `title`, `secret_file`, `scopes`, `acr_values`, `acr_claims`, `pkce`, `client_auth`, `algorithms`, `roles`, `create`, `trust_email`, `logout` ([how to](../how-to/sign-in-with-a-provider.md)).",
    "connectors": "Sources to poll: one table per source, `kind` and the options of that connector.",
}


class Undocumented(Exception):  # noqa: N818
    """Something has no words of its own."""


def said(words: str | None, what: str) -> str:
    """Return the words about `what` on one line. Raises `Undocumented` when there are none."""
    if not words or not words.strip():
        raise Undocumented(f"{what} says nothing about itself")
    return " ".join(words.split())


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    heads = list(heads)
    cells = ([str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join(lines) + "\n"


def code(value: object) -> str:
    """Return `value` as code, or nothing when it is empty."""
    return "" if value in ("", None, (), False) else f"`{value}`"


# --- commands ---------------------------------------------------------------------------------------------------


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every command below `command` with its full name."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name in sorted(inner):
        yield from leaves(inner[name], f"{path} {name}")


def parameter_row(parameter: Any, command: str) -> tuple[str, str, str]:
    """Return the row of an option or an argument."""
    if parameter.param_type_name == "argument":
        words = getattr(parameter, "help", None) or parameter.human_readable_name
        return f"`{parameter.metavar or parameter.name.upper()}`", said(words, command), ""
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    shown = "" if default is None or callable(default) or default in (False, (), []) else code(default)
    return names, said(parameter.help, f"{command} {parameter.opts[0]}"), shown


def commands(_registry: Registry) -> str:
    """Return the page of the command line."""
    codes = (
        "Exit codes: 0 done (rejects and verdicts included), 1 work that failed or a fault found, 2 misused."
    )
    parts = [f"{codes} `--data` defaults to the environment variable `BEFFROI_DATA`.\n"]
    for name, command in leaves(typer.main.get_command(application()), "beffroi"):
        parts.append(f"## `{name}`\n\n{said(command.help, name)}\n")
        rows = [parameter_row(p, name) for p in command.params if p.name != "help"]
        if rows:
            parts.append(table(("", "What", "Default"), rows))
    return "\n".join(parts)


# --- settings ---------------------------------------------------------------------------------------------------


def settings_of(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield every key of the settings file with its default."""
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from settings_of(field.type, f"{prefix}{field.name}.")
        elif field.name != "data":
            yield f"{prefix}{field.name}", field.default


def settings(_registry: Registry) -> str:
    """Return the page of `beffroi.toml`."""
    rows = [
        (f"`{key}`", said(SETTINGS.get(key), f"setting {key}"), code(default))
        for key, default in settings_of(Settings)
    ]
    stale = set(SETTINGS) - {key for key, _ in settings_of(Settings)}
    if stale:
        raise Undocumented(f"there is no setting {', '.join(sorted(stale))}")
    return (
        "Every key of `beffroi.toml`, in the data directory; each has a default that works. `store.records` is "
        "`records` in the table `[store]`. What a town's people change on screen (name, colours, logo) is in the "
        "store instead.\n\nA secret need not be in that file: `file:/run/secrets/mail` is what that file holds (a relative path is beside "
        "`beffroi.toml`), `env:NAME` a variable of the environment.\n\n"
        + table(("Key", "What", "Default"), rows)
    )


# --- declarations -----------------------------------------------------------------------------------------------


def hooks(_registry: Registry) -> str:
    """Return the page of the hooks and of what a service brings."""
    parts = [
        f"Version of the plugin interface: **{API_VERSION}** (semantic; a deprecation lives one minor version).\n"
    ]
    for name, hook in inspect.getmembers(HookSpecs, inspect.isfunction):
        parts.append(
            f"## `{name}{inspect.signature(hook)}`\n\n{said(inspect.getdoc(hook), name)}\n".replace(
                "(self)", "()"
            )
        )
    parts.append(f"## `Service`\n\n{said(inspect.getdoc(Service), 'Service')}\n")
    parts.append(
        table(
            ("Field", "Type"),
            ((f"`{f.name}`", code(type_name(f.type))) for f in msgspec.structs.fields(Service)),
        )
    )
    parts.append("\n```python\n" + (inspect.getdoc(sys.modules[Service.__module__]) or "") + "\n```\n")
    return "\n".join(parts)


def type_name(kind: Any) -> str:
    """Return the name of a type as one writes it."""
    return str(getattr(kind, "__name__", kind) if not getattr(kind, "__args__", None) else kind).replace(
        "beffroi.model.", ""
    )


def constraints(field: Field) -> str:
    """Return what a field's values must be, in words."""
    words = [
        "required" if field.required else "",
        "key" if field.key else "",
        f"≥ {field.minimum:g}" if field.minimum is not None else "",
        f"≤ {field.maximum:g}" if field.maximum is not None else "",
        f"one of {', '.join(c.value for c in field.choices)}" if field.choices else "",
        f"id of {field.reference}" if field.reference else "",
        f"seen from {field.read} up" if field.read != "citizen" else "",
        f"personal, {field.personal.retention_days} days" if field.personal else "",
    ]
    return ", ".join(word for word in words if word)


def collections(registry: Registry) -> str:
    """Return the page of the collections."""
    parts = [
        "What each service declares; tables, pages, exports, OGC API collections and imports follow from it.\n"
    ]
    for name, collection in sorted(registry.collections.items()):
        parts.append(collection_part(name, collection))
    return "\n".join(parts)


def collection_part(name: str, collection: Collection) -> str:
    """Return the part of one collection."""
    about = collection.description.en or collection.title.en
    owner = "the platform" if collection.system else f"service {collection.service}"
    rows = (
        (f"`{f.name}`", f.title.fr, f.title.en, f.kind + (f", {f.unit}" if f.unit else ""), constraints(f))
        for f in collection.fields
    )
    return (
        f"## `{name}`: {collection.title.fr} / {collection.title.en}\n\n{said(about, f'collection {name}')} "
        f"Of {owner}; geometry: {collection.geometry}.\n\n"
        + table(("Field", "Titre", "Title", "Kind", "Values"), rows)
    )


def datastreams(registry: Registry) -> str:
    """Return the page of the kinds of datastream."""
    rows = (
        (
            code(k.code),
            k.title.fr,
            k.title.en,
            k.unit_symbol,
            code(k.unit_ucum),
            span(k.minimum, k.maximum),
            ", ".join(k.aliases),
            s.name,
        )
        for s in registry.services.values()
        for k in s.datastreams
    )
    heads = ("Code", "Titre", "Title", "Unit", "UCUM", "Plausible", "Also called", "Service")
    return "Series that arrive with one of these codes are named, given their unit and checked.\n\n" + table(
        heads, rows
    )


def span(low: float | None, high: float | None) -> str:
    """Return a range in words."""
    return (
        ""
        if low is None and high is None
        else f"{'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}"
    )


def indicators(registry: Registry) -> str:
    """Return the page of the indicators."""
    rows = (
        (code(i.name), i.title.fr, i.title.en, i.unit, said(i.formula.en, f"indicator {i.name}"), s.name)
        for s in registry.services.values()
        for i in s.indicators
    )
    return table(("Name", "Titre", "Title", "Unit", "How it is computed", "Service"), rows)


def imports(registry: Registry) -> str:
    """Return the page of the kinds of files."""
    kinds = (*KINDS, *(kind for service in registry.services.values() for kind in service.imports))
    rows = (
        (code(k.name), k.title.fr, said(k.title.en, f"import {k.name}"), " ".join(k.extensions))
        for k in kinds
    )
    mapping = inspect.getdoc(mapped_table) or ""
    return (
        "What `beffroi import KIND FILE…` reads (`beffroi import --list`).\n\n"
        + table(("Kind", "Sorte", "What", "Endings"), rows)
        + f"\n## The mapping file of `csv`\n\n```text\n{mapping}\n```\n"
    )


def rules(_registry: Registry) -> str:
    """Return the page of the conditions of rules."""
    nodes = (getattr(condition, name) for name in condition.__all__)
    rows = (
        (
            code(node.__name__.rstrip("_")),
            said((inspect.getdoc(node) or "").split("State:")[0], node.__name__),
        )
        for node in nodes
        if inspect.isclass(node) and hasattr(node, "settle") and node is not condition.Node
    )
    return (
        "How to write one is in [the guide](../how-to/write-a-rule.md).\n\n"
        f"```text\n{inspect.getdoc(reading)}\n```\n\n## Conditions\n\n"
        + table(("Condition", "Holds when"), rows)
    )


def sensorthings(_registry: Registry) -> str:
    """Return the page of what of SensorThings is answered."""
    functions = ((code(f.name), ", ".join(f.parameters), f.result) for f in FUNCTIONS.values())
    sets = ((code(f"/sensorthings/v1.1/{e.set_name}"),) for e in ENTITIES)
    return (
        "OGC SensorThings API part 1: Sensing 1.1 (18-088), part 2: Tasking Core 1.0 (17-079r1; Actuators, TaskingCapabilities, "
        "Tasks). Base address: `/sensorthings/v1.1`. Beside them: `Observations(1)/Provenance`.\n\n"
        + table(("Entity set",), sets)
        + "\n## Requirements declared\n\nEach is tested. The service root lists them too.\n\n"
        + "".join(
            f"- `{uri.partition('/spec/')[2] or uri}`\n"
            for uri in (*service_root.CONFORMANCE, *service_root.MQTT)
        )
        + "\n## Query options\n\nExamples are in [the guide](../how-to/query-with-sensorthings.md).\n\n"
        + table(("Option", "Says"), ((code(name), said) for name, _, said in OPTIONS))
        + "\n## Functions of `$filter`\n\nBesides them `now()`, `mindatetime()`, `maxdatetime()` and `principalName()`.\n\n"
        + table(("Function", "Takes", "Gives"), functions)
        + "\n## OGC API Features\n\nAt `/ogc`, one collection per declared `Collection`; conformance classes:\n\n"
        + "".join(f"- {uri}\n" for uri in feature_documents.CONFORMANCE)
    )


# --- addresses --------------------------------------------------------------------------------------------------


def addresses(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield address, methods and words of every route."""
    for route in routes:
        if isinstance(route, Mount):
            inner = list(addresses(route.routes or (), prefix + route.path))
            yield from inner or [(f"`{prefix}{route.path}/…`", "", first_sentence(route.app))]
        elif isinstance(route, Route):
            methods = " ".join(sorted((route.methods or {"GET", "POST"}) - {"HEAD"}))
            yield f"`{prefix}{route.path}`", methods, first_sentence(route.endpoint)


def first_sentence(thing: Any) -> str:
    """Return the first line of what a route's function or class says."""
    plain = getattr(thing, "func", thing)
    words = (
        inspect.getdoc(plain)
        if inspect.isfunction(plain) or inspect.isclass(plain) or inspect.ismethod(plain)
        else ""
    )
    return (words or "").split("\n")[0]


def routes(_registry: Registry) -> str:
    """Return the page of the addresses."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "beffroi.toml").write_text('name = "Reference"\n', "utf-8")
        town = open_town(Path(folder))
        try:
            rows = sorted(set(addresses(routes_of(town))))
        finally:
            town.close()
    return (
        "Lists and records have twins: the same address with `.csv`, `.json` or `.geojson`. `?lang=fr` and `?lang=en` "
        "choose the language.\n\n" + table(("Address", "Methods", "What"), rows)
    )


PAGES: dict[str, tuple[str, Callable[[Registry], str]]] = {
    "commands.md": ("Commands", commands),
    "settings.md": ("Settings", settings),
    "hooks.md": ("Hooks", hooks),
    "collections.md": ("Collections", collections),
    "imports.md": ("Kinds of import", imports),
    "rules.md": ("Conditions of rules", rules),
    "sensorthings.md": ("SensorThings and OGC API", sensorthings),
    "datastreams.md": ("Kinds of datastream", datastreams),
    "indicators.md": ("Indicators", indicators),
    "routes.md": ("Addresses", routes),
}


def written(name: str, registry: Registry) -> str:
    """Return the whole page called `name`. Raises `Undocumented`."""
    title, page = PAGES[name]
    body = page(registry).strip()
    return HEAD.format(title=title) + body + "\n"


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them with `--check`; return the exit code."""
    registry = load_registry((), PLATFORM)
    REFERENCE.mkdir(parents=True, exist_ok=True)
    faults = []
    for name in PAGES:
        path = REFERENCE / name
        try:
            text = written(name, registry)
        except Undocumented as undocumented:
            faults.append(f"docs/reference/{name}: {undocumented}")
            continue
        if "--check" not in arguments:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            faults.append(f"docs/reference/{name} is not that of the code: run `make docs`")
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
