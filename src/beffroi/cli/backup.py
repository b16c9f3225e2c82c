"""`beffroi backup` and `beffroi restore`: a town kept elsewhere while it runs, and brought back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.cli import Data, Json, fail, language, say, tell
from beffroi.model.problem import Problem
from beffroi.model.text import Text

if TYPE_CHECKING:
    from beffroi.backup.saving import Progress as Told

__all__ = ["register"]

Key = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="F", envvar="BEFFROI_BACKUP_KEY",
        help=say("Fichier de la clé ; fait à la première sauvegarde s'il manque.", "File of the key; made with the first backup when absent."),
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add `backup` and `restore`."""

    @app.command(
        "backup",
        help=say(
            "Sauvegarde la ville en marche : cohérente, chiffrée, chaque octet une fois.",
            "Back the running town up: consistent, encrypted, each byte once.",
        ),
    )
    def backup(
        data: Data,
        to: Annotated[Path, typer.Option("--to", metavar="DIR", help=say("Dossier des sauvegardes.", "Directory of the backups."))],
        key: Key = None,
        keep: Annotated[int, typer.Option("--keep", min=0, help=say("Garde les N dernières ; 0 : toutes.", "Keep the last N; 0: all."))] = 0,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        from beffroi.backup.saving import save
        from beffroi.backup.vault import Vault
        from beffroi.town import open_town

        file = key or data / "backup.key"
        made = not file.exists()
        if made and (to / "vault.json").exists():
            raise _no_key(file)
        vault = Vault(to, _key(file, make=True), make=True)
        town = open_town(data)
        try:
            with _progress() as progress:
                snapshot = save(town, vault, progress)
        finally:
            town.close()
        forgotten, dropped = vault.forget(keep)
        report = {
            "snapshot": snapshot.id, "files": len(snapshot.files), "bytes": snapshot.size, "added": vault.added,
            "forgotten": forgotten, "dropped": dropped, "key": str(file), "key_made": made,
        }  # fmt: skip
        lines = [say("Sauvegarde {snapshot} : {files} fichiers, {bytes} octets, dont {added} écrits.",
                     "Backup {snapshot}: {files} files, {bytes} bytes, {added} of them written.", **report)]  # fmt: skip
        if made:
            lines.append(
                say("La clé {key} vient d'être faite : gardez-en une copie ailleurs. Sans elle, rien ne pourra être restauré.",
                    "The key {key} was just made: keep a copy of it elsewhere. Without it nothing can be restored.", key=file)
            )  # fmt: skip
        tell(report, as_json=as_json, words="\n".join(lines))

    @app.command(
        "restore",
        help=say(
            "Restaure une sauvegarde dans un dossier vide, puis vérifie tout.",
            "Restore a backup into an empty directory, then verify everything.",
        ),
    )
    def restore(
        source: Annotated[Path, typer.Argument(metavar="DIR", help=say("Dossier des sauvegardes.", "Directory of the backups."))],
        key: Annotated[Path, typer.Option("--key", metavar="F", envvar="BEFFROI_BACKUP_KEY", help=say("Fichier de la clé.", "File of the key."))],
        to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help=say("Dossier à faire.", "Directory to make."))] = None,
        snapshot: Annotated[str, typer.Option("--snapshot", metavar="ID", help=say("Laquelle ; la dernière.", "Which one; the last."))] = "",
        database: Annotated[str, typer.Option("--database", metavar="URL", envvar="BEFFROI_RESTORE_DATABASE", help=say(
            "Base PostgreSQL vide à remplir, au lieu de celle des réglages.", "Empty PostgreSQL database to fill, instead of the settings' one."))] = "",
        listed: Annotated[bool, typer.Option("--list", help=say("Nomme les sauvegardes.", "Name the snapshots."))] = False,
        check: Annotated[bool, typer.Option("--check", help=say("Relit tout sans rien écrire.", "Read everything again, write nothing."))] = False,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        from beffroi.backup.vault import Vault

        vault = Vault(source, _key(key))
        if listed:
            _list(vault, as_json=as_json)
        elif check:
            _check(vault, snapshot, as_json=as_json)
        elif to is None:
            raise Problem(
                Text("Il manque le dossier à faire.", "The directory to make is missing."),
                Text("Ajoutez --to DIR.", "Add --to DIR."), place="--to",
            )  # fmt: skip
        else:
            _restore(vault, snapshot, to, database, as_json=as_json)


def _restore(vault: Any, snapshot: str, to: Path, database: str, *, as_json: bool) -> None:
    from beffroi.backup.restoring import restore
    from beffroi.cli.verify import VERIFIERS
    from beffroi.town import open_town

    wanted = vault.snapshot(snapshot or None)
    with _progress() as progress:
        restore(vault, wanted, to, progress, database=database)
    town = open_town(to)
    try:
        faults = [f for _, verifier in VERIFIERS.values() for f in verifier(town.store)[1]]
    finally:
        town.close()
    report = {
        "snapshot": wanted.id,
        "files": len(wanted.files),
        "bytes": wanted.size,
        "faults": len(faults),
        "to": str(to),
    }
    words = say("Restaurée dans {to} : {files} fichiers, {bytes} octets, {faults} faute(s).",
                "Restored in {to}: {files} files, {bytes} bytes, {faults} fault(s).", **report)  # fmt: skip
    tell(
        report,
        as_json=as_json,
        words="\n".join([words, *(f"  {f.place} : {f.reason.of(language())}" for f in faults)]),
    )
    if faults:
        fail(1)


def _list(vault: Any, *, as_json: bool) -> None:
    found = [vault.snapshot(one) for one in vault.ids()]
    rows = [
        {"id": s.id, "town": s.town, "version": s.version, "files": len(s.files), "bytes": s.size}
        for s in found
    ]
    tell({"snapshots": rows}, as_json=as_json,
         words="\n".join(f"{r['id']}  {r['town']}  {r['files']}  {r['bytes']}" for r in rows) or say("Aucune.", "None."))  # fmt: skip


def _check(vault: Any, snapshot: str, *, as_json: bool) -> None:
    wanted = vault.snapshot(snapshot or None)
    faults = [{"file": path, "reason": p.reason.of(language())} for path, p in vault.check(wanted)]
    words = say("Sauvegarde {id} : {n} faute(s).", "Backup {id}: {n} fault(s).", id=wanted.id, n=len(faults))
    tell({"snapshot": wanted.id, "faults": faults}, as_json=as_json,
         words="\n".join([words, *(f"  {f['file']} : {f['reason']}" for f in faults)]))  # fmt: skip
    if faults:
        fail(1)


def _key(file: Path, *, make: bool = False) -> bytes:
    from beffroi.backup.vault import key_of, new_key
    from beffroi.settings import write_secret

    if not file.exists():
        if not make:
            raise _no_key(file)
        write_secret(file, (new_key() + "\n").encode())
    return key_of(file.read_text("ascii", "replace"))


def _no_key(file: Path) -> Problem:
    return Problem(
        Text("Il n'y a pas de clé : {f}", "There is no key: {f}").filled(f=str(file)),
        Text("Donnez la clé faite avec la première sauvegarde (--key).", "Give the key made with the first backup (--key)."),
        place="--key",
    )  # fmt: skip


@contextmanager
def _progress() -> "Iterator[Told]":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not os.isatty(2)) as bar:
        task = bar.add_task("", total=None)

        def progress(path: str, done: int, whole: int) -> None:
            bar.update(task, description=path[:40], completed=done, total=whole)

        yield progress
