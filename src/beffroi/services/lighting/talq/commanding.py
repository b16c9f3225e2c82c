"""Orders to several lamps: one person asks, another (a manager) confirms, then each lamp gets a SensorThings Task.

A Task is on disk before anything is sent. An order always has an end, which goes with it: a gateway that loses us goes
back to its program by itself. Besides, the watchdog here says « rendu au programme » at the end, and lets what nobody
confirmed lapse. Every step is a line of the audit.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select, update

from beffroi.model.instant import HOUR_US, MINUTE_US, SECOND_US
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Conflict, Forbidden, NotFound, Problem, Unauthorised, Unavailable
from beffroi.model.text import Text
from beffroi.services.lighting.talq import bodies
from beffroi.services.lighting.talq.keeping import SENDER, settle_tasks
from beffroi.services.lighting.talq.sending import Call, Post, gateway_at, require_url, send
from beffroi.standards.tasking.tasks import Capability, advance, capability, check_task, ready_values
from beffroi.store.catalogue import New, create
from beffroi.store.record import Query, Row, Where
from beffroi.store.tables import task, tasking_capability
from beffroi.town import Town

__all__ = [
    "LONGEST_US", "MOST_AN_HOUR", "ask", "confirm", "dry_run", "refuse", "release", "send_due", "watch", "work",
]  # fmt: skip

log = logging.getLogger("beffroi.talq")
LONGEST_US = 12 * HOUR_US
MOST_AN_HOUR = 12  # orders of one person
WAITS_US = 30 * MINUTE_US  # for the second person
SILENT_US = HOUR_US
RUNNING = ("confirmed", "sent")
_DEFAULT_MINUTES = 60
MOST_TRIES = 6
PAUSE_S = 5.0
WATCH_S = 5.0
GATHER_S = 0.2  # a town that writes all the time is not asked at each commit


def _staff(who: Principal) -> None:
    if who.role == "citizen":
        raise Unauthorised(Text("Il faut se connecter.", "You need to sign in."), Text("Connectez-vous, puis recommencez.", "Sign in, then try again."))  # fmt: skip
    if not who.staff or who.service not in (None, "lighting"):
        raise Forbidden(Text("Seuls les agents commandent l'éclairage.", "Only staff command the lighting."), Text("Demandez à un agent.", "Ask an agent."))  # fmt: skip


def _able(town: Town, who: Principal, device_ids: Sequence[int]) -> list[tuple[Row, Capability]]:
    """Return the devices that can be commanded, with what they can be told. Raises `Problem` naming the one that cannot."""
    found = []
    with town.store.read() as c:
        for number in device_ids:
            row = town.store.records.get("talq_device", number)
            if not who.covers(row.territory):
                raise NotFound(
                    Text("Cet appareil n'existe pas.", "There is no such device."),
                    place=f"talq_device/{number}",
                )
            able = capability(c, thing_id=row.values["thing"]) if row.values["thing"] else []
            if not able:
                raise Problem(
                    Text(f"« {row.values['name']} » ne se commande pas.", f"'{row.values['name']}' cannot be commanded."),
                    Text("Retirez-le de l'ordre.", "Take it out of the order."), place=f"talq_device/{number}",
                )  # fmt: skip
            able[0].check_commander(who)
            found.append((row, able[0]))
    return found


def ask(town: Town, who: Principal, device_ids: Sequence[int], level: int, ends_us: int, title: str) -> Row:
    """Ask for an override of several lamps until an instant; return the order, to be confirmed by another person."""
    _staff(who)
    now = town.clock()
    if not device_ids:
        raise Problem(Text("Aucun appareil n'est choisi.", "No device is chosen."), Text("Cochez-en.", "Tick some."), place="devices")  # fmt: skip
    if not 0 <= level <= 100:
        raise Problem(Text("Le niveau va de 0 à 100.", "The level is from 0 to 100."), Text("Corrigez-le.", "Mend it."), place="level")  # fmt: skip
    if not now < ends_us <= now + LONGEST_US:
        raise Problem(
            Text("Un ordre finit dans les douze heures.", "An order ends within twelve hours."),
            Text("Choisissez une fin plus proche, à venir.", "Choose a nearer end, to come."), place="ends",
        )  # fmt: skip
    recent = {"asked_by": who.id, "asked": Where(">", now - HOUR_US)}
    if town.store.records.count("lighting_order", Query(where=recent)) >= MOST_AN_HOUR:
        raise Problem(
            Text(f"Au plus {MOST_AN_HOUR} ordres par heure et par personne.", f"At most {MOST_AN_HOUR} orders an hour a person."),
            Text("Attendez, ou changez le calendrier.", "Wait, or change the calendar."), "order", 429,
        )  # fmt: skip
    able = _able(town, who, list(dict.fromkeys(device_ids)))
    values = {
        "title": title.strip()[:120] or "Forçage", "level": level, "asked": now, "asked_by": who.id, "ends": ends_us, "state": "asked",
        "devices": [row.id for row, _ in able],
    }  # fmt: skip
    territory = able[0][0].territory
    row = town.store.records.put(
        "lighting_order", values, territory=territory, who=who, reason="Ordre demandé"
    )
    _note(town, who, "lighting.ask", row, {"level": level, "devices": len(able)})
    return row


def _note(town: Town, who: Principal, action: str, row: Row, detail: dict[str, Any] | None = None) -> None:
    with town.store.write() as c:
        town.store.audit.note(c, who, action, f"lighting_order:{row.id}", detail)


def _open(town: Town, who: Principal, order_id: int) -> Row:
    _staff(who)
    row = town.store.records.get("lighting_order", order_id)
    if not who.covers(row.territory):
        raise NotFound(Text("Cet ordre n'existe pas.", "There is no such order."))
    if row.values["state"] != "asked":
        raise Conflict(Text("Cet ordre n'attend plus.", "This order waits no longer."), Text("Faites-en un autre.", "Make another."), "state")  # fmt: skip
    return row


def dry_run(town: Town, who: Principal, order_id: int) -> list[tuple[str, Call]]:
    """Return what confirming would send, by gateway, sending nothing."""
    row = _open(town, who, order_id)
    by_gateway: dict[str, list[str]] = defaultdict(list)
    for device, able in _able(town, who, row.values["devices"]):
        by_gateway[str(able.told["gateway"])].append(str(device.values["address"]))
    return [
        (
            address,
            _override(
                devices, int(row.values["level"]), town.clock(), int(row.values["ends"]), f"order-{row.id}"
            ),
        )
        for address, devices in by_gateway.items()
    ]


def _override(devices: Sequence[str], level: int, start_us: int, end_us: int, reference: str) -> Call:
    body = bodies.override(devices, level, start_us, end_us, reference)
    return Call("POST", "/override-commands", "OverrideCommand", body)


def confirm(town: Town, who: Principal, order_id: int) -> Row:
    """Confirm an order that another person asked: each lamp gets its Task. Raises `Forbidden`, `Conflict`, `Problem`."""
    row = _open(town, who, order_id)
    if who.role not in ("responsable", "admin"):
        raise Forbidden(Text("Un responsable confirme les ordres de groupe.", "A manager confirms orders to groups."), Text("Demandez-le-lui.", "Ask them."))  # fmt: skip
    if who.id == row.values["asked_by"]:
        raise Forbidden(
            Text("Une autre personne que celle qui demande doit confirmer.", "Another person than the one who asks must confirm."),
            Text("Demandez à un autre responsable.", "Ask another manager."),
        )  # fmt: skip
    now = town.clock()
    if now > row.values["asked"] + WAITS_US or now >= row.values["ends"]:
        town.store.records.put(
            "lighting_order", {"state": "lapsed"}, id=row.id, who=SYSTEM, reason="Sans réponse"
        )
        raise Conflict(Text("Cet ordre a trop attendu.", "This order waited too long."), Text("Faites-en un autre.", "Make another."), "state")  # fmt: skip
    able = _able(town, who, row.values["devices"])
    minutes = max(1, (int(row.values["ends"]) - now) // MINUTE_US)
    with town.store.write() as c:
        for _, one in able:
            told = {"level": int(row.values["level"]), "minutes": min(minutes, 720)}
            check_task(c, who, one.id, told, now)
            given = {
                "tasking_parameters": msgspec.json.encode(told).decode(),
                "properties": msgspec.json.encode({"order": row.id}).decode(),
            }
            values = ready_values(c, who, one.id, given, now)
            made = create(town.store, c, New("task", values, belongs={"tasking_capability_id": one.id}))
            town.store.audit.note(c, who, "task.create", f"task:{made.id}", {"order": row.id})
        town.store.audit.note(c, who, "lighting.confirm", f"lighting_order:{row.id}", {"devices": len(able)})
        town.store.records.put(
            "lighting_order", {"state": "confirmed", "confirmed_by": who.id}, id=row.id, version=row.version, who=who,
            reason="Ordre confirmé", c=c,
        )  # fmt: skip
    return town.store.records.get("lighting_order", row.id)


def refuse(town: Town, who: Principal, order_id: int) -> None:
    """Refuse, or take back, an order that waits."""
    row = _open(town, who, order_id)
    town.store.records.put(
        "lighting_order",
        {"state": "refused", "confirmed_by": who.id},
        id=row.id,
        who=who,
        reason="Ordre refusé",
    )
    _note(town, who, "lighting.refuse", row)


def release(town: Town, who: Principal, order_id: int, post: Post | None = None) -> None:
    """End an order that runs before its time: its lamps go back to their program now; what was not sent yet never is.

    Who asked may, and any manager; one person is enough to undo. Raises `Conflict`, `Forbidden`, `NotFound`.
    """
    _staff(who)
    row = town.store.records.get("lighting_order", order_id)
    if not who.covers(row.territory):
        raise NotFound(Text("Cet ordre n'existe pas.", "There is no such order."))
    if row.values["state"] not in RUNNING:
        raise Conflict(Text("Cet ordre n'est plus en cours.", "This order is no longer under way."), Text("Rien n'est à rendre.", "Nothing is to be given back."), "state")  # fmt: skip
    if who.role not in ("responsable", "admin") and who.id != row.values["asked_by"]:
        raise Forbidden(Text("Qui a demandé l'ordre, ou un responsable, y met fin.", "Who asked for the order, or a manager, ends it."), Text("Demandez-le-lui.", "Ask them."))  # fmt: skip
    mine = (
        select(task.c.id).join(tasking_capability, tasking_capability.c.id == task.c.tasking_capability_id)
        .where(task.c.state == "created", tasking_capability.c.properties.like(f'%"{SENDER}"%'), task.c.properties.like(f'%"order":{row.id}}}%'))
    )  # fmt: skip
    with town.store.write() as c:
        for (number,) in c.execute(mine).all():
            advance(town.store, c, SYSTEM, number, "cancelled", now_us=town.clock())
    _give_back(town, row, post, who)


# --- Sending, by the one process that does.


def send_due(town: Town, post: Post | None = None) -> int:
    """Send the commands that are due, those alike in one message; return how many were sent."""
    now = town.clock()
    due = (
        select(task).join(tasking_capability, tasking_capability.c.id == task.c.tasking_capability_id)
        .where(task.c.state == "created", task.c.due_us <= now, tasking_capability.c.properties.like(f'%"{SENDER}"%'))
        .order_by(task.c.id).limit(5000)
    )  # fmt: skip
    alike: dict[tuple[str, int, int, int], list[tuple[Any, str]]] = defaultdict(list)
    with town.store.read() as c:
        for row in c.execute(due).all():
            one = capability(c, id=row.tasking_capability_id)[0]
            if one.told.get("sender") != SENDER:
                continue
            told = msgspec.json.decode(row.tasking_parameters)
            kept = msgspec.json.decode(row.properties) if row.properties else {}
            ends = row.created_us + int(told.get("minutes", _DEFAULT_MINUTES)) * MINUTE_US
            key = (str(one.told["gateway"]), int(told["level"]), ends, int(kept.get("order", 0)))
            alike[key].append((row, str(one.told["talq"])))
    return sum(_send(town, key, rows, post) for key, rows in alike.items())


def _send(
    town: Town, key: tuple[str, int, int, int], rows: Sequence[tuple[Any, str]], post: Post | None
) -> int:
    gateway, level, ends, order = key
    reference = f"order-{order}" if order else f"task-{rows[0][0].id}"
    found = gateway_at(town, gateway)
    try:
        require_url(found)
        assert found is not None
        call = _override([address for _, address in rows], level, town.clock(), ends, reference)
        status = send(town, found, call, post)
    except Problem as problem:
        _failed(town, rows, order, problem)
        return 0
    with town.store.write() as c:
        for row, _ in rows:
            if c.execute(select(task.c.state).where(task.c.id == row.id)).scalar() == "created":
                advance(town.store, c, SYSTEM, row.id, "sent", now_us=town.clock())
                if status == 201:
                    advance(town.store, c, SYSTEM, row.id, "acknowledged", now_us=town.clock())
    # those that answered before this was written
    answered = Query(where={"address": tuple(address for _, address in rows), "level": level})
    settle_tasks(town, [(device, level) for device in town.store.records.all("talq_device", answered)])
    if order:
        held = town.store.records.get("lighting_order", order)
        if held.values["state"] == "ended":  # taken back while it was on its way
            _give_back(town, held, post)
        else:
            town.store.records.put(
                "lighting_order", {"state": "sent"}, id=order, who=SYSTEM, reason="Ordre envoyé"
            )
    return len(rows)


def _failed(town: Town, rows: Sequence[tuple[Any, str]], order: int, problem: Problem) -> None:
    """Try again later while the gateway is away; give up when it refuses, or after the last try."""
    over = not isinstance(problem, Unavailable)
    log.warning("TALQ command not sent: %s", problem.reason.en)
    with town.store.write() as c:
        for row, _ in rows:
            tries = row.attempts + 1
            if over or tries >= MOST_TRIES:
                over = True
                advance(
                    town.store,
                    c,
                    SYSTEM,
                    row.id,
                    "failed",
                    error=problem.reason.fr[:500],
                    now_us=town.clock(),
                )
                continue
            due = town.clock() + 5 * SECOND_US * 2 ** (tries - 1)
            c.execute(
                update(task)
                .where(task.c.id == row.id)
                .values(attempts=tries, due_us=due, error=problem.reason.fr[:500])
            )
    if over and order:
        town.store.records.put("lighting_order", {"state": "failed", **_obstacle(problem)}, id=order, who=SYSTEM, reason="Ordre non envoyé")  # fmt: skip


# --- The watchdog.


def watch(town: Town, post: Post | None = None) -> int:
    """Give back to the local program what is over, let lapse what nobody confirmed, mark gateways that are silent."""
    now, records, done = town.clock(), town.store.records, 0
    for row in list(
        records.all("lighting_order", Query(where={"state": "asked", "asked": Where("<", now - WAITS_US)}))
    ):
        records.put("lighting_order", {"state": "lapsed"}, id=row.id, who=SYSTEM, reason="Sans réponse")
        done += 1
    for row in list(records.all("lighting_order", Query(where={"state": "sent", "ends": Where("<=", now)}))):
        done += _give_back(town, row, post)
    quiet = {"state": "announced", "seen": Where("<", now - SILENT_US)}
    for row in list(records.all("talq_gateway", Query(where=quiet))):
        records.put("talq_gateway", {"state": "silent"}, id=row.id, who=SYSTEM, reason="TALQ : muette")
        done += 1
    return done


def _give_back(town: Town, row: Row, post: Post | None, who: Principal = SYSTEM) -> int:
    """Tell the gateways of an order to go back to their programs; they do so by themselves if they cannot be told."""
    by_gateway: dict[str, list[str]] = defaultdict(list)
    with town.store.read() as c:
        for number in row.values["devices"]:
            device = town.store.records.get("talq_device", number, deleted=None)
            for one in capability(c, thing_id=device.values["thing"] or 0)[:1]:
                by_gateway[str(one.told["gateway"])].append(str(device.values["address"]))
    told = _obstacle(None)
    for address, devices in by_gateway.items():
        found = gateway_at(town, address)
        try:
            if found is not None and found.values["url"]:
                call = Call("POST", "/override-commands", "OverrideCommand", bodies.release(devices))
                send(town, found, call, post)
        except Problem as problem:
            told = _obstacle(problem)
    values = {"state": "ended", **told}
    town.store.records.put("lighting_order", values, id=row.id, who=who, reason="Rendu au programme local")
    _note(town, who, "lighting.release", row, {"obstacle": told["problem"]} if told["problem"] else None)
    return 1


def _obstacle(problem: Problem | None) -> dict[str, str | None]:
    """Return what an order keeps of a problem, in both languages."""
    said = (None, None) if problem is None else (problem.reason.fr[:500], problem.reason.en[:500])
    return dict(zip(("problem", "problem_en"), said, strict=True))


def work(town: Town, stop: threading.Event, post: Post | None = None) -> None:
    """Send what is due as soon as it is committed, and watch what is over, until told to stop; `post` instead of HTTP."""
    wake = threading.Event()
    cancel = town.store.listen(wake.set)
    watched = float("-inf")
    try:
        while not stop.is_set():
            if town.store.records.count("talq_gateway"):
                send_due(town, post)
                if time.monotonic() >= watched + WATCH_S:
                    watch(town, post)
                    watched = time.monotonic()
            wake.wait(PAUSE_S)
            wake.clear()
            stop.wait(GATHER_S)
    finally:
        cancel()
