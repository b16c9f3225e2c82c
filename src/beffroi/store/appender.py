"""Appender: group commit. Many callers hand in drafts; they are stored many at a time, and each is answered.

While a commit waits for the disk, the next callers gather: one `fsync` serves them all. What the requests of one
turn of the event loop bring is stored there and then, by the loop itself, when that is quick: handing it to a
thread and back costs more than writing it, since both need the interpreter. Large batches, a slow disk and a
file that another process is writing are left to a thread, and the loop goes on.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import msgspec

from beffroi.model.instant import Clock
from beffroi.model.observation import Draft, Observation
from beffroi.model.problem import Overloaded, Problem
from beffroi.model.text import Text
from beffroi.store.turn import Turn
from beffroi.store.versions import By
from beffroi.store.writer import Kept, Writer

__all__ = ["Ack", "Appender"]

HERE = 1_500  # observations that the event loop stores itself
SLOW_S = 0.008  # commits that last longer than that, of late, are left to the thread
GROUP = 20_000  # observations in one commit, beyond which the next callers wait their turn
QUEUE = 400_000  # observations waiting, beyond which callers are told to come back


class Ack(msgspec.Struct, frozen=True):
    """What became of the drafts: an id each (None where folded: it was stored before), and the two counts."""

    ids: list[int | None]
    stored: int
    folded: int


class _Work(msgspec.Struct, eq=False):
    run: Callable[[Writer], object] | None
    drafts: Sequence[Draft]
    future: "Future[Ack] | asyncio.Future[Ack] | Future[object]"
    loop: asyncio.AbstractEventLoop | None = None


class Appender:
    """The one writer of observations of this process (see the module)."""

    def __init__(self, writer: Writer, clock: Clock, notify: Callable[[], None], turn: Turn) -> None:
        self._writer = writer
        self._clock = clock
        self._notify = notify
        self._turn = turn
        self._gathered: dict[asyncio.AbstractEventLoop, list[_Work]] = {}
        self._lasting_s = 0.0  # how long commits last, of late
        self._waiting: deque[_Work] = deque()
        self._count = 0
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="beffroi-append", daemon=True)
        self._thread.start()

    def submit(self, drafts: Sequence[Draft]) -> "Future[Ack]":
        """Hand in drafts from any thread; the future ends once they are on disk."""
        future: Future[Ack] = Future()
        self._put(_Work(None, drafts, future))
        return future

    async def submit_async(self, drafts: Sequence[Draft]) -> Ack:
        """Hand in drafts from the event loop and wait until they are on disk. Raises `Unavailable`, `Overloaded`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Ack] = loop.create_future()
        work = _Work(None, drafts, future, loop)
        gathered = self._gathered.get(loop)
        if gathered is None:
            self._gathered[loop] = [work]
            loop.call_soon(self._commit_gathered, loop)
        else:
            gathered.append(work)
        return await future

    def rewrite(
        self,
        observations: Sequence[Observation],
        before: Sequence[Observation],
        by: By,
        *,
        deleted: bool = False,
    ) -> None:
        """Write changed observations under a new commit number, in turn with the appends, and keep what they were."""
        action = "delete" if deleted else "change"
        self._do(
            lambda writer: writer.rewrite(
                observations, Kept(before, self._clock(), action, by), deleted=deleted
            )
        )

    def _commit_gathered(self, loop: asyncio.AbstractEventLoop) -> None:
        """Store what the requests of this turn of the loop brought, or leave it to the thread."""
        gathered = self._gathered.pop(loop)
        if self._quick(gathered) and self._turn.take_now():
            self._store(gathered, here=True)
            return
        for work in gathered:
            try:
                self._put(work)
            except Problem as problem:
                work.future.set_exception(problem)

    def _quick(self, gathered: list[_Work]) -> bool:
        return (
            not self._waiting
            and self._lasting_s < SLOW_S
            and sum(len(work.drafts) for work in gathered) <= HERE
            and not self._closing
        )

    def relatest(self, datastream_id: int, newest: Callable[[], Observation | None], gone: int) -> None:
        """Find a datastream's newest observation again, in turn with the appends."""
        self._do(lambda writer: writer.relatest(datastream_id, newest(), gone))

    def forget_series(self, datastream_id: int) -> None:
        """Remove every fresh row of a datastream, in turn with the appends."""
        self._do(lambda writer: writer.forget_series(datastream_id))

    def _do(self, run: Callable[[Writer], object]) -> None:
        future: Future[object] = Future()
        self._put(_Work(run, (), future))
        future.result()

    def close(self) -> None:
        """Store what waits, then stop."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._writer.close()

    def _put(self, work: _Work) -> None:
        with self._wake:
            if self._closing or self._count > QUEUE:
                raise Overloaded(
                    Text("Trop d'observations attendent d'être enregistrées.", "Too many observations are waiting to be stored."),
                    Text("Renvoyez celles-ci dans quelques secondes.", "Send these again in a few seconds."),
                )  # fmt: skip
            self._waiting.append(work)
            self._count += len(work.drafts)
            if len(self._waiting) == 1:
                self._wake.notify()

    def _take(self) -> list[_Work]:
        with self._wake:
            while not self._waiting and not self._closing:
                self._wake.wait()
            taken: list[_Work] = []
            size = 0
            while self._waiting and (size < GROUP or not taken):
                if self._waiting[0].run is not None and taken:
                    break  # other writings go alone, in their turn
                work = self._waiting.popleft()
                taken.append(work)
                size += len(work.drafts)
                if work.run is not None:
                    break
            self._count -= size
            return taken

    def _run(self) -> None:
        while taken := self._take():
            self._turn.take()
            self._store(taken)

    def _store(self, taken: list[_Work], *, here: bool = False) -> None:
        """Store in one commit, in the turn that is ours, and answer; `here`: in the event loop that waits for it.

        The turn goes on to the next writer before we wait for the disk.
        """
        began = time.monotonic()
        try:
            try:
                answers = self._commit(taken)
            finally:
                self._turn.give()
            self._writer.sync()
            if sum(len(work.drafts) for work in taken) <= HERE:
                self._lasting_s = 0.8 * self._lasting_s + 0.2 * (time.monotonic() - began)
            _settle(answers, here=here)
        except Exception as error:  # noqa: BLE001 -- every caller must hear of it, whatever it is
            _fail(taken, error, here=here)
        else:
            self._notify()

    def _commit(self, taken: list[_Work]) -> list[tuple[_Work, object]]:
        first = taken[0]
        if first.run is not None:
            return [(first, first.run(self._writer))]
        drafts = [d for work in taken for d in work.drafts] if len(taken) > 1 else first.drafts
        return _shares(taken, self._writer.append(drafts, self._clock()))


def _shares(taken: list[_Work], ids: list[int | None]) -> list[tuple[_Work, object]]:
    shares: list[tuple[_Work, object]] = []
    start = 0
    for work in taken:
        mine = ids[start : start + len(work.drafts)]
        start += len(work.drafts)
        folded = mine.count(None)
        shares.append((work, Ack(mine, len(mine) - folded, folded)))
    return shares


def _settle(answers: list[tuple[_Work, object]], *, here: bool = False) -> None:
    """Answer every caller; those of one event loop with a single wake-up, none when we are in it (`here`)."""
    if here:
        for work, answer in answers:
            if not work.future.done():
                work.future.set_result(answer)  # type: ignore[arg-type]
        return
    loops: dict[asyncio.AbstractEventLoop, list[tuple[_Work, object]]] = {}
    for work, answer in answers:
        if work.loop is not None:
            loops.setdefault(work.loop, []).append((work, answer))
        else:
            work.future.set_result(answer)  # type: ignore[arg-type]
    for loop, mine in loops.items():
        _wake(loop, lambda mine=mine: [w.future.set_result(a) for w, a in mine if not w.future.done()])  # type: ignore[misc]


def _fail(taken: list[_Work], error: Exception, *, here: bool = False) -> None:
    for work in taken:
        if work.loop is None or here:
            if not work.future.done():
                work.future.set_exception(error)
            continue
        _wake(work.loop, lambda work=work: None if work.future.done() else work.future.set_exception(error))  # type: ignore[misc]


def _wake(loop: asyncio.AbstractEventLoop, answer: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(answer)
    except RuntimeError:  # the loop ended while we wrote: nobody is left to tell
        return
