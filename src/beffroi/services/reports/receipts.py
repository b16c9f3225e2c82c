"""Receipts: what the town acknowledges of a report, alike on its page, on paper (PDF/UA) and in the letter.

An anonymous *signalement* gets one, `received`. A *saisine par voie électronique* gets the two of the code des
relations entre le public et l'administration: the accusé d'enregistrement électronique, `aee`, at once (R112-11-2),
and the accusé de réception électronique, `are`, when the service in charge is known, within ten working days
(L112-11, R112-11-1, R112-11-2).
"""

from typing import Any

from beffroi.model.problem import Problem
from beffroi.services.reports import letters
from beffroi.services.reports.categories_tree import categories_of
from beffroi.services.reports.keys import key_of, written
from beffroi.services.reports.letters import Department, key_name
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.paper import paper

__all__ = ["KINDS", "attached", "on_paper", "told"]

KINDS = ("received", "aee", "are")


def told(town: Town, row: Row, department: Department, language: str) -> dict[str, Any]:
    """Return what the page and the paper of a receipt say, by the names that their templates use."""
    where = {"request": row.id, "kind": "receipt"}
    sent = town.store.records.find("report_update", Query(where=where, limit=20)).rows
    return {
        "report": row.values, "formal": row.values["kind"] == "saisine", "department": department,
        "key_written": written(key_of(town.settings.secret(), key_name(row.values))),
        "category": categories_of(town).title(row.values["category"], language),
        "sent": {update.values["action"]: update.values["at"] for update in sent},
        "silence": letters.silence(town.settings, row.values["requested"], language),
        "titles": {what: letters.receipt_subject(row.values, what, language) for what in KINDS},
        "base_url": town.settings.base_url,
    }  # fmt: skip


def on_paper(town: Town, row: Row, department: Department, what: str, language: str) -> bytes:
    """Return one receipt as PDF/UA-1. Raises `Problem` without the extra `pdf`."""
    return paper(
        town, language, "citizen/receipt_paper.html", what=what, **told(town, row, department, language)
    )


def attached(
    town: Town, row: Row, department: Department, what: str, language: str
) -> tuple[str, bytes] | None:
    """Return the name and the bytes of a legal receipt, to go with its letter; None where no paper can be made, and for
    an ordinary one: its letter says all that the paper would, and leads to the page that prints it. A paper with each
    would weigh twenty times the letter, and a second of processor on the day when everybody writes."""
    if what == "received":
        return None
    try:
        return f"{what}-{row.values['number']}.pdf", on_paper(town, row, department, what, language)
    except Problem as problem:
        if problem.status != 501:
            raise
        return None
