"""The life of an alarm: raised and cleared by its rule; acknowledged, assigned, commented, closed by people.

    active ──acknowledge──> acknowledged ──clear──> cleared
       └──────clear──> cleared_unacknowledged ──acknowledge──┘

One open alarm (active or acknowledged) per rule and subject. Every change is a line of history with its
author and reason, in the transaction that also queues the actions of that moment.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection

from beffroi.model.instant import DAY_US, PARIS, format_instant, parse_instant
from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.model.value import json_value
from beffroi.rules import outbox
from beffroi.rules.collections import ALARM
from beffroi.rules.condition import RANKS, SEVERITIES
from beffroi.rules.reading import read_rule
from beffroi.rules.rule import Action, Moment
from beffroi.store.open import Store
from beffroi.store.record import Query, Row, Where

__all__ = [
    "OPEN",
    "STATES",
    "Wish",
    "acknowledge",
    "assign",
    "clear",
    "comment",
    "count_by_state",
    "get",
    "message_of",
    "of_subject",
    "open_alarms",
    "query_of",
    "queue_actions",
    "seen_by",
    "since",
    "told",
    "undo",
    "visible",
    "wish_of",
    "worst_open",
]

OPEN = ("active", "acknowledged")
UNSEEN = ("active", "cleared_unacknowledged")
STALE_US = DAY_US
_PRIVATE = ("acknowledged_by", "assignee", "comments")


def open_alarms(store: Store) -> list[Row]:
    """Return every open alarm."""
    return list(store.records.all("alarm", Query(where={"state": list(OPEN)}, limit=1000)))


def told(row: Row) -> dict[str, Any]:
    """Return an alarm as JSON tells it: all fields, times in ISO 8601."""
    fields = ALARM.fields
    return {
        "id": row.id,
        **{f.name: json_value(f, row.values[f.name]) for f in fields},
        "territory": row.territory,
    }


def message_of(values: Mapping[str, Any], language: str) -> str:
    """Return what an alarm says, in a reader's language where it is known; alarms that are older say it in the town's."""
    return str((values.get("message_en") if language == "en" else None) or values["message"])


def visible(who: Principal, row: Row) -> bool:
    """True when `who` may know of this alarm: everybody of a public series; staff and elu of the others."""
    if not who.covers(row.territory):
        return False
    return bool(row.values["public"]) or who.staff or who.role == "elu"


def seen_by(who: Principal, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `who` may read of an alarm that is visible to them: names of people are for staff."""
    return {k: v for k, v in values.items() if who.staff or k not in _PRIVATE}


STATES = ("active", "acknowledged", "cleared_unacknowledged", "cleared")
GROUPS = {"open": OPEN, "unseen": UNSEEN, "over": ("cleared_unacknowledged", "cleared"), "all": STATES}


class Wish(msgspec.Struct, frozen=True):
    """Which alarms are asked for: states (or names of groups), severities, rule, thing, raised in [start, end)."""

    states: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    rule: int | None = None
    thing: int | None = None
    datastream: int | None = None
    start_us: int | None = None
    end_us: int | None = None
    text: str = ""


def wish_of(asked: Mapping[str, str]) -> Wish:
    """Read a wish from the parameters of an address: state, severity, rule, thing, datastream, start, end, q.

    Raises `Problem` at the parameter's name.
    """
    return Wish(
        tuple(s for name in _words(asked, "state", (*STATES, *GROUPS)) for s in GROUPS.get(name, (name,))),
        tuple(_words(asked, "severity", SEVERITIES)),
        _number(asked, "rule"), _number(asked, "thing"), _number(asked, "datastream"),
        _instant(asked, "start"), _instant(asked, "end"), asked.get("q", "").strip()[:200],
    )  # fmt: skip


def _words(asked: Mapping[str, str], name: str, known: tuple[str, ...]) -> list[str]:
    words = [word for word in asked.get(name, "").split(",") if word]
    for word in words:
        if word not in known:
            listed = ", ".join(known)
            raise Problem(Text(f"« {word[:40]} » n'est pas connu ici.", f"'{word[:40]}' is not known here.".replace("{", "(")),
                          Text(f"Écrivez l'un de : {listed}.", f"Write one of: {listed}."), name)  # fmt: skip
    return words


def _number(asked: Mapping[str, str], name: str) -> int | None:
    word = asked.get(name, "")
    if word and not (word.isascii() and word.isdigit() and len(word) < 16):
        raise Problem(Text("Un numéro est attendu.", "A number is expected."), place=name)
    return int(word) if word else None


def _instant(asked: Mapping[str, str], name: str) -> int | None:
    try:
        return parse_instant(asked[name], PARIS) if asked.get(name) else None
    except Problem as problem:
        raise problem.at(name) from problem


def query_of(
    wish: Wish, who: Principal, *, limit: int = 100, after: str | None = None, sort: str = "-raised_at"
) -> Query:
    """Return the query of a wish, within what `who` may know."""
    where: dict[str, Any] = {}
    for name, values in (("state", wish.states), ("severity", wish.severities)):
        if values:
            where[name] = list(values)
    asked = {"rule": wish.rule, "thing_id": wish.thing, "datastream_id": wish.datastream}
    where.update({name: value for name, value in asked.items() if value is not None})
    reach = [Where(sign, at) for sign, at in ((">=", wish.start_us), ("<", wish.end_us)) if at is not None]  # type: ignore[arg-type]
    if reach:
        where["raised_at"] = tuple(reach)
    if not (who.staff or who.role == "elu"):
        where["public"] = True
    territories = (*who.territories, "") if who.territories else None
    words = None if who.staff else ("message", "message_en")
    return Query(
        where=where,
        text=wish.text,
        territories=territories,
        sort=sort,
        limit=limit,
        after=after,
        text_fields=words,
    )


def get(store: Store, alarm_id: int, who: Principal) -> Row:
    """Return one alarm that `who` may know of. Raises `NotFound`."""
    row = store.records.get("alarm", alarm_id)
    if not visible(who, row):
        raise NotFound(Text("Cette alarme n'existe pas.", "There is no such alarm."))
    return row


def _may_act(who: Principal, row: Row) -> None:
    if who.id == "anonymous":
        raise Unauthorised(Text("Il faut se connecter.", "You need to sign in."),
                           Text("Connectez-vous, ou donnez une clé.", "Sign in, or give a key."))  # fmt: skip
    if not visible(who, row):
        raise NotFound(Text("Cette alarme n'existe pas.", "There is no such alarm."))
    if not who.staff:
        raise Forbidden(Text("Seuls les agents traitent les alarmes.", "Only staff handle alarms."),
                        Text("Demandez à un agent.", "Ask an agent."))  # fmt: skip


def acknowledge(
    store: Store, ids: Iterable[int], who: Principal, text: str = "", *, version: int | None = None
) -> tuple[list[Row], int]:
    """Take alarms in charge; return them and the change set that undoes it as one.

    One that was seen already stays as it is. Raises `NotFound`, `Forbidden`, `Conflict`.
    """
    now = store.clock()
    rows: list[Row] = []
    with store.write() as c, store.records.writer(who, "Prise en charge", None, c) as writer:
        for alarm_id in dict.fromkeys(ids):
            row = store.records.get("alarm", alarm_id, c=c)
            _may_act(who, row)
            if row.values["state"] in UNSEEN:
                state = "acknowledged" if row.values["state"] == "active" else "cleared"
                values = {
                    "state": state,
                    "acknowledged_at": now,
                    "acknowledged_by": who.name or who.id,
                }
                if row.values["assignee"] is None:
                    values["assignee"] = who.name or who.id
                row = writer.change(
                    "alarm", alarm_id, {**values, **_commented(row, who, text, now)}, version=version
                )
                queue_actions(store, c, row, "acknowledge", now)
            rows.append(row)
        change_set = writer.change_set or 0
    return rows, change_set


def _commented(row: Row, who: Principal, text: str, now: int) -> dict[str, Any]:
    if not text.strip():
        return {}
    if len(text) > 4000:
        raise Problem(Text("Le commentaire dépasse 4 000 caractères.", "The comment is longer than 4,000 characters."),
                      place="text")  # fmt: skip
    line = {"at": format_instant(now), "who": who.name or who.id, "text": text.strip()}
    return {"comments": [*(row.values["comments"] or []), line]}


def comment(store: Store, alarm_id: int, who: Principal, text: str) -> Row:
    """Add a comment. Raises `Problem` when it is empty."""
    if not text.strip():
        raise Problem(Text("Le commentaire est vide.", "The comment is empty."),
                      Text("Écrivez ce que les autres doivent savoir.", "Write what others must know."), "text")  # fmt: skip
    with store.write() as c:
        row = store.records.get("alarm", alarm_id, c=c)
        _may_act(who, row)
        values = _commented(row, who, text, store.clock())
        return store.records.put("alarm", values, id=alarm_id, who=who, reason="Commentaire", c=c)


def assign(store: Store, alarm_id: int, who: Principal, assignee: str) -> Row:
    """Give the alarm to someone (a name), or to nobody with an empty text."""
    if len(assignee) > 200:
        raise Problem(Text("Ce nom est trop long.", "This name is too long."), place="assignee")
    with store.write() as c:
        _may_act(who, store.records.get("alarm", alarm_id, c=c))
        values = {"assignee": assignee.strip() or None}
        return store.records.put("alarm", values, id=alarm_id, who=who, reason="Affectation", c=c)


def clear(store: Store, alarm_id: int, who: Principal, text: str = "") -> Row:
    """End an alarm by hand: it counts as seen, and is raised again only after its condition stopped holding.

    Raises `Conflict` when it is over already.
    """
    now = store.clock()
    with store.write() as c:
        row = store.records.get("alarm", alarm_id, c=c)
        _may_act(who, row)
        if row.values["state"] not in OPEN:
            raise Conflict(Text("Cette alarme est déjà terminée.", "This alarm is over already."))
        values: dict[str, Any] = {
            "state": "cleared",
            "cleared_at": now,
            **_commented(row, who, text, now),
        }
        if row.values["acknowledged_at"] is None:
            values.update(acknowledged_at=now, acknowledged_by=who.name or who.id)
        row = store.records.put("alarm", values, id=alarm_id, who=who, reason="Terminée à la main", c=c)
        queue_actions(store, c, row, "clear", now)
        return row


def undo(store: Store, change_set: int, who: Principal) -> list[Row]:
    """Take back a change set of this principal's on alarms. Raises `Conflict` when they changed since."""
    changes = store.records.changes(change_set)
    if not changes or any(change.collection != "alarm" or change.author != who.id for change in changes):
        raise NotFound(Text("Il n'y a rien à annuler.", "There is nothing to undo."))
    return store.records.undo(change_set, who, "Annulation")


def count_by_state(store: Store) -> dict[str, int]:
    """Return how many alarms are in each state."""
    return store.records.tally("alarm", "state")


def worst_open(store: Store) -> str:
    """Return the worst severity among open alarms, "vert" when there is none."""
    open_ones = store.records.tally("alarm", "severity", Query(where={"state": list(OPEN)}))
    return max(open_ones, key=lambda severity: RANKS.get(severity, 0), default="vert")


def queue_actions(store: Store, c: Connection, row: Row, moment: Moment, at_us: int) -> int:
    """Queue what the alarm's rule wants done at this moment; return how many.

    Nothing is done about the past: a moment more than a day old (history being imported) queues nothing.
    """
    now = store.clock()
    if now - at_us > STALE_US:
        return 0
    actions = [a for a in _actions(store, c, row.values["rule"]) if moment in a.moments]
    for number, action in enumerate(actions):
        key = f"alarm/{row.id}/{row.version}/{moment}/{number}"
        payload = {
            "moment": moment, "action": {"kind": action.kind, "options": action.options},
            "alarm": seen_for_action(row), "at": format_instant(at_us),
        }  # fmt: skip
        outbox.queue(store, c, key, payload, now)
    return len(actions)


def _actions(store: Store, c: Connection, rule_id: int) -> tuple[Action, ...]:
    try:
        return read_rule(store.records.get("rule", rule_id, deleted=None, c=c).values["yaml"]).actions
    except Problem:
        return ()


def seen_for_action(row: Row) -> dict[str, Any]:
    """Return what leaves the house about an alarm: no names of people, no comments."""
    return {k: v for k, v in told(row).items() if k not in _PRIVATE}


def of_subject(
    store: Store, rule_id: int | None = None, thing_id: int | None = None, limit: int = 20
) -> list[Row]:
    """Return the newest alarms of a rule or of a thing."""
    where: dict[str, Any] = {}
    if rule_id is not None:
        where["rule"] = rule_id
    if thing_id is not None:
        where["thing_id"] = thing_id
    return store.records.find("alarm", Query(where=where, sort="-raised_at", limit=limit)).rows


def since(store: Store, start_us: int) -> int:
    """Return how many alarms were raised since an instant."""
    return store.records.count("alarm", Query(where={"raised_at": Where(">=", start_us)}))
