"""Subscriptions: who is told of a report, or of new ones around a point, and how that ends.

What ends is erased at once: the key under which the address (or the device) was sealed is dropped, so that history and
backups tell it no more.
"""

from beffroi.services.reports.keys import key_of
from beffroi.store.record import Row
from beffroi.store.record_writer import Writer
from beffroi.store.retention import forget_person
from beffroi.town import Town

__all__ = ["alert_path", "end", "follower_path"]


def follower_path(town: Town, follower: int) -> str:
    """Return the address of the page that ends the following of a report."""
    return f"/suivi/abonnement/{follower}/{key_of(town.settings.secret(), f'follower/{follower}')}"


def alert_path(town: Town, alert: int) -> str:
    """Return the address of the page that confirms or ends an alert."""
    return f"/alertes/{alert}/{key_of(town.settings.secret(), f'alert/{alert}')}"


def end(town: Town, writer: Writer, collection: str, row: Row) -> None:
    """End a subscription (`report_follower`, `report_alert`) and erase whom it told."""
    if row.person is not None:
        forget_person(town.store.records, writer, row.person)
    closed = {"key_hash": None, **({"confirmed": False} if collection == "report_alert" else {})}
    writer.change(collection, row.id, closed)
    writer.delete(collection, row.id)
