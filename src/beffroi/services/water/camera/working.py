"""The worker: takes frames and measures them in a process of its own, so that a file made to break a decoder, a stream
that hangs or half a gigabyte of pictures never touch the town.

It reads one order (JSON) on its input, writes one answer (JSON) on its output, and ends.
"""

import base64
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.camera.site import Site

if TYPE_CHECKING:
    from beffroi.services.water.camera.measure import Measurement

__all__ = ["Answer", "Order", "answer_to", "ask", "vectors_of"]

_MOST_S = 120.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Order(msgspec.Struct, frozen=True):
    """What to do: take frames (unless `kept` names a spooled folder) and measure them at `level_m`."""

    kind: str
    source: str
    spool: str
    site: Site
    dt_s: float | None = None
    level_m: float | None = None
    level_sigma_m: float | None = None
    kept: str = ""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was measured, when (seconds since 1970), or why nothing was."""

    at_s: float = 0.0
    folder: str = ""
    level_m: float | None = None
    level_sigma_m: float | None = None
    level_source: str = ""
    surface_ms: float | None = None
    discharge_m3s: float | None = None
    interval95: tuple[float, float] | None = None
    quality: float = 0.0
    measured_share: float = 0.0
    flags: tuple[str, ...] = ()
    frames: int = 0
    alpha: float | None = None
    engine: str = ""
    cpu_s: float = 0.0
    survey: int = 0  # version of the site
    engines: dict[str, dict[str, float | None]] = {}
    budget: dict[str, float] = {}
    verticals: tuple[
        tuple[float, float, float | None, bool], ...
    ] = ()  # station, depth, surface m/s, measured
    still: str = ""  # JPEG, base64
    reason: Text | None = None
    mend: Text | None = None
    unreachable: bool = False


def ask(order: Order) -> Answer:
    """Have an order carried out by a worker process; what kills it or takes too long is an answer too."""
    command = [sys.executable, "-m", "beffroi.services.water.camera.working"]
    try:
        ran = subprocess.run(  # noqa: S603 -- our own module
            command, input=msgspec.json.encode(order), capture_output=True, timeout=_MOST_S, check=False,
            env={**os.environ, **_ONE_THREAD},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Answer(reason=Text("La mesure a duré trop longtemps.", "The measurement took too long."))
    try:
        return msgspec.json.decode(ran.stdout.splitlines()[-1] if ran.stdout else b"", type=Answer)
    except msgspec.MsgspecError:
        return Answer(reason=Text("La mesure s'est arrêtée en route.", "The measurement ended on its way."))


def answer_to(order: Order) -> Answer:
    """Carry out an order in this process."""
    from beffroi.model.problem import Unavailable  # noqa: PLC0415 -- the town imports this module without OpenCV
    from beffroi.services.water.camera.capture import capture  # noqa: PLC0415

    try:
        folder = (
            Path(order.kept)
            if order.kept
            else capture(order.kind, order.source, Path(order.spool), order.dt_s)
        )
    except Problem as problem:
        return Answer(reason=problem.reason, mend=problem.mend, unreachable=isinstance(problem, Unavailable))
    try:
        return _measured(order, folder)
    except Problem as problem:
        (folder / "measured").touch()
        return Answer(folder=str(folder), reason=problem.reason, mend=problem.mend)


def _measured(order: Order, folder: Path) -> Answer:
    from beffroi.services.water.camera.capture import read_spool  # noqa: PLC0415
    from beffroi.services.water.camera.level import LevelReading, fused, read_levels  # noqa: PLC0415
    from beffroi.services.water.camera.measure import measure, water_of  # noqa: PLC0415
    from beffroi.services.water.camera.still import nearest_person, still_of  # noqa: PLC0415

    started = time.process_time()
    at_s, sequence = read_spool(folder)
    readings = read_levels(order.site, sequence.frames) if order.site.staff or order.site.section else []
    seen = fused(readings) if readings else None
    if order.level_m is not None:
        told = LevelReading("series", order.level_m, order.level_sigma_m or 0.01)
        level = fused([told, *readings])
    else:
        level = seen or LevelReading("none", None, float("inf"))
    site = order.site
    found = None
    flags = list(level.doubts)
    if site.section is not None:
        found = measure(
            site, sequence, level.level_m, level_sigma_m=level.sigma_m if level.level_m is not None else None
        )
        flags += found.flags
    water, near = (
        water_of(site, level.level_m, sequence.size),
        nearest_person(site, level.level_m, sequence.size),
    )
    still = still_of(sequence.frames[0], water, near)
    (folder / "measured").touch()
    return Answer(
        at_s=at_s,
        folder=str(folder),
        level_m=level.level_m,
        level_sigma_m=level.sigma_m if level.level_m is not None else None,
        level_source=level.source,
        surface_ms=found.surface_velocity_ms if found else None,
        discharge_m3s=found.discharge_m3s if found else None,
        interval95=found.interval95 if found else None,
        quality=found.quality if found else 0.0,
        measured_share=found.measured_share if found else 0.0,
        flags=tuple(dict.fromkeys(flags)),
        frames=len(sequence.frames),
        alpha=site.alpha,
        engine=found.engine if found else "",
        cpu_s=time.process_time() - started,
        survey=site.version,
        engines=found.engines if found else {},
        budget=found.budget if found else {},
        verticals=vectors_of(found) if found else (),
        still=base64.b64encode(still).decode(),
    )


def vectors_of(found: "Measurement") -> tuple[tuple[float, float, float | None, bool], ...]:
    """Return the vectors of a measurement in few bytes: they are kept when the video is gone."""
    return tuple(
        (
            round(v["station_m"], 2),
            round(v["depth_m"], 3),
            None if v["surface_ms"] is None else round(v["surface_ms"], 3),
            v["measured"],
        )
        for v in found.verticals
    )


def main() -> None:
    """Read an order, carry it out, write the answer."""
    import cv2  # noqa: PLC0415

    cv2.setNumThreads(1)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(answer_to(order)) + b"\n")


if __name__ == "__main__":
    main()
