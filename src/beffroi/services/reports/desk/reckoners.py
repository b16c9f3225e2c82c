"""The duty that computes what pages wait for, each in a process of its own, at the lowest priority.

Reading a million reports takes a gigabyte and seconds of processor: the process gives both back when it ends, and no
page is served slower for it.
"""

import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from beffroi.model.principal import Principal
from beffroi.services.reports.desk.bias_sheet import archive_of, incidents_now, sheet_of_incidents
from beffroi.services.reports.desk.reckoning import (
    Kept,
    Order,
    failed,
    forget_order,
    keep,
    orders,
    renew,
    tell,
)
from beffroi.services.reports.desk.sheet import sheets_of
from beffroi.services.reports.giving_way import give_way
from beffroi.town import Town, open_town

__all__ = ["BIAS", "FIGURES", "compute_reckonings", "reckon", "reckon_apart"]

log = logging.getLogger("beffroi.reports")
FIGURES, BIAS = "figures", "bias"
RENEW_S = 3600.0
_POLL_S = 0.2
Made = tuple[int, Any, bytes | None]  # reports read, result, file
Progress = Callable[[float], None]


def _figures(town: Town, who: Principal, now_us: int, progress: Progress) -> Made:
    read, sheets = sheets_of(town, who, now_us, progress)
    return read, sheets, None


def _bias(town: Town, who: Principal, now_us: int, progress: Progress) -> Made:
    incidents = incidents_now(town, who, now_us, lambda share: progress(share * 0.6))
    sheet = sheet_of_incidents(town, incidents, now_us)
    progress(0.8)
    _, body = archive_of(town, incidents, now_us)
    return sum(1 + one.duplicates for one in incidents), sheet, body


_RECKONERS: dict[str, Callable[[Town, Principal, int, Progress], Made]] = {FIGURES: _figures, BIAS: _bias}


def reckon(town: Town, order: Order) -> None:
    """Compute what was ordered and keep it."""
    kept, body = _compute(town, order, tell(town, order))
    keep(town, order, kept, body)


def _compute(town: Town, order: Order, progress: Progress) -> tuple[Kept, bytes | None]:
    began, now = time.perf_counter(), town.clock()
    who = Principal("system", "Beffroi", "admin", order.territories)
    read, result, body = _RECKONERS[order.name](town, who, now, progress)
    took = round(time.perf_counter() - began, 1)
    return Kept(order.name, order.territories, now, took, read, msgspec.to_builtins(result)), body


def reckon_apart(town: Town, order: Order, stop: threading.Event) -> str:
    """Compute an order in a process of its own and keep what it made; return why it failed, "" when it did not. `stop`
    ends the process: the order waits for the next start.

    The process only reads. One that gives way to all others must not hold the turn to write.
    """
    with tempfile.TemporaryDirectory(prefix="beffroi-") as folder:
        made, said = Path(folder) / "made", Path(folder) / "said"
        command = [sys.executable, "-m", __name__, str(town.settings.data), msgspec.json.encode(order).decode(), str(made)]  # fmt: skip
        progress = tell(town, order)
        with said.open("w") as errors, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True) as process:  # noqa: S603 -- ourselves # fmt: skip
            reader = threading.Thread(target=_follow, args=(process.stdout, progress), daemon=True)
            reader.start()
            while process.poll() is None:
                if stop.wait(_POLL_S):
                    process.kill()
                    return ""
            reader.join(5)
        if process.returncode == 0:
            keep(town, order, *msgspec.msgpack.decode(made.read_bytes(), type=tuple[Kept, bytes | None]))
            return ""
        words = said.read_text("utf-8", "replace").strip()
    log.warning("the reckoning %s failed (%s): %s", order.key, process.returncode, words)
    return words.splitlines()[-1] if words else f"exit {process.returncode}"


def _follow(lines: Iterable[str] | None, progress: Progress) -> None:
    for line in lines or ():
        progress(float(line))


def compute_reckonings(town: Town, stop: threading.Event) -> None:
    """Compute what is asked for, and each day what was kept, until `stop`."""
    awake = threading.Event()
    cancel = town.store.listen(awake.set, records_only=True)
    renewed = -RENEW_S
    try:
        while not stop.is_set():
            awake.clear()
            if time.monotonic() - renewed >= RENEW_S:
                renew(town)
                renewed = time.monotonic()
            for order in orders(town):
                _one(town, order, stop)
            stop.wait(1.0)
            while not (stop.is_set() or awake.wait(1.0) or time.monotonic() - renewed >= RENEW_S):
                pass
    finally:
        cancel()


def _one(town: Town, order: Order, stop: threading.Event) -> None:
    if stop.is_set():
        return
    if order.name not in _RECKONERS:  # of a version that had more
        forget_order(town, order)
        return
    error = reckon_apart(town, order, stop)
    if error and not stop.is_set():
        failed(town, order, error)


def _say(share: float) -> None:
    sys.stdout.write(f"{share}\n")
    sys.stdout.flush()


def _main(data: str, order: str, made: str) -> None:
    town = open_town(Path(data))
    give_way()
    try:
        found = _compute(town, msgspec.json.decode(order, type=Order), _say)
        Path(made).write_bytes(msgspec.msgpack.encode(found))
    finally:
        town.close()


if __name__ == "__main__":
    _main(*sys.argv[1:4])
