"""What one process of the installation does for energy, until told to stop."""

from beffroi.services.energy.studying import keep_studying

__all__ = ["DUTIES"]

DUTIES = (keep_studying,)
