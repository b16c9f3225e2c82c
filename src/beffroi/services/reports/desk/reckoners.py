"""The duty that computes what pages wait for, each in a process of its own, at the lowest priority.

Reading a million reports takes a gigabyte and seconds of processor: the process gives both back when it ends, and no
page is served slower for it.
"""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
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
    began, now = time.perf_counter(), town.clock()
    who = Principal("system", "Beffroi", "admin", order.territories)
    read, result, body = _RECKONERS[order.name](town, who, now, tell(town, order))
    took = round(time.perf_counter() - began, 1)
    keep(town, order, Kept(order.name, order.territories, now, took, read, msgspec.to_builtins(result)), body)


def reckon_apart(town: Town, order: Order, stop: threading.Event) -> str:
    """Compute an order in a process of its own; return why it failed, "" when it did not. `stop` ends the process: the
    order waits for the next start."""
    command = [sys.executable, "-m", __name__, str(town.settings.data), msgspec.json.encode(order).decode()]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 -- ourselves
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
        reader.start()
        while process.poll() is None:
            if stop.wait(_POLL_S):
                process.kill()
                return ""
        reader.join(5)
    if process.returncode == 0:
        return ""
    log.warning("the reckoning %s failed (%s): %s", order.key, process.returncode, "".join(said).strip())
    return said[-1].strip() if said else f"exit {process.returncode}"


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


def _main(data: str, order: str) -> None:
    give_way()
    town = open_town(Path(data))
    try:
        reckon(town, msgspec.json.decode(order, type=Order))
    finally:
        town.close()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
