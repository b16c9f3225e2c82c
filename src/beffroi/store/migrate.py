"""Bring the house's own tables to the present version (Alembic); collections' tables are `records.py`'s work."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.database import Database, connect_sqlite

__all__ = ["LATEST", "migrate", "schema_of"]

LATEST = "leaving"


def migrate(database: Database) -> None:
    """Create or upgrade the tables of `database`; does nothing, quickly, when they are up to date."""
    if database.observations_path is not None:
        connect_sqlite(database.observations_path).close()  # so that it can be attached
    with database.reader.connect() as connection:
        version = schema_of(connection)
    if version == LATEST:
        return
    # Alembic costs a tenth of a second to import: only when there is work for it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if version is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(version)
        except CommandError as error:
            raise Problem(
                Text("Cette ville a été tenue par une version plus récente de Beffroi ({version}).",
                     "This town was kept by a newer version of Beffroi ({version}).").filled(version=version),
                Text("Remettez cette version, ou revenez en arrière : beffroi upgrade --back.",
                     "Put that version back, or go back: beffroi upgrade --back."), place="store",
            ) from error  # fmt: skip
    with database.reader.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def schema_of(connection: Connection) -> str | None:
    """Return the name of the last migration that these tables have seen; None of an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
