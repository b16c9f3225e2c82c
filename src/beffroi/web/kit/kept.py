"""Kept figures: what takes long to compute is shown as last known, with its time, and computed anew behind the page.

A figure is a JSON value under a name. It is computed by one thread, kept in memory and in the setting `kept.figures`, so
that a town that starts again has something to show at once.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from beffroi.model.declaration import Indicator
from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.problem import Problem
from beffroi.town import Town

__all__ = ["PATIENCE_S", "Figure", "indicator_figure", "keep_figure", "kept_figure", "measured_indicator"]

SETTING = "kept.figures"
PATIENCE_S = 0.05
AFTER_THE_PAGE_S = 0.3  # what is only made newer leaves the processor to the page that asked
MOST = 2_000


class Figure(msgspec.Struct, frozen=True):
    """A value and when it was computed."""

    value: Any
    at_us: int


class _Keeper:
    def __init__(self, town: Town) -> None:
        self.lock = threading.Lock()
        self.hand = ThreadPoolExecutor(1, thread_name_prefix="figures")
        self.pending: dict[str, Future[Figure]] = {}
        self.figures: dict[str, Figure] = msgspec.convert(town.store.setting(SETTING, {}), dict[str, Figure])


_keepers: WeakKeyDictionary[Town, _Keeper] = WeakKeyDictionary()
_opening = threading.Lock()


def _keeper(town: Town) -> _Keeper:
    with _opening:
        found = _keepers.get(town)
        if found is None:
            found = _keepers[town] = _Keeper(town)
        return found


def kept_figure(
    town: Town,
    name: str,
    compute: Callable[[], Any],
    *,
    fresh_us: int = HOUR_US,
    good_us: int = 0,
    wait_s: float = PATIENCE_S,
) -> Figure | None:
    """Return a figure: the fresh one, or, after waiting a little for a new one, the last known; None when there is none yet.

    One that is less old than `good_us` is not waited for: it is returned at once, and computed anew once the page is gone.
    """
    keeper, now = _keeper(town), town.clock()
    with keeper.lock:
        known = keeper.figures.get(name)
        if known is not None and 0 <= now - known.at_us < fresh_us:
            return known
        good = known is not None and 0 <= now - known.at_us < good_us
        future = keeper.pending.get(name)
        if future is None:
            later = AFTER_THE_PAGE_S if good and not keeper.pending else 0.0
            future = keeper.pending[name] = keeper.hand.submit(_computed, town, keeper, name, compute, later)
    if good:
        return known
    try:
        return future.result(wait_s)
    except TooLate:
        return known
    except (Problem, SQLAlchemyError, OSError):
        return known


def _computed(
    town: Town, keeper: _Keeper, name: str, compute: Callable[[], Any], later_s: float = 0.0
) -> Figure:
    time.sleep(later_s)
    try:
        figure = Figure(compute(), town.clock())
        with keeper.lock:
            keeper.figures[name] = figure
            while len(keeper.figures) > MOST:
                keeper.figures.pop(next(iter(keeper.figures)))
            kept = msgspec.to_builtins(keeper.figures)
        town.store.set_setting(SETTING, kept)
        return figure
    finally:
        with keeper.lock:
            keeper.pending.pop(name, None)


def keep_figure(town: Town, name: str, value: Any) -> None:
    """Keep a figure that was computed elsewhere."""
    keeper = _keeper(town)
    with keeper.lock:
        keeper.figures[name] = Figure(value, town.clock())
        kept = msgspec.to_builtins(keeper.figures)
    town.store.set_setting(SETTING, kept)


def measured_indicator(
    town: Town, indicator: Indicator, territory: str | None, span_us: int
) -> list[float | None]:
    """Return an indicator over the span that ends now, and over the one before it (None: not known)."""
    end = town.clock()
    now = indicator.compute(town, territory, end - span_us, end)
    firsts = [s.first_us for s in town.store.observations.stats().values() if s.first_us is not None]
    covered = not indicator.standing and bool(firsts) and min(firsts) <= end - 2 * span_us
    return [now, indicator.compute(town, territory, end - 2 * span_us, end - span_us) if covered else None]


def indicator_figure(
    town: Town, indicator: Indicator, territory: str | None, span_us: int, *, wait_s: float = PATIENCE_S
) -> Figure | None:
    """Return an indicator (now, before) as last known, computed anew behind the page when it is an hour old."""
    name = f"{indicator.name}:{territory or ''}:{span_us}"
    return kept_figure(
        town,
        name,
        lambda: measured_indicator(town, indicator, territory, span_us),
        good_us=DAY_US,
        wait_s=wait_s,
    )
