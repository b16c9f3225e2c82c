"""What one process of the installation does for water: the balance of each area once a day, meters, sewers, places."""

import logging
import threading

from beffroi.services.watergrid.areas.round import look_round
from beffroi.town import Town

__all__ = ["DUTIES"]

log = logging.getLogger("beffroi.watergrid")
PAUSE_S = 600.0


def watch_networks(town: Town, stop: threading.Event) -> None:
    """Judge what is due, until told to stop."""
    while not stop.is_set():
        look_round(town, stop)
        stop.wait(PAUSE_S)


DUTIES = (watch_networks,)
