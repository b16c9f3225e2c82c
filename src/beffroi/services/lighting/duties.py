"""What one process of the installation does for the lighting, until told to stop."""

import threading

from beffroi.services.lighting.talq.commanding import work
from beffroi.services.lighting.talq.simulating import post_of, simulate
from beffroi.services.lighting.watching import watch_town
from beffroi.town import Town

__all__ = ["DUTIES"]

_EVERY_S = 3600.0
_FIRST_S = 120.0  # a town that starts has other things to do


def command_lamps(town: Town, stop: threading.Event) -> None:
    """Send the commands of remotely controlled lamps, and give them back to their program."""
    work(town, stop, post_of(town))


def simulate_gateways(town: Town, stop: threading.Event) -> None:
    """Let the gateways that are declared as simulated report, as real ones do."""
    simulate(town, stop)


def watch_cabinets(town: Town, stop: threading.Event) -> None:
    """Look at the load curves of the cabinets, once a day when the night is over."""
    stop.wait(_FIRST_S)
    while not stop.is_set():
        day = town.clock() // 86_400_000_000
        if town.clock() % 86_400_000_000 > 45_000_000_000 and town.store.setting("lighting.watched") != day:
            watch_town(town)
            town.store.set_setting("lighting.watched", day)
        stop.wait(_EVERY_S)


DUTIES = (command_lamps, simulate_gateways, watch_cabinets)
