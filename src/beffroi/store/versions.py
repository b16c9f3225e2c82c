"""Versions: what the catalogue and the observations were before they were changed, and reading them "as of" then.

A row of the catalogue says since when it is as it is (`since_us`); what it was before goes to `TABLE_version`, with
from when until when, who changed it and why. So the state at an instant is a union of two selections. Observations cost
nothing on arrival: only corrections and deletions write a version, and a few marks a second (`pace`) say which numbers
were given when.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, literal, select, true

from beffroi.model.instant import DAY_US, MINUTE_US
from beffroi.store import tables
from beffroi.store.database import Database
from beffroi.store.tables import pace, past

__all__ = ["NOBODY", "AsOf", "By", "View", "Window", "keep", "now", "retire", "window", "without"]

_WHOLE_US = 2 * DAY_US
View = Callable[[str], Any]
"""Returns what to select the rows of a catalogue table from."""


class By(msgspec.Struct, frozen=True):
    """Who changes something, and why, where it is known."""

    author: str = ""
    reason: str = ""


NOBODY = By()


def now(name: str) -> Any:
    """Return the table `name`: the catalogue as it is."""
    return tables.metadata.tables[name]


class AsOf:
    """The catalogue as it was at an instant: a `View`."""

    def __init__(self, as_of_us: int) -> None:
        self.as_of_us = as_of_us
        self._made: dict[str, Any] = {}

    def __call__(self, name: str) -> Any:
        """Return the rows that the table `name` held then."""
        if name not in past:
            return now(name)
        if name not in self._made:
            table, before = tables.metadata.tables[name], past[name]
            here = select(*table.c).where(table.c.since_us <= self.as_of_us)
            gone = select(*(before.c[c.name] for c in table.c)).where(
                before.c.since_us <= self.as_of_us, before.c.until_us > self.as_of_us
            )
            self._made[name] = here.union_all(gone).subquery(f"{name}_then")
        return self._made[name]


def keep(
    c: Connection, name: str, where: ColumnElement[bool], now_us: int, action: str, by: By = NOBODY
) -> None:
    """Keep the rows of the catalogue table `name` that are about to be changed or deleted; call inside `write()`."""
    table, before = tables.metadata.tables[name], past[name]
    columns = [column.name for column in table.c]
    kept = select(*table.c, *(literal(v) for v in (now_us, action, by.author, by.reason))).where(where)
    c.execute(insert(before).from_select([*columns, "until_us", "action", "author", "reason"], kept))


class Window(msgspec.Struct, frozen=True):
    """What of the observations was there at an instant: ids below `below_id`, but for `changed` ones, of which a
    version then in force counts instead."""

    as_of_us: int
    below_id: int | None
    changed: frozenset[int]

    def present(self, row: Any) -> ColumnElement[bool]:
        """Return the condition of a stored row being as it was."""
        ids: Any = bindparam(None, sorted(self.changed), expanding=True, literal_execute=True, unique=True)
        there = true() if self.below_id is None else row.c.id < self.below_id
        return and_(there, row.c.id.not_in(ids) if self.changed else true())

    def in_force(self) -> str:
        """Return, in SQL, the condition of a version being the one in force."""
        below = "" if self.below_id is None else f" AND id < {int(self.below_id)}"
        return f"since_us <= {int(self.as_of_us)} AND until_us > {int(self.as_of_us)}{below}"


def window(c: Connection, as_of_us: int) -> Window:
    """Return what to read of the observations as of an instant."""
    below = select(func.min(pace.c.first_id)).where(pace.c.at_us > as_of_us)
    row = past["observation"]
    changed = select(row.c.id).where(row.c.until_us > as_of_us).distinct()
    return Window(as_of_us, c.execute(below).scalar(), frozenset(c.execute(changed).scalars()))


def without(c: Connection, name: str, condition: ColumnElement[bool]) -> int:
    """Erase the versions of `name` that fulfil a condition: erasure is stronger than memory. Return how many."""
    return c.execute(delete(past[name]).where(condition)).rowcount


def retire(database: Database, before_us: int) -> int:
    """Forget the versions that were over before an instant, return how many; thin the marks of `pace` out.

    Marks older than two days are kept one a minute: "as of" is then true to the minute.
    """
    with database.write() as c:
        gone = sum(
            without(c, name, t.c.until_us < before_us) for name, t in past.items() if name != "observation"
        )
    with database.write_observations() as c:
        gone += without(c, "observation", past["observation"].c.until_us < before_us)
        newest = c.execute(select(func.max(pace.c.at_us))).scalar() or 0
        first = select(func.min(pace.c.first_id)).group_by(pace.c.at_us // MINUTE_US)
        c.execute(delete(pace).where(pace.c.at_us < newest - _WHOLE_US, pace.c.first_id.not_in(first)))
    return gone
