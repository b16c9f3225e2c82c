"""Inspection of a service: does it keep what the house promises for it, and how much of it is declaration.

`beffroi check NAME` prints it; a service's own test calls `inspect_service` and expects no fault.
"""

import ast
import importlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from babel.messages.pofile import read_po

from beffroi.extensions.declared import reach_of
from beffroi.model.collection import Collection
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.plugins import ROOMS, Registry, Service, load_registry
from beffroi.rules.reading import read_rule
from beffroi.town import PLATFORM

__all__ = ["Fault", "Inspection", "Lines", "inspect_service", "tell_of"]

_PLACES = re.compile(r"(?<!\{)\{(\w+)[^{}]*\}(?!\})")
_MARKED = re.compile(r"""(?<![\w.])_\(\s*(["'])(.+?)(?<!\\)\1\s*[,)]""", re.DOTALL)
_MANIFEST = (
    "name",
    "version",
    "maintainer",
    "quality",
    "standards_in",
    "standards_out",
    "personal_data",
    "limits",
)
_QUALITIES = ("experimental", "beta", "stable")
_ROOM_FILES = {module for module, _ in ROOMS.values()}


class Fault(msgspec.Struct, frozen=True):
    """One thing to mend: where (room, field), what is wrong, how to mend it."""

    place: str
    reason: Text
    mend: Text = Text("", "")


class Lines(msgspec.Struct, frozen=True):
    """Lines of a service without blank lines, comments and docstrings: declared as data, and code of its own."""

    declaration: int
    code: int

    @property
    def share(self) -> float:
        """Return the share of declaration, 0 to 1 (1 for an empty service)."""
        total = self.declaration + self.code
        return self.declaration / total if total else 1.0


class Inspection(msgspec.Struct, frozen=True):
    """What the inspection of a service found."""

    name: str
    rooms: tuple[str, ...]
    lines: Lines
    faults: tuple[Fault, ...]


def inspect_service(service: Service, registry: Registry) -> Inspection:
    """Return the inspection of `service`, which `registry` holds with what it may refer to."""
    checks = (_manifest, _documents, _texts, _personal, _rooms, _templates, _rules, _cards, _datastreams)
    faults = [fault for check in checks for fault in check(service, registry)]
    rooms = tuple(room for room in ("manifest", *ROOMS) if getattr(service, room))
    return Inspection(service.name, rooms, lines_of(service.package), tuple(faults))


# --- what the house promises


def _manifest(service: Service, _registry: Registry) -> Iterator[Fault]:
    said = service.manifest
    if not said:
        yield Fault("manifest.toml", Text("Il n'y a pas de manifeste.", "There is no manifest."),
                    Text("Écrivez manifest.toml à côté de __init__.py.", "Write manifest.toml beside __init__.py."))  # fmt: skip
        return
    for key in _MANIFEST:
        if key not in said or said[key] in ("", [], None):
            yield Fault(
                f"manifest.toml, {key}",
                Text("Ce champ manque ou est vide.", "This field is missing or empty."),
            )
    if said.get("name") not in (None, service.name):
        yield Fault(
            "manifest.toml, name",
            Text(f"Le service s'appelle « {service.name} ».", f"The service is called '{service.name}'."),
        )
    if "quality" in said and said["quality"] not in _QUALITIES:
        yield Fault("manifest.toml, quality", Text("La qualité est inconnue.", "The quality is unknown."),
                    Text(f"Écrivez l'une de : {', '.join(_QUALITIES)}.", f"Write one of: {', '.join(_QUALITIES)}."))  # fmt: skip
    limits = said.get("limits") or {}
    for language in ("fr", "en"):
        if isinstance(limits, dict) and limits and not limits.get(language):
            yield Fault(f"manifest.toml, limits.{language}",
                        Text("Dites ce que le service ne modélise pas.", "Say what the service does not model."))  # fmt: skip


def _documents(service: Service, _registry: Registry) -> Iterator[Fault]:
    readme = service.package / "README.md" if service.package else None
    if readme is None or not readme.exists() or len(readme.read_text("utf-8").split()) < 20:
        yield Fault("README.md", Text("Le service n'est pas documenté.", "The service is not documented."),
                    Text("Dites pour qui il est, ce qui entre, ce qui sort, ce qu'il ne fait pas.",
                         "Say whom it is for, what comes in, what goes out, what it does not do."))  # fmt: skip


def texts_in(value: Any, place: str) -> Iterator[tuple[str, Text]]:
    """Yield every `Text` inside a declaration, with its place."""
    if isinstance(value, Text):
        yield place, value
    elif isinstance(value, msgspec.Struct):
        name = str(getattr(value, "name", "") or getattr(value, "code", "") or "")
        inside = f"{place} {name}".strip()
        for field in value.__struct_fields__:
            yield from texts_in(getattr(value, field), f"{inside}, {field}")
    elif isinstance(value, tuple | list):
        for one in value:
            yield from texts_in(one, place)


def _texts(service: Service, _registry: Registry) -> Iterator[Fault]:
    for place, text in texts_in(service, ""):
        if bool(text.fr.strip()) != bool(text.en.strip()):
            missing = "en" if text.fr.strip() else "fr"
            yield Fault(
                f"{place}, {missing}",
                Text("Ce texte n'est que dans une langue.", "This text is in one language only."),
            )
        elif sorted(_PLACES.findall(text.fr)) != sorted(_PLACES.findall(text.en)):
            yield Fault(
                place,
                Text(
                    "Les {places} diffèrent d'une langue à l'autre.",
                    "The {places} differ between the languages.",
                ),
            )
    if not service.title.fr.strip():
        yield Fault("title", Text("Le service n'a pas de titre.", "The service has no title."))


def _personal(service: Service, _registry: Registry) -> Iterator[Fault]:
    declared = {field.name for collection in service.collections for field in collection.personal}
    for collection in service.collections:
        for field in collection.personal:
            personal = field.personal
            if personal is None or not personal.purpose.fr.strip() or personal.retention_days <= 0:
                yield Fault(
                    f"{collection.name}.{field.name}",
                    Text(
                        "Une donnée personnelle a un but et une durée.",
                        "Personal data have a purpose and a term.",
                    ),
                )
    said = service.manifest.get("personal_data")
    yield from _told(said if isinstance(said, dict) else {}, declared)
    told = set(said.get("fields", ())) if isinstance(said, dict) else set()
    if service.manifest and told != declared:
        yield Fault("manifest.toml, personal_data.fields",
                    Text("Le manifeste et les collections ne disent pas les mêmes données personnelles.",
                         "The manifest and the collections do not tell the same personal data."),
                    Text(f"Écrivez fields = {sorted(declared)}.", f"Write fields = {sorted(declared)}."))  # fmt: skip


def _told(said: dict[str, Any], declared: set[str]) -> Iterator[Fault]:
    """Yield what the register of processing would lack: why the service keeps something of persons, for how long."""
    purpose = Text(
        "Le registre des traitements doit dire pourquoi.", "The register of processing must say why."
    )
    for language in ("fr", "en"):
        if (declared or said.get("other")) and not str(said.get(f"purpose_{language}", "")).strip():
            yield Fault(f"manifest.toml, personal_data.purpose_{language}", purpose)
    for number, one in enumerate(said.get("other", ())):
        place = f"manifest.toml, personal_data.other[{number}]"
        for name in ("fr", "en", "purpose_fr", "purpose_en"):
            if not str(one.get(name, "")).strip():
                yield Fault(f"{place}.{name}", purpose)
        if not isinstance(one.get("days"), int) or one["days"] <= 0:
            yield Fault(f"{place}.days", Text("Dites pour combien de jours.", "Say for how many days."))


def _rooms(service: Service, _registry: Registry) -> Iterator[Fault]:
    if service.package is None:
        return
    tables: dict[str, list[str]] = {}
    for part, (module, attribute) in ROOMS.items():
        tables.setdefault(module, []).append(attribute)
        if part == "collections":
            yield from _collections(service.collections)
    for module, attributes in tables.items():
        file = service.package / f"{module}.py"
        if file.exists() and not any(
            re.search(rf"^(async )?(def )?{a}\b", file.read_text("utf-8"), re.MULTILINE) for a in attributes
        ):
            yield Fault(
                f"{module}.py",
                Text(
                    f"Cette pièce ne donne pas {' ni '.join(attributes)}.",
                    f"This room gives no {' or '.join(attributes)}.",
                ),
            )


def _collections(collections: Iterable[Collection]) -> Iterator[Fault]:
    for collection in collections:
        if not collection.description.fr.strip():
            yield Fault(f"collection {collection.name}", Text("La collection n'est pas décrite.", "The collection is not described."),
                        Text("Donnez-lui une description : elle est dans le catalogue de données ouvertes.",
                             "Give it a description: it is in the open-data catalogue."))  # fmt: skip


def _templates(service: Service, _registry: Registry) -> Iterator[Fault]:
    if service.package is None:
        return
    known: set[str] = set()
    for catalogue in sorted(service.package.rglob("locale/en.po")):  # a large service has one for each part
        with catalogue.open("rb") as stream:
            for message in read_po(stream, locale="en"):
                if message.string and all(message.string):
                    known.add(message.id[0] if isinstance(message.id, tuple) else str(message.id))
    sources = [*service.package.rglob("templates/**/*.html"), *service.package.glob("pages*.py")]
    for file in sorted(sources):
        for _, said in _MARKED.findall(file.read_text("utf-8")):
            if said not in known:
                yield Fault(str(file.relative_to(service.package)), Text(f"« {said[:60]} » n'est pas traduit.", f"'{said[:60]}' is not translated."),
                            Text("Ajoutez-le à locale/en.po.", "Add it to locale/en.po."))  # fmt: skip


def _rules(service: Service, registry: Registry) -> Iterator[Fault]:
    for template in service.rules:
        try:
            rule = read_rule(template.yaml)
            watch = rule.watch
        except Problem as problem:
            yield Fault(f"rule {template.name}, {problem.place}".rstrip(", "), problem.reason, problem.mend)
            continue
        if rule.message and not rule.message_en:
            yield Fault(
                f"rule {template.name}, message_en",
                Text("L'alarme ne parle que français.", "The alarm speaks French only."),
                Text("Ajoutez message_en.", "Add message_en."),
            )
        if watch.kind and registry.datastream_kind(watch.kind) is None:
            yield Fault(
                f"rule {template.name}",
                Text(
                    f"Aucun service ne déclare la série « {watch.kind} ».",
                    f"No service declares the series '{watch.kind}'.",
                ),
            )
        if watch.collection and watch.collection not in registry.collections:
            yield Fault(
                f"rule {template.name}",
                Text(
                    f"Aucun service ne déclare la collection « {watch.collection} ».",
                    f"No service declares the collection '{watch.collection}'.",
                ),
            )


def _cards(service: Service, registry: Registry) -> Iterator[Fault]:
    for card in service.cards:
        sort, _, name = card.source.partition(":")
        known = {"indicator": registry.indicator, "datastream": registry.datastream_kind}.get(sort)
        if known is None or known(name) is None:
            yield Fault(f"card {card.name}", Text(f"La source « {card.source} » n'existe pas.", f"There is no source '{card.source}'."),
                        Text("Écrivez indicator:NOM ou datastream:GENRE.", "Write indicator:NAME or datastream:KIND."))  # fmt: skip


def _datastreams(service: Service, registry: Registry) -> Iterator[Fault]:
    for kind in service.datastreams:
        for name in (kind.code, *kind.aliases):
            found = registry.datastream_kind(name)
            if found is not None and found != kind:
                yield Fault(
                    f"datastream {kind.code}",
                    Text(f"« {name} » désigne déjà {found.code}.", f"'{name}' already means {found.code}."),
                )
        if not kind.unit_ucum:
            yield Fault(
                f"datastream {kind.code}",
                Text("L'unité UCUM manque (« 1 » sans unité).", "The UCUM unit is missing ('1' for none)."),
            )
        if kind.minimum is not None and kind.maximum is not None and kind.minimum >= kind.maximum:
            yield Fault(
                f"datastream {kind.code}",
                Text("Le minimum n'est pas sous le maximum.", "The minimum is not below the maximum."),
            )
    for indicator in service.indicators:
        if not indicator.formula.fr.strip():
            yield Fault(
                f"indicator {indicator.name}",
                Text("Le calcul n'est pas dit en mots.", "The formula is not said in words."),
            )


# --- how much is declaration


def lines_of(package: Path | None) -> Lines:
    """Return the lines of a service: functions and methods are code, everything else is declaration.

    `demo.py`, tests and documents are left out; the manifest and templates count as declaration.
    """
    declaration = code = 0
    if package is None:
        return Lines(0, 0)
    for file in sorted(package.rglob("*")):
        if file.suffix == ".py" and file.name != "demo.py" and "tests" not in file.parts:
            declared, own = _python_lines(file.read_text("utf-8"))
            declaration, code = declaration + declared, code + own
        elif file.name == "manifest.toml" or ("templates" in file.parts and file.is_file()):
            declaration += sum(1 for line in file.read_text("utf-8").splitlines() if line.strip())
    return Lines(declaration, code)


def _python_lines(source: str) -> tuple[int, int]:
    """Return the lines of declaration and of code of one module."""
    tree = ast.parse(source)
    docs, functions = set(), set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            docs |= set(range(body[0].lineno, (body[0].end_lineno or body[0].lineno) + 1))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = source.splitlines()
    counted = {
        n for n, line in enumerate(lines, 1) if line.strip() and not line.strip().startswith("#")
    } - docs
    return len(counted - functions), len(counted & functions)


def tell_of(folder: str, package: str) -> dict[str, Any]:
    """Return what the service of an unpacked wheel declares (`extensions.declared.Declared`); loads it."""
    sys.path.append(folder)
    module = importlib.import_module(package)
    service = module.beffroi_service()
    registry = load_registry([module], PLATFORM)

    def named(found: Any, key: str = "name") -> list[tuple[str, str, str]]:
        return [(getattr(one, key), one.title.fr, one.title.en) for one in found]

    return {
        "title": (service.title.fr, service.title.en), "collections": named(service.collections),
        "personal": [f"{c.name}.{f.name}" for c in service.collections for f in c.personal],
        "datastreams": named(service.datastreams, "code"), "rules": named(service.rules),
        "indicators": named(service.indicators),
        "routes": [f"{' '.join(sorted((r.methods or set()) - {'HEAD'}))} {r.path}" for r in service.routes],
        "connectors": [name for name, _ in service.connectors], "duties": [d.__name__ for d in service.duties],
        "faults": [(f.place, f.reason.fr, f.reason.en) for f in inspect_service(service, registry).faults],
        "reach": reach_of(Path(folder, package)),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(tell_of(*sys.argv[1:3]), ensure_ascii=False))  # noqa: T201
