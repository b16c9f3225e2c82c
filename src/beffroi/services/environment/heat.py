"""Heat as the body feels it: means over three days of the nights' lowest and of the days' highest temperatures. Pure.

These are the biometeorological indices (IBM) by which France's heat vigilance is judged: both must reach the limits of the
département together. The limits are the département's; a town sets its own (setting `environment.heat`: {"min": 20, "max": 34}).
"""

from collections.abc import Mapping

__all__ = ["DEFAULT", "SPAN", "hot_days", "three_day_means"]

SPAN = 3
# where a town says nothing: in the middle of those of the départements, 18/31 (Finistère) to 23/36 (Gard), 24/35
# (Bouches-du-Rhône) as the press quotes Santé publique France; to be checked, and no département's in particular
DEFAULT = {"min": 19.0, "max": 34.0}
Days = Mapping[int, float]


def three_day_means(days: Days) -> dict[int, float]:
    """Return for each day the mean of it and of the two that follow; a day without both has none."""
    return {
        day: sum(days[day + n] for n in range(SPAN)) / SPAN
        for day in days
        if all(day + n in days for n in range(SPAN))
    }


def hot_days(lowest: Days, highest: Days, limits: Mapping[str, float]) -> list[int]:
    """Return the days that begin three days whose nights and days are both, in the mean, at their limits or above."""
    nights, noons = three_day_means(lowest), three_day_means(highest)
    return sorted(
        d for d in nights if d in noons and nights[d] >= limits["min"] and noons[d] >= limits["max"]
    )
