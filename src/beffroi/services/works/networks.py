"""The networks that works may meet: which collections hold them, their colour on a plan, and whether they are sensitive.

Colours are those of NF P98-332. Sensitive is meant as in R554-2 of the environment code: electricity (public lighting is low
voltage), gas and heat are; water, sewers and telecommunications are not.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from beffroi.model.collection import OWN, Collection, Network
from beffroi.model.text import Text
from beffroi.town import Town

__all__ = ["NETWORKS", "Kind", "looked_at", "network_of"]


class Kind(msgspec.Struct, frozen=True):
    """A kind of network: its title, its colour on a plan, whether it is sensitive, and how files name it."""

    title: Text
    colour: str
    sensitive: bool
    words: str = ""


NETWORKS: Mapping[Network, Kind] = {
    "lighting": Kind(Text("Éclairage public", "Public lighting"), "#b3261e", True, r"eclairage|luminaire|candelabre|lampadaire"),
    "electricity": Kind(Text("Électricité", "Electricity"), "#b3261e", True, r"electri\w*|hta|bt|cable_enterre"),
    "gas": Kind(Text("Gaz", "Gas"), "#8f6a00", True, r"gaz"),
    "heat": Kind(Text("Chaleur et froid", "Heat and cold"), "#6a3d9a", True, r"chaleur|chauffage|froid"),
    "telecom": Kind(Text("Télécommunications", "Telecommunications"), "#1b7837", False, r"telecom\w*|fibre|fourreaux?|ftth"),
    "water": Kind(Text("Eau potable", "Drinking water"), "#1457a8", False, r"aep|eau_potable|adduction"),
    "sewer": Kind(
        Text("Assainissement et eaux pluviales", "Sewers and rain water"), "#7a4b1e", False,
        r"ass|assainissement|eaux_usees|eaux_pluviales|pluvial\w*|egouts?|collecteurs?|unitaire",
    ),
}  # fmt: skip
_ORDER = tuple(NETWORKS)
_WORDS = {name: re.compile(rf"(?:^|_)(?:{kind.words})(?:_|$)") for name, kind in NETWORKS.items()}


def network_of(collection: Collection) -> Network:
    """Return the network that a collection holds, "" for none.

    A service declares it. A collection that the town made of a file is known by its name, which is the file's or the layer's
    (`ass_canalisation` of StaR-Eau, `reseau_gaz`).
    """
    if collection.network or collection.service != OWN or collection.geometry in ("none", "polygon"):
        return collection.network
    return next((name for name, words in _WORDS.items() if words.search(collection.name)), "")


def looked_at(town: Town) -> Iterator[Collection]:
    """Yield the town's collections that hold networks, network by network."""
    found = [(network_of(c), c) for c in town.store.records.collections.values()]
    for _, collection in sorted((_ORDER.index(n), i) for i, (n, _) in enumerate(found) if n):
        yield found[collection][1]
