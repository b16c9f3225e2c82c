"""Which series a rule watches: the catalogue as rules need it."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, select

from beffroi.model.sayings import named_after
from beffroi.model.text import LANGUAGES, Text
from beffroi.rules.rule import Rule, Watch
from beffroi.rules.words import Naming
from beffroi.store.tables import datastream, thing

Catalogue = Mapping[int, "Series"]
__all__ = ["Catalogue", "Series", "naming_for", "read_series", "watched"]


class Series(msgspec.Struct, frozen=True):
    """A datastream and the thing it belongs to."""

    id: int
    name: str
    unit: str
    kind: str
    thing_id: int
    thing: str
    service: str
    territory: str | None
    public: bool
    approved: bool


def read_series(c: Connection, ids: Iterable[int] | None = None) -> dict[int, Series]:
    """Return the datastreams with `ids` (None: all of them), by id."""
    d, t = datastream.c, thing.c
    wanted = select(
        d.id,
        d.name,
        d.unit_symbol,
        d.kind,
        t.id,
        t.name,
        t.service,
        t.territory,
        d.public,
        t.public,
        t.approved,
    ).join_from(datastream, thing, d.thing_id == t.id)
    if ids is not None:
        wanted = wanted.where(d.id.in_(list(ids)))
    return {
        row[0]: Series(row[0], row[1], row[2] or "", row[3], row[4], row[5], row[6], row[7], bool(row[8] and row[9]), bool(row[10]))
        for row in c.execute(wanted)
    }  # fmt: skip


def watched(watch: Watch, catalogue: Mapping[int, Series]) -> list[int]:
    """Return the ids of the datastreams that come under `watch`, those that exist."""
    if watch.datastreams:
        return [i for i in watch.datastreams if i in catalogue]
    if watch.series:
        return [i for _, i in watch.series if i in catalogue]
    if watch.collection:
        return []
    return sorted(
        s.id for s in catalogue.values()
        if s.approved
        and (not watch.kind or s.kind == watch.kind)
        and (watch.thing is None or s.thing_id == watch.thing)
        and (not watch.service or s.service == watch.service)
        and (not watch.territory or s.territory == watch.territory)
    )  # fmt: skip


def naming_for(rule: Rule, catalogue: Mapping[int, Series], titles: Mapping[str, Text] | None = None,
               only: int | None = None) -> Naming:  # fmt: skip
    """Return how to call the series of `rule` in words; `only` names the one series meant by "value".

    `titles` are those of collections (`COLLECTION`, `COLLECTION.FIELD`, `COLLECTION.FIELD=CHOICE`), of kinds of
    datastream, and of services (`service:NAME`).
    """
    named, known = dict(rule.watch.series), titles or {}

    def naming(name: str) -> tuple[Text, str]:
        if name == "record" or name.startswith("record."):
            said = name.replace("record", rule.watch.collection, 1)
            bare = said.rpartition("=" if "=" in said else ".")[2]
            return known.get(said, Text(bare, bare)), ""
        number = named.get(name, only)
        if number is None and len(rule.watch.datastreams) == 1:
            number = rule.watch.datastreams[0]
        if number is not None and number in catalogue:
            series = catalogue[number]
            called = named_after(series.name, known.get(series.kind, Text(series.name, series.name)))
            if series.thing not in series.name:
                called = Text(*(f"{called.of(language)} ({series.thing})" for language in LANGUAGES))
            return called, series.unit
        return _several(rule.watch, catalogue, known)

    return naming


def _several(watch: Watch, catalogue: Mapping[int, Series], titles: Mapping[str, Text]) -> tuple[Text, str]:
    units = {catalogue[i].unit for i in watched(watch, catalogue)}
    unit = units.pop() if len(units) == 1 else ""
    if watch.datastreams:
        names = [catalogue[i].name if i in catalogue else f"n° {i}" for i in watch.datastreams]
        return Text(f"l'une des séries {', '.join(names)}", f"one of the series {', '.join(names)}"), unit
    kind = (
        titles.get(watch.kind, Text(watch.kind, watch.kind))
        if watch.kind
        else Text("une mesure", "a measure")
    )
    fr, en = kind.fr, kind.en
    if watch.thing is not None:
        name = next((s.thing for s in catalogue.values() if s.thing_id == watch.thing), f"n° {watch.thing}")
        fr, en = f"{fr} de {name}", f"{en} of {name}"
    if watch.service:
        service = titles.get(f"service:{watch.service}", Text(watch.service, watch.service))
        fr, en = f"{fr} du service {service.fr}", f"{en} of service {service.en}"
    if watch.territory:
        fr, en = f"{fr} du territoire {watch.territory}", f"{en} of territory {watch.territory}"
    return Text(fr, en), unit
