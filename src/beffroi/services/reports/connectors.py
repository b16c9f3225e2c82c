"""What comes into reports from elsewhere: files of other systems."""

from beffroi.services.reports.open311.files import IMPORTS

__all__ = ["IMPORTS"]
