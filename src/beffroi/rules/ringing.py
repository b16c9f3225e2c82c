"""From a machine's transitions to alarms: one open alarm per rule and subject, raised, changed and cleared.

The subject is a thing (several series of one thing share its alarm, at the highest of their levels) or a record.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection

from beffroi.model.collection import Collection, Field
from beffroi.model.instant import PARIS, to_datetime
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound
from beffroi.model.sayings import named_after
from beffroi.model.text import LANGUAGES, Text
from beffroi.model.value import label_text, say_field
from beffroi.rules import alarms
from beffroi.rules.condition import RANKS, SEVERITIES
from beffroi.rules.machine import Transition
from beffroi.rules.rule import Rule
from beffroi.rules.watching import Catalogue, naming_for
from beffroi.rules.words import SEVERITY_WORDS, condition, fill, number_words
from beffroi.store.open import Store
from beffroi.store.record import Row
from beffroi.store.record_writer import Writer

__all__ = ["Belfry", "Ending", "Move"]


class Move(msgspec.Struct, frozen=True):
    """A transition of one part of a rule. `series`: the datastream it came from, None for records and ticks."""

    at_us: int
    rule_id: int
    subject: str
    key: int
    made: Transition


class Ending(msgspec.Struct, frozen=True):
    """An alarm to end for another reason than its condition: rule switched off, series gone."""

    at_us: int
    rule_id: int
    subject: str
    reason: str


class Standing(msgspec.Struct):
    """Where the alarm of one rule and subject stands: each part's level, the open alarm if there is one."""

    levels: dict[int, int] = {}
    alarm_id: int | None = None

    @property
    def level(self) -> int:
        """The highest level of the parts."""
        return max(self.levels.values(), default=0)


class Belfry:
    """The standings of all rules. Its changes are true once the transaction they are written in is."""

    def __init__(self, store: Store, titles: Callable[[], Mapping[str, Text]] = dict) -> None:
        self.store = store
        self.titles = titles
        self.standings: dict[tuple[int, str], Standing] = {}
        for row in alarms.open_alarms(store):
            self.at(row.values["rule"], row.values["subject"]).alarm_id = row.id

    def at(self, rule_id: int, subject: str) -> Standing:
        """Return a standing, made when missing."""
        return self.standings.setdefault((rule_id, subject), Standing())

    def open_subjects(self, rule_id: int) -> list[str]:
        """Return the subjects with an open alarm of a rule."""
        return [
            s
            for (rule, s), standing in self.standings.items()
            if rule == rule_id and standing.alarm_id is not None
        ]

    def rules_with_open_alarms(self) -> set[int]:
        """Return the rules that have an open alarm."""
        return {rule for (rule, _), standing in self.standings.items() if standing.alarm_id is not None}

    def follow(self, row: Row) -> int | None:
        """Take note of an alarm that a person changed; return its level when it is open."""
        standing = self.at(row.values["rule"], row.values["subject"])
        if row.values["state"] in alarms.OPEN:
            standing.alarm_id = row.id
            return standing.level
        if standing.alarm_id == row.id:
            standing.alarm_id = None
        return None

    def ring(self, c: Connection, writer: Writer, move: Move, rule: Rule, catalogue: Catalogue) -> None:
        """Bring the alarm of a subject to where its rule is after a move."""
        standing = self.at(move.rule_id, move.subject)
        before = standing.level
        standing.levels[move.key] = move.made.after
        after = standing.level
        if after == before:
            return
        if standing.alarm_id is None:
            if after > before:
                standing.alarm_id = self._raise(c, writer, move, rule, catalogue, after)
        elif after:
            self._change(c, writer, standing.alarm_id, move, rule, catalogue, after)
        else:
            self._clear(c, writer, standing.alarm_id, move.at_us, move.made)
            standing.alarm_id = None

    def end(self, c: Connection, writer: Writer, ending: Ending) -> None:
        """End an alarm for a reason of its own."""
        standing = self.at(ending.rule_id, ending.subject)
        if standing.alarm_id is not None:
            self._clear(c, writer, standing.alarm_id, ending.at_us, None, ending.reason)
        del self.standings[ending.rule_id, ending.subject]

    def _raise(
        self, c: Connection, writer: Writer, move: Move, rule: Rule, catalogue: Catalogue, level: int
    ) -> int:
        told = self._told(move, rule, catalogue, level)
        made = move.made
        began = min(move.at_us, made.began_us) if made.began_us is not None else move.at_us
        values = {
            **told.values, "severity": SEVERITIES[level], "worst": SEVERITIES[level], "state": "active",
            "rule": move.rule_id, "subject": move.subject, "began_at": began,
            "raised_at": move.at_us, "value": made.value, "peak": made.peak,
        }  # fmt: skip
        row = writer.create("alarm", values, territory=told.territory)
        alarms.queue_actions(self.store, c, row, "raise", move.at_us)
        return row.id

    def _change(self, c: Connection, writer: Writer, alarm_id: int, move: Move, rule: Rule, catalogue: Catalogue,
                level: int) -> None:  # fmt: skip
        """Change the severity; getting worse is told like a new alarm, and asks for a person again."""
        row = self.store.records.get("alarm", alarm_id, c=c)
        worse = level > RANKS[row.values["worst"]]
        values: dict[str, Any] = {
            "severity": SEVERITIES[level],
            "value": move.made.value,
            "peak": move.made.peak,
        }
        if worse:
            told = self._told(move, rule, catalogue, level).values
            values.update(
                worst=SEVERITIES[level],
                state="active",
                message=told["message"],
                message_en=told["message_en"],
            )
        row = writer.change("alarm", alarm_id, values)
        if worse:
            alarms.queue_actions(self.store, c, row, "raise", move.at_us)

    def _clear(
        self,
        c: Connection,
        writer: Writer,
        alarm_id: int,
        at_us: int,
        made: Transition | None,
        reason: str = "",
    ) -> None:
        row = self.store.records.get("alarm", alarm_id, c=c)
        if row.values["state"] not in alarms.OPEN:
            return
        seen = row.values["state"] == "acknowledged"
        values: dict[str, Any] = {
            "state": "cleared" if seen else "cleared_unacknowledged",
            "cleared_at": max(at_us, row.values["raised_at"]),
        }
        if made is not None:
            values.update(value=made.value, peak=made.peak)
        if reason:
            with self.store.records.writer(SYSTEM, reason, None, c) as told:
                row = told.change("alarm", alarm_id, values)
        else:
            row = writer.change("alarm", alarm_id, values)
        alarms.queue_actions(self.store, c, row, "clear", at_us)

    def _told(self, move: Move, rule: Rule, catalogue: Catalogue, level: int) -> "_Told":
        """Return what an alarm says of its subject."""
        if move.subject.startswith("record:"):
            return self._told_of_record(move, rule, level)
        number = move.key or next((n for _, n in rule.watch.series), 0)
        series = catalogue.get(number)
        titles = self.titles()
        naming = naming_for(rule, catalogue, titles, only=number)
        words, known = condition(rule, naming, level), dict[str, object]()
        if series is not None:
            name = named_after(series.name, titles.get(series.kind, Text(series.name, series.name)))
            known.update(thing=series.thing, series=name, unit=series.unit, territory=series.territory or "")
        told = {
            **self._said(rule, move, level, words, known), "datastream_id": number or None, "thing_id": series.thing_id if series else None,
            "unit": series.unit if series else None, "public": series.public if series else False,
        }  # fmt: skip
        return _Told(told, series.territory if series else None)

    def _told_of_record(self, move: Move, rule: Rule, level: int) -> "_Told":
        name = rule.watch.collection
        collection = self.store.records.shelf(name).collection
        try:
            row = self.store.records.get(name, move.key, deleted=None)
        except NotFound:
            return _Told({"message": rule.name, "message_en": rule.name_en or None, "public": False}, None)
        known = {"id": Text(str(row.id), str(row.id)), **self._read(collection, row)}
        label = known.get(collection.label, Text(f"n° {move.key}", f"no. {move.key}"))
        words = Text(f"{collection.title.fr} : {label.fr}", f"{collection.title.en}: {label.en}")
        said = self._said(rule, move, level, words, known)
        public = collection.read == "citizen" and not rule.message
        return _Told({**said, "public": public}, row.territory)

    def _read(self, collection: Collection, row: Row) -> dict[str, Text]:
        """Return what the fields of a record that are not personal say: choices by their words, references by labels."""
        said = {}
        for field in collection.fields:
            value = row.values.get(field.name)
            if value is None or field.personal:
                continue
            if field.reference and field.reference in self.store.records.collections:
                said[field.name] = self._label(field.reference, value)
            elif isinstance(value, bool):
                said[field.name] = Text("oui", "yes") if value else Text("non", "no")
            elif isinstance(value, float):
                said[field.name] = Text(number_words(value), number_words(value, "en"))
            else:
                said[field.name] = self._words(collection, field, row)
        return said

    def _words(self, collection: Collection, field: Field, row: Row) -> Text:
        """Return a choice by its title, a text in both languages when it is the platform's own, others as written."""
        value = row.values[field.name]
        if field.choices or field.kind != "text":
            return Text(field.title_of(value, "fr"), field.title_of(value, "en"))
        return Text(*(say_field(collection, row.values, field.name, language) for language in LANGUAGES))

    def _label(self, name: str, record_id: int) -> Text:
        number = Text(str(record_id), str(record_id))
        try:
            row = self.store.records.get(name, record_id, deleted=None)
        except NotFound:
            return number
        said = label_text(self.store.records.collections[name], row.values)
        return said if said.fr else number

    def _said(
        self, rule: Rule, move: Move, level: int, words: Text, known: Mapping[str, object]
    ) -> dict[str, str | None]:
        """Return the alarm's message in the town's language, and in English when that is known."""
        at = to_datetime(move.at_us).astimezone(PARIS).strftime("%d/%m/%Y %H:%M")

        def filled(template: str, name: str, language: str) -> str:
            made = {} if move.subject.startswith("record:") else {
                "value": number_words(move.made.value, language), "peak": number_words(move.made.peak, language),
            }  # fmt: skip
            read = {key: one.of(language) if isinstance(one, Text) else one for key, one in known.items()}
            severity = SEVERITY_WORDS[SEVERITIES[level]].of(language)
            return fill(template, {**made, **read, "rule": name, "severity": severity, "at": at})

        english = filled(rule.message_en, rule.name_en or rule.name, "en") if rule.message_en else None
        if not rule.message:
            english = english or words.en
        own = (
            filled(rule.message, rule.name, "fr") if rule.message else words.of(self.store.settings.language)
        )
        return {"message": own[:500], "message_en": english[:500] if english else None}


class _Told(msgspec.Struct, frozen=True):
    values: dict[str, Any]
    territory: str | None
