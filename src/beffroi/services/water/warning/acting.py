"""What people do with a warning: confirm it with the picture beside, change its colour, end it, set it aside, note what is said
and done, tick the plan's actions, open one by hand. Each is a line of the log.
"""

from typing import Any

from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, Problem
from beffroi.model.text import Text
from beffroi.services.water.warning import escalation
from beffroi.services.water.warning.keeping import LIVE, current, held, note, plan, require_staff, station_of
from beffroi.services.water.warning.messages import issue
from beffroi.services.water.warning.ranks import COLOURS, NAMES, reached, worst
from beffroi.services.water.warning.records import ENTRIES
from beffroi.services.water.warning.wording import CONFIRMED, DISMISSED, ENDED, INSTRUCTED, OPENED, SETTLED
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["confirm", "dismiss", "end", "open_by_hand", "settle_task", "write_entry"]

_MOST = 2000


def _text(text: str, place: str, *, required: bool = False) -> str:
    said = text.strip()
    if required and not said:
        raise Problem(
            Text("Écrivez quelque chose.", "Write something."),
            Text("Une phrase suffit.", "A sentence is enough."),
            place,
        )
    if len(said) > _MOST:
        raise Problem(
            Text("Ce texte est trop long.", "This text is too long."),
            Text(f"Au plus {_MOST} caractères.", f"At most {_MOST} characters."),
            place,
        )
    return said


def _live(row: Row) -> Row:
    if row.values["state"] not in LIVE:
        raise Conflict(Text("Cette alerte n'est plus ouverte.", "This warning is no longer open."),
                       Text("Ouvrez-en une autre s'il le faut.", "Open another one if needed."))  # fmt: skip
    return row


def _raised(colour: str) -> str:
    if colour not in COLOURS[1:]:
        raise Problem(
            Text("La couleur est jaune, orange ou rouge.", "The colour is jaune, orange or rouge."),
            place="colour",
        )
    return colour


def confirm(
    town: Town, who: Principal, warning_id: int, *, colour: str, instruction: str = "", image: int | None = None,
    version: int | None = None,
) -> Row:  # fmt: skip
    """Confirm a warning at a colour, or change a confirmed one; people and bodies are told. Raises `Problem`."""
    _raised(colour)
    said = _text(instruction, "instruction")
    row = _live(held(town, who, warning_id))
    station, now, v = station_of(town, row), town.clock(), row.values
    values: dict[str, Any] = {
        "colour": colour, "state": "confirmed", "worst": worst(colour, v["worst"]), "instruction": said or None,
        "image": image or v["image"],
    }  # fmt: skip
    if v["confirmed_at"] is None:
        values |= {"confirmed_at": now, "confirmed_by": who.name or who.id}
    with town.store.records.writer(who, "Confirmation") as writer:
        changed = writer.change("river_warning", row.id, values, version=version)
        told = (INSTRUCTED if said else CONFIRMED).of("fr", colour=NAMES[colour].fr, said=said)
        note(writer, changed, "decision", told, who.name or who.id, now)
        plan(town, writer, changed, reached(v["worst"], colour), now)
        issue(town, writer, changed, station, "Alert")
    return changed


def end(town: Town, who: Principal, warning_id: int, *, text: str = "", version: int | None = None) -> Row:
    """End a warning; who was told of it is told that it is over. Raises `Problem`."""
    said = _text(text, "text")
    row = _live(held(town, who, warning_id))
    station, now = station_of(town, row), town.clock()
    with town.store.records.writer(who, "Fin d'alerte") as writer:
        values = {"state": "ended", "ended_at": now, "colour": "vert"}
        changed = writer.change("river_warning", row.id, values, version=version)
        note(writer, changed, "decision", ENDED.of("fr", said=said).strip(), who.name or who.id, now)
        if row.values["confirmed_at"] is not None:
            issue(town, writer, changed, station, "End")
    return changed


def dismiss(town: Town, who: Principal, warning_id: int, *, text: str, version: int | None = None) -> Row:
    """Set aside a warning that is false, saying why; it comes back only if its thresholds get worse. Raises `Problem`."""
    said = _text(text, "text", required=True)
    row = _live(held(town, who, warning_id))
    station, now = station_of(town, row), town.clock()
    with town.store.records.writer(who, "Alerte écartée") as writer:
        values = {"state": "dismissed", "ended_at": now, "colour": "vert"}
        changed = writer.change("river_warning", row.id, values, version=version)
        note(writer, changed, "decision", DISMISSED.of("fr", said=said), who.name or who.id, now)
        if row.values["confirmed_at"] is not None:
            issue(town, writer, changed, station, "Cancel")
    return changed


def write_entry(town: Town, who: Principal, warning_id: int, kind: str, text: str) -> None:
    """Add a line to the log, of a warning that is over too. Raises `Problem`."""
    said = _text(text, "text", required=True)
    if kind not in {one.value for one in ENTRIES} - {"system"}:
        raise Problem(Text("Choisissez la nature de la ligne.", "Choose the kind of the line."), place="kind")
    row = held(town, who, warning_id)
    with town.store.records.writer(who, "Main courante") as writer:
        note(writer, row, kind, said, who.name or who.id, town.clock())


def settle_task(town: Town, who: Principal, warning_id: int, task_id: int, state: str) -> Row:
    """Tick an action as done or not needed, or take that back. Raises `Problem`, `NotFound`."""
    row = held(town, who, warning_id)
    task = town.store.records.get("warning_task", task_id)
    if state not in ("todo", "done", "skipped") or task.values["warning"] != row.id:
        raise Problem(
            Text("Cette action n'est pas de cette alerte.", "This action is not of this warning."),
            place="task",
        )
    if task.values["state"] == state:
        return task
    now, name = town.clock(), who.name or who.id
    told = SETTLED[state].of("fr", task=task.values["title"], who=task.values["function"])
    values = {
        "state": state,
        "done_at": None if state == "todo" else now,
        "done_by": None if state == "todo" else name,
    }
    with town.store.records.writer(who, "Plan") as writer:
        changed = writer.change("warning_task", task.id, values)
        note(writer, row, "order", told, name, now)
    return changed


def open_by_hand(
    town: Town, who: Principal, station_id: int, colour: str, text: str, *, exercise: bool = False
) -> Row:
    """Open a warning that no threshold asked for, or an exercise. Raises `Conflict` when one is open there."""
    require_staff(who)
    _raised(colour)
    said = _text(text, "text", required=True)
    station = town.store.records.get("river_station", station_id)
    if not who.covers(station.territory):
        raise Problem(
            Text("Cette station n'est pas de votre territoire.", "This station is not of your territory."),
            place="station",
            status=403,
        )
    open_one = current(town, station_id)
    if open_one is not None and open_one.values["state"] in LIVE:
        raise Conflict(Text("Une alerte est déjà ouverte à cette station.", "A warning is open at this station already."),
                       Text("Changez sa couleur.", "Change its colour."), place="station")  # fmt: skip
    now = town.clock()
    with town.store.records.writer(who, "Alerte ouverte à la main") as writer:
        values = {
            "station": station_id,
            "colour": colour,
            "worst": colour,
            "opened_at": now,
            "exercise": exercise,
        }
        row = writer.create("river_warning", values, None, station.territory)
        told = OPENED[exercise].of("fr", colour=NAMES[colour].fr, said=said)
        note(writer, row, "decision", told, who.name or who.id, now)
        plan(town, writer, row, reached("vert", colour), now)
        escalation.queue(town, writer, row, colour, now)
    return row
