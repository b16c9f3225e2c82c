"""`beffroi init`: a new, empty town."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from beffroi.cli import Data, Json, say, tell
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["create_town", "register"]

_FILE = """\
# Settings of this Beffroi (reference: docs/reference/settings.md). Read once at start.
name = {name}
language = "fr"
time_zone = "Europe/Paris"
# base_url = "https://beffroi.commune.fr"   # the public address, when behind a proxy

[store]
# records = "postgresql://beffroi:secret@localhost/beffroi"   # "" or absent: SQLite files in this directory
{records}"""


def create_town(
    data: Path, name: str, *, email: str = "admin@localhost", records: str = "", insee: str = ""
) -> str:
    """Make a town in `data`: settings, store, administrator (and its territory); return the sign-in link's path.

    Raises `Problem` when there is one already, or when the name or the address is not acceptable. The settings
    file is written last: what has none is not a town, and can be begun again.
    """
    from beffroi.identity import people, sign_in, territories
    from beffroi.identity.wording import clean_email, clean_name
    from beffroi.settings import Settings, StoreSettings
    from beffroi.store.open import Store

    name, email = clean_name(name), clean_email(email)
    file = data / "beffroi.toml"
    if file.exists():
        raise Problem(
            Text("Il y a déjà une ville dans « {data} ».", "There is a town in '{data}' already.").filled(data=_plain(data)),
            Text("Choisissez un autre dossier, ou servez celle-ci : beffroi serve --data {data}.",
                 "Choose another directory, or serve that one: beffroi serve --data {data}.").filled(data=_plain(data)),
            place="--data",
        )  # fmt: skip
    if not data.exists():
        data.mkdir(
            parents=True, mode=0o750
        )  # it holds secrets and people's data: not for every user of the machine
    store = Store.open(Settings(data=data, name=name, store=StoreSettings(records=records)))
    try:
        if insee and insee not in {t.code for t in territories.every(store)}:
            territories.add(store, SYSTEM, insee, name)
        if people.find(store, email) is None:
            people.add(store, SYSTEM, email=email, name=say("Administrateur", "Administrator"), role="admin")
        link = sign_in.admin_link(store) or ""
    finally:
        store.close()
    fresh = data / f".beffroi.toml.{os.getpid()}"
    kept = f"records = {json.dumps(records, ensure_ascii=False)}\n" if records else ""
    fresh.write_text(_FILE.format(name=json.dumps(name, ensure_ascii=False), records=kept), "utf-8")
    fresh.chmod(0o600 if records else 0o644)  # a database's address holds its password
    fresh.replace(file)
    return link


def _plain(data: Path) -> str:
    return str(data).replace("{", "(").replace("}", ")")


def register(app: typer.Typer) -> None:
    """Add `init`."""

    @app.command("init", help=say("Crée une ville, vide.", "Create a town, empty."))
    def init(
        data: Data,
        name: Annotated[str, typer.Option(help=say("Nom de la commune.", "The town's name."))],
        email: Annotated[
            str, typer.Option(help=say("Adresse de l'administrateur.", "The administrator's address."))
        ] = "admin@localhost",
        insee: Annotated[
            str,
            typer.Option(
                help=say("Code INSEE, fait le premier territoire.", "INSEE code, makes the first territory.")
            ),
        ] = "",
        records: Annotated[
            str,
            typer.Option(
                "--database",
                help=say("postgresql://… au lieu de SQLite.", "postgresql://… instead of SQLite."),
            ),
        ] = "",
        as_json: Json = False,
    ) -> None:
        link = create_town(data, name, email=email, records=records, insee=insee)
        words = say(
            "« {name} » est prête dans {data}.\n"
            "  Servez-la :      beffroi serve --data {data}\n"
            "  Puis connectez-vous une première fois, dans les 24 h, à l'adresse affichée suivie de\n"
            "  {link}\n"
            "  (un autre lien : beffroi user link {email} --data {data})",
            "'{name}' is ready in {data}.\n"
            "  Serve it:        beffroi serve --data {data}\n"
            "  Then sign in for the first time, within 24 h, at the address shown followed by\n"
            "  {link}\n"
            "  (another link: beffroi user link {email} --data {data})",
            name=name, data=data, link=link, email=email,
        )  # fmt: skip
        tell({"data": str(data), "name": name, "sign_in": link}, as_json=as_json, words=words)
