"""`beffroi energy`: read the operators' flows, judge baselines, measure savings, count degree days."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from beffroi.terminal import Json, say, tell

__all__ = ["register"]

_IN_MEMORY = 64_000_000
Flow = Annotated[
    str,
    typer.Argument(metavar="FLOW", help=say("r64, r67, r151, r15, c15, f12, f15, r63 ou r65.", "r64, r67, r151, r15, c15, f12, f15, r63 or r65.")),
]  # fmt: skip
File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help=say("Fichier reçu.", "File received."))
]


def register(app: typer.Typer) -> None:
    """Add the group `energy`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say("Énergie des bâtiments : flux, références, économies.", "Energy of buildings: flows, baselines, savings."),
    )
    app.add_typer(group, name="energy")
    group.command(
        "parse",
        help=say(
            "Lit un flux d'Enedis et le rend en un tableau JSON, dans ses propres unités.",
            "Read a flow of Enedis into one JSON array, in its own units.",
        ),
    )(_parse)


def _parse(flow: Flow, file: File, as_json: Json = False) -> None:
    from beffroi.services.energy.flows.reading import read_flow, write_rows  # noqa: PLC0415

    # kept aside until the last value is read: what is refused leaves nothing half-written
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as aside:
        count = write_rows(read_flow(flow, file), aside)
        if not as_json and sys.stdout.isatty():
            words = say("{n} valeurs lues. Ajoutez --json pour les voir.", "{n} values read. Add --json to see them.", n=count)
            tell(None, as_json=False, words=words)
            return
        aside.seek(0)
        out = getattr(sys.stdout, "buffer", None)
        if out is None:
            sys.stdout.write(aside.read().decode())
        else:
            sys.stdout.flush()
            shutil.copyfileobj(aside, out, 1 << 20)
