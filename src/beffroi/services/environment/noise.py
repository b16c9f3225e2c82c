"""Noise: equivalent levels, and the day-evening-night level of France. Pure.

Lden weighs evenings by 5 dB and nights by 10 (Directive 2002/49/EC, annex I); in France day is 6-18, evening 18-22, night
22-6, civil time (Code de l'environnement, R572-4).
"""

import math
from collections.abc import Iterable
from datetime import datetime

__all__ = ["lden", "lden_of", "leq", "period_of"]

_HOURS = {"day": 12, "evening": 4, "night": 8}
_PENALTY = {"day": 0.0, "evening": 5.0, "night": 10.0}


def leq(levels: Iterable[float]) -> float | None:
    """Return the level of equal energy, dB: not the mean of the figures. None of none."""
    energies = [10.0 ** (level / 10.0) for level in levels]
    return 10.0 * math.log10(math.fsum(energies) / len(energies)) if energies else None


def period_of(moment: datetime) -> str:
    """Return "day", "evening" or "night" of a moment in civil time."""
    return "day" if 6 <= moment.hour < 18 else "evening" if 18 <= moment.hour < 22 else "night"


def lden(day: float, evening: float, night: float) -> float:
    """Return Lden from the levels of the three periods, dB."""
    parts = {"day": day, "evening": evening, "night": night}
    energy = math.fsum(_HOURS[p] * 10.0 ** ((level + _PENALTY[p]) / 10.0) for p, level in parts.items())
    return 10.0 * math.log10(energy / 24.0)


def lden_of(levels: Iterable[tuple[datetime, float]]) -> float | None:
    """Return Lden of levels (LAeq of equal lengths) at moments in civil time; None when a period has none."""
    found: dict[str, list[float]] = {period: [] for period in _HOURS}
    for moment, level in levels:
        found[period_of(moment)].append(level)
    day, evening, night = (leq(found[period]) for period in _HOURS)
    return None if day is None or evening is None or night is None else lden(day, evening, night)
