"""Business cases of the town, read from their records and computed once for each version."""

import threading
from weakref import WeakKeyDictionary

import msgspec
from starlette.requests import Request

from beffroi.evaluation.case.collections import CASE
from beffroi.evaluation.case.measured import Loop, close_loop
from beffroi.evaluation.case.whole import Computed, computed
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.kept import PATIENCE_S
from beffroi.web.kit.page import principal_of
from beffroi.web.site.proof.measuring import measures_of

__all__ = ["Known", "cases_of", "desk_of", "known_case", "loop_of", "town_of"]

KEPT = 64


class Known(msgspec.Struct, frozen=True):
    """A record of a case with what it comes to, or what is wrong with it."""

    row: Row
    computed: Computed | None
    problem: Problem | None

    @property
    def href(self) -> str:
        """Return the address of its page."""
        return f"/preuve/modeles/{self.row.id}"


class _Shelf:
    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], Computed] = {}
        self.lock = threading.Lock()


_shelves: WeakKeyDictionary[Town, _Shelf] = WeakKeyDictionary()


def town_of(request: Request) -> Town:
    """Return the town that the request is for."""
    town: Town = request.app.state.town
    return town


def desk_of(request: Request) -> Desk:
    """Return the records as the reader may see and change them."""
    return Desk(town_of(request).store.records, principal_of(request))


def known_case(town: Town, row: Row) -> Known:
    """Return a record with its figures, computed once for each of its versions."""
    shelf = _shelves.setdefault(town, _Shelf())
    key = (row.id, row.version)
    with shelf.lock:
        found = shelf.kept.get(key)
        if found is None:
            try:
                found = computed(row.values.get("document") or {})
            except Problem as problem:
                return Known(row, None, problem)
            while len(shelf.kept) >= KEPT:
                shelf.kept.pop(next(iter(shelf.kept)))
            shelf.kept[key] = found
    return Known(row, found, None)


def cases_of(request: Request, service: str | None = None) -> list[Known]:
    """Return the cases that the reader may see, of one service or of all."""
    where = {} if service is None else {"service": service}
    page = desk_of(request).find(CASE.name, Query(where=where, sort="title", limit=100))
    return [known_case(town_of(request), row) for row in page.rows]


def loop_of(town: Town, who: Principal, known: Computed, wait_s: float = PATIENCE_S) -> Loop:
    """Return promised against measured, as this reader may see it."""
    return close_loop(known.case, measures_of(town, who, known.case, wait_s))
