"""Translations: each `_("Texte")` of a template or a page has its English in its package's `locale/en.po`.

The msgid is the French text (docs/decisions/0001). A catalogue is sorted, without stale or empty entries, and
an English text has the same `{places}` or `%(places)s` as the French.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError

PLACES = re.compile(r"%\((\w+)\)[sd]|(?<!\{)\{(\w+)\}(?!\})")
FUNCTIONS = {"_", "gettext", "ngettext", "translate"}
_JINJA = Environment(
    extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True
)

Used = dict[Path, dict[tuple[str, ...], str]]


def package_of(path: Path) -> Path:
    """Return the package whose catalogue holds the texts of `path`.

    The package of a template is the folder that has its `templates/`; that of a module is the nearest one
    with a `locale/`, else the module's own folder.
    """
    for parent in path.parents:
        if parent.name == "templates":
            return parent.parent
    return next((p for p in path.parents if (p / "locale").is_dir() and p.name != "src"), path.parent)


def in_template(source: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line and the msgid (singular, and plural if any) of every text of a template."""
    for line, _function, message in _JINJA.extract_translations(source):
        texts = (message,) if isinstance(message, str) else tuple(t for t in message if isinstance(t, str))
        if texts:
            yield line, texts


def in_module(source: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line and the msgid of every `_("…")` of a Python module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            count = 2 if node.func.id == "ngettext" else 1
            texts = tuple(
                a.value for a in node.args[:count] if isinstance(a, ast.Constant) and isinstance(a.value, str)
            )
            if len(texts) == count:
                yield node.lineno, texts


def used_texts(root: Path) -> tuple[Used, list[str]]:
    """Return, by package, the texts that its templates and modules use with the place of each, and faults."""
    used: Used = defaultdict(dict)
    faults: list[str] = []
    source = root / "src"
    for path in sorted([*source.rglob("*.html"), *source.rglob("*.txt"), *source.rglob("*.py")]):
        if "static" in path.parts or (path.suffix != ".py" and "templates" not in path.parts):
            continue
        try:
            found = (in_module if path.suffix == ".py" else in_template)(path.read_text("utf-8"))
            for line, texts in found:
                used[package_of(path)].setdefault(texts, f"{path.relative_to(root)}:{line}")
        except (TemplateSyntaxError, SyntaxError) as error:
            faults.append(f"{path.relative_to(root)}:{error.lineno}: {error}")
    return used, faults


def catalogue_faults(root: Path, package: Path, used: dict[tuple[str, ...], str]) -> list[str]:
    """Return what a package's English catalogue lacks, has too much, or has wrong."""
    path = package / "locale" / "en.po"
    if not path.exists():
        return [
            f"{place}: {path.relative_to(root)} does not exist: {texts[0]!r}" for texts, place in used.items()
        ]
    name = path.relative_to(root)
    with path.open("rb") as file:
        entries = [m for m in read_po(file, locale="en") if m.id]
    keys = [m.id if isinstance(m.id, tuple) else (m.id,) for m in entries]
    known = set(keys)
    faults = [f"{place}: not in {name}: {texts[0]!r}" for texts, place in used.items() if texts not in known]
    faults += [f"{name}: no longer used: {key[0]!r}" for key in keys if key not in used]
    if [k[0] for k in keys] != sorted(k[0] for k in keys):
        faults.append(f"{name}: sort it by msgid")
    for key, message in zip(keys, entries, strict=True):
        english = message.string if isinstance(message.string, list | tuple) else (message.string,)
        if message.fuzzy or not all(english):
            faults.append(f"{name}: not translated: {key[0]!r}")
        elif places(key) != places(tuple(english)):
            faults.append(f"{name}: the places differ: {key[0]!r}")
    return faults


def places(texts: tuple[str, ...]) -> set[str]:
    """Return the names of the values that are filled into `texts`."""
    return {a or b for text in texts for a, b in PLACES.findall(text)}


def faults(root: Path) -> list[str]:
    """Return every text without its English, and every English without its text."""
    used, found = used_texts(root)
    packages = {*used, *(p.parents[1] for p in (root / "src").rglob("locale/en.po"))}
    for package in sorted(packages):
        found += catalogue_faults(root, package, used.get(package, {}))
    return found
