"""What comes into reports from elsewhere: files of other systems, and servers to mirror."""

from beffroi.services.reports.open311 import mirror
from beffroi.services.reports.open311.files import IMPORTS

__all__ = ["CONNECTORS", "IMPORTS"]

CONNECTORS = (("georeport", mirror.poll),)
