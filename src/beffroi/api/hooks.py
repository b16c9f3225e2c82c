"""Webhooks of LoRaWAN network servers: `POST /hooks/ttn/v3` and `/hooks/chirpstack/v4`.

Each decoded key of an uplink becomes an observation; a device that is not known yet becomes a Thing awaiting
approval. The answer is sent once everything is on disk; the same uplink delivered again changes nothing.
"""

from collections.abc import Callable
from typing import Any

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.intake.take import Intake
from beffroi.intake.uplinks import take_uplink
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.standards.lorawan import chirpstack, ttn
from beffroi.standards.lorawan.downlink import event_of
from beffroi.standards.lorawan.uplink import Uplink
from beffroi.standards.tasking.answers import of_network
from beffroi.town import Town

__all__ = ["body_of", "routes"]

LARGEST = 1 << 20
Parse = Callable[[bytes, int, str], Uplink | None]


def check_device(who: Principal) -> None:
    """Raise `Unauthorised` without a key, `Forbidden` for a key that may not send measurements."""
    if who.role == "citizen":
        raise Unauthorised(
            Text("Il faut une clé d'appareil.", "A device key is needed."),
            Text("Créez-la : beffroi token create --role device, et envoyez « Authorization: Bearer CLÉ ».",
                 "Create it: beffroi token create --role device, and send 'Authorization: Bearer KEY'."),
            place="Authorization",
        )  # fmt: skip
    if who.role == "elu":
        raise Forbidden(
            Text("Cette clé ne peut que lire.", "This key may only read."),
            Text("Utilisez une clé d'appareil.", "Use a device key."),
            place="Authorization",
        )


async def body_of(request: Request) -> bytes:
    """Return the body of a message. Raises `Problem` (413) when it is larger than a message can be."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                raise Problem(
                    Text("Le message est trop gros.", "The message is too large."),
                    Text("Un uplink tient en 1 Mo.", "An uplink fits in 1 MB."),
                    status=413,
                )
    except ClientDisconnect as error:
        raise Problem(Text("L'envoi a été interrompu.", "The sending was cut off.")) from error
    return bytes(body)


def routes(town: Town) -> list[BaseRoute]:
    """Return the webhooks of `town`."""
    intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)

    def downlink(body: bytes, event: str) -> bool:
        """Take what the network says of a command on its way."""
        said = event_of(body, event)
        return said is not None and of_network(town.store, said, town.clock())

    def receiver(parse: Parse, network: str) -> Callable[[Request], Any]:
        async def receive(request: Request) -> Response:
            who: Principal = request.state.who
            check_device(who)
            body, event = await body_of(request), request.query_params.get("event", "up")
            uplink = parse(body, town.clock(), event)
            if uplink is None:
                known = await to_thread.run_sync(downlink, body, event)
                return JSONResponse({"stored": 0, "unchanged": 0, "ignored": not known})
            taken = await to_thread.run_sync(take_uplink, intake, uplink, who, network, town.clock())
            return JSONResponse({"stored": taken.stored, "unchanged": taken.folded})

        return receive

    return [
        Route(
            "/hooks/ttn/v3", receiver(lambda body, now, _event: ttn.parse(body, now), "ttn"), methods=["POST"]
        ),
        Route("/hooks/chirpstack/v4", receiver(chirpstack.parse, "chirpstack"), methods=["POST"]),
    ]
