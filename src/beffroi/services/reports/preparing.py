"""Preparing: photos that came in are made again, one after the other, and only then published (a duty of the service).

The duty does it in a process of its own at the lowest priority (`photos.darkroom`): it may lag, no page waits for it.

The queue is the records themselves: a photo in state "waiting". A process killed in the middle starts it again.
"""

import logging
import threading
import time
from typing import Any

from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.services.reports.photos.blur import blur_of
from beffroi.services.reports.photos.darkroom import Darkroom, Interrupted
from beffroi.services.reports.photos.remake import Made, remake
from beffroi.store.follow import follow
from beffroi.store.record import Query, Row
from beffroi.store.record_writer import Writer
from beffroi.town import Town

__all__ = ["prepare_photos", "prepare_waiting", "publish"]

log = logging.getLogger("beffroi.reports")
OPEN_S = 60.0  # how long the darkroom stays open after its last photo


def prepare_photos(town: Town, stop: threading.Event) -> None:
    """Prepare what waits until `stop`; the darkroom closes when nothing came for a while."""
    darkroom, used = Darkroom(stop), time.monotonic()

    def turn() -> int:
        nonlocal used
        done = prepare_waiting(town, stop, darkroom)
        if done:
            used = time.monotonic()
        elif time.monotonic() - used > OPEN_S:
            darkroom.close()
        return done

    try:
        follow(town.store, stop, turn, pause_s=0.2)
    except Interrupted:
        pass
    finally:
        darkroom.close()


def prepare_waiting(
    town: Town, stop: threading.Event | None = None, darkroom: Darkroom | None = None, *, blur: bool = True
) -> int:
    """Prepare the photos that wait, in the darkroom if there is one; return how many. Raises `Interrupted`."""
    done = 0
    while stop is None or not stop.is_set():
        waiting = town.store.records.find(
            "report_photo", Query(where={"state": "waiting"}, sort="_id", limit=20)
        ).rows
        if not waiting:
            return done
        for photo in waiting:
            prepare(town, photo, blur=blur, darkroom=darkroom)
            if stop is not None and stop.is_set():
                break
            done += 1
    return done


def prepare(
    town: Town, photo: Row, *, blur: bool = True, who: Principal = SYSTEM, darkroom: Darkroom | None = None
) -> None:
    """Make one photo again and publish it if its report is public; what cannot be read is refused and dropped."""
    made = _made(town, photo, blur=blur, darkroom=darkroom)
    records, files = town.store.records, town.store.files
    staged = [files.stage(data, "image/jpeg") for data in (made.large, made.small)] if made else []
    with records.writer(who, "Photo" if blur else "Photo, sans flou") as writer:
        now = records.find("report_photo", Query(where={"_id": photo.id}, limit=1), c=writer.connection).rows
        if not now:  # erased meanwhile: what was staged is swept
            return
        old = files.release(writer.connection, [now[0].values["file"], now[0].values["small"]])
        values: dict[str, Any] = {"state": "refused"}
        if made is None:
            old += files.release(writer.connection, [now[0].values["original"]])
            values["original"] = None
        else:
            large, small = (files.keep(writer.connection, one) for one in staged)
            values = {
                "state": "ready", "file": large, "small": small, "width": made.width, "height": made.height,
                "phash": made.phash, "blurred": made.blurred,
            }  # fmt: skip
        writer.change("report_photo", photo.id, values)
        publish(town, writer, photo.values["request"])
    files.unlink(old)


def _made(town: Town, photo: Row, *, blur: bool, darkroom: Darkroom | None) -> Made | None:
    try:
        data, media_type = town.store.files.read(photo.values["original"] or "")
        orientation, areas = photo.values["orientation"], blur_of(town) if blur else None
        if darkroom is not None:
            return darkroom.remake(data, media_type, orientation, blur=areas is not None)
        return remake(data, media_type, orientation, areas)
    except NotFound:
        return None
    except Problem as problem:
        log.warning("photo %s cannot be made again: %s", photo.id, problem.reason.en)
        return None


def publish(town: Town, writer: Writer, report: int) -> None:
    """Show or hide the photos of a report as its own state and theirs ask, in the writer's transaction."""
    records, c = town.store.records, writer.connection
    row = records.get("service_request", report, deleted=None, c=c)
    shown = 0
    for photo in records.find("report_photo", Query(where={"request": report}, limit=100), c=c).rows:
        v = photo.values
        wanted = bool(row.values["shown"]) and v["state"] == "ready" and v["moderation"] == "accepted"
        if v["shown"] != wanted:
            writer.change("report_photo", photo.id, {"shown": wanted})
        shown += wanted
    if row.values["photos"] != shown:
        writer.change("service_request", report, {"photos": shown})
