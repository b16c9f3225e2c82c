"""The life of a Task: who may give it, what it may become, and its trace.

A Task is on disk as `created` when it is acknowledged to its author; sending it is the keeper's work, which reads it
from there. Every step is kept with its time, and is a line of the audit.
"""

import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select, update

from beffroi.identity.rights import check_writer
from beffroi.model.instant import DAY_US, MINUTE_US, SECOND_US, format_instant
from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.standards.tasking.parameters import read_parameters
from beffroi.store.catalogue import touch
from beffroi.store.open import Store
from beffroi.store.tables import actuator, task, tasking_capability, thing

__all__ = [
    "NEXT",
    "OPEN_STATES",
    "Capability",
    "advance",
    "capability",
    "check_manager",
    "check_task",
    "known_task",
    "ready_values",
    "settle_due",
]

NEXT: dict[str, tuple[str, ...]] = {
    "created": ("sent", "failed", "expired", "cancelled"),
    "sent": ("acknowledged", "done", "failed", "expired", "cancelled"),
    "acknowledged": ("done", "failed", "expired"),
    "failed": ("created", "acknowledged", "done"),  # tried again, or the device answered late
    "expired": ("created", "acknowledged", "done"),
    "cancelled": (),
    "done": (),
}
OPEN_STATES = ("created", "sent", "acknowledged")
BY_PEOPLE = ("created", "cancelled")  # what staff asks for; the rest is a device's to say
VALID_US = 5 * MINUTE_US
LONGEST_US = 30 * DAY_US
PER_MINUTE = 30
_RANK = {"agent": 1, "responsable": 2, "admin": 3}


class Capability(msgspec.Struct, frozen=True):
    """A TaskingCapability as commanding needs it; `told` are its properties, `own` those of its Actuator."""

    id: int
    name: str
    thing_id: int
    thing_name: str
    thing_key: str | None
    territory: str | None
    service: str
    actuator_id: int
    actuator_name: str
    parameters: Any
    told: dict[str, Any]
    own: dict[str, Any]

    @property
    def role(self) -> str:
        """The least role that may command it."""
        role = self.told.get("role", self.own.get("role"))
        return role if role in _RANK else "agent"

    @property
    def valid_us(self) -> int:
        """How long a command is worth sending, unless it says."""
        seconds = self.told.get("timeout")
        return int(seconds * SECOND_US) if isinstance(seconds, int | float) and seconds > 0 else VALID_US

    @property
    def per_minute(self) -> int:
        """How many commands its Actuator takes in a minute."""
        most = self.own.get("perMinute")
        return most if isinstance(most, int) and not isinstance(most, bool) and most > 0 else PER_MINUTE

    @property
    def answers(self) -> bool:
        """False for a device that never says that it did what it was told."""
        return self.told.get("acknowledged") is not False

    def may_command(self, who: Principal) -> bool:
        """True when `who` may give it a task."""
        scoped = who.service is not None and who.service != self.service
        return _RANK.get(who.role, 0) >= _RANK[self.role] and who.covers(self.territory) and not scoped

    def check_commander(self, who: Principal) -> None:
        """Raise `Unauthorised` or `Forbidden` unless `who` may give it a task."""
        if who.role == "citizen":
            raise Unauthorised(Text("Il faut se connecter pour commander.", "Commanding needs a sign-in."),
                               Text("Connectez-vous, ou envoyez une clé.", "Sign in, or send a key."))  # fmt: skip
        check_writer(who, self.territory, self.service)
        if _RANK.get(who.role, 0) < _RANK[self.role]:
            words = {"agent": ("un agent", "an agent"), "responsable": ("un responsable", "a manager"),
                     "admin": ("l'administration", "the administration")}[self.role]  # fmt: skip
            raise Forbidden(
                Text(
                    f"Seul {words[0]} commande « {self.name} ».", f"Only {words[1]} commands '{self.name}'."
                ),
                Text("Demandez-le à votre responsable.", "Ask your manager."),
            )


_COLUMNS = (
    tasking_capability.c.id, tasking_capability.c.name, tasking_capability.c.thing_id, thing.c.name, thing.c.key,
    thing.c.territory, thing.c.service, actuator.c.id, actuator.c.name, tasking_capability.c.tasking_parameters,
    tasking_capability.c.properties, actuator.c.properties,
)  # fmt: skip


def capability(c: Connection, *, id: int | None = None, thing_id: int | None = None) -> list[Capability]:  # noqa: A002
    """Return one capability, or those of a thing, by name."""
    wanted = select(*(column.label(f"c{i}") for i, column in enumerate(_COLUMNS))).join_from(
        tasking_capability, thing, thing.c.id == tasking_capability.c.thing_id
    )
    wanted = wanted.join(actuator, actuator.c.id == tasking_capability.c.actuator_id)
    if id is not None:
        wanted = wanted.where(tasking_capability.c.id == id)
    if thing_id is not None:
        wanted = wanted.where(tasking_capability.c.thing_id == thing_id)
    rows = c.execute(wanted.order_by(tasking_capability.c.name, tasking_capability.c.id))
    return [
        Capability(
            **dict(zip(Capability.__struct_fields__, row[:9], strict=False)),
            parameters=msgspec.json.decode(row[9]), told=_object(row[10]), own=_object(row[11]),
        )
        for row in rows
    ]  # fmt: skip


def _object(text: str | None) -> dict[str, Any]:
    found = msgspec.json.decode(text) if text else {}
    return found if isinstance(found, dict) else {}


def check_manager(who: Principal) -> None:
    """Raise `Forbidden` unless `who` may say what can be commanded, and how: more than giving a command."""
    if who.role not in ("responsable", "admin"):
        raise Forbidden(
            Text(
                "Seul un responsable déclare ce qui se commande.",
                "Only a manager declares what can be commanded.",
            ),
            Text("Demandez-le à votre responsable.", "Ask your manager."),
        )


def task_key(who: Principal, key: str) -> str | None:
    """Return the name on which a command sent twice by `who` is one, None without a key."""
    text = f"{who.id}\x1f{key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16, person=b"beffroi-task").hexdigest() if key else None


def known_task(c: Connection, who: Principal, key: str) -> int | None:
    """Return the task that came before under the same Idempotency-Key."""
    if not key:
        return None
    return c.execute(select(task.c.id).where(task.c.key == task_key(who, key))).scalar()


def check_task(
    c: Connection, who: Principal, capability_id: int, given: Any, now_us: int, place: str = ""
) -> tuple[Capability, dict[str, Any]]:
    """Return the capability and what it would be told. Raises `Problem` (400 with a pointer, 401, 403, 404, 429)."""
    found = capability(c, id=capability_id)
    if not found:
        raise NotFound(Text(f"TaskingCapability {capability_id} n'existe pas.", f"There is no TaskingCapability {capability_id}."),
                       place=f"{place}/TaskingCapability")  # fmt: skip
    one = found[0]
    one.check_commander(who)
    checked = read_parameters(one.parameters).check(given, f"{place}/taskingParameters")
    same = select(tasking_capability.c.id).where(tasking_capability.c.actuator_id == one.actuator_id)
    recent = select(func.count()).select_from(task).where(
        task.c.tasking_capability_id.in_(same), task.c.created_us > now_us - MINUTE_US
    )  # fmt: skip
    if c.execute(recent).scalar_one() >= one.per_minute:
        raise Problem(
            Text(f"« {one.actuator_name} » reçoit au plus {one.per_minute} commandes par minute.",
                 f"'{one.actuator_name}' takes {one.per_minute} commands a minute at most."),
            Text("Attendez une minute.", "Wait a minute."), place, 429,
        )  # fmt: skip
    return one, checked


def ready_values(
    c: Connection, who: Principal, capability_id: int, values: dict[str, Any], now_us: int, key: str = "", place: str = ""
) -> dict[str, Any]:  # fmt: skip
    """Return the columns of a new Task, checked. `values` are those that its body gave. Raises `Problem`."""
    given = values.get("tasking_parameters")
    one, checked = check_task(
        c, who, capability_id, msgspec.json.decode(given) if given else None, now_us, place
    )
    until = values.get("expires_us")
    if until is None:
        until = now_us + one.valid_us
    elif not now_us < until <= now_us + LONGEST_US:
        raise Problem(
            Text("« validUntil » est passé, ou à plus de 30 jours.", "'validUntil' is over, or more than 30 days away."),
            Text("Donnez un instant à venir.", "Give an instant to come."), f"{place}/validUntil",
        )  # fmt: skip
    return {
        **values, "tasking_parameters": msgspec.json.encode(checked).decode(), "created_us": now_us, "expires_us": until,
        "due_us": now_us, "changed_us": now_us, "state": "created", "error": None, "author": who.id, "key": task_key(who, key),
        "steps": msgspec.json.encode([["created", now_us, who.name or who.id]]).decode(),
    }  # fmt: skip


def advance(
    store: Store, c: Connection, who: Principal, task_id: int, state: str, *, error: str = "", now_us: int, due_us: int | None = None
) -> bool:  # fmt: skip
    """Let a Task become `state`; call inside `store.write()`. False when it was that already. Raises `Problem`."""
    row: Row[Any] | None = c.execute(select(task).where(task.c.id == task_id)).first()
    if row is None:
        raise NotFound(
            Text(f"Task {task_id} n'existe pas.", f"There is no Task {task_id}."), place=f"Tasks({task_id})"
        )
    if state not in NEXT:
        known = ", ".join(NEXT)
        raise Problem(Text("Cet état n'existe pas.", "There is no such state."),
                      Text(f"Les états sont : {known}.", f"The states are: {known}."), "/status")  # fmt: skip
    one = capability(c, id=row.tasking_capability_id)[0]
    _check_mover(who, one, state)
    if row.state == state:
        return False
    if state not in NEXT[row.state]:
        raise Conflict(
            Text(f"Cette commande est « {row.state} » : elle ne peut pas devenir « {state} ».",
                 f"This task is '{row.state}': it cannot become '{state}'."),
            Text("Donnez une nouvelle commande.", "Give a new command."), "/status",
        )  # fmt: skip
    steps = [
        *msgspec.json.decode(row.steps),
        [state, now_us, who.name or who.id, *([error] if error else [])],
    ]
    values: dict[str, Any] = {
        "state": state, "changed_us": now_us, "error": error or None, "seq": store.next(c),
        "steps": msgspec.json.encode(steps[-50:]).decode(), "due_us": due_us,
    }  # fmt: skip
    if state == "created":  # tried again: as fresh as a new one
        values |= {"attempts": 0, "due_us": now_us, "expires_us": now_us + one.valid_us}
    c.execute(update(task).where(task.c.id == task_id).values(**values))
    touch(c)
    store.audit.note(c, who, f"task.{state}", f"task:{task_id}", {"error": error} if error else None)
    return True


def _check_mover(who: Principal, one: Capability, state: str) -> None:
    if state in BY_PEOPLE:
        one.check_commander(who)
        return
    if who.role == "citizen":
        raise Unauthorised(
            Text("Il faut une clé pour répondre à une commande.", "Answering a command needs a key.")
        )
    if who.role not in ("device", *_RANK):
        raise Forbidden(Text("Cette clé ne répond pas aux commandes.", "This key does not answer commands."))
    check_writer(who, one.territory, one.service)


def settle_due(store: Store, now_us: int, system: Principal) -> int:
    """Let tasks whose time is over expire; return how many."""
    over = select(task.c.id).where(task.c.state.in_(OPEN_STATES), task.c.expires_us <= now_us)
    with store.read() as c:
        ids = list(c.execute(over.limit(500)).scalars())
    for number in ids:
        with store.write() as c:
            still = c.execute(over.where(task.c.id == number)).first()
            if still is not None:
                advance(store, c, system, number, "expired", error=f"{format_instant(now_us)}", now_us=now_us)
    return len(ids)
