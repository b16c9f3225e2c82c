"""The darkroom: photos made again in a process of its own, at the lowest priority, so that no page ever waits for one.

Decoding and looking for faces hold a processor for seconds and half a gigabyte of memory; a file made to break a
decoder ends this process and not the town. The process starts with the first photo and ends with `close`, or with the
process that started it: its input is then at an end.
"""

import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO, Any

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.giving_way import give_way
from beffroi.services.reports.photos.broken import broken
from beffroi.services.reports.photos.remake import Made, remake

__all__ = ["Darkroom", "Interrupted"]

MOST_S = 120.0  # of work on one photo, once begun
_HEAD = struct.Struct(">I")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}


class Interrupted(Exception):  # noqa: N818 -- nothing went wrong: the town is being stopped
    """The town stops while a photo is in the darkroom: it waits for the next start."""


class _Order(msgspec.Struct, array_like=True):
    data: bytes
    media_type: str
    orientation: int
    blur: bool


class _Refusal(msgspec.Struct, tag=True):
    reason: Text
    mend: Text


class _Done(msgspec.Struct, tag=True):
    made: Made


class _Lost(Exception):  # noqa: N818
    """The process ended, or took too long, before it answered."""


class Darkroom:
    """Remakes photos elsewhere, one after the other. Used by one thread; `stop` interrupts it."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def remake(self, data: bytes, media_type: str, orientation: int = 1, *, blur: bool = False) -> Made:
        """Return the photo made again (see `remake`). Raises `Problem`, for one that ends the process twice too;
        `Interrupted` when the town stops meanwhile."""
        order = msgspec.msgpack.encode(_Order(data, media_type, orientation, blur))
        for _ in range(
            2
        ):  # the process may have been killed for what another photo, or the machine, asked of it
            try:
                answer = self._ask(order)
            except _Lost:
                self.close()
                continue
            if isinstance(answer, _Refusal):
                raise Problem(answer.reason, answer.mend, place="photo")
            return answer.made
        raise broken()

    def close(self) -> None:
        """End the process, and give its memory back."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()

    @property
    def pid(self) -> int | None:
        """The number of the process, None when there is none now."""
        return self._process.pid if self._process else None

    def _ask(self, order: bytes) -> _Done | _Refusal:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 -- ourselves
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **_ONE_THREAD}
            )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            _write(self._process.stdin, order)
        except OSError as error:
            raise _Lost from error
        descriptor, until = self._process.stdout.fileno(), time.monotonic() + MOST_S
        size = _HEAD.unpack(self._read(descriptor, _HEAD.size, until))[0]
        return msgspec.msgpack.decode(self._read(descriptor, size, until), type=_Done | _Refusal)

    def _read(self, descriptor: int, size: int, until: float) -> bytes:
        found = bytearray()
        while len(found) < size:
            if self._stop.is_set():
                self.close()
                raise Interrupted
            if time.monotonic() > until:
                raise _Lost
            if select.select([descriptor], [], [], 0.2)[0]:
                part = os.read(descriptor, size - len(found))
                if not part:
                    raise _Lost
                found += part
        return bytes(found)


def _write(pipe: IO[bytes], body: bytes) -> None:
    pipe.write(_HEAD.pack(len(body)) + body)
    pipe.flush()


# --- The process itself.


def _serve(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Answer orders until there are no more."""
    while head := orders.read(_HEAD.size):
        order = msgspec.msgpack.decode(orders.read(_HEAD.unpack(head)[0]), type=_Order)
        _write(answers, msgspec.msgpack.encode(_answer(order)))


def _answer(order: _Order) -> _Done | _Refusal:
    try:
        return _Done(
            remake(order.data, order.media_type, order.orientation, _areas_of if order.blur else None)
        )
    except Problem as problem:
        return _Refusal(problem.reason, problem.mend)


def _areas_of(image: Any) -> list[Any]:
    from beffroi.services.reports.photos.blur import areas_of  # noqa: PLC0415 -- only where it is wanted

    return list(areas_of(image))


if __name__ == "__main__":
    give_way()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the town, which ends this
    answering = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not pass for an answer
    with suppress(BrokenPipeError):
        _serve(sys.stdin.buffer, answering)
