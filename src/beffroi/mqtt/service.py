"""The keeper's duty: MQTT for a town, by its own broker or through another one."""

import asyncio
import errno
import logging
from collections.abc import Callable

from beffroi.mqtt.broker import Broker
from beffroi.mqtt.commits import Commits
from beffroi.mqtt.session import Message
from beffroi.mqtt.town_door import TownDoor
from beffroi.town import Town

__all__ = ["serve_mqtt"]

log = logging.getLogger("beffroi.mqtt")
Publisher = Callable[[str, bytes, bool], None]


async def serve_mqtt(
    town: Town, host: str, port: int, *, open_writes: bool = False, address: str = "",
    ready: Callable[[int, Publisher], None] = lambda _port, _publish: None,
) -> None:  # fmt: skip
    """Serve MQTT until cancelled: on `host` and `port` (0: no broker of ours), or through `settings.mqtt.url`.

    `address` is where the town's pages are served, for links; `ready` is told the port and how to publish a message from any thread. A busy port is a warning, not an end.
    """
    door = TownDoor(town, open_writes=open_writes, address=address)
    try:
        if town.settings.mqtt.url:
            await _through(town, door, address, ready)
        elif port:
            await _own(town, door, host, port, address, ready)
    finally:
        door.close()


async def _own(
    town: Town, door: TownDoor, host: str, port: int, address: str, ready: Callable[[int, Publisher], None]
) -> None:
    broker = Broker(door, host, max(port, 0))
    try:
        await broker.__aenter__()
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
            raise
        log.warning(
            "MQTT is off: port %s of %s cannot be used (%s); choose another: --mqtt-port", port, host, error
        )
        return
    loop = asyncio.get_running_loop()

    def publish(topic: str, payload: bytes, retain: bool) -> None:
        message = Message(topic, payload)
        loop.call_soon_threadsafe(lambda: broker.send(message, retain=retain))

    try:
        ready(broker.port, publish)
        await Commits(town, broker, address).run()
    finally:
        await broker.__aexit__(None, None, None)


async def _through(town: Town, door: TownDoor, address: str, ready: Callable[[int, Publisher], None]) -> None:
    from beffroi.mqtt.bridge import Bridge  # noqa: PLC0415 -- most towns have the broker that is built in

    async with Bridge(town.settings.mqtt, door) as bridge:
        ready(0, bridge.publish)
        await Commits(town, bridge, address).run()
