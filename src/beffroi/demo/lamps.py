"""The dimmable lamps of the demonstration town: things that can be commanded, and the actuator that answers for them."""

import msgspec
from sqlalchemy import select

from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.scene import Scene
from beffroi.scene.plan import wgs84
from beffroi.standards.tasking.tasks import advance
from beffroi.store.catalogue import Link, New, create
from beffroi.store.tables import datastream, task, tasking_capability, thing
from beffroi.town import Town

__all__ = ["answer", "write_lamps"]

HOW_MANY = 4
PARAMETERS = {
    "type": "DataRecord",
    "field": [
        {"name": "level", "label": "Niveau", "type": "Count", "uom": {"code": "%"},
         "constraint": {"type": "AllowedValues", "interval": [[0, 100]]}},
    ],
}  # fmt: skip
KEY = "demo/lampadaire/"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def write_lamps(town: Town, scene: Scene) -> int:
    """Write a few lamps that can be dimmed, on lamps of the inventory; return how many."""
    if "lamp" not in town.store.records.collections:
        return 0
    able = [lamp for lamp in scene.assets.lamps if lamp.technology == "led" and lamp.state == "on"][:HOW_MANY]
    with town.store.write() as c:
        number = create(town.store, c, New("actuator", {
            "name": "Gradateurs de l'éclairage", "description": "Télégestion simulée de l'éclairage public", "encoding_type": "text/html",
            "metadata": '"https://www.opengis.net/"', "properties": _json({"perMinute": 30}),
        })).id  # fmt: skip
        sensor = create(town.store, c, New("sensor", {
            "name": "Gradateur", "description": "Gradateur", "encoding_type": "text/plain", "metadata": '"simulé"',
        })).id  # fmt: skip
        seen = create(town.store, c, New("observed_property", {
            "name": "Niveau d'éclairage", "definition": "", "description": "Niveau d'un luminaire, en % de son flux",
        })).id  # fmt: skip
        for lamp in able:
            record = next(
                (
                    r
                    for commune in scene.communes
                    if (r := town.store.records.by_key("lamp", lamp.code, commune.code))
                ),
                None,
            )
            point = _json({"type": "Point", "coordinates": wgs84(lamp.place)})
            place = {
                "name": lamp.street,
                "description": lamp.street,
                "encoding_type": "application/geo+json",
                "location": point,
            }
            series = New(
                "datastream",
                {"name": f"Niveau, {lamp.code}", "description": "Niveau d'éclairage", "observation_type": "OM_Measurement",
                 "unit_name": "pour cent", "unit_symbol": "%", "unit_definition": "%"},
                belongs={"sensor_id": sensor, "observed_property_id": seen},
            )  # fmt: skip
            dim = New(
                "tasking_capability",
                {"name": "Gradation", "description": "Régler le niveau du luminaire", "tasking_parameters": _json(PARAMETERS),
                 "properties": _json({"simulated": True, "timeout": 120})},
                belongs={"actuator_id": number},
            )  # fmt: skip
            create(town.store, c, New(
                "thing",
                {"name": f"Lampadaire {lamp.code}", "description": f"Lampadaire gradable, {lamp.street}", "key": KEY + lamp.code,
                 "service": "equipment", "territory": lamp.commune, "properties": _json({"category": "éclairage"}),
                 "collection": "lamp" if record is not None else None, "record_id": record.id if record is not None else None},
                has=[("thing_id", series), ("thing_id", dim)],
                linked=[(Link("thing_location", "thing_id", "location_id"), New("location", place))],
            ))  # fmt: skip
    return len(able)


def answer(town: Town) -> int:
    """Let the simulated lamps do what they were told, and say so; return how many commands that was."""
    sent = (
        select(task.c.id, task.c.state, task.c.tasking_parameters, datastream.c.id)
        .join(tasking_capability, tasking_capability.c.id == task.c.tasking_capability_id)
        .join(thing, thing.c.id == tasking_capability.c.thing_id)
        .join(datastream, datastream.c.thing_id == thing.c.id)
        .where(task.c.state.in_(("sent", "acknowledged")), thing.c.key.startswith(KEY))
    )
    with town.store.read() as c:
        rows = c.execute(sent.order_by(task.c.id)).all()
    now = town.clock()
    for number, state, told, series in rows:
        if state == "acknowledged":
            level = msgspec.json.decode(told)["level"]
            town.store.observations.append([Draft(series, now, number_of(str(level)), quality=0)])
        with town.store.write() as c:
            advance(
                town.store,
                c,
                SYSTEM,
                number,
                "done" if state == "acknowledged" else "acknowledged",
                now_us=now,
            )
    return len(rows)
