"""The build hook: builds the bundle when the sources differ from its stamp, and says what to do without npm."""

import json
from pathlib import Path

import pytest
from hatch_build import BUNDLE, BundleMissingError, bundle, fingerprint

BUILD = """node -e "const fs=require('fs');fs.mkdirSync('../src/beffroi/web/static/dist',{recursive:true});\
fs.copyFileSync('site.css','../src/beffroi/web/static/dist/site.css')" """


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project whose front end is one style sheet, built by a real npm."""
    frontend = tmp_path / "frontend"
    frontend.mkdir()
    package = {"name": "face", "version": "1.0.0", "scripts": {"build": BUILD}}
    lock = {
        "name": "face",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "packages": {"": {"name": "face", "version": "1.0.0"}},
    }
    (frontend / "package.json").write_text(json.dumps(package), "utf-8")
    (frontend / "package-lock.json").write_text(json.dumps(lock), "utf-8")
    (frontend / "site.css").write_text("a{}", "utf-8")
    return tmp_path


def test_bundle_is_built_once_and_again_when_a_source_changes(project: Path) -> None:
    assert bundle(project) is True
    assert bundle(project) is False
    (project / "frontend/site.css").write_text("b{}", "utf-8")
    assert bundle(project) is True
    assert (project / BUNDLE / "site.css").read_text("utf-8") == "b{}"


def test_fingerprint_sees_names_and_bytes_but_not_what_npm_brings(project: Path) -> None:
    frontend = project / "frontend"
    first = fingerprint(frontend)
    (frontend / "node_modules").mkdir()
    (frontend / "node_modules/ol.js").write_text("x", "utf-8")
    assert fingerprint(frontend) == first
    (frontend / "site.css").rename(frontend / "page.css")
    assert fingerprint(frontend) != first


def test_without_npm_a_missing_bundle_says_what_to_install(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(BundleMissingError, match="install Node 20 or newer with npm"):
        bundle(project)


def test_without_npm_a_present_bundle_is_enough(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle(project)
    monkeypatch.setenv("PATH", str(project))
    assert bundle(project) is False


def test_build_that_fails_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = {"name": "face", "version": "1.0.0", "scripts": {"build": "exit 3"}}
    (project / "frontend/package.json").write_text(json.dumps(package), "utf-8")
    with pytest.raises(BundleMissingError, match="npm build failed"):
        bundle(project)
    assert not (project / BUNDLE / ".stamp").exists()
    capsys.readouterr()
