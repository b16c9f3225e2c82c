"""The containers of a town and what their sensors told: the assets service's `bin`, through the platform's records."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from beffroi.model.instant import DAY_US
from beffroi.model.problem import NotFound
from beffroi.model.reference_system import projection
from beffroi.model.text import Text
from beffroi.services.waste.fill import Fill, fill_of
from beffroi.services.waste.rounds import FEWEST_KM, Point, Policy, Round, choose, tour
from beffroi.store.good import good_values
from beffroi.store.record import Query, Row
from beffroi.store.tables import datastream, thing
from beffroi.town import Town

__all__ = ["Coming", "Container", "Today", "containers", "for_size", "middle_of", "round_of", "today"]

HISTORY_DAYS = 21
COMING_DAYS = 7
_LEAST = 0.3
_PAGE_S = 0.1  # of the solver for one round: on 24 drawn rounds of 8 to 40 stops, 0.4 s found none shorter
SILENT_US = 2 * DAY_US


class Container(msgspec.Struct, frozen=True, eq=False):
    """A container, its place in metres, and its fill; None without a sensor that speaks."""

    row: Row
    place: Point | None
    fill: Fill | None


class Coming(msgspec.Struct, frozen=True, eq=False):
    """The next round as it is forecast: in how many days, its length and its stops, if containers fill as they use to."""

    days: int
    round: Round
    stops: tuple[Container, ...]


class Today(msgspec.Struct, frozen=True, eq=False):
    """Today's round: the stops in order (none when it can wait), and those without a sensor, which keep their fixed days.

    `coming`: the next one when there is none today; None when none is needed within a week. `home`: where rounds start, in metres.
    """

    containers: tuple[Container, ...]
    round: Round
    stops: tuple[Container, ...]
    unknown: int
    coming: Coming | None = None
    home: Point | None = None

    @property
    def made(self) -> "Made":
        """The round to make today, or else the next one: in how many days, its stops (none: no round within a week), its length."""
        if self.coming is None:
            return Made(0, self.stops, self.round.metres)
        return Made(self.coming.days, self.coming.stops, self.coming.round.metres)


class Made(msgspec.Struct, frozen=True, eq=False):
    """A round: in how many days, its stops in their order, its length in metres."""

    days: int
    stops: tuple[Container, ...]
    metres: float


def containers(town: Town, territories: tuple[str, ...] | None = None) -> list[Container]:
    """Return the containers that are in service, the fullest first, then those without a sensor."""
    if "bin" not in town.store.records.collections:
        raise NotFound(
            Text("Aucun service ne tient les conteneurs.", "No service keeps containers."),
            Text("Installez le service Patrimoine (equipment).", "Install the assets service (equipment)."),
        )
    rows = [
        r
        for r in town.store.records.all("bin", Query(territories=territories))
        if r.values["state"] not in ("planned", "removed")
    ]
    move = projection(4326, 2154)
    fills = _fills(town)
    found = [
        Container(r, move.transform(*r.geometry["coordinates"][:2]) if r.geometry and r.geometry["type"] == "Point" else None, fills.get(r.id))
        for r in rows
    ]  # fmt: skip
    return sorted(found, key=lambda c: (c.fill is None, -c.fill.level if c.fill else 0.0, c.row.id))


def _fills(town: Town) -> dict[int, Fill]:
    wanted = (
        select(thing.c.record_id, datastream.c.id)
        .join(thing, thing.c.id == datastream.c.thing_id)
        .where(thing.c.collection == "bin", datastream.c.kind == "fill_level")
    )
    with town.store.read() as c:
        series: list[Any] = list(c.execute(wanted))
    now, found = town.clock(), {}
    for number, one in series:
        readings = [
            (at / 1e6, value / 100)
            for at, value in good_values(town.store.observations, one, now - HISTORY_DAYS * DAY_US, now)
        ]
        if readings and now - readings[-1][0] * 1e6 <= SILENT_US:
            fill = fill_of(readings)
            if fill is not None:
                found[number] = fill
    return found


def today(town: Town, territories: tuple[str, ...] | None = None) -> Today:
    """Return the round to make today, or the next one."""
    return round_of(containers(town, territories), seconds=_PAGE_S)


def round_of(
    every: Sequence[Container],
    *,
    policy: Policy = FEWEST_KM,
    depot: Point | None = None,
    seconds: float = 0.4,
) -> Today:
    """Return the round that containers call for; without a depot it starts from the middle of them. `seconds` for the solver."""
    known = [c for c in every if c.fill is not None and c.place is not None]
    places: list[Point] = [c.place for c in known if c.place is not None]
    unknown = len(every) - len(known)
    if not places:
        return Today(tuple(every), Round((), 0.0), (), len(every))
    home = depot or middle_of(places)
    fills = [c.fill for c in known if c.fill is not None]
    held = for_size(policy, len(places))
    for days in range(COMING_DAYS + 1):
        later = [msgspec.structs.replace(f, level=f.after(days)) for f in fills]
        chosen = choose(later, places, home, 1, held)
        if chosen:
            made = tour(places, chosen, home, seconds=seconds)
            stops = tuple(known[i] for i in made.stops)
            if days == 0:
                return Today(tuple(every), made, stops, unknown, None, home)
            return Today(tuple(every), Round((), 0.0), (), unknown, Coming(days, made, stops), home)
    return Today(tuple(every), Round((), 0.0), (), unknown, None, home)


def middle_of(places: Sequence[Point]) -> Point:
    """Return where rounds start when no depot is known: the middle of the containers."""
    return sum(p[0] for p in places) / len(places), sum(p[1] for p in places) / len(places)


def for_size(policy: Policy, count: int) -> Policy:
    """Return a policy for so many containers: a small town expects few overflows, a twentieth of its containers is a round.

    Containers stand side by side in a street: what is nearly empty is left even where the way to it is nothing.
    """
    return msgspec.structs.replace(policy, run=min(policy.run, max(0.5, count / 20)), least=_LEAST)
