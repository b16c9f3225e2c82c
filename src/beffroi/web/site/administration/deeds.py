"""What the actions of the audit are called in words, what they were done to, and where that is seen."""

import json
import re
from collections.abc import Mapping
from typing import Any

from beffroi.model.collection import Collection
from beffroi.model.text import Text
from beffroi.web.kit.words import Words

__all__ = ["deed", "details", "place_of", "subject"]

_DEEDS = {
    "sign_in": Text("s'est connecté", "signed in"),
    "sign_in.refused": Text("connexion refusée", "sign-in refused"),
    "sign_out": Text("s'est déconnecté", "signed out"),
    "session.end": Text("a fermé une session", "ended a session"),
    "link.create": Text("a créé un lien de connexion", "created a sign-in link"),
    "link.revoke": Text("a retiré un lien de connexion", "took back a sign-in link"),
    "invitation.send": Text("a envoyé une invitation", "sent an invitation"),
    "person.federate": Text(
        "a rattaché une personne à un fournisseur d'identité", "bound a person to an identity provider"
    ),
    "factor.enrol": Text("a activé son second facteur", "set up their second factor"),
    "factor.remove": Text("a retiré son second facteur", "took away their second factor"),
    "factor.reset": Text("a réinitialisé un second facteur", "reset a second factor"),
    "factor.codes": Text("a créé des codes de secours", "made recovery codes"),
    "factor.recovery": Text("s'est servi d'un code de secours", "used a recovery code"),
    "factor.refused": Text("code du second facteur refusé", "second factor's code refused"),
    "factor.require": Text(
        "a choisi qui doit avoir un second facteur", "chose who must have a second factor"
    ),
    "extension.install": Text("a installé un service", "installed a service"),
    "extension.enable": Text("a activé un service", "enabled a service"),
    "extension.disable": Text("a désactivé un service", "disabled a service"),
    "extension.remove": Text("a retiré un service", "removed a service"),
    "territory.look": Text("a changé l'allure d'un territoire", "changed a territory's look"),
    "rule.copy": Text("a copié une règle", "copied a rule"),
    "person.add": Text("a ajouté une personne", "added a person"),
    "person.change": Text("a changé une personne", "changed a person"),
    "person.password": Text("a changé son mot de passe", "changed their password"),
    "key.create": Text("a créé une clé", "created a key"),
    "key.revoke": Text("a révoqué une clé", "revoked a key"),
    "territory.add": Text("a ajouté un territoire", "added a territory"),
    "territory.rename": Text("a renommé un territoire", "renamed a territory"),
    "town.look": Text("a changé l'allure de la ville", "changed the town's look"),
    "record.create": Text("a créé une fiche", "created a record"),
    "record.update": Text("a modifié une fiche", "changed a record"),
    "record.delete": Text("a supprimé une fiche", "deleted a record"),
    "record.restore": Text("a rétabli une fiche", "restored a record"),
    "record.erase": Text("a effacé des données personnelles", "erased personal data"),
    "record.undo": Text("a annulé des changements", "undid changes"),
    "thing.create": Text("a créé un objet", "created a thing"),
    "thing.change": Text("a modifié un objet", "changed a thing"),
    "thing.delete": Text("a supprimé un objet", "deleted a thing"),
    "thing.approve": Text("a approuvé un appareil", "approved a device"),
    "thing.link": Text("a relié un capteur à une fiche", "linked a sensor to a record"),
    "thing.hide": Text("a masqué un appareil", "hid a device"),
    "datastream.create": Text("a créé une série", "created a series"),
    "datastream.change": Text("a modifié une série", "changed a series"),
    "datastream.delete": Text("a supprimé une série", "deleted a series"),
    "observation.change": Text("a corrigé une mesure", "corrected a measurement"),
    "observation.delete": Text("a supprimé une mesure", "deleted a measurement"),
    "experiment.register": Text("a inscrit une expérimentation", "registered an experiment"),
    "experiment.begin": Text("a commencé une expérimentation", "began an experiment"),
    "experiment.end": Text("a conclu une expérimentation", "concluded an experiment"),
    "experiment.decide": Text("a décidé d'une expérimentation", "decided on an experiment"),
    "experiment.decided": Text("a appliqué une décision", "carried out a decision"),
    "experiment.stop": Text("a arrêté une expérimentation", "stopped an experiment"),
    "experiment.withdraw": Text("a retiré une expérimentation", "withdrew an experiment"),
    "record.import": Text("a importé des fiches", "imported records"),
    "file.import": Text("a importé un fichier", "imported a file"),
    "file.undo": Text("a annulé l'import d'un fichier", "took back the import of a file"),
    "mapping.copy": Text("a copié une correspondance de fichiers", "copied a matching of files"),
    "sources.taking": Text("a pris des données publiques", "took public data"),
    "sources.comparing": Text("a comparé des données publiques", "compared public data"),
    "observation.hand": Text("a relevé une valeur à la main", "read a value by hand"),
    "observations.thin": Text("a éclairci d'anciennes mesures", "thinned old measurements"),
    "retention.series": Text("a changé la conservation d'une série", "changed how long a series is kept"),
    "sobriety.apply": Text("a appliqué une mesure de sobriété", "applied a measure of sobriety"),
    "sobriety.undo": Text("a annulé une mesure de sobriété", "took back a measure of sobriety"),
    "task.create": Text("a commandé un appareil", "commanded a device"),
    "task.created": Text("a recommencé une commande", "tried a command again"),
    "task.sent": Text("une commande est partie", "a command was sent"),
    "task.acknowledged": Text("une commande est reçue par l'appareil", "a device received a command"),
    "task.done": Text("une commande est exécutée", "a command was carried out"),
    "task.failed": Text("une commande a échoué", "a command failed"),
    "task.expired": Text("une commande est restée sans réponse", "a command had no answer in time"),
    "task.cancelled": Text("a annulé une commande", "cancelled a command"),
    "lighting.ask": Text("a demandé un ordre d'éclairage", "asked for a lighting order"),
    "lighting.confirm": Text("a confirmé un ordre d'éclairage", "confirmed a lighting order"),
    "lighting.refuse": Text("a refusé un ordre d'éclairage", "refused a lighting order"),
    "lighting.release": Text("a rendu des lampes à leur programme", "gave lamps back to their program"),
    "energy.import": Text("a repris un flux ou une facture d'énergie", "took in an energy flow or bill"),
    "energy.undo": Text("a annulé la reprise d'un flux ou d'une facture", "took back an energy flow or bill"),
    "lighting.setup": Text("a envoyé ses programmes à une passerelle", "sent a gateway its programs"),
}
_PLACES = {
    "user": "/administration/personnes/{}", "token": "/administration/cles/{}", "thing": "/capteurs/{}",
    "datastream": "/series/{}", "brought": "/donnees/apporter/{}", "territory": "/administration/territoires/{}",
    "extension": "/administration/services/{}", "rule": "/regles/{}", "lighting_order": "/services/lighting/ordres/{}",
    "talq_gateway": "/services/lighting/passerelles/{}",
}  # fmt: skip
_KINDS = {
    "user": Text("personne", "person"), "token": Text("clé", "key"), "session": Text("session", "session"),
    "thing": Text("objet", "thing"), "datastream": Text("série", "series"), "observation": Text("mesure", "measurement"),
    "brought": Text("fichier", "file"), "territory": Text("territoire", "territory"), "extension": Text("service", "service"),
    "file_mapping": Text("correspondance", "matching"), "task": Text("commande", "command"),
    "experiment": Text("expérimentation", "experiment"), "lighting_order": Text("ordre d'éclairage", "lighting order"),
    "talq_gateway": Text("passerelle TALQ", "TALQ gateway"),
    "energy": Text("flux ou facture", "flow or bill"), "account": Text("compte", "account"), "archive": Text("archive", "archive"),
}  # fmt: skip
_DETAILS = {
    "count": Text("fiches", "records"), "reason": Text("motif", "reason"), "created": Text("nouvelles", "new"),
    "updated": Text("changées", "changed"), "unchanged": Text("inchangées", "unchanged"), "rejected": Text("refusées", "refused"),
    "gone": Text("disparues", "gone"), "taken_back": Text("défaites", "undone"), "kept": Text("laissées", "left"),
    "means": Text("moyen", "means"), "hours": Text("heures", "hours"), "days": Text("jours", "days"), "role": Text("rôle", "role"),
    "territories": Text("territoires", "territories"), "territory": Text("territoire", "territory"), "service": Text("service", "service"),
    "name": Text("nom", "name"), "code": Text("code", "code"), "kind": Text("nature", "kind"), "fields": Text("champs", "fields"),
    "series": Text("séries", "series"), "rules": Text("règles", "rules"), "state": Text("état", "state"), "error": Text("erreur", "error"),
    "alarm": Text("alarme", "alarm"), "decision": Text("décision", "decision"), "links": Text("liens", "links"),
    "email": Text("adresse (empreinte)", "address (digest)"), "files": Text("fichiers", "files"), "from": Text("depuis", "from"),
    "observation": Text("mesure", "measurement"), "order": Text("ordre", "order"), "devices": Text("appareils", "devices"),
    "level": Text("niveau", "level"), "obstacle": Text("empêchement", "obstacle"),
    "flow": Text("flux", "flow"), "stored": Text("valeurs nouvelles", "new values"), "replaced": Text("remplacées", "replaced"),
    "points": Text("points", "points"), "contracts": Text("contrats", "contracts"), "bills": Text("factures", "bills"),
    "values": Text("valeurs", "values"), "records": Text("fiches", "records"),
}  # fmt: skip
_FOR_PROGRAMS = frozenset(
    ("change_set", "first", "last", "file", "by", "sha256")
)  # in the files of the journal


def deed(action: str, language: str) -> str:
    """Return the words for an action, or its code when it has none."""
    words = _DEEDS.get(action)
    return action if words is None else words.of(language)


def place_of(target: str) -> str:
    """Return the address of the page about a target (`user:3`, `token:9`, `bin/12`), or ""."""
    kind, number = _parted(target)
    if kind in _PLACES:
        return _PLACES[kind].format(number) if re.fullmatch(r"[\w-]+", number) else ""
    return f"/donnees/{kind}/{number}" if number.isdecimal() and kind not in _KINDS else ""


def _parted(target: str) -> tuple[str, str]:
    kind, mark, number = target.partition(":")
    if mark:
        return kind, number
    kind, _, number = target.partition("/")
    return kind, number


def subject(target: str, names: Mapping[str, str], titles: Mapping[str, Text], language: str) -> str:
    """Return what an action was done to in words: a person's or key's name, a collection's title and a number."""
    if target in names:
        return names[target]
    kind, number = _parted(target)
    words = _KINDS.get(kind) or titles.get(kind)
    return target if words is None else f"{words.of(language)} {number}".strip()


def details(detail: Mapping[str, Any], words: Words, collection: Collection | None = None) -> str:
    """Return what else an action on a record of `collection` says of itself, without what only programs need and what is
    nothing."""
    language = words.language
    colon = words.of(" : ")
    said = {k: v for k, v in detail.items() if k not in _FOR_PROGRAMS and v not in (None, "", [], 0)}
    return ", ".join(
        f"{_DETAILS[k].of(language) if k in _DETAILS else k}{colon}{_short(_said(k, v, words, collection))}"
        for k, v in said.items()
    )


def _said(name: str, value: Any, words: Words, collection: Collection | None) -> Any:
    """Return one of the record's own choices by its title, and a text that the platform keeps in the reader's language."""
    if not isinstance(value, str):
        return value
    field = collection.field(name) if collection is not None else None
    said = field.title_of(value, words.language) if field is not None and field.choices else value
    return words.kept(value) if said == value else said


def _short(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = " ".join(value)
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return said if len(said) <= 60 else said[:59] + "…"
