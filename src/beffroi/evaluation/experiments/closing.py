"""Closing: the series and rules that an experiment set up stop, reversibly; nothing of the town's own does."""

from collections.abc import Callable, Mapping
from typing import Any

from beffroi.model.instant import format_instant
from beffroi.store.closed import SETTING
from beffroi.store.open import Store

__all__ = ["Switch", "close_intake", "reopen_intake"]

Switch = Callable[[int, bool], bool]
"""Switches a rule on or off; returns whether it was the other way."""


def close_intake(store: Store, values: Mapping[str, Any], switch: Switch) -> dict[str, Any]:
    """Refuse what comes for the experiment's own series, switch its rules off; return what was really stopped."""
    series = [int(i) for i in values["intake"] or ()]
    closed = dict(store.setting(SETTING, {}))
    fresh = [i for i in series if str(i) not in closed]
    since = format_instant(store.clock())
    closed |= {str(i): {"experiment": values["code"], "since": since} for i in fresh}
    store.set_setting(SETTING, closed)
    store.observations.closed.forget()
    rules = [int(i) for i in values["rules"] or () if switch(int(i), False)]
    return {"series": fresh, "rules": rules, "at": since}


def reopen_intake(store: Store, closed: Mapping[str, Any], switch: Switch) -> None:
    """Take back what `close_intake` did."""
    kept = dict(store.setting(SETTING, {}))
    for series in closed.get("series", ()):
        kept.pop(str(series), None)
    store.set_setting(SETTING, kept or None)
    store.observations.closed.forget()
    for rule in closed.get("rules", ()):
        switch(int(rule), True)
