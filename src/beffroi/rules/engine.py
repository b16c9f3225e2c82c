"""The engine: rules at work on the store's commit bus.

One engine runs in an installation, in its keeper. It reads observations and changes of records in commit
order, lets each rule's state machine judge them, and writes alarms, their actions and the machines' states
in one transaction: whatever happened since the last one is done again from the kept states, so nothing is
lost and nothing doubled. Each state keeps the commit number it has taken in; older ones are skipped.

Time: an observation's own time drives the rule. When nothing arrives, the clock does, less the `lag` of a
series: one whose observations are more than an hour old when they arrive is history being replayed, and its
durations ripen by the times of what follows, not by the clock on our wall. What claims to be more than a day
ahead of the clock is not judged.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select, text

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Clock
from beffroi.model.observation import Observation
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.rules.backtest import moment_of, number_of_observation
from beffroi.rules.condition import NEVER, Silent, leaves
from beffroi.rules.machine import Machine, Part, Transition
from beffroi.rules.reading import read_rule
from beffroi.rules.ringing import Belfry, Ending, Move
from beffroi.rules.rule import Rule
from beffroi.rules.rulebook import rules
from beffroi.rules.watching import Catalogue, read_series, watched
from beffroi.store import catalogue
from beffroi.store.open import Store
from beffroi.store.record import Change, News, Row
from beffroi.store.tables import cursor

__all__ = ["Engine"]

log = logging.getLogger("beffroi.rules")
LIVE_US = HOUR_US
AHEAD_US = DAY_US
CHECKPOINT_US = 5 * SECOND_US
REFRESH_US = 30 * SECOND_US
GRACE_US = (
    2 * MINUTE_US
)  # after a start, what was sent while Beffroi was down has that long to arrive before silence is said
BATCH = 5_000
MOVES = 50  # written in one transaction, so that importing a stormy past never keeps other writers waiting
TOGETHER = 0  # the key of the one state of a rule that judges several series together
OBSERVED, RECORDED = "bus.rules", "bus.rules.records"
_UPSERT = text(
    "INSERT INTO cursor (name, position) VALUES (:name, :position)"
    " ON CONFLICT (name) DO UPDATE SET position = excluded.position"
)
_SETTING = text(
    "INSERT INTO setting (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
Place = tuple[int, int]
"""A rule's id and the key of one of its states: a datastream, a record, or `TOGETHER`."""


class Kept(msgspec.Struct, array_like=True):
    """A machine's state on disk: the fingerprint of the rule that it belongs to, its subject, the state."""

    fingerprint: str
    subject: str
    part: Part


class Running:
    """A rule that is on: its machine, and the states of what it watches."""

    def __init__(self, row: Row, rule: Rule) -> None:
        self.id = row.id
        self.rule = rule
        self.machine: Machine = rule.machine()
        self.from_seq = int(row.values["from_seq"] or 0)
        self.enabled_us = int(row.values["enabled_at"] or 0)
        self.listens_for_silence = any(isinstance(leaf, Silent) for leaf in leaves(rule.when))
        self.parts: dict[int, Part] = {}
        self.subjects: dict[int, str] = {}

    def level(self, subject: str) -> int:
        """Return the highest level among the parts of one subject."""
        return max((p.level for key, p in self.parts.items() if self.subjects[key] == subject), default=0)


class Engine:
    """See the module. `step` is called again and again by one thread."""

    def __init__(
        self, store: Store, clock: Clock | None = None, titles: Callable[[], Mapping[str, Text]] = dict
    ) -> None:
        self.store = store
        self.titles = titles  # of kinds of datastream, for what alarms say
        self.clock = clock or store.clock
        self._encoder = msgspec.json.Encoder()
        self.load()

    # --- loading

    def load(self) -> None:
        """Take up where the last checkpoint left off."""
        self.running: dict[int, Running] = {}
        self.catalogue: Catalogue = {}
        self._listeners: dict[int, list[tuple[Running, int, str]]] = {}
        self._dirty: set[Place] = set()
        self._gone: set[Place] = set()
        self._moves: list[Move] = []
        self._endings: list[Ending] = []
        self._version = -1
        self._checked_us = self._loaded_us = self.clock()
        self.observed = int(self.store.setting(OBSERVED, -1))
        self.recorded = int(self.store.setting(RECORDED, 0))
        self._saved = (self.observed, self.recorded)
        self.belfry = Belfry(self.store, self.titles)
        self._read_catalogue()
        rows = rules(self.store, enabled=True)
        if self.observed < 0:
            starts = [int(row.values["from_seq"] or 0) for row in rows]
            self.observed = min(starts, default=self.store.observations.head())
        kept = self._kept()
        for row in rows:
            self._start(row, kept)
        for rule_id in self.belfry.rules_with_open_alarms() - {row.id for row in rows}:
            self._end_all(rule_id, "Règle mise hors service")

    def _kept(self) -> dict[Place, Kept]:
        with self.store.read() as c:
            found = c.execute(select(cursor).where(cursor.c.name.like("rule/%"))).all()
        states = {}
        for name, position in found:
            _, rule_id, key = name.split("/")
            states[int(rule_id), int(key)] = msgspec.json.decode(position, type=Kept)
        return states

    def _read_catalogue(self) -> bool:
        """Read the datastreams again when they changed; True when they did."""
        self._refreshed_us = self.clock()
        with self.store.read() as c:
            version = catalogue.version(c)
            if version == self._version:
                return False
            self._version, self.catalogue = version, read_series(c)
        return True

    def _start(self, row: Row, kept: dict[Place, Kept]) -> None:
        """Put a rule to work, with its kept states when they are of the same conditions."""
        try:
            running = Running(row, read_rule(row.values["yaml"]))
        except Problem as problem:
            log.warning("rule %s cannot be read and does not run: %s", row.id, problem.reason.en)
            return
        self.running[row.id] = running
        known = self._watched(running)
        for (rule_id, key), state in kept.items():
            if rule_id != row.id:
                continue
            if state.fingerprint == running.rule.fingerprint and (known is None or key in known):
                running.parts[key], running.subjects[key] = state.part, state.subject
                self.belfry.at(row.id, state.subject).levels[key] = state.part.level
            else:
                self._gone.add((rule_id, key))
        self._watch(running, self.observed if running.parts else running.from_seq)
        for subject in self.belfry.open_subjects(row.id):
            if not running.level(subject):
                self._endings.append(Ending(self.clock(), row.id, subject, "La condition n'est plus vraie"))

    def _watched(self, running: Running) -> dict[int, list[tuple[int, str]]] | None:
        """Return, by key of state, the (datastream, name) it is made of; None for records, which are never listed."""
        watch = running.rule.watch
        if watch.collection:
            return None
        if watch.series:
            return {TOGETHER: [(number, name) for name, number in watch.series]}
        return {number: [(number, "value")] for number in watched(watch, self.catalogue)}

    def _watch(self, running: Running, since: int) -> None:
        """Listen to the series of a rule, making the states that are missing as they were at place `since` of the bus."""
        entries = self._watched(running) or {}
        for key, names in entries.items():
            for number, name in names:
                listeners = self._listeners.setdefault(number, [])
                if (running, key, name) not in listeners:
                    listeners.append((running, key, name))
        missing = {key: names for key, names in entries.items() if key not in running.parts}
        if missing:
            newest = self._newest_before({number for names in missing.values() for number, _ in names}, since)
            for key, names in missing.items():
                self._begin(running, key, names, newest, since)
            self._catch_up(running, missing, since)

    def _begin(
        self,
        running: Running,
        key: int,
        names: list[tuple[int, str]],
        newest: dict[int, Observation],
        since: int,
    ) -> None:
        """Make a state from what was newest when the rule was switched on."""
        now = self.clock()
        known = sorted(
            ((newest[number], name) for number, name in names if number in newest),
            key=lambda k: (moment_of(k[0]), k[0].id),
        )
        start = min([running.enabled_us, *(moment_of(o) for o, _ in known)])
        running.parts[key] = part = running.machine.fresh(start)
        series = self.catalogue.get(names[0][0])
        running.subjects[key] = f"thing:{series.thing_id}" if series else f"datastream:{names[0][0]}"
        for observation, name in known:
            self._judge(running, key, name, observation, now, first=True)
        part.seq = max(part.seq, since)
        self._dirty.add((running.id, key))

    def _newest_before(self, numbers: Iterable[int], seq: int) -> dict[int, Observation]:
        """Return each series' newest observation among those committed up to `seq`."""
        found = {}
        for number, newest in self.store.observations.last(numbers).items():
            if newest.id <= seq:
                found[number] = newest
                continue
            recent = self.store.observations.series(number, limit=1000, newest_first=True)
            before = next((o for o in recent if o.seq <= seq), None)
            if before is not None:
                found[number] = before
        return found

    def _catch_up(self, running: Running, entries: dict[int, list[tuple[int, str]]], since: int) -> None:
        """Judge what was committed between the switching on of a rule and the engine's own place."""
        now, names = (
            self.clock(),
            [(number, key, name) for key, pairs in entries.items() for number, name in pairs],
        )
        listeners: dict[int, list[tuple[int, str]]] = {}
        for number, key, name in names:
            listeners.setdefault(number, []).append((key, name))
        while since < self.observed:
            batch = self.store.observations.after(since, BATCH)
            if not batch:
                return
            for observation in batch:
                if observation.seq <= self.observed:
                    for key, name in listeners.get(observation.datastream_id, ()):
                        self._judge(running, key, name, observation, now)
            since = batch[-1].seq

    # --- working

    def step(self) -> int:
        """Take in what was committed since, let time pass, write what came of it; return how much was taken in.

        Raises `Unavailable` when the store cannot write: call `load`, then `step` again.
        """
        now = self.clock()
        taken = self._take_records()
        if not 0 <= now - self._refreshed_us < REFRESH_US:
            self._refresh()
        taken += self._take_observations(now)
        self._pass_time(now)
        late = not 0 <= now - self._checked_us < CHECKPOINT_US
        moved = self._dirty or self._gone or self._saved != (self.observed, self.recorded)
        if self._moves or self._endings or (late and moved):
            self.checkpoint()
        return taken

    def next_due(self) -> int:
        """Return the instant at which something ripens by itself, `NEVER` when nothing does."""
        dues = (
            p.due_us + p.lag_us for r in self.running.values() for p in r.parts.values() if p.due_us < NEVER
        )
        return min(dues, default=NEVER)

    def _take_observations(self, now: int) -> int:
        if not self.running:  # no rule is on: there is nothing to read
            self.observed = self.store.observations.head()
            return 0
        batch = self.store.observations.after(self.observed, BATCH)
        if not batch:
            return 0
        if any(o.datastream_id not in self.catalogue for o in batch):
            self._refresh()
        for observation in batch:
            for running, key, name in self._listeners.get(observation.datastream_id, ()):
                self._judge(running, key, name, observation, now)
            self.observed = observation.seq
            if len(self._moves) >= MOVES:
                break
        return len(batch)

    def _judge(
        self,
        running: Running,
        key: int,
        name: str,
        observation: Observation,
        now: int,
        *,
        first: bool = False,
    ) -> None:
        part, at_us = running.parts[key], moment_of(observation)
        if (observation.seq <= part.seq and not first) or at_us > now + AHEAD_US:
            return
        lag = now - at_us
        part.lag_us = lag if lag > LIVE_US else 0
        made = running.machine.observe(part, name, at_us, observation.id, number_of_observation(observation))
        part.seq = max(part.seq, observation.seq)
        self._note(running, key, made, running.enabled_us if first else 0)

    def _note(self, running: Running, key: int, made: list[Transition], floor_us: int = 0) -> None:
        self._dirty.add((running.id, key))
        if made:
            subject = running.subjects[key]
            self._moves += [Move(max(one.at_us, floor_us), running.id, subject, key, one) for one in made]

    def _pass_time(self, now: int) -> None:
        for running in self.running.values():
            if running.listens_for_silence and now - self._loaded_us < GRACE_US:
                continue
            for key, part in running.parts.items():
                if part.due_us + part.lag_us <= now:
                    self._note(running, key, running.machine.advance(part, now - part.lag_us))

    def _refresh(self) -> None:
        """Follow the catalogue: new series come under wide rules, removed ones leave."""
        if not self._read_catalogue():
            return
        for running in self.running.values():
            self._watch(running, self.observed)
            known = self._watched(running)
            for key in [k for k in running.parts if known is not None and k not in known]:
                self._drop(running, key)

    def _drop(self, running: Running, key: int) -> None:
        subject = running.subjects.pop(key)
        del running.parts[key]
        self._dirty.discard((running.id, key))
        self._gone.add((running.id, key))
        for listeners in self._listeners.values():
            listeners[:] = [entry for entry in listeners if entry[:2] != (running, key)]
        if not running.level(subject):
            self._endings.append(Ending(self.clock(), running.id, subject, "La série n'est plus surveillée"))

    # --- records

    def _take_records(self) -> int:
        news = self._news()
        changes = news.changes
        changed = dict.fromkeys(change.record_id for change in changes if change.collection == "rule")
        if changed:
            self._rules_changed(list(changed))
            # They may watch other collections now; what was committed since waits for the next time.
            changes = [change for change in self._news().changes if change.seq <= news.seq]
        for change in changes:
            if change.collection == "alarm":
                self._alarm_changed(change)
            elif change.collection != "rule":
                self._record_changed(change)
        self.recorded = news.seq
        return news.read

    def _news(self) -> News:
        """Return the next changes of rules, of alarms, and of the records that rules watch."""
        watched = {"rule", "alarm", *(running.rule.watch.collection for running in self.running.values())}
        return self.store.records.news(
            self.recorded, BATCH, wanted=lambda name, _action, _after: name in watched
        )

    def _rules_changed(self, rule_ids: list[int]) -> None:
        """Take up rules as they are now; their states are kept first, to be found again if conditions are the same."""
        self.checkpoint()
        known = {self.running.pop(rule_id) for rule_id in rule_ids if rule_id in self.running}
        for listeners in self._listeners.values() if known else ():
            listeners[:] = [entry for entry in listeners if entry[0] not in known]
        self._read_catalogue()
        kept = self._kept()
        for rule_id in rule_ids:
            self._rule_changed(
                rule_id, {place: state for place, state in kept.items() if place[0] == rule_id}
            )

    def _rule_changed(self, rule_id: int, kept: dict[Place, Kept]) -> None:
        try:
            row = self.store.records.get("rule", rule_id)
        except NotFound:
            row = None
        if row is None or not row.values["enabled"]:
            self._end_all(rule_id, "Règle supprimée" if row is None else "Règle mise hors service")
            self._gone.update(kept)
            return
        self._start(row, kept)

    def _end_all(self, rule_id: int, reason: str) -> None:
        now = self.clock()
        self._endings += [
            Ending(now, rule_id, subject, reason) for subject in self.belfry.open_subjects(rule_id)
        ]

    def _alarm_changed(self, change: Change) -> None:
        """Forget an alarm that a person ended; know again one whose ending was undone."""
        if change.author == SYSTEM.id:
            return
        row = self.store.records.get("alarm", change.record_id, deleted=None)
        if self.belfry.follow(row) == 0:
            place = row.values["rule"], row.values["subject"]
            self._endings.append(Ending(self.clock(), *place, "La condition n'est plus vraie"))

    def _record_changed(self, change: Change) -> None:
        key = change.record_id
        for running in self.running.values():
            part = running.parts.get(key)
            if running.rule.watch.collection != change.collection or change.at_us < running.enabled_us:
                continue
            if part is None:
                part = running.parts[key] = running.machine.fresh(change.at_us)
                running.subjects[key] = f"record:{change.collection}:{key}"
            if change.seq <= part.seq:
                continue
            part.seq = change.seq
            made = running.machine.observe(part, "record", change.at_us, change.seq, self._fields(change))
            self._note(running, key, made)

    def _fields(self, change: Change) -> list[Any]:
        """Return what a rule may ask of a record: its fields that are not personal, its id and territory."""
        try:
            row = self.store.records.get(change.collection, change.record_id, deleted=None)
        except NotFound:
            return ["delete", None]
        personal = {f.name for f in self.store.records.shelf(change.collection).collection.personal}
        fields = {name: _plain(value) for name, value in row.values.items() if name not in personal}
        action = "delete" if row.deleted_us is not None else change.action
        return [action, {**fields, "id": row.id, "territory": row.territory or ""}]

    # --- writing

    def checkpoint(self) -> None:
        """Write alarms, actions and states in one transaction."""
        with self.store.write() as c, self.store.records.writer(SYSTEM, "", None, c) as writer:
            for move in sorted(self._moves, key=lambda m: m.at_us):
                running = self.running.get(move.rule_id)
                if running is not None:
                    self.belfry.ring(c, writer, move, running.rule, self.catalogue)
            for ending in self._endings:
                self.belfry.end(c, writer, ending)
            self._forget_idle()
            self._save(c)
        self._moves.clear()
        self._endings.clear()
        self._dirty.clear()
        self._gone.clear()
        self._saved = (self.observed, self.recorded)
        self._checked_us = self.clock()

    def _forget_idle(self) -> None:
        """A record that no longer matches needs no state."""
        for rule_id, key in list(self._dirty):
            running = self.running[rule_id]
            part = running.parts[key]
            if running.rule.watch.collection and not part.level and part.due_us == NEVER:
                del running.parts[key]
                self.belfry.standings.pop((rule_id, running.subjects.pop(key)), None)
                self._dirty.discard((rule_id, key))
                self._gone.add((rule_id, key))

    def _save(self, c: Connection) -> None:
        states = []
        for rule_id, key in self._dirty:
            running = self.running[rule_id]
            kept = Kept(running.rule.fingerprint, running.subjects[key], running.parts[key])
            states.append({"name": f"rule/{rule_id}/{key}", "position": self._encoder.encode(kept).decode()})
        if states:
            c.execute(_UPSERT, states)
        for rule_id, key in self._gone - self._dirty:
            c.execute(delete(cursor).where(cursor.c.name == f"rule/{rule_id}/{key}"))
        places = [(OBSERVED, self.observed), (RECORDED, self.recorded)]
        c.execute(_SETTING, [{"key": key, "value": str(place)} for key, place in places])


def _plain(value: Any) -> Any:
    """Return a field's value as expressions see it: dates as ISO text."""
    return value.isoformat() if hasattr(value, "isoformat") else value
