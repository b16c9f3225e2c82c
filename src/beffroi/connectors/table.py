"""Poll a table on the web (`kind = "csv"`): the reader of `beffroi import csv`.

Options: `mapping` (path of a TOML mapping file, else the columns are found by their names).
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beffroi.connectors.fetch import fetch
from beffroi.connectors.opendatasoft import batches
from beffroi.connectors.source import Batch, Source
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards import mapped_table

__all__ = ["poll"]


def poll(source: Source, cursor: dict[str, Any]) -> Iterator[Batch]:
    """Yield the rows of the table; those that came before are folded. Raises `Problem`."""
    options: dict[str, Any] = {"stem": source.name}
    if "mapping" in source.options:
        path = Path(source.options["mapping"])
        try:
            options |= tomllib.loads(path.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Problem(
                Text("Le fichier de correspondance n'est pas lisible.", "The mapping file cannot be read."),
                Text("Vérifiez l'option « mapping ».", "Check the option 'mapping'."),
                place=str(path),
            ) from error
    with fetch(source.url, accept="text/csv") as body:
        yield from batches(mapped_table.read(body, options), source, cursor)
