"""What the platform keeps in French is said in English, with what is filled in; what people typed stays theirs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.declaration import RuleTemplate
from beffroi.model.sayings import Sayings, named_after
from beffroi.model.text import Text
from beffroi.model.value import label_text, say_field

LEAK = Text("Fuite de {flow} m³/j, {area}", "Leak of {flow} m³/d, {area}")
PASSED = Text("Seuil {colour} franchi. {said}", "Threshold {colour} passed. {said}")
LEVEL = Text("{place}, hauteur : {value}", "{place}, level: {value}")
TWICE = Text("{who} et encore {who}", "{who} and {who} again")
SAID = Sayings(LEAK, PASSED, LEVEL, TWICE, Text("jaune", "yellow"), Text("Bilan du jour", "Daily balance"))


@pytest.mark.parametrize(
    ("kept", "english"),
    [
        ("Bilan du jour", "Daily balance"),
        ("Fuite de 1\u202f204,5 m³/j, Centre ancien", "Leak of 1,204.5 m³/d, Centre ancien"),
        ("Seuil jaune franchi. Le Pont, hauteur : 1,05 m", "Threshold yellow passed. Le Pont, level: 1.05 m"),
        ("Seuil jaune franchi. Vu de la rive, 12 rue Haute", "Threshold yellow passed. Vu de la rive, 12 rue Haute"),
        ("Zoé et encore Zoé", "Zoé and Zoé again"),
        ("Zoé et encore Léa", "Zoé et encore Léa"),
        ("Une fuite, je crois", "Une fuite, je crois"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_kept_text_is_said_in_english_and_stays_in_french(kept: str, english: str) -> None:
    assert (SAID(kept, "en"), SAID(kept, "fr")) == (english, kept)
    assert SAID.text(kept) == Text(kept, english)


@given(st.text("abcé .-'", min_size=1).map(str.strip), st.text("abcé .-'", min_size=1).map(str.strip))
def test_what_was_filled_in_comes_back(flow: str, area: str) -> None:
    assert SAID(LEAK.of("fr", flow=flow, area=area), "en") == LEAK.of("en", flow=flow, area=area)


def test_the_most_literal_text_is_meant() -> None:
    said = Sayings(Text("{a} : {b}", "{a}: {b}"), Text("{a} : la nuit", "{a}: at night"))
    assert (said("École : la nuit", "en"), said("École : le jour", "en")) == ("École: at night", "École: le jour")  # fmt: skip


def test_a_series_is_named_after_its_kind() -> None:
    kind = Text("Température", "Temperature")
    names = ("Température", "Température, École", "Température (École)", "Températures, École", "Vent, École")
    assert [named_after(name, kind).en for name in names] == [
        "Temperature", "Temperature, École", "Temperature (École)", "Températures, École", "Vent, École",
    ]  # fmt: skip


class Fault(Record):
    """A record with every kind of text."""

    title: str = field("Défaut", "Fault")
    title_en: str | None = field("Défaut, en anglais", "Fault, in English")
    why: str = field("Pourquoi", "Why", words=SAID)
    state: str = field("État", "State", choices=(choice("open", "Ouvert", "Open"),))


def test_a_field_says_its_english_neighbour_its_sayings_or_its_choice() -> None:
    faults = Collection("fault", Text("Défauts", "Faults"), Fault, label="title")
    values = {"title": "Lampe éteinte", "title_en": "Lamp out", "why": "Bilan du jour", "state": "open"}
    said = [say_field(faults, values, name, "en") for name in ("title", "why", "state", "nothing")]
    assert said == ["Lamp out", "Daily balance", "Open", ""]
    assert label_text(faults, values) == Text("Lampe éteinte", "Lamp out")
    assert label_text(faults, {**values, "title_en": None}) == Text("Lampe éteinte", "Lampe éteinte")


def test_a_proposed_rule_is_kept_with_its_english_name() -> None:
    text = 'name: Air confiné\nwatch: {kind: co2}\nmessage: "{thing}"\n'
    rule = RuleTemplate("co2", Text("Air confiné", "Stale air: open"), text)
    assert rule.written == text.replace("\n", '\nname_en: "Stale air: open"\n', 1)
    named = RuleTemplate("co2", Text("Air confiné", "Other"), rule.written)
    assert named.written == rule.written
