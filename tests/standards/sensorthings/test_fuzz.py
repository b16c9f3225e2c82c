"""Whatever is sent is answered or refused with its place and its mend: never a 5xx."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import ROOT, Clock, app_of, made, series_of, station
from tests.standards.sensorthings.sentences import Sentences

from beffroi.model.instant import DAY_US
from beffroi.plugins import Registry
from beffroi.settings import Settings, StoreSettings
from beffroi.store.open import Store
from beffroi.store.sealing import seal
from beffroi.town import Town

SAFE = "/$?&=(),;:'@%+*[]-._~! "


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=(pytest.mark.postgres, pytest.mark.nightly))],
)
def sta(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of a town with two Things, observations of every kind, and half of them sealed."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgresql_server").database()
    settings = Settings(data=tmp_path_factory.mktemp("town"), store=StoreSettings(records=url))
    clock = Clock()
    store = Store.open(settings, clock)
    town = Town(settings, store, Registry(()), clock)
    with TestClient(
        app_of(town), ROOT, raise_server_exceptions=False, client=("127.0.0.1", 50_000)
    ) as client:
        for n in range(2):
            held = {"rang": n, "tags": ["a", "5"], "où": {"rive": "gauche"}}
            series = series_of(client, made(client.post("Things", json=station(properties=held))))
            for i, result in enumerate([1, 2.5, "texte", True, None, {"a": 1}, [1, 2]]):
                body = {
                    "result": result,
                    "phenomenonTime": f"2020-01-0{i + 1}T00:00:00Z",
                    "parameters": {"a": i},
                    "resultQuality": "bon",
                }
                made(client.post(f"Datastreams({series})/Observations", json=body))
        seal(store.database, store.archive, 1_577_836_800_000_000 + 4 * DAY_US, store.observations.head())
        yield client
    store.close()


def check(answer: Any, sent: Any) -> int:
    """Return the status of an answer; fail when it is a 5xx, or a refusal without place or mend."""
    status: int = answer.status_code
    assert status < 500, (status, sent, answer.text[:500])
    if status == 400:
        problem = answer.json()
        assert problem["texts"]["en"][0], (sent, problem)
        assert problem["texts"]["fr"][1], (sent, problem)
        assert problem["texts"]["en"][1], (sent, problem)
        assert problem["place"] or not isinstance(sent, str), (sent, problem)  # "" is the whole body
    elif status in (404, 413) and "code" in answer.json():
        assert answer.json()["place"], (sent, answer.text)
    return status


def one(sta: TestClient, sentences: Sentences) -> int:
    """Send one thing and return the status of its answer."""
    roll = sentences.chance.random()
    path, entity = sentences.address()
    if roll < 0.55:
        address = f"{path}?{sentences.options(entity)}"
        address = sentences.broken(address) if sentences.chance.random() < 0.4 else address
        return check(sta.get(f"{ROOT}{quote(address, safe=SAFE)}"), address)
    if roll < 0.8:
        body = sentences.body(entity)
        method = sentences._pick(["POST", "POST", "POST", "PATCH", "PUT"])
        path = entity.set_name if method == "POST" else f"{entity.set_name}(1)"
        kind = "application/json"
        if method == "PATCH" and sentences.chance.random() < 0.5:
            body, kind = sentences.patch(), "application/json-patch+json"
        if sentences.chance.random() < 0.3:
            body = sentences.broken_bytes(body)
        return check(
            sta.request(method, ROOT + path, content=body, headers={"content-type": kind}),
            (method, path, body),
        )
    body, kind = sentences.batch()
    if sentences.chance.random() < 0.3:
        body = sentences.broken_bytes(body)
    answer = sta.post(f"{ROOT}$batch", content=body, headers={"content-type": kind})
    status = check(answer, (kind, body))
    if status == 200 and kind == "application/json":
        assert all(r["status"] < 500 for r in answer.json()["responses"]), (body, answer.text)
    else:
        assert b"HTTP/1.1 5" not in answer.content, body
    return status


def survives(sta: TestClient, seed: int, rounds: int) -> None:
    sentences = Sentences(seed)
    seen = [one(sta, sentences) for _ in range(rounds)]
    good, refused = sum(s < 300 for s in seen), sum(s == 400 for s in seen)
    assert good > rounds // 8  # it is not all noise
    assert refused > rounds // 10
    assert sta.get(f"{ROOT}Things?$count=true").status_code == 200


def test_two_thousand_requests_are_answered_or_refused(sta: TestClient) -> None:
    survives(sta, 20261125, 2_000)


@pytest.mark.nightly
def test_twelve_thousand_requests_are_answered_or_refused(sta: TestClient) -> None:
    for seed in range(6):
        survives(sta, seed, 2_000)
