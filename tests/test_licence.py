"""The licence: the whole text of the EUPL 1.2, and the same name everywhere."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_licence_is_the_whole_eupl_with_its_fifteen_articles_and_appendix() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2\nEUPL © the European Union 2007, 2016\n")
    articles = [int(n) for n in re.findall(r"^(\d+)\.[A-Z]", text, re.MULTILINE)]
    assert articles == list(range(1, 16))
    assert text.rstrip().endswith(
        "All other changes or additions to this Appendix require the production of a new EUPL version."
    )


def test_project_names_the_licence_by_its_spdx_identifier() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["license"] == "EUPL-1.2"
