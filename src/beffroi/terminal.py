"""What a command says to the person at a terminal: in their language, for people or as JSON.

The platform's commands and those that services bring speak through here.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from beffroi.model.text import Language, Text

__all__ = ["Data", "Json", "fail", "language", "say", "tell"]


def language() -> Language:
    """Return the language of this terminal: English when its locale is English, else French."""
    chosen = next(
        (v for n in ("BEFFROI_LANG", "LC_ALL", "LC_MESSAGES", "LANG") if (v := os.environ.get(n))), ""
    )
    return "en" if chosen.lower().startswith("en") else "fr"


def say(fr: str, en: str, **values: object) -> str:
    """Return one of two texts, in the terminal's language, its `{places}` filled."""
    return Text(fr, en).of(language(), **values)


def tell(report: Any, *, as_json: bool, words: str = "") -> None:
    """Print `report` as one line of JSON, or `words` for people."""
    typer.echo(json.dumps(report, ensure_ascii=False) if as_json else words)


def fail(code: int = 1) -> NoReturn:
    """End the command with an exit code: 1 a fault was found or work failed, 2 misused."""
    raise typer.Exit(code)


Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="BEFFROI_DATA",
        metavar="DIR",
        help=say("Dossier des données de la ville.", "Directory of the town's data."),
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help=say("Répond en JSON, pour les scripts.", "Answer in JSON, for scripts.")),
]
