"""Data arrays (18-088 §12): read with and without `$select`, written row by row."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import POINT, ids, made, series_of, served_town, station, values

FEATURE = {"name": "f", "description": "d", "encodingType": "application/geo+json", "feature": POINT}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with served_town(tmp_path_factory.mktemp("town")) as client:
        yield client


def test_observations_are_read_as_arrays_by_datastream(client: TestClient) -> None:
    series = [series_of(client, made(client.post("Things", json=station()))) for _ in range(2)]
    known = [
        made(client.post(f"Datastreams({series[n % 2]})/Observations",
                         json={"result": n, "phenomenonTime": f"2020-01-01T0{n}:00:00Z", "resultTime": f"2020-01-02T0{n}:00:00Z"}))
        for n in range(4)
    ]  # fmt: skip
    mine = f"$filter=Datastream/id ge {series[0]}&$orderby=id&$resultFormat=dataArray&$count=true"
    answer = client.get(f"Observations?{mine}").json()
    assert answer["@iot.count"] == 4
    for n, group in enumerate(answer["value"]):
        assert group["Datastream@iot.navigationLink"].endswith(f"/Datastreams({series[n]})")
        assert group["components"] == ["id", "phenomenonTime", "result", "resultTime"]
        assert group["dataArray@iot.count"] == 2
        assert group["dataArray"] == [
            [known[i], f"2020-01-01T0{i}:00:00Z", i, f"2020-01-02T0{i}:00:00Z"] for i in (n, n + 2)
        ]


@pytest.mark.parametrize(
    "selected",
    [["result"], ["result", "phenomenonTime"], ["@iot.id", "parameters", "result"], ["resultTime"]],
)
def test_an_array_holds_what_is_selected_in_that_order(client: TestClient, selected: list[str]) -> None:
    series = series_of(client, made(client.post("Things", json=station())))
    body = {"result": 1, "phenomenonTime": "2020-01-01T00:00:00Z", "parameters": {"a": 1}}
    one = made(client.post(f"Datastreams({series})/Observations", json=body))
    shown = client.get(f"Observations({one})").json()
    (group,) = values(
        client, f"Datastreams({series})/Observations?$resultFormat=dataArray&$select={','.join(selected)}"
    )
    assert group["components"] == [s.removeprefix("@iot.") for s in selected]
    assert group["dataArray"] == [[shown[s] for s in selected]]


def test_rows_are_taken_or_refused_one_by_one(client: TestClient) -> None:
    first, second = (series_of(client, made(client.post("Things", json=station()))) for _ in range(2))
    feature = made(client.post("FeaturesOfInterest", json=FEATURE))
    time = "2010-12-23T10:20:00-07:00"
    body = [
        {"Datastream": {"@iot.id": first}, "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
         "dataArray@iot.count": 4, "dataArray": [[time, 20, feature], [time, 30, "probablyNoId"], [time, 40, 999999], [time, 50, None]]},
        {"Datastream": {"@iot.id": second}, "components": ["phenomenonTime", "result"], "dataArray": [[time, 65], [time, 60], [time]]},
    ]  # fmt: skip
    answer = client.post("CreateObservations", json=body)
    assert answer.status_code == 201
    assert [line.startswith("error") for line in answer.json()] == [
        False,
        True,
        True,
        False,
        False,
        False,
        True,
    ]
    made_ones = [client.get(link).json() for link in answer.json() if not link.startswith("error")]
    assert [o["result"] for o in made_ones] == [20, 50, 65, 60]
    assert ids(client, f"FeaturesOfInterest({feature})/Observations") == [made_ones[0]["@iot.id"]]
    features = [
        client.get(o["FeatureOfInterest@iot.navigationLink"]).json()["@iot.id"] for o in made_ones[2:]
    ]
    assert features[0] == features[1] != feature
