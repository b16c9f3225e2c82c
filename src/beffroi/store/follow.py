"""Follow: work that commits give rise to, done at each turn until it is told to stop."""

import threading
from collections.abc import Callable

from beffroi.store.open import Store

__all__ = ["follow"]


def follow(
    store: Store, stop: threading.Event, work: Callable[[], int], *, whole: int = 1, idle_s: float = 1.0, pause_s: float = 0.5
) -> None:  # fmt: skip
    """Call `work`, which returns how much it did, until `stop`.

    When it did nothing, the next commit is waited for, at most `idle_s`; when it did less than `whole`, it is left alone for
    `pause_s`: a town that writes all the time is asked at a pace, not without end. Raises what `work` raises.
    """
    awake = threading.Event()
    cancel = store.listen(awake.set)
    try:
        while not stop.is_set():
            awake.clear()
            done = work()
            if not done:
                awake.wait(idle_s)
            if done < whole:
                stop.wait(pause_s)
    finally:
        cancel()
