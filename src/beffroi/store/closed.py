"""Closed datastreams: series whose intake was stopped on purpose. What still comes for them is refused, not stored.

They are few, and rarely change: the list (setting `intake.closed`) is read again every two seconds at most, so that every
process of the town knows, and an observation that arrives pays a comparison.
"""

import json
import time
from collections.abc import Sequence

from sqlalchemy import text

from beffroi.model.observation import Draft
from beffroi.model.problem import Forbidden
from beffroi.model.text import Text
from beffroi.store.database import Database

__all__ = ["SETTING", "Closed"]

SETTING = "intake.closed"
_FRESH_S = 2.0


class Closed:
    """The closed datastreams of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: dict[int, str] = {}
        self._read_at = -_FRESH_S

    def forget(self) -> None:
        """Read the list again at the next observation."""
        self._read_at = -_FRESH_S

    def ids(self) -> dict[int, str]:
        """Return the closed datastreams, each with the experiment that closed it."""
        now = time.monotonic()
        if now - self._read_at >= _FRESH_S:
            with self._database.read() as connection:
                row = connection.execute(
                    text("SELECT value FROM setting WHERE key = :key"), {"key": SETTING}
                ).first()
            told = {} if row is None else json.loads(row[0])
            self._ids = {int(i): str(one.get("experiment", "")) for i, one in told.items()}
            self._read_at = now
        return self._ids

    def open_of(self, drafts: Sequence[Draft]) -> Sequence[Draft]:
        """Return the drafts whose datastream is open (the same sequence when all are)."""
        closed = self.ids()
        if not closed or not any(draft.datastream_id in closed for draft in drafts):
            return drafts
        return [draft for draft in drafts if draft.datastream_id not in closed]

    def refusal(self, drafts: Sequence[Draft]) -> Forbidden:
        """Return what to say to who sends observations of closed datastreams only."""
        closed = self.ids()
        code = next((closed[d.datastream_id] for d in drafts if d.datastream_id in closed), "")
        return Forbidden(
            Text(f"Cette série est arrêtée avec l'expérimentation « {code} » : rien n'est plus enregistré.",
                 f"This series was stopped with the experiment '{code}': nothing is stored any more."),
            Text(f"Voyez /preuve/experimentations/{code} ; une décision « continuer » la rouvre.",
                 f"See /preuve/experimentations/{code}; a decision to continue opens it again."),
        )  # fmt: skip
