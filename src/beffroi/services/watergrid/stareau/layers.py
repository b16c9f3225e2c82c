"""The layers and columns of StaR-Eau 2024 (drinking water), and which of them our collections carry.

The columns are those of CNIG's GeoPackage template (Licence Ouverte 2.0), kept in `layers_2024.json`: another year is
another file. Values of lists (`type_pose`, `etat_service`, …) are the town's: none is invented here.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

__all__ = ["MAPPED", "VERSION", "Column", "Layer", "Mapped", "layers"]

VERSION = "2024"


class Column(msgspec.Struct, frozen=True):
    """One column: SQL type, whether a value is needed, and what stands when there is none."""

    name: str
    kind: str
    needed: bool
    default: str | None


class Layer(msgspec.Struct, frozen=True):
    """One layer: its geometry (None: a table) and columns, besides `fid` and `geom`."""

    name: str
    geometry: str | None
    columns: tuple[Column, ...]


class Mapped(msgspec.Struct, frozen=True):
    """How a layer fills a collection: which columns identify a row, which become fields, what kind it is."""

    collection: str
    keys: tuple[str, ...]
    fields: Mapping[str, str]  # field of ours -> column
    kind: str | None = None


MAPPED: Mapping[str, Mapped] = {
    "aep_reservoir": Mapped("water_node", ("id_aep_reservoir", "id_noeud_reseau"), {"elevation_m": "cote_sol"}, "tank"),
    "aep_captage": Mapped("water_node", ("id_aep_captage", "id_noeud_reseau"), {}, "intake"),
    "aep_traitement": Mapped("water_node", ("id_aep_traitement", "id_noeud_reseau"), {}, "treatment"),
    "aep_point_livraison": Mapped("water_node", ("id_aep_point_livraison", "id_noeud_reseau"), {}, "delivery"),
    "aep_piece": Mapped("water_node", ("id_aep_piece", "id_noeud_reseau"), {}, "junction"),
    "aep_vanne": Mapped("water_valve", ("id_aep_vanne", "id_noeud_reseau"), {"diameter_mm": "diametre"}, "gate"),
    "aep_regulation": Mapped("water_valve", ("id_aep_regulation", "id_noeud_reseau"), {}, "regulator"),
    "aep_pompage": Mapped("water_valve", ("id_aep_pompage", "id_noeud_reseau"), {}, "pump"),
    "aep_point_mesure": Mapped(
        "water_meter", ("id_aep_point_mesure", "id_noeud_reseau"), {"name": "nom_usuel", "diameter_mm": "calibre"}
    ),
    "aep_canalisation": Mapped(
        "water_pipe", ("id_canalisation", "id_aep_canalisation"),
        {
            "start": "noeudinitial", "end": "noeudterminal", "length_m": "longueur_terrain", "diameter_mm": "diametre_equivalent",
            "material": "materiau", "laid": "an_pose_sup", "renewed": "an_rehab_sup", "area": "secteur_hydraulique",
            "role": "fonction_canalisation",
        },
    ),
}  # fmt: skip


@cache
def layers() -> dict[str, Layer]:
    """Return the layers by name."""
    document: dict[str, Any] = msgspec.json.decode(
        files("beffroi.services.watergrid.stareau").joinpath("layers_2024.json").read_bytes()
    )
    return {
        name: Layer(name, one["geometry"], tuple(Column(n, k, bool(needed), default) for n, k, needed, default in one["columns"]))
        for name, one in document["layers"].items()
    }  # fmt: skip
