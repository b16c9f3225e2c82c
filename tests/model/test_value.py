"""Values of fields: what forms, files and programs write, and what is refused with its mend."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from beffroi.model.collection import Collection, Field, Record, choice, field
from beffroi.model.instant import from_datetime
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.model.value import check_value, json_value, parse_value, say_value


class All(Record):
    text: str | None = field("Texte", "Text", pattern="[A-Z]{2}.*")
    whole: int | None = field("Entier", "Whole", minimum=-5, maximum=5)
    number: float | None = field("Nombre", "Number")
    truth: bool | None = field("Vrai", "True")
    day: date | None = field("Jour", "Day")
    moment: datetime | None = field("Moment", "Moment")
    thing: dict | None = field("Divers", "Sundry")
    link: int | None = field("Lien", "Link", reference="other")
    state: str | None = field("État", "State", choices=(choice("ok", "En service", "In service"),))


FIELDS = {f.name: f for f in Collection("all", Text("", ""), All).fields}


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("text", " ABc ", "ABc"), ("text", "", None), ("text", "   ", None),
        ("whole", "3", 3), ("whole", "-5", -5), ("whole", "3,0", 3), ("whole", "\u202f4 ", 4),
        ("number", "12,5", 12.5), ("number", "12.5", 12.5), ("number", "1 234,5", 1234.5), ("number", "1\u202f234", 1234.0),
        ("number", "-1e3", -1000.0), ("truth", "Oui", True), ("truth", "non", False), ("truth", "1", True), ("truth", "FAUX", False),
        ("day", "2026-11-22", date(2026, 11, 22)), ("day", "22/11/2026", date(2026, 11, 22)), ("day", "1.2.2026", date(2026, 2, 1)),
        ("moment", "2026-11-22T14:05:00+01:00", from_datetime(datetime(2026, 11, 22, 13, 5, tzinfo=UTC))),
        ("moment", "2026-07-22T14:05", from_datetime(datetime(2026, 7, 22, 12, 5, tzinfo=UTC))),
        ("thing", '{"a": [1]}', {"a": [1]}), ("link", "12", 12),
        ("state", "ok", "ok"), ("state", "En service", "ok"), ("state", "in SERVICE", "ok"),
    ],
)  # fmt: skip
def test_what_people_write_is_understood(name: str, written: str, expected: object) -> None:
    assert parse_value(FIELDS[name], written) == expected


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("text", "abc"), ("whole", "3,5"), ("whole", "6"), ("whole", "-6"), ("whole", "x"), ("number", "1,2,3"), ("number", "nan"),
        ("number", "inf"), ("number", "1e999"), ("truth", "peut-être"), ("day", "31/02/2026"), ("day", "hier"),
        ("moment", "25:00"), ("thing", "{"), ("thing", "3"), ("link", "a"), ("link", "9" * 30), ("state", "cassé"),
    ],
)  # fmt: skip
def test_what_is_not_understood_says_where_and_how_to_mend(name: str, written: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_value(FIELDS[name], written)
    assert refused.value.place == name
    assert refused.value.mend.fr
    assert refused.value.mend.en


@settings(deadline=None)
@given(name=some.sampled_from(sorted(FIELDS)), written=some.text(max_size=40))
def test_any_text_is_a_value_or_a_problem_and_never_anything_else(name: str, written: str) -> None:
    declared: Field = FIELDS[name]
    try:
        value = parse_value(declared, written)
    except Problem:
        return
    assert check_value(declared, value) == value
    assert check_value(declared, json_value(declared, value)) == value  # what JSON carries comes back
    assert isinstance(say_value(declared, value, "fr"), str)


_ANY = some.recursive(some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.binary(),
                      lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner), max_leaves=4)  # fmt: skip


@settings(deadline=None)
@given(name=some.sampled_from(sorted(FIELDS)), value=_ANY)
def test_any_value_is_kept_or_a_problem(name: str, value: object) -> None:
    try:
        kept = check_value(FIELDS[name], value)
    except Problem:
        return
    assert check_value(FIELDS[name], kept) == kept


def test_values_are_said_in_words() -> None:
    assert say_value(FIELDS["truth"], True, "fr") == "oui"
    assert say_value(FIELDS["number"], 12.5, "fr") == "12,5"
    assert say_value(FIELDS["number"], 12.5, "en") == "12.5"
    assert say_value(FIELDS["state"], "ok", "en") == "In service"
    assert say_value(FIELDS["day"], date(2026, 11, 22), "fr") == "22/11/2026"
    assert (
        say_value(FIELDS["moment"], from_datetime(datetime(2026, 7, 22, 12, 5, tzinfo=UTC)), "fr")
        == "22/07/2026 14:05"
    )
    assert say_value(FIELDS["thing"], {"a": 1}, "fr") == '{"a":1}'
    assert say_value(FIELDS["text"], None, "fr") == ""
