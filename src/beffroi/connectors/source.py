"""Source: one connector of `beffroi.toml`, checked.

[[connectors]]
name = "air"
kind = "opendatasoft"            # or sensorthings, csv
url = "https://data.example.fr/api/explore/v2.1/catalog/datasets/air"
every = "PT1H"
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from beffroi.model.instant import HOUR_US, MINUTE_US, parse_duration
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.reading import Reading, Reject
from beffroi.store.record import Entry

__all__ = ["Batch", "Poll", "Source", "sources_of"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\Z")
_OWN = ("name", "kind", "url", "every")


class Source(msgspec.Struct, frozen=True):
    """A source to poll. `options` are those of its kind."""

    name: str
    kind: str
    url: str
    every_us: int = HOUR_US
    options: Mapping[str, str] = {}


class Batch(msgspec.Struct):
    """Some readings of a poll, or records by collection (what others refer to first), and the cursor to go on from
    once they are stored. `revises`: a reading that came before with another value corrects it."""

    readings: list[Reading]
    rejects: list[Reject] = []
    cursor: dict[str, Any] | None = None
    records: dict[str, list[Entry]] = {}
    revises: bool = False


Poll = Callable[[Source, dict[str, Any]], Iterator[Batch]]
"""Asks a source what is new since the cursor; raises `Problem` when it does not answer as it should."""


def _refuse(fr: str, en: str, place: str) -> Problem:
    mend = Text("Corrigez [[connectors]] dans beffroi.toml.", "Mend [[connectors]] in beffroi.toml.")
    return Problem(Text(fr, en), mend, place)


def sources_of(values: tuple[dict[str, str], ...], kinds: Mapping[str, Poll]) -> list[Source]:
    """Return the sources that the settings name. Raises `Problem` for the first that is wrong."""
    found: list[Source] = []
    for place, value in enumerate(values):
        at = f"connectors/{place}"
        name, kind, url = (str(value.get(key, "")) for key in ("name", "kind", "url"))
        if not _NAME.match(name) or name in {one.name for one in found}:
            raise _refuse(
                "Il faut un nom, unique, en minuscules.",
                "A name is needed, unique, in lower case.",
                f"{at}/name",
            )
        if kind not in kinds:
            known = ", ".join(kinds)
            raise _refuse(
                f"La sorte doit être une de : {known}.", f"The kind must be one of: {known}.", f"{at}/kind"
            )
        if not url.startswith(("http://", "https://")):
            raise _refuse(
                "L'adresse doit commencer par http(s)://.",
                "The address must start with http(s)://.",
                f"{at}/url",
            )
        every = parse_duration(str(value.get("every", "PT1H")))
        options = {key: str(text) for key, text in value.items() if key not in _OWN}
        found.append(Source(name, kind, url, max(every, MINUTE_US // 60), options))
    return found
