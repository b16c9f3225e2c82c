"""Subscriptions: who is told of a report, or of new ones around a point, and how that ends.

What ends is erased at once: the key under which the address (or the device) was sealed is dropped, so that history and
backups tell it no more.
"""

import re

from beffroi.identity.pseudonyms import pseudonym
from beffroi.model.principal import Principal
from beffroi.services.reports.keys import key_of
from beffroi.standards.web_push import Subscription
from beffroi.store.record import Query, Row
from beffroi.store.record_writer import Writer
from beffroi.store.retention import forget_person
from beffroi.town import Town

__all__ = ["alert_path", "end", "follower_path", "move_device"]

_PAGE = re.compile(r"(/suivi/abonnement/|/alertes/)([0-9]{1,18})/[^/]+\Z")
_BROWSER = Principal("citizen", "Navigateur", "citizen")


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


def move_device(town: Town, path: str, device: Subscription) -> bool:
    """Tell a browser at its new address what it was told at the last: `path` is the page that ends the subscription,
    which nobody else knows. False when there is none, or it was not a browser's."""
    page = _PAGE.match(path)
    if page is None:
        return False
    follower, number = page[1] != "/alertes/", int(page[2])
    if path != (follower_path if follower else alert_path)(town, number):
        return False
    collection = "report_follower" if follower else "report_alert"
    rows = town.store.records.find(collection, Query(where={"_id": number}, limit=1)).rows
    if not rows or not rows[0].values["push"]:
        return False
    values: dict[str, object] = {"push": device.plain()}
    if follower:
        values["reporter"] = pseudonym(town.settings.secret(), "reports", device.endpoint)
    with town.store.records.writer(_BROWSER, "Appareil changé") as writer:
        writer.change(collection, number, values)
    return True
