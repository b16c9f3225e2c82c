"""Territories: the communes that one installation serves."""

import json
import re

from sqlalchemy import select, text, update

from beffroi.identity.rights import require_admin, require_reach
from beffroi.identity.wording import clean_name
from beffroi.model.place import Territory
from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, NotFound, Problem
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.store.tables import territory

__all__ = ["add", "change", "every", "get", "rename"]

_CODE = re.compile(r"(\d{5}|2[AB]\d{3}|\d{9}|[a-z][a-z0-9-]{1,30})\Z")
KINDS = ("commune", "group")


def every(store: Store) -> list[Territory]:
    """Return every territory, by name."""
    with store.read() as connection:
        rows = connection.execute(select(territory).order_by(territory.c.name)).all()
    return [Territory(r.code, r.name, r.kind, r.parent, json.loads(r.settings)) for r in rows]


def add(
    store: Store, who: Principal, code: str, name: str, *, kind: str = "commune", parent: str | None = None
) -> Territory:
    """Add a territory: INSEE code of a commune, SIREN of a group, or a short name. Raises `Problem`."""
    require_reach(who, ())
    code, name = code.strip(), clean_name(name)
    if not _CODE.match(code) or kind not in KINDS:
        raise Problem(
            Text("Ce code n'est pas celui d'un territoire.", "This is not a territory's code."),
            Text("Écrivez un code INSEE (35236), un SIREN, ou un nom court en minuscules.",
                 "Write an INSEE code (35236), a SIREN, or a short name in lower case."),
            place="code",
        )  # fmt: skip
    with store.write() as connection:
        known = set(connection.execute(select(territory.c.code)).scalars())
        if parent and parent not in known:
            raise NotFound(
                Text("Le groupe nommé n'existe pas.", "The group named does not exist."), place="parent"
            )
        values = {"code": code, "name": name, "kind": kind, "parent": parent or None}
        insert = text(
            "INSERT INTO territory (code, name, kind, parent, settings) VALUES (:code, :name, :kind, :parent, '{}')"
            " ON CONFLICT (code) DO NOTHING"
        )
        if connection.execute(insert, values).rowcount == 0:
            raise Conflict(Text("Ce territoire existe déjà.", "This territory exists already."), place="code")
        store.audit.note(connection, who, "territory.add", f"territory/{code}", values)
    return Territory(code, name, kind, parent or None)


def get(store: Store, code: str) -> Territory:
    """Return one territory. Raises `NotFound`."""
    with store.read() as connection:
        r = connection.execute(select(territory).where(territory.c.code == code)).first()
    if r is None:
        raise NotFound(Text("Ce territoire n'existe pas.", "There is no such territory."), place="code")
    return Territory(r.code, r.name, r.kind, r.parent, json.loads(r.settings))


def change(store: Store, who: Principal, code: str, name: str, settings: dict[str, str | None]) -> Territory:
    """Change a territory's name and what its own pages show (`accent`, `logo`, `words` …; None forgets). Raises `Problem`."""
    require_admin(who)
    require_reach(who, (code,))
    with store.write() as connection:
        row = connection.execute(select(territory.c.settings).where(territory.c.code == code)).first()
        if row is None:
            raise NotFound(Text("Ce territoire n'existe pas.", "There is no such territory."), place="code")
        kept = {k: v for k, v in {**json.loads(row.settings), **settings}.items() if v is not None}
        said = json.dumps(kept, ensure_ascii=False, sort_keys=True)
        connection.execute(
            update(territory).where(territory.c.code == code).values(name=clean_name(name), settings=said)
        )
        detail = {"name": name, "changed": sorted(settings)}
        store.audit.note(connection, who, "territory.look", f"territory/{code}", detail)
    return get(store, code)


def rename(store: Store, who: Principal, code: str, name: str) -> None:
    """Change a territory's name. Raises `Problem`."""
    require_admin(who)
    require_reach(who, (code,))
    with store.write() as connection:
        done = connection.execute(
            update(territory).where(territory.c.code == code).values(name=clean_name(name))
        )
        if done.rowcount == 0:
            raise NotFound(Text("Ce territoire n'existe pas.", "There is no such territory."), place="code")
        store.audit.note(connection, who, "territory.rename", f"territory/{code}", {"name": name})
