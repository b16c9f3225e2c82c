"""The reference is that of the code, and everything a person can name is in it or in a guide."""

import subprocess
import sys
from pathlib import Path

from beffroi.plugins import HookSpecs, load_registry
from beffroi.rules import reading
from beffroi.settings import Settings

ROOT = Path(__file__).parents[2]


def test_reference_is_written_from_the_present_code() -> None:
    command = [sys.executable, "docs/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_every_hook_and_setting_has_its_line() -> None:
    hooks = (ROOT / "docs/reference/hooks.md").read_text("utf-8")
    settings = (ROOT / "docs/reference/settings.md").read_text("utf-8")
    named = [name for name in vars(HookSpecs) if name.startswith("beffroi_")]
    assert named == [name for name in named if f"## `{name}(" in hooks]
    fields = [f for f in Settings.__struct_fields__ if f != "data"]
    assert fields == [f for f in fields if f"`{f}`" in settings or f"`{f}." in settings]


def test_every_indicator_says_how_it_is_computed_in_both_languages() -> None:
    page = (ROOT / "docs/reference/indicators.md").read_text("utf-8")
    indicators = [i for service in load_registry().services.values() for i in service.indicators]
    assert indicators
    assert [i.name for i in indicators if f"`{i.name}`" not in page or not i.formula.fr] == []


def test_guide_of_rules_names_every_condition_and_action() -> None:
    guide = (ROOT / "docs/how-to/write-a-rule.md").read_text("utf-8")
    words = [*reading._LEAVES, *reading._ACTIONS, *reading._MOMENTS]
    assert [word for word in words if f"`{word}`" not in guide] == []
