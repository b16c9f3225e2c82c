"""The jobs that wait: how many are due, and how late the oldest is."""

from sqlalchemy import Connection, func, select

from beffroi.model.instant import SECOND_US
from beffroi.store.tables import job

__all__ = ["due"]


def due(connection: Connection, now_us: int) -> tuple[int, int]:
    """Return how many jobs are due and not begun, and by how many seconds the oldest is late."""
    asked = select(func.count(), func.min(job.c.due_us)).where(
        job.c.state == "waiting", job.c.due_us <= now_us
    )
    waiting, oldest = connection.execute(asked).one()
    return waiting, 0 if oldest is None else (now_us - oldest) // SECOND_US
