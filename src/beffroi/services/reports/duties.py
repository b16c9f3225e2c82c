"""What one process of the installation does for reports, until told to stop."""

import threading

from beffroi.services.reports.desk.duties import DESK_DUTIES
from beffroi.services.reports.drafts import forget_due
from beffroi.services.reports.erasure import forget_old, settle
from beffroi.services.reports.notices import send_due, tell_updates
from beffroi.services.reports.preparing import prepare_photos
from beffroi.town import Town

__all__ = ["DUTIES"]

HOUR_S = 3600.0


def forget_old_reports(town: Town, stop: threading.Event) -> None:
    """Take pseudonyms and photos out of old reports, and settle what was erased, at start and then every hour."""
    while not stop.is_set():
        forget_old(town)
        settle(town)
        stop.wait(HOUR_S)


def forget_drafts(town: Town, stop: threading.Event) -> None:
    """Forget the drafts that nobody sent."""
    while not stop.is_set():
        if not forget_due(town):
            stop.wait(60.0)


DUTIES = (prepare_photos, forget_drafts, tell_updates, send_due, forget_old_reports, *DESK_DUTIES)
