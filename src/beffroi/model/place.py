"""Territory: the commune (or group of communes) to which everything belongs."""

import msgspec

__all__ = ["Territory"]


class Territory(msgspec.Struct, frozen=True):
    """A commune (INSEE code, text: "2A004", "01004") or a group of communes (SIREN), with its parent if any.

    `name`, `colour`, `logo` and so on of the territory's own pages are in `settings`.
    """

    code: str
    name: str
    kind: str = "commune"
    parent: str | None = None
    settings: dict[str, str] = {}
