"""What the C library keeps of memory that nobody uses any more: little, on a small machine.

Each of our thirty threads would be given an arena of its own, with holes of its own; they compute one at a time anyway.
"""

import asyncio
import ctypes
from typing import Any

__all__ = ["few_arenas", "give_back", "keep_small"]

_M_ARENA_MAX = -8  # malloc.h
_ARENAS = 1
SETTLED_S = 4.0  # what starting takes is over by then
EVERY_S = 300.0


def _library() -> Any:
    return ctypes.CDLL(None)


def few_arenas() -> bool:
    """Let all threads share one arena; return whether this C library knows how (glibc does)."""
    set_option = getattr(_library(), "mallopt", None)
    return set_option is not None and bool(set_option(_M_ARENA_MAX, _ARENAS))


def give_back() -> bool:
    """Give pages that hold nothing back to the system; return whether any were."""
    trim = getattr(_library(), "malloc_trim", None)
    return trim is not None and bool(trim(0))


async def keep_small() -> None:
    """Give back what starting took, then what each few minutes' work did; ends when it is cancelled."""
    await asyncio.sleep(SETTLED_S)
    while True:
        await asyncio.to_thread(give_back)
        await asyncio.sleep(EVERY_S)
