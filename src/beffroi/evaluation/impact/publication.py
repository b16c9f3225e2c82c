"""The national schema of the impact of a digital public service (`schema-impact-service-public-numerique` 0.3.0)."""

import csv
import datetime as dt
import io
from collections.abc import Iterable

import msgspec

__all__ = ["FIELDS", "FREQUENCIES", "Indicator", "impact_csv"]

FREQUENCIES = (
    "quotidienne", "hebdomadaire", "mensuelle", "annuelle", "trimestrielle", "semestrielle", "autre",
)  # fmt: skip


class Indicator(msgspec.Struct, frozen=True):
    """One line: the fifteen fields in the schema's order. `est_cible`: what is aimed at, not measured."""

    administration_rattachement: str
    nom_service_public_numerique: str
    indicateur: str
    valeur: float
    unite_mesure: str
    est_cible: bool
    frequence_monitoring: str
    date: dt.date
    est_periode: bool
    date_debut: dt.date | None
    est_automatise: bool
    source_collecte: str
    code_insee: str | None = None
    dataviz_wish: str | None = None
    commentaires: str | None = None


FIELDS = Indicator.__struct_fields__


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return repr(round(value, 6))
        case dt.date():
            return value.isoformat()
        case _:
            return str(value)


def impact_csv(rows: Iterable[Indicator]) -> str:
    """Return the lines as a CSV file that the schema's validators take."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows([_cell(getattr(row, name)) for name in FIELDS] for row in rows)
    return text.getvalue()
