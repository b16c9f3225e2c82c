"""What people type into accounts and keys: checked, brought to one form."""

import re
from collections.abc import Iterable

from sqlalchemy import Connection, select

from beffroi.model.principal import ROLES, Role
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.tables import territory

__all__ = ["clean_email", "clean_name", "clean_role", "clean_service", "clean_territories"]

_EMAIL = re.compile(r"[^@\s<>\"',;:()\[\]\\]{1,64}@[^@\s<>\"',;:()\[\]\\]{1,190}\Z")
_SERVICE = re.compile(r"[a-z][a-z0-9_-]{0,39}\Z")


def clean_email(email: str) -> str:
    """Return the address in lower case. Raises `Problem` when it is none."""
    address = email.strip().lower()
    if not _EMAIL.match(address) or not address.isprintable():
        raise Problem(
            Text("Ce n'est pas une adresse électronique.", "This is not an e-mail address."),
            Text("Écrivez-la comme prenom.nom@commune.fr.", "Write it like first.last@town.org."),
            place="email",
        )
    return address


def clean_name(name: str, *, longest: int = 120) -> str:
    """Return the name on one line. Raises `Problem` when it is empty, too long or holds control characters."""
    line = " ".join(name.split(" ")).strip()
    if not line or len(line) > longest or not line.isprintable():
        raise Problem(
            Text("Le nom est vide, trop long ou illisible.", "The name is empty, too long or unreadable."),
            Text(
                "Écrivez 1 à {n} caractères sur une ligne.", "Write 1 to {n} characters on one line."
            ).filled(n=longest),
            place="name",
        )
    return line


def clean_role(role: str, *, among: Iterable[Role] = ROLES) -> Role:
    """Return the role. Raises `Problem` when it is not one of `among`."""
    allowed = tuple(among)
    if role not in allowed:
        raise Problem(
            Text("Ce rôle n'existe pas ici.", "There is no such role here."),
            Text("Choisissez : {roles}.", "Choose one of: {roles}.").filled(roles=", ".join(allowed)),
            place="role",
        )
    return role


def clean_service(service: str | None, role: Role) -> str | None:
    """Return the service that limits a supplier or a device, or None. Raises `Problem`: a supplier has one."""
    name = (service or "").strip()
    if not name and role != "supplier":
        return None
    if not _SERVICE.match(name):
        raise Problem(
            Text("Un fournisseur est limité à un service.", "A supplier is limited to one service.")
            if not name
            else Text("Ce nom de service n'est pas valable.", "This service name is not valid."),
            Text(
                "Donnez le nom du service, par exemple equipment.",
                "Give the service's name, such as equipment.",
            ),
            place="service",
        )
    return name


def clean_territories(connection: Connection, codes: Iterable[str]) -> tuple[str, ...]:
    """Return the codes, sorted. Raises `Problem` when one is not a territory of this installation."""
    wanted = sorted({code.strip() for code in codes if code.strip()})
    known = set(connection.execute(select(territory.c.code)).scalars())
    for code in wanted:
        if code not in known:
            raise Problem(
                Text("Le territoire « {code} » n'existe pas.", "There is no territory '{code}'.").filled(
                    code=code[:40].replace("{", "(").replace("}", ")")
                ),
                Text(
                    "Ajoutez-le d'abord dans Administration, Territoires.",
                    "Add it first in Administration, Territories.",
                ),
                place="territories",
            )
    return tuple(wanted)
