"""TALQ 2.7.1 against a gateway made of the consortium's OpenAPI files, on a served town."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.faults.serving import Town as Served
from tests.mqtt.test_town import until
from tests.services.lighting.conftest import AGENT, COMMUNE, MANAGER, OTHER, lit_town
from tests.services.lighting.talq_gateway import Gateway

from beffroi.identity import keys
from beffroi.model.instant import HOUR_US, MINUTE_US, parse_instant
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Conflict, Forbidden, Problem
from beffroi.services.lighting.talq import commanding
from beffroi.services.lighting.talq.exchanges import last_of
from beffroi.services.lighting.talq.keeping import add_devices, devices_of
from beffroi.services.lighting.talq.sending import gateway_at, planned_setup, set_up
from beffroi.services.lighting.talq.simulating import SIMULATED, device_body, post_of, report
from beffroi.store.record import Query
from beffroi.store.tables import audit, datastream, task, tasking_capability
from beffroi.town import Town, open_town

LAMPS = {name: str(uuid.uuid4()) for name in ("L1", "L2", "L3")}
SERVICES = [
    {"name": "ConfigurationService", "supportedProfiles": ["lighting"]},
    {
        "name": "ControlService",
        "supportedTypes": ["AstroClockActivePeriod", "ccDate", "ccDay"],
        "maximumCalendars": 8,
    },
    {"name": "DataCollectService", "supportedModes": ["PeriodicRecordingMode", "ImmediateReportingMode"]},
]
CLASS = {
    "name": "lampe",
    "functions": [
        {"functionId": "basic", "type": "BasicFunction"}, {"functionId": "lamp", "type": "LampActuatorFunction"},
        {"functionId": "meter", "type": "LampMonitorFunction"},
    ],
}  # fmt: skip
LAMP_TYPE = {"address": "led-40", "name": "LED 40 W", "controlType": "DALI", "wattage": 40.0}


def device(name: str, level: int = 100) -> dict[str, Any]:
    """Return a lamp as a gateway announces it."""
    return {
        "address": LAMPS[name], "name": f"Luminaire {name}", "class": "lampe",
        "functions": [
            {"id": "basic", "type": "BasicFunction", "assetId": {"type": "AttributeString", "value": name}},
            {"id": "lamp", "type": "LampActuatorFunction",
             "actualLightState": {"type": "AttributeLevelState", "value": {"name": "LevelState", "value": level}}},
            {"id": "meter", "type": "LampMonitorFunction", "activePower": {"type": "AttributeFloat", "value": 41.5}},
        ],
    }  # fmt: skip


def log(name: str, kind: str, at: str, **data: Any) -> dict[str, Any]:
    """Return a log report of one entry."""
    return {
        "address": "logger",
        "entries": [{"data": {"type": kind, "srcAddress": f"{LAMPS[name]}/meter", "timestamp": at, **data}}],
    }


POWER = log(
    "L1",
    "AttributeLogData",
    "2026-11-25T22:15:00Z",
    attributeName="activePower",
    attributeValue={"type": "AttributeFloat", "value": 12.5},
)
FAILURE = log("L2", "EventLogData", "2026-11-25T22:20:00Z", eventType="lampFailure")


class Scene:
    """A served town, the same town opened here, and a gateway."""

    def __init__(self, folder: Path, talq: Path) -> None:
        self.town: Town = lit_town(folder)
        _, secret = keys.create(
            self.town.store, SYSTEM, role="device", service="lighting", territories=[COMMUNE]
        )
        self.served = Served(folder)
        self.gateway = Gateway(talq, f"{self.served.url}/talq/v2", secret)
        self.put("talq_gateway", address=self.gateway.address, name="Val-Lumière", url=self.gateway.url)

    def put(self, collection: str, **values: Any) -> int:
        return self.town.store.records.put(
            collection, values, territory=COMMUNE, who=SYSTEM, reason="essai"
        ).id

    def rows(self, collection: str) -> list[Any]:
        return self.town.store.records.find(collection, Query(limit=100)).rows

    def tasks(self) -> list[tuple[Any, ...]]:
        with self.town.store.read() as c:
            return [
                tuple(r)
                for r in c.execute(select(task.c.state, task.c.tasking_parameters).order_by(task.c.id))
            ]

    def close(self) -> None:
        self.gateway.close()
        self.served.stop()
        self.town.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Scene]:
    held = Scene(tmp_path_factory.mktemp("talq") / "town", shared / "data/networks/talq")
    yield held
    held.close()


def test_the_whole_sequence(scene: Scene) -> None:
    """Announce, devices, programs, calendars, assignment, logger, override by two people, logs, back to the program."""
    gw = scene.gateway
    assert gw.say("POST", "/services", SERVICES) == (201, None)
    row = gateway_at(scene.town, gw.address)
    assert row is not None
    assert (row.values["state"], row.values["services"]) == (
        "announced",
        "ConfigurationService, ControlService, DataCollectService",
    )
    assert gw.say("POST", "/device-classes", [CLASS])[0] == 201
    assert gw.say("POST", "/lamp-types", [LAMP_TYPE])[0] == 201
    assert gw.say("GET", "/lamp-types/count") == (200, 1)
    devices = [device(name) for name in LAMPS]
    assert gw.say("POST", "/devices", devices) == (201, devices)
    assert gw.say("GET", "/devices") == (200, devices)
    assert gw.say("GET", "/devices", limit="1", offset="1") == (200, devices[1:2])
    held = {r.values["address"]: r for r in scene.rows("talq_device")}
    lamps = {r.id: r.values["code"] for r in scene.rows("lamp")}
    assert {lamps[held[LAMPS[n]].values["lamp"]] for n in LAMPS} == set(LAMPS)

    night = scene.put(
        "lighting_program", code="nuit", title="Nuit", program="coucher+5 100, 23:00 0, 05:00 100, lever-5"
    )
    scene.put("lighting_program", code="fetes", title="Fêtes", program="coucher 100, lever")
    usual = scene.put("lighting_calendar", code="ville", title="Ville", default_program=night,
                      rules="12-15..01-05 fetes\nsam,dim fetes\n2027-07-13..2027-07-14 fetes")  # fmt: skip
    cabinet = scene.rows("cabinet")[0].id
    scene.put("lighting_assignment", code="AR1", cabinet=cabinet, calendar=usual)
    told = set_up(scene.town, row)
    assert [path for path, _ in told] == [
        "/control-programs",
        "/calendars",
        "/assign-commands",
        "/logger-configs",
    ]
    assert gw.wait_for("/calendars")[0]["rules"][0]["condition"]["dates"] == [
        {"start": "--12-15", "end": "--12-31"}, {"start": "--01-01", "end": "--01-05"}
    ]  # fmt: skip
    assert {a["address"] for a in gw.wait_for("/assign-commands")["addresses"]} == set(LAMPS.values())
    set_up(scene.town, row)  # again: known ones are put anew
    assert ("PUT", "/calendars") in {(m, p) for m, p, _ in gw.heard}

    now = scene.town.clock()
    ids = [held[LAMPS[n]].id for n in LAMPS]
    order = commanding.ask(scene.town, AGENT, ids, 30, now + HOUR_US, "Vent fort")
    [(address, call)] = commanding.dry_run(scene.town, MANAGER, order.id)
    assert address == gw.address
    assert (
        gw.own.faults(
            {"$ref": "./talq-data-model-2-7-1-online.json#/components/schemas/OverrideCommand"}, call.body
        )
        == []
    )
    assert not any(path == "/override-commands" for _, path, _ in gw.heard)
    with pytest.raises(Forbidden):
        commanding.confirm(scene.town, AGENT, order.id)
    commanding.confirm(scene.town, MANAGER, order.id)
    body = gw.wait_for("/override-commands")
    assert {a["address"] for a in body["addresses"]} == set(LAMPS.values())
    assert body["targetCommand"]["state"] == {"name": "LevelState", "value": 30}
    assert gw.say("PATCH", "/devices", [device(n, 30) for n in LAMPS]) == (200, None)
    until(lambda: [state for state, _ in scene.tasks()] == ["done"] * 3)

    assert gw.say("POST", "/log-reports", POWER) == (201, None)
    assert gw.say("POST", "/log-reports", POWER) == (201, None)  # told twice, kept once
    assert gw.say("POST", "/log-reports", FAILURE) == (201, None)
    assert gw.say("POST", "/log-reports", FAILURE) == (201, None)
    with scene.town.store.read() as c:
        [(number, thing_id)] = c.execute(
            select(datastream.c.id, datastream.c.thing_id).where(datastream.c.kind == "lamp_power")
        ).all()
    kept = scene.town.store.observations.series(number, 0, now + 10**15)
    assert ([o.result.value for o in kept], thing_id) == ([12.5], held[LAMPS["L1"]].values["thing"])
    [fault] = scene.rows("fault")
    told = (fault.values["title"], fault.values["title_en"])
    assert (told, lamps[int(fault.values["asset"].removeprefix("lamp/"))]) == (
        ("Lampe éteinte", "Lamp out"),
        "L2",
    )

    scene.town.store.records.put("lighting_order", {"ends": now}, id=order.id, who=SYSTEM, reason="essai")
    assert gw.wait_for("/override-commands", 2) == {"addresses": body["addresses"]}  # the watchdog's
    with scene.town.store.read() as c:
        deeds = set(c.execute(select(audit.c.action)).scalars())
    assert {"lighting.ask", "lighting.confirm", "task.create", "task.sent"} <= deeds
    assert gw.faults == []


BROKEN: list[tuple[str, str, Any, str]] = [
    ("POST", "/services", {"name": "ControlService"}, "/"),
    ("POST", "/services", [{"name": "LightService"}], "/0/name"),
    ("POST", "/devices", [{"name": "x", "class": "lampe"}], "/0/address"),
    ("POST", "/devices", [{**device("L1"), "address": "lampe-1"}], "/0/address"),
    ("POST", "/devices", [{**device("L1"), "class": 7}], "/0/class"),
    ("POST", "/devices", [{**device("L1"), "functions": [{"type": "BasicFunction"}]}], "/0/functions/0/id"),
    ("PATCH", "/devices", [{"address": LAMPS["L1"], "functions": [{"id": "lamp", "type": "LampActuatorFunction", "actualLightState": {
        "type": "AttributeLevelState", "value": {"name": "LevelState", "value": 130}}}]}], "/0/functions/0/actualLightState/value/value"),
    ("PATCH", "/devices", [{"address": LAMPS["L1"], "functions": [{"id": "meter", "type": "LampMonitorFunction", "activePower": {
        "type": "AttributeFloat", "value": "41"}}]}], "/0/functions/0/activePower/value"),
    ("POST", "/device-classes", [{"functions": []}], "/0/name"),
    ("POST", "/log-reports", log("L1", "LampLog", "2026-11-25T22:15:00Z"), "/entries/0/data/type"),
    ("POST", "/log-reports", log("L1", "EventLogData", "hier", eventType="lampFailure"), "/entries/0/data/timestamp"),
    ("POST", "/log-reports", {"entries": [{"data": {"type": "AttributeLogData", "srcAddress": "x", "attributeName": "a"}}]},
     "/entries/0/data/attributeValue"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "pointer"), BROKEN)
def test_broken_bodies_are_refused_with_a_pointer(
    scene: Scene, method: str, path: str, body: Any, pointer: str
) -> None:
    before = [(r.id, r.version) for r in scene.rows("talq_device")]
    status, said = scene.gateway.say(method, path, body)
    assert (status, said[0]["references"][0]["address"]["address"]) == (400, pointer)
    assert [(r.id, r.version) for r in scene.rows("talq_device")] == before
    assert scene.gateway.faults == []


def test_wrong_callers_and_doubles(scene: Scene) -> None:
    gw = scene.gateway
    assert gw.say("POST", "/devices", [], raw=b"[")[0] == 400
    assert gw.say("POST", "/services", SERVICES, talqRequestId="7")[0] == 400
    status, said = gw.say("POST", "/device-classes", [CLASS, {**CLASS, "name": "autre"}])
    assert status in (201, 409)  # whichever test came first
    assert gw.say("POST", "/device-classes", [CLASS])[0] == 409
    status, said = gw.say(
        "POST",
        "/log-reports",
        {
            "entries": [
                {"data": {"type": "EventLogData", "srcAddress": "inconnu", "eventType": "lampFailure"}}
            ]
        },
    )
    assert (status, said[0]["references"][0]["address"]["address"]) == (422, "/entries/0/data/srcAddress")
    key, gw.key = gw.key, "bfr_nobody"
    assert gw.cms.operation("POST", "/services") is not None
    try:
        status, _ = scene.served.call(
            f"/talq/v2/devices?clientAddress={gw.address}", talq_api_version="2.7.1"
        )
        assert status == 401
    finally:
        gw.key = key


def test_orders_are_kept_within_bounds(town: Town) -> None:
    """No order without an end, with a device that cannot be told, or more of them an hour than a person gives."""
    with pytest.raises(Problem) as none:
        commanding.ask(town, AGENT, [], 30, town.clock() + HOUR_US, "x")
    assert none.value.place == "devices"
    with pytest.raises(Problem) as long:
        commanding.ask(town, AGENT, [1], 30, town.clock() + 13 * HOUR_US, "x")
    assert long.value.place == "ends"


def test_what_talq_cannot_say_is_refused(town: Town) -> None:
    gateway = town.store.records.put(
        "talq_gateway", {"address": str(uuid.uuid4()), "name": "G"}, territory=COMMUNE, who=SYSTEM, reason="x"
    )
    town.store.records.put(
        "lighting_program",
        {"code": "aube", "title": "Aube", "program": "crepuscule 100, aube"},
        territory=COMMUNE,
        who=SYSTEM,
        reason="x",
    )
    with pytest.raises(Problem) as told:
        planned_setup(town, gateway)
    assert told.value.place == "aube"
    with pytest.raises(Problem) as silent:
        set_up(town, gateway)
    assert silent.value.place == "url"


def test_rate_limit_two_roles_and_lapse(scene: Scene) -> None:
    clock = {"now": scene.town.clock()}
    town = open_town(scene.town.settings.data, clock=lambda: clock["now"])
    try:
        ids = [r.id for r in scene.rows("talq_device")]
        other = MANAGER.__class__("user:77", "Léa Petit", "responsable", (COMMUNE,))
        orders = []
        with pytest.raises(Problem) as many:
            for n in range(commanding.MOST_AN_HOUR + 1):
                orders.append(commanding.ask(town, other, ids[:1], 50, clock["now"] + HOUR_US, f"o{n}"))
        assert (len(orders), many.value.status) == (commanding.MOST_AN_HOUR, 429)
        with pytest.raises(Forbidden):
            commanding.confirm(town, other, orders[0].id)  # one's own
        commanding.refuse(town, MANAGER, orders[1].id)
        with pytest.raises(Conflict):
            commanding.confirm(town, MANAGER, orders[1].id)
        clock["now"] += commanding.WAITS_US + MINUTE_US
        with pytest.raises(Conflict):
            commanding.confirm(town, MANAGER, orders[0].id)
        assert town.store.records.get("lighting_order", orders[0].id).values["state"] == "lapsed"
        with town.store.read() as c:
            told = c.execute(select(tasking_capability.c.properties)).scalars().first()
        assert json.loads(told)["sender"] == "talq"
    finally:
        town.close()


def test_a_simulated_gateway_obeys_and_goes_back_to_its_program(town: Town) -> None:
    """Rehearsed in this process by the same messages: an override, its end, a report each quarter of an hour."""
    clock = {"now": parse_instant("2026-11-26T20:00:00Z")}  # 21:00 at Paris: dark, before the cut of 23:00
    later = open_town(town.settings.data, clock=lambda: clock["now"])
    try:
        put = later.store.records.put
        gateway = put(
            "talq_gateway",
            {"address": str(uuid.uuid4()), "name": "Essai", "url": SIMULATED},
            territory=COMMUNE,
            who=SYSTEM,
        )
        lamps = [later.store.records.by_key("lamp", name, COMMUNE) for name in ("L1", "L2")]
        add_devices(
            later, gateway, [device_body(str(uuid.uuid4()), lamp, 0) for lamp in lamps if lamp is not None]
        )
        post = post_of(later)
        assert [status for _, status in set_up(later, gateway, post)] == [201]  # the logger

        def levels() -> list[int]:
            return [d.values["level"] for d in devices_of(later, gateway).values()]

        ids = [d.id for d in devices_of(later, gateway).values()]
        order = commanding.ask(later, AGENT, ids, 30, clock["now"] + HOUR_US, "Vent fort")
        commanding.confirm(later, MANAGER, order.id)
        assert commanding.send_due(later, post) == 2
        assert levels() == [30, 30]
        report(later, gateway, [clock["now"] + 15 * MINUTE_US])
        assert levels() == [30, 30]  # the program waits
        clock["now"] += HOUR_US
        commanding.watch(later, post)
        assert (later.store.records.get("lighting_order", order.id).values["state"], levels()) == (
            "ended",
            [100, 100],
        )
        # taken back before its time: by who asked, at once; what waits to be sent never is
        order = commanding.ask(later, AGENT, ids, 10, clock["now"] + HOUR_US, "Essai")
        commanding.confirm(later, MANAGER, order.id)
        commanding.release(later, AGENT, order.id, post)
        assert (commanding.send_due(later, post), levels()) == (0, [100, 100])
        order = commanding.ask(later, AGENT, ids, 10, clock["now"] + HOUR_US, "Essai")
        commanding.confirm(later, MANAGER, order.id)
        assert (commanding.send_due(later, post), levels()) == (2, [10, 10])
        with pytest.raises(Forbidden):
            commanding.release(later, OTHER, order.id, post)
        commanding.release(later, MANAGER, order.id, post)
        assert (later.store.records.get("lighting_order", order.id).values["state"], levels()) == (
            "ended",
            [100, 100],
        )
        with pytest.raises(Conflict):
            commanding.release(later, MANAGER, order.id, post)
        report(later, gateway, [clock["now"] + 2 * HOUR_US])  # 23:00 at Paris and an hour: cut
        assert levels() == [0, 0]
        with later.store.read() as c:
            states = c.execute(select(task.c.state).order_by(task.c.id)).scalars().all()
            assert states == ["done", "done", "cancelled", "cancelled", "done", "done"]
            series = c.execute(
                select(datastream.c.id).where(datastream.c.kind == "lamp_power").order_by(datastream.c.id)
            ).scalars()
            told = [
                o.result.value
                for o in later.store.observations.series(next(series), 0, clock["now"] + 10**15)
            ]
        assert told == [12.6, 1.5]  # 40 W and its gear at 30 %, then what the gear draws
        said = [(e.way, e.path, e.items) for e in last_of(later, gateway.id)]
        assert said[:2] == [("in", "/devices", 2), ("in", "/log-reports", 4)]
    finally:
        later.close()


def test_a_program_added_later_reaches_a_gateway_that_has_the_others(town: Town) -> None:
    """What it has is put, what it has not is added: to put it is a 404."""
    put, has = town.store.records.put, {"a"}
    row = put(
        "talq_gateway",
        {"address": str(uuid.uuid4()), "name": "G", "url": "http://essai.invalid"},
        territory=COMMUNE,
        who=SYSTEM,
    )
    for code in ("a", "b"):
        put(
            "lighting_program",
            {"code": code, "title": code, "program": "coucher, lever"},
            territory=COMMUNE,
            who=SYSTEM,
        )

    def post(_url: str, _client: str, method: str, path: str, body: Any) -> tuple[int, str]:
        if path != "/control-programs":
            return 201, ""
        ids = {one["id"] for one in body}
        if method == "POST":
            if ids & has:
                return 409, ""
            has.update(ids)
            return 201, ""
        return (404, "") if ids - has else (200, "")

    assert set_up(town, row, post)[0] == ("/control-programs", 201)
    assert has == {"a", "b"}
    assert set_up(town, row, post)[0] == ("/control-programs", 200)
