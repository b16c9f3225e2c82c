"""A site: where a camera looks at a river, and what was surveyed there.

Pixels: x to the right, y downwards, the centre of the first pixel at (0, 0). Ground: x and y in metres in the site's
own system (`crs`, or local), z upwards. Levels are readings of the gauge: the water's altitude is `zero` + level.
"""

from pathlib import Path

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.camera.staff import Staff

__all__ = ["ALPHA", "Landmark", "Lens", "Point", "Section", "Site", "read_site", "write_site"]

ALPHA = 0.875  # mean over surface velocity where nobody measured it: the middle of .85-.90 (ISO 748, floats)
Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A control point: a pixel and where it is on the ground. Without z it lies on the water of the survey."""

    px: float
    py: float
    x: float
    y: float
    z: float | None = None


class Lens(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pinhole matrix, and the distortion k1, k2, p1, p2 (, k3) of Brown."""

    matrix: Matrix
    distortion: tuple[float, ...] = ()


class Landmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fixed thing in the picture, watched to see whether the camera moved: its pixel at the survey."""

    px: float
    py: float
    name: str = ""
    patch: bytes = b""  # the picture around it (PNG)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The surveyed cross-section: (x, y, z of the bed) from one bank to the other, z in the altitudes of `zero`."""

    points: tuple[tuple[float, float, float], ...]
    sigma_m: float = 0.0  # of each depth; 0: not known
    verticals: int = 0  # how many verticals the velocity is taken on, banks included; 0: ours to choose


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One camera at one river."""

    name: str = ""
    width: int = 0  # pixels; 0: not known
    height: int = 0
    crs: str = ""
    points: tuple[Point, ...] = ()
    lens: Lens | None = None
    homography: Matrix | None = None  # pixel to ground on the water of the survey, when no point is kept
    zero: float = 0.0  # altitude of the gauge's zero
    level: float | None = None  # reading of the gauge at the survey
    section: Section | None = None
    alpha: float = ALPHA
    alpha_sigma: float | None = None
    alpha_stated: bool = False
    level_sigma_m: float = 0.01
    region: tuple[tuple[float, float], ...] = ()  # ground polygon to measure in; empty: around the section
    resolution: float | None = None  # metres per pixel of the projected picture; None: what the pictures give
    landmarks: tuple[Landmark, ...] = ()
    staff: Staff | None = None
    flow_to_right: bool | None = (
        None  # which way the water goes, seen from the section's first point to its last
    )
    version: int = 1

    def altitude(self, level: float | None = None) -> float:
        """Return the water's altitude at a reading of the gauge (that of the survey when None)."""
        return self.zero + (level if level is not None else self.level or 0.0)


def read_site(path: Path) -> Site:
    """Return the site of a file. Raises Problem at the field that is wrong."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Site)
    except OSError as error:
        raise Problem(
            Text("Le site ne peut être lu.", "The site cannot be read."),
            Text("Donnez un fichier que `beffroi water site import` a écrit.",
                 "Give a file that `beffroi water site import` wrote."),
            str(path),
        ) from error  # fmt: skip
    except msgspec.MsgspecError as error:
        raise Problem(
            Text("Ce fichier n'est pas un site : {why}", "This file is not a site: {why}").filled(
                why=str(error)
            ),
            Text(
                "Importez-le par `beffroi water site import`.", "Import it with `beffroi water site import`."
            ),
            str(path),
        ) from error


def write_site(site: Site, path: Path) -> None:
    """Write a site as JSON, whole or not at all."""
    aside = path.with_name(path.name + ".part")
    aside.write_bytes(msgspec.json.format(msgspec.json.encode(site), indent=2) + b"\n")
    aside.replace(path)
