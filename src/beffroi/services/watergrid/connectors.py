"""The kinds of network files that `beffroi import` reads: EPANET models and StaR-Eau GeoPackages."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from beffroi.model.declaration import KindOfImport
from beffroi.model.reference_system import projection
from beffroi.model.text import Text
from beffroi.services.watergrid.hydraulics.epanet import FLOW_UNITS_M3H
from beffroi.services.watergrid.hydraulics.model import Link, Model, read_model
from beffroi.services.watergrid.stareau import reading
from beffroi.store.record import Entry, Reject

__all__ = ["IMPORTS"]

_UNITS = ("CFS", "GPM", "MGD", "IMGD", "AFD", "LPS", "LPM", "MLD", "CMH", "CMD")
_COLLECTIONS = ("water_node", "water_valve", "water_pipe")
# what every layer of the template has, and few other files
_SIGNS = ("type_reseau", "etat_service", "an_pose_sup", "precision_xy", "maitre_ouvrage", "origine_creation")


def _epanet(path: Path, options: Mapping[str, Any]) -> Iterator[Entry | Reject]:
    """Yield the network of a model. Its coordinates are local unless `--crs` says in what system they are."""
    model = read_model(path)
    wanted, turn = options["collection"], _placing(options.get("crs"))
    if wanted == "water_node":
        yield from _nodes(model, turn)
        return
    for link in model.links.values():
        if (link.kind == "pipe") == (wanted == "water_pipe"):
            yield Entry(*(_pipe(link, turn) if link.kind == "pipe" else _valve(link, turn)), place=link.name)
    if wanted == "water_pipe":
        for line in model.unread:
            yield Reject(
                f"line {line.line}", "", Text(f"« {line.text[:60]} » ne se comprend pas.", f"'{line.text[:60]}' is not understood."),
                Text("Corrigez la ligne du modèle.", "Mend the line of the model."),
            )  # fmt: skip


def _placing(crs: object) -> Any:
    if not crs:
        return None
    return projection(str(crs)).transform


def _nodes(model: Model, turn: Any) -> Iterator[Entry]:
    per_hour = FLOW_UNITS_M3H[_UNITS.index(model.units)] if model.units in _UNITS else 1.0
    for node in model.nodes.values():
        values = {
            "code": node.name, "kind": node.kind, "elevation_m": round(node.elevation_m, 2),
            "demand_m3h": round(max(node.demand, 0.0) * per_hour, 4) if node.kind == "junction" else None,
            "x_model": None if node.place is None else node.place[0], "y_model": None if node.place is None else node.place[1],
        }  # fmt: skip
        point = (
            None
            if turn is None or node.place is None
            else {"type": "Point", "coordinates": list(turn(*node.place))}
        )
        yield Entry({k: v for k, v in values.items() if v is not None}, point, place=node.name)


def _pipe(link: Link, turn: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    values = {
        "code": link.name, "start": link.start, "end": link.end, "length_m": round(link.length_m, 2),
        "diameter_mm": link.diameter_mm, "roughness": link.roughness, "state": link.status,
    }  # fmt: skip
    line = None
    if turn is not None and len(link.course) > 1:
        line = {"type": "LineString", "coordinates": [list(turn(*p)) for p in link.course]}
    return {k: v for k, v in values.items() if v is not None}, line


def _valve(link: Link, turn: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    values = {
        "code": link.name, "kind": "pump" if link.kind == "pump" else "regulator", "start": link.start, "end": link.end,
        "diameter_mm": link.diameter_mm, "setting": link.setting or None, "state": "closed" if link.status == "closed" else "open",
    }  # fmt: skip
    point = None
    if turn is not None and link.course:
        x = sum(p[0] for p in link.course) / len(link.course)
        y = sum(p[1] for p in link.course) / len(link.course)
        point = {"type": "Point", "coordinates": list(turn(x, y))}
    return {k: v for k, v in values.items() if v is not None}, point


IMPORTS = (
    KindOfImport(
        "epanet", Text("Modèle EPANET : le réseau, sans lieu à moins de donner le système de ses coordonnées", "EPANET model: the network, without a place unless the system of its coordinates is given"),
        _epanet, (".inp",), _COLLECTIONS, apart=True,
    ),
    KindOfImport(
        "stareau", Text("Eau potable StaR-Eau 2024 (GeoPackage)", "StaR-Eau 2024 drinking water (GeoPackage)"),
        reading.read, (".gpkg",), ("water_node", "water_valve", "water_meter", "water_pipe"), _SIGNS, apart=True,
    ),
)  # fmt: skip
