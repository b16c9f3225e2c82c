"""The command line: `beffroi COMMAND`.

Every module of this package that has `register(app)` adds its commands, then every service that has a room
`commands`; nothing else is listed anywhere.
Exit codes: 0 done (rejects and verdicts included), 1 work that failed or a check that found a fault, 2 misused.
"""

import contextlib
import errno
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
from beffroi.cli.misuse import UsageError, misuse_of
from beffroi.model.problem import Conflict, Problem
from beffroi.model.text import Text
from beffroi.terminal import Data, Json, fail, language, say, tell

if TYPE_CHECKING:
    from beffroi.store.open import Store

__all__ = ["Data", "Json", "application", "fail", "language", "main", "opened", "say", "tell"]


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


def application(word: str | None = None) -> typer.Typer:
    """Return the application with every command; when `word` is one of the platform's, without the services'."""
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
    if word is None or word not in {g.name for g in app.registered_groups} | {
        c.name for c in app.registered_commands
    }:
        from beffroi.plugins import command_rooms

        for room in command_rooms():
            importlib.import_module(room).register(app)
    return app


def _refusal(problem: Problem, *, as_json: bool) -> str:
    """Return what to print on stderr for a problem."""
    tongue = language()
    reason, mend = problem.reason.of(tongue), problem.mend.of(tongue)
    if as_json:
        return json.dumps({"reason": reason, "mend": mend, "place": problem.place}, ensure_ascii=False)
    where = problem.place
    if tongue == "fr":
        where = where.replace("line ", "ligne ").replace("part ", "partie ")
    place = f" ({where})" if where else ""
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
        code = application(next((a for a in sys.argv[1:] if not a.startswith("-")), None))(
            prog_name="beffroi", standalone_mode=False
        )
    except Problem as problem:
        typer.echo(_refusal(problem, as_json=as_json), err=True)
        raise SystemExit(_code(problem)) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except (typer.Abort, KeyboardInterrupt):
        raise SystemExit(1) from None
    except Exception as error:
        if isinstance(error, UsageError):
            _misused(error, as_json=as_json)
        if os.environ.get("BEFFROI_DEBUG"):
            raise
        typer.echo(_refusal(_unforeseen(error), as_json=as_json), err=True)
        raise SystemExit(1) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _misused(error: Any, *, as_json: bool) -> NoReturn:
    """Say what is wrong with the words of a command; a group without a command says what it has."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        typer.echo(_refusal(misuse_of(error), as_json=as_json), err=True)
    raise SystemExit(2) from None


_OF_FILES = {
    errno.ENOENT: Text("Ce fichier ou ce dossier n'existe pas.", "There is no such file or directory."),
    errno.EACCES: Text("Ce fichier ou ce dossier est interdit d'accès.", "This file or directory may not be read or written."),
    errno.EISDIR: Text("C'est un dossier, il faut un fichier.", "This is a directory, a file is needed."),
    errno.ENOTDIR: Text("Ce n'est pas un dossier.", "This is not a directory."),
    errno.ENOSPC: Text("Le disque est plein.", "The disk is full."),
    errno.EROFS: Text("Le disque est en lecture seule.", "The disk is read-only."),
}  # fmt: skip


def _unforeseen(error: Exception) -> Problem:
    """Return what to say of a failure that is not a `Problem`: the disk, the database, or a fault of ours."""
    if isinstance(error, OSError) and error.errno in _OF_FILES and error.filename:
        mend = Text("Vérifiez le chemin et ses droits.", "Check the path and its rights.")
        return Problem(_OF_FILES[error.errno], mend, str(error.filename))
    detail = str(error).strip().splitlines()[0] if str(error).strip() else ""
    said = detail if isinstance(error, OSError) else f"{type(error).__name__}: {detail}"
    mend = Text(
        "Le détail : BEFFROI_DEBUG=1 devant la commande.", "The detail: BEFFROI_DEBUG=1 before the command."
    )
    return Problem(Text(said, said), Text("", "") if isinstance(error, OSError) else mend)
