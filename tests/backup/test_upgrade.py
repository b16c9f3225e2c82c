"""A town is brought to newer programs, checked, and can go back; a failed upgrade leaves it as it was."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import PostgresqlServer
from tests.faults.serving import Town as Served
from tests.faults.serving import command
from tests.sensorthings_town import station

from beffroi import __version__
from beffroi.backup.upgrading import go_back, upgrade, upgrades
from beffroi.model.problem import Problem
from beffroi.settings import load_settings
from beffroi.store.database import open_database
from beffroi.store.migrate import LATEST, schema_of
from beffroi.town import open_town

NOW_US = 1_790_000_000_000_000


def begin(data: Path, url: str = "") -> None:
    command("init", "--data", str(data), "--name", "Essai")
    if url:
        (data / "beffroi.toml").write_text(f'name = "Essai"\n[store]\nrecords = "{url}"\n', "utf-8")
    town = open_town(data)
    try:
        town.store.set_setting("version", "0.0.9")
        town.store.set_setting("told", "before")
        with town.store.write() as connection:  # as the programs of an earlier release left it
            connection.execute(text("UPDATE alembic_version SET version_num = 'versions'"))
    finally:
        town.close()


def state(data: Path) -> tuple[str | None, str]:
    """Return the schema and what the town was told, without migrating anything."""
    database = open_database(load_settings(data))
    try:
        with database.reader.connect() as connection:
            told = connection.execute(text("SELECT value FROM setting WHERE key = 'told'")).scalar_one()
            return schema_of(connection), json.loads(told)
    finally:
        database.close()


def tell(data: Path, word: str) -> None:
    town = open_town(data)
    town.store.set_setting("told", word)
    town.close()


def test_a_town_goes_up_and_back_by_command(tmp_path: Path) -> None:
    data = tmp_path / "town"
    begin(data)
    photo = data / "files" / "ab" / "photo"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"a photo")
    done = json.loads(command("upgrade", "--data", str(data), "--json"))
    assert (done["before"], done["after"], done["schema_before"], done["schema_after"]) == (
        "0.0.9",
        __version__,
        "versions",
        LATEST,
    )
    assert {name: n for name, n in done["rows_before"].items() if done["rows_after"][name] < n} == {}
    assert state(data) == (LATEST, "before")
    tell(data, "after")
    photo.unlink()
    command("upgrade", "--data", str(data), "--back")
    assert state(data) == ("versions", "before")
    assert photo.read_bytes() == b"a photo"
    (aside,) = (data / ".upgrades").glob("*/after-*/records.db")
    with closing(sqlite3.connect(aside)) as kept:  # what it had become is not lost
        assert kept.execute("SELECT value FROM setting WHERE key = 'told'").fetchone() == ('"after"',)
    assert [one.gone_back for one in upgrades(data)] == [True]
    with pytest.raises(Problem, match="no upgrade to undo"):
        go_back(data, NOW_US)


def test_a_failed_upgrade_leaves_the_town_as_it_was(tmp_path: Path) -> None:
    data = tmp_path / "town"
    begin(data)

    def faulty() -> int:
        tell(data, "spoilt")
        return 1

    steps: list[str] = []
    with pytest.raises(Problem, match="as before"):
        upgrade(data, NOW_US, faulty, steps.append)
    assert steps == ["copy", "migrate", "verify", "back"]
    assert state(data) == ("versions", "before")
    assert [one.gone_back for one in upgrades(data)] == [True]


def test_only_the_last_two_ways_back_are_kept(tmp_path: Path) -> None:
    data = tmp_path / "town"
    begin(data)
    made = [upgrade(data, NOW_US + n * 1_000_000, lambda: 0).id for n in range(3)]
    assert [one.id for one in upgrades(data)] == made[1:]
    assert sorted(p.name for p in (data / ".upgrades").iterdir()) == made[1:]


def test_a_served_town_is_refused_and_a_newer_one_too(tmp_path: Path) -> None:
    data = tmp_path / "town"
    command("init", "--data", str(data), "--name", "Essai")

    def refused(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "beffroi", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode in (1, 2)
        return done.stderr

    served = Served(data)
    try:
        assert "en service" in refused("upgrade", "--data", str(data))
    finally:
        served.stop()
    with closing(sqlite3.connect(data / "records.db")) as file:
        file.execute("UPDATE alembic_version SET version_num = 'of_tomorrow'")
        file.commit()
    assert "plus récente" in refused("serve", "--data", str(data), "--port", "0")
    assert "plus récente" in refused("upgrade", "--data", str(data))
    assert (
        json.loads(command("upgrade", "--data", str(data), "--list", "--json"))["upgrades"][0]["gone_back"]
        is True
    )


@pytest.mark.postgres
def test_a_town_on_postgresql_goes_up_and_back(tmp_path: Path, postgresql_server: PostgresqlServer) -> None:
    data = tmp_path / "town"
    begin(data, postgresql_server.database())
    town = Served(data)
    assert town.call("/sensorthings/v1.1/Things", station())[0] == 201
    town.stop()
    tell(data, "before")
    upgrade(data, NOW_US, lambda: 0)
    tell(data, "after")
    go_back(data, NOW_US + 1)
    assert state(data) == (LATEST, "before")
