"""From frames to a discharge: rendered rivers, real rivers, bad input."""

import json
import shutil
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from tests.services.water.camera.conftest import SMALL, sequence_of
from typer.testing import CliRunner

from beffroi.cli import application
from beffroi.model.problem import Problem
from beffroi.services.water.camera.discharge import discharge_of
from beffroi.services.water.camera.frames import Sequence, read_folder, read_video
from beffroi.services.water.camera.importing import import_site
from beffroi.services.water.camera.measure import measure, water_of
from beffroi.services.water.camera.projection import projection_of, residuals_of
from beffroi.services.water.camera.quality import landmark_patch, picture_doubts
from beffroi.services.water.camera.scene import River, Weather, frame, frames, river_of, site_of, truth_m3s
from beffroi.services.water.camera.section import wetted
from beffroi.services.water.camera.site import Landmark, Point, Section, Site, read_site, write_site
from beffroi.services.water.camera.standing import standing_in

app = application("water")


def test_a_rendered_river_by_day(river: River, by_day: Sequence):
    found = measure(site_of(river), by_day, river.level)
    low, high = found.interval95
    truth = truth_m3s(river)
    assert abs(found.discharge_m3s / truth - 1) <= 0.03
    assert (low <= truth <= high, (high - low) / 2 < 0.15 * truth, found.flags) == (True, True, ())
    assert abs(sum(found.budget.values()) - 1) < 1e-3


def test_every_engine_is_kept_when_all_are_asked(river: River, by_day: Sequence):
    found = measure(site_of(river), by_day, river.level, engine="all")
    assert set(found.engines) == {"ensemble", "multipass", "klt", "stiv"}
    sure = [e["discharge_m3s"] for e in found.engines.values() if e["valid_share"] > 0.8]
    assert len(sure) >= 3
    assert max(abs(q / truth_m3s(river) - 1) for q in sure) < 0.08


def test_night_with_rain_and_shake_is_told_and_measured(river: River):
    found = measure(
        site_of(river),
        sequence_of(river, Weather(light=0.35, noise=6, rain=60, shake_px=2.0), 10),
        river.level,
    )
    assert {"night", "shake"} <= set(found.flags)
    assert found.discharge_m3s is None or abs(found.discharge_m3s / truth_m3s(river) - 1) <= 0.08


@pytest.mark.parametrize(
    ("weather", "doubt"),
    [
        (Weather(light=0.03, noise=4), "dark"),
        (Weather(fog=1.0, noise=3), "blind"),
        (Weather(waves=0.0), "incoherent"),
        (Weather(moved_px=14), "camera_moved"),
    ],
)
def test_a_picture_that_shows_nothing_gives_no_figure(river: River, weather: Weather, doubt: str):
    clear = frame(river, Weather(noise=0))
    site = site_of(river)
    marks = tuple(Landmark(p.px, p.py, patch=landmark_patch(clear, p.px, p.py)) for p in site.points[:8])
    found = measure(msgspec.structs.replace(site, landmarks=marks), sequence_of(river, weather), river.level)
    assert (found.discharge_m3s, found.interval95, doubt in found.flags) == (None, None, True)


@pytest.mark.parametrize(
    ("weather", "doubts"),
    [
        (Weather(fog=0.75), {"fog"}), (Weather(glare=0.3), {"glare"}), (Weather(shadow=0.45), {"shadow"}),
        (Weather(rain=60), {"rain"}), (Weather(light=0.35), {"night"}), (Weather(), set()),
        (Weather(ice=0.6), {"ice"}), (Weather(floes=0.5), {"ice"}),
    ],
)  # fmt: skip
def test_a_poor_picture_is_told(river: River, weather: Weather, doubts: set[str]):
    told = set(picture_doubts(frames(river, 4, 0.1, weather), water_of(site_of(river), river.level, SMALL)))
    assert (doubts <= told, bool(told)) == (True, bool(doubts))


def test_what_stands_before_the_water_is_seen_and_what_moves_is_not():
    rng = np.random.default_rng(4)
    water = cv2.GaussianBlur(rng.normal(0, 60, (120, 400)).astype(np.float32), (0, 0), 1.5) + 110
    pile = np.zeros((120, 240), bool)
    pile[:, 100:112] = True
    marks = rng.integers(20, 230, (120, 240))
    moving = [water[:, 6 * k : 6 * k + 240] + rng.normal(0, 2, (120, 240)) for k in range(8)]
    seen = standing_in([np.clip(np.where(pile, marks, m), 0, 255).astype(np.uint8) for m in moving])
    assert (seen[pile].mean() > 0.97, seen[~pile].mean() < 0.06) == (True, True)  # its rim included
    # banks that fill most of the frame do not hide it: the usual is that of the water
    bank = cv2.GaussianBlur(rng.normal(0, 200, (120, 160)).astype(np.float32), (0, 0), 2) + 110
    banked = [
        np.clip(np.hstack([bank, np.where(pile, marks, m), bank]), 1, 255).astype(np.uint8) for m in moving
    ]
    seen = standing_in(banked, (slice(None), slice(160, 400)))[:, 160:400]
    assert (seen[pile].mean() > 0.97, seen[~pile].mean() < 0.12) == (True, True)
    still = [
        np.clip(water[:, :240] + rng.normal(0, 2, (120, 240)), 1, 255).astype(np.uint8) for _ in range(8)
    ]
    assert standing_in(still).mean() < 0.2  # where nothing moves, nothing stands out: no_motion says so
    assert standing_in(still[:3]) is None


def test_a_staff_before_the_section_does_not_slow_the_water():
    behind = river_of(98)  # its staff hides two verticals in the fast half
    found = measure(site_of(behind), sequence_of(behind, count=6), behind.level)
    assert abs(found.discharge_m3s / truth_m3s(behind) - 1) <= 0.02


def test_a_wrong_frame_rate_shows(river: River, by_day: Sequence):
    hurried = Sequence(by_day.frames, by_day.times_s / 20)
    assert "implausible_speed" in measure(site_of(river), hurried, river.level).flags


def test_repeated_and_broken_frames_are_left_out(tmp_path: Path, by_day: Sequence):
    for i in range(5):
        cv2.imwrite(str(tmp_path / f"{2 * i:04d}.png"), by_day.frames[i])
        cv2.imwrite(str(tmp_path / f"{2 * i + 1:04d}.png"), by_day.frames[i])
    (tmp_path / "0009.jpg").write_bytes(b"\xff\xd8 cut short")
    found = read_folder(tmp_path, 0.05)
    assert (len(found.frames), set(found.doubts) >= {"broken_frames", "repeated_frames"}) == (5, True)
    assert found.times_s.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_bad_input_is_named(tmp_path: Path, river: River, by_day: Sequence):
    site = site_of(river)
    away = msgspec.structs.replace(
        site, section=Section(tuple((x + 900, y, z) for x, y, z in site.section.points))
    )
    flat = msgspec.structs.replace(
        site, points=tuple(Point(100.0 + 10 * i, 50.0 + 5 * i, float(i), 2.0 * i, 0.0) for i in range(6))
    )
    for wrong, place in ((away, "/section"), (flat, "/points"), (Site(), "/section")):
        with pytest.raises(Problem) as told:
            measure(wrong, by_day, river.level)
        assert told.value.place == place
    for level in (-50.0, float("nan")):
        with pytest.raises(Problem) as told:
            measure(site, by_day, level)
        assert told.value.place == "--level"
    for dt in (0.0, float("nan")):
        with pytest.raises(Problem) as told:
            read_folder(tmp_path, dt)
        assert told.value.place == "--dt"
    (tmp_path / "clip.mp4").write_bytes(b"not a video")
    with pytest.raises(Problem) as told:
        read_video(tmp_path / "clip.mp4")
    assert told.value.place.endswith("clip.mp4")
    assert "level_above_banks" in measure(site, by_day, float(river.bed[0, 1]) + 0.05).flags


def test_a_section_is_cut_at_the_level_by_hand():
    site = Site(section=Section(((0, 0, 2), (0, 2, 0), (0, 6, 0), (0, 8, 2.0)), verticals=9), level=1.0)
    wet = wetted(site)
    assert (wet.area_m2, wet.left, wet.right, wet.above_banks) == (5.0, 1.0, 7.0, False)
    found = discharge_of(wet.stations, wet.depths, np.ones(9), np.ones(9, bool), 1.0)
    assert (round(found.value, 9), found.measured_share) == (pytest.approx(5.0, rel=0.03), 1.0)
    half = discharge_of(wet.stations, wet.depths, -np.sqrt(wet.depths), np.arange(9) < 5, 0.8)
    whole = discharge_of(wet.stations, wet.depths, -np.sqrt(wet.depths), np.ones(9, bool), 0.8)
    assert (round(half.value, 9), half.way) == (round(whole.value, 9), -1)


def test_a_pose_is_found_from_points_and_from_a_plane(river: River):
    site = msgspec.structs.replace(site_of(river), landmarks=())
    assert max(r.pixels for r in residuals_of(site)) < 0.01
    pose = projection_of(site).pose
    assert np.abs(pose.place() - river.place).max() < 0.01
    plane = np.linalg.inv(pose.plane(river.level))
    shift = np.eye(3)
    shift[:2, 2] = pose.origin[:2]
    rows = tuple(map(tuple, shift @ plane))
    surveyed = Site(width=640, height=360, homography=rows, level=river.level)
    for level in (river.level, river.level + 0.4):
        there = np.array([(river.bed[-1, 0] / 2, 1.0), (2.0, 3.0)])
        seen = projection_of(surveyed, level).pixels(there)
        true = river.pixels(np.column_stack((there, (level, level))))
        assert np.abs(seen - true).max() < 0.05


@pytest.mark.shared
def test_the_pisco_by_the_command_line(tmp_path: Path, shared: Path):
    folder, out = shared / "data" / "hydro" / "camera_pisco", tmp_path / "site.json"
    files = [str(folder / n) for n in ("section.json", "pisco_section.csv", "transformation.json")]
    run = CliRunner().invoke
    imported = run(app, ["water", "site", "import", *files, "--out", str(out), "--json"])
    assert (imported.exit_code, json.loads(imported.stdout)["alpha"]) == (0, 1.0)
    ran = run(
        app, ["water", "discharge", "--site", str(out), "--frames", str(folder), "--dt", "0.08", "--json"]
    )
    said = json.loads(ran.stdout)
    low, high = said["interval95"]
    assert abs(said["discharge_m3s"] / 50.52 - 1) <= 0.04
    assert (low <= 50.52 <= high, (high - low) / 2 <= 0.15 * said["discharge_m3s"]) == (True, True)
    assert {"mean_velocity_ms", "area_m2", "measured_share", "flags", "cpu_s"} <= set(said)
    assert round(said["area_m2"], 2) == 21.42
    part = tmp_path / "part"
    part.mkdir()
    for name in sorted(folder.glob("*.jpg"))[1:]:
        shutil.copy(name, part)
    ran = run(
        app,
        [
            "water",
            "discharge",
            "--site",
            str(out),
            "--frames",
            str(part),
            "--dt",
            "0.08",
            "--level",
            "1.765",
            "--json",
        ],
    )
    assert abs(json.loads(ran.stdout)["discharge_m3s"] / 50.52 - 1) <= 0.05


@pytest.mark.shared
def test_the_ngwerere_field_and_the_geul_configuration(tmp_path: Path, shared: Path):
    hydro = shared / "data" / "hydro"
    out = tmp_path / "site.json"
    run = CliRunner().invoke
    files = [str(hydro / "camera_ngwerere" / n) for n in ("ngwerere.json", "cross_section1.geojson")]
    assert run(app, ["water", "site", "import", *files, "--out", str(out)]).exit_code == 0
    field = hydro / "camera_ngwerere" / "ngwerere_masked.nc"
    said = json.loads(
        run(app, ["water", "discharge", "--site", str(out), "--velocity", str(field), "--json"]).stdout
    )
    assert abs(said["discharge_m3s"] / 0.1641 - 1) <= 0.05
    site = import_site([hydro / "camera_geul" / "dk_cam_config.json"])
    miss = np.array([r.pixels for r in residuals_of(site)])
    assert float(np.sqrt(np.mean(miss**2) / 2)) <= 3
    told = run(
        app,
        [
            "water",
            "site",
            "import",
            str(hydro / "camera_geul" / "dk_cam_config.json"),
            "--out",
            str(out),
            "--json",
        ],
    )
    assert json.loads(told.stdout)["residual_rms_px"] == pytest.approx(
        np.sqrt(np.mean(miss**2) / 2), abs=1e-3
    )
    assert site.altitude() == pytest.approx(138.27)
    write_site(site, out)
    assert read_site(out) == site
    ran = run(
        app,
        ["water", "discharge", "--site", str(out), "--video", str(hydro / "camera_geul" / "dk_control.mp4")],
    )
    assert (ran.exit_code, ran.exception.place) == (1, "/section")


def test_a_file_without_a_role_and_a_line_that_is_no_number(tmp_path: Path):
    (tmp_path / "a.json").write_text('{"hello": 1}')
    (tmp_path / "b.csv").write_text("d,h\n0,1\n1,nan\n")
    (tmp_path / "m.json").write_text("[[1,0,0],[0,1,0],[0,0,1]]")
    for name, place in (("a.json", "a.json"), ("b.csv", "b.csv, line 3")):
        with pytest.raises(Problem) as told:
            import_site([tmp_path / "m.json", tmp_path / name])
        assert told.value.place.endswith(place)
    with pytest.raises(Problem, match="one role"):
        shutil.copy(tmp_path / "m.json", tmp_path / "n.json")
        import_site([tmp_path / "m.json", tmp_path / "n.json"])
