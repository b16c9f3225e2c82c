"""Who acts, and in what role."""

from typing import Literal

import msgspec

__all__ = ["ANONYMOUS", "ROLES", "SYSTEM", "Principal", "Role"]

Role = Literal["citizen", "device", "supplier", "elu", "agent", "responsable", "admin"]
ROLES: tuple[Role, ...] = ("citizen", "device", "supplier", "elu", "agent", "responsable", "admin")


class Principal(msgspec.Struct, frozen=True):
    """Who acts: `id` is stable ("user:3", "token:9", "system"), `territories` empty means all of them,
    `service` limits a supplier or a device to one service."""

    id: str
    name: str
    role: Role
    territories: tuple[str, ...] = ()
    service: str | None = None

    @property
    def staff(self) -> bool:
        """True for people of the town (agents, managers, administrators)."""
        return self.role in ("agent", "responsable", "admin")

    def covers(self, territory: str | None) -> bool:
        """True when `territory` is one of the principal's, or the principal has no limit."""
        return not self.territories or territory is None or territory in self.territories


ANONYMOUS = Principal("anonymous", "", "citizen")
SYSTEM = Principal("system", "Beffroi", "admin")
