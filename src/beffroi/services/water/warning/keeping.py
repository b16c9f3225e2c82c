"""Reading and writing warnings: the open one of a station, its log, its tasks."""

from typing import Any

from beffroi.model.instant import MINUTE_US
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Unauthorised
from beffroi.model.text import Text
from beffroi.services.water.warning.ranks import rank
from beffroi.store.record import Query, Row
from beffroi.store.record_writer import Writer
from beffroi.town import Town

__all__ = ["LIVE", "current", "held", "note", "of_warning", "plan", "require_staff", "station_of"]

LIVE = ("proposed", "confirmed")


def current(town: Town, station_id: int) -> Row | None:
    """Return the open warning of a station, or the one that was set aside while its thresholds are still exceeded."""
    where = {"station": station_id, "state": [*LIVE, "dismissed"]}
    rows = town.store.records.find("river_warning", Query(where=where, sort="-opened_at", limit=1)).rows
    if not rows or (rows[0].values["state"] == "dismissed" and rows[0].values["auto"] == "vert"):
        return None
    return rows[0]


def require_staff(who: Principal) -> None:
    """Raise `Unauthorised` or `Forbidden` unless `who` is staff."""
    if who.id == "anonymous":
        raise Unauthorised(Text("Il faut se connecter.", "You need to sign in."), Text("Connectez-vous, puis recommencez.", "Sign in, then try again."))  # fmt: skip
    if not who.staff:
        raise Forbidden(Text("Seuls les agents traitent les alertes.", "Only staff handle warnings."), Text("Demandez à un agent.", "Ask an agent."))  # fmt: skip


def held(town: Town, who: Principal, warning_id: int) -> Row:
    """Return a warning that `who` may handle. Raises `Unauthorised`, `Forbidden`, `NotFound`."""
    require_staff(who)
    row = town.store.records.get("river_warning", warning_id)
    if not who.covers(row.territory):
        raise NotFound(Text("Cette alerte n'existe pas.", "There is no such warning."))
    return row


def station_of(town: Town, warning: Row) -> Row:
    """Return the station of a warning, deleted since or not."""
    return town.store.records.get("river_station", warning.values["station"], deleted=None)


def of_warning(town: Town, collection: str, warning_id: int, sort: str) -> list[Row]:
    """Return the lines of the log or the tasks of a warning."""
    return list(town.store.records.all(collection, Query(where={"warning": warning_id}, sort=sort)))


def note(writer: Writer, warning: Row, kind: str, text: str, author: str, at_us: int) -> None:
    """Add a line to the log of a warning."""
    values = {"warning": warning.id, "at": at_us, "kind": kind, "text": text[:4000], "author": author}
    writer.create("warning_entry", values, None, warning.territory)


def plan(town: Town, writer: Writer, warning: Row, colours: tuple[str, ...], at_us: int) -> int:
    """Put the plan's actions of these colours on the checklist of a warning; return how many."""
    made = 0
    found = (
        town.store.records.find(
            "plan_action", Query(where={"colour": list(colours)}, limit=500), writer.connection
        )
        if colours
        else None
    )
    for action in sorted(
        found.rows if found else [],
        key=lambda row: (rank(row.values["colour"]), row.values["position"], row.id),
    ):
        v = action.values
        if v["station"] not in (None, warning.values["station"]) or not _same_place(action, warning):
            continue
        values: dict[str, Any] = {
            "warning": warning.id, "position": v["position"], "colour": v["colour"], "title": v["title"], "detail": v["detail"],
            "function": v["function"], "due_at": at_us + v["within_min"] * MINUTE_US,
        }  # fmt: skip
        writer.create("warning_task", values, None, warning.territory)
        made += 1
    return made


def _same_place(action: Row, warning: Row) -> bool:
    return not action.territory or action.territory == warning.territory
