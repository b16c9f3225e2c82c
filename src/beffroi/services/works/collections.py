"""What the works service keeps: permits (public once published), and the register of declarations."""

from datetime import date, datetime
from typing import Any

from beffroi.model.collection import Collection, Personal, Record, choice, field
from beffroi.model.text import Text

__all__ = ["COLLECTIONS", "MEASURES"]

MEASURES = (
    choice("closed", "Rue barrée", "Road closed", "rouge"), choice("layout", "Chaussée rétrécie ou alternat", "Narrowed or alternating", "orange"),
    choice("no_parking", "Stationnement interdit", "No parking", "jaune"), choice("speed", "Vitesse limitée à 30 km/h", "Speed limit 30 km/h", "jaune"),
)  # fmt: skip


class Permit(Record):
    """Works that change the traffic for a time: a temporary order."""

    number: str = field("Numéro de l'arrêté", "Number of the order", key=True)
    title: str = field("Travaux", "Works")
    street: str | None = field("Voie", "Street")
    measure: str = field("Mesure", "Measure", choices=MEASURES, default="layout")
    starts: datetime = field("Début", "Start")
    ends: datetime = field("Fin", "End")
    diversion: str | None = field("Déviation", "Diversion", long=True, listed=False)
    contractor: str | None = field("Entreprise", "Contractor")
    published: bool = field("Publié", "Published", default=False)
    withdrawn: bool = field("Retiré", "Withdrawn", default=False, listed=False)


class Declaration(Record):
    """A declaration of works near networks that was received: its clock and its answer."""

    number: str = field("Numéro", "Number", key=True)
    kind: str = field(
        "Sorte", "Kind", choices=(choice("dt", "DT", "DT"), choice("joint", "DT-DICT conjointe", "Joint DT-DICT"), choice("dict", "DICT", "DICT")),
        default="joint",
    )  # fmt: skip
    received: date = field("Reçue le", "Received on")
    dematerialised: bool = field("Dématérialisée", "Dematerialised", default=True)
    on_site: bool = field("Mesure sur place", "Measured on site", default=False)
    declarant: str | None = field("Déclarant (entreprise)", "Declarant (company)")
    contact: str | None = field(
        "Personne à joindre", "Person to reach", listed=False, read="agent",
        personal=Personal(Text("Répondre au déclarant des travaux", "Answer the person who declares works"), 1095),
    )  # fmt: skip
    street: str | None = field("Lieu", "Place")
    state: str = field(
        "État", "State",
        choices=(choice("open", "À répondre", "To be answered", "orange"), choice("answered", "Répondue", "Answered", "vert"), choice("closed", "Classée", "Closed")),
        default="open",
    )  # fmt: skip
    answered: date | None = field("Répondue le", "Answered on")
    concerned: bool | None = field("Concernée", "Concerned", listed=False)


def _places(fr: str, en: str, *, required: bool = False) -> Any:
    return field(fr, en, minimum=0, maximum=100_000, listed=required)


def _price(fr: str, en: str) -> Any:
    return field(fr, en, unit="€", minimum=0, listed=False)


class CarPark(Record):
    """A car park: the fields of the national schema « stationnement » 0.1.5, under its own names (`code` is its `id`)."""

    code: str = field(
        "Identifiant (INSEE-P-xxx)",
        "Identifier (INSEE-P-xxx)",
        key=True,
        pattern=r"([013-9]\d|2[AB1-9])\d{3}-P-\d{3}",
    )
    nom: str = field("Nom", "Name")
    insee: str = field("Commune (INSEE)", "Commune (INSEE)", pattern=r"([013-9]\d|2[AB1-9])\d{3}")
    adresse: str | None = field("Adresse", "Address")
    url: str | None = field("Page", "Page", pattern=r"https?://\S+", listed=False)
    type_usagers: str = field(
        "Usagers",
        "Users",
        choices=(choice("tous", "Tous", "All"), choice("abonnés", "Abonnés", "Subscribers")),
        default="tous",
    )
    gratuit: bool = field("Gratuit", "Free", default=False)
    nb_places: int = _places("Places", "Spaces", required=True)
    nb_pr: int | None = _places("Places P+R", "Park-and-ride spaces")
    nb_pmr: int | None = _places("Places PMR", "Spaces for disabled people")
    nb_voitures_electriques: int | None = _places("Places de recharge", "Charging spaces")
    nb_velo: int | None = _places("Vélos", "Bicycles")
    nb_2r_el: int | None = _places("Deux-roues électriques", "Electric two-wheelers")
    nb_autopartage: int | None = _places("Autopartage", "Car sharing")
    nb_2_rm: int | None = _places("Deux-roues motorisés", "Motorcycles")
    nb_covoit: int | None = _places("Covoiturage", "Car pooling")
    hauteur_max: str = field(
        "Hauteur maximale (cm, ou N/A)", "Greatest height (cm, or N/A)", pattern=r"\d+|N/A", default="N/A"
    )
    num_siret: str = field("SIRET du gestionnaire", "SIRET of the manager", pattern=r"\d{14}", listed=False)
    tarif_pmr: str | None = field(
        "Tarif PMR", "Price for disabled people", listed=False,
        choices=(choice("gratuit", "Gratuit", "Free"), choice("normal_payant", "Normal", "Normal"), choice("tarif_special", "Particulier", "Special")),
    )  # fmt: skip
    tarif_1h: float | None = _price("1 heure", "1 hour")
    tarif_2h: float | None = _price("2 heures", "2 hours")
    tarif_3h: float | None = _price("3 heures", "3 hours")
    tarif_4h: float | None = _price("4 heures", "4 hours")
    tarif_24h: float | None = _price("24 heures", "24 hours")
    abo_resident: float | None = _price("Abonnement résident", "Resident's subscription")
    abo_non_resident: float | None = _price("Abonnement", "Subscription")
    type_ouvrage: str | None = field(
        "Ouvrage", "Structure", listed=False,
        choices=(choice("enclos_en_surface", "Enclos en surface", "Surface enclosure"), choice("ouvrage", "Ouvrage", "Building")),
    )  # fmt: skip
    info: str | None = field("Informations", "Information", long=True, listed=False)


COLLECTIONS = (
    Collection("car_park", Text("Parcs de stationnement", "Car parks"), CarPark, geometry="point", label="nom", schema="https://schema.data.gouv.fr/etalab/schema-stationnement",
               description=Text("Les parcs de stationnement, au schéma national.", "Car parks, in the national schema.")),
    Collection("works_permit", Text("Arrêtés de travaux", "Works orders"), Permit, geometry="any", status="measure", label="title", shown_when="published",
               walked=(("starts", "_id"),), description=Text("Travaux qui changent la circulation.", "Works that change the traffic.")),
    Collection("works_declaration", Text("DT-DICT reçues", "Works declarations received"), Declaration, geometry="polygon", status="state", read="agent",
               end_of_life="answered", description=Text("Déclarations de travaux à proximité des réseaux.", "Declarations of works near networks.")),
)  # fmt: skip
