"""Sessions: what a browser holds once a person has signed in. The cookie is random; only its hash is kept."""

import secrets
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select

from beffroi.identity.keys import digest
from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.store.tables import session

__all__ = ["ABSOLUTE_US", "IDLE_US", "SEEN_STEP_US", "Session", "end", "end_secret", "of_person", "start"]

ABSOLUTE_US = 7 * DAY_US
IDLE_US = 12 * HOUR_US  # a working day: nobody signs in twice in it
SEEN_STEP_US = 5 * MINUTE_US  # how coarsely "last seen" is kept: one write per person and step


class Session(msgspec.Struct, frozen=True):
    """One signed-in browser. `agent` is the browser in a word, never an address."""

    id: int
    person_id: int
    agent: str
    created_us: int
    seen_us: int
    expires_us: int

    def alive_at(self, now_us: int) -> bool:
        """True until it is too old or has been idle too long."""
        return now_us < self.expires_us and now_us < self.seen_us + IDLE_US


def session_of(row: Any) -> Session:
    """Return the session that a row of `session` holds."""
    return Session(row.id, row.account_id, row.agent, row.created_us, row.seen_us, row.expires_us)


def start(store: Store, connection: Connection, person_id: int, agent: str) -> str:
    """Start a session in the caller's transaction; return its secret for the cookie. Dead ones are swept away."""
    now, secret = store.clock(), secrets.token_urlsafe(32)
    connection.execute(
        delete(session).where((session.c.expires_us <= now) | (session.c.seen_us <= now - IDLE_US))
    )
    connection.execute(
        insert(session).values(
            id=store.number(connection, "session"), hash=digest(secret), account_id=person_id, agent=browser_of(agent),
            created_us=now, seen_us=now, expires_us=now + ABSOLUTE_US,
        )
    )  # fmt: skip
    return secret


def of_person(store: Store, person_id: int | None = None) -> list[Session]:
    """Return the living sessions of a person (of everyone: None), last seen first."""
    query = select(session).order_by(session.c.seen_us.desc())
    if person_id is not None:
        query = query.where(session.c.account_id == person_id)
    now = store.clock()
    with store.read() as connection:
        return [s for s in map(session_of, connection.execute(query)) if s.alive_at(now)]


def end(store: Store, who: Principal, session_id: int, *, person_id: int | None = None) -> None:
    """End a session, of `person_id` only when given. Raises `NotFound`."""
    query = delete(session).where(session.c.id == session_id)
    if person_id is not None:
        query = query.where(session.c.account_id == person_id)
    with store.write() as connection:
        if connection.execute(query).rowcount == 0:
            raise NotFound(
                Text("Cette session est déjà terminée.", "This session has ended already."), place="session"
            )
        store.audit.note(connection, who, "session.end", f"session:{session_id}")


def end_secret(store: Store, who: Principal, secret: str) -> None:
    """End the session that a cookie holds, if it still lives (sign-out)."""
    with store.write() as connection:
        if connection.execute(delete(session).where(session.c.hash == digest(secret))).rowcount:
            store.audit.note(connection, who, "sign_out", who.id)


_BROWSERS = ("Firefox", "Edg", "OPR", "Chrome", "Safari", "curl")
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux")


def browser_of(agent: str) -> str:
    """Return "Firefox, Windows" from a User-Agent header: enough to know one's own sessions apart."""
    browser = next((b for b in _BROWSERS if b in agent), "")
    system = next((s for s in _SYSTEMS if s in agent), "")
    return ", ".join(part for part in ({"Edg": "Edge", "OPR": "Opera"}.get(browser, browser), system) if part)
