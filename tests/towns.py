"""Towns for tests: made and opened once by the product, then copied; a copy costs a tenth of a new one."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from beffroi.cli.init import create_town
from beffroi.town import open_town

__all__ = ["town_at"]

_templates = TemporaryDirectory(prefix="beffroi-towns-")


def town_at(folder: Path, name: str = "Essai-les-Bains", email: str = "maire@essai.fr") -> Path:
    """Put a town in `folder`, as `beffroi init` and a first start leave it, and return `folder`."""
    shutil.copytree(_template(name, email), folder, dirs_exist_ok=True)
    return folder


@cache
def _template(name: str, email: str) -> Path:
    made = Path(_templates.name) / str(len(list(Path(_templates.name).iterdir())))
    create_town(made, name, email=email)
    open_town(made).close()
    return made
