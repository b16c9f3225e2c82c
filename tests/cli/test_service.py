"""`beffroi new service` and `beffroi check`, as commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from beffroi.inspection import inspect_service, lines_of
from beffroi.model.collection import Collection, Personal, Record, field
from beffroi.model.declaration import Card, DatastreamKind, RuleTemplate
from beffroi.model.text import Text
from beffroi.plugins import Registry, Service, load_registry

SOURCE = Path(__file__).parents[2] / "src"


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{SOURCE}", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [sys.executable, "-m", *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=180,
    )


def test_new_service_is_small_and_its_test_passes_at_once(tmp_path: Path) -> None:
    made = run("beffroi", "new", "service", "bruit_urbain", "--json", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    files = [Path(file) for file in json.loads(made.stdout)["files"]]
    assert len(files) <= 6
    written = {f for f in (tmp_path / "bruit_urbain").rglob("*") if f.is_file()}
    assert written == {tmp_path / f for f in files}
    assert sum(len(f.read_text("utf-8").splitlines()) for f in written) <= 150
    tested = run("pytest", "-q", "-p", "no:cacheprovider", folder=tmp_path / "bruit_urbain")
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout


def test_new_service_refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "bruit").mkdir()
    (tmp_path / "bruit" / "mine.txt").write_text("x")
    refused = run("beffroi", "new", "service", "bruit", folder=tmp_path)
    assert refused.returncode == 2
    assert "--to" in refused.stderr
    assert [f.name for f in (tmp_path / "bruit").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["Bruit", "bruit urbain", "../bruit", "1bruit", "b"])
def test_new_service_refuses_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    assert run("beffroi", "new", "service", name, folder=tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_check_names_what_is_wrong_and_ends_with_1(tmp_path: Path) -> None:
    run("beffroi", "new", "service", "bruit", folder=tmp_path)
    (tmp_path / "bruit" / "beffroi_bruit" / "README.md").unlink()
    found = run("beffroi", "check", "bruit", "--json", folder=tmp_path)
    assert found.returncode == 1
    assert [fault["place"] for fault in json.loads(found.stdout)["faults"]] == ["README.md"]


def test_check_of_a_module_that_fails_says_so_without_a_traceback(tmp_path: Path) -> None:
    run("beffroi", "new", "service", "bruit", folder=tmp_path)
    (tmp_path / "bruit" / "beffroi_bruit" / "__init__.py").write_text("1 / 0\n")
    found = run("beffroi", "check", "bruit", folder=tmp_path)
    assert found.returncode == 2
    assert "ZeroDivisionError" in found.stderr
    assert "Traceback" not in found.stderr


def test_our_own_services_have_no_fault() -> None:
    registry = load_registry()
    for service in registry.services.values():
        found = inspect_service(service, registry)
        assert found.faults == ()
        if service.name in ("equipment", "environment"):  # the others are trades with algorithms of their own
            assert found.lines.share > 0.7


class Neighbour(Record):
    """A record with personal data."""

    code: str = field("Code", "Code", key=True)
    name: str = field("Nom", "", personal=Personal(Text("Rappeler", "Call back"), 30))


MANIFEST = {
    "name": "x", "version": "1", "maintainer": "m", "quality": "beta", "standards_in": ["CSV"], "standards_out": ["CSV"],
    "personal_data": {"fields": ["name"], "purpose_fr": "Rappeler", "purpose_en": "Call back"}, "limits": {"fr": "Rien", "en": "Nothing"},
}  # fmt: skip


def faults(tmp_path: Path, **changed: object) -> list[str]:
    (tmp_path / "README.md").write_text("mot " * 30)
    collection = Collection(
        "neighbour", Text("Voisins", "Neighbours"), Neighbour, description=Text("Qui", "Who")
    )
    parts: dict[str, object] = {
        "collections": (collection,),
        "manifest": MANIFEST,
        "package": tmp_path,
        **changed,
    }
    service = Service("x", Text("X", "X"), **parts)  # type: ignore[arg-type]
    return [fault.place for fault in inspect_service(service, Registry([service])).faults]


def test_inspection_finds_a_text_in_one_language(tmp_path: Path) -> None:
    assert faults(tmp_path) == ["x, collections neighbour, fields name, title, en"]


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"manifest": {}}, "manifest.toml"),
        ({"manifest": {**MANIFEST, "quality": "gold"}}, "manifest.toml, quality"),
        ({"manifest": {**MANIFEST, "maintainer": ""}}, "manifest.toml, maintainer"),
        ({"manifest": {**MANIFEST, "limits": {"fr": "Rien"}}}, "manifest.toml, limits.en"),
        ({"manifest": {**MANIFEST, "personal_data": {"fields": []}}}, "manifest.toml, personal_data.fields"),
        ({"manifest": {**MANIFEST, "personal_data": {"fields": ["name"], "purpose_fr": "Rappeler", "purpose_en": " "}}},
         "manifest.toml, personal_data.purpose_en"),
        ({"manifest": {**MANIFEST, "personal_data": {**MANIFEST["personal_data"], "other": [{"fr": "Photos", "en": "Photos", "purpose_fr": "Voir", "days": 3}]}}},
         "manifest.toml, personal_data.other[0].purpose_en"),
        ({"manifest": {**MANIFEST, "personal_data": {**MANIFEST["personal_data"], "other": [{"fr": "Photos", "en": "Photos", "purpose_fr": "Voir", "purpose_en": "See"}]}}},
         "manifest.toml, personal_data.other[0].days"),
        ({"cards": (Card("c", Text("C", "C"), "indicator:none"),)}, "card c"),
        ({"rules": (RuleTemplate("r", Text("R", "R"), "name: R\nwatch: {kind: none}\nwhen: {above: 1}\n"),)}, "rule r"),
        ({"rules": (RuleTemplate("r", Text("R", "R"), "name: R\nwhen: {above: 1}\n"),)}, "rule r, line 1"),
        ({"datastreams": (DatastreamKind("d", Text("D", "D"), "", "1", "one", minimum=2, maximum=1),)}, "datastream d"),
        ({"title": Text("{n} x", "x")}, "x, title"),
    ],
)  # fmt: skip
def test_inspection_names_the_place_of_a_fault(
    tmp_path: Path, changed: dict[str, object], place: str
) -> None:
    title = changed.pop("title", None)
    if title is not None:
        service = Service(
            "x", title, manifest={**MANIFEST, "personal_data": {"fields": []}}, package=tmp_path
        )  # type: ignore[arg-type]
        (tmp_path / "README.md").write_text("mot " * 30)
        assert [f.place for f in inspect_service(service, Registry([service])).faults] == [place]
        return
    assert place in faults(tmp_path, **changed)


def test_untranslated_text_of_a_template_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "templates" / "x").mkdir(parents=True)
    (tmp_path / "templates" / "x" / "p.html").write_text('{{ _("Bonjour") }} {{ _("Ville") }}')
    (tmp_path / "locale").mkdir()
    (tmp_path / "locale" / "en.po").write_text('msgid ""\nmsgstr ""\n\nmsgid "Ville"\nmsgstr "Town"\n')
    assert "templates/x/p.html" in faults(tmp_path)
    found = inspect_service(Service("x", Text("X", "X"), package=tmp_path), Registry([]))
    assert [f.reason.fr for f in found.faults if f.place.endswith("p.html")] == [
        "« Bonjour » n'est pas traduit."
    ]


def test_lines_count_functions_as_code_and_the_rest_as_declaration(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        '"""Doc."""\n\nX = 1  # one\n# said\n\n\ndef f() -> int:\n    """Doc."""\n    return X\n'
    )
    (tmp_path / "demo.py").write_text("Y = 1\n")
    found = lines_of(tmp_path)
    assert (found.declaration, found.code) == (1, 2)
    assert round(found.share, 3) == 0.333
