"""The log of a SQLite file is moved beside commits, and none of them is lost (https://sqlite.org/wal.html, the WAL-reset bug)."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.forked import Forked, script

from beffroi.store import checkpoint
from beffroi.store.checkpoint import move_log
from beffroi.store.database import connect_sqlite
from beffroi.store.turn import Turn

# writes five numbered rows at a time, as intake does, while a thread moves the log without pause
WRITER = """
import sqlite3, sys, threading, time
from contextlib import suppress
from pathlib import Path
from beffroi.store.checkpoint import move_log
from beffroi.store.database import connect_sqlite
from beffroi.store.turn import Turn

path, end = Path(sys.argv[1]), time.monotonic() + float(sys.argv[2])
turn, connection = Turn(path), connect_sqlite(path, synchronous="NORMAL")
def moves():
    mine = Turn(path)
    while time.monotonic() < end:
        with suppress(sqlite3.Error):
            move_log(path, mine)
moving = threading.Thread(target=moves)
moving.start()
said = []
while time.monotonic() < end:
    with turn:
        connection.execute("BEGIN IMMEDIATE")
        (last,) = connection.execute("UPDATE counter SET next = next + 5 RETURNING next").fetchone()
        rows = [(last - n, "x" * 300) for n in range(1, 6)]
        connection.executemany("INSERT INTO kept VALUES (?, ?)", rows)
        connection.execute("COMMIT")
    said.append(last)
moving.join()
print(*said)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file with a counter and a table of rows."""
    place = tmp_path / "rows.db"
    with closing(connect_sqlite(place)) as connection:
        connection.execute("CREATE TABLE counter (next INTEGER)")
        connection.execute("INSERT INTO counter VALUES (1)")
        connection.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, words TEXT)")
    return place


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that writes the file and never moves its log by itself."""
    with closing(connect_sqlite(path)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        yield connection


def beginnings(path: Path) -> int:
    """Return how often the log was started again (the checkpoint sequence number of its header)."""
    return int.from_bytes(path.with_name(f"{path.name}-wal").read_bytes()[12:16], "big")


def add(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO kept (words) VALUES (?)", ("x" * 300,))


def test_what_was_moved_makes_room_and_nothing_is_lost(path: Path, writer: sqlite3.Connection) -> None:
    turn = Turn(path)
    before = beginnings(path)
    for _ in range(3):
        for _ in range(50):
            add(writer)
        move_log(path, turn)
    add(writer)
    assert beginnings(path) == before + 3
    assert writer.execute("SELECT count(*) FROM kept").fetchone() == (151,)
    turn.close()


def test_no_commit_starts_the_log_again_under_a_pass(
    path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, seen, at_work = Turn(path), list[int](), checkpoint._held

    def watched(moving: sqlite3.Connection, *rest: object) -> object:
        held = at_work(moving, *rest)  # type: ignore[arg-type]
        begin, end = held.__enter__, held.__exit__

        class Watched:
            def __enter__(self) -> None:
                begin()
                first = beginnings(path)
                moving.execute("PRAGMA wal_checkpoint(PASSIVE)")  # all of it, as another's pass might be
                for _ in range(3):
                    add(writer)
                seen.append(beginnings(path) - first)

            def __exit__(self, *error: object) -> None:
                end(*error)  # type: ignore[arg-type]

        return Watched()

    add(writer)
    monkeypatch.setattr(checkpoint, "_held", watched)
    move_log(path, turn)
    assert seen
    assert set(seen) == {0}
    turn.close()


def test_one_moves_it_at_a_time(path: Path, writer: sqlite3.Connection) -> None:
    turn, before = Turn(path), beginnings(path)
    add(writer)
    with checkpoint._alone(path) as alone:
        assert alone
        other = threading.Thread(target=move_log, args=(path, turn))
        other.start()
        other.join()
    add(writer)
    assert beginnings(path) == before
    move_log(path, turn)
    add(writer)
    assert beginnings(path) == before + 1
    turn.close()


@pytest.mark.nightly
def test_processes_that_commit_and_move_without_pause_lose_nothing(path: Path) -> None:
    """SQLite 3.40 loses rows within a minute when the log is moved without this care."""
    writers = [Forked(script, WRITER, str(path), "60") for _ in range(4)]
    said = [int(line) for one in writers for line in one.rest().split()]
    assert [one.wait() for one in writers] == [0] * 4
    with closing(connect_sqlite(path)) as connection:
        held = {row[0] for row in connection.execute("SELECT id FROM kept")}
        assert {last - n for last in said for n in range(1, 6)} - held == set()
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
