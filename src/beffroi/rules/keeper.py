"""The keeper's two threads of rules: one judges what is committed, the other does what alarms asked for."""

import logging
import threading
from collections.abc import Callable, Mapping

from beffroi.model.problem import Unavailable
from beffroi.model.text import Text
from beffroi.rules.actions import Hands, work_off
from beffroi.rules.engine import Engine
from beffroi.store.open import Store

__all__ = ["act", "judge"]

log = logging.getLogger("beffroi.rules")
GATHER_S = 0.1  # commits of that long are judged together
QUIET_S = 0.5  # how often time passes when nothing is committed
RETRY_S = 2.0


def judge(store: Store, stop: threading.Event, titles: Callable[[], Mapping[str, Text]] = dict) -> None:
    """Run the engine until `stop`; when the store cannot write, start again from the last checkpoint."""
    awake = threading.Event()
    cancel = store.listen(awake.set)
    engine: Engine | None = None
    try:
        while not stop.is_set():
            try:
                if engine is None:
                    engine = Engine(store, titles=titles)
                awake.clear()
                if not engine.step():
                    awake.wait(QUIET_S)
                stop.wait(GATHER_S)
            except Unavailable as problem:
                log.warning("rules wait for the store: %s", problem.reason.en)
                engine = None
                stop.wait(RETRY_S)
        if engine is not None:
            engine.checkpoint()
    finally:
        cancel()


def act(store: Store, stop: threading.Event, hands: Hands) -> None:
    """Do the actions that are due until `stop`, one after the other."""
    awake = threading.Event()
    cancel = store.listen(awake.set, records_only=True)
    try:
        while not stop.is_set():
            awake.clear()
            try:
                done = work_off(store, hands, stop)
            except Unavailable as problem:
                log.warning("actions wait for the store: %s", problem.reason.en)
                done = 0
                stop.wait(RETRY_S)
            if not done:
                awake.wait(QUIET_S)
                stop.wait(GATHER_S)
    finally:
        cancel()
