"""The keeper's duty: MQTT for a town, by its own broker or through another one."""

import asyncio
import contextlib
import errno
import logging
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from beffroi.connectors.tasking import Command
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.mqtt.broker import Broker, Listener
from beffroi.mqtt.commits import Commits
from beffroi.mqtt.session import Message, Owner
from beffroi.mqtt.shelf import Shelf
from beffroi.mqtt.town_door import TownDoor
from beffroi.settings import MqttSettings
from beffroi.standards.sensorthings.service_root import ENDPOINTS
from beffroi.town import Town

__all__ = ["serve_mqtt"]

log = logging.getLogger("beffroi.mqtt")
Publisher = Callable[[str, bytes, bool], None]
COMMAND_S = 10.0


async def serve_mqtt(
    town: Town, host: str, port: int, *, open_writes: bool = False, address: str = "",
    ready: Callable[[int, Publisher], None] = lambda _port, _publish: None,
    commander: Callable[[Command], None] = lambda _command: None,
) -> None:  # fmt: skip
    """Serve MQTT until cancelled: on `host` and `port` (0: no broker of ours), or through `settings.mqtt.url`.

    `address` is where the town's pages are served, for links; `ready` is told the port and how to publish a message from any thread, `commander` how to command a device. A busy port is a warning, not an end.
    """
    door = TownDoor(town, open_writes=open_writes, address=address)
    try:
        if town.settings.mqtt.url:
            await _through(town, door, address, ready, commander)
        elif port:
            await _own(town, door, host, port, address, ready, commander)
        else:
            await asyncio.to_thread(_tell, town, [])
    finally:
        door.close()


def _tell(town: Town, endpoints: list[str]) -> None:
    """Keep where MQTT is served, for the service root of every process."""
    if town.store.setting(ENDPOINTS) != (endpoints or None):
        town.store.set_setting(ENDPOINTS, endpoints or None)


def _encrypted(settings: MqttSettings, host: str) -> list[Listener]:
    """Return the encrypted listener that the settings ask for. Raises `Problem` for files that are no certificate."""
    if not settings.tls_port:
        return []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.certificate_key or None)
    except (OSError, ssl.SSLError) as error:
        detail = str(error).replace("{", "(").replace("}", ")")
        raise Problem(
            Text("Le certificat de MQTT n'est pas lisible : {detail}", "MQTT's certificate cannot be read: {detail}")
            .filled(detail=detail),
            Text("Donnez des fichiers PEM : certificate et certificate_key, dans [mqtt].",
                 "Give PEM files: certificate and certificate_key, in [mqtt]."),
            place="mqtt.certificate",
        ) from error  # fmt: skip
    return [Listener(host, settings.tls_port, context)]


async def _own(
    town: Town, door: TownDoor, host: str, port: int, address: str, ready: Callable[[int, Publisher], None],
    commander: Callable[[Command], None],
) -> None:  # fmt: skip
    try:
        more = _encrypted(town.settings.mqtt, host)
    except Problem as problem:
        log.warning("MQTT without encryption only: %s (%s)", problem.reason.en, problem.mend.en)
        more = []
    broker = Broker(door, host, max(port, 0), more=more)
    shelf = Shelf(town.store, broker)
    marks = await asyncio.to_thread(shelf.load)
    try:
        await broker.__aenter__()
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
            raise
        log.warning(
            "MQTT is off: port %s of %s cannot be used (%s); choose another: --mqtt-port", port, host, error
        )
        await asyncio.to_thread(_tell, town, [])
        return
    loop = asyncio.get_running_loop()

    def publish(topic: str, payload: bytes, retain: bool) -> None:
        message = Message(topic, payload)
        loop.call_soon_threadsafe(lambda: broker.send(message, retain=retain))

    def command(topic: str, payload: bytes, territory: str | None, service: str) -> bool:
        message = Message(topic, payload, public=False, owner=Owner(territory, service))

        async def send() -> bool:
            able = broker.reaches(message)
            broker.send(message)
            return able

        return asyncio.run_coroutine_threadsafe(send(), loop).result(COMMAND_S)

    commits = await asyncio.to_thread(Commits, town, broker, address, marks)
    shelf.marks = lambda: commits.marks
    broker.keep = shelf.write
    writing = asyncio.create_task(shelf.run(), name="mqtt-shelf")
    try:
        await asyncio.to_thread(
            _tell, town, [f"mqtt://:{broker.port}", *(f"mqtts://:{one.port}" for one in more)]
        )
        ready(broker.port, publish)
        commander(command)
        await commits.run()
    finally:
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing
        await broker.__aexit__(None, None, None)
        shelf.close()


async def _through(
    town: Town, door: TownDoor, address: str, ready: Callable[[int, Publisher], None], commander: Callable[[Command], None]
) -> None:  # fmt: skip
    from beffroi.mqtt.bridge import Bridge  # noqa: PLC0415 -- most towns have the broker that is built in

    url = urlsplit(town.settings.mqtt.url)
    await asyncio.to_thread(
        _tell, town, [f"{url.scheme}://{url.hostname or ''}:{url.port or ''}".rstrip(":")]
    )
    async with Bridge(town.settings.mqtt, door) as bridge:
        ready(0, bridge.publish)
        commander(bridge.command)
        await Commits(town, bridge, address, patient=bridge.five).run()
