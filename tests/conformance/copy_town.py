"""Run by a Python 3.13 that has aio-sensorthings: copy the catalogue of one SensorThings server to another, then read it.

`python copy_town.py SOURCE TARGET`: addresses without the version. Prints what `get_all` reads of the target as JSON.
"""

import asyncio
import json
import sys

from aio_sensorthings import (
    EntitySyncer,
    IdentityTransformer,
    InMemoryStateStore,
    STAClient,
    STAEntityType,
    STAHttpSource,
    STAHttpTarget,
)

TYPES = [STAEntityType.LOCATION, STAEntityType.THING, STAEntityType.SENSOR, STAEntityType.OBSERVED_PROPERTY, STAEntityType.DATASTREAM]  # fmt: skip


async def main(source: str, target: str) -> None:
    """Copy twice (the second time finds everything there), post an observation, and print what the target has."""
    async with STAClient(source) as read, STAClient(target) as write:
        for _ in range(2):
            syncer = EntitySyncer(
                source=STAHttpSource(read), target=STAHttpTarget(write), state=InMemoryStateStore(), entity_types=TYPES,
                transformer=IdentityTransformer(), sync_by="name",
            )  # fmt: skip
            await syncer.bootstrap()
        first = (await write.get_all("Datastreams"))[0]["@iot.id"]
        await write.post("Observations", {"result": 2.5, "Datastream": {"@iot.id": first}})
        await write.patch(
            f"Things({(await write.get_all('Things'))[0]['@iot.id']})", {"description": "copiée"}
        )
        sets = ["Things", "Locations", "Sensors", "ObservedProperties", "Datastreams", "Observations"]
        print(json.dumps({name: await write.get_all(name) for name in sets}))  # noqa: T201 -- its caller reads it


asyncio.run(main(*sys.argv[1:]))
