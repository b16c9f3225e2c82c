"""What the actions of the audit are called in words, and where their targets are seen."""

from beffroi.model.text import Text

__all__ = ["deed", "place_of"]

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
}
_PLACES = {
    "user": "/administration/personnes/{}", "token": "/administration/cles/{}", "thing": "/capteurs/{}",
    "datastream": "/series/{}",
}  # fmt: skip


def deed(action: str, language: str) -> str:
    """Return the words for an action, or its code when it has none."""
    words = _DEEDS.get(action)
    return action if words is None else words.of(language)


def place_of(target: str) -> str:
    """Return the address of the page about a target (`user:3`, `token:9`, `bin/12`), or ""."""
    kind, _, number = target.partition(":")
    if number.isdecimal() and kind in _PLACES:
        return _PLACES[kind].format(number)
    collection, _, record = target.partition("/")
    return f"/donnees/{collection}/{record}" if record.isdecimal() and collection != "user" else ""
