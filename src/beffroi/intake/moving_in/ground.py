"""The collections that a town gets from public data. They are its own: what it corrects, the next refresh tells."""

from typing import Any

from beffroi.model.collection import OWN, Collection, Field, Geometry, Record
from beffroi.model.text import Text

__all__ = ["GROUND"]


def _text(name: str, fr: str, en: str, **more: Any) -> Field:
    return Field(Text(fr, en), name, "text", **more)


def _made(name: str, fr: str, en: str, geometry: Geometry, *fields: Field, label: str = "nom") -> Collection:
    key = _text("code", "Code", "Code", key=True, required=True)
    insee = _text("code_insee", "Code INSEE de la commune", "INSEE code of the commune")
    source = _text("source", "Source", "Source", listed=False)
    return Collection(
        name, Text(fr, en), Record, geometry=geometry, label=label, service=OWN, fields=(key, *fields, insee, source)
    )  # fmt: skip


GROUND: dict[str, Collection] = {
    one.name: one
    for one in (
        _made("communes", "Communes", "Communes", "polygon", _text("nom", "Nom", "Name"),
              Field(Text("Voisine", "Neighbour"), "voisine", "boolean")),
        _made("voies", "Voies", "Streets", "any", _text("nom", "Nom", "Name"), _text("nature", "Nature", "Nature")),
        _made("adresses", "Adresses", "Addresses", "point", _text("libelle", "Adresse", "Address"), _text("numero", "Numéro", "Number"),
              _text("voie", "Voie", "Street"), _text("code_postal", "Code postal", "Postcode"), label="libelle"),
        _made("batiments", "Emprises bâties", "Building outlines", "any", _text("nom", "Nom", "Name"), _text("nature", "Nature", "Nature"), label="code"),
        _made("eaux", "Eaux", "Waters", "any", _text("nom", "Nom", "Name"), _text("nature", "Nature", "Nature")),
        _made("stations_voisines", "Stations de mesure voisines", "Measuring stations nearby", "point", _text("nom", "Nom", "Name"),
              _text("mesure", "Mesure", "Measures"), _text("gestionnaire", "Gestionnaire", "Operator")),
    )
}  # fmt: skip
