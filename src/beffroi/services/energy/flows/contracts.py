"""C15: the contract of each small point and what changed it. Nothing of the holder (name, address, telephone) is read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beffroi.services.energy.flows.readings import classes_of
from beffroi.services.energy.flows.row import Clock, Row, Rows, Units, known_number, known_prm
from beffroi.services.energy.flows.xml import child, elements, line, need

__all__ = ["read_c15"]

_QUALIFIED = {"1": "avant", "2": "après"}  # Code_Qualification: the reading before the event, or after it
# what is read of a point, of its situation and of its event, by path; the class of the row is the last name of the path
_OF_POINT = (
    "Segment_Clientele", "Num_Depannage", "Date_Derniere_Modification_FTA", "Jour_Fixe_Releve", "Periodicite_Releve",
    "Niveau_Ouverture_Services", "Date_Changement_Niveau_Ouverture_Services", "Teleoperable", "Autoproducteur",
    "Situation_Contractuelle/Etat_Contractuel", "Situation_Contractuelle/Ref_Situation_Contractuelle",
    "Situation_Contractuelle/Date_Mise_En_Service", "Situation_Contractuelle/Titulaire_Contrat/Categorie",
    "Situation_Contractuelle/Structure_Tarifaire/Formule_Tarifaire_Acheminement",
    "Situation_Contractuelle/Structure_Tarifaire/Id_Calendrier_Distributeur",
    "Situation_Contractuelle/Structure_Tarifaire/Id_Calendrier",
    "Situation_Contractuelle/Structure_Tarifaire/Libelle_Plage_Heures_Creuses",
    "Alimentation/Tension_De_Livraison", "Alimentation/Etat_Alimentation", "Alimentation/P_Raccordement_Soutirage",
    "Dispositif_De_Comptage/Compteur/Type", "Dispositif_De_Comptage/Compteur/Num_Serie",
    "Dispositif_De_Comptage/Compteur/Pas_Courbe_De_Charge_Soutirage",
)  # fmt: skip
_OF_EVENT = ("Type_Evenement", "Nature_Evenement", "Id_Affaire")
_OF_READING = ("Id_Calendrier_Distributeur", "Id_Calendrier")


def read_c15(path: Path) -> Rows:
    """Yield the subscribed power (its class is the tariff), the words of the contract, and the readings around each event."""
    units = Units()
    for element in elements(path, "c15", "PRM"):
        prm = known_prm(child(element, "Id_PRM"), line(element))
        events = element.findall("Evenement_Declencheur")
        for event in events:
            yield from _event(prm, element, event, units)
        if not events:
            at = child(element, "Situation_Contractuelle/Date_Debut_Num_Sequence")
            yield from _situation(prm, element, at, None)


def _event(prm: str, element: Any, event: Any, units: Units) -> Iterator[Row]:
    at = Clock().instant(need(event, "Date_Evenement"), line(event))
    nature = child(event, "Nature_Evenement")
    yield from _situation(prm, element, at, nature)
    state = child(element, "Situation_Contractuelle/Etat_Contractuel")
    yield from _words(prm, event, _OF_EVENT, at, nature, state)
    for reading in event.iterfind("Releves/Donnees_Releve"):
        when = Clock().instant(need(reading, "Date_Releve"), line(reading))
        code = child(reading, "Code_Qualification")
        status = _QUALIFIED.get(code or "", code)
        index = child(reading, "Nature_Index")
        yield from _words(prm, reading, _OF_READING, when, nature, status)
        for kind, grid, name, unit, value, _ in classes_of(reading, prm, units):
            yield Row(prm, kind, grid, when, when, value, unit, name, index, status)


def _situation(prm: str, element: Any, at: str | None, nature: str | None) -> Iterator[Row]:
    state = child(element, "Situation_Contractuelle/Etat_Contractuel")
    tariff = element.find("Situation_Contractuelle/Structure_Tarifaire")
    if tariff is not None and (power := child(tariff, "Puissance_Souscrite")) is not None:
        value = known_number(power, "contract", line(tariff))
        name, unit = (
            child(tariff, "Formule_Tarifaire_Acheminement"),
            child(tariff, "Unite_Puissance_Souscrite"),
        )
        yield Row(prm, "contract", None, at, None, value, unit, name, nature, state)
    yield from _words(prm, element, _OF_POINT, at, nature, state)


def _words(
    prm: str, element: Any, paths: tuple[str, ...], at: str | None, nature: str | None, status: str | None
) -> Iterator[Row]:
    for path in paths:
        text = child(element, path)
        if text is not None:
            yield Row(prm, "contract", None, at, None, text, None, path.rpartition("/")[2], nature, status)
