"""What the town watches: alarms and rules."""

from beffroi.web.site.watch import alarms, rules

__all__ = ["ROUTES"]

ROUTES = [*alarms.ROUTES, *rules.ROUTES]
