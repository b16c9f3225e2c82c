"""Signing in, one's account, and the administration of people, keys, territories, the town and its journal."""

from beffroi.web.site.administration import (
    account,
    commune,
    extensions,
    federated,
    ground,
    health,
    journal,
    keys,
    people,
    register,
    second_factor,
    sign_in,
    town,
)

__all__ = ["ROUTES"]

ROUTES = [
    *sign_in.ROUTES,
    *federated.ROUTES,
    *second_factor.ROUTES,
    *account.ROUTES,
    *town.ROUTES,
    *commune.ROUTES,
    *ground.ROUTES,
    *extensions.ROUTES,
    *people.ROUTES,
    *keys.ROUTES,
    *register.ROUTES,
    *journal.ROUTES,
    *health.ROUTES,
]
