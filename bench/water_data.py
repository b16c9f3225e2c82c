"""Where the public data of rivers is."""

import os
from pathlib import Path


def hydro_folder() -> Path:
    """Return the folder of rivers."""
    return Path(os.environ.get("BEFFROI_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "hydro"
