"""The command line: `beffroi COMMAND`.

Every module of this package that has `register(app)` adds its commands; nothing else is listed anywhere.
Exit codes: 0 done (rejects and verdicts included), 1 work that failed or a check that found a fault, 2 misused.
"""

import contextlib
import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from beffroi import __version__
from beffroi.model.problem import Conflict, Problem
from beffroi.model.text import Language, Text

if TYPE_CHECKING:
    from beffroi.store.open import Store

__all__ = ["Data", "Json", "application", "fail", "language", "main", "opened", "say", "tell"]


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


@contextlib.contextmanager
def opened(data: Path) -> Iterator["Store"]:
    """Give the store of the town in `data`, beside a running `serve` or not. Raises `Problem` when there is none."""
    from beffroi.settings import load_settings
    from beffroi.store.open import Store

    store = Store.open(load_settings(data))
    try:
        yield store
    finally:
        store.close()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"beffroi {__version__}")
        raise typer.Exit


def application() -> typer.Typer:
    """Return the application with every command of this package."""
    app = typer.Typer(
        name="beffroi",
        help=say(
            "Beffroi : une plateforme urbaine qu'une commune tient elle-même.",
            "Beffroi: an urban platform that a town runs itself.",
        ),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root(
        version: Annotated[
            bool,
            typer.Option(
                "--version",
                callback=_version,
                is_eager=True,
                help=say("Donne la version.", "Print the version."),
            ),
        ] = False,
    ) -> None:
        del version

    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        register = getattr(importlib.import_module(f"{__name__}.{module.name}"), "register", None)
        if register is not None:
            register(app)
    return app


def _refusal(problem: Problem, *, as_json: bool) -> str:
    """Return what to print on stderr for a problem."""
    tongue = language()
    reason, mend = problem.reason.of(tongue), problem.mend.of(tongue)
    if as_json:
        return json.dumps({"reason": reason, "mend": mend, "place": problem.place}, ensure_ascii=False)
    place = f" ({problem.place})" if problem.place else ""
    return f"beffroi: {reason}{place}" + (f"\n  {mend}" if mend else "")


def _code(problem: Problem) -> int:
    """Return 1 when the work failed (conflict, no disk, no database), 2 when what was asked is wrong."""
    return 1 if isinstance(problem, Conflict) or problem.status >= 500 else 2


def main() -> None:
    """Run the command line; a `Problem` becomes a message on stderr, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")  # a C locale must not break an accent
    as_json = "--json" in sys.argv
    try:
        application()()
    except Problem as problem:
        typer.echo(_refusal(problem, as_json=as_json), err=True)
        raise SystemExit(_code(problem)) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:
        if os.environ.get("BEFFROI_DEBUG"):
            raise
        typer.echo(_refusal(_unforeseen(error), as_json=as_json), err=True)
        raise SystemExit(1) from None


def _unforeseen(error: Exception) -> Problem:
    """Return what to say of a failure that is not a `Problem`: the disk, the database, or a fault of ours."""
    detail = str(error).strip().splitlines()[0] if str(error).strip() else ""
    said = detail if isinstance(error, OSError) else f"{type(error).__name__}: {detail}"
    mend = Text(
        "Le détail : BEFFROI_DEBUG=1 devant la commande.", "The detail: BEFFROI_DEBUG=1 before the command."
    )
    return Problem(Text(said, said), Text("", "") if isinstance(error, OSError) else mend)
