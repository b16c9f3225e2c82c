"""Default rules, as the readable YAML that the rules page would write. Each names where its limits come from."""

from beffroi.model.declaration import RuleTemplate
from beffroi.model.text import Text

__all__ = ["RULES"]

RULES = (
    RuleTemplate(
        "river_rises", Text("Montée rapide de la rivière", "River rising fast"),
        """\
name: Montée rapide de la rivière
description: Plus de 30 cm en une heure. Les seuils de vigilance propres à chaque échelle se règlent à part.
watch: {kind: river_level}
when: {rises: {jaune: 0.30, orange: 0.60}, within: 1 h, hysteresis: 0.1, for: 10 min}
message: "{thing} : l'eau monte vite, {value} {unit}"
message_en: "{thing}: the water is rising fast, {value} {unit}"
""",
    ),
    RuleTemplate(
        "river_silent", Text("Échelle de rivière muette", "River gauge silent"),
        """\
name: Échelle de rivière muette
watch: {kind: river_level}
when: {silent: {orange: 1 h, rouge: 6 h}}
message: "{thing} ne donne plus de hauteur d'eau"
message_en: "{thing} no longer gives a water level"
""",
    ),
    RuleTemplate(
        "sensor_silent", Text("Capteur muet", "Sensor silent"),
        """\
name: Capteur muet
watch: {service: environment}
when: {silent: 12 h}
severity: jaune
message: "{thing} : plus de mesure depuis 12 h"
message_en: "{thing}: no measurement for 12 h"
""",
    ),
    RuleTemplate(
        "heavy_rain", Text("Pluie intense", "Heavy rain"),
        """\
name: Pluie intense
description: Cumul d'un relevé de 10 ou 15 minutes.
watch: {kind: rain}
when: {above: {jaune: 5, orange: 10, rouge: 15}, clear_after: 1 h}
message: "{thing} : {value} {unit} en un relevé"
message_en: "{thing}: {value} {unit} in one reading"
""",
    ),
    RuleTemplate(
        "strong_wind", Text("Vent fort", "Strong wind"),
        """\
name: Vent fort
description: Rafales de 72, 90 et 108 km/h (Météo-France parle de vent fort au-delà de 80 à 100 km/h selon les régions).
watch: {kind: wind_gust}
when: {above: {jaune: 20, orange: 25, rouge: 30}, hysteresis: 3, clear_after: 1 h}
message: "{thing} : rafales à {value} {unit}"
message_en: "{thing}: gusts of {value} {unit}"
""",
    ),
    RuleTemplate(
        "frost", Text("Gel au sol", "Frost"),
        """\
name: Gel
description: Pour le salage et les conduites exposées.
watch: {kind: temperature, service: environment}
when: {below: {jaune: 0, orange: -5}, hysteresis: 1, for: 30 min}
message: "{thing} : {value} {unit}"
message_en: "{thing}: {value} {unit}"
""",
    ),
    RuleTemplate(
        "heat", Text("Forte chaleur", "Very hot"),
        """\
name: Forte chaleur
watch: {kind: temperature, service: environment}
when: {above: {jaune: 32, orange: 36, rouge: 40}, hysteresis: 1, for: 30 min}
message: "{thing} : {value} {unit}"
message_en: "{thing}: {value} {unit}"
""",
    ),
    RuleTemplate(
        "no2_peak", Text("Pic de dioxyde d'azote", "Nitrogen dioxide peak"),
        """\
name: Pic de dioxyde d'azote
description: Seuils d'information (200) et d'alerte (400 µg/m³, moyenne horaire), article R221-1 du code de l'environnement.
watch: {kind: no2}
when: {above: {orange: 200, rouge: 400}, hysteresis: 10}
message: "{thing} : {value} {unit} de NO₂"
message_en: "{thing}: {value} {unit} of NO₂"
""",
    ),
    RuleTemplate(
        "ozone_peak", Text("Pic d'ozone", "Ozone peak"),
        """\
name: Pic d'ozone
description: Seuils d'information (180) et d'alerte (240 µg/m³, moyenne horaire), article R221-1 du code de l'environnement.
watch: {kind: o3}
when: {above: {orange: 180, rouge: 240}, hysteresis: 10}
message: "{thing} : {value} {unit} d'ozone"
message_en: "{thing}: {value} {unit} of ozone"
""",
    ),
    RuleTemplate(
        "pm10_high", Text("Particules élevées", "High particles"),
        """\
name: Particules élevées
description: 50 et 80 µg/m³ tenus trois heures. L'article R221-1 juge la moyenne du jour ; ceci prévient plus tôt.
watch: {kind: pm10}
when: {above: {jaune: 50, orange: 80}, hysteresis: 5, for: 3 h}
message: "{thing} : {value} {unit} de PM10 depuis trois heures"
message_en: "{thing}: {value} {unit} of PM10 for three hours"
""",
    ),
    RuleTemplate(
        "co2_high", Text("Air confiné", "Stale air"),
        """\
name: Air confiné
description: 800 et 1 500 ppm, avis du Haut Conseil de la santé publique du 21 janvier 2022.
watch: {kind: co2}
when: {above: {jaune: 1500, orange: 2500}, hysteresis: 200, for: 20 min}
during: {days: lundi-vendredi, hours: 08:00-18:00}
message: "{thing} : aérez, {value} {unit} de CO₂"
message_en: "{thing}: open the windows, {value} {unit} of CO₂"
""",
    ),
    RuleTemplate(
        "rain_total", Text("Cumul de pluie", "Rain total"),
        """\
name: Cumul de pluie
description: 30, 50 et 80 mm en six heures, pour les ruisseaux et les pentes ; à régler sur la mémoire de la commune.
watch: {kind: rain}
when: {totals: {jaune: 30, orange: 50, rouge: 80}, within: 6 h, hysteresis: 5}
message: "{thing} : forte pluie sur six heures"
message_en: "{thing}: heavy rain over six hours"
""",
    ),
    RuleTemplate(
        "so2_peak", Text("Pic de dioxyde de soufre", "Sulphur dioxide peak"),
        """\
name: Pic de dioxyde de soufre
description: Seuils d'information (300) et d'alerte (500 µg/m³, moyenne horaire), article R221-1 du code de l'environnement.
watch: {kind: so2}
when: {above: {orange: 300, rouge: 500}, hysteresis: 15}
message: "{thing} : {value} {unit} de SO₂"
message_en: "{thing}: {value} {unit} of SO₂"
""",
    ),
    RuleTemplate(
        "pm25_high", Text("Particules fines élevées", "High fine particles"),
        """\
name: Particules fines élevées
description: 25 et 50 µg/m³ tenus trois heures, hauts des classes « dégradé » et « mauvais » de l'indice indicatif.
watch: {kind: pm25}
when: {above: {jaune: 25, orange: 50}, hysteresis: 3, for: 3 h}
message: "{thing} : {value} {unit} de PM2,5 depuis trois heures"
message_en: "{thing}: {value} {unit} of PM2.5 for three hours"
""",
    ),
    RuleTemplate(
        "loud_night", Text("Nuit bruyante", "Loud night"),
        """\
name: Nuit bruyante
description: 62 dB(A) la nuit est la valeur limite française du bruit routier (LAeq 22 h-6 h, arrêté du 4 avril 2006).
watch: {kind: laeq}
when: {above: {jaune: 62, orange: 70}, hysteresis: 3, for: 30 min}
during: {hours: 22:00-06:00}
message: "{thing} : {value} {unit} la nuit"
message_en: "{thing}: {value} {unit} at night"
""",
    ),
    RuleTemplate(
        "hot_night", Text("Nuit chaude", "Hot night"),
        """\
name: Nuit chaude
description: Plus de 20 °C toute la seconde moitié de la nuit (« nuit tropicale ») ; trois de suite font une canicule.
watch: {kind: temperature, service: environment}
when: {above: {jaune: 20, orange: 24}, for: 4 h}
during: {hours: 02:00-08:00}
message: "{thing} : encore {value} {unit} en fin de nuit"
message_en: "{thing}: still {value} {unit} at the end of the night"
""",
    ),
    RuleTemplate(
        "heat_wave", Text("Chaleur de trois jours", "Heat of three days"),
        """\
name: Chaleur de trois jours
description: Moyenne de trois jours et trois nuits à 25 et 27 °C, milieu des minimales et maximales des seuils départementaux (18/31 à 24/35) ; à régler sur le vôtre.
watch: {kind: temperature, service: environment}
when: {means: {orange: 25, rouge: 27}, within: 3 j, hysteresis: 1}
message: "{thing} : trois jours et trois nuits de forte chaleur"
message_en: "{thing}: three days and nights of great heat"
""",
    ),
    RuleTemplate(
        "crack_opens", Text("Fissure qui s'ouvre", "Crack opening"),
        """\
name: Fissure qui s'ouvre
description: Un, trois et dix millimètres en un jour.
watch: {kind: crack}
when: {rises: {jaune: 1, orange: 3, rouge: 10}, within: 1 j, hysteresis: 0.2}
message: "{thing} : la fissure s'ouvre, {value} {unit}"
message_en: "{thing}: the crack opens, {value} {unit}"
""",
    ),
    RuleTemplate(
        "slope_moves", Text("Pente qui bouge", "Slope moving"),
        """\
name: Pente qui bouge
description: Cinq, vingt et cent millimètres en un jour.
watch: {kind: displacement}
when: {rises: {jaune: 5, orange: 20, rouge: 100}, within: 1 j, hysteresis: 1}
message: "{thing} : la pente avance, {value} {unit}"
message_en: "{thing}: the slope moves, {value} {unit}"
""",
    ),
    RuleTemplate(
        "slope_tilts", Text("Ouvrage qui s'incline", "Structure tilting"),
        """\
name: Ouvrage qui s'incline
description: Un et cinq dixièmes de degré en un jour, dans un sens ou dans l'autre.
watch: {kind: tilt}
when: {any: [{rises: {jaune: 0.1, orange: 0.5}, within: 1 j}, {falls: {jaune: 0.1, orange: 0.5}, within: 1 j}]}
message: "{thing} : inclinaison {value} {unit}"
message_en: "{thing}: tilt {value} {unit}"
""",
    ),
)  # fmt: skip
