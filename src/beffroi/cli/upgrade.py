"""`beffroi upgrade`: the town brought to the programs that are installed, checked, with a way back."""

import time
from pathlib import Path
from typing import Annotated

import typer

from beffroi.cli import Data, Json, say, tell

__all__ = ["register"]

_STEPS = {
    "copy": ("Copie de l'état présent …", "Copying what it is now …"),
    "migrate": ("Mise à niveau …", "Upgrading …"),
    "verify": ("Vérification …", "Verifying …"),
    "back": ("Retour à l'état d'avant …", "Going back to what it was …"),
}


def register(app: typer.Typer) -> None:
    """Add `upgrade`."""

    @app.command(
        "upgrade",
        help=say(
            "Met la ville arrêtée au niveau des programmes installés : copie, mise à niveau, vérification, retour possible.",
            "Bring the stopped town to the installed programs: copy, migration, check, and a way back.",
        ),
    )
    def upgrade(
        data: Data,
        back: Annotated[bool, typer.Option("--back", help=say("Revient à l'état d'avant la dernière mise à niveau.", "Go back to what the town was before its last upgrade."))] = False,
        listed: Annotated[bool, typer.Option("--list", help=say("Nomme les mises à niveau.", "Name the upgrades."))] = False,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        from beffroi.backup import upgrading

        now_us = time.time_ns() // 1000
        if listed:
            _list(data, as_json=as_json)
            return
        if back:
            done = upgrading.go_back(data, now_us)
            words = say("La ville est comme avant le {id} (version {before}). Ce qu'elle était devenue est gardé à côté.",
                        "The town is as it was before {id} (version {before}). What it had become is kept beside it.",
                        id=done.id, before=done.before or "?")  # fmt: skip
        else:
            done = upgrading.upgrade(
                data, now_us, lambda: _faults(data), lambda step: typer.echo(say(*_STEPS[step]), err=True)
            )
            words = say("À niveau : version {before} → {after}, {tables} tables, {rows} lignes, rien de perdu. Retour : beffroi upgrade --back.",
                        "Up to date: version {before} → {after}, {tables} tables, {rows} rows, nothing lost. Way back: beffroi upgrade --back.",
                        before=done.before or "?", after=done.after, tables=len(done.rows_after), rows=sum(done.rows_after.values()))  # fmt: skip
        tell(upgrading.told(done), as_json=as_json, words=words)


def _list(data: Path, *, as_json: bool) -> None:
    from beffroi.backup import upgrading

    found = upgrading.upgrades(data)
    lines = [
        f"{one.id}  {one.before or '?'} → {one.after}"
        + (say("  (défaite)", "  (undone)") if one.gone_back else "")
        for one in found
    ]
    words = "\n".join(lines) or say("Aucune mise à niveau.", "No upgrade yet.")
    tell({"upgrades": [upgrading.told(one) for one in found]}, as_json=as_json, words=words)


def _faults(data: Path) -> int:
    from beffroi.cli import opened
    from beffroi.cli.verify import VERIFIERS

    with opened(data) as store:
        return sum(len(verifier(store)[1]) for _, verifier in VERIFIERS.values())
