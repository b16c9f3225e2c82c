"""GRDF's answers (ADICT, JSON): published and informative uses of a gas point, turned into kWh.

Shape from the public client lowatt-grdf 2.5.0 and GRDF's public documentation, read in November 2026, to be verified against a real
answer: one object a period, `pce.id_pce`, `consommation.date_debut_consommation`, `date_fin_consommation`, `energie` (kWh PCS),
`volume_brut` (m³), `coeff_calcul.coeff_conversion` (kWh/m³), `type_conso`/`statut_conso`.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.energy.flows.row import Row, known_number

__all__ = ["read_adict"]

_PCE = re.compile(r"(GI\d{6}|\d{14})\Z", re.ASCII)
_ESTIMATED = ("estim", "provis", "absence")


def read_adict(data: bytes) -> Iterator[Row]:
    """Yield the energies of an answer: one JSON object, an array, or one object a line. Raises `Problem` with the place."""
    for number, one in enumerate(_objects(data)):
        place = f"/{number}"
        pce = str((one.get("pce") or {}).get("id_pce") or one.get("id_pce") or "").strip()
        if not _PCE.match(pce):
            raise Problem(
                Text(f"« {pce} » n'est pas un PCE", f"'{pce}' is no PCE"),
                Text(
                    "Un PCE a 14 chiffres, ou GI et 6 chiffres.", "A PCE has 14 digits, or GI and 6 digits."
                ),
                f"{place}/pce/id_pce",
            )
        said = one.get("consommation") or {}
        yield _row(pce, said, f"{place}/consommation")


def _row(pce: str, said: dict[str, Any], place: str) -> Row:
    start, end = said.get("date_debut_consommation"), said.get("date_fin_consommation")
    if not start or not end:
        raise Problem(
            Text("Il manque les dates de la consommation", "The dates of the use are missing"),
            Text("Redemandez les données à GRDF.", "Ask GRDF for the data again."),
            place,
        )
    energy = said.get("energie")
    if energy is None:
        volume = said.get("volume_brut")
        factor = (said.get("coeff_calcul") or {}).get("coeff_conversion") or said.get("coeff_conversion")
        if volume is None or factor is None:
            raise Problem(
                Text(
                    "Ni énergie, ni volume avec son coefficient",
                    "Neither energy, nor volume with its coefficient",
                ),
                Text(
                    "Un m³ ne devient des kWh que par le coefficient du mois.",
                    "A m³ becomes kWh by the month's coefficient only.",
                ),
                place,
            )
        energy = known_number(volume, "energy", f"{place}/volume_brut") * known_number(
            factor, "energy", f"{place}/coeff_calcul/coeff_conversion"
        )
    value = known_number(energy, "index", f"{place}/energie")  # gas is never given back
    kind = " ".join(
        str(said.get(k) or "") for k in ("type_conso", "statut_conso", "qualificatif_conso")
    ).strip()
    nature = "estimé" if any(word in kind.lower() for word in _ESTIMATED) else "réel"
    return Row(pce, "energy", None, str(start)[:10], str(end)[:10], value, "kWh", None, nature, kind or None)


def _objects(data: bytes) -> list[dict[str, Any]]:
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError:
        found = []
        for number, line in enumerate(data.splitlines(), 1):
            if line.strip():
                try:
                    found.append(msgspec.json.decode(line))
                except msgspec.DecodeError as error:
                    raise Problem(
                        Text(
                            "Ce n'est pas du JSON, ou la réponse est coupée",
                            "This is not JSON, or the answer is cut",
                        ),
                        Text(
                            "Redemandez-la : rien n'en a été repris.",
                            "Ask for it again: nothing of it was taken.",
                        ),
                        f"line {number}",
                    ) from error
    objects = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) for one in objects):
        raise Problem(
            Text("La forme n'est pas celle de GRDF", "The shape is not GRDF's"),
            Text("Donnez la réponse telle quelle.", "Give the answer as it came."),
            "/",
        )
    return objects
