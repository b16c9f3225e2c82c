"""Readers: how often each screen is shown, by day and never by whom; what nobody reads any more is said.

Counts are kept in memory and written at the first reading of a day, then every half minute, away from the request.
"""

import re
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US
from beffroi.model.problem import Problem
from beffroi.store.tables import page_reading
from beffroi.town import Town

__all__ = ["SILENT_DAYS", "Screen", "note", "place_of", "screens", "settle"]

SILENT_DAYS = 90
KEPT_DAYS = 400
PAUSE_S = 30.0
_TAG = re.compile(rb"<[a-zA-Z]")
# addresses that programs ask for, or that are no screen
_OUTSIDE = re.compile(
    r"^/(api|sensorthings|ogc|open311|static|health|hooks|deconnexion|connexion|ville-|logo-)|\.|\{path"
)


class Screen(msgspec.Struct, frozen=True):
    """One screen: whose it is, how often it was read in thirty days, when last, and what it weighs."""

    place: str
    service: str
    readings: int
    last_day: int | None
    weight: int
    elements: int
    requests: int
    bytes: int


class _Count(msgspec.Struct):
    service: str
    readings: int = 0
    bytes: int = 0
    weight: int = 0
    elements: int = 0
    requests: int = 0


class _Counter:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: dict[tuple[str, int], _Count] = {}
        self.seen: set[tuple[str, int]] = set()
        self.written = 0.0
        self.hand = ThreadPoolExecutor(1, thread_name_prefix="readings")


_counters: WeakKeyDictionary[Town, _Counter] = WeakKeyDictionary()


def place_of(request: Request) -> str:
    """Return the address with its numbers and names as places: `/series/{id}`."""
    path = str(request.scope["path"])
    for name, value in request.path_params.items():
        path, found = re.subn(rf"(?<=/){re.escape(str(value))}(?=/|$|\.)", f"{{{name}}}", path, count=1)
        if not found:  # what an address names is never kept: a number, a key
            return "/" + path.split("/")[1] + "/…"
    return path


def _service_of(request: Request, town: Town) -> str:
    """Return the service whose screen this is, "" for the platform's own."""
    parts = str(getattr(request.scope.get("endpoint"), "__module__", "")).split(".")
    if parts[:2] == ["beffroi", "services"] and len(parts) > 2:
        return parts[2]
    named = str(request.path_params.get("service") or request.path_params.get("name") or "")
    if named in town.registry.services:
        return named
    collection = town.registry.collections.get(named)
    return collection.service if collection is not None else ""


def note(request: Request, body: bytes, weight: int, requests: int) -> None:
    """Count one reading of a page: never who, and never so that the page waits for it."""
    town: Town | None = getattr(request.app.state, "town", None)
    if town is None or request.method != "GET":
        return
    counter = _counters.setdefault(town, _Counter())
    key = (place_of(request), town.clock() // DAY_US)
    elements = len(_TAG.findall(body))
    with counter.lock:
        count = counter.counts.setdefault(key, _Count(_service_of(request, town)))
        count.readings += 1
        count.bytes += weight
        count.weight, count.elements, count.requests = weight, elements, requests
        due = key not in counter.seen or time.monotonic() - counter.written > PAUSE_S
        counter.seen.add(key)
        if due:
            counter.written = time.monotonic()
    if due:
        counter.hand.submit(settle, town)


def settle(town: Town) -> None:
    """Write what was counted; a store that cannot be written loses these counts, and nothing else."""
    counter = _counters.setdefault(town, _Counter())
    with counter.lock:
        counts, counter.counts = counter.counts, {}
    if not counts:
        return
    try:
        with town.store.write() as c:
            for (place, day), count in counts.items():
                _write(c, place, day, count)
            c.execute(delete(page_reading).where(page_reading.c.day < town.clock() // DAY_US - KEPT_DAYS))
    except (Problem, SQLAlchemyError, OSError):
        return


def _write(c: Connection, place: str, day: int, count: _Count) -> None:
    t = page_reading.c
    mine = (t.place == place, t.day == day)
    added = {"readings": t.readings + count.readings, "bytes": t.bytes + count.bytes}
    last = {
        "weight": count.weight,
        "elements": count.elements,
        "requests": count.requests,
        "service": count.service,
    }
    if not c.execute(update(page_reading).where(*mine).values(**added, **last)).rowcount:
        c.execute(
            page_reading.insert().values(
                place=place, day=day, readings=count.readings, bytes=count.bytes, **last
            )
        )


def screens(town: Town, routes: Iterable[BaseRoute]) -> tuple[list[Screen], int | None]:
    """Return every screen that there is, and since which day readings are counted (None: not yet)."""
    settle(town)
    t, today = page_reading.c, town.clock() // DAY_US
    with town.store.read() as c:
        since = c.execute(select(func.min(t.day))).scalar()
        newest = select(t.place, func.max(t.day).label("day")).group_by(t.place).subquery()
        both = (newest.c.place == t.place) & (newest.c.day == t.day)
        last = {r.place: r for r in c.execute(select(page_reading).join(newest, both))}
        month = {
            r.place: r
            for r in c.execute(select(t.place, func.sum(t.readings).label("n"), func.sum(t.bytes).label("bytes")).where(t.day > today - 30).group_by(t.place))
        }  # fmt: skip
    found = []
    for place, service in _known(town, routes, last):
        row, read = last.get(place), month.get(place)
        day = None if row is None else row.day
        found.append(Screen(
            place, row.service if row is not None else service, read.n if read is not None else 0, day, row.weight if row is not None else 0,
            row.elements if row is not None else 0, row.requests if row is not None else 0, read.bytes if read is not None else 0,
        ))  # fmt: skip
    return found, since


def _known(town: Town, routes: Iterable[BaseRoute], read: Iterable[str]) -> list[tuple[str, str]]:
    """Return the place and service of every screen: those that the application serves, and those that were read."""
    owners: dict[str, str] = {place: "" for place in read if not _OUTSIDE.search(place)}
    for route in routes:
        if (
            isinstance(route, Route)
            and "GET" in (route.methods or {"GET"})
            and not _OUTSIDE.search(route.path)
        ):
            owners.setdefault(re.sub(r":\w+\}", "}", route.path), "")
    for service in town.registry.services.values():
        for route in service.routes:
            place = re.sub(r":\w+\}", "}", getattr(route, "path", ""))
            if place in owners:
                owners[place] = service.name
    return sorted(owners.items())
