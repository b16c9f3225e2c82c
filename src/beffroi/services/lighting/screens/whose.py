"""What the pages of the lighting share: the town, whose lamps a reader sees, what was written in a form."""

from starlette.requests import Request

from beffroi.identity import rights
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.town import Town
from beffroi.web.kit.page import principal_of

__all__ = ["number", "require_staff", "territories_of", "town_of"]


def town_of(request: Request) -> Town:
    """Return the application's town."""
    town: Town = request.app.state.town
    return town


def territories_of(who: Principal) -> tuple[str, ...] | None:
    """Return the territories that staff is limited to, None when there is no limit."""
    return who.territories or None


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
