"""Samples: what towns really have, what the columns of such files are called, and an example of each (`samples.toml`)."""

import csv
import functools
import io
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from beffroi.model.text import Text
from beffroi.standards.layer_file import folded

__all__ = ["Sample", "Wanted", "example_of", "samples"]


class Wanted(msgspec.Struct, frozen=True):
    """One column: the field (or series) it goes to, its names, and what a new field of it would be."""

    to: str
    names: tuple[str, ...]
    unit: str = ""
    kind: str = ""
    key: bool = False
    title_fr: str = ""
    title_en: str = ""


class Sample(msgspec.Struct, frozen=True):
    """One kind of file that towns have. `measures`: its rows are observations of things."""

    name: str
    fr: str
    en: str
    about_fr: str
    about_en: str
    columns: tuple[Wanted, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    collection: str = ""
    schema: str = ""
    measures: bool = False
    time: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    thing: tuple[str, ...] = ()

    @property
    def title(self) -> Text:
        """Its name in both languages."""
        return Text(self.fr, self.en)

    @property
    def about(self) -> Text:
        """What such a file holds."""
        return Text(self.about_fr, self.about_en)

    def wanted(self, column: str) -> Wanted | None:
        """Return what a column of a file is for, by its name."""
        plain = folded(column)
        return next((w for w in self.columns if any(folded(n) == plain for n in w.names)), None)


@functools.cache
def samples() -> dict[str, Sample]:
    """Return every sample by its name."""
    told: dict[str, Any] = tomllib.loads(Path(__file__).with_name("samples.toml").read_text("utf-8"))
    return {one.name: one for one in msgspec.convert(told["sample"], list[Sample])}


def example_of(sample: Sample) -> bytes:
    """Return the example file: as French spreadsheets write it, `;` and a decimal comma, UTF-8 with its mark."""
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows([sample.header, *sample.rows])
    return text.getvalue().encode("utf-8-sig")
