"""A simulated gateway, to rehearse remote control before there is a network, and for the demonstration town.

A gateway declared at the address `SIMULATED` is answered for in this process: it takes all that it is told, its lamps do
what they are told a moment later, go back to their program when an override ends, and report their power like others. The
messages are the real ones, checked by the same code; pages say that it is simulated.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from beffroi.model.instant import DAY_US, MINUTE_US, format_instant, to_datetime
from beffroi.model.principal import SYSTEM
from beffroi.services.lighting.calendars import choose
from beffroi.services.lighting.plans import Plans
from beffroi.services.lighting.schedule import levels_at, nights_of
from beffroi.services.lighting.talq import checking
from beffroi.services.lighting.talq.exchanges import Exchange, note
from beffroi.services.lighting.talq.keeping import change_devices, devices_of, take_log
from beffroi.services.lighting.talq.sending import Post, post_http
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["SIMULATED", "call_in", "device_body", "post_of", "report", "simulate"]

SIMULATED = "http://passerelle-simulee.invalid"  # RFC 2606: a name that leads nowhere
EVERY_US = 15 * MINUTE_US
_PAUSE_S = 30.0
_LOSS_W = 1.5  # what the gear draws when the lamp is out
Json = dict[str, Any]


def device_body(address: str, lamp: Row, level: int) -> Json:
    """Return a lamp as a gateway announces it."""
    place = lamp.geometry["coordinates"] if lamp.geometry else None
    basic: Json = {
        "id": "basic",
        "type": "BasicFunction",
        "assetId": {"type": "AttributeString", "value": lamp.values["code"]},
    }
    if place is not None:
        where = {"longitude": place[0], "latitude": place[1]}
        basic["location"] = {"type": "AttributeLocation", "value": where}
    actuator = {"id": "lamp", "type": "LampActuatorFunction", "actualLightState": _state(level)}
    return {
        "address": address, "name": str(lamp.values["code"]), "class": "luminaire-led",
        "functions": [basic, actuator, {"id": "meter", "type": "LampMonitorFunction"}],
    }  # fmt: skip


def _state(level: int) -> Json:
    return {"type": "AttributeLevelState", "value": {"name": "LevelState", "value": level}}


def call_in(town: Town, gateway: Row, method: str, path: str, items: int, status: int = 200) -> None:
    """Keep that the simulated gateway said something, and that it is there."""
    seen = {"seen": town.clock(), "state": "announced"}
    town.store.records.put("talq_gateway", seen, id=gateway.id, who=SYSTEM, reason="TALQ")
    note(town, gateway.id, Exchange(town.clock(), "in", method, path, status, items))


def post_of(town: Town) -> Post:
    """Return what says things to gateways: to simulated ones in this process, over HTTP to others."""

    def post(url: str, client: str, method: str, path: str, body: Any) -> tuple[int, str]:
        if not url.startswith(SIMULATED):
            return post_http(url, client, method, path, body)
        if path == "/override-commands":
            _obey(town, body)
        return (201 if method == "POST" else 200), ""

    return post


def _obey(town: Town, body: Mapping[str, Any]) -> None:
    """Let the lamps that an override names take its level, or that of their program when it has none."""
    state = body.get("targetCommand", {}).get("state")
    for gateway in _gateways(town):
        held = devices_of(town, gateway)
        told = [held[a["address"]] for a in body["addresses"] if a["address"] in held]
        if not told:
            continue
        levels = (
            {d.id: int(state["value"]) for d in told} if state else program_levels(town, told, town.clock())
        )
        _change(town, gateway, told, levels)


def _change(town: Town, gateway: Row, devices: Sequence[Row], levels: Mapping[int, int]) -> None:
    changed = [
        {
            "address": d.values["address"],
            "functions": [
                {"id": "lamp", "type": "LampActuatorFunction", "actualLightState": _state(levels[d.id])}
            ],
        }
        for d in devices
        if d.values["level"] != levels[d.id]
    ]
    if changed:
        checking.check_devices(changed, partial=True)
        change_devices(town, gateway, changed, partial=True)
        call_in(town, gateway, "PATCH", "/devices", len(changed))


def _gateways(town: Town) -> list[Row]:
    rows = town.store.records.all("talq_gateway")
    return [row for row in rows if str(row.values["url"] or "").startswith(SIMULATED)]


def program_levels(town: Town, devices: Iterable[Row], now_us: int) -> dict[int, int]:
    """Return the level (%) of each device by the program of its lamp's cabinet."""
    plans, known = Plans(town), dict[int | None, int]()
    levels = {}
    for device in devices:
        lamp = town.store.records.get("lamp", device.values["lamp"]) if device.values["lamp"] else None
        number = lamp.values["cabinet"] if lamp is not None else None
        if number not in known:
            known[number] = _level_now(town, plans, number, now_us)
        levels[device.id] = known[number]
    return levels


def _level_now(town: Town, plans: Plans, cabinet: int | None, now_us: int) -> int:
    if cabinet is None:
        return 0
    row = town.store.records.get("cabinet", cabinet)
    place = np.array((row.geometry or {"coordinates": (2.35, 46.6)})["coordinates"][:2], float)
    evening = to_datetime(now_us - DAY_US // 2).date()  # nights are counted from noon to noon
    plan = plans.of(row)
    program = plan.programs[choose(plan.calendar, evening, 1)[0]]
    nights = nights_of(program, place[:1], place[1:], evening, 1, town.settings.time_zone)
    return round(
        100 * float(levels_at(program, nights, np.array([now_us / 1e6]), town.settings.time_zone)[0])
    )


def report(town: Town, gateway: Row, instants: Sequence[int]) -> int:
    """Let the devices of a gateway report their level and power at some instants; return how many entries that is."""
    devices = list(devices_of(town, gateway).values())
    overridden = {n for row in _under_way(town) for n in row.values["devices"]}
    entries: list[Json] = []
    levels: dict[int, int] = {}
    for at in instants:
        levels = program_levels(town, devices, at)
        levels |= {d.id: int(d.values["level"] or 0) for d in devices if d.id in overridden}
        for device in devices:
            watts = _watts(town, device, levels[device.id])
            entries += [
                _entry(device, "lamp", "actualLightState", _state(levels[device.id]), at),
                _entry(device, "meter", "activePower", {"type": "AttributeFloat", "value": watts}, at),
            ]
    body = {"address": "logger", "entries": entries}
    checking.check_log_report(body)
    take_log(town, gateway, body)
    call_in(town, gateway, "POST", "/log-reports", len(entries), 201)
    _change(town, gateway, devices, levels)
    return len(entries)


def _under_way(town: Town) -> list[Row]:
    return list(town.store.records.all("lighting_order", Query(where={"state": "sent"})))


def _watts(town: Town, device: Row, level: int) -> float:
    lamp = town.store.records.get("lamp", device.values["lamp"]) if device.values["lamp"] else None
    power = float(lamp.values["power_w"] or 0) if lamp is not None else 0.0
    return round(power * level / 100 * 1.05 + (_LOSS_W if not level else 0.0), 1)


def _entry(device: Row, function: str, name: str, value: Json, at: int) -> Json:
    data = {
        "type": "AttributeLogData", "srcAddress": f"{device.values['address']}/{function}", "timestamp": format_instant(at),
        "attributeName": name, "attributeValue": value,
    }  # fmt: skip
    return {"data": data}


def simulate(town: Town, stop: threading.Event) -> None:
    """Let simulated gateways report each quarter of an hour, until told to stop."""
    while not stop.is_set():
        now = town.clock() // EVERY_US * EVERY_US
        for gateway in _gateways(town):
            if int(gateway.values["seen"] or 0) < now:
                report(town, gateway, [now])
        stop.wait(_PAUSE_S)
