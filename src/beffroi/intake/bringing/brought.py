"""Brought: one file that was dropped on the page, as the house keeps it: what it seems to be, what is to become of it,
what became of it. The file itself lies in `imports/NUMBER/` of the data directory until it is taken in."""

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from beffroi.model.instant import DAY_US, MINUTE_US
from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, Forbidden, NotFound
from beffroi.model.text import Text
from beffroi.standards.layer_file import folded
from beffroi.store.open import Store
from beffroi.store.tables import brought, file_mapping

__all__ = [
    "WAITING", "Brought", "Column", "Corrections", "Difference", "Found", "Mapping", "Plan", "State", "Trouble", "Work",
    "add", "alike", "claim", "copy_mapping", "folder_of", "forget", "forget_mapping", "get", "home_of", "listed", "mapping_for",
    "mapping_of", "mappings", "others_for", "remember", "rename_mapping", "save", "shape_of", "words_of",
]  # fmt: skip

State = Literal["reading", "read", "comparing", "importing", "imported", "undoing", "undone", "failed"]
WAITING: tuple[State, ...] = ("reading", "comparing", "importing", "undoing")
LEASE_US = 2 * MINUTE_US
KEPT_US = 400 * DAY_US  # reports: next year's file is told what the earlier ones brought
FILES_KEPT_US = 30 * DAY_US


class Trouble(msgspec.Struct, frozen=True):
    """A problem as it is kept."""

    reason: Text
    mend: Text = Text("", "")
    place: str = ""


MOST_SAMPLES = 20


class Column(msgspec.Struct, frozen=True):
    """One column of a file: the kind that all it holds may be, how much it holds, some of it."""

    name: str
    kind: str
    filled: int
    distinct: bool  # every row has a value of its own: it may be the key
    samples: tuple[str, ...] = ()


class Corrections(msgspec.Struct, frozen=True):
    """What a person corrected of the guess; what is empty was left to it. `dates`: "dmy", "mdy" or ""."""

    encoding: str = ""
    delimiter: str = ""
    header: int | None = None
    layer: str = ""
    x: str | None = None
    y: str | None = None
    crs: str = ""
    dates: str = ""
    decimal: str = ""


class Found(msgspec.Struct, frozen=True):
    """What a file seems to hold. `how`: how the reference system is known; `first`: its first rows, as written."""

    kind: str
    rows: int
    columns: tuple[Column, ...]
    first: tuple[tuple[str, ...], ...]
    unread: int = 0
    encoding: str = ""
    delimiter: str = ""
    header: int = 1
    sure: bool = True
    layers: tuple[str, ...] = ()
    layer: str = ""
    where: tuple[str, ...] = ()
    crs: str = ""
    how: str = "none"
    placed: int = 0
    geometry: str = "none"
    shapes: tuple[dict[str, Any], ...] = ()  # in WGS 84, some of them
    dates: str = ""  # the order that its dates are written in: dmy, mdy, ymd, or "" without any
    decimal: str = ""  # "," or "." or ""
    personal: tuple[str, ...] = ()
    doubt: Trouble | None = None  # where the coordinates are, when nothing tells it


class Plan(msgspec.Struct, frozen=True):
    """What is to become of a file. `fields`: for each column the field it goes to, "" for none, "+" for a new one;
    `target` "measures" makes observations instead: `series` gives name and unit of each column of values; `target`
    "known" leaves it all to the kind of file called `known`."""

    target: Literal["new", "collection", "measures", "known"] = "new"
    collection: str = ""
    title: str = ""
    public: bool = True
    territory: str = ""
    key: str = ""  # of a new collection: the column that tells its rows apart, "" for their number
    fields: dict[str, str] = {}
    kinds: dict[str, str] = {}
    time: str = ""
    end: str = ""
    zone: str = "Europe/Paris"
    thing: str = ""  # the column that says which thing, or "" for one
    thing_name: str = ""
    series: dict[str, tuple[str, str]] = {}
    gone: Literal["keep", "delete"] = "keep"
    sample: str = ""
    known: str = ""
    prefix: str = ""  # of the keys of rows that have none: the same next month, another for another file


class Difference(msgspec.Struct, frozen=True):
    """What an import would do. `gone`: what earlier files of this shape brought and this one has no longer."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    gone: int = 0


class Work(msgspec.Struct):
    """All that is kept of a brought file, besides what lists need."""

    kind: str
    size: int
    sha256: str
    who: Principal
    corrections: Corrections = Corrections()
    found: Found | None = None
    plan: Plan = Plan()
    difference: Difference | None = None
    outcome: Difference | None = None
    done: int = 0
    whole: int = 0
    began_us: int = 0
    change_set: int = 0
    undo_set: int = 0
    new_collection: bool = False
    adopted: int = 0  # the matching that was taken by hand
    asked: str = ""  # what its bringer said it is: "known/KIND" or "collection/NAME"
    tried: int = 0
    series: tuple[int, ...] = ()  # datastreams that it brought values for
    fresh: tuple[int, int] = (0, 0)  # above which number datastreams and things are its own
    taken_back: int = 0
    kept: int = 0  # changed by others since: left as they are when the rest was taken back
    trouble: Trouble | None = None


class Brought(msgspec.Struct):
    """One brought file."""

    id: int
    name: str
    owner: str
    at_us: int
    state: State
    shape: str
    mapping_id: int | None
    work: Work


class Mapping(msgspec.Struct, frozen=True):
    """How the columns of files of one shape are matched, and by which commune ("": by all)."""

    id: int
    name: str
    plan: Plan
    owner: str
    used_us: int
    uses: int
    corrections: Corrections
    territory: str
    shape: str
    file: str


def home_of(plan: Plan, who: Principal) -> str:
    """Return the commune that a file is brought for; "" for none in particular."""
    return plan.territory or (who.territories[0] if who.territories else "")


_MONTH_AFTER_MONTH = (
    "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre janv fev fevr avr juil sept oct nov dec "
    "january february march april may june july august september october november december jan feb mar apr jun jul aug sep "
    "export exports extraction extrait copie copy final def version table tableau fichier file data donnees feuille sheet liste "
    "nouveau nouvelle new old ancien maj jour semaine mois trimestre semestre annee hebdo mensuel annuel the les des une sur pour"
)
_PASSING = frozenset(_MONTH_AFTER_MONTH.split())


def words_of(name: str) -> str:
    """Return the words of a file's name that stay from month to month: without dates, numbers and `export`."""
    words = {re.sub(r"\d+", "", word) for word in folded(Path(name).stem).split("_")}
    return " ".join(sorted(word for word in words if len(word) > 2 and word not in _PASSING))


def alike(words: str, others: str, *, whole: bool = False) -> bool:
    """True unless the names of two files say that they are of different things, whatever their columns. `whole`: all their
    words must be the same, not only those of the shorter name."""
    mine, theirs = set(words.split()), set(others.split())
    if not theirs or not mine or theirs == mine:
        return True
    return not whole and (theirs <= mine or mine <= theirs)


def _is_for(mapping: Mapping, words: str) -> bool:
    nameless = (
        mapping.plan.target == "measures" and not mapping.plan.thing
    )  # its values would be mixed for good
    return alike(words, mapping.file, whole=nameless)


def folder_of(store: Store, number: int) -> Path:
    """Return where a brought file and its report lie."""
    return store.settings.data / "imports" / str(number)


def shape_of(kind: str, columns: Iterable[Column], layer: str = "") -> str:
    """Return what next month's file has in common with this one: its kind and the names of its columns."""
    told = "\x1f".join((kind, folded(layer), *sorted(folded(c.name) for c in columns)))
    return hashlib.blake2b(told.encode(), digest_size=12).hexdigest()


def _row(row: Any) -> Brought:
    work = msgspec.json.decode(row.told, type=Work)
    return Brought(row.id, row.name, row.owner, row.at_us, row.state, row.shape, row.mapping_id, work)


def add(store: Store, name: str, who: Principal, kind: str, size: int, sha256: str) -> Brought:
    """Keep that a file was brought; put it into `folder_of` it, then `save` it as "reading"."""
    work = Work(kind, size, sha256, who)
    with store.write() as c:
        number = store.number(c, "brought")
        one = Brought(number, name[:200], who.id, store.clock(), "failed", "", None, work)
        c.execute(insert(brought).values(id=number, name=one.name, owner=one.owner, at_us=one.at_us, state=one.state,
                                         told=msgspec.json.encode(work).decode()))  # fmt: skip
    return one


def get(store: Store, number: int) -> Brought:
    """Return a brought file. Raises `NotFound`."""
    with store.read() as c:
        row = c.execute(select(brought).where(brought.c.id == number)).first() if number < 2**63 else None
    if row is None:
        raise NotFound(Text("Ce fichier n'est pas connu, ou plus.", "This file is not known, or no longer."),
                       Text("Les rapports d'import sont gardés un peu plus d'un an.", "Reports of imports are kept for a little more than a year."))  # fmt: skip
    return _row(row)


def listed(store: Store, who: Principal, most: int = 20) -> list[Brought]:
    """Return the files that someone brought (an administrator sees everybody's), the newest first."""
    some = select(brought).order_by(brought.c.id.desc()).limit(most)
    if who.role != "admin":
        some = some.where(brought.c.owner == who.id)
    with store.read() as c:
        return [_row(row) for row in c.execute(some)]


def save(store: Store, one: Brought, c: Connection | None = None, *, leased: bool = False) -> None:
    """Keep the present state of a brought file, its lease ended; `leased`: begun, to whoever saves it."""
    values = {
        "state": one.state, "shape": one.shape, "mapping_id": one.mapping_id,
        "leased_until_us": store.clock() + LEASE_US if leased else None,
        "told": msgspec.json.encode(one.work).decode(),
    }  # fmt: skip
    changed = update(brought).where(brought.c.id == one.id).values(**values)
    if c is not None:
        c.execute(changed)
        return
    with store.write() as connection:
        connection.execute(changed)


def claim(store: Store) -> Brought | None:
    """Return the oldest brought file that waits for work, leased; None when there is none."""
    now = store.clock()
    free = or_(brought.c.leased_until_us.is_(None), brought.c.leased_until_us < now)
    waits = and_(brought.c.state.in_(WAITING), free)
    first = select(brought).where(waits)
    with store.read() as c:
        if c.execute(first.limit(1)).first() is None:
            return None
    with store.write() as c:
        row = c.execute(first.order_by(brought.c.id).limit(1).with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        c.execute(update(brought).where(brought.c.id == row.id).values(leased_until_us=now + LEASE_US))
    return _row(row)


def advance(store: Store, one: Brought, done: int, whole: int) -> None:
    """Keep how far the work is, and its lease."""
    one.work.done, one.work.whole = done, whole
    values = {"told": msgspec.json.encode(one.work).decode(), "leased_until_us": store.clock() + LEASE_US}
    with store.write() as c:
        c.execute(update(brought).where(brought.c.id == one.id).values(**values))


def forget(store: Store, now_us: int) -> int:
    """Forget the reports of before 400 days, and files and refused rows of before thirty; what was stored stays. Return
    how many reports went."""
    rest = brought.c.state.not_in(WAITING)
    with store.write() as c:
        old = and_(brought.c.at_us < now_us - KEPT_US, rest)
        gone = list(c.execute(select(brought.c.id).where(old)).scalars())
        c.execute(delete(brought).where(brought.c.id.in_(gone)))
        stale = list(
            c.execute(select(brought.c.id).where(brought.c.at_us < now_us - FILES_KEPT_US, rest)).scalars()
        )
    for number in (*gone, *stale):
        shutil.rmtree(folder_of(store, number), ignore_errors=True)
    return len(gone)


# --- Mappings that are remembered.


class _Kept(msgspec.Struct):
    plan: Plan
    corrections: Corrections = Corrections()


def _mapping(row: Any) -> Mapping:
    kept = msgspec.json.decode(row.plan, type=_Kept)
    return Mapping(
        row.id,
        row.name,
        kept.plan,
        row.owner,
        row.used_us,
        row.uses,
        kept.corrections,
        row.territory,
        row.shape,
        row.file,
    )


def remember(store: Store, one: Brought, plan: Plan) -> None:
    """Remember how the columns of a brought file were matched, for its commune's next one of its shape."""
    corrections = msgspec.structs.replace(one.work.corrections, encoding="", delimiter="")
    kept = msgspec.json.encode(_Kept(plan, corrections)).decode()
    t, home, words = file_mapping, home_of(plan, one.work.who), words_of(one.name)
    with store.write() as c:
        mine = and_(t.c.shape == one.shape, t.c.territory == home)
        known = c.execute(select(t.c.id).where(mine, t.c.file == words)).scalar()
        if known is None and not one.work.adopted:
            known = c.execute(select(t.c.id).where(mine, t.c.id == one.mapping_id)).scalar()
        if known is not None:
            c.execute(
                update(t).where(t.c.id == known).values(plan=kept, used_us=store.clock(), uses=t.c.uses + 1)
            )
        else:
            known = store.number(c, "file_mapping")
            c.execute(insert(t).values(id=known, shape=one.shape, name=plan.title or one.name, plan=kept, owner=one.owner,
                                       used_us=store.clock(), uses=1, territory=home, file=words))  # fmt: skip
        one.mapping_id = known
        c.execute(update(brought).where(brought.c.id == one.id).values(mapping_id=known))


def _of_shape(store: Store, shape: str) -> list[Mapping]:
    with store.read() as c:
        rows = c.execute(
            select(file_mapping).where(file_mapping.c.shape == shape).order_by(file_mapping.c.used_us.desc())
        )
        return [_mapping(row) for row in rows]


def mapping_for(store: Store, shape: str, name: str, who: Principal) -> Mapping | None:
    """Return how files of a shape and of such a name are matched for `who`: by their commune, else by all; of several,
    those of just that name first, then as the last time."""
    words = words_of(name)
    mine = [m for m in _of_shape(store, shape) if who.covers(m.territory or None) and _is_for(m, words)]
    return min(mine, key=lambda m: (m.territory not in who.territories, m.file != words), default=None)


def others_for(store: Store, shape: str, name: str, who: Principal) -> list[Mapping]:
    """Return how files of a shape are matched by other communes than those of `who`, and those of another name by theirs."""
    taken = mapping_for(store, shape, name, who)
    return [one for one in _of_shape(store, shape) if taken is None or one.id != taken.id]


def mapping_of(store: Store, number: int) -> Mapping:
    """Return a remembered mapping. Raises `NotFound`."""
    with store.read() as c:
        row = c.execute(select(file_mapping).where(file_mapping.c.id == number)).first() if number < 2**63 else None  # fmt: skip
    if row is None:
        raise NotFound(
            Text("Cette correspondance n'est plus gardée.", "This matching is no longer remembered.")
        )
    return _mapping(row)


def mappings(store: Store) -> list[Mapping]:
    """Return every remembered mapping, the last used first."""
    with store.read() as c:
        rows = c.execute(select(file_mapping).order_by(file_mapping.c.used_us.desc())).all()
    return [_mapping(row) for row in rows]


def copy_mapping(store: Store, number: int, territory: str, who: Principal) -> Mapping:
    """Remember for the commune `territory` how another matches its files; the rows of the next file are then its own.

    Raises `Forbidden` unless `who` works there, `Conflict` when that commune has its own for files of this shape.
    """
    if not territory or not who.covers(territory):
        raise Forbidden(Text("Cette commune n'est pas des vôtres.", "This commune is not one of yours."), place="territory")  # fmt: skip
    theirs = mapping_of(store, number)
    kept = _Kept(msgspec.structs.replace(theirs.plan, territory=territory, gone="keep"), theirs.corrections)
    try:
        with store.write() as c:
            mine = store.number(c, "file_mapping")
            c.execute(insert(file_mapping).values(
                id=mine, shape=theirs.shape, name=theirs.name, plan=msgspec.json.encode(kept).decode(), owner=who.id, used_us=store.clock(),
                uses=0, territory=territory, file=theirs.file))  # fmt: skip
            detail = {"from": number, "territory": territory}
            store.audit.note(c, who, "mapping.copy", f"file_mapping/{mine}", detail)
    except IntegrityError as error:
        raise Conflict(
            Text("Cette commune a déjà sa correspondance pour ces fichiers.", "This commune has its own matching for these files already."),
            Text("Oubliez-la d'abord, pour reprendre celle-ci.", "Forget it first, to take this one."), place="territory",
        ) from error  # fmt: skip
    return mapping_of(store, mine)


def _require_own(store: Store, number: int, who: Principal) -> None:
    if who.territories and mapping_of(store, number).territory not in who.territories:
        raise Forbidden(
            Text("Cette correspondance est d'une autre commune, ou de toutes.", "This matching is another commune's, or everybody's."),
            Text("Copiez-la pour la vôtre.", "Copy it for yours."),
        )  # fmt: skip


def rename_mapping(store: Store, number: int, name: str, who: Principal) -> None:
    """Give a remembered mapping another name. Raises `Forbidden` for another commune's."""
    _require_own(store, number, who)
    with store.write() as c:
        c.execute(update(file_mapping).where(file_mapping.c.id == number).values(name=name[:200]))


def forget_mapping(store: Store, number: int, who: Principal) -> None:
    """Forget a mapping; what it brought stays. Raises `Forbidden` for another commune's."""
    _require_own(store, number, who)
    with store.write() as c:
        c.execute(delete(file_mapping).where(file_mapping.c.id == number))
