"""The checks of `make check` find what they are for, in small sources with one fault each."""

import json
import subprocess
from pathlib import Path

import pytest

from checks import documents, files, texts, translations

PO = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'


def page(root: Path, template: str, catalogue: str) -> Path:
    """Write a package with one template and its English catalogue."""
    package = root / "src" / "town"
    (package / "templates" / "town").mkdir(parents=True)
    (package / "locale").mkdir()
    (package / "templates" / "town" / "page.html").write_text(template, "utf-8")
    (package / "locale" / "en.po").write_text(PO + catalogue, "utf-8")
    return package


def repository(root: Path, name: str, text: str) -> None:
    """Make a repository that keeps one file."""
    (root / name).write_text(text, "utf-8")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "add", "-f", name], cwd=root, check=True)


@pytest.mark.parametrize(
    ("template", "catalogue", "expected"),
    [
        ('{{ _("Carte") }}', 'msgid "Carte"\nmsgstr "Map"\n', []),
        (
            '{{ _("Carte") }}',
            "",
            ["src/town/templates/town/page.html:1: not in src/town/locale/en.po: 'Carte'"],
        ),
        ("", 'msgid "Carte"\nmsgstr "Map"\n', ["src/town/locale/en.po: no longer used: 'Carte'"]),
        (
            '{{ _("Carte") }}',
            'msgid "Carte"\nmsgstr ""\n',
            ["src/town/locale/en.po: not translated: 'Carte'"],
        ),
        (
            '{{ _("{n} bacs", n=3) }}',
            'msgid "{n} bacs"\nmsgstr "bins"\n',
            ["src/town/locale/en.po: the places differ: '{n} bacs'"],
        ),
        (
            '{{ plural(n, "{n} bac", "{n} bacs") }}',
            'msgid "{n} bac"\nmsgid_plural "{n} bacs"\nmsgstr[0] "{n} bin"\nmsgstr[1] "{n} bins"\n',
            [],
        ),
        (
            '{{ _("B") }}{{ _("A") }}',
            'msgid "B"\nmsgstr "B"\n\nmsgid "A"\nmsgstr "A"\n',
            ["src/town/locale/en.po: sort it by msgid"],
        ),
    ],
)
def test_translations_name_the_text_and_the_catalogue(
    tmp_path: Path, template: str, catalogue: str, expected: list[str]
) -> None:
    page(tmp_path, template, catalogue)
    assert translations.faults(tmp_path) == expected


def test_translations_read_the_texts_of_page_code(tmp_path: Path) -> None:
    package = page(tmp_path, "", "")
    (package / "pages.py").write_text('_ = translate(request)\ntitle = _("Bacs")\n', "utf-8")
    assert translations.faults(tmp_path) == ["src/town/pages.py:2: not in src/town/locale/en.po: 'Bacs'"]


def test_translations_read_why_records_are_written(tmp_path: Path) -> None:
    package = page(tmp_path, "", '#, kept\nmsgid "Alarme {alarm}"\nmsgstr "Alarm {alarm}"\n')
    written = 'records.put("bin", reason=f"Alarme {alarm}")\nrecords.writer(who, "Bilan")\nstates.move(reason="done")\n'
    (package / "duties.py").write_text(written, "utf-8")
    assert translations.faults(tmp_path) == ["src/town/duties.py:2: not in src/town/locale/en.po: 'Bilan'"]


def test_translations_refuse_two_words_for_one_text(tmp_path: Path) -> None:
    page(tmp_path, '{{ _("Objet") }}', 'msgid "Objet"\nmsgstr "Subject"\n')
    other = tmp_path / "src" / "village"
    for folder in ("templates", "locale"):
        (other / folder).mkdir(parents=True)
    (other / "templates" / "page.html").write_text('{{ _("Objet") }}', "utf-8")
    (other / "locale" / "en.po").write_text(PO + 'msgid "Objet"\nmsgstr "Thing"\n', "utf-8")
    assert translations.faults(tmp_path) == [
        "src/village/locale/en.po: 'Objet' is 'Thing', but 'Subject' in src/town/locale/en.po"
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('Text("Bac", "Bin")', None),
        ('Text("", "")', None),
        ('Text("Bac", "")', "only one language is given: 'Bac'"),
        ('field("Volume", "")', "only one language is given: 'Volume'"),
        ('choice("ok", "En service", " ")', "only one language is given: 'En service'"),
        ('Text("{n} bacs", "bins")', "the {places} differ: '{n} bacs' / 'bins'"),
    ],
)
def test_texts_are_in_both_languages(tmp_path: Path, source: str, expected: str | None) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "service.py").write_text(source, "utf-8")
    assert texts.faults(tmp_path) == ([f"src/service.py:1: {expected}"] if expected else [])


def test_files_refuse_a_lock_that_names_a_registry(tmp_path: Path) -> None:
    lock = {"packages": {"": {}, "node_modules/ol": {"resolved": "https://registry.example/ol.tgz"}}}
    repository(tmp_path, "package-lock.json", json.dumps(lock))
    (fault,) = files.faults(tmp_path)
    assert fault.startswith("package-lock.json: node_modules/ol has a `resolved` address")


def test_files_refuse_what_is_too_long_and_what_is_built(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("dist.py\n", "utf-8")
    repository(tmp_path, "dist.py", "x = 1\n" * 601)
    assert files.faults(tmp_path) == [
        "dist.py: 601 lines; split it by what it speaks of (at most 600)",
        "dist.py: build output must not be committed",
    ]


def test_documents_name_links_that_lead_nowhere(tmp_path: Path) -> None:
    text = "# A heading, here\n[a](b.md) [c](#a-heading-here) [d](#elsewhere) [e](https://example.org)\n"
    repository(tmp_path, "page.md", text)
    assert documents.broken_links(tmp_path, Path("page.md")) == [
        "page.md: no such file: b.md",
        "page.md: no such heading: #elsewhere",
    ]
