"""Whose a rule is: the communes that it watches, and so who may write it; a neighbour's rule made one's own."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Problem
from beffroi.model.text import Text
from beffroi.rules.reading import read_rule
from beffroi.rules.rule import Rule
from beffroi.standards.yaml_text import read_yaml, write_yaml
from beffroi.store.open import Store
from beffroi.store.tables import datastream, thing

__all__ = ["copied", "require_scope", "scope_of", "scope_of_text"]


def scope_of(store: Store, rule: Rule) -> frozenset[str]:
    """Return the communes that a rule watches; none: the whole town (a rule of records, or of any commune)."""
    watch = rule.watch
    if watch.territory:
        return frozenset((watch.territory,))
    numbers = {*watch.datastreams, *(number for _, number in watch.series)}
    if not (numbers or watch.thing):
        return frozenset()
    query = select(thing.c.territory).where(thing.c.id == watch.thing)
    if numbers:
        query = (
            select(thing.c.territory)
            .join(datastream, datastream.c.thing_id == thing.c.id)
            .where(datastream.c.id.in_(numbers))
        )
    with store.read() as c:
        found = set(c.execute(query).scalars())
    return frozenset() if None in found else frozenset(str(code) for code in found)


def scope_of_text(store: Store, text: str) -> frozenset[str]:
    """Return the communes of a rule's text; of one that can no longer be read, none: the whole town."""
    try:
        return scope_of(store, read_rule(text))
    except Problem:
        return frozenset()


def require_scope(who: Principal, scope: frozenset[str]) -> None:
    """Raise `Forbidden` unless `who` may write rules about these communes (none: about the whole town)."""
    if not who.territories or (scope and scope <= set(who.territories)):
        return
    raise Forbidden(
        Text("Cette règle porte sur d'autres communes que la vôtre.", "This rule is about other communes than yours."),
        Text("Écrivez « territory: {code} » sous « watch ».", "Write 'territory: {code}' under 'watch'.")
        .filled(code=who.territories[0]), place="watch",
    )  # fmt: skip


def copied(store: Store, text: str, territory: str, name: str) -> str:
    """Return a rule's text made to watch the same in the commune `territory`, whose name is `name`. Raises `Problem`.

    A rule about named series watches the same kind of series there; its letters and calls go to nobody until someone
    there says to whom.
    """
    rule, (said, _lines) = read_rule(text), read_yaml(text)
    watch = rule.watch
    if watch.collection:
        raise Problem(
            Text("Cette règle porte sur des fiches de toute la ville.", "This rule is about records of the whole town."),
            Text("Elle vaut déjà pour votre commune.", "It holds for your commune already."), place="watch",
        )  # fmt: skip
    said["watch"] = {"territory": territory, **_wanted(store, rule)}
    for key in ("name", "name_en"):
        if said.get(key):
            said[key] = f"{said[key]} – {name}"
    said.pop("actions", None)
    return write_yaml(said)


def _wanted(store: Store, rule: Rule) -> Mapping[str, Any]:
    watch = rule.watch
    if watch.kind or (watch.service and not watch.datastreams):
        return {key: value for key, value in (("kind", watch.kind), ("service", watch.service)) if value}
    kinds: set[str] = set()
    if len(watch.datastreams) > 0:
        with store.read() as c:
            kinds = set(
                c.execute(select(datastream.c.kind).where(datastream.c.id.in_(watch.datastreams))).scalars()
            )
    if len(kinds) != 1 or "" in kinds:
        raise Problem(
            Text("Cette règle porte sur des capteurs précis de l'autre commune.", "This rule is about particular sensors of the other commune."),
            Text("Écrivez-la pour les vôtres : son texte se recopie.", "Write it for yours: its text can be copied."),
            place="watch",
        )  # fmt: skip
    return {"kind": kinds.pop()}
