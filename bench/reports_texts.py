"""Invented French reports with known categories: what citizens write, hurried, misspelt, sometimes of two things."""

import random

from beffroi.services.reports.categories.classifier import Category

CATEGORIES = (
    Category("eclairage", ("Éclairage public",), ("lampadaire", "lampadaire éteint", "candélabre", "lumière", "réverbère")),
    Category("dechets", ("Dépôt sauvage",), ("encombrants", "ordures", "déchets", "poubelle renversée", "sacs poubelles")),
    Category("voirie", ("Chaussée et trottoirs",), ("nid-de-poule", "trou", "trottoir cassé", "pavé", "affaissement")),
    Category("espaces_verts", ("Espaces verts",), ("arbre", "branche", "pelouse", "haie", "mauvaises herbes")),
    Category("graffiti", ("Graffitis et affiches",), ("tag", "graffiti", "affichage sauvage", "autocollant")),
    Category("eau", ("Eau et assainissement",), ("fuite d'eau", "égout", "bouche d'égout", "inondation", "canalisation")),
    Category("mobilier", ("Mobilier urbain",), ("banc", "potelet", "abribus", "barrière", "jeux")),
    Category("stationnement", ("Stationnement gênant",), ("voiture ventouse", "épave", "voiture mal garée", "véhicule abandonné")),
)  # fmt: skip
_SAID = {
    "eclairage": ("le lampadaire ne marche plus", "il fait noir, aucune lumière", "la lampe clignote toute la nuit", "l'ampoule est grillée",
                  "plus d'éclairage depuis {n} jours", "le réverbère est éteint", "on n'y voit rien le soir"),
    "dechets": ("un matelas abandonné", "des sacs poubelles éventrés", "quelqu'un a jeté un frigo", "dépôt d'encombrants",
                "ça sent mauvais, des ordures partout", "un canapé sur le trottoir", "la poubelle déborde"),
    "voirie": ("un gros trou dans la route", "nid de poule dangereux", "le trottoir est défoncé", "le pavé est descellé",
               "la chaussée s'affaisse", "le goudron est arraché", "j'ai failli tomber, le sol est déformé"),
    "espaces_verts": ("une branche menace de tomber", "l'arbre est mort", "les herbes hautes envahissent tout", "la haie déborde",
                      "la pelouse n'est pas tondue", "des ronces sur le chemin", "un tronc couché après l'orage"),
    "graffiti": ("un tag sur le mur", "des graffitis sur la façade", "affiches collées partout", "une inscription injurieuse",
                 "autocollants sur les panneaux", "de la peinture sur l'école", "le rideau a été tagué"),
    "eau": ("de l'eau coule depuis {n} jours", "fuite sur la canalisation", "la bouche d'égout refoule", "odeur d'égout",
            "la rue est inondée à chaque pluie", "la fontaine fuit", "l'avaloir est bouché"),
    "mobilier": ("le banc est cassé", "le potelet est arraché", "la vitre de l'abribus est brisée", "la barrière est tordue",
                 "le toboggan est abîmé", "la table de pique-nique est cassée", "le panneau de rue est tombé"),
    "stationnement": ("une voiture ventouse", "une épave sans plaque", "un véhicule garé sur le passage piéton", "une auto abandonnée",
                      "un camion bloque le trottoir", "un scooter en épave", "stationnement sur la place handicapée"),
}  # fmt: skip
_BEFORE = (
    "",
    "",
    "Bonjour, ",
    "bonjour je vous signale ",
    "Il y a ",
    "URGENT ",
    "encore ",
    "Depuis une semaine ",
)
_AFTER = (" devant le {n} rue des Lilas", " près de l'école", " au coin de la rue", " merci", ", c'est dangereux pour les enfants",
          " dans le parc", " place du marché", "", " à côté de la mairie. Cordialement")  # fmt: skip


def texts(n: int, seed: int = 1, typos: float = 0.25) -> list[tuple[str, str]]:
    """Return `n` texts with their categories; in a share `typos` a letter of a word is lost, doubled or swapped."""
    chance = random.Random(seed)
    made = []
    for _ in range(n):
        code = chance.choice(list(_SAID))
        text = (chance.choice(_BEFORE) + chance.choice(_SAID[code]) + chance.choice(_AFTER)).format(
            n=chance.randint(2, 90)
        )
        if chance.random() < typos:
            at = chance.randrange(2, len(text) - 2)
            text = chance.choice((text[:at] + text[at + 1 :], text[:at] + text[at] + text[at:],
                                  text[:at] + text[at + 1] + text[at] + text[at + 2 :]))  # fmt: skip
        if chance.random() < 0.3:
            text = text.upper()
        made.append((text, code))
    return made
