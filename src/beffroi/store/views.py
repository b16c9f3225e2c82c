"""Saved views: a name for the address of a list (filters, order, columns), one's own or everyone's."""

import msgspec
from sqlalchemy import delete, insert, or_, select

from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.store.tables import saved_view

__all__ = ["View", "forget_view", "save_view", "views_of"]


class View(msgspec.Struct, frozen=True):
    """One saved view: `query` is the part of the address after the question mark."""

    id: int
    collection: str
    name: str
    owner: str
    query: str
    shared: bool


def views_of(store: Store, collection: str, who: Principal) -> list[View]:
    """Return the views that `who` saved, and those that others share."""
    mine = or_(saved_view.c.owner == who.id, saved_view.c.shared == 1)
    found = select(saved_view).where(saved_view.c.collection == collection, mine).order_by(saved_view.c.name)
    with store.read() as c:
        return [View(r.id, r.collection, r.name, r.owner, r.query, bool(r.shared)) for r in c.execute(found)]


def save_view(
    store: Store, collection: str, name: str, query: str, who: Principal, *, shared: bool = False
) -> View:
    """Save a view for a signed-in person; a view of theirs with the same name is replaced."""
    name = " ".join(name.split())[:80]
    if not who.id.startswith("user:"):
        raise Forbidden(Text("Connectez-vous pour garder une vue.", "Sign in to keep a view."))
    if not name:
        raise Problem(Text("Donnez un nom à la vue.", "Give the view a name."), place="name")
    own = (saved_view.c.collection == collection, saved_view.c.owner == who.id, saved_view.c.name == name)
    with store.write() as c:
        c.execute(delete(saved_view).where(*own))
        number = store.next(c)
        c.execute(insert(saved_view).values(id=number, collection=collection, name=name, owner=who.id,
                                            query=query[:4000], shared=int(shared)))  # fmt: skip
    return View(number, collection, name, who.id, query[:4000], shared)


def forget_view(store: Store, view_id: int, who: Principal) -> None:
    """Forget one's own view (an administrator: anyone's)."""
    mine = () if who.role == "admin" else (saved_view.c.owner == who.id,)
    with store.write() as c:
        if c.execute(delete(saved_view).where(saved_view.c.id == view_id, *mine)).rowcount == 0:
            raise NotFound(Text("Cette vue n'existe pas.", "There is no such view."))
