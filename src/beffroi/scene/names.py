"""Names of the demonstration: invented places, and the street names that every French town has."""

__all__ = ["CROSSINGS", "ESTATES", "HAMLETS", "LINKS", "RADIALS", "RINGS", "RIVER", "VILLAGE"]

RIVER = "La Sarelle"

# The roads out of town, by bearing from the north (degrees), with the road number beyond the last house.
RADIALS: tuple[tuple[float, str, str], ...] = (
    (8, "Rue du Faubourg-Saint-Denis", "D 147"),
    (52, "Rue du Pont-Neuf", "D 26"),
    (96, "Rue du Vieux-Pont", "D 12"),
    (148, "Rue des Tanneurs", ""),
    (197, "Rue de Montarel", "D 147"),
    (238, "Avenue de la Gare", ""),
    (281, "Avenue de la République", "D 26"),
    (322, "Rue des Moulins-à-Vent", "D 31"),
)
# The streets around the belfry, inner ring first: each ring is cut into as many streets as it has names.
RINGS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (120, ("Rue du Guet", "Rue des Halles", "Rue de la Monnaie", "Rue aux Fèvres")),
    (
        235,
        ("Rue Victor-Hugo", "Rue du Collège", "Rue des Augustins", "Rue des Remparts", "Rue du Four-Banal"),
    ),
    (
        375,
        (
            "Boulevard Gambetta",
            "Boulevard du 11-Novembre",
            "Rue Jean-Jaurès",
            "Rue Pasteur",
            "Rue de la Fontaine",
        ),
    ),
    (545, ("Rue Marie-Curie", "Rue des Vignes", "Rue du Stade", "Rue Louise-Michel", "Rue des Jardins")),
)
# Streets between the rings: bearing, inner and outer distance, name.
CROSSINGS: tuple[tuple[float, float, float, str], ...] = (
    (30, 235, 375, "Rue du Cloître"),
    (165, 120, 375, "Rue des Teinturiers"),
    (172, 375, 545, "Rue du Lavoir"),
    (217, 235, 545, "Rue Jules-Ferry"),
    (260, 120, 545, "Rue des Écoles"),
    (252, 545, 830, "Rue du Gymnase"),
    (300, 235, 545, "Rue du Cimetière"),
    (296, 545, 700, "Rue de la Briqueterie"),
    (345, 235, 545, "Rue du Champ-de-Foire"),
    (349, 545, 730, "Chemin de la Croix-Blanche"),
    (115, 300, 480, "Rue de l'Abattoir"),
    (72, 300, 480, "Rue des Maraîchers"),
)
# Streets that join an estate to the town: name, from, to.
LINKS: tuple[tuple[str, tuple[float, float], tuple[float, float]], ...] = (
    ("Rue de Beauséjour", (-720, 314), (-530, 110)),
    ("Rue du Clos", (-560, -850), (-260, -640)),
    ("Rue du Général-Leclerc", (-830, -128), (-540, -30)),
    ("Chemin de la Station", (610, 880), (560, 470)),
)
# Housing estates: name, place of their corner (east, north of the belfry, m), angle, columns and rows of streets.
ESTATES: tuple[tuple[str, float, float, float, tuple[str, ...]], ...] = (
    ("Les Noyers", -980, 260, 12, ("Rue des Noyers", "Rue des Tilleuls", "Rue des Érables", "Allée des Charmes",
                                   "Allée des Merisiers", "Allée des Sorbiers")),
    ("Le Clos Fleuri", -720, -860, -18, ("Rue des Lilas", "Rue des Glycines", "Rue des Iris", "Allée des Mésanges",
                                         "Allée des Alouettes", "Allée des Hirondelles")),
    ("Les Hauts de Sarelle", 620, 330, 24, ("Rue du Belvédère", "Rue Simone-Veil", "Rue Rosa-Parks", "Allée du Couchant",
                                            "Allée du Levant")),
    ("La Croix-Blanche", -260, 720, -6, ("Rue Jacques-Prévert", "Rue Colette", "Rue George-Sand", "Allée des Poètes",
                                         "Allée des Conteurs", "Allée Alain-Fournier")),
)  # fmt: skip
# Hamlets: name, place, number of houses.
HAMLETS: tuple[tuple[str, float, float, int], ...] = (
    ("Les Baudets", -2300, 900, 22),
    ("La Grange-aux-Moines", -1800, -1900, 16),
    ("Chantemerle", 1900, 1500, 27),
    ("Le Gué-Morin", 1500, -1250, 19),
    ("La Tuilerie", -500, 2200, 14),
    ("Bois-Renaud", 2500, -200, 9),
)
# The neighbouring commune: its streets as offsets from its church.
VILLAGE: tuple[tuple[str, tuple[tuple[float, float], ...]], ...] = (
    ("Grande Rue", ((-420, -160), (-180, -50), (0, 20), (170, 60), (380, 190))),
    ("Rue de l'Église", ((0, 20), (-40, 140), (-30, 300))),
    ("Rue du Lavoir", ((0, 20), (90, -120), (230, -230))),
    ("Rue des Écoles", ((-180, -50), (-230, 90), (-30, 300))),
    ("Chemin des Prés", ((170, 60), (200, 220), (120, 360), (-30, 300))),
    ("Rue du Four", ((-180, -50), (-110, -190), (90, -120))),
    ("Impasse du Puits", ((-40, 140), (90, 170))),
)
