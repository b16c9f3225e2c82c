"""`beffroi new service`, `beffroi check`: begin a service, and judge one; `beffroi service`: those that come as a wheel."""

import importlib
import re
import string
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.cli import Data, Json, fail, language, opened, say, tell
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text

if TYPE_CHECKING:
    from beffroi.extensions.shelf import Extension
    from beffroi.inspection import Inspection

__all__ = ["register", "write_skeleton"]

_NAME = re.compile(r"[a-z][a-z0-9_]{1,30}\Z")
_FILES = {
    "pyproject.toml": "pyproject.toml.in",
    "beffroi_$name/__init__.py": "service.py.in",
    "beffroi_$name/manifest.toml": "manifest.toml.in",
    "beffroi_$name/README.md": "README.md.in",
    "beffroi_$name/templates/beffroi_$name/$name.html": "page.html.in",
    "test_$name.py": "test.py.in",
}


def write_skeleton(name: str, folder: Path) -> list[Path]:
    """Write the skeleton of a service into `folder` and return its files. Raises `Problem`."""
    if not _NAME.match(name):
        raise Problem(
            Text("Ce nom ne convient pas à un service.", "This name does not suit a service."),
            Text("Des minuscules sans accent, des chiffres et _, par exemple « bruit ».",
                 "Lower-case letters without accents, digits and _, such as 'noise'."), place="NAME",
        )  # fmt: skip
    if folder.exists() and any(folder.iterdir()):
        raise Problem(
            Text("Le dossier « {folder} » n'est pas vide.", "The directory '{folder}' is not empty.").filled(folder=folder),
            Text("Choisissez-en un autre avec --to.", "Choose another one with --to."), place="--to",
        )  # fmt: skip
    words = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "record": "".join(w.capitalize() for w in name.split("_")),
    }
    if words["record"] in (
        "Record",
        "Collection",
        "Text",
        "Service",
        "Card",
        "Route",
        "Query",
        "Response",
        "Request",
        "Indicator",
    ):
        words["record"] += "Record"
    written = []
    for place, source in _FILES.items():
        file = folder / string.Template(place).substitute(words)
        file.parent.mkdir(parents=True, exist_ok=True)
        text = (Path(__file__).parent / "skeleton" / source).read_text("utf-8")
        file.write_text(string.Template(text).substitute(words), "utf-8")
        written.append(file)
    return written


def _from_folder(folder: Path) -> tuple[str, ModuleType]:
    """Return the name and the module of the service whose distribution is in `folder`. Raises `Problem`."""
    file = folder / "pyproject.toml"
    points: dict[str, Any] = {}
    if file.exists():
        project = tomllib.loads(file.read_text("utf-8")).get("project", {})
        points = project.get("entry-points", {}).get("beffroi.services", {})
    if not points:
        raise Problem(
            Text("Ce dossier ne nomme aucun service.", "This directory names no service."),
            Text('Son pyproject.toml doit avoir [project.entry-points."beffroi.services"].',
                 'Its pyproject.toml must have [project.entry-points."beffroi.services"].'), place=str(file),
        )  # fmt: skip
    name, target = next(iter(points.items()))
    sys.path[:0] = [str(folder / "src"), str(folder)]
    try:
        return name, importlib.import_module(target)
    except (
        Exception
    ) as error:  # whatever a third party's module does, it is a fault of that module, said as one
        reason = f"{type(error).__name__}: {error}".replace("{", "(").replace("}", ")")
        raise Problem(
            Text("Le service ne se charge pas : {reason}", "The service does not load: {reason}").filled(
                reason=reason
            ),
            place=target,
        ) from error


def inspect(wanted: str) -> "Inspection":
    """Return the inspection of an installed service, or of one in a directory. Raises `Problem`."""
    from beffroi.inspection import inspect_service
    from beffroi.plugins import load_registry
    from beffroi.town import PLATFORM

    extra: list[ModuleType] = []
    name = wanted
    if Path(wanted).is_dir():
        name, module = _from_folder(Path(wanted).resolve())
        extra.append(module)
    try:
        registry = load_registry(extra, PLATFORM)
    except TypeError as error:
        reason = str(error)
        raise Problem(
            Text(
                f"Le service ne s'accorde pas aux autres : {reason}",
                f"The service clashes with others: {reason}",
            )
        ) from error
    service = registry.services.get(name)
    if service is None:
        known = ", ".join(registry.services)
        raise NotFound(
            Text(f"Aucun service ne s'appelle « {name} ».", f"No service is called '{name}'."),
            Text(f"Services installés : {known}. Ou donnez le dossier du service.",
                 f"Installed services: {known}. Or give the service's directory."), place="NAME",
        )  # fmt: skip
    return inspect_service(service, registry)


def _in_words(found: "Inspection") -> str:
    tongue = language()
    lines = [say("{name} : {rooms}", "{name}: {rooms}", name=found.name, rooms=", ".join(found.rooms))]
    lines.append(
        say("{share:.0%} de déclaration ({declared} lignes), {code} lignes de code", "{share:.0%} declaration ({declared} lines), {code} lines of code",
            share=found.lines.share, declared=found.lines.declaration, code=found.lines.code)
    )  # fmt: skip
    for fault in found.faults:
        mend = fault.mend.of(tongue)
        lines.append(f"✗ {fault.place} : {fault.reason.of(tongue)}" + (f"\n    {mend}" if mend else ""))
    if not found.faults:
        lines.append(say("✓ Rien à reprendre.", "✓ Nothing to mend."))
    return "\n".join(lines)


def _line(one: "Extension") -> str:
    state = say("en service", "in use") if one.enabled else say("hors service", "not in use")
    return f"{one.name:<20} {one.version:<10} {state:<13} {one.sha256[:16]}  {one.file}"


def _report(one: "Extension") -> dict[str, Any]:
    return {
        "name": one.name, "version": one.version, "enabled": one.enabled, "sha256": one.sha256, "size": one.size,
        "file": one.file, "author": one.author,
    }  # fmt: skip


Name = Annotated[str, typer.Argument(metavar="NAME", help=say("Nom du service.", "The service's name."))]


def _register_shelf(app: typer.Typer) -> None:
    """Add `service install`, `list`, `show`, `enable`, `disable` and `remove`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say("Les services qui viennent d'un fichier wheel.", "Services that come as a wheel."),
    )
    app.add_typer(group, name="service")

    @group.command(
        "install",
        help=say(
            "Vérifie un wheel et l'installe, hors service.", "Check a wheel and install it, not in use."
        ),
    )
    def install(
        file: Annotated[Path, typer.Argument(metavar="FILE", help=say("Le fichier .whl.", "The .whl file."))],
        data: Data, as_json: Json = False,
    ) -> None:  # fmt: skip
        from beffroi.extensions import shelf
        from beffroi.model.principal import SYSTEM
        from beffroi.plugins import load_registry

        try:
            body = file.read_bytes()
        except OSError as error:
            raise Problem(Text(str(error.strerror), str(error.strerror)), place=str(file)) from error
        with opened(data) as store:
            one = shelf.install(store, SYSTEM, body, file.name, frozenset(load_registry().services))
        tell(_report(one), as_json=as_json, words=_line(one))

    @group.command("list", help=say("Liste ces services.", "List these services."))
    def list_(data: Data, as_json: Json = False) -> None:
        from beffroi.extensions import shelf

        with opened(data) as store:
            found = shelf.every(store)
        words = "\n".join(map(_line, found)) or say("Aucun.", "None.")
        tell([_report(one) for one in found], as_json=as_json, words=words)

    @group.command(
        "show", help=say("Dit ce qu'un service lira et écrira.", "Say what a service will read and write.")
    )
    def show(name: Name, data: Data, as_json: Json = False) -> None:
        import msgspec

        from beffroi.extensions import shelf

        with opened(data) as store:
            one = shelf.get(store, name)
            said = msgspec.to_builtins(shelf.described(store, one))
        lines = [_line(one), *(f"  {key}: {value}" for key, value in said.items() if value)]
        tell({**_report(one), "declared": said}, as_json=as_json, words="\n".join(lines))

    def switch(name: str, data: Path, deed: str, *, as_json: bool) -> None:
        from beffroi.extensions import shelf
        from beffroi.model.principal import SYSTEM

        with opened(data) as store:
            one = {"enable": shelf.enable, "disable": shelf.disable}[deed](store, SYSTEM, name)
        tell(_report(one), as_json=as_json, words=_line(one))

    @group.command(
        "enable",
        help=say(
            "Met un service en service, ville en marche comprise.",
            "Put a service in use, in a running town too.",
        ),
    )
    def enable(name: Name, data: Data, as_json: Json = False) -> None:
        switch(name, data, "enable", as_json=as_json)

    @group.command(
        "disable",
        help=say(
            "Met un service hors service ; ses données restent.", "Take a service out of use; its data stay."
        ),
    )
    def disable(name: Name, data: Data, as_json: Json = False) -> None:
        switch(name, data, "disable", as_json=as_json)

    @group.command(
        "remove",
        help=say(
            "Retire un service hors service de la machine.", "Remove from the machine a service not in use."
        ),
    )
    def remove(name: Name, data: Data, as_json: Json = False) -> None:
        from beffroi.extensions import shelf
        from beffroi.model.principal import SYSTEM

        with opened(data) as store:
            shelf.remove(store, SYSTEM, name)
        tell({"removed": name}, as_json=as_json, words=name)


def register(app: typer.Typer) -> None:
    """Add `new service`, `check` and the group `service`."""
    _register_shelf(app)
    new = typer.Typer(no_args_is_help=True, help=say("Commence un service.", "Begin a service."))
    app.add_typer(new, name="new")

    @new.callback()
    def begin() -> None:
        """Keep `service` a word of the command."""

    @new.command("service", help=say("Écrit le squelette d'un service.", "Write the skeleton of a service."))
    def service(
        name: Annotated[
            str, typer.Argument(metavar="NAME", help=say("Nom du service.", "The service's name."))
        ],
        to: Annotated[
            Path | None,
            typer.Option("--to", metavar="DIR", help=say("Dossier ; ./NAME.", "Directory; ./NAME.")),
        ] = None,
        as_json: Json = False,
    ) -> None:
        folder = to or Path(name)
        files = write_skeleton(name, folder)
        words = say(
            "Le service « {name} » est commencé dans {folder} ({n} fichiers).\n  beffroi check {folder}\n  pip install -e {folder}",
            "The service '{name}' is begun in {folder} ({n} files).\n  beffroi check {folder}\n  pip install -e {folder}",
            name=name, folder=folder, n=len(files),
        )  # fmt: skip
        tell({"name": name, "files": [str(file) for file in files]}, as_json=as_json, words=words)

    @app.command(
        "check",
        help=say(
            "Juge un service, installé ou dans un dossier.", "Judge a service, installed or in a directory."
        ),
    )
    def check(
        name: Annotated[
            str,
            typer.Argument(
                metavar="NAME", help=say("Nom ou dossier du service.", "Name or directory of the service.")
            ),
        ],
        as_json: Json = False,
    ) -> None:
        found = inspect(name)
        tongue = language()
        report = {
            "name": found.name, "rooms": list(found.rooms),
            "lines": {"declaration": found.lines.declaration, "code": found.lines.code, "share": round(found.lines.share, 3)},
            "faults": [{"place": f.place, "reason": f.reason.of(tongue), "mend": f.mend.of(tongue)} for f in found.faults],
        }  # fmt: skip
        tell(report, as_json=as_json, words=_in_words(found))
        if found.faults:
            fail(1)
