"""What went wrong, where, and how to mend it."""

from beffroi.model.text import Text

__all__ = ["Conflict", "Forbidden", "NotFound", "Overloaded", "Problem", "Unauthorised", "Unavailable"]


class Problem(Exception):  # noqa: N818 -- a problem is what people are told of
    """Input or a situation that Beffroi refuses.

    `reason` and `mend` are in both languages; `place` names where: a JSON pointer, `line 12`,
    a field name or a character position. Faces turn it into an answer with `status`.
    """

    status = 400

    def __init__(
        self, reason: Text, mend: Text | None = None, place: str = "", status: int | None = None
    ) -> None:
        super().__init__(reason.en)
        self.reason = reason
        self.mend = mend or Text("", "")
        self.place = place
        if status is not None:
            self.status = status

    def at(self, place: str) -> "Problem":
        """Return the same problem, said to be at `place` (an outer place is put before an inner one)."""
        return type(self)(self.reason, self.mend, place + self.place, self.status)


class NotFound(Problem):
    """The thing asked for does not exist, or not for this reader."""

    status = 404


class Unauthorised(Problem):
    """A key or a sign-in is needed."""

    status = 401


class Forbidden(Problem):
    """This principal may not do this here."""

    status = 403


class Conflict(Problem):
    """Someone else changed the same thing first."""

    status = 409


class Unavailable(Problem):
    """Beffroi cannot write now (disk full, database restarting): nothing was stored, try again."""

    status = 503


class Overloaded(Unavailable):
    """More arrives than Beffroi can write: nothing of this was stored, send it again in a moment."""

    status = 429
