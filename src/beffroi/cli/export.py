"""`beffroi export`: take everything out, in open formats."""

from pathlib import Path
from typing import Annotated

import typer

from beffroi.cli import Data, Json, say, tell

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""

    @app.command(
        "export",
        help=say("Sortir toutes les données, en formats ouverts.", "Take all data out, in open formats."),
    )
    def export(
        data: Data,
        to: Annotated[
            Path, typer.Option("--to", metavar="DIR", help=say("Dossier à remplir.", "Directory to fill."))
        ],
        as_json: Json = False,
    ) -> None:
        from rich.console import Console

        from beffroi.export import export_town
        from beffroi.town import open_town

        town = open_town(data)
        try:
            with Console(stderr=True).status("") as status:
                manifest = export_town(town.store, town.name, to, status.update)
        finally:
            town.close()
        rows = sum(f["rows"] for f in manifest["files"].values())
        report = {"directory": str(to), "files": len(manifest["files"]), "rows": rows}
        tell(report, as_json=as_json, words=say("{files} fichiers, {rows} lignes dans {directory}",
                                                "{files} files, {rows} rows in {directory}", **report))  # fmt: skip
