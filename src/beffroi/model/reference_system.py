"""Coordinate reference systems by their name, and the way from one to another.

PROJ is 9 MB of memory and most towns keep degrees only: it is loaded when something is first projected.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from beffroi.model.problem import Problem
from beffroi.model.text import Text

if TYPE_CHECKING:
    from pyproj import CRS, Transformer

__all__ = ["is_wgs84", "projection", "system"]


def _unknown(named: str) -> Problem:
    """Return the problem of a reference system that PROJ does not know."""
    shown = named[:60].replace("{", "(").replace("}", ")")
    return Problem(
        Text(f"Le système de coordonnées « {shown} » n'est pas connu.", f"The reference system '{shown}' is not known."),
        Text("Écrivez par exemple EPSG:2154 (Lambert-93) ou EPSG:4326.", "Write for example EPSG:2154 (Lambert-93) or EPSG:4326."),
        place="crs",
    )  # fmt: skip


@lru_cache(maxsize=64)
def system(named: str | int) -> "CRS":
    """Return the system of a name or an EPSG number, in any spelling that PROJ takes. Raises `Problem`."""
    from pyproj import CRS  # noqa: PLC0415 -- see above
    from pyproj.exceptions import CRSError  # noqa: PLC0415

    try:
        return CRS.from_user_input(named)
    except CRSError as error:
        raise _unknown(str(named)) from error


def is_wgs84(named: str | int) -> bool:
    """Return True for WGS 84 degrees, whatever their order. Raises `Problem`."""
    return system(named).equals(system(4326), ignore_axis_order=True)


@lru_cache(maxsize=64)
def projection(source: str | int, target: str | int = 4326) -> "Transformer":
    """Return what changes coordinates of one system to another's, x (longitude) first in both. Raises `Problem`."""
    from pyproj import Transformer  # noqa: PLC0415 -- see above

    return Transformer.from_crs(system(source), system(target), always_xy=True)
