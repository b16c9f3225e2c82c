"""The unmodified client of the FROST project makes, reads, changes, iterates and deletes all eight classes."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import frost_sta_client as fsc
import pytest
import uvicorn
from geojson import Point
from tests.sensorthings_town import MEASUREMENT, Clock, app_of

from beffroi.plugins import Registry
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import Town

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fsc.SensorThingsService]:
    """Serve a town on a free port of the loopback, as `beffroi serve --open-writes` does."""
    data: Path = tmp_path_factory.mktemp("town")
    settings = Settings(data=data)
    store = Store.open(settings)
    town = Town(settings, store, Registry(()), Clock())
    server = uvicorn.Server(uvicorn.Config(app_of(town), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield fsc.SensorThingsService(f"http://127.0.0.1:{port}/sensorthings/v1.1")
    server.should_exit = True
    thread.join()
    store.close()


def thing(name: str = "pluviomètre") -> Any:
    place = fsc.Location(
        name="toit", description="sud", location=Point((2.0, 48.5)), encoding_type="application/geo+json"
    )
    return fsc.Thing(name=name, description="à augets", properties={"rang": 3}, locations=[place])


def datastream(owner: Any) -> Any:
    return fsc.Datastream(
        name="pluie", description="cumul", observation_type=MEASUREMENT, thing=owner,
        unit_of_measurement=fsc.UnitOfMeasurement(name="millimetre", symbol="mm", definition="ucum:mm"),
        sensor=fsc.Sensor(name="auget", description="d", encoding_type="text/html", metadata="http://a.test"),
        observed_property=fsc.ObservedProperty(name="pluie", definition="http://a.test/pluie", description="d"),
    )  # fmt: skip


def test_all_eight_classes(service: fsc.SensorThingsService) -> None:
    owner = thing()
    service.create(owner)
    assert service.things().find(owner.id).properties == {"rang": 3}
    series = datastream(owner)
    service.create(series)
    found = service.datastreams().find(series.id)
    assert found.unit_of_measurement.symbol == "mm"
    assert service.datastreams().query().filter(f"id eq {series.id}").expand("Thing,Sensor").list().entities[0].thing.id == owner.id  # fmt: skip
    one = fsc.Observation(phenomenon_time="2024-01-01T00:00:00+01:00", result=1.25, datastream=found)
    service.create(one)
    back = service.observations().find(one.id)
    assert (back.result, back.phenomenon_time) == (1.25, "2023-12-31T23:00:00Z")
    feature = fsc.FeatureOfInterest(
        name="f", description="d", encoding_type="application/geo+json", feature=Point((1.0, 2.0))
    )
    sensor = fsc.Sensor(name="s", description="d", encoding_type="text/html", metadata={"a": 1})
    prop = fsc.ObservedProperty(name="p", definition="http://a.test/p", description="d")
    place = fsc.Location(
        name="l", description="d", location=Point((3.0, 4.0)), encoding_type="application/vnd.geo+json"
    )
    for made in (feature, sensor, prop, place):
        service.create(made)
    history = fsc.HistoricalLocation(time="2019-01-01T00:00:00Z", thing=owner, locations=[place])
    service.create(history)
    daos = [
        (one, service.observations()), (history, service.historical_locations()), (feature, service.features_of_interest()),
        (series, service.datastreams()), (owner, service.things()), (place, service.locations()),
        (sensor, service.sensors()), (prop, service.observed_properties()),
    ]  # fmt: skip
    for made, dao in daos:
        read = dao.find(made.id)
        assert read.id == made.id
        if isinstance(made, fsc.Observation):
            read.result = 2.5
        elif isinstance(made, fsc.HistoricalLocation):
            read.time = "2020-01-01T00:00:00Z"
        else:
            read.description = "changée"
        service.update(read)
    assert service.things().find(owner.id).description == "changée"
    assert service.observations().find(one.id).result == 2.5
    service.patch(owner, [{"op": "replace", "path": "/description", "value": "corrigée"}])
    assert service.things().find(owner.id).description == "corrigée"
    for made, dao in daos:
        service.delete(made)
        with pytest.raises(Exception, match="404"):
            dao.find(made.id)


def test_iterating_follows_the_pages(service: fsc.SensorThingsService) -> None:
    owner = thing("compteur")
    service.create(owner)
    series = datastream(owner)
    service.create(series)
    for i in range(25):
        service.create(
            fsc.Observation(phenomenon_time=f"2024-01-01T00:{i:02}:00Z", result=i, datastream=series)
        )
    mine = series.get_observations().query()
    listed = mine.top(10).orderby("phenomenonTime", "desc").count().list()
    assert listed.count == 25
    assert [o.result for o in listed] == list(range(24, -1, -1))
    few = (
        series.get_observations()
        .query()
        .filter("result gt 20 and phenomenonTime lt 2024-01-01T00:24:00Z")
        .list()
    )
    assert [o.result for o in few] == [21, 22, 23]
    page = service.things().query().filter("name eq 'compteur'").expand("Locations,Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))").list()  # fmt: skip
    (shown,) = page.entities
    assert shown.datastreams.entities[0].observations.entities[0].result == 24
    assert shown.locations.entities[0].location["coordinates"] == [2.0, 48.5]
    service.delete(owner)


class Units(list[Any]):
    """Units as the client wants them to be written: since Python 3.11 a plain list says that it has no state."""

    def __getstate__(self) -> Any:
        return [unit.__getstate__() for unit in self]


def test_a_multidatastream(service: fsc.SensorThingsService) -> None:
    owner = thing("girouette")
    service.create(owner)
    seen = [
        fsc.ObservedProperty(name=n, definition=f"http://a.test/{n}", description="d")
        for n in ("force", "direction")
    ]
    for one in seen:
        service.create(one)
    sensor = fsc.Sensor(name="ultrason", description="d", encoding_type="text/html", metadata="http://a.test")
    service.create(sensor)
    named = (("mètre par seconde", "m/s", "ucum:m/s"), ("degré", "°", "ucum:deg"))
    units = Units(fsc.UnitOfMeasurement(name=n, symbol=s, definition=d) for n, s, d in named)
    multi = fsc.MultiDatastream(
        name="vent", description="à 10 m", multi_observation_data_types=[MEASUREMENT] * 2, unit_of_measurements=units,
        thing=owner, sensor=sensor, observed_properties=seen,
    )  # fmt: skip
    service.create(multi)
    found = service.multi_datastreams().find(multi.id)
    assert [u["symbol"] for u in found.unit_of_measurements] == ["m/s", "°"]
    assert [p.name for p in found.get_observed_properties().query().list()] == ["force", "direction"]
    one = fsc.Observation(phenomenon_time="2024-01-01T00:00:00Z", result=[3.5, 270], multi_datastream=found)
    service.create(one)
    assert [o.result for o in found.get_observations().query().list()] == [[3.5, 270]]
    assert (
        service.observations().query().filter(f"MultiDatastream/id eq {multi.id}").count().list().count == 1
    )
    service.patch(multi, [{"op": "replace", "path": "/description", "value": "changée"}])
    assert service.multi_datastreams().find(multi.id).description == "changée"
    service.delete(multi)
    with pytest.raises(Exception, match="404"):
        service.multi_datastreams().find(multi.id)
