"""`publiccode.yml` says what catalogues of public software need (publiccode.yml 0.4, schema.core)."""

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
STATUSES = {"concept", "development", "beta", "stable", "obsolete"}
TYPES = {
    "standalone/mobile", "standalone/iot", "standalone/desktop", "standalone/web", "standalone/backend",
    "standalone/other", "addon", "library", "configurationFiles",
}  # fmt: skip


def test_publiccode_has_every_required_key_of_the_standard() -> None:
    card = yaml.safe_load((ROOT / "publiccode.yml").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert card["publiccodeYmlVersion"] == "0.4"
    assert (card["softwareVersion"], card["legal"]["license"]) == (project["version"], project["license"])
    assert card["url"].startswith("https://")
    assert card["developmentStatus"] in STATUSES
    assert card["softwareType"] in TYPES
    assert card["platforms"]
    assert card["categories"]
    assert card["maintenance"]["type"] == "community"
    assert card["maintenance"]["contacts"][0]["name"]
    assert card["localisation"] == {"localisationReady": True, "availableLanguages": ["fr", "en"]}


def test_descriptions_are_as_long_as_the_standard_allows() -> None:
    card = yaml.safe_load((ROOT / "publiccode.yml").read_text("utf-8"))
    assert set(card["description"]) == {"fr", "en"}
    for description in card["description"].values():
        assert len(description["shortDescription"]) <= 150
        assert 150 <= len(description["longDescription"]) <= 10_000
        assert len(description["genericName"]) <= 35
        assert description["features"]
        assert all(len(feature) <= 100 for feature in description["features"])
