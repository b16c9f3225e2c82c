"""GeoJSON features (RFC 7946), one at a time: properties, geometry, and the line where each begins."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.json_items import json_items
from beffroi.standards.reading import Reject

__all__ = ["Feature", "features"]


class Feature(msgspec.Struct, frozen=True):
    """One feature; `id` is "" when it has none."""

    line: int
    properties: dict[str, Any]
    geometry: dict[str, Any] | None
    id: str = ""


def features(stream: BinaryIO) -> Iterator[Feature | Reject]:
    """Yield the features of a FeatureCollection, of an array or of lines. Raises `Problem` for another file."""
    seen = False
    for line, item in json_items(stream, ("features",)):
        if not seen and not _is_feature(item):
            raise Problem(
                Text("Ce n'est pas du GeoJSON : il n'y a pas d'objets (Feature).", "This is not GeoJSON: it has no features."),
                Text("Exportez la couche en GeoJSON (EPSG:4326).", "Export the layer as GeoJSON (EPSG:4326)."),
                place=f"line {line}",
            )  # fmt: skip
        seen = True
        yield _feature(line, item) if _is_feature(item) else Reject(
            line, "", Text("Cet élément n'est pas un objet (Feature).", "This element is not a feature."),
            Text("Retirez-le, ou exportez la couche de nouveau.", "Remove it, or export the layer again."),
        )  # fmt: skip


def _is_feature(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "Feature"


def _feature(line: int, item: dict[str, Any]) -> Feature:
    properties, geometry, own = item.get("properties"), item.get("geometry"), item.get("id")
    return Feature(
        line,
        properties if isinstance(properties, dict) else {},
        geometry if isinstance(geometry, dict) else None,
        str(own) if isinstance(own, str | int) and not isinstance(own, bool) else "",
    )
