"""An agent's morning in Chromium: the queue by keyboard, and the field page without a network."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.services.reports.photographs import TRACES, photograph

pytestmark = pytest.mark.browser
FILE = "services/reports/file"
WAITING = """() => new Promise((then) => {
  const asked = indexedDB.open("beffroi-field", 1);
  asked.onsuccess = () => { asked.result.transaction("photos").objectStore("photos").count().onsuccess = (found) => then(found.target.result); };
})"""  # how many photos wait on the phone


@pytest.fixture
def desk(chromium: Browser, administrator: Path) -> BrowserContext:
    """A browser of the administrator, in French."""
    context = chromium.new_context(storage_state=administrator, locale="fr-FR")
    yield context
    context.close()


def number_of(page: Page) -> int:
    return int(re.search(r"\d+", page.locator("h1").inner_text().replace("\u202f", ""))[0])


def test_a_morning_by_keyboard(desk: BrowserContext, town) -> None:
    page = desk.new_page()
    page.goto(f"{town.url}{FILE}")
    before = number_of(page)
    assert before >= 3
    for key in "jxjx":
        page.keyboard.press(key)
    expect(page.locator("[data-count]")).to_have_text("2 choisis")
    page.keyboard.press("t")
    expect(page.locator(".notice")).to_contain_text("Prendre en charge : 2")
    page.wait_for_load_state("load")  # a key is heard once the script is there
    assert number_of(page) == before - 2
    page.keyboard.press("z")
    page.wait_for_url(lambda url: "done" not in url)
    assert number_of(page) == before
    page.keyboard.press("j")
    page.keyboard.press("c")
    assert page.evaluate("document.activeElement.name") == "reason"
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("o")
    page.wait_for_url(re.compile(r"/services/reports/\d+\?vue=a-trier"))
    first = page.url
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != first)
    page.close()


def test_the_field_page_without_a_network(desk: BrowserContext, town) -> None:
    page = desk.new_page()
    page.goto(f"{town.url}{FILE}")
    for key in "jm":
        page.keyboard.press(key)
    expect(page.locator(".notice")).to_contain_text("Confié à moi")
    page.goto(f"{town.url}services/reports/terrain")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    visits = page.locator(".case").count()
    expect(page.locator("[data-field]").first).to_be_visible()
    desk.set_offline(True)
    page.reload()
    expect(page.locator("[data-offline]")).to_contain_text("Hors ligne")
    page.locator("[data-field] input[name=text]").first.fill("Fait sur place")
    page.locator("[data-field] input[name=photo]").first.set_input_files(
        {"name": "lieu.jpg", "mimeType": "image/jpeg", "buffer": photograph("jpeg", size=(2400, 1200))}
    )
    case = page.locator(".case").first.locator("h2 a").get_attribute("href")
    page.locator("button[value=repaired]").first.click()
    expect(page.locator("[data-offline]")).to_contain_text("1 à envoyer")
    desk.set_offline(False)
    expect(page.locator(".case")).to_have_count(visits - 1)
    assert page.evaluate(WAITING) == 0
    page.goto(town.url.rstrip("/") + case)
    photo = page.locator(".photos a").last
    sent = desk.request.get(town.url.rstrip("/") + photo.get_attribute("href")).body()
    assert Image.open(io.BytesIO(sent)).size == (
        1600,
        800,
    )  # drawn again on the phone, at the size that is kept
    assert not any(trace in sent for trace in TRACES)
    page.close()
