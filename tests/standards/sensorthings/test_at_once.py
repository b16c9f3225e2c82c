"""Changes that come at once: none of them takes back what another one did."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.sensorthings_town import LOCATION, ids, made, series_of, served_town, station

PATCH = {"content-type": "application/json-patch+json"}


def test_patches_at_once_lose_nothing_of_one_another(tmp_path: Path) -> None:
    with served_town(tmp_path) as client:
        thing = made(client.post("Things", json=station()))
        series = series_of(client, thing)
        client.patch(f"Things({thing})", json={"properties": {}})
        seen = made(
            client.post(f"Datastreams({series})/Observations", json={"result": 1, "parameters": {"kept": 0}})
        )
        places = [made(client.post("Locations", json=LOCATION)) for _ in range(4)]

        def work(n: int) -> None:
            for number in range(12):
                for path, member in (
                    (f"Things({thing})", "properties"),
                    (f"Observations({seen})", "parameters"),
                ):
                    patch = [{"op": "add", "path": f"/{member}/k{n}", "value": number}]
                    assert client.patch(path, json=patch, headers=PATCH).status_code == 200
            assert (
                client.post(f"Things({thing})/Locations/$ref", json={"@iot.id": places[n]}).status_code == 204
            )

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        last = {f"k{n}": 11 for n in range(4)}
        assert client.get(f"Things({thing})").json()["properties"] == last
        assert client.get(f"Observations({seen})").json()["parameters"] == {"kept": 0, **last}
        assert set(places) <= set(ids(client, f"Things({thing})/Locations"))
