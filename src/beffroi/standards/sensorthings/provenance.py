"""Provenance of an Observation, `Observations(1)/Provenance`: from the message that arrived to the value that is shown."""

from typing import Any

from beffroi.model.instant import format_instant
from beffroi.model.observation import Quality
from beffroi.model.principal import Principal
from beffroi.standards.sensorthings.address import read_path
from beffroi.standards.sensorthings.reading import Reader
from beffroi.standards.sensorthings.sight import sight_of
from beffroi.store.open import Store
from beffroi.store.provenance import Arrival

__all__ = ["provenance_of"]

_OURS = (
    "key",
    "name",
    "client",
    "gateways",
    "radio",
    "counter",
    "by",
    "note",
)  # of people and networks: for the town's own people


def provenance_of(store: Store, who: Principal, observation_id: int, base: str = "") -> dict[str, Any]:
    """Return where an observation came from, as far as `who` may know. Raises `NotFound`.

    "kind" is lorawan, file, connector, hand, http or mqtt, or null when it is not known (any more).
    """
    with store.read() as c:
        Reader(store, c, base, sight_of(who), store.clock()).find(
            read_path(f"Observations({observation_id})")
        )
    found = store.observations.get(observation_id)
    arrival = store.provenance.of(observation_id)
    shown: dict[str, Any] = {"Observation@iot.navigationLink": f"{base}/Observations({observation_id})"}
    shown |= {"kind": None} if arrival is None else _told(arrival, observation_id, staff=who.staff)
    if found is not None:
        shown["flag"] = Quality(found.quality).name.lower()
        shown["corrected"] = found.seq != found.id
    return shown


def _told(arrival: Arrival, observation_id: int, *, staff: bool) -> dict[str, Any]:
    told = {k: v for k, v in arrival.told.items() if staff or k not in _OURS}
    lines = told.pop("lines", None)
    if lines:
        first, line = max((pair for pair in lines if pair[0] <= observation_id), default=lines[0])
        told["line"] = line + observation_id - first
    shown = {"kind": arrival.kind, "takenAt": format_instant(arrival.at_us), **told}
    if staff and arrival.payload is not None:
        shown["payload"] = arrival.payload
    return shown
