"""A town with a river, its series and rules at work: a real store, a clock that the test moves."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.towns import town_at

from beffroi.identity import territories
from beffroi.intake.take import Intake
from beffroi.model.instant import MINUTE_US, parse_instant
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.result import number_of
from beffroi.rules.engine import Engine
from beffroi.services.water.warning.following import read_bus
from beffroi.standards.reading import Reading, Series, Station
from beffroi.store.record import Query, Row
from beffroi.town import Town, open_town

AGENT = Principal("user:7", "Inès Delmas", "agent", ("07156",))
COMMUNE = "07156"


class River:
    """The Ardèche at a bridge, with what it takes to make it rise."""

    def __init__(self, folder: Path, built: "River | None" = None) -> None:
        self.now = parse_instant("2026-11-22T00:00:00Z")
        if built is None:
            town_at(folder, "Meyras", email="maire@essai.fr")
        self.town: Town = open_town(folder, clock=self.clock)
        self.intake = Intake(
            self.town.store, self.town.registry.datastream_kind, self.town.registry.service_of
        )
        self.sent = 0
        self.numbers: dict[str, int] = {}
        if built is None:
            self._build()
        else:
            self.sent, self.numbers, self.above = built.sent, dict(built.numbers), built.above
            self.upstream, self.pont = built.upstream, built.pont
        self.engine = Engine(self.town.store, self.clock)

    def _build(self) -> None:
        territories.add(self.town.store, SYSTEM, COMMUNE, "Meyras")
        for code in ("river_level", "discharge", "rain", "level_forecast_high"):
            self.send(code, "0.10")
        self.above = self.send("river_level", "0.10", "amont")
        read_bus(self.town)
        self.upstream = self.station("AMONT-1", name="L'Ardèche en amont", level=self.above, position=1)
        self.pont = self.station(
            "V500401001", level=self.numbers["river_level"], flow=self.numbers["discharge"], rain=self.numbers["rain"],
            forecast=self.numbers["level_forecast_high"], upstream=self.upstream.id, position=2,
        )  # fmt: skip

    def clock(self) -> int:
        return self.now

    def station(self, code: str, *, name: str = "L'Ardèche au pont", **values: object) -> Row:
        point = {"type": "Point", "coordinates": [4.2694, 44.6807]}
        told = {"code": code, "name": name, "river": "L'Ardèche", "phone": "04 75 00 00 00", **values}
        return self.put("river_station", told, geometry=point)

    def put(self, collection: str, values: dict[str, object], **options: object) -> Row:
        return self.town.store.records.put(collection, values, territory=COMMUNE, who=SYSTEM, **options)  # type: ignore[arg-type]

    def threshold(
        self,
        quantity: str,
        hysteresis: float = 0.1,
        within: int | None = None,
        hold: int = 0,
        **levels: float,
    ) -> None:
        for colour, value in levels.items():
            self.put("river_threshold", {
                "station": self.pont.id, "quantity": quantity, "colour": colour, "value": value, "hysteresis": hysteresis,
                "within_min": within, "hold_min": hold,
            })  # fmt: skip

    def send(self, code: str, text: str, thing: str = "pont") -> int:
        """Send one value now; return its series."""
        self.sent += 1
        units = {"river_level": "m", "discharge": "m3/s", "rain": "mm", "level_forecast_high": "m"}
        series = Series(f"{thing}/{code}", code, Station(thing, f"Échelle {thing}"), unit=units[code])
        key = str(self.sent).encode()
        (number,) = self.intake.take([Reading(series, self.now, number_of(text), source_key=key)]).datastreams
        if thing == "pont":
            self.numbers[code] = number
        return number

    def goes(self, *levels: float, minutes: int = 10, code: str = "river_level", thing: str = "pont") -> None:
        """Let the river go through levels, one each `minutes`, rules and warnings following."""
        for level in levels:
            self.now += minutes * MINUTE_US
            self.send(code, f"{level:.2f}", thing)
            self.follow()

    def wait(self, minutes: float) -> None:
        self.now += int(minutes * MINUTE_US)
        self.follow()

    def follow(self) -> None:
        """Let rules and warnings take in what was committed."""
        while read_bus(self.town):
            continue
        while self.engine.step():
            continue
        while read_bus(self.town):
            continue

    def all(self, collection: str, sort: str = "_id", **where: object) -> list[Row]:
        return list(self.town.store.records.all(collection, Query(where=where, sort=sort)))

    def warning(self) -> dict[str, object]:
        """Return the newest warning of the bridge."""
        return self.all("river_warning", station=self.pont.id)[-1].values


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, River]:
    """Build the town once; each test has a copy of its own."""
    folder = tmp_path_factory.mktemp("river") / "town"
    made = River(folder)
    made.town.close()
    return folder, made


@pytest.fixture
def river(tmp_path: Path, built: tuple[Path, River]) -> Iterator[River]:
    shutil.copytree(built[0], tmp_path / "town")
    opened = River(tmp_path / "town", built[1])
    yield opened
    opened.town.close()
