"""Life: what becomes of experiments from day to day. Each passage moves each of them as far as the date says.

registered → running → ended (the study is done, the deliberation drafted, who decides is warned) → stopped, when nobody
decided in time. Until that day everything can be changed back; each step is a change of the record, in its history and
in the audit.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import msgspec

from beffroi.evaluation.experiments.closing import Switch, close_intake, reopen_intake
from beffroi.evaluation.experiments.observed import instant
from beffroi.evaluation.experiments.papers import data_file
from beffroi.evaluation.experiments.studying import conclude, finding_of, told_of
from beffroi.evaluation.impact.finding import Finding
from beffroi.model.instant import PARIS, to_datetime
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Conflict, Problem
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.store.record import Query, Row

__all__ = ["LIVE", "Tools", "advance", "decide", "stop_day", "today", "withdraw"]

LIVE = ("registered", "running", "ended")
_DECIDED = {"continue": "continued", "procure": "procured", "stop": "stopped"}
Paper = Callable[[Row, Finding], bytes | None]
Warn = Callable[[Row], None]


class Tools(msgspec.Struct, frozen=True):
    """What the life of experiments needs of higher floors: switch rules, print the deliberation, warn who decides."""

    switch: Switch
    paper: Paper = lambda _row, _finding: None
    warn: Warn = lambda _row: None
    town: str = ""


def today(store: Store) -> date:
    """Return the day in the town."""
    return to_datetime(store.clock()).astimezone(PARIS).date()


def stop_day(values: Mapping[str, Any]) -> date:
    """Return the day on which an experiment without a decision stops."""
    day: date = values["ends_on"] + timedelta(days=int(values["grace_days"] or 0))
    return day


def advance(store: Store, tools: Tools) -> list[Row]:
    """Move every experiment as far as today says; return those that changed."""
    now = today(store)
    moved = []
    for row in list(store.records.all("experiment", Query(where={"state": list(LIVE)}))):
        current = row
        while (step := _due(current.values, now)) is not None:
            current = step(store, tools, current)
        if current.version != row.version:
            moved.append(current)
    return moved


def _due(values: Mapping[str, Any], now: date) -> Callable[[Store, Tools, Row], Row] | None:
    """Return the next step that is due, if one is."""
    match values["state"]:
        case "registered" if now >= values["starts_on"]:
            return _begin
        case "running" if now >= values["ends_on"]:
            return _end
        case "ended" if values["decision"]:
            return _carry_out
        case "ended" if now >= stop_day(values):
            return _stop_undecided
    return None


def _put(store: Store, row: Row, action: str, reason: str, **values: Any) -> Row:
    with store.write() as c:
        kept = store.records.put(
            "experiment", values, id=row.id, version=row.version, who=SYSTEM, reason=reason, c=c
        )
        store.audit.note(c, SYSTEM, action, f"experiment/{row.id}", {"state": values.get("state", "")})
    return kept


def _begin(store: Store, _tools: Tools, row: Row) -> Row:
    return _put(store, row, "experiment.begin", reason="Début", state="running")


def _end(store: Store, tools: Tools, row: Row) -> Row:
    """Conclude the study, write the draft deliberation, warn."""
    finding = conclude(store, row.values, instant(row.values["ends_on"]))
    ended = _put(
        store, row, "experiment.end", reason="Fin : étude conclue", state="ended", finding=told_of(finding), verdict=finding.verdict,
        warned_at=store.clock(),
    )  # fmt: skip
    paper = tools.paper(ended, finding)
    if paper is not None:
        staged = store.files.stage(paper, "application/pdf")
        with store.write() as c:
            name = store.files.keep(c, staged)
            ended = store.records.put(
                "experiment", {"deliberation": name}, id=ended.id, who=SYSTEM, reason="Projet de délibération", c=c
            )  # fmt: skip
    if not ended.values["decision"]:
        tools.warn(ended)
    return ended


def _close(store: Store, tools: Tools, row: Row, action: str, reason: str) -> Row:
    """Stop what the experiment set up, keep its data as a file, and say so."""
    closed = close_intake(store, row.values, tools.switch)
    packed = data_file(store, row.values, finding_of(row.values["finding"]), tools.town, row.territory)
    staged = store.files.stage(packed, "application/zip")
    with store.write() as c:
        name = store.files.keep(c, staged)
        kept = store.records.put(
            "experiment", {"state": "stopped", "closed": closed, "data_file": name}, id=row.id, version=row.version,
            who=SYSTEM, reason=reason, c=c,
        )  # fmt: skip
        store.audit.note(
            c, SYSTEM, action, f"experiment/{row.id}", {"series": closed["series"], "rules": closed["rules"]}
        )
    return kept


def _stop_undecided(store: Store, tools: Tools, row: Row) -> Row:
    return _close(store, tools, row, "experiment.stop", reason="Arrêtée : aucune décision à la date prévue")


def _carry_out(store: Store, tools: Tools, row: Row) -> Row:
    decision = row.values["decision"]
    if decision == "stop":
        return _close(store, tools, row, "experiment.stop", reason="Arrêtée par décision")
    return _put(store, row, "experiment.decided", reason="Décision appliquée", state=_DECIDED[decision])


def decide(
    store: Store, tools: Tools, row: Row, who: Principal, decision: str, reason: str, on: date | None = None
) -> Row:
    """Record what the town decides; it takes effect at the end of the experiment, at once when that is past.

    A stopped experiment can be taken up again by a later decision. Raises `Problem`, `Conflict`.
    """
    state = row.values["state"]
    if decision not in _DECIDED:
        raise Problem(
            Text("Choisissez continuer, généraliser ou arrêter.", "Choose continue, procure or stop."), place="decision"
        )  # fmt: skip
    if state in ("draft", "withdrawn"):
        raise Conflict(
            Text("Cette expérimentation n'a pas commencé.", "This experiment has not begun."), place="state"
        )
    values: dict[str, Any] = {
        "decision": decision, "decided_on": on or today(store), "decision_reason": reason.strip() or None,
    }  # fmt: skip
    reopened = state == "stopped" and decision != "stop" and bool(row.values["closed"])
    if state in ("continued", "procured", "stopped"):
        values["state"] = "stopped" if state == "stopped" and decision == "stop" else "ended"
    if reopened:
        values["closed"] = None
    with store.write() as c:
        kept = store.records.put(
            "experiment", values, id=row.id, version=row.version, who=who, reason=reason.strip() or "Décision", c=c
        )  # fmt: skip
        store.audit.note(c, who, "experiment.decide", f"experiment/{row.id}", {"decision": decision})
    if reopened:
        reopen_intake(store, row.values["closed"], tools.switch)
    step = _due(kept.values, today(store))
    return kept if step is None else step(store, tools, kept)


def withdraw(store: Store, row: Row, who: Principal, reason: str = "") -> Row:
    """Take back a registration before the start; it stays in the public register. Raises `Conflict` once it began."""
    if row.values["state"] not in ("draft", "registered"):
        raise Conflict(
            Text("Elle a commencé : elle ne se retire plus, elle se décide.",
                 "It has begun: it is no longer withdrawn, it is decided."), place="state",
        )  # fmt: skip
    with store.write() as c:
        kept = store.records.put(
            "experiment", {"state": "withdrawn"}, id=row.id, version=row.version, who=who,
            reason=reason.strip() or "Retirée avant son début", c=c,
        )  # fmt: skip
        store.audit.note(c, who, "experiment.withdraw", f"experiment/{row.id}", {})
    return kept
