"""Send what was commanded: over MQTT, or as a downlink of a LoRaWAN network. The keeper's, in a thread of its own.

The table of tasks is the queue: what is `created` and due is sent, tried again with growing pauses, and is `failed`
after the last try, `expired` when its time is over. A command that was sent just before a sudden end is sent again under
its own number: devices see that it is the same.
"""

import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import select, update

from beffroi.model.instant import SECOND_US, format_instant
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.settings import LorawanSettings
from beffroi.standards.lorawan.downlink import Downlink, Request, frame_of, request_of
from beffroi.standards.tasking.tasks import Capability, advance, capability, settle_due
from beffroi.store.open import Store
from beffroi.store.tables import task

__all__ = ["Command", "Ways", "planned", "send_due", "work"]

log = logging.getLogger("beffroi.tasking")
Command = Callable[[str, bytes, str | None, str], bool]
"""Publishes a command to those of a territory and service; False when nobody is there to hear it."""
GATHER_S = 0.05  # a town that writes all the time is not asked at each commit
PAUSE_S = 1.0
TIMEOUT_S = 15.0
MOST_TRIES = 8
FIRST_US = 5 * SECOND_US
_AT_ONCE = 100


class Ways(msgspec.Struct, frozen=True):
    """The means of sending: MQTT once it runs, and the LoRaWAN networks of the settings."""

    command: Callable[[], Command | None]
    networks: Sequence[LorawanSettings] = ()


class _Unsent(Exception):  # noqa: N818 -- it says why
    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


def planned(
    one: Capability, task_id: int, values: dict[str, Any], until_us: int, networks: Sequence[LorawanSettings]
) -> tuple[str, Any]:
    """Return how a command goes out and as what: ("mqtt", (topic, message)), ("lorawan", Request), ("simulated", None),
    or ("service", its name) when a service's own duty sends it.

    Raises `Problem` when the capability says it wrongly.
    """
    if one.told.get("simulated") is True:
        return "simulated", None
    if isinstance(one.told.get("sender"), str):
        return "service", one.told["sender"]
    told = one.told.get("lorawan")
    if isinstance(told, dict):
        return "lorawan", _request(one, told, task_id, values, networks)
    message = {
        "task": task_id,
        "capability": one.id,
        "name": one.name,
        "parameters": values,
        "validUntil": format_instant(until_us),
    }
    topic = one.told.get("topic")
    return "mqtt", (topic if isinstance(topic, str) and topic else f"things/{one.thing_id}/commands", message)


def _request(
    one: Capability,
    told: dict[str, Any],
    task_id: int,
    values: dict[str, Any],
    networks: Sequence[LorawanSettings],
) -> Request:
    network = next(
        (n for n in networks if n.name == told.get("network")),
        networks[0] if networks and "network" not in told else None,
    )
    if network is None:
        raise Problem(
            Text("Ce réseau LoRaWAN n'est pas dans beffroi.toml.", "This LoRaWAN network is not in beffroi.toml."),
            Text("Ajoutez une table [[lorawan]] de ce nom.", "Add a table [[lorawan]] of that name."), "/properties/lorawan/network",
        )  # fmt: skip
    frame = told.get("frame")
    down = Downlink(
        task_id, int(told.get("port", 1)), bool(told.get("confirmed", True)),
        frame_of(frame, values) if isinstance(frame, str) else None, values,
    )  # fmt: skip
    eui = str(told.get("devEui") or (one.thing_key or "").removeprefix("lora/"))
    device = str(told.get("device") or one.thing_name)
    return request_of(network.kind, network.url, network.key, network.application, device, eui, down)


def send_due(store: Store, ways: Ways) -> int:
    """Send every command that is due, let those whose time is over expire; return how many were sent."""
    now = store.clock()
    settle_due(store, now, SYSTEM)
    due = (
        select(task).where(task.c.state == "created", task.c.due_us <= now).order_by(task.c.due_us, task.c.id)
    )
    with store.read() as c:
        rows = c.execute(due.limit(_AT_ONCE)).all()
        of = {row.id: capability(c, id=row.tasking_capability_id)[0] for row in rows}
    ours = [row for row in rows if "sender" not in of[row.id].told]
    return sum(_send(store, ways, row, of[row.id]) for row in ours)


def _send(store: Store, ways: Ways, row: Any, one: Capability) -> bool:
    try:
        kept = _send_one(ways, row, one)
    except (_Unsent, Problem) as error:
        reason = error.reason.en if isinstance(error, Problem) else str(error)
        _again(store, row, reason, final=isinstance(error, Problem) or error.final)
        return False
    with store.write() as c:
        state = c.execute(select(task.c.state).where(task.c.id == row.id)).scalar()
        if state != "created":
            return False  # cancelled, or answered, meanwhile
        if kept:
            c.execute(
                update(task).where(task.c.id == row.id).values(properties=msgspec.json.encode(kept).decode())
            )
        now = store.clock()
        advance(store, c, SYSTEM, row.id, "sent", now_us=now)
        if not one.answers:
            advance(store, c, SYSTEM, row.id, "done", now_us=now)
    return True


def _send_one(ways: Ways, row: Any, one: Capability) -> dict[str, Any]:
    """Send; return what is to be kept with the task. Raises `_Unsent`, `Problem`."""
    way, what = planned(
        one, row.id, msgspec.json.decode(row.tasking_parameters), row.expires_us, ways.networks
    )
    if way == "mqtt":
        command = ways.command()
        if command is None:
            raise _Unsent("MQTT is not running")
        if not command(what[0], msgspec.json.encode(what[1]), one.territory, one.service):
            raise _Unsent(f"nobody listens to {what[0]}")
    kept = msgspec.json.decode(row.properties) if row.properties else {}
    if way == "lorawan":
        item = _asked(what)
        if item:
            kept["queueItem"] = item
    return kept if isinstance(kept, dict) else {}


def _asked(request: Request) -> str:
    """Ask a network server; return the name of the item in its queue, if it gives one. Raises `_Unsent`."""
    asked = urllib.request.Request(request.url, request.body, request.headers, method="POST")  # noqa: S310 -- of the settings
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310
            body = answer.read(1 << 16)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(500).decode("utf-8", "replace")
        # 4xx says that it is wrong, not that it is early
        final = 400 <= error.code < 500 and error.code not in (408, 425, 429)
        raise _Unsent(f"the LoRaWAN server answers {error.code}: {said}", final=final) from error
    except (OSError, ValueError) as error:
        raise _Unsent(f"the LoRaWAN server does not answer: {error}") from error
    try:
        told = msgspec.json.decode(body) if body.strip() else {}
    except msgspec.DecodeError:
        return ""
    return str(told.get("id") or "") if isinstance(told, dict) else ""


def _again(store: Store, row: Any, reason: str, *, final: bool) -> None:
    """Note a failed try: the next one is later, or it was the last."""
    tries = row.attempts + 1
    log.warning("command %s was not sent (try %s): %s", row.id, tries, reason)
    with store.write() as c:
        if c.execute(select(task.c.state).where(task.c.id == row.id)).scalar() != "created":
            return
        if final or tries >= MOST_TRIES:
            advance(store, c, SYSTEM, row.id, "failed", error=reason[:500], now_us=store.clock())
            return
        due = store.clock() + FIRST_US * 2 ** (tries - 1)
        c.execute(
            update(task).where(task.c.id == row.id).values(attempts=tries, due_us=due, error=reason[:500])
        )


def work(store: Store, ways: Ways, stop: threading.Event) -> None:
    """Send what is due, at once when a command is committed, until `stop` is set. Blocking: for a thread of its own."""
    wake = threading.Event()
    cancel = store.listen(wake.set, records_only=True)
    try:
        while not stop.is_set():
            send_due(store, ways)
            wake.wait(PAUSE_S)
            wake.clear()
            stop.wait(GATHER_S)
    finally:
        cancel()
