"""`beffroi town`: a real commune moves in, and its ground is refreshed later."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.cli import Data, Json, fail, language, say, tell
from beffroi.model.problem import Problem
from beffroi.model.text import Text

if TYPE_CHECKING:
    from beffroi.intake.moving_in.moving import Progress as Told
    from beffroi.intake.moving_in.moving import Taken

__all__ = ["register"]

_SHOWN = 5  # rejects of a source; --json tells all

Given = Annotated[
    Path | None,
    typer.Option("--from", metavar="DIR", exists=True, file_okay=False,
                 help=say("Prend les fichiers de ce dossier, sans réseau.", "Take the files of this directory, without network.")),
]  # fmt: skip
Mirror = Annotated[
    str,
    typer.Option(
        "--mirror",
        metavar="URL",
        help=say("Serveur qui tient les mêmes fichiers.", "Server that holds the same files."),
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group `town`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say("La vraie commune : limites, voies, adresses, bâtiments, eaux.", "The real commune: limits, streets, addresses, buildings, waters."),
    )  # fmt: skip
    app.add_typer(group, name="town")

    @group.command(
        "create",
        help=say(
            "Crée la ville d'une commune à partir des données publiques, ou d'un dossier de fichiers.",
            "Create the town of a commune from public data, or from a directory of files.",
        ),
    )
    def create(
        data: Data,
        insee: Annotated[
            str, typer.Option(metavar="CODE", help=say("Code INSEE.", "INSEE code."), show_default=False)
        ],
        given: Given = None,
        mirror: Mirror = "",
        email: Annotated[
            str, typer.Option(help=say("Adresse de l'administrateur.", "The administrator's address."))
        ] = "admin@localhost",
        as_json: Json = False,
    ) -> None:
        from beffroi.cli.init import create_town
        from beffroi.intake.moving_in.moving import commune_of

        with _progress() as progress:
            here = commune_of(insee, given, data / "sources", mirror, progress)
            link = (
                create_town(data, here.name, email=email, insee=insee)
                if not (data / "beffroi.toml").exists()
                else ""
            )
            taken = _move(data, here, given, mirror, progress)
        _tell(data, here.name, taken, link, as_json=as_json)

    @group.command(
        "refresh",
        help=say(
            "Reprend les sources et dit ce qui a changé.", "Take the sources again and tell what changed."
        ),
    )
    def refresh(data: Data, given: Given = None, mirror: Mirror = "", as_json: Json = False) -> None:
        from beffroi.identity import territories
        from beffroi.intake.moving_in.moving import commune_of
        from beffroi.town import open_town

        town = open_town(data)
        try:
            codes = [t.code for t in territories.every(town.store) if len(t.code) == 5]
        finally:
            town.close()
        if not codes:
            raise Problem(
                Text("Cette ville n'a pas de code INSEE.", "This town has no INSEE code."),
                Text("Donnez-le : beffroi town create --insee CODE --data DIR.", "Give it: beffroi town create --insee CODE --data DIR."),
            )  # fmt: skip
        everything: list[Taken] = []
        names = []
        with _progress() as progress:
            for code in codes:
                here = commune_of(code, given, data / "sources", mirror, progress)
                names.append(here.name)
                everything += _move(data, here, given, mirror, progress)
        _tell(data, ", ".join(names), everything, "", as_json=as_json)


def _move(data: Path, here: Any, given: Path | None, mirror: str, progress: "Told") -> "list[Taken]":
    from beffroi.intake.moving_in.moving import move_in
    from beffroi.town import open_town

    town = open_town(data)
    try:
        return move_in(town.store, here, given, mirror, progress)
    finally:
        town.close()


def _tell(data: Path, name: str, taken: "list[Taken]", link: str, *, as_json: bool) -> None:
    tongue = language()
    report = {
        "data": str(data), "name": name, "sign_in": link,
        "sources": [
            {
                "name": one.source, "state": one.state, "reason": one.reason.of(tongue),
                "collections": [
                    {n: getattr(c, n) for n in ("collection", "created", "updated", "unchanged", "rejected", "gone")}
                    | {"rejects": [{"place": r.place, "field": r.field, "reason": r.reason.of(tongue), "mend": r.mend.of(tongue)} for r in c.rejects]}
                    for c in one.changes
                ],
            }
            for one in taken
        ],
    }  # fmt: skip
    lines = [say("« {n} » dans {d}", "'{n}' in {d}", n=name, d=data)]
    for one in taken:
        mark = {"taken": "✓", "absent": "–", "failed": "✗"}[one.state]
        said = one.reason
        if one.state == "taken" and not one.changes and not said.fr:
            said = Text("rien pour cette commune", "nothing for this commune")
        lines.append(f"{mark} {one.title.of(tongue)}{' : ' + said.of(tongue) if said.fr else ''}")
        lines += [
            say("    {c} : {a} créés, {u} changés, {s} inchangés, {r} refusés, {g} disparus de la source",
                "    {c}: {a} created, {u} changed, {s} unchanged, {r} rejected, {g} gone from the source",
                c=c.collection, a=c.created, u=c.updated, s=c.unchanged, r=c.rejected, g=c.gone)
            for c in one.changes
        ]  # fmt: skip
        lines += [f"      {r.place} : {r.reason.of(tongue)}" for c in one.changes for r in c.rejects[:_SHOWN]]
    if link:
        lines.append(say("Servez-la : beffroi serve --data {d}, puis l'adresse affichée suivie de {l}",
                         "Serve it: beffroi serve --data {d}, then the address shown followed by {l}", d=data, l=link))  # fmt: skip
    tell(report, as_json=as_json, words="\n".join(lines))
    if any(one.state == "failed" for one in taken):
        fail(1)


@contextmanager
def _progress() -> "Iterator[Told]":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    console = Console(file=sys.stderr)
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=console,
                  disable=not console.is_terminal) as bar:  # fmt: skip
        tasks: dict[str, Any] = {}

        def progress(name: str, done: int, whole: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=None)
            bar.update(tasks[name], completed=done, total=whole or None)

        yield progress
