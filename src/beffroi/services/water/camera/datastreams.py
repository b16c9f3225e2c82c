"""What a camera gauge observes, beside the level (`river_level`, a kind of the environment)."""

from beffroi.model.declaration import DatastreamKind
from beffroi.model.text import Text

__all__ = ["DATASTREAMS"]

DATASTREAMS = (
    DatastreamKind(
        "surface_velocity", Text("Vitesse de surface", "Surface velocity"), "m/s", "m/s", "metre per second",
        "http://qudt.org/vocab/quantitykind/Speed", -1, 12, None, ("vitesse_surface",), 2,
    ),
    DatastreamKind(
        "image_quality", Text("Indice de qualité de l'image", "Index of the picture's quality"), "1", "1", "one",
        "urn:beffroi:def:image-quality", 0, 1, None, ("indice_qualite",), 2,
    ),
)  # fmt: skip
