"""What a form of the desk asks for, as a deed of `Handling`: one table for one report and for many."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time
from zoneinfo import ZoneInfo

from beffroi.model.instant import from_datetime, parse_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.desk.acting import Deed, Handling
from beffroi.services.reports.desk.seen import Names
from beffroi.services.reports.states import ACTIONS
from beffroi.store.record import Query

__all__ = ["do_many", "instant_of"]

Values = Mapping[str, str]
Done = tuple[int, Text]
_TITLES = {action.name: action.title for action in ACTIONS}


def instant_of(written: str, zone: ZoneInfo, place: str) -> int:
    """Return the instant that a date input (its evening) or a date-time input writes. Raises `Problem`."""
    try:
        if len(written) == 10:
            return from_datetime(datetime.combine(datetime.fromisoformat(written).date(), time(18), zone))
        return parse_instant(written, zone)
    except (ValueError, Problem) as error:
        raise Problem(
            Text("Cette date n'est pas comprise.", "This date is not understood."),
            Text("Écrivez-la comme 2026-11-30.", "Write it like 2026-11-30."), place=place,
        ) from error  # fmt: skip


def _step(action: str) -> Callable[[Handling, Sequence[int], Values], Done]:
    def do(handling: Handling, ids: Sequence[int], values: Values) -> Done:
        zone = ZoneInfo(handling.town.settings.time_zone)
        until = values.get("until", "")
        deed = Deed(
            action, values.get("text", "")[:5000], values.get("reason", ""),
            instant_of(until, zone, "until") if until and action == "schedule" else None,
        )  # fmt: skip
        return handling.act(ids, deed, _version(values)), _TITLES[action]

    return do


def _version(values: Values) -> int | None:
    written = values.get("version", "")
    return int(written) if written.isdigit() and len(written) < 10 else None


def _number(values: Values, name: str) -> int | None:
    written = values.get(name, "").strip()
    if written and (not written.isdigit() or len(written) > 18):
        raise Problem(Text("Ce choix n'est pas compris.", "This choice is not understood."), place=name)
    return int(written) if written else None


def _mine(handling: Handling, ids: Sequence[int], values: Values) -> Done:
    number = handling.set(ids, {"assignee": handling.who.id}, version=_version(values))
    return number, Text("Confié à moi", "Given to me")


def _assign(handling: Handling, ids: Sequence[int], values: Values) -> Done:
    """Give to a department, to a person, or to both; what is left empty stays, "0" takes away."""
    wanted: dict[str, object] = {}
    department, assignee = _number(values, "department"), values.get("assignee", "").strip()
    if department is not None:
        wanted["department"] = department or None
    if assignee:
        wanted["assignee"] = None if assignee == "0" else assignee
    if not wanted:
        raise Problem(
            Text("À qui le confier ?", "To whom?"),
            Text("Choisissez un service ou une personne.", "Choose a department or a person."), place="department",
        )  # fmt: skip
    if assignee not in ("", "0") and assignee not in dict(Names(handling.town, "fr").staff):
        raise Problem(
            Text("Cette personne n'est pas un agent.", "This person is not staff."), place="assignee"
        )
    if department and not handling.records.count("report_department", _by_id(department)):
        raise Problem(Text("Ce service n'existe pas.", "There is no such department."), place="department")
    return handling.set(ids, wanted, values.get("text", "")[:200], _version(values)), Text(
        "Confié", "Assigned"
    )


def _by_id(number: int) -> Query:
    return Query(where={"_id": number})


def _priority(handling: Handling, ids: Sequence[int], values: Values) -> Done:
    number = handling.set(ids, {"priority": values.get("priority", "")}, version=_version(values))
    return number, Text("Priorité changée", "Priority changed")


def _due(handling: Handling, ids: Sequence[int], values: Values) -> Done:
    """Change by when reports are due; a reason is asked for, since it is a promise."""
    written = values.get("due", "").strip()
    due = instant_of(written, ZoneInfo(handling.town.settings.time_zone), "due") if written else None
    number = handling.set(ids, {"due": due}, values.get("text", "")[:200], _version(values))
    return number, Text("Délai changé", "Deadline changed")


def _category(handling: Handling, ids: Sequence[int], values: Values) -> Done:
    number = handling.recategorise(ids, _number(values, "category") or 0, _version(values))
    return number, Text("Catégorie changée", "Category changed")


def _publish(handling: Handling, ids: Sequence[int], _values: Values) -> Done:
    return handling.moderate(ids, "accepted"), Text("Publié", "Published")


def _hide(handling: Handling, ids: Sequence[int], _values: Values) -> Done:
    return handling.moderate(ids, "hidden"), Text("Masqué", "Hidden")


def _merge(handling: Handling, ids: Sequence[int], values: Values) -> Done:
    """Merge into the report named by its number, or the ticked ones into the oldest of them."""
    written = values.get("into", "").strip()
    if written:
        into = handling.numbered(written)
    else:
        rows = sorted(handling.held(ids), key=lambda row: (row.values["requested"], row.id))
        into = rows[0].id
    return handling.merge([n for n in ids if n != into] or ids, into), Text("Réuni", "Merged")


def _unmerge(handling: Handling, ids: Sequence[int], _values: Values) -> Done:
    return handling.unmerge(ids[0]), Text("Séparé", "Separated")


def _note(handling: Handling, ids: Sequence[int], values: Values) -> Done:
    return handling.note(ids[0], values.get("text", "")), Text("Note écrite", "Note written")


def _split(handling: Handling, ids: Sequence[int], values: Values) -> Done:
    parts = [
        {"description": text, "department": _number(values, f"part_department_{n}")}
        for n in range(1, 5)
        if (text := values.get(f"part_{n}", "").strip()[:2000])
    ]
    return handling.split(ids[0], parts), Text("Partagé", "Split")


def _asset(handling: Handling, ids: Sequence[int], values: Values) -> Done:
    number = handling.set(ids, {"asset": values.get("asset", "").strip() or None}, version=_version(values))
    return number, Text("Équipement noté", "Asset noted")


def _found(reason: str) -> Callable[[Handling, Sequence[int], Values], Done]:
    """Close for one reason by one button, as on the inspector's phone."""

    def do(handling: Handling, ids: Sequence[int], values: Values) -> Done:
        return _step("close")(handling, ids, {**values, "reason": reason})

    return do


_STEPS = ("take", "schedule", "hold", "ask", "close", "reopen", "reply", "route")
DEEDS: dict[str, Callable[[Handling, Sequence[int], Values], Done]] = {
    **{name: _step(name) for name in _STEPS},
    **{reason: _found(reason) for reason in ("repaired", "not_found", "already_done")},
    "mine": _mine, "assign": _assign, "priority": _priority, "due": _due, "category": _category, "publish": _publish,
    "hide": _hide, "merge": _merge, "unmerge": _unmerge, "note": _note, "split": _split, "asset": _asset,
}  # fmt: skip


def do_many(handling: Handling, ids: Sequence[int], values: Values, language: str) -> tuple[int, str]:
    """Do what `values["do"]` names with the reports of `ids`; return the change set and the deed in words."""
    deed = DEEDS.get(values.get("do", ""))
    if deed is None:
        raise Problem(Text("Que faut-il faire ?", "What is to be done?"), place="do")
    if not ids:
        handling.held(ids)
    text = values.get(f"text_{values['do']}", values.get("text", ""))  # a page has one text for each deed
    number, title = deed(handling, ids, {**values, "text": text})
    count = len(set(ids))
    said = title.of(language)
    return number, said if count == 1 else f"{said} : {count}" if language == "fr" else f"{said}: {count}"
