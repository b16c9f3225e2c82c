"""A commit has reached the disk when it returns, and one sync serves all who wait."""

import os
import threading

import pytest
from sqlalchemy import text

from beffroi.model.observation import Draft
from beffroi.model.problem import Unavailable
from beffroi.model.result import Result
from beffroi.settings import Settings
from beffroi.store import durable
from beffroi.store.durable import Log
from beffroi.store.open import Store
from beffroi.store.turn import Turn


@pytest.fixture
def store(tmp_path):
    opened = Store.open(Settings(data=tmp_path))
    yield opened
    opened.close()


def watch_syncs(monkeypatch, log) -> list[tuple[int, bytes]]:
    """Note the file of each sync, and what the log held then."""
    seen: list[tuple[int, bytes]] = []
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os,
            name,
            lambda file, real=real: (seen.append((os.fstat(file).st_ino, log.read_bytes())), real(file)),
        )
    return seen


def test_every_commit_is_synced_after_it_was_written(store, monkeypatch) -> None:
    log = store.settings.data / "records.db-wal"
    seen = watch_syncs(monkeypatch, log)
    store.set_setting("essai", "un mot que rien d'autre ne dit")
    # the directory's too, for the log may be new
    assert {inode for inode, _ in seen} == {log.stat().st_ino, store.settings.data.stat().st_ino}
    assert seen[-1][0] == log.stat().st_ino
    assert b"un mot que rien d'autre ne dit" in seen[-1][1]


def test_observations_are_synced_before_they_are_acknowledged_and_outside_of_the_turn(
    store, monkeypatch
) -> None:
    log = store.settings.data / "observations.db-wal"
    seen, free = watch_syncs(monkeypatch, log), []
    turn, reach = Turn(store.settings.data / "observations.db"), store.database._observed.reach

    def reaching() -> None:
        free.append(turn.take_now())
        turn.give()
        reach()

    monkeypatch.setattr(store.database._observed, "reach", reaching)
    literal = "un mot que rien d'autre ne dit"
    store.observations.append([Draft(1, 0, Result(None, None, f'"{literal}"'))])
    assert literal.encode() in seen[-1][1]
    assert seen[-1][0] == log.stat().st_ino
    assert free == [True]
    with store.database.write_observations() as connection:
        connection.execute(text("UPDATE observation SET extra = 'encore un autre'"))
    assert b"encore un autre" in seen[-1][1]
    assert free == [True, True]
    turn.close()


def test_what_cannot_reach_the_disk_is_said(store, monkeypatch) -> None:
    def broken(_file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(durable.os, "fdatasync", broken)
        with pytest.raises(Unavailable):
            store.set_setting("essai", 1)
        with pytest.raises(Unavailable):
            store.observations.append([Draft(1, 0, Result(1.0, 0))])
    store.set_setting("essai", 2)
    assert store.setting("essai") == 2
    assert store.observations.append([Draft(1, 0, Result(1.0, 0))]).stored == 1


def test_one_sync_serves_all_who_committed_before_it_began(tmp_path, monkeypatch) -> None:
    """Nobody returns from `reach` without a sync that began after they asked, and ten who wait cost one more."""
    (tmp_path / "a.db-wal").write_bytes(b"")
    log, first, go, syncs = Log(tmp_path / "a.db"), threading.Event(), threading.Event(), []

    def slow(_file: int) -> None:
        syncs.append(log._asked)
        if len(syncs) == 1:
            first.set()
            assert go.wait(5)

    monkeypatch.setattr(durable.os, "fdatasync", slow)
    leader = threading.Thread(target=log.reach)
    leader.start()
    assert first.wait(5)
    others = [threading.Thread(target=log.reach) for _ in range(10)]
    for one in others:
        one.start()
    while log._asked < 11:
        pass
    assert all(one.is_alive() for one in others)  # the sync that runs began before they committed
    go.set()
    for one in (leader, *others):
        one.join(5)
    assert syncs == [1, 11]
    log.close()


def test_a_log_that_was_taken_away_is_found_again(store) -> None:
    path = store.settings.data / "records.db"
    store.set_setting("essai", 1)
    store.database.close()
    assert not path.with_name("records.db-wal").exists()
    again = Store.open(store.settings)
    again.set_setting("essai", 2)
    with again.read() as c:
        assert c.execute(text("SELECT value FROM setting WHERE key = 'essai'")).scalar() == "2"
    again.close()


def test_no_file_is_mapped_into_who_reads(store) -> None:
    with store.read() as c:
        assert [c.exec_driver_sql(f"PRAGMA {name}.mmap_size").scalar() for name in ("main", "obs")] == [0, 0]
