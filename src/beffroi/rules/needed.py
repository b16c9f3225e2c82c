"""What rules and alarms still need of the raw observations, so that retention leaves it alone."""

from typing import Any

import msgspec

from beffroi.model.instant import DAY_US
from beffroi.model.problem import Problem
from beffroi.rules.alarms import open_alarms
from beffroi.rules.reading import read_rule
from beffroi.rules.rulebook import rules
from beffroi.store.open import Store
from beffroi.store.thinning import Thinned, past, thin

__all__ = ["needed_since", "past_now", "thin_now"]


def needed_since(store: Store, now_us: int) -> dict[int, int]:
    """Return since when the raw rows of a datastream (0: of all) are needed: an open alarm's window with the day
    before it, and the longest look-back of a rule that is on."""
    needed: dict[int, int] = {}
    for row in open_alarms(store):
        began = row.values["began_at"] or row.values["raised_at"]
        series = row.values["datastream_id"] or 0  # an alarm of several series: all of them
        needed[series] = min(needed.get(series, began), began - DAY_US)
    longest = 0
    for row in rules(store, enabled=True):
        try:
            longest = max(longest, _longest(read_rule(row.values["yaml"])))
        except Problem:  # a rule that cannot be read watches nothing
            continue
    if longest:
        needed[0] = min(needed.get(0, now_us), now_us - longest - DAY_US)
    return needed


def _longest(value: Any) -> int:
    """Return the longest duration (a field named `…_us`) anywhere inside a rule."""
    if isinstance(value, tuple | list):
        return max((_longest(part) for part in value), default=0)
    if not isinstance(value, msgspec.Struct):
        return 0
    found = [0]
    for name in value.__struct_fields__:
        part = getattr(value, name)
        found.append(part if name.endswith("_us") and isinstance(part, int) else _longest(part))
    return max(found)


def past_now(store: Store, now_us: int) -> set[int]:
    """Return when the UTC days begin whose rows came late and past their retention: what is to be sealed at once."""
    return past(store, now_us, needed_since(store, now_us))


def thin_now(store: Store, now_us: int, who: str = "system") -> Thinned:
    """Take away the observations that are past their retention, and note it in the audit."""
    done = thin(store, now_us, needed_since(store, now_us))
    if done.rows or done.hours:
        with store.write() as connection:
            detail = {"rows": sum(done.rows.values()), "hours": sum(done.hours.values()), "freed": done.freed,
                      "datastreams": len(done.rows.keys() | done.hours.keys())}  # fmt: skip
            store.audit.note(connection, who, "observations.thin", "archive", detail)
    return done
