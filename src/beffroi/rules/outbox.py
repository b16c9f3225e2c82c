"""Actions waiting to be done: jobs in the house's table, with a lease, an idempotency key and retries.

A job is queued in the transaction that made it necessary. It runs at least once; what it does carries the
job's key, so that a receiver can tell a repetition.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, insert, or_, select, update

from beffroi.model.instant import DAY_US, MINUTE_US, SECOND_US
from beffroi.store.open import Store
from beffroi.store.tables import job

__all__ = ["KIND", "Job", "queue"]

KIND = "action"
LEASE_US = 2 * MINUTE_US
DELAYS_US = (
    10 * SECOND_US,
    MINUTE_US,
    5 * MINUTE_US,
    30 * MINUTE_US,
    2 * 60 * MINUTE_US,
    6 * 60 * MINUTE_US,
    DAY_US,
)


class Job(msgspec.Struct, frozen=True):
    """One action to do. `attempts` counts this one; `payload` is what `queue` was given."""

    id: int
    key: str
    attempts: int
    payload: dict[str, Any]


def queue(
    store: Store, c: Connection, key: str, payload: Mapping[str, Any], due_us: int, kind: str = KIND
) -> None:
    """Queue a job in the transaction of `c`; a second one with the same key is not queued. Workers take one `kind`."""
    if c.execute(select(job.c.id).where(job.c.key == key)).first() is None:
        body = msgspec.json.encode(payload).decode()
        c.execute(insert(job).values(id=store.next(c), kind=kind, key=key, payload=body, due_us=due_us))


def take(store: Store, now_us: int, owner: str, kind: str = KIND) -> Job | None:
    """Return the next job of a kind that is due, leased to `owner`; None when there is none."""
    due = and_(job.c.kind == kind, or_(
        and_(job.c.state == "waiting", job.c.due_us <= now_us),
        and_(job.c.state == "running", job.c.leased_until_us <= now_us),
    ))  # fmt: skip
    first = select(job).where(due).order_by(job.c.due_us, job.c.id).limit(1)
    with store.read() as c:
        if c.execute(first).first() is None:
            return None
    with store.write() as c:
        row = c.execute(first.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        leased = {
            "state": "running",
            "leased_until_us": now_us + LEASE_US,
            "attempts": row.attempts + 1,
            "owner": owner,
        }
        c.execute(update(job).where(job.c.id == row.id).values(**leased))
    return Job(row.id, row.key, row.attempts + 1, msgspec.json.decode(row.payload))


def done(c: Connection, done_job: Job) -> None:
    """Mark a job done, in the transaction of `c`."""
    c.execute(
        update(job).where(job.c.id == done_job.id).values(state="done", error=None, leased_until_us=None)
    )


def failed(store: Store, failed_job: Job, error: str, now_us: int, *, final: bool = False) -> None:
    """Put a job back with a growing delay, or mark it failed for good; the error stays visible."""
    over = final or failed_job.attempts > len(DELAYS_US)
    values: dict[str, Any] = {
        "error": error[:500],
        "leased_until_us": None,
        "state": "failed" if over else "waiting",
    }
    if not over:
        values["due_us"] = now_us + DELAYS_US[failed_job.attempts - 1]
    with store.write() as c:
        c.execute(update(job).where(job.c.id == failed_job.id).values(**values))


def retry(store: Store, job_id: int, now_us: int) -> bool:
    """Let a failed job run again at once; False when there is no such one."""
    again = and_(job.c.id == job_id, job.c.kind == KIND, job.c.state == "failed")
    with store.write() as c:
        changed = update(job).where(again).values(state="waiting", due_us=now_us, attempts=0)
        return bool(c.execute(changed).rowcount)


def of_alarm(store: Store, alarm_id: int) -> list[dict[str, Any]]:
    """Return the jobs that one alarm made: kind of action, moment, state, attempts, error, when due."""
    with store.read() as c:
        rows = c.execute(
            select(job).where(job.c.kind == KIND, job.c.key.like(f"alarm/{alarm_id}/%")).order_by(job.c.id)
        ).all()
    return [
        {
            "id": r.id,
            "state": r.state,
            "attempts": r.attempts,
            "error": r.error,
            "due_us": r.due_us,
            **_told(r.payload),
        }
        for r in rows
    ]


def _told(payload: str) -> dict[str, Any]:
    read = msgspec.json.decode(payload)
    return {"action": read["action"]["kind"], "moment": read["moment"]}
