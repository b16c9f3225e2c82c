"""Reckonings: what takes too long to compute while a reader waits is computed beside the pages, and kept with its date.

A page of a few thousand reports is computed as it is read. Of more, the page shows what was kept, says how old it is,
and anyone who may read it may ask for it anew: a duty computes it in a process of its own, and says how far it is. One
is kept for each set of territories that somebody reads.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, func, select

from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.services.reports.desk.acting import REQUEST
from beffroi.services.reports.desk.counting import LAST, between
from beffroi.town import Town

__all__ = [
    "FEW",
    "OLD_US",
    "Kept",
    "Order",
    "Standing",
    "ask",
    "failed",
    "few",
    "forget_order",
    "keep",
    "kept_of",
    "orders",
    "renew",
    "standing_of",
    "tell",
]

T = TypeVar("T")
FEW = 4_000
"""Reports that are read while one waits: about a tenth of a second of processor."""
OLD_US = DAY_US
_PREFIX = "reports.reckoning."


class Order(msgspec.Struct, frozen=True):
    """What someone waits for: the reckoning's name, whose territories (none: all), asked when. `error`: why it failed."""

    name: str
    territories: tuple[str, ...] = ()
    asked_us: int = 0
    error: str = ""

    @property
    def key(self) -> str:
        """The setting that it is kept under, without its part."""
        return f"{_PREFIX}{self.name}.{'-'.join(self.territories) or 'all'}"


class Kept(msgspec.Struct, frozen=True):
    """A result as it is stored: the moment that it tells of, how long it took, how many reports were read for it."""

    name: str
    territories: tuple[str, ...]
    at_us: int
    took_s: float
    reports: int
    result: Any = None
    file: str | None = None  # kept in the store of files with it


class Standing(msgspec.Struct, frozen=True):
    """How a reckoning stands: when what is kept was computed (None: never), from how many reports; whether it is being
    computed, how far (0 to 1), and why the last try failed."""

    at_us: int | None
    took_s: float
    reports: int
    running: bool
    share: float
    error: str


def _scope(who: Principal) -> tuple[str, ...]:
    return tuple(sorted(who.territories))


def few(town: Town, who: Principal, start_us: int) -> bool:
    """True when the reports since an instant, in the reader's territories, are so few that nothing need be kept."""
    t = town.store.records.shelf(REQUEST).table.c
    asked = select(t["_id"]).where(*between(t, who, start_us, LAST))
    with town.store.read() as c:
        found: int = c.execute(select(func.count()).select_from(asked.limit(FEW + 1).subquery())).scalar_one()
    return found <= FEW


def kept_of(town: Town, name: str, who: Principal, kind: type[T]) -> tuple[Kept, T] | None:
    """Return what is kept for a reader, None when nothing is, or by a version that computed other things."""
    stored = town.store.setting(f"{Order(name, _scope(who)).key}.kept")
    if stored is None:
        return None
    kept = msgspec.convert(stored, Kept)
    try:
        return kept, msgspec.convert(kept.result, kind)
    except msgspec.ValidationError:
        return None


def standing_of(town: Town, name: str, who: Principal, kept: Kept | None) -> Standing:
    """Return how a reckoning stands for a reader."""
    order = Order(name, _scope(who))
    asked = town.store.setting(f"{order.key}.asked")
    error = asked["error"] if asked else ""
    share = float(town.store.setting(f"{order.key}.progress", 0.0)) if asked else 0.0
    running = bool(asked) and not error
    if kept is None:
        return Standing(None, 0.0, 0, running, share, error)
    return Standing(kept.at_us, kept.took_s, kept.reports, running, share, error)


def ask(town: Town, name: str, who: Principal) -> None:
    """Ask for a reckoning; once is enough while it is waited for."""
    order = Order(name, _scope(who), town.clock())
    asked = town.store.setting(f"{order.key}.asked")
    if asked is None or asked["error"]:
        town.store.set_setting(f"{order.key}.progress", None)
        town.store.set_setting(f"{order.key}.asked", msgspec.to_builtins(order))


# --- For the duty.


def _all(town: Town, part: str) -> list[Any]:
    found = town.store.glance(
        "SELECT value FROM setting WHERE key >= :low AND key < :high AND key LIKE :part",
        {"low": _PREFIX, "high": _PREFIX[:-1] + "/", "part": f"%.{part}"},
    )
    return [msgspec.json.decode(value) for (value,) in found]


def orders(town: Town) -> list[Order]:
    """Return what is waited for, the longest wait first."""
    asked = (msgspec.convert(one, Order) for one in _all(town, "asked"))
    return sorted((order for order in asked if not order.error), key=lambda order: order.asked_us)


def renew(town: Town) -> None:
    """Ask anew for what was kept a day ago or more."""
    known = {msgspec.convert(one, Order).key for one in _all(town, "asked")}
    now = town.clock()
    for stored in _all(town, "kept"):
        kept = msgspec.convert(stored, Kept)
        order = Order(kept.name, kept.territories, now)
        if order.key not in known and now - kept.at_us >= OLD_US:
            town.store.set_setting(f"{order.key}.asked", msgspec.to_builtins(order))


def tell(town: Town, order: Order) -> Callable[[float], None]:
    """Return what says how far an order is (0 to 1); it writes at every twentieth only."""
    said = -1.0

    def progress(share: float) -> None:
        nonlocal said
        if share >= said + 0.05:
            said = share
            town.store.set_setting(f"{order.key}.progress", round(share, 2))

    return progress


def keep(town: Town, order: Order, kept: Kept, body: bytes | None = None) -> None:
    """Keep a result, and the file that goes with it, instead of the last one; nobody waits for it any more."""
    store, key = town.store, f"{order.key}.kept"
    before = store.setting(key)
    staged = None if body is None else store.files.stage(body, "application/zip")
    with store.write() as c:
        file = None if staged is None else store.files.keep(c, staged)
        gone = store.files.release(c, [before["file"]]) if before and before["file"] else []
        stored = msgspec.to_builtins(msgspec.structs.replace(kept, file=file))
        store.put_setting(c, key, stored)
        _done(town, c, order)
    store.files.unlink(gone)


def forget_order(town: Town, order: Order) -> None:
    """Wait no longer for an order."""
    with town.store.write() as c:
        _done(town, c, order)


def _done(town: Town, c: Connection, order: Order) -> None:
    for part in ("asked", "progress"):
        town.store.put_setting(c, f"{order.key}.{part}", None)


def failed(town: Town, order: Order, error: str) -> None:
    """Say why an order failed; it waits until someone asks again."""
    told = msgspec.to_builtins(msgspec.structs.replace(order, error=error[:300] or "?"))
    town.store.set_setting(f"{order.key}.asked", told)
