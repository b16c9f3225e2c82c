"""Every named mutation is noticed by its test; the harness tells when one is not, or fits the tree no more."""

import subprocess
import sys

import msgspec
import pytest
from tests.mutations.harness import TREE, every, judged, misplaced


def test_a_row_that_fits_nothing_is_told() -> None:
    row = every()[0]
    assert "stands 0 times" in misplaced(msgspec.structs.replace(row, old="no such text in the code"))
    assert "there is no test" in misplaced(
        msgspec.structs.replace(row, test=row.test.partition("::")[0] + "::test_x")
    )


@pytest.mark.nightly
def test_a_change_that_changes_nothing_is_unseen() -> None:
    row = every(["an absent entity"])[0]
    (outcome,) = judged([msgspec.structs.replace(row, new=row.old + "  # nothing")])
    assert not outcome.seen


@pytest.mark.nightly
def test_every_mutation_is_noticed() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.mutations"], cwd=TREE, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-3_000:] + ran.stderr[-3_000:]
