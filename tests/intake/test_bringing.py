"""What is guessed of files that are not clean, and an import that a killed process left half done."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import Workbook
from tests.towns import town_at

from beffroi.intake.bringing import brought
from beffroi.intake.bringing.brought import LEASE_US, Brought, Found, Plan
from beffroi.intake.bringing.reading import kind_of, path_of
from beffroi.intake.bringing.taking import carry_on
from beffroi.intake.take import Intake
from beffroi.model.instant import system_clock
from beffroi.model.principal import Principal
from beffroi.store.record import Query
from beffroi.town import Town, open_town

WHO = Principal("user:1", "Agathe", "agent")
CHILD = """
import pathlib, sys
from beffroi.intake.bringing.taking import carry_on
from beffroi.intake.take import Intake
from beffroi.town import open_town

town = open_town(pathlib.Path(sys.argv[1]))
carry_on(Intake(town.store, town.registry.datastream_kind, town.registry.service_of))
"""


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    folder = tmp_path / "town"
    town_at(folder)
    opened = open_town(folder)
    yield opened
    opened.close()


def intake(town: Town) -> Intake:
    return Intake(town.store, town.registry.datastream_kind, town.registry.service_of)


def bring(town: Town, path: Path) -> Brought:
    """Keep a file as the page does."""
    one = brought.add(town.store, path.name, WHO, kind_of(path.name), path.stat().st_size, "")
    path_of(town.store, one).parent.mkdir(parents=True)
    shutil.copy(path, path_of(town.store, one))
    one.state = "reading"
    brought.save(town.store, one)
    return one


def understood(town: Town, path: Path) -> tuple[Found, Plan]:
    """Return what is found out about a file, and what it seems to be for."""
    bring(town, path)
    done = carry_on(intake(town))
    assert done is not None
    assert done.work.found is not None, done.work.trouble
    return done.work.found, done.work.plan


def test_a_workbook_with_a_title_and_dates_is_read_from_its_header(town: Town, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["Parc automobile 2026"],
        [],
        ["Immatriculation", "Mise en service", "Kilométrage"],
        ["AB-123-CD", "03/02/2021", 45210],
    ):
        sheet.append(row)
    book.save(tmp_path / "parc.xlsx")
    found, plan = understood(town, tmp_path / "parc.xlsx")
    assert [(c.name, c.kind) for c in found.columns] == [
        ("Immatriculation", "text"),
        ("Mise en service", "date"),
        ("Kilométrage", "integer"),
    ]
    assert (plan.target, plan.title, found.dates) == ("new", "parc", "dmy")


def test_a_list_of_anything_is_not_taken_for_lamps_by_what_all_lists_have(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "arbres.csv"
    path.write_text(
        "Identifiant;Voie;Nature;Posé le\nA1;Rue A;Tilleul;01/02/2020\nA2;Rue B;Chêne;01/02/2021\n", "utf-8"
    )
    assert understood(town, path)[1].target == "new"
    path.write_text(
        "Identifiant;Voie;Nature;Posé le\nA1;Rue A;Candélabre;01/02/2020\nA2;Rue B;Façade;01/02/2021\n",
        "utf-8",
    )
    plan = understood(town, path)[1]
    assert (plan.target, plan.collection) == ("collection", "support")  # these words are poles'


def test_names_of_people_keep_a_new_collection_for_agents(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "associations.csv"
    path.write_text("Association;Nom;Prénom;Courriel\nChorale;Le Goff;Anne;a@exemple.fr\n", "utf-8")
    found, plan = understood(town, path)
    assert (plan.public, found.personal) == (False, ("Nom", "Prénom", "Courriel"))


def test_coordinates_that_nothing_places_are_asked_for(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("nom;x;y\nA;12;7000000\nB;13;7000100\n", "utf-8")
    found, _ = understood(town, path)
    assert (found.how, found.shapes) == ("doubt", ())
    assert found.doubt is not None
    assert found.doubt.place == "crs"


@pytest.mark.nightly
def test_an_import_goes_on_where_a_killed_process_left_it_and_goes_back_whole(
    town: Town, tmp_path: Path
) -> None:
    rows, path = 20_000, tmp_path / "arbres.csv"
    path.write_text("id;nom\n" + "".join(f"A{n};Arbre {n}\n" for n in range(rows)), "utf-8")
    number = bring(town, path).id
    one = carry_on(intake(town))
    assert one is not None
    one.state, one.work.done = "importing", 0
    brought.save(town.store, one)
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(town.settings.data)])
    end = time.monotonic() + 300
    while brought.get(town.store, number).work.done == 0 and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    half = town.store.records.count("arbres")
    assert 0 < half < rows
    assert carry_on(intake(town)) is None  # its lease holds still
    later = open_town(town.settings.data, clock=lambda: system_clock() + LEASE_US + 1)
    try:
        done = carry_on(intake(later))
        assert done is not None
        assert done.work.outcome is not None
        assert (done.state, done.work.outcome.created, done.work.outcome.unchanged) == ("imported", rows, 0)
        assert later.store.records.count("arbres") == rows
        done.state = "undoing"
        brought.save(later.store, done)
        back = carry_on(intake(later))
        assert back is not None
        assert (back.state, back.work.taken_back) == ("undone", rows)
        assert later.store.records.find("arbres", Query()).rows == []
    finally:
        later.close()
