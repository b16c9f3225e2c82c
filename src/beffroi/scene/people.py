"""The people who work with the platform: one of each role, some of one commune only."""

from collections.abc import Iterator

import msgspec

from beffroi.model.principal import Role

__all__ = ["Person", "people"]


class Person(msgspec.Struct, frozen=True):
    """An account of the demonstration. Names are invented."""

    login: str
    name: str
    role: Role
    territories: tuple[str, ...] = ()
    service: str | None = None

    @property
    def mail(self) -> str:
        """An address under the reserved name example.org (RFC 2606)."""
        return f"{self.login}@brevigny.example.org"


def people() -> Iterator[Person]:
    """Yield the accounts of the demonstration."""
    yield Person("c.vasseur", "Claire Vasseur", "admin")
    yield Person("y.legoff", "Yannick Le Goff", "responsable", ("18901",))
    yield Person("n.belkacem", "Nadia Belkacem", "agent", ("18901",))
    yield Person("b.marchand", "Bruno Marchand", "agent", ("18901",))
    yield Person("s.pruvost", "Solène Pruvost", "agent", ("18902",))
    yield Person("a.courtois", "Agnès Courtois", "elu", ("18901",))
    yield Person("p.delmas", "Paul Delmas", "elu", ("18902",))
    yield Person("lumieres.du.berry", "Lumières du Berry", "supplier", ("18901", "18902"), "equipment")
