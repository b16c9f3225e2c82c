"""Journeys: by keyboard alone, on paper, without script."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from .conftest import Served

pytestmark = pytest.mark.browser
FOCUSED = """() => {
  const e = document.activeElement, s = getComputedStyle(e);
  return {name: e.tagName, href: e.getAttribute("href"), outline: parseFloat(s.outlineWidth) || 0, style: s.outlineStyle,
          shown: e.getBoundingClientRect().width > 0};
}"""


def test_first_tab_stop_skips_to_the_content_and_every_stop_is_seen(
    visitor: BrowserContext, town: Served
) -> None:
    page = visitor.new_page()
    page.goto(town.url)
    page.keyboard.press("Tab")
    first = page.evaluate(FOCUSED)
    assert (first["name"], first["href"][0]) == ("A", "#")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('main') !== null || location.hash !== ''")
    unseen = []
    for _ in range(25):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUSED)
        if focus["name"] != "BODY" and (
            focus["outline"] < 1 or focus["style"] == "none" or not focus["shown"]
        ):
            unseen.append(focus)
    assert unseen == []


def tab_to(page: Page, text: str = "", address: str = "^$") -> None:
    """Press Tab until the focus is on what is called `text`, or on a link to `address` (a pattern)."""
    for _ in range(120):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            "[document.activeElement.textContent.trim(), document.activeElement.getAttribute('href') || '-']"
        )
        if (text and focus[0].startswith(text)) or re.search(address, focus[1]):
            return
    raise AssertionError(f"no way to {text or address!r} by keyboard")


def test_navigation_by_keyboard_reaches_the_data(visitor: BrowserContext, town: Served) -> None:
    page = visitor.new_page()
    page.goto(town.url)
    tab_to(page, "Données")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/donnees$"))


def test_paper_has_the_content_and_no_navigation(visitor: BrowserContext, town: Served) -> None:
    page = visitor.new_page()
    page.goto(town.url)
    page.emulate_media(media="print")
    assert page.locator("main h1").is_visible()
    assert not page.locator("nav").first.is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF-")


def test_language_stays_chosen_without_script(chromium: Browser, town: Served) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(town.url + "?lang=en")
    page.goto(town.url + "capteurs")
    assert page.locator("html").get_attribute("lang") == "en"
    context.close()


def test_administrator_is_signed_in_and_signs_out(
    chromium: Browser, town: Served, administrator: Path
) -> None:
    context = chromium.new_context(storage_state=administrator)
    page = context.new_page()
    page.goto(town.url + "administration")
    assert page.locator("main h1").count() == 1
    context.close()


@pytest.mark.parametrize("script", [True, False], ids=["with-script", "without-script"])
def test_agent_takes_an_alarm_in_charge_by_keyboard_alone(
    chromium: Browser, town: Served, administrator: Path, script: bool
) -> None:
    context = chromium.new_context(storage_state=administrator, java_script_enabled=script)
    page = context.new_page()
    page.goto(town.url + "alarmes?vue=a-voir")
    tab_to(page, address=r"^/alarmes/\d+$")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/alarmes/\d+$"))
    tab_to(page, "Prendre en charge")
    page.keyboard.press("Enter")
    # the first to be seen may have ended by itself: it is taken in charge all the same, and nobody is asked to any more
    expect(page.get_by_role("button", name="Prendre en charge")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("Prise en charge")
    context.close()


@pytest.mark.nightly
def test_agent_draws_where_works_are_declared(chromium: Browser, town: Served, administrator: Path) -> None:
    """Corners by the pointer, the last taken back, one more by the keyboard; the form's own field holds the outline."""
    context = chromium.new_context(storage_state=administrator)
    page = context.new_page()
    page.goto(town.url + "donnees/works_declaration/nouveau?lang=fr")
    page.get_by_role("button", name="Dessiner sur la carte").click()
    expect(page.locator("beffroi-map")).to_have_attribute("data-ready", "")
    canvas = page.locator("beffroi-map .canvas")
    for x, y in ((150, 100), (250, 100), (250, 200), (150, 200)):
        canvas.click(position={"x": x, "y": y})
        page.wait_for_timeout(400)  # two presses nearer than that are a zoom
    page.get_by_role("button", name="Retirer le dernier point").click()
    canvas.press("Enter")
    drawn = json.loads(page.locator("#f-geojson").input_value())
    (ring,) = drawn["coordinates"]
    assert (drawn["type"], len(ring), ring[0]) == ("Polygon", 5, ring[-1])
    assert (ring[0][1], ring[1][0]) == (ring[1][1], ring[2][0])  # level, then straight down
    context.close()
