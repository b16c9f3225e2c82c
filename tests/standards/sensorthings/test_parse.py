"""The grammar of query options: what it reads, and where it says a text is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.model.problem import Problem
from beffroi.standards.sensorthings.bind import bind_filter, bind_orderby
from beffroi.standards.sensorthings.entities import BY_NAME, ENTITIES
from beffroi.standards.sensorthings.parse import parse_expand, parse_filter, parse_orderby, parse_select
from beffroi.standards.sensorthings.syntax import Comparison, Junction, Literal, Name, Negation

NOW_US = 1_700_000_000_000_000


def test_precedence_is_that_of_odata() -> None:
    tree = parse_filter("not a eq 1 and b eq 2 or c add 1 mul 2 gt 3 sub 4")
    assert isinstance(tree, Junction)
    assert tree.operator == "or"
    first, second = tree.parts
    assert isinstance(first, Junction)
    assert first.operator == "and"
    assert isinstance(first.parts[0], Negation)
    assert isinstance(second, Comparison)
    assert second.operator == "gt"
    assert second.left.right.operator == "mul"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("12", "number", 12),
        ("-0.50", "number", -0.5),
        ("1e3", "number", 1000.0),
        ("'l''eau'", "text", "l'eau"),
        ("''", "text", ""),
        ("true", "boolean", True),
        ("null", "null", None),
        ("1970-01-01T00:00:01Z", "instant", 1_000_000),
        ("1970-01-01T01:00:01+01:00", "instant", 1_000_000),
        ("1970-01-01T01:00:01 01:00", "instant", 1_000_000),  # a "+" that a form turned into a space
        ("1970-01-01T01:00:01.5+0100", "instant", 1_500_000),
        ("1970-01-01T00:00:00Z/1970-01-01T00:00:02Z", "moment", (0, 2_000_000)),
        ("1970-01-01T00:00:00Z/PT2S", "moment", (0, 2_000_000)),
        ("1970-01-02", "date", 86_400_000_000),
        ("00:00:01", "time", 1_000_000),
        ("duration'PT1H'", "duration", 3_600_000_000),
        ("geography'POINT(1 2)'", "geometry", "POINT(1 2)"),
    ],
)
def test_literals(text: str, kind: str, value: object) -> None:
    tree = parse_filter(f"x eq {text}")
    assert isinstance(tree, Comparison)
    assert isinstance(tree.right, Literal)
    assert (tree.right.kind, tree.right.value) == (kind, value)


def test_a_name_may_begin_like_a_keyword() -> None:
    tree = parse_filter("notes eq orbit and inner eq nullable")
    assert isinstance(tree, Junction)
    assert [p.left.steps for p in tree.parts] == [("notes",), ("inner",)]  # type: ignore[union-attr]


def test_both_notations_of_expand_are_one() -> None:
    assert parse_expand("Datastreams/Observations")[0].options.expand[0].name == "Observations"
    (thing,) = parse_expand("Datastreams($select=name;$top=2),Datastreams/Sensor")
    assert thing.name == "Datastreams"
    assert thing.options.top == 2
    assert [e.name for e in thing.options.expand] == ["Sensor"]


def test_select_and_orderby() -> None:
    assert parse_select("id,properties/a") == (Name(("id",), 0), Name(("properties", "a"), 3))
    assert [(o.by.steps, o.descending) for o in parse_orderby("name,phenomenonTime DESC")] == [  # type: ignore[union-attr]
        (("name",), False),
        (("phenomenonTime",), True),
    ]


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("name eq", 8),
        ("name eq 'x", 9),
        ("name == 'x'", 6),
        ("(name eq 'x'", 13),
        ("name eq 'x')", 12),
        ("x eq 2020-13-45T00:00:00Z", 6),
        ("x eq 2020-01-02T00:00:00Z/2020-01-01T00:00:00Z", 6),
        ("x eq 1e999", 6),
        ("x eq duration'P1Y'", 6),
        ("result in ()", 12),
        ("", 1),
    ],
)
def test_what_is_wrong_has_its_place(text: str, character: int) -> None:
    with pytest.raises(Problem) as caught:
        parse_filter(text)
    assert caught.value.status == 400
    assert caught.value.place == f"$filter:{character}"
    assert caught.value.mend.fr
    assert caught.value.mend.en


@pytest.mark.parametrize("text", ["(" * 5000, "not " * 2000 + "a", "a eq 1 and " * 900 + "a eq 1", "1 add " * 500 + "1 eq 1", "-" * 5000])  # fmt: skip
def test_nesting_is_bounded(text: str) -> None:
    with pytest.raises(Problem):
        parse_filter(text)


@pytest.mark.parametrize(
    ("entity", "text", "place"),
    [
        ("Thing", "colour eq 'red'", "$filter:1"),
        ("Thing", "Datastreams/colour eq 'red'", "$filter:1"),
        ("Thing", "name gt 5 add 'x'", "$filter:15"),
        ("Thing", "name", "$filter:1"),
        ("Thing", "description eq true", "$filter:13"),
        ("Thing", "frobnicate(name)", "$filter:1"),
        ("Thing", "startswith(name)", "$filter:1"),
        ("Thing", "Datastreams", "$filter:1"),
        ("Thing", "name/first eq 'x'", "$filter:1"),
        ("Thing", "Datastreams/any(d: Locations/name eq 'x')", "$filter:20"),
        ("Thing", "during(Datastreams/phenomenonTime, 2020-01-01T00:00:00Z)", "$filter:36"),
        ("Thing", "5 in name", "$filter:6"),
        ("Thing", "null in properties/a", "$filter:1"),
        ("Thing", "Datastreams/name eq Locations/name", "$filter:18"),
        ("Location", "st_within(location, geography'POINT(1')", "$filter:21"),
        ("Datastream", "unitOfMeasurement/colour eq 'x'", "$filter:1"),
    ],
)
def test_what_does_not_fit_the_model_has_its_place(entity: str, text: str, place: str) -> None:
    with pytest.raises(Problem) as caught:
        bind_filter(BY_NAME[entity], parse_filter(text), NOW_US)
    assert caught.value.place == place
    assert caught.value.mend.fr


def test_an_order_needs_a_relation_to_one() -> None:
    with pytest.raises(Problem):
        bind_orderby(BY_NAME["Thing"], parse_orderby("Datastreams/name"), NOW_US)
    assert (
        len(bind_orderby(BY_NAME["Observation"], parse_orderby("Datastream/Thing/name desc,result"), NOW_US))
        == 2
    )


_WORDS = st.sampled_from(
    [
        "name",
        "result",
        "phenomenonTime",
        "properties/a",
        "id",
        "Datastreams/name",
        "Datastream/Thing/name",
        "location",
        "eq",
        "ne",
        "gt",
        "le",
        "and",
        "or",
        "not",
        "add",
        "div",
        "mod",
        "(",
        ")",
        ",",
        "/",
        "'",
        "'x'",
        "5",
        "-1.5",
        "null",
        "true",
        "2020-01-01T00:00:00Z",
        "2020-01-01",
        "12:00",
        "duration'PT1H'",
        "geography'POINT(1",
        "2)'",
        "year(",
        "st_within(",
        "substringof(",
        "any(",
        "now()",
        "in",
        ":",
        "[0]",
        "$",
        "é",
        "\x00",
        "\\",
        ";",
        "{}",
        "%",
    ]
)


@settings(max_examples=1200, deadline=None)
@given(
    st.one_of(st.lists(_WORDS, max_size=12).map(" ".join), st.text(max_size=40)), st.sampled_from(ENTITIES)
)
def test_any_text_is_read_or_refused(text: str, entity: object) -> None:
    """Whatever the text, it is bound or refused with a place: nothing else comes out."""
    for parse, bind in ((parse_filter, bind_filter), (parse_orderby, bind_orderby)):
        try:
            bind(entity, parse(text), NOW_US)  # type: ignore[operator, arg-type]
        except Problem as problem:
            assert problem.status == 400
            assert problem.place.startswith("$")
    for parse in (parse_expand, parse_select):  # type: ignore[assignment]
        try:
            parse(text)
        except Problem as problem:
            assert problem.status == 400
