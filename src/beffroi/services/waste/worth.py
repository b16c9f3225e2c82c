"""Whether sensors pay in this town: its own containers, as they fill, collected eight weeks on fixed days and as they fill."""

from collections.abc import Sequence

import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.waste.rounds import FEWEST_KM, FEWEST_VISITS
from beffroi.services.waste.scenario import WARM_UP, Outcome, Scenario, by_fill, on_days, pays, play
from beffroi.services.waste.stock import Container, containers, for_size, middle_of
from beffroi.town import Town

__all__ = ["DAYS_OF", "MOST", "Way", "Worth", "weighed", "worth", "worth_of"]

MOST = 120  # containers played; more would take a page too long, and change the answer little
DAYS_OF = {1: (0,), 2: (0, 3), 3: (0, 2, 4)}
"""The week days of fixed rounds, by how many there are."""
_WEEKS = 8


class Way(msgspec.Struct, frozen=True):
    """A way of collecting: what it does a week, and what its sensors bring a year in euros (None: it has none)."""

    name: str
    outcome: Outcome
    brings: float | None


class Worth(msgspec.Struct, frozen=True):
    """The ways, the fixed one first; how many containers were played, of how many with a sensor."""

    ways: tuple[Way, ...]
    played: int
    heard: int


def worth(
    town: Town, territories: tuple[str, ...] | None = None, *, rounds: int = 2, sensor_a_year: float = 45.0
) -> Worth:
    """Play the town's containers. Raises `Problem` when fewer than five have a sensor that speaks."""
    return worth_of(containers(town, territories), rounds=rounds, sensor_a_year=sensor_a_year)


def weighed(found: Worth, sensor_a_year: float) -> Worth:
    """Return the same ways played, their sensors at another cost."""
    fixed = found.ways[0].outcome
    ways = [
        way if way.brings is None else Way(way.name, way.outcome, pays(fixed, way.outcome, containers=found.played, sensor_a_year=sensor_a_year))
        for way in found.ways
    ]  # fmt: skip
    return Worth(tuple(ways), found.played, found.heard)


def worth_of(every: Sequence[Container], *, rounds: int, sensor_a_year: float = 45.0) -> Worth:
    """Play containers, each with the rise of a day and the scatter that its sensor told. Equal at equal readings.

    Raises `Problem` when fewer than five have a sensor that speaks.
    """
    heard = [(c.place, c.fill) for c in every if c.fill is not None and c.place is not None]
    known = heard[:: max(1, -(-len(heard) // MOST))]
    if len(known) < 5:
        raise Problem(
            Text("Moins de cinq conteneurs ont une sonde qui parle.", "Fewer than five containers have a sensor that speaks."),
            Text("Reliez les sondes aux conteneurs, puis attendez quelques jours.", "Link the sensors to the containers, then wait a few days."),
        )  # fmt: skip
    places = tuple(place for place, _ in known)
    rate, scatter = (np.array([getattr(f, n) for _, f in known]) for n in ("rate", "scatter"))
    rate = np.maximum(rate, 1e-3)
    shape = (rate / scatter) ** 2
    rises = np.random.default_rng(len(known)).gamma(shape, rate / shape, (WARM_UP + 7 * _WEEKS, len(known)))
    scenario = Scenario(middle_of(places), places, rises)
    fixed = play(scenario, on_days(DAYS_OF[rounds], len(known)))
    ways = [Way("fixed", fixed, None)]
    for name, policy in (("fewest_visits", FEWEST_VISITS), ("fewest_km", for_size(FEWEST_KM, len(known)))):
        found = play(scenario, by_fill(scenario, policy))
        ways.append(Way(name, found, pays(fixed, found, containers=len(known), sensor_a_year=sensor_a_year)))
    return Worth(tuple(ways), len(known), len(heard))
