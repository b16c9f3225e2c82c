"""Giving way: what one process does so that it works only when nothing else would."""

import os
from contextlib import suppress

__all__ = ["NICEST", "give_way"]

NICEST = 19


def give_way() -> None:
    """Let every other process go first from now on: at the lowest priority, and on Linux only when a processor is idle
    (`sched(7)`, SCHED_IDLE): one that wakes up interrupts this one at once."""
    os.nice(NICEST)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
