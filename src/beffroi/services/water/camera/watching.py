"""Watch: each camera that may record is measured in its turn, and what it says becomes observations.

A camera that may not, or no longer, is not even asked for a picture. Each observation carries its σ, interval and
doubts; a doubtful picture gives an index of quality of zero and no figure.
"""

import base64
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from beffroi.intake.take import Intake
from beffroi.model.instant import SECOND_US
from beffroi.model.observation import Quality
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.result import Result
from beffroi.services.water.camera.doubts import forbids
from beffroi.services.water.camera.lawful import may_record
from beffroi.services.water.camera.site import Site
from beffroi.services.water.camera.spool import forget_spool, waiting
from beffroi.services.water.camera.working import Answer, Order, ask
from beffroi.services.water.warning import images
from beffroi.standards.reading import Reading, Series, Station
from beffroi.store.record import Query, Row
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["measure_camera", "readings_of", "show", "spool_of", "watch_cameras"]

_TURN_S = 5.0
_FRESH_US = 3600 * SECOND_US  # a level older than that says nothing of now
_COLUMNS = ("station_m", "depth_m", "surface_ms", "measured")
_SERIES = (  # kind, unit, what the answer calls it
    ("river_level", "m", "level_m"),
    ("surface_velocity", "m/s", "surface_ms"),
    ("discharge", "m³/s", "discharge_m3s"),
    ("image_quality", "1", "quality"),
)


def watch_cameras(town: Town, stop: threading.Event) -> None:
    """Measure the cameras in their turn until `stop` (a duty of the service)."""
    due: dict[int, int] = {}
    while not stop.is_set():
        for row in town.store.records.find("river_camera", Query(where={"active": True}, limit=500)).rows:
            now = town.clock()
            _forget(town, row, now)
            if due.get(row.id, 0) <= now and row.values["source"] and row.values["site"]:
                due[row.id] = now + int(float(row.values["every_min"] or 15) * 60 * SECOND_US)
                measure_camera(town, row)
            if stop.is_set():
                return
        stop.wait(_TURN_S)


def spool_of(town: Town, row: Row) -> Path:
    """Return where a camera's frames wait, beside the town's other data."""
    return town.store.files.folder.parent / "cameras" / str(row.values["code"])


def _forget(town: Town, row: Row, now_us: int) -> None:
    forget_spool(spool_of(town, row), now_us / SECOND_US - float(row.values["keep_hours"] or 0) * 3600)


def measure_camera(town: Town, row: Row) -> Answer | None:
    """Take and measure what a camera shows now, and what waits from before; None when it may not record."""
    if not may_record(row.values, datetime.fromtimestamp(town.clock() / SECOND_US, UTC).date()):
        _tell(town, row, "unlawful")
        return None
    try:
        site = msgspec.convert(row.values["site"], Site)
    except msgspec.ValidationError:
        _tell(town, row, "blind")
        return Answer()
    spool = spool_of(town, row)
    level = _level_of(town, str(row.values["level_series"] or ""))
    order = Order(
        kind=row.values["source_kind"], source=row.values["source"], spool=str(spool), site=site, dt_s=row.values["dt_s"],
        level_m=level,
    )  # fmt: skip
    for folder in waiting(spool):
        _take(town, row, ask(msgspec.structs.replace(order, kept=str(folder), level_m=None)))
    answer = ask(order)
    _take(town, row, answer)
    return answer


def _level_of(town: Town, key: str) -> float | None:
    """Return the last value of the level series when it is fresh."""
    if not key:
        return None
    with town.store.read() as c:
        number = c.execute(select(datastream.c.id).where(datastream.c.key == key)).scalar()
    last = town.store.observations.last([number]).get(number) if number is not None else None
    if last is None or town.clock() - last.start_us > _FRESH_US or last.result.value is None:
        return None
    return float(last.result.value)


def _take(town: Town, row: Row, answer: Answer) -> None:
    readings = readings_of(row, answer)
    if readings:
        intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
        intake.take(readings)
    state = "measuring"
    if answer.unreachable:
        state = "unreachable"
    elif answer.reason is not None or forbids(answer.flags):
        state = "blind"
    elif "level_conflict" in answer.flags:
        state = "conflict"
    elif answer.flags:
        state = "doubtful"
    still = base64.b64decode(answer.still) if answer.still else None
    _tell(town, row, state, still)
    if still is not None and row.values["station"] is not None:
        show(town, row, still, int(answer.at_s * SECOND_US))


def show(town: Town, row: Row, still: bytes, at_us: int) -> None:
    """Put a camera's picture, in which nobody can be known, beside the warnings of the station that it watches."""
    found = town.store.records.find(
        "river_station", Query(where={"_id": row.values["station"]}, limit=1)
    ).rows
    if found:
        name = str(row.values["name"])
        images.keep(town, SYSTEM, found[0], still, at_us, name, f"{name}, {found[0].values['name']}")


def readings_of(row: Row, answer: Answer) -> list[Reading]:
    """Return the observations of an answer, those that have a value, with `resultQuality` and `parameters`."""
    if not answer.at_s:
        return []
    at = int(answer.at_s * SECOND_US)
    code, name = str(row.values["code"]), str(row.values["name"])
    longitude, latitude = (row.geometry or {}).get("coordinates", (None, None))[:2]
    station = Station(
        f"camera/{code}",
        name,
        name,
        longitude,
        latitude,
        (("collection", "river_camera"), ("record", str(row.id))),
    )
    found = []
    for kind, unit, field in _SERIES:
        value = getattr(answer, field)
        if value is None:
            continue
        quality: dict[str, Any] = {"flags": list(answer.flags), "validated": False}
        if kind == "river_level":
            quality |= {"sigma": answer.level_sigma_m}
        if kind == "discharge" and answer.interval95 is not None:
            low, high = answer.interval95
            quality |= {"interval95": [low, high], "sigma": (high - low) / 3.92}
        parameters: dict[str, Any] = {
            "n_frames": answer.frames, "alpha": answer.alpha, "measured_share": answer.measured_share,
            "level_source": answer.level_source, "engine": answer.engine, "cpu_s": round(answer.cpu_s, 3),
            "survey_version": answer.survey,
        }  # fmt: skip
        if (
            kind == "discharge"
        ):  # what the video showed, once it is gone: every engine, each source, each vector
            parameters |= {
                "engines": answer.engines,
                "budget": answer.budget,
                "vectors": {"columns": _COLUMNS, "rows": answer.verticals},
            }
        series = Series(
            f"camera/{code}/{kind}", kind, station, unit=unit, method=f"camera, {answer.engine or 'level'}"
        )
        found.append(
            Reading(
                series, at, Result(value=float(value)),
                quality=int(Quality.SUSPECT if answer.flags else Quality.GOOD),
                extra=json.dumps({"resultQuality": quality, "parameters": parameters}),
                source_key=f"{code}/{Path(answer.folder).name}/{kind}".encode(),
            )
        )  # fmt: skip
    return found


def _tell(town: Town, row: Row, state: str, still: bytes | None = None) -> None:
    """Write a camera's state, and the picture that replaces the last one."""
    files = town.store.files
    staged = files.stage(still, "image/jpeg") if still else None
    old: list[str] = []
    try:
        with town.store.records.writer(SYSTEM, "Mesure") as writer:
            values: dict[str, Any] = {} if row.values["state"] == state else {"state": state}
            if staged is not None:
                now = town.store.records.get("river_camera", row.id, c=writer.connection)
                old = files.release(writer.connection, [now.values["still"]])
                values["still"] = files.keep(writer.connection, staged)
            if values:
                writer.change("river_camera", row.id, values)
    except Problem:  # the record went away meanwhile: there is nobody to tell
        return
    files.unlink(old)
