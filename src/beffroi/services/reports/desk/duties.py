"""What one process does for the desk until told to stop: letters in, links out, alarms that open and close reports, figures kept."""

import logging
import os
import smtplib
import threading

from beffroi.model.problem import Problem
from beffroi.rules import outbox
from beffroi.rules.mail import ActionError
from beffroi.services.reports.desk.alarms import follow_alarms
from beffroi.services.reports.desk.forwarding import KIND, deliver
from beffroi.services.reports.desk.mailbox import receive_letters
from beffroi.services.reports.desk.reckoners import compute_reckonings
from beffroi.store.follow import follow
from beffroi.town import Town

__all__ = ["DESK_DUTIES", "deliver_due"]

log = logging.getLogger("beffroi.reports")


def deliver_links(town: Town, stop: threading.Event) -> None:
    """Send the links given to firms until `stop`."""
    follow(town.store, stop, lambda: deliver_due(town))


def deliver_due(town: Town) -> int:
    """Send every link that is due; return how many were tried. One that fails is tried again, then said on the report."""
    tried, owner = 0, f"pid {os.getpid()}"
    while (job := outbox.take(town.store, town.clock(), owner, KIND)) is not None:
        tried += 1
        try:
            deliver(town, job)
            with town.store.write() as c:
                outbox.done(c, job)
        except (ActionError, Problem, OSError, smtplib.SMTPException) as error:
            final = isinstance(error, Problem) or (isinstance(error, ActionError) and error.final)
            reason = type(error).__name__ if isinstance(error, smtplib.SMTPException) else str(error)
            log.warning("link %s was not sent (attempt %s): %s", job.key, job.attempts, reason)
            outbox.failed(town.store, job, reason, town.clock(), final=final)
    return tried


DESK_DUTIES = (receive_letters, deliver_links, follow_alarms, compute_reckonings)
