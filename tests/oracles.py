"""The oracles: clients and estimators that others wrote, each in an environment of its own (`make oracles`)."""

from pathlib import Path

import pytest

__all__ = ["oracle"]

FOLDER = Path(__file__).parents[1] / ".oracles"


def oracle(name: str) -> str:
    """Return the Python of the environment `name` of `oracles.txt`; without it, the test is skipped, saying so."""
    python = FOLDER / name / "bin" / "python"
    if not (FOLDER / name / "packages").is_file():
        pytest.skip(f"the oracle {name} is absent: `make oracles` installs it in .oracles/{name}")
    return str(python)
