"""Every page found by crawling, as anyone and as administrator: accessible, self-contained, quiet, narrow, scriptless."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from beffroi.web.site.duties.statement import looked

from .conftest import AXE, Served
from .crawl import Site, crawl, shape
from .tongues import TEXTS, in_french, typed

pytestmark = pytest.mark.browser
TAGS = ["RGAAv4", "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
STARTS = ("connexion", "capteurs", "alarmes", "regles", "donnees", "services", "riviere/cameras")
READERS = ("anyone", "administrator")
NARROW, WIDE = {"width": 320, "height": 640}, {"width": 1366, "height": 768}
RUN = """async (options) => {
  const found = await axe.run(document, {resultTypes: ["violations"], ...options});  // a third quicker than all it can tell
  return found.violations.map(v => `${v.id}: ${v.nodes.map(n => n.target.join(" ")).slice(0, 3).join(" | ")}`);
}"""
WIDER = """() => {
  const width = document.documentElement.clientWidth, all = document.documentElement.scrollWidth;
  if (all <= width) return [];
  const over = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > width + 1);
  return [`${all} px: ` + over.slice(0, 3).map(e => e.tagName + "." + e.className).join(", ")];
}"""


def context_of(browser: Browser, reader: str, administrator: Path, **options: object) -> BrowserContext:
    """Return a browser context of a reader."""
    state = administrator if reader == "administrator" else None
    context = browser.new_context(storage_state=state, **options)  # type: ignore[arg-type]
    context.set_default_timeout(60_000)
    return context


@pytest.fixture(scope="module")
def sites(chromium: Browser, town: Served, administrator: Path) -> dict[str, Site]:
    """Return, by reader, what they can reach: two addresses of each shape."""
    found = {}
    for reader in READERS:
        context = context_of(chromium, reader, administrator)
        starts = [
            town.url,
            *(town.url + p for p in STARTS),
        ]
        found[reader] = crawl(context.request, starts, each=2)
        context.close()
    return found


@pytest.fixture(scope="module")
def pages(sites: dict[str, Site]) -> dict[str, list[str]]:
    """Return, by reader, one page for each shape of path that they can reach."""
    # a filter or an order does not make another page to look at; the links among them are followed elsewhere
    return {
        reader: list({shape(page).partition("?")[0]: page for page in reversed(site.pages)}.values())[::-1]
        for reader, site in sites.items()
    }


@pytest.fixture(scope="module")
def known(town: Served) -> list[str]:
    """Return what people typed into the town."""
    return typed(town.data)


class Witness:
    """Notes what a page asks of other hosts and what its console complains about."""

    def __init__(self, page: Page, host: str) -> None:
        self.faults: list[str] = []
        page.on("request", lambda r: self._asked(r.url, host))
        page.on("console", lambda m: m.type == "error" and self.faults.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: self.faults.append(f"script: {e}"))

    def _asked(self, url: str, host: str) -> None:
        if urlsplit(url).scheme in ("http", "https", "ws", "wss") and urlsplit(url).netloc != host:
            self.faults.append(f"asks another host: {url}")

    def take(self) -> list[str]:
        """Return the faults noted since the last time."""
        taken, self.faults = self.faults, []
        return taken


@pytest.mark.parametrize("reader", READERS)
def test_every_link_answers(sites: dict[str, Site], reader: str) -> None:
    site = sites[reader]
    assert site.broken == [], "\n".join(site.broken)
    assert len(site.pages) >= 10


def test_the_statement_names_the_rules_that_are_run(chromium: Browser) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in frontend/")
    page = chromium.new_page()
    page.evaluate(AXE.read_text("utf-8"))
    run = page.evaluate(
        """(tags) => axe.getRules(tags).flatMap(r => r.tags.filter(t => /^RGAA-[0-9]/.test(t)).map(t => [t, r.ruleId]))""",
        TAGS,
    )
    version = page.evaluate("axe.version")
    page.close()
    criteria: dict[str, set[str]] = {}
    for tag, rule in run:
        criteria.setdefault(".".join(tag.removeprefix("RGAA-").split(".")[:2]), set()).add(rule)
    said = looked()
    assert (said.version, {c: set(rules) for c, rules in said.criteria.items()}) == (
        version,
        criteria,
    )  # else: make accessibility


def narrow(page: Page, address: str) -> list[str]:
    """Open a page on a narrow screen; return what is wrong with it there."""
    answer = page.goto(address, wait_until="load")
    found: list[str] = [] if answer and answer.status == 200 else ["not 200"]
    found += page.evaluate(WIDER)
    found += [] if page.locator("main h1").count() == 1 else ["not one h1 in main"]
    return found + ([] if len(page.locator("main").inner_text().strip()) > 20 else ["says nothing"])


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("reader", READERS)
def test_every_page_is_accessible_quiet_and_self_contained(
    chromium: Browser,
    town: Served,
    administrator: Path,
    pages: dict[str, list[str]],
    known: list[str],
    reader: str,
    language: str,
) -> None:
    """In French each page is opened on a narrow screen and widened, and its colours are measured, light and dark; in
    English it is opened wide: the words change no colour, and none is French unless somebody typed it."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in frontend/")
    axe, colours = AXE.read_text("utf-8"), language == "fr"
    rules = {} if colours else {"color-contrast": {"enabled": False}}
    context = context_of(chromium, reader, administrator, viewport=WIDE, color_scheme="light")
    page = context.new_page()
    witness = Witness(page, urlsplit(town.url).netloc)
    page.goto(f"{town.url}?lang={language}")
    faults: dict[str, list[str]] = {}
    seen = set[str]()
    for address in pages[reader]:
        found: list[str] = []
        if colours:
            page.emulate_media(color_scheme="light")
            page.set_viewport_size(NARROW)
            found += [f"narrow: {fault}" for fault in narrow(page, address)]
            page.set_viewport_size(WIDE)
        else:
            page.goto(address, wait_until="load")
            found += [f"French: {text}" for text in in_french(page.evaluate(TEXTS), known, seen)]
        found += (
            [] if page.locator("html").get_attribute("lang") == language else ["lang is not the reader's"]
        )
        page.evaluate(axe)
        found += page.evaluate(RUN, {"runOnly": {"type": "tag", "values": TAGS}, "rules": rules})
        if colours:
            page.emulate_media(color_scheme="dark")
            only = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
            found += [f"dark: {fault}" for fault in page.evaluate(RUN, only)]
        found += witness.take()
        if found:
            faults[address.removeprefix(town.url)] = found
    context.close()
    assert faults == {}, json.dumps(faults, indent=1, ensure_ascii=False)


@pytest.mark.parametrize("reader", READERS)
def test_every_page_reads_on_a_narrow_screen_without_script(
    chromium: Browser, town: Served, administrator: Path, pages: dict[str, list[str]], reader: str
) -> None:
    context = context_of(chromium, reader, administrator, viewport=NARROW, java_script_enabled=False)
    page = context.new_page()
    faults = {
        address.removeprefix(town.url): found for address in pages[reader] if (found := narrow(page, address))
    }
    context.close()
    assert faults == {}, json.dumps(faults, indent=1, ensure_ascii=False)
