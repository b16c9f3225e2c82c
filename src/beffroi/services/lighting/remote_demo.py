"""The remote control of the demonstration town: a simulated TALQ gateway on the LED lamps of one street, and what people
did with it: programs sent, an evening lit longer, an order refused, one that nobody confirmed, a failure, a message refused."""

import uuid
from collections import Counter
from collections.abc import Callable

from beffroi.identity import people
from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Problem
from beffroi.scene import Scene
from beffroi.services.lighting.talq import checking, commanding
from beffroi.services.lighting.talq.exchanges import note, refused
from beffroi.services.lighting.talq.keeping import add_devices, announce, devices_of, take_log
from beffroi.services.lighting.talq.sending import set_up
from beffroi.services.lighting.talq.simulating import (
    EVERY_US,
    SIMULATED,
    call_in,
    device_body,
    post_of,
    report,
)
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["tell"]

_MOST = 12
_NAME = "Lanternes LED (simulée)"
_SERVICES = [{"name": name} for name in ("ConfigurationService", "ControlService", "DataCollectService")]
_SPACE = uuid.UUID("6f1c1d5e-6a52-4f0e-9a77-0b8f6c1e7a10")  # of the addresses of this invented town
Event = tuple[int, Callable[[], None]]


def tell(town: Town, scene: Scene) -> list[Event]:
    """Write the gateway; return what happens to it, each with its instant."""
    commune, records = scene.communes[0].code, town.store.records
    lamps = _street(town, scene, commune)
    staff = [p.principal for p in people.every(town.store) if p.principal.covers(commune)]
    agent = next((p for p in staff if p.role == "agent" and p.service in (None, "lighting")), None)
    head = next((p for p in staff if p.role == "responsable" and p.service in (None, "lighting")), None)
    if not lamps or agent is None or head is None:
        return []
    town.store.set_setting("talq.cms", str(uuid.uuid5(_SPACE, f"{scene.seed}")))
    values = {"address": str(uuid.uuid5(_SPACE, f"{scene.seed}/gateway")), "name": _NAME, "url": SIMULATED}
    gateway = records.put("talq_gateway", values, territory=commune, who=SYSTEM, reason="Passerelle de démonstration")  # fmt: skip
    return _story(town, scene, gateway, lamps, (agent, head))


def _street(town: Town, scene: Scene, commune: str) -> list[Row]:
    """Return the LED lamps in order of the cabinet that has most of them, among those that follow a calendar."""
    if "lamp" not in town.store.records.collections:
        return []
    able = [
        x for x in scene.assets.lamps if x.technology == "led" and x.state == "on" and x.commune == commune
    ]
    astronomical = {c.code for c in scene.assets.cabinets if c.astronomical_clock}
    able = [x for x in able if x.cabinet in astronomical]
    cabinet = Counter(x.cabinet for x in able).most_common(1)[0][0] if able else ""
    codes = [x.code for x in able if x.cabinet == cabinet][:_MOST]
    rows = (town.store.records.by_key("lamp", code, commune) for code in codes)
    return [row for row in rows if row is not None]


def _story(
    town: Town, scene: Scene, gateway: Row, lamps: list[Row], staff: tuple[Principal, Principal]
) -> list[Event]:
    agent, head = staff
    post, end = post_of(town), scene.end_us
    addresses = [str(uuid.uuid5(_SPACE, f"{scene.seed}/{lamp.values['code']}")) for lamp in lamps]

    def begin() -> None:
        announce(town, gateway, _SERVICES)
        call_in(town, gateway, "POST", "/services", len(_SERVICES), 201)
        bodies = [device_body(a, lamp, 0) for a, lamp in zip(addresses, lamps, strict=True)]
        checking.check_devices(bodies)
        add_devices(town, gateway, bodies)
        call_in(town, gateway, "POST", "/devices", len(bodies), 201)
        set_up(town, gateway, post)

    def ask(title: str, level: int, hours: int, count: int) -> int:
        ids = sorted(d.id for d in devices_of(town, gateway).values())[:count]
        return commanding.ask(town, agent, ids, level, town.clock() + hours * HOUR_US, title).id

    def market() -> None:
        commanding.confirm(town, head, ask("Marché de nuit : rue éclairée plus tard", 100, 2, len(lamps)))
        commanding.send_due(town, post)

    def wind() -> None:
        commanding.refuse(town, head, ask("Éteindre pour observer les étoiles", 0, 3, 6))

    def over() -> None:
        commanding.watch(town, post)

    def fails() -> None:
        event = {"type": "EventLogData", "srcAddress": f"{addresses[-1]}/lamp", "eventType": "cyclingFailure", "startEndFlag": True}  # fmt: skip
        take_log(town, gateway, {"entries": [{"data": event}]})
        call_in(town, gateway, "POST", "/log-reports", 1, 201)
        _say_wrong(town, gateway, addresses[0])

    def day() -> None:
        last = (end - HOUR_US) // EVERY_US * EVERY_US
        report(town, gateway, range(last - DAY_US, last, EVERY_US))

    def waiting() -> None:
        ask("Contrôle des lanternes à pleine puissance", 100, 2, len(lamps))

    happened = [
        (2 * DAY_US, begin), (DAY_US + 2 * HOUR_US, market), (DAY_US - 1 * HOUR_US, over), (20 * HOUR_US, wind), (3 * HOUR_US, fails),
        (HOUR_US // 2, day), (10 * MINUTE_US, waiting),
    ]  # fmt: skip
    return [
        (max(scene.start_us + n * MINUTE_US, end - before), deed) for n, (before, deed) in enumerate(happened)
    ]


def _say_wrong(town: Town, gateway: Row, address: str) -> None:
    """Let the gateway say a level that does not exist: it is refused, with the place."""
    function = {
        "id": "lamp", "type": "LampActuatorFunction",
        "actualLightState": {"type": "AttributeLevelState", "value": {"name": "LevelState", "value": 130}},
    }  # fmt: skip
    try:
        checking.check_devices([{"address": address, "functions": [function]}], partial=True)
    except Problem as problem:
        note(town, gateway.id, refused(town.clock(), "in", "PATCH", "/devices", problem))
