"""Frames from a folder or a video: grey pictures with their times, broken ones left out and said so."""

import math
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Sequence", "read_folder", "read_picture", "read_video"]

Array = np.ndarray[Any, Any]
_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
_MOST = 60  # frames that one measurement reads
_LEAST = 2
_SAME = 0.15  # mean grey difference under which two frames are one, repeated
_FASTEST_HZ = 1000.0


class Sequence(msgspec.Struct, frozen=True, eq=False):
    """Grey frames (uint8, one shape), their times in seconds from the first, and what was wrong."""

    frames: list[Any]
    times_s: Any
    doubts: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.frames[0].shape
        return width, height


def read_picture(path: Path) -> Array | None:
    """Return a grey picture, None when it is broken or cut short."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[-64:]:
        return None  # a JPEG without its end: the decoder would fill the rest with grey
    if len(data) < 16:
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)


def read_folder(folder: Path, dt_s: float) -> Sequence:
    """Return the pictures of a folder, in the order of their names, `dt_s` seconds apart."""
    if not (math.isfinite(dt_s) and dt_s > 1 / _FASTEST_HZ):
        raise Problem(
            Text("L'intervalle entre images doit être un nombre de secondes positif.",
                 "The interval between frames must be a positive number of seconds."),
            Text("Par exemple `--dt 0.08`.", "For example `--dt 0.08`."), "--dt")  # fmt: skip
    if not folder.is_dir():
        raise Problem(
            Text("Ce dossier n'existe pas.", "This directory does not exist."),
            Text("Donnez le dossier des images.", "Give the directory of the frames."),
            str(folder),
        )
    names = sorted(p for p in folder.iterdir() if p.suffix.lower() in _PICTURES)[:_MOST]
    read = [(i * dt_s, read_picture(p)) for i, p in enumerate(names)]
    return _sequence(read, str(folder), ())


def read_video(path: Path, dt_s: float | None = None) -> Sequence:
    """Return the first frames of a video with their own times; `dt_s` overrides what the file says."""
    if not path.is_file():
        raise Problem(
            Text("Cette vidéo n'existe pas.", "This video does not exist."),
            Text("Donnez un fichier vidéo.", "Give a video file."),
            str(path),
        )
    if dt_s is not None and not (math.isfinite(dt_s) and dt_s > 0):
        return read_folder(path.parent, dt_s)  # says what is wrong with it
    # one thread: more cost more processor and memory than they bring
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    try:
        rate, count = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
        read: list[tuple[float, Array | None]] = []
        while len(read) < _MOST:
            at_ms = video.get(cv2.CAP_PROP_POS_MSEC)
            good, colour = video.read()
            if not good:
                break
            grey = colour if colour.ndim == 2 else cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
            read.append((at_ms / 1000, grey))
    finally:
        video.release()
    short = ("truncated",) if 0 < count < 1e7 and len(read) < min(int(count), _MOST) else ()
    return _sequence(_timed(read, rate, dt_s, str(path)), str(path), short)


def _timed(
    read: list[tuple[float, Array | None]], rate: float, dt_s: float | None, place: str
) -> list[tuple[float, Array | None]]:
    """Return the frames with times that can be believed: those stated, else the file's own, else its rate."""
    if not read:
        return []
    if dt_s is not None:
        return [(i * dt_s, frame) for i, (_, frame) in enumerate(read)]
    steps = np.diff([t for t, _ in read])
    if len(steps) and np.all(steps > 0):
        return read
    if not (math.isfinite(rate) and 0 < rate <= _FASTEST_HZ):
        raise Problem(
            Text("La vidéo ne dit pas sa cadence.", "The video does not tell its frame rate."),
            Text("Donnez l'intervalle par `--dt`.", "Give the interval with `--dt`."),
            place,
        )
    return [(i / rate, frame) for i, (_, frame) in enumerate(read)]


def _sequence(read: list[tuple[float, Array | None]], place: str, doubts: tuple[str, ...]) -> Sequence:
    found = list(doubts)
    good = [(t, f) for t, f in read if f is not None]
    if len(good) < len(read):
        found.append("broken_frames")
    if good:
        shapes = [f.shape for _, f in good]
        shape = max(set(shapes), key=shapes.count)
        if any(s != shape for s in shapes):
            found.append("broken_frames")
        good = [(t, f) for t, f in good if f.shape == shape]
    kept = good[:1]
    for t, f in good[1:]:
        if float(np.mean(cv2.absdiff(f[::4, ::4], kept[-1][1][::4, ::4]))) < _SAME:
            found.append("repeated_frames")
            continue
        kept.append((t, f))
    if len(kept) < _LEAST:
        raise Problem(
            Text("Il faut deux images lisibles au moins ; {n} sur {all} l'est.",
                 "Two legible frames are needed at least; {n} of {all} is.").filled(n=len(kept), all=len(read)),
            Text("La vidéo est peut-être tronquée, ou l'image figée : reprenez-la.",
                 "The video may be truncated, or the picture frozen: take it again."), place)  # fmt: skip
    times = np.array([t for t, _ in kept])
    steps = np.diff(times)
    if len(kept) < 5:
        found.append("few_frames")
    if len(steps) > 1 and np.ptp(steps) > 0.2 * np.median(steps) and "repeated_frames" not in found:
        found.append("uneven_time")
    return Sequence([f for _, f in kept], times - times[0], tuple(dict.fromkeys(found)))
