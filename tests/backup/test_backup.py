"""A busy town is backed up and restored elsewhere: nothing acknowledged before is missing, and all is whole."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.conftest import PostgresqlServer
from tests.faults.serving import Town as Served
from tests.faults.serving import command
from tests.sensorthings_town import station

from beffroi.settings import load_settings
from beffroi.town import open_town

ROOT = "/sensorthings/v1.1"


def backup(data: Path, vault: Path, *options: str) -> dict[str, object]:
    return json.loads(command("backup", "--data", str(data), "--to", str(vault), "--json", *options))


def restore(vault: Path, key: Path, to: Path) -> dict[str, object]:
    return json.loads(command("restore", str(vault), "--key", str(key), "--to", str(to), "--json"))


def exported(data: Path, to: Path) -> dict[str, bytes]:
    command("export", "--data", str(data), "--to", str(to))
    return {p.relative_to(to).as_posix(): p.read_bytes() for p in to.rglob("*") if p.is_file()}


def ids_of(data: Path) -> set[int]:
    town = open_town(data)
    try:
        return {o.id for o in town.store.observations.after(0, 1_000_000)}
    finally:
        town.close()


def test_a_busy_town_comes_back_whole_elsewhere(tmp_path: Path) -> None:
    data, vault, key = tmp_path / "town", tmp_path / "vault", tmp_path / "away.key"
    command("init", "--data", str(data), "--name", "Essai")
    served = Served(data)
    acknowledged: list[int] = []
    over = threading.Event()
    try:
        assert served.call(ROOT + "/Things", station())[0] == 201

        def post(number: int) -> None:
            while not over.is_set():
                status, made = served.call(
                    ROOT + "/Datastreams(1)/Observations?$select=id",
                    {"result": number},
                    Prefer="return=representation",
                )
                if status == 201:
                    acknowledged.append(made["@iot.id"])

        writers = [threading.Thread(target=post, args=(n,)) for n in range(3)]
        for writer in writers:
            writer.start()
        while len(acknowledged) < 60:
            over.wait(0.01)
        before = set(acknowledged)
        first = backup(data, vault, "--key", str(key))
        second = backup(data, vault, "--key", str(key))
        over.set()
        for writer in writers:
            writer.join()
        after = set(acknowledged)
    finally:
        over.set()
        served.stop()
    assert second["added"] < first["added"]  # type: ignore[operator]
    restore(vault, key, tmp_path / "again")
    held = ids_of(tmp_path / "again")
    assert before <= held <= after
    # at rest: the restored town gives the same export, byte for byte
    backup(data, vault, "--key", str(key), "--keep", "1")
    told = restore(vault, key, tmp_path / "quiet")
    assert told["faults"] == 0
    assert ids_of(tmp_path / "quiet") == after
    assert exported(tmp_path / "quiet", tmp_path / "b") == exported(data, tmp_path / "a")
    listed = json.loads(command("restore", str(vault), "--key", str(key), "--list", "--json"))
    assert len(listed["snapshots"]) == 1


def test_what_cannot_be_restored_is_told_and_nothing_is_overwritten(tmp_path: Path) -> None:
    data, vault = tmp_path / "town", tmp_path / "vault"
    command("init", "--data", str(data), "--name", "Essai")
    backup(data, vault)
    key = data / "backup.key"
    assert key.stat().st_mode & 0o777 == 0o600
    away = tmp_path / "away"
    restore(vault, key, away)
    assert not (away / "backup.key").exists()  # the key is not kept beside what it opens

    def refused(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "beffroi", "restore", str(vault), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (1, 2)
        return done.stderr

    assert "n'est pas vide" in refused("--key", str(key), "--to", str(away))
    assert "n'y a pas de clé" in refused("--key", str(tmp_path / "none"), "--to", str(tmp_path / "x"))
    chunk = next(vault.glob("chunks/*/*"))
    chunk.write_bytes(b"")
    assert "abîmée" in refused("--key", str(key), "--to", str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


@pytest.mark.postgres
def test_a_busy_town_on_postgresql_comes_back_in_an_empty_database(
    tmp_path: Path, postgresql_server: PostgresqlServer
) -> None:
    data, vault, key = tmp_path / "town", tmp_path / "vault", tmp_path / "town/backup.key"
    url, other = postgresql_server.database(), postgresql_server.database()
    command("init", "--data", str(data), "--name", "Essai", "--database", url)
    served = Served(data)
    acknowledged: list[int] = []
    over = threading.Event()

    def post() -> None:
        while not over.is_set():
            where = ROOT + "/Datastreams(1)/Observations?$select=id"
            status, made = served.call(where, {"result": 7}, Prefer="return=representation")
            if status == 201:
                acknowledged.append(made["@iot.id"])

    try:
        assert served.call(ROOT + "/Things", station())[0] == 201
        writer = threading.Thread(target=post)
        writer.start()
        while len(acknowledged) < 20:
            over.wait(0.01)
        before = set(acknowledged)
        backup(data, vault)
        over.set()
        writer.join()
    finally:
        over.set()
        served.stop()
    busy, quiet = tmp_path / "busy", tmp_path / "quiet"
    told = subprocess.run(
        [sys.executable, "-m", "beffroi", "restore", str(vault), "--key", str(key), "--to", str(busy)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode != 0  # the database that the settings name is in use: said, nothing touched
    assert "--database" in told.stderr
    shutil.rmtree(busy)
    restored = ("restore", str(vault), "--key", str(key), "--json", "--to")
    command(*restored, str(busy), "--database", other)
    assert before <= ids_of(busy) <= set(acknowledged)
    backup(data, vault)
    last = postgresql_server.database()
    assert json.loads(command(*restored, str(quiet), "--database", last))["faults"] == 0
    assert load_settings(quiet).store.records == last
    assert exported(quiet, tmp_path / "b") == exported(data, tmp_path / "a")
