"""What one process of the installation does for the lighting, until told to stop."""

import threading

from beffroi.services.lighting.talq.commanding import work
from beffroi.town import Town

__all__ = ["DUTIES"]


def command_lamps(town: Town, stop: threading.Event) -> None:
    """Send the commands of remotely controlled lamps, and give them back to their program."""
    work(town, stop)


DUTIES = (command_lamps,)
