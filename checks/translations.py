"""Translations: each `_("Texte")` of a template or a page has its English in its package's `locale/en.po`.

The msgid is the French text (docs/decisions/0001). So is why a record was changed: its history keeps the French, and the
pages say it by the catalogues (`Words.kept`), with `#, kept` where values are filled in. A catalogue is sorted, without stale or empty entries, and
an English text has the same `{places}` or `%(places)s` as the French.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from babel.messages.pofile import read_po
from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateSyntaxError

WRITES = {"put", "delete", "writer", "undo", "change_many", "_put", "_close"}  # what records are written with
PLACES = re.compile(r"%\((\w+)\)[sd]|(?<!\{)\{(\w+)\}(?!\})")
_JINJA = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)

Texts = tuple[str, ...]
Used = dict[Path, dict[Texts, str]]


def package_of(path: Path) -> Path:
    """Return the package whose catalogue holds the texts of `path`.

    The package of a template is the folder that has its `templates/`; that of a module is the nearest one
    with a `locale/`, else the module's own folder.
    """
    for parent in path.parents:
        if parent.name == "templates":
            return parent.parent
    return next((p for p in path.parents if (p / "locale").is_dir() and p.name != "src"), path.parent)


def wanted(function: str, arguments: list[object]) -> Texts | None:
    """Return the texts that a call asks for: `_("un")`, `plural(n, "un", "plusieurs")`; None for other calls."""
    texts = {"_": arguments[:1], "of": arguments[:1], "plural": arguments[1:3]}.get(function, [])
    found = tuple(t for t in texts if isinstance(t, str))
    return found if found and len(found) == len(texts) else None


def in_template(source: str) -> Iterator[tuple[int, Texts]]:
    """Yield the line and the texts of every `_(…)` and `plural(…)` of a template."""
    for call in _JINJA.parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in ("_", "plural"):
            arguments = [a.value if isinstance(a, nodes.Const) else None for a in call.args]
            texts = wanted(call.node.name, arguments)
            if texts:
                yield call.lineno, texts


def function_of(call: ast.Call) -> str:
    """Return "_" of `_(…)` and `translate(request)(…)`, "of" and "plural" of `words.of(…)`, "" of other calls."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id if function.id in ("_", "plural") else ""
    if isinstance(function, ast.Call):
        return "_" if isinstance(function.func, ast.Name) and function.func.id == "translate" else ""
    if isinstance(function, ast.Attribute):
        holder = ast.unparse(function.value)
        return function.attr if re.search(r"words(_of\(.*\))?(\[.*\])?$", holder) else ""
    return ""


def kept_in(node: ast.expr | None) -> Iterator[str]:
    """Yield the French that an expression writes: `"Début"`, `said or "Décision"`, `f"Alarme {number}"`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.BoolOp):
        yield from kept_in(node.values[-1])
    elif isinstance(node, ast.IfExp):
        yield from (text for part in (node.body, node.orelse) for text in kept_in(part))
    elif isinstance(node, ast.Subscript):
        yield from kept_in(node.value)
    elif isinstance(node, ast.JoinedStr):
        parts = [p.value if isinstance(p, ast.Constant) else f"{{{name_of(p)}}}" for p in node.values]
        yield "".join(map(str, parts))


def name_of(part: ast.expr) -> str:
    """Return the last name of what an f-string fills in: `file` of `{file}`, `name` of `{source.name}`."""
    names = [n for n in ast.walk(part) if isinstance(n, ast.Name | ast.Attribute)]
    return (names[0].attr if isinstance(names[0], ast.Attribute) else names[0].id) if names else "value"


def reasons(call: ast.Call) -> Iterator[str]:
    """Yield why a record is written, as its history keeps it: `records.put(…, reason="Début")`, `writer(who, "Début")`."""
    function = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if function not in WRITES:
        return
    given = next((k.value for k in call.keywords if k.arg == "reason"), None)
    if given is None and function == "writer" and len(call.args) > 1:
        given = call.args[1]
    yield from kept_in(given)


def in_module(source: str) -> Iterator[tuple[int, Texts]]:
    """Yield the line and the texts of every `_(…)` and `plural(…)` of a Python module, and of what it keeps."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield from ((node.lineno, (text,)) for text in reasons(node))
            arguments = [a.value if isinstance(a, ast.Constant) else None for a in node.args]
            texts = wanted(function_of(node), arguments)
            if texts:
                yield node.lineno, texts


def literals(path: Path) -> set[str]:
    """Return every literal text of a module or template: a text may be translated by its variable (`_(name)`)."""
    source = path.read_text("utf-8")
    if path.suffix == ".py":
        constants = (n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant))
    else:
        constants = (n.value for n in _JINJA.parse(source).find_all(nodes.Const))
    return {value for value in constants if isinstance(value, str)}


def sources(root: Path) -> list[Path]:
    """Return the modules and templates that may hold texts."""
    source = root / "src"
    found = [*source.rglob("*.html"), *source.rglob("*.txt"), *source.rglob("*.py")]
    return sorted(
        p for p in found if "static" not in p.parts and (p.suffix == ".py" or "templates" in p.parts)
    )


def used_texts(root: Path) -> tuple[Used, dict[Path, set[str]], list[str]]:
    """Return, by package, the texts that its files translate with the place of each, its literals, and faults."""
    used: Used = defaultdict(dict)
    mentioned: dict[Path, set[str]] = defaultdict(set)
    faults: list[str] = []
    for path in sources(root):
        package = package_of(path)
        try:
            found = (in_module if path.suffix == ".py" else in_template)(path.read_text("utf-8"))
            for line, texts in found:
                used[package].setdefault(texts, f"{path.relative_to(root)}:{line}")
            mentioned[package] |= literals(path)
        except (TemplateSyntaxError, SyntaxError) as error:
            faults.append(f"{path.relative_to(root)}:{error.lineno}: {error}")
    return used, mentioned, faults


def catalogue_faults(root: Path, package: Path, used: dict[Texts, str], mentioned: set[str]) -> list[str]:
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
    faults += [
        f"{name}: no longer used: {key[0]!r}" for key in keys if key not in used and key[0] not in mentioned
    ]
    if [k[0] for k in keys] != sorted(k[0] for k in keys):
        faults.append(f"{name}: sort it by msgid")
    for key, message in zip(keys, entries, strict=True):
        english = message.string if isinstance(message.string, list | tuple) else (message.string,)
        if message.fuzzy or not all(english):
            faults.append(f"{name}: not translated: {key[0]!r}")
        elif not ("kept" in message.flags and places(tuple(english)) <= places(key)) and places(
            key
        ) != places(tuple(english)):
            faults.append(f"{name}: the places differ: {key[0]!r}")
    return faults


def places(texts: Texts) -> set[str]:
    """Return the names of the values that are filled into `texts`."""
    return {a or b for text in texts for a, b in PLACES.findall(text)}


def faults(root: Path) -> list[str]:
    """Return every text without its English, and every English without its text."""
    used, mentioned, found = used_texts(root)
    packages = {*used, *(p.parents[1] for p in (root / "src").rglob("locale/en.po"))}
    for package in sorted(packages):
        found += catalogue_faults(root, package, used.get(package, {}), mentioned[package])
    return found + two_words(root)


def two_words(root: Path) -> list[str]:
    """Return every text that two packages translate differently: catalogues are merged, so one would win everywhere."""
    told: dict[object, tuple[object, Path]] = {}
    found = []
    for path in sorted((root / "src").rglob("locale/en.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="en"):
                english, first = told.setdefault(message.id, (message.string, path))
                if message.id and english != message.string:
                    other = f"{english!r} in {first.relative_to(root)}"
                    found.append(
                        f"{path.relative_to(root)}: {message.id!r} is {message.string!r}, but {other}"
                    )
    return found
