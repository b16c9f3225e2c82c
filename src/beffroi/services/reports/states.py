"""The life of a report: its states, its honest closing reasons, and who may move it from one to the next.

Pure: `move` says what a step writes; `submission.Reports.act` stores it. Issue 4, field notes section b.
"""

from typing import Any, Literal

import msgspec

from beffroi.model.collection import Choice, choice
from beffroi.model.problem import Conflict, Forbidden, Problem
from beffroi.model.text import Text

__all__ = [
    "ACTIONS",
    "OPEN",
    "REASONS",
    "STATES",
    "Action",
    "Actor",
    "Move",
    "actions_for",
    "move",
    "shown_after",
]

Actor = Literal["reporter", "neighbour", "firm", "agent", "system"]
STATES: tuple[Choice, ...] = (
    choice("received", "Reçu", "Received", "orange"),
    choice("waiting", "Transmis au service", "Passed to the service", "orange"),
    choice("in_progress", "Pris en charge", "Taken on", "jaune"),
    choice("scheduled", "Planifié", "Scheduled", "jaune"),
    choice("on_hold", "En attente", "On hold", "jaune"),
    choice("external", "Confié à une entreprise", "Given to a firm", "jaune"),
    choice("question", "Question posée", "Question asked", "jaune"),
    choice("reopened", "Rouvert", "Reopened", "orange"),
    choice("closed", "Clos", "Closed", "vert"),
)
OPEN: tuple[str, ...] = tuple(s.value for s in STATES if s.value != "closed")
# Closed is not repaired: every statistic separates these.
REASONS: tuple[Choice, ...] = (
    choice("repaired", "Réparé", "Repaired"),
    choice("already_done", "Déjà fait", "Already done"),
    choice("not_ours", "Ne relève pas de la commune", "Not the town's"),
    choice("refused", "Refusé", "Refused"),
    choice("not_found", "Rien trouvé sur place", "Nothing found there"),
    choice("unable", "Impossible à réparer", "Cannot be repaired"),
    choice("duplicate", "Doublon d'un autre signalement", "Duplicate of another report"),
    choice("withdrawn", "Retiré par son auteur", "Withdrawn by its author"),
)


class Action(msgspec.Struct, frozen=True):
    """One step of a report's life: from which states, to which one, by whom, and what it asks for."""

    name: str
    title: Text  # the verb on the button
    sources: tuple[str, ...]
    target: str  # "" leaves the state as it is
    actors: tuple[Actor, ...]
    needs: tuple[str, ...] = ()  # of: reason, text, until, duplicate_of, evidence (text or photo)
    answers: bool = False  # a human answer that the citizen sees


_STAFF: tuple[Actor, ...] = ("agent", "system")
ACTIONS: tuple[Action, ...] = (
    Action("route", Text("Transmettre au service", "Pass to the service"), OPEN, "waiting", _STAFF),
    Action("take", Text("Prendre en charge", "Take on"), OPEN, "in_progress", (*_STAFF, "firm"), answers=True),
    Action("schedule", Text("Planifier", "Schedule"), OPEN, "scheduled", (*_STAFF, "firm"), ("until",), answers=True),
    Action("hold", Text("Mettre en attente", "Put on hold"), OPEN, "on_hold", (*_STAFF, "firm"), ("text",), answers=True),
    Action("forward", Text("Confier à une entreprise", "Give to a firm"), OPEN, "external", _STAFF),
    Action("ask", Text("Poser une question", "Ask a question"), OPEN, "question", _STAFF, ("text",), answers=True),
    Action("answer", Text("Répondre à la question", "Answer the question"), ("question",), "waiting", ("reporter",), ("text",)),
    Action("close", Text("Clore", "Close"), OPEN, "closed", (*_STAFF, "firm"), ("reason",), answers=True),
    Action("merge", Text("Réunir avec un autre", "Merge with another"), OPEN, "closed", _STAFF, ("duplicate_of",)),
    Action("unmerge", Text("Séparer", "Separate"), ("closed",), "received", _STAFF),
    Action("withdraw", Text("Retirer", "Withdraw"), OPEN, "closed", ("reporter",)),
    Action("reopen", Text("Rouvrir", "Reopen"), ("closed",), "reopened", ("reporter", "neighbour", *_STAFF), ("evidence",)),
    Action("reply", Text("Répondre", "Reply"), (*OPEN, "closed"), "", _STAFF, ("text",), answers=True),
)  # fmt: skip
_BY_NAME = {action.name: action for action in ACTIONS}


class Move(msgspec.Struct, frozen=True):
    """What a step writes: new values of the `service_request`, and the values of its `report_update`."""

    values: dict[str, Any]
    update: dict[str, Any]


def actions_for(state: str, actor: Actor) -> tuple[Action, ...]:
    """Return the steps that `actor` may take from `state`, in the order of the buttons."""
    return tuple(a for a in ACTIONS if state in a.sources and actor in a.actors)


def move(
    report: dict[str, Any], name: str, actor: Actor, at_us: int, *, reason: str = "", text: str = "",
    until_us: int | None = None, duplicate_of: int | None = None, evidence: bool = False,
) -> Move:  # fmt: skip
    """Return what the step `name` writes on a report whose current values are `report`, at `at_us` (UTC µs).

    Raises `Problem` at the field that is missing, `Conflict` when the state does not allow the step, `Forbidden`.
    """
    action = _BY_NAME.get(name)
    if action is None:
        known = ", ".join(_BY_NAME)
        raise Problem(Text(f"« {name[:40]} » n'est pas une étape.", f"'{name[:40]}' is not a step."),
                      Text(f"Les étapes sont : {known}.", f"The steps are: {known}."), place="action")  # fmt: skip
    _allowed(action, str(report["state"]), actor)
    given = {
        "reason": reason, "text": text.strip(), "until": until_us, "duplicate_of": duplicate_of,
        "evidence": evidence or (text.strip() if actor in ("reporter", "neighbour") else True),
    }  # fmt: skip
    for need in action.needs:
        _needed(need, given[need])
    _honest(action, reason)
    values = _values(action, report, actor, at_us, reason, until_us, duplicate_of)
    update = {
        "kind": "reply" if action.name == "reply" else "state", "action": action.name, "at": at_us, "text": text.strip() or None,
        "actor": actor, "from_state": report["state"], "state": values.get("state", report["state"]),
        "reason": values.get("reason"),
    }  # fmt: skip
    return Move(values, update)


def _allowed(action: Action, state: str, actor: Actor) -> None:
    if actor not in action.actors:
        raise Forbidden(
            Text(f"« {action.title.fr} » n'est pas à vous.", f"'{action.title.en}' is not yours to do.")
        )
    if state not in action.sources:
        word = next((s.title for s in STATES if s.value == state), Text(state, state))
        raise Conflict(
            Text(f"« {action.title.fr} » est impossible : le signalement est « {word.fr} ».",
                 f"'{action.title.en}' is not possible: the report is '{word.en}'."),
            Text("Rechargez la page.", "Load the page again."), place="state",
        )  # fmt: skip


_MISSING = {
    "reason": Text("Dites le vrai motif de clôture.", "Say the true reason for closing."),
    "text": Text("Écrivez quelques mots.", "Write a few words."),
    "until": Text("Donnez la date prévue.", "Give the planned date."),
    "duplicate_of": Text("Dites de quel signalement.", "Say of which report."),
    "evidence": Text("Dites ce que vous voyez, ou joignez une photo.", "Say what you see, or add a photo."),
}


def _needed(need: str, value: Any) -> None:
    if value is None or value == "" or value is False:
        raise Problem(Text("Il manque quelque chose.", "Something is missing."), _MISSING[need], place=need)


def _honest(action: Action, reason: str) -> None:
    """A report is closed for a reason that people know; as a duplicate only by naming of which."""
    chosen = {r.value for r in REASONS} - {"duplicate", "withdrawn"}
    if action.name == "close" and reason not in chosen:
        allowed = ", ".join(sorted(chosen))
        raise Problem(Text(f"« {reason[:40]} » n'est pas un motif.", f"'{reason[:40]}' is not a reason."),
                      Text(f"Choisissez parmi : {allowed}.", f"Choose among: {allowed}."), place="reason")  # fmt: skip


def _values(
    action: Action, report: dict[str, Any], actor: Actor, at_us: int, reason: str, until_us: int | None,
    duplicate_of: int | None,
) -> dict[str, Any]:  # fmt: skip
    values: dict[str, Any] = {"state": action.target} if action.target else {}
    if action.answers and actor in ("agent", "firm") and report.get("first_answered") is None:
        values["first_answered"] = at_us
    if action.name == "schedule":
        values["scheduled"] = until_us
    if action.target == "closed":
        implied = {"merge": "duplicate", "withdraw": "withdrawn"}.get(action.name, reason)
        values |= {"closed": at_us, "reason": implied}
        if action.name == "merge":
            values["duplicate_of"] = duplicate_of
    elif report["state"] == "closed" and action.target:
        values |= {"closed": None, "reason": None, "duplicate_of": None, "scheduled": None, "satisfied": None}
        if action.name == "reopen":
            values["reopened"] = int(report.get("reopened") or 0) + 1
    return values


def shown_after(report: dict[str, Any]) -> bool:
    """Return whether a report with these values is public: not confidential, and accepted by moderation."""
    return not report.get("confidential") and report.get("moderation") == "accepted"
