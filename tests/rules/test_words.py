"""A rule says itself in words, in both languages."""

import pytest

from beffroi.model.text import Text
from beffroi.rules.reading import read_rule
from beffroi.rules.words import duration_words, fill, number_words, sentence

RECORD = {
    "record": Text("Bacs", "Bins"), "record.state": Text("État", "State"), "record.state=full": Text("plein", "full"),
    "record.state=torn": Text("abîmé", "torn"), "record.active": Text("Actif", "Active"), "record.litres": Text("Volume", "Volume"),
    "record.street": Text("Rue", "Street"),
}  # fmt: skip


def naming(name):
    if name.startswith("record"):
        bare = name.rpartition("=")[2]
        return RECORD.get(name, Text(bare, bare)), ""
    return Text("Hauteur d'eau", "Water level"), "cm"


@pytest.mark.parametrize(
    ("when", "fr", "en"),
    [
        ("{above: 200, for: PT10M}", "Alerte orange quand Hauteur d'eau dépasse 200 cm pendant 10 min.",
         "Orange alert when Water level exceeds 200 cm for 10 min."),
        ("{above: {jaune: 1000.5, rouge: 2000}, hysteresis: 10}",
         "Alerte jaune ou rouge quand Hauteur d'eau dépasse 1\u202f000,5 ou 2\u202f000 cm (fin de chaque palier 10 cm plus bas).",
         "Yellow or red alert when Water level exceeds 1,000.5 or 2,000 cm (each level is over 10 cm lower)."),
        ("{below: 5, hysteresis: 1, times: 3, of: 5}",
         "Alerte orange quand Hauteur d'eau passe sous 5 cm 3 fois sur 5 (fin au-dessus de 6 cm).",
         "Orange alert when Water level falls below 5 cm 3 times out of 5 (over above 6 cm)."),
        ("{rises: 30, within: 1 h}", "Alerte orange quand Hauteur d'eau monte de plus de 30 cm en 1 h.",
         "Orange alert when Water level rises by more than 30 cm within 1 h."),
        ("{silent: 90 min}", "Alerte orange quand Hauteur d'eau ne donne plus rien depuis 1 h 30 min.",
         "Orange alert when Water level has been silent for 1 h 30 min."),
        ("{expression: value > 3 and not value > 9}", "Alerte orange quand « Hauteur d'eau » dépasse 3 et il est faux que « Hauteur d'eau » dépasse 9.",
         "Orange alert when 'Water level' exceeds 3 and it is false that 'Water level' exceeds 9."),
        ("{expression: 'abs(value - 2 * value) >= 0.5 or 1 < value <= 1500'}",
         ("Alerte orange quand abs(« Hauteur d'eau » − (2 × « Hauteur d'eau »)) atteint 0,5 ou 1 est sous « Hauteur d'eau »"
         " et « Hauteur d'eau » ne dépasse pas 1\u202f500."),
         ("Orange alert when abs('Water level' − (2 × 'Water level')) reaches 0.5 or 1 is below 'Water level'"
         " and 'Water level' does not exceed 1,500.")),
    ],
)  # fmt: skip
def test_conditions(when, fr, en):
    said = sentence(read_rule(f"name: x\nwatch: {{datastream: 1}}\nwhen: {when}\n"), naming)
    assert (said.fr, said.en) == (fr, en)


def test_hours_days_and_clearing():
    text = "name: x\nwatch: {datastream: 1}\nwhen: {above: 1, clear_after: 1 h}\nduring: {days: samedi-dimanche, hours: 22:00-06:00}\n"
    said = sentence(read_rule(text + "clear: {below: 0}\n"), naming)
    assert said.fr == (
        "Alerte orange quand Hauteur d'eau dépasse 1 cm, le samedi et le dimanche de 22:00 à 06:00"
        " (fin après 1 h de calme) ; elle finit quand Hauteur d'eau passe sous 0 cm."
    )
    assert said.en.endswith(
        "on Saturday and Sunday from 22:00 to 06:00 (over after 1 h of calm); it ends when Water level falls below 0 cm."
    )


@pytest.mark.parametrize(
    ("where", "fr", "en"),
    [
        ("state == 'full'", "« État » est « plein »", "'State' is 'full'"),
        ("state in ['full', 'torn']", "« État » est « plein » ou « abîmé »", "'State' is 'full' or 'torn'"),
        ("state not in ('full', 'torn')", "« État » n'est ni « plein » ni « abîmé »", "'State' is neither 'full' nor 'torn'"),
        ("active and (litres >= 1000 or street != None)", "« Actif » est vrai et (« Volume » atteint 1\u202f000 ou « Rue » est rempli)",
         "'Active' is true and ('Volume' reaches 1,000 or 'Street' is filled in)"),
        ("not active and street == None and state != 'gone'", "« Actif » est faux, « Rue » est vide et « État » n'est pas « gone »",
         "'Active' is false, 'Street' is empty and 'State' is not 'gone'"),
        ("state != street", "« État » n'est pas « Rue »", "'State' is not 'Street'"),
    ],
)  # fmt: skip
def test_records(where, fr, en):
    rule = f'name: x\nwatch: {{collection: bin}}\nwhen: {{where: "{where}", event: updated, for: P1D}}\n'
    said = sentence(read_rule(rule), naming)
    assert said == Text(
        f"Alerte orange quand un enregistrement de « Bacs » est modifié et que {fr} pendant 1 j.",
        f"Orange alert when a record of 'Bins' is updated and {en} for 1 d.",
    )


@pytest.mark.parametrize(
    ("days", "fr", "en"),
    [
        ("lundi-vendredi", "du lundi au vendredi", "Monday to Friday"), ("mardi", "le mardi", "on Tuesday"),
        ("[lundi, mercredi, dimanche]", "le lundi, le mercredi et le dimanche", "on Monday, Wednesday and Sunday"),
    ],
)  # fmt: skip
def test_days(days, fr, en):
    text = f"name: x\nwatch: {{datastream: 1}}\nwhen: {{above: 1}}\nduring: {{days: {days}, hours: 08:00-18:00}}\n"
    said = sentence(read_rule(text), naming)
    assert said.fr.endswith(f"dépasse 1 cm, {fr} de 08:00 à 18:00.")
    assert said.en.endswith(f"exceeds 1 cm, {en} from 08:00 to 18:00.")


def test_templates_fill_what_they_know_and_nothing_more():
    assert fill("{a} {b.__class__} {c} {a}", {"a": 1, "b": 2}) == "1 {b.__class__} {c} 1"


def test_numbers_and_durations():
    assert [number_words(v) for v in (None, 0.1 + 0.2, -0.0, 1e6, 2.50)] == [
        "—",
        "0,3",
        "0",
        "1\u202f000\u202f000",
        "2,5",
    ]
    assert duration_words(90_061_000_000).fr == "1 j 1 h"


def test_the_default_rules_of_every_service_can_be_read_and_said():
    from beffroi.plugins import load_registry
    from beffroi.rules.collections import PLATFORM_COLLECTIONS

    for service in load_registry(platform=PLATFORM_COLLECTIONS).services.values():
        for template in service.rules:
            assert sentence(read_rule(template.yaml), naming).fr.startswith("Alerte "), template.name
