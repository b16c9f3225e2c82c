"""What the pages of the lighting share: the town, whose lamps a reader sees, what was written in a form."""

from collections.abc import Iterable, Iterator
from itertools import islice

from starlette.requests import Request

from beffroi.identity import people, rights
from beffroi.model.collection import Choice
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.town import Town
from beffroi.web.kit.page import principal_of

__all__ = [
    "choices_of",
    "marked",
    "names_of",
    "number",
    "require_staff",
    "said_number",
    "territories_of",
    "town_of",
]


def town_of(request: Request) -> Town:
    """Return the application's town."""
    town: Town = request.app.state.town
    return town


def territories_of(who: Principal) -> tuple[str, ...] | None:
    """Return the territories that staff is limited to, None when there is no limit."""
    return who.territories or None


def choices_of(town: Town, collection: str, field: str) -> tuple[Choice, ...]:
    """Return the choices of a field of one of our collections."""
    found = town.store.records.collections[collection].field(field)
    assert found is not None
    return found.choices


def names_of(town: Town, ids: Iterable[str | None]) -> dict[str, str]:
    """Return the names of people by ids such as "user:3"; for staff alone."""
    wanted = set(ids)
    return {p.principal.id: p.name for p in people.every(town.store) if p.principal.id in wanted}


def require_staff(request: Request) -> Principal:
    """Return who asks. Raises `Unauthorised` or `Forbidden` unless they are staff."""
    return rights.require_staff(principal_of(request))


def number(text: str, place: str, *, low: float, high: float) -> float:
    """Return a number that a person wrote, with a comma or a point. Raises `Problem` at `place`."""
    try:
        value = float(
            text.strip().replace("\u202f", "").replace("\xa0", "").replace(" ", "").replace(",", ".")
        )
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise Problem(
            Text(f"De {low:g} à {high:g}.", f"From {low:g} to {high:g}."), Text("Corrigez ce nombre.", "Mend this number."), place=place
        )  # fmt: skip
    return value


def said_number(value: float, language: str, decimals: int = 2) -> str:
    """Return a number as a person of that language writes it in a form."""
    text = f"{value:.{decimals}f}"
    return text.replace(".", ",") if language == "fr" else text


def marked(lines: Iterator[str]) -> Iterator[str]:
    """Yield the lines of a CSV file some at a time, the mark of UTF-8 that spreadsheets want first."""
    yield "\ufeff"
    while part := "".join(islice(lines, 1000)):
        yield part
