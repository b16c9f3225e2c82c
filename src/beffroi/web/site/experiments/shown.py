"""What the pages of experiments share: the town, the record, its study, who may act."""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request

from beffroi.evaluation.experiments.life import Tools
from beffroi.evaluation.experiments.studying import conclude, finding_of
from beffroi.evaluation.impact.finding import Finding, Trace
from beffroi.identity import people
from beffroi.identity.people import Person
from beffroi.model.principal import ROLES, SYSTEM, Principal
from beffroi.model.problem import Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.rules import rulebook
from beffroi.store.desk import Desk
from beffroi.store.record import Row
from beffroi.town import Town
from beffroi.web.kit.page import principal_of

__all__ = [
    "found",
    "insee_of",
    "may_act",
    "must_act",
    "observed_so_far",
    "studied",
    "tools_of",
    "town_of",
]


T = TypeVar("T")


def town_of(request: Request) -> Town:
    """Return the town."""
    town: Town = request.app.state.town
    return town


def found(request: Request) -> Row:
    """Return the experiment of the address. Raises `NotFound`; a draft is seen by its territory's staff only."""
    town = town_of(request)
    code = request.path_params["code"]
    for row in town.store.records.all("experiment"):
        if row.values["code"] == code and (row.values["state"] != "draft" or may_act(request, row)):
            return row
    raise NotFound(
        Text("Il n'y a pas d'expérimentation de ce nom.", "There is no experiment of that name."),
        Text("Le registre les liste toutes : /preuve/experimentations.", "The register lists them all: /preuve/experimentations."),
    )  # fmt: skip


def may_act(request: Request, row: Row | None = None) -> bool:
    """Tell whether the reader may register, decide or withdraw: a manager of the territory."""
    who = principal_of(request)
    if ROLES.index(who.role) < ROLES.index("responsable"):
        return False
    return row is None or who.covers(row.territory)


def must_act(request: Request, row: Row | None = None) -> Principal:
    """Return who acts. Raises `Unauthorised`, `Forbidden`."""
    who = principal_of(request)
    if who.id == "anonymous":
        raise Unauthorised(Text("Connectez-vous d'abord.", "Sign in first."))
    if not may_act(request, row):
        raise Forbidden(
            Text("Seul un responsable de ce territoire décide d'une expérimentation.",
                 "Only a manager of this territory decides on an experiment."),
        )  # fmt: skip
    return who


def tools_of(town: Town) -> Tools:
    """Return what acting by hand needs; printing and warning are the keeper's work."""
    return Tools(switch=lambda rule, on: rulebook.turn(town.store, rule, SYSTEM, enabled=on), town=town.name)


def studied(request: Request, row: Row, method: str = "") -> Finding | None:
    """Return the study of an experiment that is over: the one that was concluded, or another one to explore."""
    if row.values["state"] in ("draft", "registered", "running", "withdrawn"):
        return None
    if not method or method == row.values["method"]:
        return finding_of(row.values["finding"])
    return remembered(
        request, row, method, lambda: conclude(town_of(request).store, row.values, 2**62, method)
    )


def observed_so_far(request: Request, row: Row) -> Trace | None:
    """Return what was measured so far, without any judgement: one does not read a study before its end."""
    from beffroi.evaluation.experiments.observed import gather  # noqa: PLC0415

    town = town_of(request)

    def look() -> Trace | None:
        try:
            gathered = gather(town.store, row.values, town.clock())
        except Problem:
            return None
        treated, controls = len(row.values["treated"]), len(row.values["controls"] or ())
        table = gathered.values
        if not len(table):
            return None
        import numpy as np  # noqa: PLC0415

        def mean(part: Any) -> tuple[float | None, ...]:
            known = ~np.isnan(part).all(axis=1)
            return tuple(
                float(np.nanmean(line)) if ok else None for line, ok in zip(part, known, strict=True)
            )

        ours = mean(table[:, :treated])
        others = mean(table[:, treated:]) if controls else tuple(None for _ in ours)
        if any(v is None for v in ours):
            return None
        return Trace(gathered.times, tuple(float(v or 0) for v in ours), others, gathered.start)

    day = town.clock() // 86_400_000_000
    return remembered(request, row, f"so-far-{day}", look)


def remembered(request: Request, row: Row, what: str, make: Callable[[], T]) -> T:
    """Return what was computed for this version of a record, once."""
    state = request.app.state
    kept = getattr(state, "experiments", None)
    if kept is None:
        kept = state.experiments = {}
    key = (row.id, row.version, what)
    if key not in kept:
        if len(kept) > 200:
            kept.clear()
        kept[key] = make()
    known: T = kept[key]
    return known


def insee_of(row: Row) -> str | None:
    """Return the INSEE code of an experiment's commune (five characters), if its territory is one."""
    code = row.territory or ""
    return code if len(code) == 5 else None


def desk_of(request: Request) -> Desk:
    """Return the records as the reader may see them."""
    return Desk(town_of(request).store.records, principal_of(request))


def managers(town: Town, row: Row) -> list[Person]:
    """Return the managers of an experiment's territory."""
    return [
        person
        for person in people.every(town.store)
        if person.role == "responsable" and person.principal.covers(row.territory) and not person.disabled
    ]
