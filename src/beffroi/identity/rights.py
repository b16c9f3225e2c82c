"""Who may administer whom."""

from collections.abc import Iterable

from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Unauthorised
from beffroi.model.text import Text

__all__ = ["require_admin", "require_reach", "require_signed_in", "require_staff"]


def require_signed_in(who: Principal) -> None:
    """Raise `Unauthorised` unless a person is signed in."""
    if not who.id.startswith("user:"):
        raise Unauthorised(
            Text("Il faut se connecter.", "You need to sign in."),
            Text("Connectez-vous, puis recommencez.", "Sign in, then try again."),
        )


def require_staff(who: Principal) -> Principal:
    """Return `who`. Raises `Unauthorised` for a citizen and `Forbidden` for others who are no staff."""
    if who.role == "citizen":
        raise Unauthorised(
            Text("Il faut se connecter.", "You need to sign in."),
            Text("Connectez-vous, puis recommencez.", "Sign in, then try again."),
        )
    if not who.staff:
        raise Forbidden(
            Text("Cette page est celle des agents.", "This page is for staff."),
            Text("Demandez à un agent.", "Ask an agent."),
        )
    return who


def require_admin(who: Principal) -> None:
    """Raise `Unauthorised` or `Forbidden` unless `who` administers the town (or one of its territories)."""
    if who.role == "admin":
        return
    if who.id == "anonymous":
        require_signed_in(who)
    raise Forbidden(
        Text("Cette page est réservée aux administrateurs.", "This page is for administrators only."),
        Text("Demandez à l'administrateur de votre commune.", "Ask your town's administrator."),
    )


def require_reach(who: Principal, territories: Iterable[str]) -> None:
    """Raise `Forbidden` unless `who` administers every one of `territories` (none named: the whole town)."""
    require_admin(who)
    wanted = set(territories)
    if who.territories and (not wanted or not wanted <= set(who.territories)):
        raise Forbidden(
            Text(
                "Vous n'administrez pas tous ces territoires.",
                "You do not administer all of these territories.",
            ),
            Text("Choisissez parmi les vôtres.", "Choose among your own."),
            place="territories",
        )


def check_writer(who: Principal, territory: str | None, service: str) -> None:
    """Raise `Forbidden` unless `who` may write what is of this territory and service."""
    scoped = who.service is not None and who.service != service
    if scoped or not who.covers(territory):
        raise Forbidden(
            Text("Cette clé ne permet pas d'écrire ici.", "This key may not write here."),
            Text(
                "Demandez une clé de ce service et de ce territoire.",
                "Ask for a key of this service and territory.",
            ),
        )
