"""What the town keeps of gateways and of what they tell: devices as records and as SensorThings things, measurements as
observations, events as faults. Nothing of a message is kept unless all of it can be."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from beffroi.intake.take import Intake
from beffroi.model.instant import MINUTE_US, parse_instant
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Conflict, Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.result import number_of
from beffroi.model.text import Text
from beffroi.standards.reading import Reading, Series, Station
from beffroi.standards.tasking.tasks import advance
from beffroi.store.catalogue import Link, New, create
from beffroi.store.record import Query, Row
from beffroi.store.tables import actuator, task, tasking_capability, thing
from beffroi.town import Town

__all__ = [
    "KEY",
    "SENDER",
    "add_devices",
    "announce",
    "change_devices",
    "cms_address",
    "devices_of",
    "gateway_called",
    "settle_tasks",
    "take_log",
]

SENDER = "talq"  # the property of a TaskingCapability that leaves its sending to us
KEY = "talq/"  # of a thing: this, then the address of the device
PER_MINUTE = 600
_SEEN_US = 10 * MINUTE_US  # each time is a version of the record
# Attributes that are measurements, and the kind of datastream that each is.
MEASURED = {
    "activePower": "lamp_power", "activeEnergy": "lamp_energy", "operatingHours": "lamp_hours", "supplyVoltage": "lamp_voltage",
    "actualLightState": "lamp_level",
}  # fmt: skip
# Events that are a fault of a lamp, and how grave.
FAULTS = {
    "lampFailure": (Text("Lampe éteinte", "Lamp out"), "jaune"),
    "controlGearFailure": (Text("Appareillage en panne", "Control gear failure"), "jaune"),
    "cyclingFailure": (Text("Lampe qui clignote", "Cycling lamp"), "jaune"),
    "dimmingFailure": (Text("Gradation en panne", "Dimming failure"), "jaune"),
    "lampUnexpectedOn": (Text("Lampe allumée hors programme", "Lamp on out of program"), "jaune"),
    "relayFailure": (Text("Relais en panne", "Relay failure"), "orange"),
    "leakageDetected": (Text("Défaut d'isolement", "Leakage current"), "rouge"),
    "cabinetDoorOpen": (Text("Porte d'armoire ouverte", "Cabinet door open"), "rouge"),
}  # fmt: skip
PARAMETERS = {
    "type": "DataRecord",
    "field": [
        {"name": "level", "label": "Niveau", "type": "Count", "uom": {"code": "%"},
         "constraint": {"type": "AllowedValues", "interval": [[0, 100]]}},
        {"name": "minutes", "label": "Durée", "type": "Count", "uom": {"code": "min"}, "optional": True,
         "constraint": {"type": "AllowedValues", "interval": [[1, 720]]}},
    ],
}  # fmt: skip


def cms_address(town: Town) -> str:
    """Return the UUID of this town as a central system, made once."""
    held = town.store.setting("talq.cms")
    if held is None:
        held = str(uuid.uuid4())
        town.store.set_setting("talq.cms", held)
    return str(held)


def gateway_called(town: Town, who: Principal, address: str) -> Row:
    """Return the gateway of an address, for who speaks as it. Raises `Unauthorised`, `Forbidden`."""
    if who.role == "citizen":
        raise Unauthorised(Text("Il faut une clé.", "A key is needed."), Text("Envoyez « Authorization: Bearer … ».", "Send 'Authorization: Bearer …'."))  # fmt: skip
    rows = town.store.records.find("talq_gateway", Query(where={"address": address.lower()}, limit=1)).rows
    if not rows:
        raise Forbidden(  # the API's own 404 are about resources
            Text("Cette passerelle n'est pas déclarée.", "This gateway is not declared."),
            Text("Un responsable la déclare dans Données, Passerelles TALQ.", "A manager declares it in Data, TALQ gateways."),
            place="clientAddress",
        )  # fmt: skip
    scoped = who.service not in (None, "lighting")
    if scoped or who.role not in ("device", "responsable", "admin") or not who.covers(rows[0].territory):
        raise Forbidden(
            Text("Cette clé n'est pas celle de cette passerelle.", "This key is not this gateway's.")
        )
    if town.clock() - (rows[0].values["seen"] or 0) > _SEEN_US:
        town.store.records.put(
            "talq_gateway",
            {"seen": town.clock(), "state": "announced"},
            id=rows[0].id,
            who=SYSTEM,
            reason="TALQ",
        )
    return rows[0]


def announce(town: Town, gateway: Row, services: Sequence[Mapping[str, Any]]) -> None:
    """Keep which services a gateway has."""
    values = {
        "services": ", ".join(str(s["name"]) for s in services),
        "state": "announced",
        "seen": town.clock(),
    }
    town.store.records.put("talq_gateway", values, id=gateway.id, who=SYSTEM, reason="TALQ : annonce")


def devices_of(town: Town, gateway: Row) -> dict[str, Row]:
    """Return the devices of a gateway by their address."""
    rows = town.store.records.all("talq_device", Query(where={"gateway": gateway.id}))
    return {str(row.values["address"]): row for row in rows}


def add_devices(town: Town, gateway: Row, devices: Sequence[Mapping[str, Any]]) -> None:
    """Keep new devices, each with its thing and what it can be told. Raises `Conflict` with a pointer."""
    held = devices_of(town, gateway)
    seen: set[str] = set()
    for number, device in enumerate(devices):
        address = str(device["address"]).lower()
        if address in held or address in seen:
            raise Conflict(
                Text("Cet appareil est déjà connu.", "This device is known already."),
                Text("Changez-le par PUT ou PATCH.", "Change it by PUT or PATCH."), f"/{number}/address",
            )  # fmt: skip
        seen.add(address)
    lamps = _lamps(town, gateway, devices)
    things = _make_things(town, gateway, devices, lamps)
    with town.store.records.writer(SYSTEM, "TALQ : appareils") as writer:
        for device in devices:
            address = str(device["address"]).lower()
            lamp = lamps.get(address)
            writer.create(
                "talq_device",
                {"address": address, "name": device["name"], "gateway": gateway.id, "device_class": device["class"],
                 "lamp": lamp.id if lamp else None, "thing": things.get(address), "functions": list(device.get("functions", [])),
                 "level": _level(device), "seen": town.clock()},
                _place(device) or (lamp.geometry if lamp else None), gateway.territory,
            )  # fmt: skip


def change_devices(town: Town, gateway: Row, devices: Sequence[Mapping[str, Any]], *, partial: bool) -> None:
    """Change known devices; of a partial one, only the attributes it holds. Raises `NotFound` with a pointer."""
    held = devices_of(town, gateway)
    for number, device in enumerate(devices):
        if str(device["address"]).lower() not in held:
            raise NotFound(
                Text("Cet appareil n'est pas connu.", "This device is not known."),
                Text("Ajoutez-le par POST.", "Add it by POST."), f"/{number}/address",
            )  # fmt: skip
    with town.store.records.writer(SYSTEM, "TALQ : appareils") as writer:
        for device in devices:
            row = held[str(device["address"]).lower()]
            functions = list(device.get("functions", []))
            if partial:
                functions = _merged(row.values["functions"] or [], functions)
            values: dict[str, Any] = {"functions": functions, "seen": town.clock()}
            level = _level(device)
            if level is not None:
                values["level"] = level
            values |= {k: device[n] for k, n in (("name", "name"), ("device_class", "class")) if n in device}
            writer.change("talq_device", row.id, values)
    levels = ((held[str(device["address"]).lower()], _level(device)) for device in devices)
    settle_tasks(town, [(row, level) for row, level in levels if level is not None])


def _merged(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = {str(f["id"]): dict(f) for f in old}
    for function in new:
        found[str(function["id"])] = found.get(str(function["id"]), {}) | dict(function)
    return list(found.values())


def _functions(device: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [f for f in device.get("functions", []) if f["type"] == kind]


def _level(device: Mapping[str, Any]) -> int | None:
    for function in _functions(device, "LampActuatorFunction"):
        value = function.get("actualLightState", {}).get("value")
        if isinstance(value, dict) and isinstance(value.get("value"), int):
            return int(value["value"])
    return None


def _place(device: Mapping[str, Any]) -> dict[str, Any] | None:
    for kind in ("LocationSensorFunction", "BasicFunction"):
        for function in _functions(device, kind):
            value = function.get("location", {}).get("value")
            if isinstance(value, dict):
                return {"type": "Point", "coordinates": [value["longitude"], value["latitude"]]}
    return None


def _lamps(town: Town, gateway: Row, devices: Sequence[Mapping[str, Any]]) -> dict[str, Row]:
    """Return the light point of each device, found by its asset id, else by its name."""
    if "lamp" not in town.store.records.collections:
        return {}
    found = {}
    for device in devices:
        names = [f.get("assetId", {}).get("value") for f in _functions(device, "BasicFunction")]
        for name in (*names, device["name"]):
            row = (
                town.store.records.by_key("lamp", name, gateway.territory) if isinstance(name, str) else None
            )
            if row is not None:
                found[str(device["address"]).lower()] = row
                break
    return found


def _make_things(
    town: Town, gateway: Row, devices: Sequence[Mapping[str, Any]], lamps: Mapping[str, Row]
) -> dict[str, int]:
    """Make the thing of each device that lights, with what it can be told."""
    wanted = [d for d in devices if _functions(d, "LampActuatorFunction")]
    found: dict[str, int] = {}
    if not wanted:
        return found
    name = f"TALQ {gateway.values['name']}"
    with town.store.write() as c:
        held = c.execute(select(actuator.c.id).where(actuator.c.name == name)).scalar()
        number = held or create(town.store, c, New("actuator", {
            "name": name, "description": f"Télégestion TALQ, {gateway.values['name']}", "encoding_type": "text/html",
            "metadata": '"https://www.talq-consortium.org/"', "properties": msgspec.json.encode({"perMinute": PER_MINUTE}).decode(),
        })).id  # fmt: skip
        for device in wanted:
            address = str(device["address"]).lower()
            known = c.execute(select(thing.c.id).where(thing.c.key == KEY + address)).scalar()
            found[address] = (
                known
                or create(town.store, c, _thing(device, address, gateway, number, lamps.get(address))).id
            )
    return found


def _thing(device: Mapping[str, Any], address: str, gateway: Row, actuator_id: int, lamp: Row | None) -> New:
    able = New(
        "tasking_capability",
        {"name": "Gradation", "description": "Forcer le niveau, puis rendre au programme",
         "tasking_parameters": msgspec.json.encode(PARAMETERS).decode(),
         "properties": msgspec.json.encode({"sender": SENDER, "talq": address, "gateway": gateway.values["address"], "timeout": 300}).decode()},
        belongs={"actuator_id": actuator_id},
    )  # fmt: skip
    point = _place(device) or (lamp.geometry if lamp else None)
    street = str(lamp.values["street"] or device["name"]) if lamp else str(device["name"])
    linked: list[tuple[Link, int | New]] = []
    if point is not None:
        shape = msgspec.json.encode(point).decode()
        place = {
            "name": street,
            "description": street,
            "encoding_type": "application/geo+json",
            "location": shape,
        }
        linked.append((Link("thing_location", "thing_id", "location_id"), New("location", place)))
    return New(
        "thing",
        {"name": f"Lampe {device['name']}", "description": f"Lampe télégérée, {street}", "key": KEY + address, "service": "lighting",
         "territory": gateway.territory, "properties": '{"category": "éclairage"}',
         "collection": "lamp" if lamp else None, "record_id": lamp.id if lamp else None},
        has=[("thing_id", able)], linked=linked,
    )  # fmt: skip


def take_log(town: Town, gateway: Row, report: Mapping[str, Any]) -> tuple[int, int]:
    """Keep a log report: measurements as observations (those told twice once), events as faults; return how many."""
    held = devices_of(town, gateway)
    readings: list[Reading] = []
    faults: list[tuple[Row, str, int]] = []
    levels: list[tuple[Row, int]] = []
    for number, entry in enumerate(report.get("entries", [])):
        data = entry.get("data")
        if data is None:
            continue
        address, _, _rest = str(data["srcAddress"]).removeprefix("/").removeprefix("devices/").partition("/")
        row = held.get(address.lower())
        if row is None:
            raise Problem(
                Text("Cet appareil n'est pas connu.", "This device is not known."),
                Text("Annoncez-le d'abord par POST devices.", "Announce it first by POST devices."),
                f"/entries/{number}/data/srcAddress", 422,
            )  # fmt: skip
        at = parse_instant(data["timestamp"]) if "timestamp" in data else town.clock()
        _sort(data, row, at, readings, faults, levels)
    stored = 0
    if readings:
        intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
        stored = intake.take(readings).stored
    settle_tasks(town, levels)
    return stored, _write_faults(town, faults)


def _sort(
    data: Mapping[str, Any], row: Row, at: int, readings: list[Reading], faults: list[tuple[Row, str, int]],
    levels: list[tuple[Row, int]],
) -> None:  # fmt: skip
    if data["type"] == "EventLogData":
        if data["eventType"] in FAULTS and data.get("startEndFlag", True) is not False:
            faults.append((row, str(data["eventType"]), at))
        return
    if data["type"] == "StateChangeEventLogData":
        value: Any = data.get("state", data["command"].get("state"))
        name = "actualLightState"
    else:
        name, value = str(data["attributeName"]), data["attributeValue"].get("value")
    if isinstance(value, dict):
        value = value.get("value")
    if name not in MEASURED or isinstance(value, bool) or not isinstance(value, int | float):
        return
    if name == "actualLightState":
        levels.append((row, int(value)))
    key = KEY + str(row.values["address"])
    series = Series(f"{key}/{name}", MEASURED[name], Station(key, str(row.values["name"])))
    readings.append(Reading(series, at, number_of(str(value)), source_key=f"{name}/{at}".encode()))


def _write_faults(town: Town, faults: Sequence[tuple[Row, str, int]]) -> int:
    """Write a fault for each event on a lamp that has none open of that title."""
    if "fault" not in town.store.records.collections:
        return 0
    count = 0
    for row, event, at in faults:
        title, severity = FAULTS[event]
        asset = f"lamp/{row.values['lamp']}" if row.values["lamp"] else f"talq_device/{row.id}"
        where = {"asset": asset, "title": title.fr, "state": ("open", "planned")}
        if town.store.records.count("fault", Query(where=where)):
            continue
        said = {"title": title.fr, "title_en": title.en}
        values = {**said, "asset": asset, "seen": at, "severity": severity, "state": "open"}
        town.store.records.put(
            "fault", values, geometry=row.geometry, territory=row.territory, who=SYSTEM, reason="TALQ"
        )
        count += 1
    return count


def settle_tasks(town: Town, told: Iterable[tuple[Row, int]]) -> int:
    """Let the commands of devices that asked for the level that these now tell (%) be done; return how many.

    A gateway tells thousands of levels for each command that waits, so what waits is asked for once, before any write.
    """
    levels: dict[int, set[int]] = {}
    for device, level in told:
        if device.values["thing"] is not None:
            levels.setdefault(int(device.values["thing"]), set()).add(level)
    waits = (
        select(task.c.id, task.c.tasking_parameters, tasking_capability.c.thing_id)
        .join_from(task, tasking_capability, tasking_capability.c.id == task.c.tasking_capability_id)
        .where(task.c.state.in_(("sent", "acknowledged")))
        .order_by(task.c.id)
    )
    with town.store.read() as c:
        if not any(row.thing_id in levels for row in c.execute(waits)):
            return 0
    done = 0
    with town.store.write() as c:
        for row in c.execute(waits).all():
            if msgspec.json.decode(row.tasking_parameters).get("level") in levels.get(row.thing_id, ()):
                done += advance(town.store, c, SYSTEM, row.id, "done", now_us=town.clock())
    return done
