"""Answers: what devices and their networks say of a command, by message, by uplink or by the network's own events."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Conflict, NotFound, Problem
from beffroi.model.text import Text
from beffroi.standards.lorawan.downlink import Event
from beffroi.standards.lorawan.uplink import Uplink
from beffroi.standards.tasking.tasks import advance, capability
from beffroi.store.open import Store
from beffroi.store.tables import task, tasking_capability, thing

__all__ = ["answered_by_uplink", "answered_by_word", "of_network"]

_WAITING = ("sent", "acknowledged")


class _Word(msgspec.Struct):
    state: str = ""
    status: str = ""
    error: str = ""


def answered_by_word(store: Store, who: Principal, task_id: int, body: bytes, now_us: int) -> None:
    """Take what a device published on `tasks/ID/state`: a state alone, or `{"state": …, "error": …}`. Raises `Problem`."""
    text = body.decode("utf-8", "replace").strip()
    try:
        word = msgspec.json.decode(text, type=_Word) if text.startswith("{") else _Word(text.strip('"'))
    except msgspec.DecodeError as error:
        raise Problem(
            Text("La réponse n'est pas lisible.", "The answer cannot be read."),
            Text("Publiez acknowledged, done ou failed.", "Publish acknowledged, done or failed."), f"tasks/{task_id}/state",
        ) from error  # fmt: skip
    with store.write() as c:
        advance(store, c, who, task_id, word.state or word.status, error=word.error[:500], now_us=now_us)


def of_network(store: Store, event: Event, now_us: int) -> bool:
    """Take what a LoRaWAN network says of a downlink; False when it is none of ours. A late word changes nothing."""
    with store.write() as c:
        number = event.task_id if event.task_id is not None else _by_item(c, event.item)
        if number is None:
            return False
        told = _told(c, number)
        state = "done" if event.state == "acknowledged" and told.get("done") == "ack" else event.state
        try:
            advance(store, c, SYSTEM, number, state, error=event.error, now_us=now_us)
        except (Conflict, NotFound):
            return False
    return True


def _by_item(c: Connection, item: str) -> int | None:
    found = c.execute(
        select(task.c.id, task.c.properties).where(task.c.state.in_(_WAITING), task.c.properties.is_not(None))
    )
    return next((row.id for row in found if _object(row.properties).get("queueItem") == item), None)


def _told(c: Connection, number: int) -> dict[str, Any]:
    of = select(tasking_capability.c.properties).join(
        task, task.c.tasking_capability_id == tasking_capability.c.id
    )
    told = _object(c.execute(of.where(task.c.id == number)).scalar()).get("lorawan")
    return told if isinstance(told, dict) else {}


def _object(text: str | None) -> dict[str, Any]:
    found = msgspec.json.decode(text) if text else {}
    return found if isinstance(found, dict) else {}


def answered_by_uplink(store: Store, uplink: Uplink, now_us: int) -> int:
    """Let the commands that an uplink answers be done; return how many.

    `properties.lorawan.done` of a capability maps each parameter to the key of the uplink that repeats it.
    """
    waiting = (
        select(task.c.id, task.c.tasking_parameters, tasking_capability.c.id)
        .join(tasking_capability, tasking_capability.c.id == task.c.tasking_capability_id)
        .join(thing, thing.c.id == tasking_capability.c.thing_id)
        .where(task.c.state.in_(_WAITING), thing.c.key == uplink.station.key)
        .order_by(task.c.id)
    )
    with store.read() as c:
        rows = c.execute(waiting).all()
        told = {row[2]: capability(c, id=row[2])[0].told.get("lorawan") or {} for row in rows}
    done = [
        row[0]
        for row in rows
        if _repeats(told[row[2]].get("done"), msgspec.json.decode(row[1]), uplink.decoded)
    ]
    for number in done:
        with store.write() as c:
            advance(store, c, SYSTEM, number, "done", now_us=now_us)
    return len(done)


def _repeats(keys: Any, sent: dict[str, Any], heard: dict[str, Any]) -> bool:
    if not isinstance(keys, dict) or not keys:
        return False
    return all(name in sent and key in heard and _same(sent[name], heard[key]) for name, key in keys.items())


def _same(sent: Any, heard: Any) -> bool:
    if isinstance(sent, str) or isinstance(heard, str):
        return str(sent) == str(heard)
    return float(sent) == float(heard)
