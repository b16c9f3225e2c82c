"""The camera of the demonstration river: rendered frames, measured by the code that measures a real one, and the truth
kept beside, in the setting `demo.camera_truth`."""

import importlib.util
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

import msgspec

from beffroi.intake.take import Intake
from beffroi.model.instant import MINUTE_US, SECOND_US
from beffroi.model.principal import SYSTEM
from beffroi.scene import Scene
from beffroi.scene.plan import wgs84
from beffroi.store.record import Query
from beffroi.town import Town

__all__ = ["build"]

_SIZE, _FRAMES, _DT_S = (640, 360), 8, 0.1
_PLACE = (233.0, -12.0)  # the Vieux-Pont
_STATION = "sarelle-pont"


def build(town: Town, scene: Scene) -> Iterator[tuple[int, Callable[[], None]]]:
    """Declare the camera now; at the history's end it measures one rendered sequence. Without the extra `[water]` there
    is no camera."""
    if importlib.util.find_spec("cv2") is None or importlib.util.find_spec("scipy") is None:
        return
    from beffroi.services.water.camera.scene import river_of, site_of, truth_m3s  # noqa: PLC0415

    river = river_of(scene.seed, _SIZE)
    until = datetime.fromtimestamp(scene.end_us / SECOND_US, UTC).year + 4
    values = {
        "code": "vieux-pont", "name": "Caméra du Vieux-Pont", "river": "La Sarelle", "purpose": "natural_risks",
        "authorised_purpose": "natural_risks", "authorisation": "2025-018-VP-07", "authorised_until": date(until, 6, 30),
        "notice": True, "register": "Traitement n° 14", "contact": "la mairie, 1 place du Beffroi", "keep_hours": 24.0,
        "every_min": 15.0, "source_kind": "folder", "site": msgspec.to_builtins(site_of(river)),
    }  # fmt: skip
    point = {"type": "Point", "coordinates": list(wgs84(_PLACE))}
    row = town.store.records.put(
        "river_camera", values, geometry=point, territory=scene.communes[0].code, who=SYSTEM
    )
    town.store.set_setting("demo.camera_truth", {"discharge_m3s": truth_m3s(river), "level_m": river.level})

    def measured() -> None:
        import cv2  # noqa: PLC0415
        import numpy as np  # noqa: PLC0415

        from beffroi.services.water.camera.frames import Sequence  # noqa: PLC0415
        from beffroi.services.water.camera.measure import measure, water_of  # noqa: PLC0415
        from beffroi.services.water.camera.scene import frames  # noqa: PLC0415
        from beffroi.services.water.camera.still import nearest_person, still_of  # noqa: PLC0415
        from beffroi.services.water.camera.watching import readings_of, show  # noqa: PLC0415
        from beffroi.services.water.camera.working import Answer, vectors_of  # noqa: PLC0415

        site = site_of(river)
        pictures = frames(river, _FRAMES, _DT_S)
        found = measure(site, Sequence(pictures, np.arange(_FRAMES) * _DT_S), river.level)
        answer = Answer(
            at_s=(scene.end_us - 5 * MINUTE_US) / SECOND_US, folder="demo", surface_ms=found.surface_velocity_ms,
            discharge_m3s=found.discharge_m3s, interval95=found.interval95, quality=found.quality,
            measured_share=found.measured_share, flags=found.flags, frames=_FRAMES, alpha=site.alpha, engine=found.engine, survey=site.version,
            engines=found.engines, budget=found.budget, verticals=vectors_of(found),
        )  # fmt: skip
        Intake(town.store, town.registry.datastream_kind, town.registry.service_of).take(
            readings_of(row, answer)
        )
        water, near = water_of(site, river.level, _SIZE), nearest_person(site, river.level, _SIZE)
        picture = still_of(pictures[0], water, near)
        staged = town.store.files.stage(picture, "image/jpeg")
        reference = bytes(cv2.imencode(".jpg", pictures[0], [cv2.IMWRITE_JPEG_QUALITY, 88])[1])
        surveyed = town.store.files.stage(reference, "image/jpeg")
        watched = town.store.records.find("river_station", Query(where={"code": _STATION}, limit=1)).rows
        with town.store.records.writer(SYSTEM, "Mesure") as writer:
            writer.change(
                "river_camera",
                row.id,
                {
                    "state": "measuring",
                    "station": watched[0].id if watched else None,
                    "still": town.store.files.keep(writer.connection, staged),
                    "reference": town.store.files.keep(writer.connection, surveyed),
                },
            )

        if watched:
            show(town, town.store.records.get("river_camera", row.id), picture, scene.end_us - 20 * MINUTE_US)

    yield scene.end_us - 5 * MINUTE_US, measured
