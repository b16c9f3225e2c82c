"""Frames from where a camera gives them: a folder, a video, an RTSP stream, an HTTP snapshot; with their real times.

What a stream or a snapshot gives is written to a spool before it is measured: a process that is killed, or a town that
is being restarted, measures it later. The spool is the only video that is ever kept, and for a stated delay.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from beffroi.connectors.fetch import fetch
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text
from beffroi.services.water.camera.frames import Sequence, read_folder, read_picture, read_video

__all__ = ["capture", "read_spool"]

Array = np.ndarray[Any, Any]
_FRAMES = 12
_SNAPSHOTS, _BETWEEN_S = 8, 0.5
_TRIES = 3
_OPEN_MS = 8000
_JPEG = 95
_LARGEST = 20 << 20


def capture(
    kind: str,
    source: str,
    spool: Path,
    dt_s: float | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """Take frames from a source into a new folder of `spool`, and return it. Raises Problem when none can be had."""
    started = time.time()
    sequence = _retried(lambda: _READERS[kind](source, dt_s, pause), pause)
    folder = spool / f"{int(started * 1000):013d}"
    aside = spool / f".{folder.name}"
    aside.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(sequence.frames):
        cv2.imwrite(str(aside / f"{i:04d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, _JPEG])
    told = {"at_s": started, "times_s": [float(t) for t in sequence.times_s], "doubts": list(sequence.doubts)}
    (aside / "times.json").write_text(json.dumps(told), "utf-8")
    aside.replace(folder)
    return folder


def _retried(work: Callable[[], Sequence], pause: Callable[[float], None]) -> Sequence:
    for turn in range(_TRIES):
        try:
            return work()
        except Unavailable:
            if turn == _TRIES - 1:
                raise
            pause(0.5 * 4**turn)
    raise AssertionError


def read_spool(folder: Path) -> tuple[float, Sequence]:
    """Return when the frames of a spooled folder were taken (seconds since 1970), and the frames."""
    told = json.loads((folder / "times.json").read_text("utf-8"))
    read = [(t, read_picture(folder / f"{i:04d}.jpg")) for i, t in enumerate(told["times_s"])]
    kept = [(t, f) for t, f in read if f is not None]
    if len(kept) < 2:
        raise Problem(
            Text("Les images gardées sont illisibles.", "The kept frames are illegible."), place=str(folder)
        )
    doubts = (*told["doubts"], *(("broken_frames",) if len(kept) < len(read) else ()))
    return float(told["at_s"]), Sequence([f for _, f in kept], np.array([t for t, _ in kept]), doubts)


def _folder(source: str, dt_s: float | None, _pause: Callable[[float], None]) -> Sequence:
    return read_folder(Path(source), dt_s if dt_s is not None else float("nan"))


def _video(source: str, dt_s: float | None, _pause: Callable[[float], None]) -> Sequence:
    return read_video(Path(source), dt_s)


def _stream(source: str, _dt_s: float | None, _pause: Callable[[float], None]) -> Sequence:
    """Read an RTSP stream. A frame's time is the stream's own stamp; where it tells none, when it came."""
    if urlsplit(source).scheme not in ("rtsp", "rtsps"):
        raise _refused("rtsp://…", source)
    options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _OPEN_MS]
    stream = cv2.VideoCapture(source, cv2.CAP_FFMPEG, options)
    frames: list[Array] = []
    stamps, arrivals = [], []
    try:
        while stream.isOpened() and len(frames) < _FRAMES:
            good, colour = stream.read()
            if not good:
                break
            arrivals.append(time.monotonic())
            stamps.append(stream.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            frames.append(colour if colour.ndim == 2 else cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY))
    finally:
        stream.release()
    if len(frames) < 2:
        raise _unreachable(source)
    told = np.array(stamps if np.all(np.diff(stamps) > 0) else arrivals)
    if not np.all(np.diff(told) > 0):
        raise _unreachable(source)
    doubts = ("truncated",) if len(frames) < _FRAMES else ()
    return Sequence(frames, told - told[0], doubts)


def _snapshots(source: str, dt_s: float | None, pause: Callable[[float], None]) -> Sequence:
    """Ask for a picture again and again: enough for a level, and for slow water."""
    if urlsplit(source).scheme not in ("http", "https"):
        raise _refused("https://…", source)
    frames: list[Array] = []
    times = []
    for turn in range(_SNAPSHOTS):
        if turn:
            pause(dt_s or _BETWEEN_S)
        with fetch(source, timeout=10, largest=_LARGEST, accept="image/*") as body:
            data = np.frombuffer(body.read(), np.uint8)
        at = time.monotonic()
        frame = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
        if frame is not None and (not frames or frame.shape == frames[0].shape):
            frames.append(frame)
            times.append(at)
    if len(frames) < 2:
        raise _unreachable(source)
    told = np.array(times)
    return Sequence(frames, told - told[0], ("broken_frames",) if len(frames) < _SNAPSHOTS else ())


def _refused(example: str, source: str) -> Problem:
    return Problem(
        Text(
            "Cette adresse n'est pas celle d'une telle source.", "This is not the address of such a source."
        ),
        Text("Par exemple {like}", "For example {like}").filled(like=example),
        urlsplit(source).scheme,
    )


def _unreachable(source: str) -> Unavailable:
    shown = urlsplit(source)
    return Unavailable(
        Text("La caméra ne donne pas d'image.", "The camera gives no picture."),
        Text("Beffroi réessaiera ; vérifiez le réseau, l'adresse et le mot de passe.",
             "Beffroi will try again; check the network, the address and the password."),
        f"{shown.scheme}://{shown.hostname or ''}{shown.path}")  # fmt: skip


_READERS: dict[str, Callable[[str, float | None, Callable[[float], None]], Sequence]] = {
    "folder": _folder,
    "video": _video,
    "rtsp": _stream,
    "http": _snapshots,
}
