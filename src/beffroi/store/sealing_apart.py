"""Sealing apart: large segments are written by a process of their own, which gives way to all others and only reads the database.

The process that serves would have to share its interpreter with the work of minutes. What holds the turn to write stays
there: one that gives way must not hold what others wait for.
"""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from beffroi.settings import Settings, StoreSettings
from beffroi.store.archive import Archive, Segment
from beffroi.store.database import Database, open_database
from beffroi.store.sealing import Bounds, Span, Write, write_segment

__all__ = ["writer_apart"]

LARGE = 100_000  # rows, of which a process of its own is worth the half second that it takes to start
NICE = 10  # a tenth of a processor when all are busy
LONGEST_S = 3600


class _Order(msgspec.Struct, frozen=True):
    data: str
    store: StoreSettings
    span: Span
    bounds: Bounds


def writer_apart(settings: Settings) -> Write:
    """Return what writes large segments of the town of `settings` apart, and small ones here."""

    def write(archive: Archive, database: Database, span: Span, bounds: Bounds) -> Segment | None:
        if span.rows < LARGE:
            return write_segment(archive, database, span, bounds)
        order = msgspec.json.encode(_Order(str(settings.data), settings.store, span, bounds))
        command = [sys.executable, "-m", __name__]
        done = subprocess.run(command, input=order, capture_output=True, check=False, timeout=LONGEST_S)  # noqa: S603 -- ourselves
        if done.returncode:
            raise RuntimeError(
                f"the segment could not be written: {done.stderr.decode(errors='replace')[-500:]}"
            )
        return msgspec.json.decode(done.stdout, type=Segment | None)

    return write


def _main() -> None:
    """Write the segment that the standard input orders, and say it on the standard output."""
    os.nice(NICE)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=_Order)
    settings = Settings(data=Path(order.data), store=order.store)
    database = open_database(settings)
    archive = Archive(settings, database)
    try:
        made = write_segment(archive, database, order.span, order.bounds)
    finally:
        archive.close()
        database.close()
    sys.stdout.buffer.write(msgspec.json.encode(made))


if __name__ == "__main__":
    _main()
