"""Which words of a page are in the wrong language: what the product writes, without what people typed."""

import re
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Column, select

from beffroi.plugins import load_registry
from beffroi.settings import load_settings
from beffroi.store import tables
from beffroi.store.open import Store
from beffroi.town import PLATFORM

# words of French sentences that are no English words, and no part of a name of place alone
FRENCH = frozenset(
    [
        "le",
        "les",
        "des",
        "du",
        "une",
        "est",
        "sont",
        "pour",
        "par",
        "avec",
        "sans",
        "dans",
        "sur",
        "ou",
        "et",
        "au",
        "aux",
        "ce",
        "cette",
        "ces",
        "qui",
        "que",
        "quand",
        "depuis",
        "jour",
        "jours",
        "semaine",
        "mois",
        "donnée",
        "données",
        "mesure",
        "mesures",
        "entre",
        "leur",
        "leurs",
        "nous",
        "vous",
        "il",
        "elle",
        "ne",
        "aucun",
        "aucune",
        "été",
        "être",
        "peut",
        "doit",
        "selon",
        "après",
        "avant",
        "chaque",
        "voir",
        "tout",
        "tous",
        "toute",
        "toutes",
        "moins",
        "capteur",
        "capteurs",
        "série",
        "séries",
        "réseau",
    ]
)
_WORD = re.compile(r"[a-zàâäéèêëîïôöùûüçœ]+", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://\S+|\S+@\S+|(?<!\S)/\S+")
_MACHINES = ("{", "[", "<", "name: ")  # a document of a program, as its record shows it
# proper names, as their owners write them
_PROPER = ["Dans Ma Rue", "Défenseur des droits"]
# texts of a page as they are read, those of an element with another language left out
TEXTS = """() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const holder = node.parentElement;
    if (holder.closest("script, style, code, pre, textarea, [lang]:not(html)")) continue;
    const text = node.data.trim();
    if (text) found.push(text);
  }
  for (const element of document.querySelectorAll("[aria-label], [alt], [placeholder], [title]"))
    for (const name of ["aria-label", "alt", "placeholder", "title"])
      if (element.hasAttribute(name)) found.push(element.getAttribute(name));
  return [document.title, ...found];
}"""


def french(text: str) -> list[str]:
    """Return the French words of a text."""
    return [word for word in _WORD.findall(text.replace("’", "'").lower()) if word in FRENCH]


def typed(data: Path) -> list[str]:
    """Return every text that people typed, or that open data brought, into the town of `data`: the longest first.

    What the platform keeps in French and says itself (fields with `words`, or with an English neighbour) is not among them;
    the running log of a flood is, since people write in it too.
    """
    settings = load_settings(data)
    store, registry = Store.open(settings), load_registry((), PLATFORM)
    store.records.declare(registry.collections.values())
    columns: list[Column[str]] = [
        tables.thing.c.name, tables.thing.c.description, tables.thing.c.properties, tables.sensor.c.name, tables.territory.c.name,
        tables.account.c.name, tables.saved_view.c.name,
    ]  # fmt: skip
    for collection in registry.collections.values():
        for field in collection.fields:
            written = field.words is not None and collection.name != "warning_entry"
            own = written or f"{field.name}_en" in collection.names or bool(field.choices)
            if field.kind == "text" and field.personal is None and not own:
                columns.append(store.records.shelf(collection).table.c[field.name])
    try:
        with store.read() as c:
            # what is of no declared kind was named by whoever installed it
            own_series = select(tables.datastream.c.name).where(tables.datastream.c.kind == "")
            unnamed = set(c.execute(own_series).scalars())
            found = unnamed | {v for column in columns for (v,) in c.execute(select(column).distinct()) if v}
    finally:
        store.close()
    # "Relevé, place de la Halle": the place alone stands in names of series
    found |= {part for one in found for part in (*one.split(", ", 1)[1:], *one.split(". ", 1)[1:])}
    found |= {settings.name, *_PROPER}
    return sorted((one for one in found if len(one) > 2), key=len, reverse=True)


def in_french(texts: Iterable[str], known: list[str], seen: set[str]) -> list[str]:
    """Return the texts of an English page that are French for another reason than somebody's words; each is told once."""
    found = []
    for text in texts:
        if text in seen:
            continue
        seen.add(text)
        rest = "" if text.startswith(_MACHINES) else _ADDRESS.sub(" ", text)
        for one in known if french(rest) else ():
            if one in rest:
                rest = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", " ", rest)
        if french(rest):
            found.append(text[:200])
    return found
