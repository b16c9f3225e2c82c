"""A first set of departments and categories, for a town that has none: to be changed, not to be kept."""

from typing import Any

from beffroi.store.record_writer import Writer

__all__ = ["CATEGORIES", "DEPARTMENTS", "write_starter"]

DEPARTMENTS: tuple[dict[str, Any], ...] = (
    {"code": "mairie", "name": "Mairie, accueil", "name_en": "Town hall, front desk"},
    {"code": "voirie", "name": "Voirie", "name_en": "Streets"},
    {"code": "proprete", "name": "Propreté", "name_en": "Cleaning"},
    {"code": "eclairage", "name": "Éclairage public", "name_en": "Street lighting"},
    {"code": "espaces-verts", "name": "Espaces verts", "name_en": "Green spaces"},
    {"code": "police", "name": "Police municipale", "name_en": "Municipal police"},
)


def _one(key: str, fr: str, en: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "fr": fr, "en": en, **more}


def _choose(code: str, fr: str, en: str, *values: dict[str, Any], required: bool = False) -> dict[str, Any]:
    return {
        "code": code,
        "fr": fr,
        "en": en,
        "kind": "singlevaluelist",
        "required": required,
        "values": list(values),
    }


_ENEDIS = {"fr": "Ne touchez à rien. Appelez Enedis dépannage : 09 72 67 50 18 (suivi du département), ou le 112.",
           "en": "Touch nothing. Call Enedis repairs: 09 72 67 50 18, or 112."}  # fmt: skip
_GROUPS = (
    {"code": "voirie", "name": "Rue et trottoir", "name_en": "Street and pavement"},
    {"code": "proprete", "name": "Propreté", "name_en": "Cleanliness"},
    {"code": "eclairage", "name": "Éclairage", "name_en": "Lighting"},
    {"code": "nature", "name": "Arbres, parcs, animaux", "name_en": "Trees, parks, animals"},
    {"code": "tranquillite", "name": "Tranquillité", "name_en": "Peace and quiet"},
)
# (code of the parent, department, working days to handle it, values)
CATEGORIES: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    ("voirie", "voirie", 10, {"code": "trou", "name": "Trou dans la chaussée", "name_en": "Pothole", "icon": "triangle",
     "synonyms": "nid de poule, bosse, route abîmée, goudron, hole",
     "questions": [_choose("danger", "Est-ce dangereux pour un deux-roues ?", "Is it dangerous for a bicycle?", _one("oui", "Oui", "Yes"), _one("non", "Non", "No"))]}),
    ("voirie", "voirie", 10, {"code": "trottoir", "name": "Trottoir abîmé ou encombré", "name_en": "Pavement damaged or blocked", "icon": "square",
     "synonyms": "dalle, pavé, poussette, fauteuil roulant, accessibilité, bordure"}),
    ("voirie", "voirie", 5, {"code": "panneau", "name": "Panneau ou feu en panne", "name_en": "Sign or traffic light", "icon": "diamond",
     "synonyms": "signalisation, stop, marquage, passage piéton, feu tricolore"}),
    ("voirie", "voirie", 15, {"code": "mobilier", "name": "Banc, barrière, abri abîmé", "name_en": "Bench, barrier or shelter damaged", "icon": "square",
     "synonyms": "mobilier urbain, potelet, abribus, arrêt de bus, table"}),
    ("proprete", "proprete", 3, {"code": "depot", "name": "Dépôt sauvage", "name_en": "Fly-tipping", "icon": "cross",
     "synonyms": "ordures, encombrants, matelas, frigo, gravats, sacs, déchets, décharge"}),
    ("proprete", "proprete", 2, {"code": "poubelle", "name": "Poubelle pleine ou cassée", "name_en": "Bin full or broken", "icon": "circle", "asset": "bin",
     "synonyms": "corbeille, conteneur, benne, déborde, tri"}),
    ("proprete", "proprete", 10, {"code": "tag", "name": "Tag ou affiche", "name_en": "Graffiti or bill", "icon": "star", "moderation": "before",
     "synonyms": "graffiti, affichage, mur, insulte"}),
    ("eclairage", "eclairage", 5, {"code": "lampadaire", "name": "Lampadaire éteint", "name_en": "Street light out", "icon": "bolt", "asset": "lamp",
     "synonyms": "lampe, ampoule, éclairage, nuit noire, clignote, lumière",
     "questions": [_choose("panne", "Que fait-il ?", "What does it do?", _one("eteint", "Il est éteint", "It is out"), _one("clignote", "Il clignote", "It flickers"),
                           _one("jour", "Il est allumé le jour", "It is on by day"), _one("fils", "Des fils pendent", "Wires hang out", not_ours=_ENEDIS))]}),
    ("nature", "espaces-verts", 10, {"code": "arbre", "name": "Arbre ou branche dangereuse", "name_en": "Dangerous tree or branch", "icon": "drop",
     "synonyms": "branche, tombé, racine, haie, élagage"}),
    ("nature", "espaces-verts", 15, {"code": "jeux", "name": "Aire de jeux, parc", "name_en": "Playground, park", "icon": "star",
     "synonyms": "toboggan, balançoire, square, pelouse"}),
    ("nature", "mairie", 5, {"code": "nuisibles", "name": "Rats, frelons, guêpes", "name_en": "Rats, hornets, wasps", "icon": "diamond", "private_home": True,
     "synonyms": "nuisible, nid, souris, dératisation"}),
    ("tranquillite", "police", 5, {"code": "vehicule", "name": "Véhicule gênant ou abandonné", "name_en": "Vehicle in the way or abandoned", "icon": "square",
     "synonyms": "voiture, épave, stationnement, trottinette", "moderation": "before"}),
    ("tranquillite", "police", 10, {"code": "bruit", "name": "Bruit", "name_en": "Noise", "icon": "circle", "private_home": True, "confidential": True,
     "synonyms": "voisin, musique, aboie, chantier, tapage"}),
    ("", "mairie", 0, {"code": "eau", "name": "Fuite d'eau, égout", "name_en": "Water leak, sewer", "icon": "drop", "not_ours": True,
     "contact": "Le service des eaux intervient jour et nuit : son numéro est sur votre facture. Sur la chaussée, et si c'est dangereux, appelez le 112.",
     "contact_en": "The water company comes day and night: its number is on your bill. On the road, and if it is dangerous, call 112.",
     "synonyms": "inondation, robinet, canalisation, bouche, water"}),
    ("", "mairie", 0, {"code": "gaz", "name": "Odeur de gaz", "name_en": "Smell of gas", "icon": "triangle", "not_ours": True, "contact_phone": "0 800 47 33 33",
     "contact": "Sortez, n'allumez rien, et appelez GRDF depuis dehors. L'appel est gratuit.", "contact_en": "Go out, switch nothing on, and call GRDF from outside. The call is free.",
     "synonyms": "gaz, explosion"}),
)  # fmt: skip


def write_starter(writer: Writer) -> dict[str, int]:
    """Write the departments and categories; return the ids of the categories by code."""
    departments = {d["code"]: writer.create("report_department", d).id for d in DEPARTMENTS}
    groups = {
        g["code"]: writer.create("report_category", {**g, "code": f"g-{g['code']}", "position": 10 * n}).id
        for n, g in enumerate(_GROUPS)
    }
    ids = {}
    for n, (parent, department, days, values) in enumerate(CATEGORIES):
        more = {
            "parent": groups.get(parent), "department": departments[department], "deadline_days": days or None, "position": 100 + n,
        }  # fmt: skip
        ids[values["code"]] = writer.create("report_category", {**values, **more}).id
    return ids
