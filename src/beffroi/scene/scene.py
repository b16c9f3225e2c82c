"""The scene: everything of one demonstration town, from three numbers."""

from collections.abc import Iterator

import msgspec

from beffroi.model.instant import DAY_US
from beffroi.scene.assets import Assets, make_assets
from beffroi.scene.meters import equipment_stations
from beffroi.scene.people import Person, people
from beffroi.scene.plan import Commune, Plan, make_plan
from beffroi.scene.river import River
from beffroi.scene.series import Fault, Station
from beffroi.scene.stations import Builder, environment_stations
from beffroi.scene.story import storms, told_faults
from beffroi.scene.waterworks import Waterworks, water_stations
from beffroi.scene.weather import Weather

__all__ = ["Scene", "make_scene"]


class Scene(msgspec.Struct, frozen=True, eq=False):
    """A town at the end of `days` days of history that stop at `end_us`; its series go on after it."""

    seed: int
    days: int
    end_us: int
    plan: Plan
    weather: Weather
    assets: Assets
    stations: tuple[Station, ...]
    faults: tuple[Fault, ...]
    people: tuple[Person, ...]
    waterworks: Waterworks
    name: str = "Brévigny-sur-Sarelle"

    @property
    def start_us(self) -> int:
        """The instant at which the history starts."""
        return self.end_us - self.days * DAY_US

    @property
    def communes(self) -> tuple[Commune, ...]:
        """The two communes, the larger first."""
        return self.plan.communes

    def of_service(self, service: str) -> Iterator[Station]:
        """Yield the stations of one service."""
        return (s for s in self.stations if s.service == service)

    def oracle(self) -> list[dict[str, object]]:
        """Return the truth about the sensors as JSON values: which series has which fault, from when to when."""
        known = {series.key for station in self.stations for series in station.series}
        return [msgspec.to_builtins(fault) for fault in self.faults if fault.series in known]


def make_scene(seed: int, days: int, end_us: int) -> Scene:
    """Return the scene of one seed. Equal arguments give an equal scene, on any machine."""
    plan = make_plan(seed)
    weather = Weather(seed, storms(end_us))
    assets = make_assets(seed, plan)
    faults = told_faults(end_us)
    build = Builder(seed, faults)
    works = Waterworks(plan, seed, weather, end_us)
    stations = (
        *environment_stations(build, weather, River(seed, weather), end_us),
        *equipment_stations(build, assets, weather, end_us),
        *water_stations(build, works),
    )
    return Scene(seed, days, end_us, plan, weather, assets, stations, faults, tuple(people()), works)
