"""The demonstration town, written into a store and kept alive.

`beffroi.scene` imagines it; here it becomes territories, accounts, records, things, observations and alarms, the
last ones raised by the real rules as the history goes by.
"""

from beffroi.demo.build import build_town
from beffroi.demo.live import live

__all__ = ["build_town", "live"]
