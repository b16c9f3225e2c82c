"""The clock of a story: it shows the time that is being told."""

__all__ = ["StoryClock"]


class StoryClock:
    """A clock that is moved by hand; what is written while it shows an instant is dated of that instant."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        """Return the instant of the story, in microseconds UTC."""
        return self.now_us

    def move(self, now_us: int) -> None:
        """Move to a later instant (an earlier one is ignored)."""
        self.now_us = max(self.now_us, now_us)
