"""What one process of the installation does for rivers, until told to stop."""

import threading

from beffroi.services.water.camera.watching import watch_cameras
from beffroi.services.water.forecast.duties import rate_and_forecast
from beffroi.services.water.warning.escalation import send_due
from beffroi.services.water.warning.following import follow_river_alarms
from beffroi.town import Town

__all__ = ["DUTIES"]


def call_who_is_on_duty(town: Town, stop: threading.Event) -> None:
    """Make the calls of the escalation and send the messages that are due."""
    send_due(town, stop)


DUTIES = (follow_river_alarms, call_who_is_on_duty, rate_and_forecast, watch_cameras)
