"""Signing in, one's account, and the administration of people, keys, territories, the town and its journal."""

from beffroi.web.site.administration import (
    account,
    commune,
    health,
    journal,
    keys,
    people,
    register,
    sign_in,
    town,
)

__all__ = ["ROUTES"]

ROUTES = [
    *sign_in.ROUTES,
    *account.ROUTES,
    *town.ROUTES,
    *commune.ROUTES,
    *people.ROUTES,
    *keys.ROUTES,
    *register.ROUTES,
    *journal.ROUTES,
    *health.ROUTES,
]
