"""What programs change in the catalogue of sensors is in the journal too."""

from beffroi.identity import keys
from beffroi.model.principal import SYSTEM
from beffroi.town import Town

ROOT = "/sensorthings/v1.1"
THING = {
    "name": "Pont", "description": "Le pont",
    "Locations": [{
        "name": "Pont", "description": "x", "encodingType": "application/geo+json",
        "location": {"type": "Point", "coordinates": [-2.08, 47.65]},
    }],
    "Datastreams": [{
        "name": "Hauteur", "description": "Hauteur d'eau", "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "centimètre", "symbol": "cm", "definition": "ucum:cm"},
        "ObservedProperty": {"name": "Hauteur", "definition": "x", "description": "x"},
        "Sensor": {"name": "x", "description": "x", "encodingType": "text/plain", "metadata": "x"},
        "Observations": [{"result": 12.5, "phenomenonTime": "2026-11-22T08:00:00Z"}],
    }],
}  # fmt: skip


def test_the_journal_knows_what_a_key_did(browser, town: Town) -> None:
    client = browser()
    key, secret = keys.create(town.store, SYSTEM, role="admin")
    client.headers["Authorization"] = f"Bearer {secret}"
    made = client.post(f"{ROOT}/Things", json=THING)
    assert made.status_code == 201, made.text
    thing = client.get(f"{ROOT}/Things?$expand=Datastreams").json()["value"][0]
    series = thing["Datastreams"][0]["@iot.id"]
    one = client.get(f"{ROOT}/Observations").json()["value"][0]["@iot.id"]
    assert client.patch(f"{ROOT}/Things({thing['@iot.id']})", json={"name": "Pont neuf"}).status_code == 200
    assert (
        client.post(f"{ROOT}/Observations", json={"result": 1, "Datastream": {"@iot.id": series}}).status_code
        == 201
    )
    assert client.patch(f"{ROOT}/Observations({one})", json={"result": 13}).status_code == 200
    assert client.delete(f"{ROOT}/Observations({one})").status_code in (200, 204)
    assert client.delete(f"{ROOT}/Things({thing['@iot.id']})").status_code in (200, 204)
    with town.store.read() as connection:
        entries = town.store.audit.entries(connection, who=f"token:{key.id}")
        assert town.store.audit.verify(connection)[1] == []
    assert [e.action for e in entries] == [
        "thing.delete", "observation.delete", "observation.change", "thing.change", "thing.create",
    ]  # fmt: skip
    assert entries[3].detail == {"fields": ["name"]}
    assert entries[4].target == f"thing:{thing['@iot.id']}"
