"""A camera's survey, its lawfulness and its watch, in a real town with real browsers' forms."""

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.towns import town_at

from beffroi.app import create_app
from beffroi.identity import people, sign_in
from beffroi.model.observation import Quality
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Unavailable
from beffroi.services.water.camera.capture import capture, read_spool
from beffroi.services.water.camera.lawful import hindrances, may_record
from beffroi.services.water.camera.projection import projection_of
from beffroi.services.water.camera.quality import moved_since_survey
from beffroi.services.water.camera.scene import River, frames, site_of
from beffroi.services.water.camera.site import Site
from beffroi.services.water.camera.spool import forget_spool, waiting
from beffroi.services.water.camera.watching import _take, measure_camera, spool_of
from beffroi.services.water.warning import images
from beffroi.store.record import Query
from beffroi.store.tables import datastream
from beffroi.town import Town, open_town
from beffroi.web.kit.who import SESSION_COOKIE

LAWFUL = {
    "purpose": "natural_risks", "authorised_purpose": "natural_risks", "authorisation": "2026-018-041",
    "authorised_until": date(2031, 6, 30), "notice": True, "register": "T-12",
}  # fmt: skip
NOW_US = 1_764_000_000_000_000


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("cameras") / "town"
    town_at(folder, "Essai-les-Bains", email="maire@essai.fr")
    opened = open_town(folder, clock=lambda: NOW_US)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, river: River) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    for i, frame in enumerate(frames(river, 8, 0.1)):
        cv2.imwrite(
            str(folder / f"{i:04d}.jpg"),
            cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR),
            [cv2.IMWRITE_JPEG_QUALITY, 95],
        )
    return folder


def add(town: Town, code: str, river: River, pictures: Path, **more: object):
    values = {"code": code, "name": f"Caméra {code}", "source_kind": "folder", "source": str(pictures), "dt_s": 0.1,
              "site": msgspec.to_builtins(site_of(river)), **LAWFUL, **more}  # fmt: skip
    return town.store.records.put(
        "river_camera", values, geometry={"type": "Point", "coordinates": [2.41, 47.09]}, who=SYSTEM
    )


def test_what_the_law_asks_field_by_field():
    today = date(2026, 11, 25)
    assert may_record(LAWFUL, today)
    for field, value in (
        ("authorisation", None), ("authorised_until", None), ("authorised_until", date(2026, 11, 24)),
        ("authorised_purpose", None), ("authorised_purpose", "works"), ("purpose", "other"), ("notice", False), ("register", None),
    ):  # fmt: skip
        named = [name for name, _ in hindrances({**LAWFUL, field: value}, today)]
        assert named == [field]
    turned = {**LAWFUL, "purpose": "other", "authorised_purpose": "other"}  # both changed at once
    assert [name for name, _ in hindrances(turned, today)] == ["authorised_purpose"]


def test_a_lawful_camera_observes_and_an_unlawful_one_takes_no_picture(
    town: Town, river: River, pictures: Path
):
    row = add(town, "pont", river, pictures)
    answer = measure_camera(town, row)
    assert answer is not None and answer.reason is None
    with town.store.read() as c:
        ids = dict(
            c.execute(
                select(datastream.c.key, datastream.c.id).where(datastream.c.key.like("camera/pont/%"))
            ).all()
        )
    assert {"camera/pont/discharge", "camera/pont/surface_velocity", "camera/pont/image_quality"} <= set(ids)
    last = town.store.observations.last([ids["camera/pont/discharge"]])[ids["camera/pont/discharge"]]
    extra = json.loads(last.extra or "{}")
    low, high = extra["resultQuality"]["interval95"]
    assert low < last.result.value < high
    assert last.quality in (Quality.GOOD, Quality.SUSPECT)
    told = extra["parameters"]
    assert {"n_frames", "alpha", "measured_share", "level_source"} <= set(told)
    assert told["survey_version"] == 1
    # the vectors stay when the video goes: the discharge can be added up again from them
    columns = {name: i for i, name in enumerate(told["vectors"]["columns"])}
    rows = told["vectors"]["rows"]
    station, depth, speed = (
        np.array([r[columns[n]] for r in rows], float) for n in ("station_m", "depth_m", "surface_ms")
    )
    assert told["alpha"] * np.trapezoid(depth * speed, station) == pytest.approx(last.result.value, rel=0.02)
    assert (sum(told["budget"].values()), set(told["engines"]) >= {"ensemble"}) == (
        pytest.approx(1, abs=1e-3),
        True,
    )
    kept = town.store.records.get("river_camera", row.id).values
    still = cv2.imdecode(
        np.frombuffer(town.store.files.read(kept["still"])[0], np.uint8), cv2.IMREAD_GRAYSCALE
    )
    assert still.shape == (360, 640)
    sharp = cv2.imread(str(pictures / "0000.jpg"), 0)
    bank = np.s_[150:220, 5:60]
    assert still[bank].std() < 0.5 * sharp[bank].std()

    station = town.store.records.put(
        "river_station", {"code": "pont", "name": "Le pont", "river": "L'Essai"}, who=SYSTEM
    )
    measure_camera(
        town, town.store.records.put("river_camera", {"station": station.id}, id=row.id, who=SYSTEM)
    )
    shown = images.latest(town, station.id)
    assert (shown.values["source"], shown.values["at"] > last.start_us) == ("Caméra pont", True)
    assert shown.values["caption"] == "Caméra pont, Le pont"

    torn = msgspec.structs.replace(answer, flags=(*answer.flags, "level_conflict"), still="", folder="")
    _take(town, row, torn)
    assert town.store.records.get("river_camera", row.id).values["state"] == "conflict"

    row = add(town, "gue", river, pictures, purpose="other")
    assert measure_camera(town, row) is None
    assert (spool_of(town, row).exists(), town.store.records.get("river_camera", row.id).values["state"]) == (
        False,
        "unlawful",
    )


def test_video_goes_after_its_delay_and_what_waits_is_found(tmp_path: Path, pictures: Path):
    folder = capture("folder", str(pictures), tmp_path, 0.1)
    at, sequence = read_spool(folder)
    assert (len(sequence.frames), waiting(tmp_path)) == (8, [folder])
    assert sequence.times_s.tolist() == pytest.approx([i / 10 for i in range(8)])
    assert (forget_spool(tmp_path, at - 1), forget_spool(tmp_path, at + 1), waiting(tmp_path)) == (0, 1, [])


def test_snapshots_over_http_and_a_camera_that_does_not_answer(tmp_path: Path, pictures: Path):
    names = sorted(pictures.iterdir())

    class Camera(http.server.BaseHTTPRequestHandler):
        served = 0

        def do_GET(self):
            data = names[Camera.served % len(names)].read_bytes()
            Camera.served += 1
            self.send_response(503 if Camera.served == 1 else 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    paused: list[float] = []
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/now.jpg"
        _, sequence = read_spool(capture("http", url, tmp_path, None, paused.append))
    finally:
        server.shutdown()
        server.server_close()
    assert (len(sequence.frames), paused[0]) == (8, 0.5)  # refused once, asked again
    with pytest.raises(Unavailable):
        capture("http", url, tmp_path, None, paused.append)


def test_a_real_rtsp_stream_with_its_own_stamps(tmp_path: Path, pictures: Path):
    probe = subprocess.run(
        ["/usr/bin/python3", "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"],
        capture_output=True,
        check=False,
    )
    if probe.returncode:
        pytest.skip(
            "GStreamer's RTSP server is not installed (Debian: gir1.2-gst-rtsp-server-1.0, python3-gi, gstreamer1.0-plugins-good)"
        )
    server = subprocess.Popen(
        ["/usr/bin/python3", str(Path(__file__).with_name("rtsp_server.py")), str(pictures), "10"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        port = server.stdout.readline().split()[1]
        _, sequence = read_spool(capture("rtsp", f"rtsp://127.0.0.1:{port}/cam", tmp_path))
    finally:
        server.communicate("end\n", timeout=20)
    assert (len(sequence.frames), sequence.frames[0].shape) == (12, (360, 640))
    assert np.diff(sequence.times_s) == pytest.approx([0.1] * 11, abs=0.002)


@pytest.fixture(scope="module")
def mayor(town: Town) -> Iterator[TestClient]:
    with TestClient(create_app(town), base_url="http://127.0.0.1:8080", follow_redirects=False) as client:
        client.headers.update({"Accept": "text/html", "Accept-Language": "fr"})
        person = people.add(
            town.store, SYSTEM, email="r@essai.fr", name="Une responsable", role="responsable"
        )
        link = sign_in.make_link(town.store, SYSTEM, person.id)
        client.cookies.set(SESSION_COOKIE, sign_in.by_link(town.store, link, agent="Firefox")[1])
        yield client


def test_the_survey_page_without_a_script(town: Town, mayor: TestClient, river: River, pictures: Path):
    row = add(town, "releve", river, pictures, site=None)
    address = "/riviere/cameras/releve/releve"
    page = mayor.get(address).text
    token = page.split('name="csrf" value="')[1].split('"')[0]
    sent = mayor.post(
        address, data={"csrf": token}, files={"photo": ("a.jpg", (pictures / "0000.jpg").read_bytes())}
    )
    assert (sent.status_code, 'type="image"' in mayor.get(address).text) == (303, True)
    site = site_of(river)
    fields = {"csrf": token, "width": "640", "height": "360", "level": f"{river.level:.3f}", "zero": "0"}
    fields["section"] = "\n".join("; ".join(f"{v:.3f}" for v in p) for p in site.section.points)
    for i, p in enumerate(site.points):
        fields |= {
            f"px{i}": f"{p.px:.2f}",
            f"py{i}": f"{p.py:.2f}",
            f"x{i}": f"{p.x:.3f}".replace(".", ","),
            f"y{i}": f"{p.y:.3f}",
            f"z{i}": f"{p.z:.3f}",
        }
    clicked = mayor.post(address, data={**fields, "click.x": "311", "click.y": "87"}).text
    assert (
        f'name="px{len(site.points)}" value="311"' in clicked,
        f'name="py{len(site.points)}" value="87"' in clicked,
    ) == (True, True)
    assert "écart (px)" in clicked
    wrong = mayor.post(address, data={**fields, "x0": "là-bas"})
    assert (wrong.status_code, "là-bas" in wrong.text, "n&#39;est pas un nombre" in wrong.text) == (
        422,
        True,
        True,
    )
    assert mayor.post(address, data=fields).status_code == 303
    assert (
        mayor.post(
            address, data={**fields, "click.x": "10", "click.y": "20", "clicks": "landmark"}
        ).text.count("10; 20")
        == 1
    )
    corner = mayor.post(address, data={**fields, "click.x": "320", "click.y": "200", "clicks": "region"}).text
    told = corner.split('name="region"')[1].split(">", 1)[1].split("<")[0]
    ground = projection_of(site).ground(np.array([(320.0, 200.0)]))[0]
    assert [float(v) for v in told.split(";")] == pytest.approx(ground.tolist(), abs=0.02)
    too_few = mayor.post(
        address,
        data={
            "csrf": token,
            "click.x": "3",
            "click.y": "2",
            "clicks": "region",
            "width": "640",
            "height": "360",
        },
    )
    assert (too_few.status_code, "quatre points de contrôle" in too_few.text) == (422, True)
    more = {
        "region": "1; 0\n5; -2\n5; 2", "landmarks": "30; 170; pile du pont\n600,5; 180",
        "staff-x": "4", "staff-y": "0,2", "staff-bottom": "0.1", "staff-top": "2.4", "staff-turn": "90",
    }  # fmt: skip
    for wrong, place in (
        ({"region": "1; 0\n2; 2"}, "region"),
        ({"landmarks": "30"}, "landmarks, 1"),
        ({"landmarks": "30; 999"}, "landmarks, 1"),
        ({"staff-top": "0.1"}, "staff-top"),
    ):
        refused = mayor.post(address, data={**fields, **more, **wrong})
        assert (refused.status_code, f"({place})" in refused.text) == (422, True), place
    assert mayor.post(address, data={**fields, **more}).status_code == 303
    lens = {"matrix": [[500, 0, 320], [0, 500, 180], [0, 0, 1]], "distortion": [0.01, 0, 0, 0]}
    marked = town.store.records.get("river_camera", row.id).values["site"]
    town.store.records.put(
        "river_camera", {"site": {**marked, "lens": lens, "crs": "EPSG:2154"}}, id=row.id, who=SYSTEM
    )
    page = mayor.get(address).text
    assert ("1; 0\n5; -2\n5; 2" in page, "600.5; 180" in page, 'name="staff-turn" value="90"' in page) == (
        True,
        True,
        True,
    )
    assert mayor.post(address, data={**fields, **more}).status_code == 303
    kept = msgspec.convert(town.store.records.get("river_camera", row.id).values["site"], Site)
    assert (kept.crs, kept.lens.distortion, kept.staff.turn) == (
        "EPSG:2154",
        (0.01, 0.0, 0.0, 0.0),
        pytest.approx(np.pi / 2),
    )
    frame = cv2.imread(str(pictures / "0000.jpg"), 0)
    assert moved_since_survey(frame, kept.landmarks) == []
    assert moved_since_survey(np.roll(frame, 12, 1), kept.landmarks) == ["camera_moved"]
    assert (len(kept.points), len(kept.section.points), kept.level) == (
        len(site.points),
        len(site.section.points),
        pytest.approx(river.level, abs=1e-3),
    )
    assert len(town.store.records.history("river_camera", row.id)) == 6

    bed = (
        site.section.points
    )  # the same section as its surveyor has it: stations and depths, between two banks
    banks = {"bank-x0": f"{bed[0][0]}", "bank-y0": "0", "bank-x1": f"{bed[-1][0]}", "bank-y1": "0"}
    optics = {"lens-focal": f"{river.matrix[0, 0]:.2f}", "lens-k1": "-0,01", "lens-k2": ""}
    table = "station;profondeur\n" + "".join(
        f"{s - bed[0][0]:.3f};{river.level - z:.3f}\n" for s, _, z in bed
    )
    answered = mayor.post(
        address,
        data={**fields, **more, **banks, **optics, "section": ""},
        files={"table": ("section.csv", table.encode())},
    )
    assert answered.status_code == 303
    kept = msgspec.convert(town.store.records.get("river_camera", row.id).values["site"], Site)
    assert np.array(kept.section.points) == pytest.approx(np.array(bed), abs=0.002)
    assert (kept.lens.distortion, kept.lens.matrix[0][2]) == ((-0.01, 0.0, 0.0, 0.0), 319.5)
    assert kept.version == 4  # the fourth survey that was kept
    without = mayor.post(address, data={**fields, "section": "0; 1\n5; 0\n9; 1"})
    assert (without.status_code, "(bank-x0)" in without.text) == (422, True)
    clicked = mayor.post(address, data={**fields, "click.x": "320", "click.y": "200", "clicks": "bank"}).text
    assert f'name="bank-x0" value="{ground[0]:.2f}"' in clicked


def test_the_public_list_and_the_assessment(town: Town, mayor: TestClient, river: River, pictures: Path):
    if not town.store.records.find("river_camera", Query(where={"code": "liste"})).rows:
        add(town, "liste", river, pictures, authorised_until=date(2020, 1, 1))
    with TestClient(create_app(town), base_url="http://127.0.0.1:8080", follow_redirects=False) as anyone:
        public = anyone.get("/riviere/cameras", headers={"Accept": "text/html", "Accept-Language": "en"}).text
        assert (
            "2026-018-041" in public,
            "The authorisation expired on 2020-01-01." in public,
            str(pictures) in public,
        ) == (True, True, False)
        assert anyone.get("/riviere/cameras/liste/releve", headers={"Accept": "text/html"}).status_code in (
            302,
            303,
            401,
        )
    draft = mayor.get("/riviere/cameras/liste/aipd").text
    assert ("T-12" in draft, "Prévention des risques naturels" in draft) == (True, True)
