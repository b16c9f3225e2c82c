"""The turn: one at a time, each in its turn, and open again when a holder dies."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from beffroi.store.turn import Turn

HOLD = """
import sys, time
from pathlib import Path
from beffroi.store.turn import Turn
with Turn(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""


def test_one_at_a_time(tmp_path: Path) -> None:
    inside, passed, turns = threading.Lock(), [], 100

    def work(name: str) -> None:
        mine = Turn(tmp_path / "x.db")  # its own files, as another process has
        for _ in range(turns):
            with mine:
                assert inside.acquire(blocking=False)
                passed.append(name)
                inside.release()
        mine.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(passed) == sorted("abc" * turns)


def test_who_leaves_cannot_come_back_before_who_waits(tmp_path: Path) -> None:
    order: list[str] = []
    first, second = Turn(tmp_path / "x.db"), Turn(tmp_path / "x.db")

    def wait() -> None:
        with second:
            order.append("second")

    waiting = threading.Thread(target=wait)
    with first:
        order.append("first")
        waiting.start()
        with (tmp_path / "x.db-queue").open("ab") as queue:
            while True:  # until the other stands in the queue
                try:
                    fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    break
                fcntl.flock(queue, fcntl.LOCK_UN)
    with first:
        order.append("first again")
    waiting.join()
    assert order == ["first", "second", "first again"]
    first.close()
    second.close()


def test_a_holder_that_dies_lets_the_next_one_in(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "x.db")], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"in\n"
    entered = threading.Event()

    def enter() -> None:
        with Turn(tmp_path / "x.db"):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.wait(0.2)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert entered.wait(10)
    waiting.join()
