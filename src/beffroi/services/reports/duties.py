"""What one process of the installation does for reports, until told to stop."""

import threading

from beffroi.services.reports.desk.duties import DESK_DUTIES
from beffroi.services.reports.erasure import forget_old
from beffroi.services.reports.notices import send_due, tell_updates
from beffroi.services.reports.preparing import prepare_photos
from beffroi.town import Town

__all__ = ["DUTIES"]

HOUR_S = 3600.0


def forget_old_reports(town: Town, stop: threading.Event) -> None:
    """Take pseudonyms and photos out of old reports, at start and then every hour."""
    while not stop.is_set():
        forget_old(town)
        stop.wait(HOUR_S)


DUTIES = (prepare_photos, tell_updates, send_due, forget_old_reports, *DESK_DUTIES)
