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


_EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"
_GENERIC = Text("Une adresse de service, pas celle d'une personne.", "A service's address, not a person's.")
_ROAMING = r"[A-Z]{2}[A-Z0-9]{4,33}|Non concerné"
_NONE = Text("Non concerné, si l'itinérance ne l'est pas.", "'Non concerné' when roaming does not apply.")


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


class ChargingPoint(Record):
    """A charging point: the fields of the national schema « IRVE statique » 2.3.1 (its file says 2.3.0, of 10 October 2022), under its
    own names and in its order. `code` is ours: the identifier for roaming, or the local one of a point that has none."""

    code: str = field("Identifiant", "Identifier", key=True, hint=Text("Celui d'itinérance ; sinon l'identifiant local.", "That for roaming; else the local one."))  # fmt: skip
    nom_amenageur: str | None = field("Aménageur", "Owner", listed=False)
    siren_amenageur: str | None = field(
        "SIREN de l'aménageur", "SIREN of the owner", pattern=r"\d{9}", listed=False
    )
    contact_amenageur: str | None = field(
        "Adresse de l'aménageur", "Owner's address", pattern=_EMAIL, listed=False, hint=_GENERIC
    )
    nom_operateur: str | None = field("Opérateur", "Operator", listed=False)
    contact_operateur: str = field(
        "Adresse de l'opérateur", "Operator's address", pattern=_EMAIL, listed=False, hint=_GENERIC
    )
    telephone_operateur: str | None = field("Téléphone de l'opérateur", "Operator's telephone", listed=False)
    nom_enseigne: str = field("Réseau", "Network")
    id_station_itinerance: str = field(
        "Station (itinérance)", "Station (roaming)", pattern=_ROAMING, listed=False, hint=_NONE
    )
    id_station_local: str | None = field("Station (local)", "Station (local)", listed=False)
    nom_station: str = field("Station", "Station")
    implantation_station: str = field(
        "Implantation", "Setting", listed=False,
        choices=(choice("Voirie", "Voirie", "Street"), choice("Parking public", "Parking public", "Public car park"),
                 choice("Parking privé à usage public", "Parking privé à usage public", "Private car park open to the public"),
                 choice("Parking privé réservé à la clientèle", "Parking réservé à la clientèle", "Customers' car park"),
                 choice("Station dédiée à la recharge rapide", "Station de recharge rapide", "Fast-charging station")),
    )  # fmt: skip
    adresse_station: str = field("Adresse", "Address")
    code_insee_commune: str | None = field(
        "Commune (INSEE)", "Commune (INSEE)", pattern=r"([013-9]\d|2[AB1-9])\d{3}", listed=False
    )
    nbre_pdc: int = field(
        "Points de la station", "Points of the station", minimum=0, maximum=10_000, listed=False
    )
    id_pdc_itinerance: str = field(
        "Point (itinérance)", "Point (roaming)", pattern=_ROAMING, listed=False, hint=_NONE
    )
    id_pdc_local: str | None = field("Point (local)", "Point (local)", listed=False)
    puissance_nominale: float = field("Puissance", "Power", unit="kW", minimum=0, maximum=10_000)
    prise_type_ef: bool = field("Prise E/F", "Socket E/F", default=False)
    prise_type_2: bool = field("Prise type 2", "Socket type 2", default=False)
    prise_type_combo_ccs: bool = field("Prise Combo CCS", "Socket Combo CCS", default=False)
    prise_type_chademo: bool = field("Prise CHAdeMO", "Socket CHAdeMO", default=False)
    prise_type_autre: bool = field("Autre prise", "Other socket", default=False, listed=False)
    gratuit: bool | None = field("Gratuit", "Free")
    paiement_acte: bool = field("Paiement à l'acte", "Pay per use", default=False, listed=False)
    paiement_cb: bool | None = field("Carte bancaire", "Bank card", listed=False)
    paiement_autre: bool | None = field("Autre paiement", "Other payment", listed=False)
    tarification: str | None = field("Tarif", "Price", long=True, listed=False)
    condition_acces: str = field(
        "Accès", "Access", listed=False,
        choices=(choice("Accès libre", "Libre", "Open"), choice("Accès réservé", "Réservé", "Reserved")),
    )  # fmt: skip
    reservation: bool = field("Réservation possible", "Can be booked", default=False, listed=False)
    horaires: str = field("Horaires", "Hours", pattern=r"(.*?)((\d{1,2}:\d{2})-(\d{1,2}:\d{2})|24/7)", listed=False,
                          hint=Text("24/7, ou Mo-Fr 08:00-18:00.", "24/7, or Mo-Fr 08:00-18:00."))  # fmt: skip
    accessibilite_pmr: str = field(
        "Accessibilité", "Accessibility", listed=False,
        choices=(choice("Réservé PMR", "Réservé aux personnes handicapées", "Reserved for disabled people"),
                 choice("Accessible mais non réservé PMR", "Accessible, non réservé", "Accessible, not reserved"),
                 choice("Non accessible", "Non accessible", "Not accessible"),
                 choice("Accessibilité inconnue", "Inconnue", "Unknown")),
        default="Accessibilité inconnue",
    )  # fmt: skip
    restriction_gabarit: str = field("Gabarit", "Size of vehicles", listed=False, default="Inconnu")
    station_deux_roues: bool = field(
        "Réservée aux deux-roues", "For two-wheelers only", default=False, listed=False
    )
    raccordement: str | None = field("Raccordement", "Connection", choices=(choice("Direct", "Direct", "Direct"), choice("Indirect", "Indirect", "Indirect")), listed=False)  # fmt: skip
    num_pdl: str | None = field("Point de livraison", "Delivery point", listed=False)
    date_mise_en_service: date | None = field("Mise en service", "In service since", listed=False)
    observations: str | None = field("Observations", "Remarks", long=True, listed=False)
    date_maj: date = field("Mis à jour le", "Updated on", listed=False)
    cable_t2_attache: bool | None = field("Câble type 2 attaché", "Type 2 cable attached", listed=False)


COLLECTIONS = (
    Collection("charging_point", Text("Points de recharge", "Charging points"), ChargingPoint, geometry="point", network="electricity", label="nom_station", schema="https://schema.data.gouv.fr/etalab/schema-irve-statique",
               description=Text("Les points de recharge des véhicules électriques, au schéma national.", "Charging points of electric vehicles, in the national schema.")),
    Collection("car_park", Text("Parcs de stationnement", "Car parks"), CarPark, geometry="point", label="nom", schema="https://schema.data.gouv.fr/etalab/schema-stationnement",
               description=Text("Les parcs de stationnement, au schéma national.", "Car parks, in the national schema.")),
    Collection("works_permit", Text("Arrêtés de travaux", "Works orders"), Permit, geometry="any", status="measure", label="title", shown_when="published",
               walked=(("starts", "_id"),), description=Text("Travaux qui changent la circulation.", "Works that change the traffic.")),
    Collection("works_declaration", Text("DT-DICT reçues", "Works declarations received"), Declaration, geometry="polygon", status="state", read="agent",
               end_of_life="answered", description=Text("Déclarations de travaux à proximité des réseaux.", "Declarations of works near networks.")),
)  # fmt: skip
