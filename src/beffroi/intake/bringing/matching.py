"""Matching: which collection or series a file is for, and which column is what: by names, synonyms and contents."""

import re
from collections.abc import Iterable
from pathlib import Path

from beffroi.intake.bringing.brought import MOST_SAMPLES, Column, Found, Plan, alike, words_of
from beffroi.intake.bringing.samples import Sample, samples
from beffroi.model.collection import OWN, Collection, Field
from beffroi.standards.inferring import MADE_KEY, slug
from beffroi.standards.layer_file import folded, number_of
from beffroi.standards.mapped_table import TIME_NAMES, series_part

__all__ = ["fields_for", "into", "measured", "proposed", "targets", "title_of"]

_ENOUGH = 0.5
# what lists of anything have: such a field says nothing of what a list is of
_COMMON = {
    "code", "gid", "name", "nom", "title", "street", "address", "installed", "state", "height_m", "material", "notes", "tel1",
    "adr_num", "adr_voie", "com_cp", "com_insee", "com_nom",
}  # fmt: skip
_NUMBERS = ("number", "integer")
_TIMES = ("date", "instant")
_END = re.compile(r"(fin|end.*|date_fin|.*_end|jusqu.*)\Z")


def targets(collections: Iterable[Collection]) -> list[Collection]:
    """Return the collections that a file may go to: those that people write and whose rows a key tells apart."""
    return [c for c in collections if not c.system and c.key is not None]


def title_of(name: str) -> str:
    """Return the name of a file as a title."""
    return re.sub(r"[_\s]+", " ", Path(name).stem).strip() or "Fichier"


def proposed(found: Found, name: str, collections: Iterable[Collection]) -> Plan:
    """Return what a file seems to be for; every choice can be changed."""
    known, title = targets(collections), title_of(name)
    if found.layer and found.layer.lower() not in title.lower():
        title = f"{title} {found.layer}"
    sample = _sample_for(found)
    if sample is not None and sample.measures:
        return measured(found, title, sample)
    if sample is not None:
        held = next((c for c in known if c.name == (sample.collection or slug(sample.name))), None)
        if held is not None:
            return into(found, held, sample.name)
        return _new(found, sample.title.fr, sample)
    own = next((c for c in known if c.service == OWN and c.name == slug(title)), None)
    words = words_of(name)
    best = own or _collection_for(found, [c for c in known if c.service != OWN or alike(words, words_of(c.title.fr), whole=True)])  # fmt: skip
    if best is not None:
        return into(found, best)
    if _looks_measured(found):
        return measured(found, title)
    return _new(found, title)


def into(found: Found, collection: Collection, sample: str = "") -> Plan:
    """Return the plan of a file that goes to a collection: columns matched, the others new fields or left out."""
    rest = "+" if collection.service == OWN else ""
    fields = {column: name or rest for column, name in fields_for(found, collection).items()}
    return Plan("collection", collection.name, collection.title.fr, collection.read == "citizen", fields=fields,
                kinds={c.name: c.kind for c in found.columns}, sample=sample)  # fmt: skip


def _new(found: Found, title: str, sample: Sample | None = None) -> Plan:
    kinds = {c.name: (_wanted_kind(sample, c.name) or c.kind) for c in found.columns}
    said = next((c.name for c in found.columns if sample and (w := sample.wanted(c.name)) and w.key), "")
    key = said or next((c.name for c in found.columns if c.distinct), "")
    return Plan("new", title=title, public=not found.personal, key=key, fields=dict.fromkeys(kinds, "+"), kinds=kinds,
                sample=sample.name if sample else "")  # fmt: skip


def _wanted_kind(sample: Sample | None, column: str) -> str:
    wanted = sample.wanted(column) if sample else None
    return wanted.kind if wanted else ""


def fields_for(found: Found, collection: Collection) -> dict[str, str]:
    """Return the field of each column, "" for none: by name or title, then synonyms, then by the words of a choice."""
    names: dict[str, Field] = {}
    for field in collection.fields:
        for name in (field.name, field.title.fr, field.title.en):
            names.setdefault(folded(name), field)
    for sample in samples().values():
        if sample.collection == collection.name or slug(sample.name) == collection.name:
            for wanted in sample.columns:
                held = collection.field(wanted.to)
                for name in wanted.names if held is not None else ():
                    names.setdefault(folded(name), held)  # type: ignore[arg-type]
    matched: dict[str, str] = {}
    for column in found.columns:
        hit = names.get(folded(column.name)) or names.get(folded(_bare(column.name)))
        free = hit is not None and hit.name not in matched.values() and hit.name != MADE_KEY
        matched[column.name] = hit.name if hit is not None and free and _fits(column, hit) else ""
    for column in found.columns:
        if not matched[column.name]:
            matched[column.name] = _by_words(column, collection, set(matched.values()))
    return matched


def _words_of(field: Field) -> set[str]:
    return {folded(w) for c in field.choices for w in (c.value, c.title.fr, c.title.en)}


def _fits(column: Column, field: Field) -> bool:
    """True unless what a column holds says that it is no such field, whatever its name."""
    if not column.samples or field.reference:
        return True
    if field.choices:
        words = _words_of(field)
        return sum(folded(s) in words for s in column.samples) >= len(column.samples) / 2
    if field.kind in (*_NUMBERS, *_TIMES, "boolean"):
        near = {
            "integer": _NUMBERS,
            "number": _NUMBERS,
            "date": _TIMES,
            "instant": _TIMES,
            "boolean": ("boolean", "integer"),
        }
        return column.kind in near[field.kind] or (column.kind == "text" and field.kind in _NUMBERS)
    return True


def _bare(name: str) -> str:
    """Return the name of a column without its unit: `Puissance (W)`."""
    return re.sub(r"\s*[\[(].*?[\])]\s*\Z", "", name)


def _by_words(column: Column, collection: Collection, taken: set[str]) -> str:
    if not column.samples:
        return ""
    said = {folded(s) for s in column.samples}
    for field in collection.fields:
        words = _words_of(field)
        if field.name not in taken and len(words) > 2 and said <= words:
            return field.name
    return ""


def _collection_for(found: Found, known: Iterable[Collection]) -> Collection | None:
    """Return the collection that most columns are fields of, its key among them, if there is one."""
    best, most = None, 0.6
    for collection in known:
        matched = [n for n in fields_for(found, collection).values() if n]
        share = len(matched) / max(1, len(found.columns))
        telling = collection.service == OWN or not _COMMON.issuperset(matched)
        if (
            len(matched) >= 3
            and telling
            and share > most
            and collection.key is not None
            and collection.key.name in matched
        ):
            best, most = collection, share
    return best


def _sample_for(found: Found) -> Sample | None:
    best, most = None, 0.0
    names = [c.name for c in found.columns]
    for sample in samples().values():
        hits = [n for n in names if sample.wanted(n) is not None]
        share = len(hits) / max(1, len(names))
        if sample.measures:
            whole = [n for n in names if _is(n, sample.time) or _is(n, sample.thing) or _is(n, sample.end)]
            share = (len(hits) + len(whole)) / max(1, len(names))
            if (
                not hits
                or not any(_is(n, sample.time) for n in names)
                or not any(_is(n, sample.thing) for n in names)
            ):
                continue
        elif len(hits) < 3 or _COMMON.issuperset(w.to for n in hits if (w := sample.wanted(n)) is not None):
            continue
        if share > max(most, _ENOUGH):
            best, most = sample, share
    return best


def _is(column: str, names: Iterable[str]) -> bool:
    plain, bare = folded(column), folded(_bare(column))
    return any(folded(name) in (plain, bare) for name in names)


def _numeric(column: Column) -> bool:
    """True for numbers; for most of them too: one word among the values of a meter is a reject, not another kind."""
    if column.kind in _NUMBERS:
        return True
    numbers = sum(number_of(written) is not None for written in column.samples)
    return column.kind == "text" and len(column.samples) > 1 and numbers >= 0.6 * len(column.samples)


def _looks_measured(found: Found) -> bool:
    """True for a time column that is always filled, columns of numbers, and hardly anything else."""
    time = _time_of(found)
    numbers = [c for c in found.columns if _numeric(c) and c != time]
    others = [c for c in found.columns if c not in numbers and c != time]
    return (
        time is not None
        and time.filled == found.rows
        and bool(numbers)
        and len(others) <= 2
        and found.rows > 1
        and not _is_list(found, others, time)
    )


def _is_list(found: Found, others: list[Column], time: Column) -> bool:
    """True for a list of things, each with its name and its own date: what is measured names its things again and again,
    or tells of all of them at one time."""
    named = [c for c in others if c.kind == "text" and c.filled == found.rows > 2]
    seen_all = found.rows <= MOST_SAMPLES
    return len(time.samples) > 1 and any(
        c.distinct or (seen_all and len(c.samples) == found.rows) for c in named
    )


def _time_of(found: Found, names: Iterable[str] = ()) -> Column | None:
    times = [c for c in found.columns if c.kind in _TIMES]
    said = [c for c in found.columns if _is(c.name, names)] or [c for c in times if TIME_NAMES.match(c.name)]
    return said[0] if said else next((c for c in times if c.kind == "instant"), None)


def measured(found: Found, title: str, sample: Sample | None = None) -> Plan:
    """Return the plan of a file of measurements: its time, its things, a series for each column of numbers."""
    time = _time_of(found, sample.time if sample else ())
    end = next((c.name for c in found.columns if c.name != (time.name if time else "") and (
        _is(c.name, sample.end if sample else ()) or (c.kind in _TIMES and _END.match(folded(c.name))))), "")  # fmt: skip
    thing = next((c.name for c in found.columns if sample and _is(c.name, sample.thing)), "")
    if not thing:
        texts = (
            c
            for c in found.columns
            if c.kind == "text" and c.filled == found.rows and c != time and not _numeric(c)
        )
        thing = next((c.name for c in texts), "")
    series: dict[str, tuple[str, str]] = {}
    for column in found.columns:
        wanted = sample.wanted(column.name) if sample else None
        if (
            _numeric(column)
            and column.name not in (thing, time.name if time else "")
            and (wanted is not None or sample is None)
        ):
            part = series_part(column.name)
            series[column.name] = (wanted.to, wanted.unit) if wanted else (part.code, part.unit)
    return Plan("measures", title=title, time=time.name if time else "", end=end, thing=thing,
                thing_name="" if thing else title, series=series, sample=sample.name if sample else "")  # fmt: skip
