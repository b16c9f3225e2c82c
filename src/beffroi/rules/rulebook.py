"""The rules of a town, kept as records: add, change, switch on and off, remove."""

from collections.abc import Mapping
from typing import Any

from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.rules.condition import SEVERITIES, ranks_of
from beffroi.rules.reading import read_rule
from beffroi.rules.rule import Rule
from beffroi.rules.scope import copied, require_scope, scope_of, scope_of_text
from beffroi.rules.watching import Series, naming_for, read_series, watched
from beffroi.rules.words import sentence
from beffroi.store.open import Store
from beffroi.store.record import Query, Row

__all__ = [
    "add",
    "change",
    "check",
    "copy",
    "delete",
    "find",
    "in_words",
    "may_author",
    "numbers_of",
    "require_author",
    "rules",
    "said",
    "switch",
]


def may_author(who: Principal) -> bool:
    """True when `who` may write rules (see `require_author`)."""
    return who.role in ("responsable", "admin")


def require_author(who: Principal) -> None:
    """Raise `Unauthorised` or `Forbidden` unless `who` may write rules (a manager); of which communes: `scope`."""
    if who.id == "anonymous":
        raise Unauthorised(Text("Il faut se connecter.", "You need to sign in."),
                           Text("Connectez-vous, puis recommencez.", "Sign in, then try again."))  # fmt: skip
    if not may_author(who):
        raise Forbidden(Text("Seuls les responsables écrivent les règles.", "Only managers write rules."),
                        Text("Demandez à votre responsable.", "Ask your manager."))  # fmt: skip


def rules(store: Store, *, enabled: bool | None = None) -> list[Row]:
    """Return the rules, all of them or those that are on (off), by name."""
    where: dict[str, Any] = {} if enabled is None else {"enabled": enabled}
    return list(store.records.all("rule", Query(where=where, sort="name", limit=1000)))


def find(store: Store, wanted: str) -> Row:
    """Return the rule with this id or this name. Raises `NotFound`, or `Problem` when a name is borne twice."""
    if wanted.isdigit():
        return store.records.get("rule", int(wanted))
    found = store.records.find("rule", Query(where={"name": wanted}, limit=2)).rows
    if len(found) == 1:
        return found[0]
    raise Problem(
        Text("Aucune règle, ou plusieurs, ne portent ce nom.", "No rule, or several, have this name."),
        Text("Donnez son numéro : beffroi rule list.", "Give its number: beffroi rule list."),
        status=404,
    )


def numbers_of(rule: Rule, catalogue: Mapping[int, Series]) -> list[int]:
    """Return the ids of the datastreams that a rule watches now."""
    return watched(rule.watch, catalogue)


def check(store: Store, rule: Rule) -> None:
    """Refuse a rule about series or a collection that do not exist. Raises `Problem`."""
    wanted = {*rule.watch.datastreams, *(i for _, i in rule.watch.series)}
    if wanted:
        with store.read() as c:
            known = read_series(c, wanted)
        missing = sorted(wanted - set(watched(rule.watch, known)))
        if missing:
            raise Problem(
                Text(f"Il n'y a pas de série n° {missing[0]}.", f"There is no datastream {missing[0]}."),
                Text(
                    "La page Capteurs montre les numéros des séries.", "The Sensors page shows their numbers."
                ),
                "watch",
            )
    if rule.watch.collection:
        store.records.shelf(rule.watch.collection)


def add(store: Store, text: str, who: Principal, *, enabled: bool, origin: str | None = None) -> Row:
    """Add the rule that `text` says. Raises `Problem` with line and field."""
    rule = read_rule(text)
    check(store, rule)
    require_scope(who, scope_of(store, rule))
    values = {
        "name": rule.name,
        "name_en": rule.name_en or None,
        "yaml": text,
        "severity": _worst(rule),
        "origin": origin,
        **_state(store, enabled),
    }
    return store.records.put("rule", values, who=who, reason="Nouvelle règle")


def change(store: Store, rule_id: int, text: str, who: Principal, version: int | None = None) -> Row:
    """Replace a rule's text; what it watches starts afresh when its conditions changed. Raises `Problem`."""
    rule = read_rule(text)
    check(store, rule)
    row = store.records.get("rule", rule_id)
    _require_own(store, who, row)
    require_scope(who, scope_of(store, rule))
    named = {"name": rule.name, "name_en": rule.name_en or None}
    values: dict[str, Any] = {**named, "yaml": text, "severity": _worst(rule)}
    if row.values["enabled"] and read_rule(row.values["yaml"]).fingerprint != rule.fingerprint:
        values["from_seq"] = store.observations.head()
    return store.records.put("rule", values, id=rule_id, version=version, who=who, reason="Règle modifiée")


def switch(store: Store, rule_id: int, who: Principal, *, enabled: bool) -> Row:
    """Switch a rule on or off; off ends its open alarms."""
    row = store.records.get("rule", rule_id)
    _require_own(store, who, row)
    if bool(row.values["enabled"]) == enabled:
        return row
    reason = "Mise en service" if enabled else "Mise hors service"
    return store.records.put("rule", _state(store, enabled), id=rule_id, who=who, reason=reason)


def turn(store: Store, rule_id: int, who: Principal, *, enabled: bool) -> bool:
    """Switch a rule on or off; return whether it was the other way. A rule that was deleted since is no matter."""
    try:
        before = store.records.get("rule", rule_id)
        if bool(before.values["enabled"]) == enabled:
            return False
        switch(store, rule_id, who, enabled=enabled)
    except NotFound:
        return False
    return True


def copy(store: Store, rule_id: int, territory: str, name: str, who: Principal) -> Row:
    """Add a rule that watches in the commune `territory`, whose name is `name`, what another watches; not switched on.

    Raises `Problem` when it cannot be said of another commune, `Forbidden` when `who` does not write rules there.
    """
    text = copied(store, store.records.get("rule", rule_id).values["yaml"], territory, name)
    row = add(store, text, who, enabled=False)
    with store.write() as c:
        detail = {"from": rule_id, "territory": territory}
        store.audit.note(c, who, "rule.copy", f"rule/{row.id}", detail)
    return row


def _require_own(store: Store, who: Principal, row: Row) -> None:
    """Raise `Forbidden` unless a rule is about the communes of `who` only."""
    if who.territories:
        require_scope(who, scope_of_text(store, row.values["yaml"]))


def delete(store: Store, rule_id: int, who: Principal) -> Row:
    """Remove a rule; its alarms stay in history, the open ones end."""
    _require_own(store, who, store.records.get("rule", rule_id))
    return store.records.delete("rule", rule_id, who=who, reason="Règle supprimée")


def _worst(rule: Rule) -> str:
    """Return the highest severity that a rule can raise."""
    return SEVERITIES[ranks_of(rule.when)[-1]]


def _state(store: Store, enabled: bool) -> dict[str, Any]:
    """Return the fields of a rule that is switched on now: it judges what comes after this place of the bus."""
    if not enabled:
        return {"enabled": False}
    return {"enabled": True, "enabled_at": store.clock(), "from_seq": store.observations.head()}


def said(
    store: Store,
    row: Row,
    titles: Mapping[str, Text] | None = None,
    known: Mapping[int, Series] | None = None,
) -> Text:
    """Return the rule in one sentence; of one that can no longer be read, why. `known`: the catalogue, if read already."""
    try:
        rule = read_rule(row.values["yaml"])
    except Problem as problem:
        return problem.reason
    return in_words(store, rule, titles, known)


def in_words(
    store: Store,
    rule: Rule,
    titles: Mapping[str, Text] | None = None,
    known: Mapping[int, Series] | None = None,
) -> Text:
    """Return a rule in one sentence, its series called by their names."""
    watch = rule.watch
    if known is None:
        explicit = {*watch.datastreams, *(i for _, i in watch.series)}
        with store.read() as c:
            known = read_series(c, None if watch.wide else explicit)
    told = {**_titles(store, watch.collection), **(titles or {})} if watch.collection else titles
    return sentence(rule, naming_for(rule, known, told))


def _titles(store: Store, name: str) -> dict[str, Text]:
    """Return what people call a collection, its fields and their choices."""
    collection = store.records.collections.get(name)
    if collection is None:
        return {}
    titles = {name: collection.title}
    for field in collection.fields:
        titles[f"{name}.{field.name}"] = field.title
        titles.update({f"{name}.{field.name}={one.value}": one.title for one in field.choices})
    return titles
