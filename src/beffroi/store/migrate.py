"""Bring the house's own tables to the present version (Alembic); collections' tables are `records.py`'s work."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from beffroi.store.database import Database, connect_sqlite

__all__ = ["LATEST", "migrate"]

LATEST = "people"


def migrate(database: Database) -> None:
    """Create or upgrade the tables of `database`; does nothing, quickly, when they are up to date."""
    if database.observations_path is not None:
        connect_sqlite(database.observations_path).close()  # so that it can be attached
    with database.reader.connect() as connection:
        version = _version(connection)
    if version == LATEST:
        return
    # Alembic costs a tenth of a second to import: only when there is work for it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.reader.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
