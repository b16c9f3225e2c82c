"""The whole story of a report: what people said and did, and every change of who, how urgent, by when."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from beffroi.model.collection import Field
from beffroi.services.reports.collections import UPDATES
from beffroi.services.reports.desk.acting import REQUEST, UPDATE, Handling
from beffroi.services.reports.desk.seen import Names, word
from beffroi.services.reports.states import ACTIONS, REASONS, STATES
from beffroi.store.record import Change, Query, Row
from beffroi.web.kit.page import figures_of, translate, words_of

__all__ = ["Told", "story"]

_SILENT = {"state", "first_answered", "closed", "reason", "shown", "me_too", "photos", "duplicate_of", "reopened", "satisfied", "scheduled", "flags"}  # fmt: skip
MOST = 300


class Told(msgspec.Struct, frozen=True):
    """One thing that happened: when, who, what in words, what was said; `inside` when only the staff reads it."""

    at_us: int
    who: str
    what: str
    text: str
    inside: bool
    kind: str


def story(request: Request, handling: Handling, row: Row, names: Names) -> list[Told]:
    """Return what happened to a report, the newest first."""
    updates = handling.desk.find(UPDATE, Query(where={"request": row.id}, sort="-at", limit=MOST)).rows
    told = [_update(request, update, names) for update in updates]
    told += [
        line
        for change in handling.desk.history(REQUEST, row.id)[:MOST]
        for line in _changes(request, change, names)
    ]
    return sorted(told, key=lambda t: t.at_us, reverse=True)


def _update(request: Request, update: Row, names: Names) -> Told:
    _, values, language = translate(request), update.values, names.language
    what = word(UPDATES, values["kind"], language)
    action = next((a for a in ACTIONS if a.name == values["action"]), None)
    if values["kind"] == "state" and action is not None:
        what = word(STATES, values["state"], language)
        if values["reason"]:
            what += f" · {word(REASONS, values['reason'], language)}"
    elif values["kind"] == "satisfaction":
        what += f" · {_('satisfait') if values['satisfied'] else _('pas satisfait')}"
    elif values["kind"] == "note" and action is not None:
        what = _detail(request, values)
    actors = {
        "reporter": _("L'auteur"),
        "neighbour": _("Un habitant"),
        "firm": _("L'entreprise"),
        "system": "Beffroi",
    }
    who = names.person(update.author) if values["actor"] == "agent" else actors[values["actor"]]
    text = "\n".join(part for part in (values["text"], values["words"]) if part)
    return Told(values["at"], who, what, text, not values["shown"], values["kind"])


def _detail(request: Request, values: Mapping[str, Any]) -> str:
    _, detail = translate(request), values["detail"] or {}
    if "merged" in detail:
        plural = words_of(request).plural
        return plural(
            len(detail["merged"]), "{n} signalement réuni à celui-ci", "{n} signalements réunis à celui-ci"
        )
    if "parts" in detail:
        return _("Partagé en {n} travaux", n=detail["parts"])
    return _("Note interne")


def _changes(request: Request, change: Change, names: Names) -> list[Told]:
    """Return one line for a change of the record that no update tells."""
    handling_fields = {f.name: f for f in _fields(request)}
    if change.action != "update":
        said = {"delete": translate(request)("Supprimé"), "restore": translate(request)("Rétabli")}.get(
            change.action
        )
        return [Told(change.at_us, names.person(change.author), said, "", True, "change")] if said else []
    words = words_of(request)
    colon = words.of(" : ")
    parts = [
        f"{field.title.of(names.language)}{colon}{_say(request, names, field, change.before.get(name))} → {_say(request, names, field, after)}"
        for name, after in change.after.items()
        if name not in _SILENT and (field := handling_fields.get(name)) is not None and field.personal is None
    ]  # fmt: skip
    if not parts:
        return []
    return [
        Told(
            change.at_us,
            names.person(change.author),
            " ; ".join(parts),
            words.kept(change.reason),
            True,
            "change",
        )
    ]


def _fields(request: Request) -> tuple[Field, ...]:
    collection = request.app.state.town.registry.collections[REQUEST]
    return tuple(collection.fields)


def _say(request: Request, names: Names, field: Field, value: Any) -> str:
    if value is None:
        return "–"
    if field.name == "category":
        return names.category(value)
    if field.name == "department":
        return names.department(value)
    if field.name == "assignee":
        return names.person(value)
    if field.kind == "instant":
        return figures_of(request).moment(value)
    return field.title_of(value, names.language) if field.choices else str(value)[:200]
