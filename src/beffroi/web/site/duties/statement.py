"""`/accessibilite`: the statement (law 2005-102, art. 47; decree 2019-768), made from what the tests really look at and what
an auditor found; `/accessibilite/plan`: the plan of several years."""

from functools import cache
from importlib.resources import files

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.text import Text
from beffroi.web.kit.page import render
from beffroi.web.site.duties.said import said_of

__all__ = ["ROUTES", "THEMES", "Looked", "Theme", "looked"]


class Theme(msgspec.Struct, frozen=True):
    """A theme of the RGAA 4.1 and how many criteria it has."""

    number: int
    title: Text
    criteria: int


THEMES = tuple(
    Theme(number, Text(fr, en), count)
    for number, (fr, en, count) in enumerate(
        (
            ("Images", "Images", 9), ("Cadres", "Frames", 2), ("Couleurs", "Colours", 3), ("Multimédia", "Multimedia", 13),
            ("Tableaux", "Tables", 8), ("Liens", "Links", 2), ("Scripts", "Scripts", 5), ("Éléments obligatoires", "Mandatory elements", 10),
            ("Structuration de l'information", "Structure of information", 4), ("Présentation de l'information", "Presentation of information", 14),
            ("Formulaires", "Forms", 13), ("Navigation", "Navigation", 11), ("Consultation", "Consultation", 12),
        ),
        1,
    )
)  # fmt: skip


class Looked(msgspec.Struct, frozen=True):
    """What the automatic tests of this version look at: the checker, its version, and for each criterion its rules.

    `tests/browser` holds that file to what it really runs, on every page that a crawl finds.
    """

    checker: str
    version: str
    criteria: dict[str, list[str]]

    def of(self, theme: Theme) -> list[str]:
        """Return the criteria of a theme that some rule looks at."""
        found = [c for c in self.criteria if c.split(".")[0] == str(theme.number)]
        return sorted(found, key=lambda c: int(c.split(".")[1]))


@cache
def looked() -> Looked:
    """Return what the automatic tests look at."""
    return msgspec.json.decode(files(__package__).joinpath("looked.json").read_bytes(), type=Looked)


def statement(request: Request) -> Response:
    """Answer the accessibility statement."""
    found = looked()
    themes = [
        (theme, found.of(theme), [f"{theme.number}.{n}" for n in range(1, theme.criteria + 1) if f"{theme.number}.{n}" not in found.criteria])
        for theme in THEMES
    ]  # fmt: skip
    return render(
        request, "duties/statement.html", said=said_of(request.app.state.town), themes=themes, looked=found,
        whole=sum(theme.criteria for theme in THEMES),
    )  # fmt: skip


def plan(request: Request) -> Response:
    """Answer the plan of several years."""
    said = said_of(request.app.state.town)
    return render(
        request, "duties/plan.html", said=said, left=sum(t.criteria for t in THEMES) - len(looked().criteria)
    )


ROUTES: list[BaseRoute] = [Route("/accessibilite", statement), Route("/accessibilite/plan", plan)]
