"""What one process of the installation does for rivers, until told to stop."""

from beffroi.services.water.camera.watching import watch_cameras

__all__ = ["DUTIES"]

DUTIES = (watch_cameras,)
