"""Collecting less: what a sensor would have sent under another rule, replayed on what it did send, with the regret.

- *send on delta*: only when the value moved by more than a dead band since the last message, or after a longest silence;
- *adaptive*: the pace doubles after a move beyond the band, halves while the value is quiet, within two paces.

The regret is what the platform would have seen worse: the largest and mean error of the value it holds, the alarms
(passages above a threshold) that it would have missed, and how late it would have known of the others.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Regret", "adaptive", "replay", "send_on_delta"]

Array = NDArray[np.float64]


class Regret(msgspec.Struct, frozen=True):
    """What a rule would have saved and lost. Delays are in microseconds."""

    messages: int
    of: int
    largest_error: float
    mean_error: float
    alarms: int
    missed: int
    mean_delay_us: int
    longest_delay_us: int

    @property
    def saved(self) -> float:
        """Return the share of the messages that would not have been sent."""
        return 1.0 - self.messages / self.of if self.of else 0.0


def send_on_delta(values: Sequence[float], at_us: Sequence[int], band: float, longest_us: int) -> list[int]:
    """Return the places of the values that would have been sent: moved by more than `band`, or silent `longest_us`."""
    sent: list[int] = []
    for n, value in enumerate(values):
        if not sent or abs(value - values[sent[-1]]) > band or at_us[n] - at_us[sent[-1]] >= longest_us:
            sent.append(n)
    return sent


def adaptive(
    values: Sequence[float], at_us: Sequence[int], band: float, shortest_us: int, longest_us: int
) -> list[int]:
    """Return the places of the values that a sensor whose pace follows what it sees would have sent.

    It sleeps between two measurements: unlike with `send_on_delta`, what happens meanwhile is not seen.
    """
    sent: list[int] = []
    pace = shortest_us
    for n, value in enumerate(values):
        if sent and at_us[n] - at_us[sent[-1]] < pace:
            continue
        if sent:
            moved = abs(value - values[sent[-1]]) > band
            pace = max(shortest_us, pace // 2) if moved else min(longest_us, pace * 2)
        sent.append(n)
    return sent


def replay(
    values: Sequence[float], at_us: Sequence[int], sent: Sequence[int], threshold: float | None = None
) -> Regret:
    """Return the regret of having only the values at the places `sent`, each held until the next one."""
    series, times = np.asarray(values, float), np.asarray(at_us, np.int64)
    if not len(series):
        return Regret(0, 0, 0.0, 0.0, 0, 0, 0, 0)
    places = np.asarray(sent, np.int64)
    held = series[places[np.searchsorted(places, np.arange(len(series)), side="right") - 1]]
    error = np.abs(held - series)
    alarms, missed, delays = (
        _alarms(series, places, times, threshold) if threshold is not None else (0, 0, [])
    )
    return Regret(
        len(places), len(series), float(error.max()), float(error.mean()), alarms, missed,
        int(np.mean(delays)) if delays else 0, max(delays, default=0),
    )  # fmt: skip


def _alarms(
    series: Array, places: NDArray[np.int64], times: NDArray[np.int64], threshold: float
) -> tuple[int, int, list[int]]:
    """Return how many passages above the threshold there were, how many had no message, how late the others' first was."""
    above = series > threshold
    starts = np.flatnonzero(above & ~np.concatenate([[False], above[:-1]]))
    ends = np.flatnonzero(above & ~np.concatenate([above[1:], [False]]))
    missed, delays = 0, []
    for first, last in zip(starts, ends, strict=True):
        told = int(np.searchsorted(places, first))
        if told < len(places) and places[told] <= last:
            delays.append(int(times[places[told]] - times[first]))
        else:
            missed += 1
    return len(starts), missed, delays
