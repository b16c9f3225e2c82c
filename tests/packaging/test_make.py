"""The front door: `make help` names every target, and a set-up that was done costs next to nothing."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(*targets: str) -> str:
    """Run make in the repository and return what it printed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(
        ["make", *targets], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_help_lists_every_target_that_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    listed = re.findall(r"^  make ([a-z-]+) ", make("help"), re.MULTILINE)
    assert sorted(listed) == sorted(phony)


def test_second_setup_takes_at_most_two_seconds() -> None:
    if not (ROOT / ".venv/.installed").exists():
        pytest.skip("this checkout was not set up by make")
    make("setup")
    start = time.monotonic()
    make("setup")
    assert time.monotonic() - start <= 2
