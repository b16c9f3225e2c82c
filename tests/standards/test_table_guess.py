"""What the beginning of a table lets one guess: encoding, separator, the line of the header, and files without any."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.standards.layer_file import LayerRow, Told, layers_of
from beffroi.standards.table_guess import Guess, guess_of, header_in


@pytest.mark.parametrize(
    ("text", "encoding", "guess"),
    [
        ("a;b;c\n1;2;3\n", "utf-8", Guess("utf-8", ";", 1, True)),
        ("Relevé, été 2026;;\n\nN°;Rue;Posé\n1;Église;2\n2;Mairie;3\n", "cp1252", Guess("cp1252", ";", 3, True)),
        ("nom\tprix, HT\nBanc\t12,5\nTable\t13,5\n", "utf-16", Guess("utf-16", "\t", 1, True)),
        ("1;2024-01-01;12,5\n2;2024-01-02;13\n", "utf-8", Guess("utf-8", ";", 0, True)),
        ("Commune;2020;2021;2022\nIci;1;2;3\n", "utf-8", Guess("utf-8", ";", 1, True)),  # years are names
        ("code\nA1\nA2\n", "utf-8", Guess("utf-8", "\t", 1, True)),
    ],
)  # fmt: skip
def test_the_head_of_a_file_tells_how_to_read_it(
    tmp_path: Path, text: str, encoding: str, guess: Guess
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    assert guess_of(path) == guess


CELL = st.text("abcdefé '-", min_size=1, max_size=8).filter(lambda s: s.strip() != "")


@given(st.integers(2, 6).flatmap(lambda n: st.tuples(
    st.lists(CELL, min_size=n, max_size=n, unique=True), st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=3, max_size=8),
    st.integers(0, 3), st.sampled_from(";,\t|"),
)))  # fmt: skip
def test_titles_above_never_hide_the_header(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[list[str], list[list[str]], int, str]
) -> None:
    header, rows, titles, mark = drawn
    text = io.StringIO()
    text.write("Un titre\n" * titles)
    csv.writer(text, delimiter=mark).writerows([header, *rows])
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_text(text.getvalue(), "utf-8", newline="")
    guess = guess_of(path)
    assert (guess.delimiter, guess.header) == (mark, titles + 1)
    read = [r for r in layers_of(path, "csv")[0].rows() if isinstance(r, LayerRow)]
    assert [list(r.values.values()) for r in read] == [[c.strip() for c in row] for row in rows]


def test_a_table_without_header_has_numbered_columns(tmp_path: Path) -> None:
    path = tmp_path / "nu.csv"
    path.write_text("Banc;12,5;2024-01-01\nTable;13,5;2024-01-02\n", "utf-8")
    assert header_in([["Banc", "12,5", "2024-01-01"], ["Table", "13,5", "2024-01-02"]]) == 0
    (layer,) = layers_of(path, "csv")
    assert [r.values for r in layer.rows() if isinstance(r, LayerRow)][1] == {
        "colonne 1": "Table",
        "colonne 2": "13,5",
        "colonne 3": "2024-01-02",
    }
    (told,) = layers_of(path, "csv", Told(header=1))
    assert [list(r.values) for r in told.rows() if isinstance(r, LayerRow)] == [
        ["Banc", "12,5", "2024-01-01"]
    ]
