"""From a file to the map in real Chromium: the clicks are counted; the same by forms alone, without script."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from beffroi.intake.bringing.samples import example_of, samples

from .conftest import Served

pytestmark = pytest.mark.browser


@pytest.fixture
def lamps(tmp_path: Path) -> Path:
    """Return a file as a lighting contractor sends it: French Excel's CSV in Lambert-93."""
    path = tmp_path / "éclairage novembre.csv"
    path.write_bytes(example_of(samples()["points-lumineux"]))
    return path


def test_three_clicks_lead_from_the_data_page_to_the_map(
    chromium: Browser, town: Served, administrator: Path, lamps: Path
) -> None:
    context = chromium.new_context(storage_state=administrator, locale="fr-FR")
    page = context.new_page()
    clicks = 0

    def click(role: str, name: str) -> None:
        nonlocal clicks
        clicks += 1
        page.get_by_role(role, name=name).first.click()  # type: ignore[arg-type]

    page.goto(town.url + "donnees")
    click("link", "Apporter un fichier")
    clicks += 1  # the button of the browser's own dialog; dropping the file is one gesture too
    page.set_input_files("#f-file", lamps)
    page.wait_for_selector("text=Lambert-93 (EPSG:2154), deviné")
    click("button", "Importer ces 4 lignes")
    page.wait_for_selector("text=est importé")
    assert clicks == 3
    assert page.locator("beffroi-map").count() == 1
    page.wait_for_function("document.querySelector('beffroi-map canvas, beffroi-map svg.ground') !== null")
    click("button", "Annuler cet import")
    page.wait_for_selector("text=est annulé")
    context.close()


def test_the_same_without_script_by_keyboard_and_narrow(
    chromium: Browser, town: Served, administrator: Path, lamps: Path
) -> None:
    context = chromium.new_context(
        storage_state=administrator,
        locale="fr-FR",
        java_script_enabled=False,
        viewport={"width": 320, "height": 640},
    )
    page = context.new_page()
    page.goto(town.url + "donnees/apporter")
    page.set_input_files("#f-file", lamps)
    press(page, "Envoyer")
    assert page.locator("svg.ground path.mark").count() == 4
    press(page, "Voir ce qui changerait")
    assert page.locator("dt:has-text('Nouveaux') + dd").inner_text() == "4"
    press(page, "Importer ces 4 lignes")
    assert page.locator("h1").inner_text() == "« éclairage novembre.csv » est importé"
    press(page, "Annuler cet import")
    assert page.locator("h1").inner_text() == "« éclairage novembre.csv » est annulé"
    context.close()


def press(page: Page, name: str) -> None:
    """Reach a button and press it by the keyboard."""
    page.get_by_role("button", name=name).first.focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
