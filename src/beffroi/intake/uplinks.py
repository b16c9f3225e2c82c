"""Uplinks in: from what a network server hands on to observations, with the trace that leads back to the message."""

from typing import Any

from beffroi import __version__
from beffroi.intake.identify import Entrance
from beffroi.intake.take import Intake, Taken
from beffroi.model.instant import format_instant
from beffroi.model.principal import Principal
from beffroi.standards.lorawan.uplink import Uplink, readings_of
from beffroi.standards.tasking.answers import answered_by_uplink

__all__ = ["take_uplink", "told_of"]

LARGEST_PAYLOAD = 10_000  # characters of a message that are kept with its provenance


def take_uplink(intake: Intake, uplink: Uplink, who: Principal, network: str, now_us: int) -> Taken:
    """Store an uplink and where it came from; all is on disk when this returns. Raises `Problem`, `Unavailable`."""
    territory = who.territories[0] if len(who.territories) == 1 else None
    door = Entrance(approved=False, territory=territory)
    drafts = intake.drafts(readings_of(uplink, now_us), door=door)
    ack = intake.store.observations.append(drafts)
    told, payload = told_of(uplink, who, network, now_us), uplink.payload[:LARGEST_PAYLOAD]
    intake.store.provenance.note("lorawan", told, ack.ids, payload)
    if ack.folded:
        keys = [
            draft.source_key
            for draft, number in zip(drafts, ack.ids, strict=True)
            if number is None and draft.source_key
        ]
        intake.store.provenance.note_keys("lorawan", told, keys, payload)
    answered_by_uplink(intake.store, uplink, now_us)
    return Taken(ack.ids, [draft.datastream_id for draft in drafts], ack.stored, ack.folded)


def told_of(uplink: Uplink, who: Principal, network: str, now_us: int) -> dict[str, Any]:
    """Return what is kept of an uplink beside its values: device, gateways, radio, decoder."""
    told: dict[str, Any] = {
        "network": network, "device": uplink.eui, "application": uplink.application, "counter": uplink.counter,
        "receivedAt": format_instant(uplink.time_us), "takenAt": format_instant(now_us),
        "decoder": {"name": uplink.decoder or network, "profile": uplink.model, "reader": f"beffroi {__version__}"},
        "gateways": [{k: v for k, v in (("id", g.id), ("rssi", g.rssi), ("snr", g.snr)) if v is not None} for g in uplink.gateways],
        "radio": dict(uplink.radio), "key": who.id, "name": who.name,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value not in ("", [], {})}
