"""The works of the demonstration town: a road closed for a network, a scaffolding to come, and declarations received."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from beffroi.model.instant import DAY_US, HOUR_US, to_datetime
from beffroi.model.principal import Principal
from beffroi.scene import Scene
from beffroi.scene.plan import wgs84
from beffroi.town import Town

__all__ = ["build"]

# days since a declaration was received, days until it was answered: one was answered too late
_ANSWERED = (
    (17, 4),
    (22, 6),
    (27, 3),
    (33, 8),
    (38, 5),
    (41, 2),
    (47, 7),
    (52, 19),
    (58, 4),
    (63, 6),
    (70, 3),
    (77, 5),
    (84, 6),
)
_ROADS = Principal("user:demo-technique", "Bruno Marchand", "agent", ("18901",))


def build(town: Town, scene: Scene) -> None:
    """Write three orders, three declarations that wait and those that were answered before, car parks and charging points."""
    end, commune = scene.end_us, scene.communes[0].code
    streets = [s for s in scene.plan.streets if s.lit and s.commune == commune and s.axis.length > 90]
    today = to_datetime(end).date()
    orders = (
        (
            "2026-118",
            "Renouvellement d'une conduite d'eau",
            "closed",
            -4,
            9,
            "Déviation par l'avenue de la Gare.",
        ),
        ("2026-121", "Échafaudage de façade", "no_parking", -1, 20, None),
        ("2026-124", "Branchement électrique", "layout", 3, 5, None),
    )
    with town.store.records.writer(_ROADS, "Arrêtés de circulation") as writer:
        for street, (number, title, measure, starts, ends, diversion) in zip(streets, orders, strict=False):
            values: dict[str, Any] = {
                "number": number, "title": title, "street": street.name, "measure": measure, "diversion": diversion, "published": True,
                "starts": end + starts * DAY_US + 8 * HOUR_US, "ends": end + ends * DAY_US + 17 * HOUR_US, "contractor": "Val-Travaux",
            }  # fmt: skip
            writer.create(
                "works_permit", values, {"type": "LineString", "coordinates": wgs84(street.axis)}, commune
            )
        for serial, street in enumerate(streets[1:4]):
            declared = street.axis.buffer(6)
            values = {
                "number": f"{today - timedelta(days=(2, 11, 6)[serial]):%Y%m%d}{serial:05d}D", "kind": ("joint", "dt", "dict")[serial], "received": today - timedelta(days=(2, 11, 6)[serial]),
                "declarant": "Val-Travaux", "street": street.name, "state": "open",
            }  # fmt: skip
            writer.create(
                "works_declaration", values, {"type": "Polygon", "coordinates": wgs84(declared)}, commune
            )
        for serial, ((ago, took), street) in enumerate(zip(_ANSWERED, streets[4:], strict=False)):
            received = today - timedelta(days=ago)
            values = {
                "number": f"{received:%Y%m%d}{serial:05d}D", "kind": ("joint", "dt")[serial % 2], "received": received, "declarant": "Val-Travaux",
                "street": street.name, "state": "answered", "answered": received + timedelta(days=took), "concerned": serial % 3 == 0,
            }  # fmt: skip
            area = {"type": "Polygon", "coordinates": wgs84(street.axis.buffer(6))}
            writer.create("works_declaration", values, area, commune)
        _parking(writer, commune, today, [(s.name, wgs84(s.axis)[0]) for s in streets[4:7]])


def _parking(writer: Any, commune: str, today: date, places: Sequence[tuple[str, Any]]) -> None:
    """Write car parks and charging points, under identifiers that no operator has."""
    insee, siren = commune, "000000000"
    for serial, ((street, place), spaces) in enumerate(zip(places, (86, 140), strict=False)):
        values: dict[str, Any] = {
            "code": f"{insee}-P-{serial + 1:03d}", "nom": f"Parc {street}", "insee": insee, "adresse": street, "gratuit": serial == 0,
            "nb_places": spaces, "nb_pmr": spaces // 40, "nb_voitures_electriques": 2, "num_siret": siren + "00000",
            "tarif_1h": None if serial == 0 else 1.2,
        }  # fmt: skip
        writer.create("car_park", values, {"type": "Point", "coordinates": list(place[:2])}, commune)
    for serial, ((street, place), powers) in enumerate(
        zip(places, ((22.0, 22.0), (150.0, 150.0, 22.0)), strict=False)
    ):
        for number, power in enumerate(powers):
            code = f"FRBEFE{insee}{serial}{number}"
            fast = power > 50
            values = {
                "code": code, "nom_amenageur": "Commune", "siren_amenageur": siren, "contact_operateur": "recharge@exemple.fr",
                "nom_enseigne": "Recharge du Val", "id_station_itinerance": f"FRBEFP{insee}{serial}", "nom_station": street,
                "implantation_station": "Station dédiée à la recharge rapide" if fast else "Parking public", "adresse_station": street,
                "code_insee_commune": insee, "nbre_pdc": len(powers), "id_pdc_itinerance": code, "puissance_nominale": power,
                "prise_type_2": not fast, "prise_type_combo_ccs": fast, "gratuit": False, "paiement_acte": True, "paiement_cb": fast,
                "tarification": "0,40 €/kWh", "condition_acces": "Accès libre", "horaires": "24/7", "raccordement": "Direct",
                "accessibilite_pmr": "Accessible mais non réservé PMR", "restriction_gabarit": "Aucune", "date_maj": today,
            }  # fmt: skip
            writer.create(
                "charging_point", values, {"type": "Point", "coordinates": list(place[:2])}, commune
            )
