"""Files of evaluations that are damaged are told as a `Problem`, never as a fault of ours."""

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beffroi.model.problem import Problem
from beffroi.services.reports.csv_file import opened

WHOLE = gzip.compress(b"id;texte\n" + b"1;un trou dans la rue\n" * 400, mtime=0)


def read(path: Path) -> str:
    with opened(path) as lines:
        return lines.read()


def test_a_gzip_damaged_inside_is_a_problem_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.csv.gz"
    path.write_bytes(WHOLE[:20] + bytes(b ^ 0xFF for b in WHOLE[20:60]) + WHOLE[60:])
    with pytest.raises(Problem) as told:
        read(path)
    assert str(path) in told.value.reason.fr and "gzip" in told.value.mend.fr


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(2, len(WHOLE) - 1), bit=st.integers(0, 7), cut=st.booleans())
def test_no_flipped_bit_and_no_cut_escapes_as_something_else(
    tmp_path: Path, at: int, bit: int, cut: bool
) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(WHOLE[:at] if cut else WHOLE[:at] + bytes([WHOLE[at] ^ 1 << bit]) + WHOLE[at + 1 :])
    try:
        text = read(path)
    except Problem:
        return
    assert text == gzip.decompress(WHOLE).decode()  # the bit was one of the header that says nothing
