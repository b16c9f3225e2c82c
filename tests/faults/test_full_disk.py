"""A disk that fills: writes are refused whole with 503 and the reason, reads go on, and all resumes with room again."""

from pathlib import Path

from tests.faults.serving import THING, Town, command


def post(town: Town, series: int, value: int, rows: int = 500) -> tuple[int, object]:
    body = [{"Datastream": {"@iot.id": series}, "components": ["phenomenonTime", "result"],
             "dataArray": [["2026-03-01T12:00:00Z", value]] * rows}]  # fmt: skip
    return town.call("/sensorthings/v1.1/CreateObservations", body)


def test_full_disk_refuses_whole_batches_and_resumes(tmp_path: Path) -> None:
    data = tmp_path / "town"
    command("init", "--data", str(data), "--name", "Essai")
    town = Town(data)
    assert town.call("/sensorthings/v1.1/Things", THING)[0] == 201
    series = town.call("/sensorthings/v1.1/Datastreams")[1]["value"][0]["@iot.id"]
    town.stop()
    largest = max(f.stat().st_size for f in data.iterdir() if f.is_file())
    town = Town(data, file_limit=largest + 400_000)
    stored, refused = [], None
    for value in range(1000):
        status, answer = post(town, series, value)
        if status != 201:
            refused = (status, answer)
            break
        stored.append(value)
    assert refused is not None and refused[0] == 503, refused
    assert "reason" in str(refused[1]) or "message" in str(refused[1])
    count = f"/sensorthings/v1.1/Datastreams({series})/Observations?$count=true&$top=0"
    status, answer = town.call(count)
    assert (status, answer["@iot.count"]) == (200, 500 * len(stored))
    town.kill()
    town = Town(data)
    assert post(town, series, 9999)[0] == 201
    assert town.call(count)[1]["@iot.count"] == 500 * (len(stored) + 1)
    town.stop()
    command("verify", "--data", str(data))
