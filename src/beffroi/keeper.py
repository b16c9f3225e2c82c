"""Keeper: what exactly one process of an installation does: MQTT, rules, connectors, jobs, sealing, live demonstration.

Each duty is a row of `DUTIES`; one that fails is said in the log and started again after a pause.
"""

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Self

from beffroi.connectors.schedule import KINDS, work
from beffroi.connectors.source import sources_of
from beffroi.connectors.tasking import Command, Ways
from beffroi.connectors.tasking import work as send_commands
from beffroi.election import Election
from beffroi.intake.bringing.taking import work_through
from beffroi.intake.moving_in import order
from beffroi.intake.take import Intake
from beffroi.model.instant import DAY_US
from beffroi.mqtt.service import serve_mqtt
from beffroi.plugins import Service
from beffroi.rules.actions import Hands, Publish
from beffroi.rules.keeper import act, judge
from beffroi.rules.needed import past_now, thin_now
from beffroi.store import ledger
from beffroi.store.change_set import LEFT_AFTER_US, finish_left
from beffroi.store.gathering import gather
from beffroi.store.retention import expire
from beffroi.store.sealing import LATE_US, seal
from beffroi.store.sealing_apart import writer_apart
from beffroi.store.versions import retire
from beffroi.town import Town
from beffroi.web.site.experiments.duty import experiments

__all__ = ["Keeper"]

log = logging.getLogger("beffroi.keeper")
ELECTION_S = 2.0
PAUSE_S = 5.0
SEALING_S = 600.0
UNFINISHED_S = 5.0
RETENTION_S = 3600.0
LEDGER_S = 30.0
SOURCE_KEYS_US = 400 * DAY_US  # a file of last year may still come again
LAST_WORD_S = 5.0


class Keeper:
    """Runs the duties while this process is the elected one; an asynchronous context manager."""

    def __init__(
        self,
        town: Town,
        *,
        mqtt: tuple[str, int] = ("127.0.0.1", 0),
        open_writes: bool = False,
        address: str = "",
    ) -> None:
        self.town = town
        self.mqtt = mqtt
        self.open_writes = open_writes
        self.address = address
        self.elected = False
        self.stop = threading.Event()
        self.publish: Publish | None = None  # set by the duty that runs MQTT
        self.command: Command | None = None  # the same
        self._election = Election(town.store)
        self._tasks: list[asyncio.Task[None]] = []
        self._standing: asyncio.Task[None] | None = None
        self._services: dict[
            str, tuple[Service, threading.Event]
        ] = {}  # whose duties run, and what ends them
        self.polling = threading.Event()  # ends one run of the connectors' duty, which begins another

    async def __aenter__(self) -> Self:
        """Stand for election, and go on standing."""
        self._stand()
        self._standing = asyncio.create_task(self._keep_standing(), name="keeper-election")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop every duty and resign."""
        self.stop.set()
        for _service, stop in self._services.values():
            stop.set()
        self.polling.set()
        tasks = [t for t in [self._standing, *self._tasks] if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._election.resign()

    def _stand(self) -> None:
        if self.elected or not self._election.won():
            return
        self.elected = True
        for name, duty in DUTIES.items():
            self._start(name, duty)
        self._adopt()

    def _start(self, name: str, duty: Callable[["Keeper"], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(self._repeat(name, duty), name=f"keeper-{name}"))

    def adopt(self) -> None:
        """Begin the duties of services that have come, and end those of services that are gone (called in the loop)."""
        if self.elected and not self.stop.is_set() and self._adopt():
            self.polling.set()  # their connectors are polled too, or no longer

    def _adopt(self) -> bool:
        """Bring the running duties in line with the services; tell whether any changed."""
        wanted = self.town.registry.services
        gone = [
            name
            for name, (service, _stop) in self._services.items()
            if name not in wanted or _work_of(wanted[name]) != _work_of(service)
        ]
        for name in gone:
            self._services.pop(name)[1].set()
        come = [service for name, service in wanted.items() if name not in self._services]
        for service in come:
            stop = threading.Event()
            self._services[service.name] = (service, stop)
            for name, duty in _duties_of(service, stop).items():
                self._start(name, duty)
        return bool(gone or come)

    async def _keep_standing(self) -> None:
        while True:
            await asyncio.sleep(ELECTION_S)
            self._stand()

    async def _repeat(self, name: str, duty: Callable[["Keeper"], Awaitable[None]]) -> None:
        while not self.stop.is_set():
            try:
                await duty(self)
                return
            except Exception:
                if self.stop.is_set():
                    return
                log.exception("the keeper's duty %r failed; it starts again in %s s", name, PAUSE_S)
                await asyncio.sleep(PAUSE_S)


async def _sealing(keeper: Keeper) -> None:
    """Seal old days, once consumers of the bus have read them, thin what is past its retention and gather roll-ups once
    a day, and sweep the files nobody holds any more."""
    store = keeper.town.store
    thinned_day, apart = -1, writer_apart(store.settings)
    while not keeper.stop.is_set():
        await asyncio.sleep(SEALING_S)
        now_us = keeper.town.clock()
        before = now_us - store.settings.store.seal_after_days * DAY_US
        # what a consumer of the bus has not read yet stays fresh
        reached = min(
            int(store.setting(name, store.observations.head())) for name in ("bus.rules", ledger.CURSOR)
        )
        await asyncio.to_thread(store.archive.sweep)
        await asyncio.to_thread(store.files.sweep)
        today = now_us // DAY_US
        spent = await asyncio.to_thread(past_now, store, now_us) if today != thinned_day else set()
        await asyncio.to_thread(
            seal, store.database, store.archive, before, reached, now_us - LATE_US, spent, apart
        )
        await asyncio.to_thread(store.archive.complete)
        if today != thinned_day:
            await asyncio.to_thread(thin_now, store, keeper.town.clock())
            await asyncio.to_thread(gather, store.database, store.archive)
            thinned_day = today


async def _unfinished(keeper: Keeper) -> None:
    """Finish the change sets whose process ended between deciding them and writing their observations."""
    store = keeper.town.store
    await asyncio.to_thread(finish_left, store, keeper.town.clock())
    while not keeper.stop.is_set():
        await asyncio.sleep(UNFINISHED_S)
        await asyncio.to_thread(finish_left, store, keeper.town.clock() - LEFT_AFTER_US)


async def _retention(keeper: Keeper) -> None:
    """Erase what has been kept as long as its collection says, and old source keys, at start and then every hour."""
    store = keeper.town.store
    while not keeper.stop.is_set():
        await asyncio.to_thread(expire, store.records, keeper.town.clock())
        await asyncio.to_thread(store.observations.forget_keys, keeper.town.clock() - SOURCE_KEYS_US)
        days = store.settings.store.versions_days or 36_500
        await asyncio.to_thread(retire, store.database, keeper.town.clock() - days * DAY_US)
        kept_us = store.settings.store.provenance_days * DAY_US
        await asyncio.to_thread(store.provenance.forget, keeper.town.clock() - kept_us)
        await asyncio.sleep(RETENTION_S)


async def _ledger(keeper: Keeper) -> None:
    """Note what is missing, and what came late after all."""
    while not keeper.stop.is_set():
        await asyncio.to_thread(ledger.follow, keeper.town.store)
        await asyncio.sleep(LEDGER_S)


async def _demonstration(keeper: Keeper) -> None:
    """Let the sensors of a demonstration town go on; nothing in a real one."""
    if not keeper.town.store.setting("demo.live"):
        return
    from beffroi.demo.live import live  # noqa: PLC0415 -- a whole invented town, which real ones never need

    await live(keeper.town, keeper.stop)


async def _thread(work: Callable[[], None]) -> None:
    """Run blocking work, which ends by itself on `keeper.stop`, until it has ended, in a thread of its own.

    The loop's pool has few threads, and everybody's short work waits for them: what lasts must not take one.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:  # noqa: BLE001 -- the duty hears of it, whatever it is
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop ended first: nobody is left to tell
            loop.call_soon_threadsafe(tell, error)

    threading.Thread(target=run, name="beffroi-duty", daemon=True).start()
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        await asyncio.wait({ended}, timeout=LAST_WORD_S)
        raise


async def _rules(keeper: Keeper) -> None:
    """Judge what is committed."""
    await _thread(lambda: judge(keeper.town.store, keeper.stop, keeper.town.registry.titles))


async def _actions(keeper: Keeper) -> None:
    """Do what alarms ask for."""
    hands = Hands(keeper.town.settings, lambda: keeper.publish)
    await _thread(lambda: act(keeper.town.store, keeper.stop, hands))


async def _mqtt(keeper: Keeper) -> None:
    """Serve MQTT, and let the rules publish by it."""
    host, port = keeper.mqtt

    def commander(command: Command) -> None:
        keeper.command = command

    def ready(_port: int, publish: Callable[[str, bytes, bool], None]) -> None:
        keeper.publish = publish

    await serve_mqtt(
        keeper.town,
        host,
        port,
        open_writes=keeper.open_writes,
        address=keeper.address,
        ready=ready,
        commander=commander,
    )


async def _connectors(keeper: Keeper) -> None:
    """Poll the sources of the settings, each when it is due, by the connectors of the services in use."""
    town = keeper.town
    while not keeper.stop.is_set():
        keeper.polling = polling = threading.Event()
        kinds = {
            **KINDS,
            **dict(one for service in town.registry.services.values() for one in service.connectors),
        }
        sources = sources_of(town.settings.connectors, kinds)
        if not sources:
            return
        intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
        await _thread(functools.partial(work, intake, sources, polling, kinds=kinds))


def _work_of(service: Service) -> tuple[object, ...]:
    """Return what a service does by itself: the same functions, the same service as before."""
    return (service.duties, service.connectors)


def _duties_of(service: Service, stop: threading.Event) -> dict[str, Callable[["Keeper"], Awaitable[None]]]:
    """Return the duties of a service, each under its service's name: two services may call theirs alike."""
    return {f"{service.name}.{d.__name__}": _of_service(d, stop) for d in service.duties}


def _of_service(
    work: Callable[[Town, threading.Event], None], stop: threading.Event
) -> Callable[["Keeper"], Awaitable[None]]:
    """Return the duty that a service declares."""

    async def duty(keeper: Keeper) -> None:
        try:
            await _thread(lambda: work(keeper.town, stop))
        except Exception:
            if not stop.is_set():  # a service that is gone is not begun again
                raise

    return duty


async def _commands(keeper: Keeper) -> None:
    """Send what was commanded."""
    ways = Ways(lambda: keeper.command, keeper.town.settings.lorawan)
    await _thread(lambda: send_commands(keeper.town.store, ways, keeper.stop))


async def _bringing(keeper: Keeper) -> None:
    """Read, take in and take back the files that people brought."""
    town = keeper.town
    registry = town.registry
    intake = Intake(town.store, registry.datastream_kind, registry.service_of, registry.file_kinds)
    await _thread(lambda: work_through(intake, keeper.stop))


async def _moving_in(keeper: Keeper) -> None:
    """Fetch the public data of the commune when an administrator asked for it."""
    await _thread(lambda: order.work_through(keeper.town.store, keeper.stop))


async def _experiments(keeper: Keeper) -> None:
    """Begin, conclude and stop the experiments whose day has come."""
    await _thread(lambda: experiments(keeper.town, keeper.stop))


DUTIES: dict[str, Callable[[Keeper], Awaitable[None]]] = {
    "mqtt": _mqtt,
    "connectors": _connectors,
    "rules": _rules,
    "actions": _actions,
    "unfinished": _unfinished,
    "commands": _commands,
    "bringing": _bringing,
    "moving in": _moving_in,
    "experiments": _experiments,
    "sealing": _sealing,
    "retention": _retention,
    "ledger": _ledger,
    "demonstration": _demonstration,
}
