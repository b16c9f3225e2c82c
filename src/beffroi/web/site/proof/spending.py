"""Spending: what each service consumed over thirty days, and for one of each of its useful outputs."""

from functools import partial

import msgspec

from beffroi.evaluation.sobriety.footprint import Account, Interval, Usage, account_of
from beffroi.evaluation.sobriety.usage import DAYS, usages
from beffroi.model.instant import DAY_US
from beffroi.plugins import Service
from beffroi.town import Town
from beffroi.web.kit.kept import kept_figure

__all__ = ["USAGE", "Spent", "spent_by", "usage_of"]

USAGE = "usage"


class Spent(msgspec.Struct, frozen=True):
    """One service: its usage, what that comes to, and for one of each useful output (None: there was none)."""

    service: str
    usage: Usage
    account: Account
    outputs: tuple[tuple[str, float, Interval | None, Interval | None], ...]


def _counted(town: Town) -> dict[str, object]:
    counted: dict[str, object] = msgspec.to_builtins(usages(town.store, town.registry.services, town.clock()))
    return counted


def usage_of(town: Town) -> dict[str, Usage]:
    """Return the usage of every service as last counted; {} when it is being counted for the first time."""
    found = kept_figure(town, USAGE, partial(_counted, town), good_us=DAY_US)
    return {} if found is None else msgspec.convert(found.value, dict[str, Usage])


def spent_by(town: Town, service: Service, usage: Usage, language: str) -> Spent:
    """Return what one service consumed, and for one of each of its useful outputs."""
    end, account = town.clock(), account_of(usage)
    outputs = []
    for output in service.evaluation.outputs if service.evaluation else ():
        count = output.count(town, None, end - DAYS * DAY_US, end) or 0.0
        outputs.append(
            (output.title.of(language), count, account.energy.per(count), account.carbon.per(count))
        )
    return Spent(service.name, usage, account, tuple(outputs))
