"""Every page found by crawling, as anyone and as administrator: accessible, self-contained, quiet, narrow, scriptless."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from beffroi.web.site.duties.statement import looked

from .conftest import AXE, Served
from .crawl import crawl, shape

pytestmark = pytest.mark.browser
TAGS = ["RGAAv4", "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
STARTS = ("connexion", "capteurs", "alarmes", "regles", "donnees", "services", "riviere/cameras")
READERS = ("anyone", "administrator")
RUN = """async (options) => {
  const found = await axe.run(document, options);
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
def pages(chromium: Browser, town: Served, administrator: Path) -> Iterator[dict[str, list[str]]]:
    """Return, by reader, one page for each shape of path that they can reach."""
    found = {}
    for reader in READERS:
        context = context_of(chromium, reader, administrator)
        starts = [
            town.url,
            *(town.url + p for p in STARTS),
        ]
        reached = crawl(context.request, starts, each=1).pages
        # a filter or an order does not make another page to look at; the links among them are followed elsewhere
        found[reader] = list({shape(page).partition("?")[0]: page for page in reversed(reached)}.values())[
            ::-1
        ]
        context.close()
    yield found


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
def test_every_link_answers(chromium: Browser, town: Served, administrator: Path, reader: str) -> None:
    context = context_of(chromium, reader, administrator)
    site = crawl(context.request, [town.url], each=2)
    context.close()
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


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("reader", READERS)
def test_every_page_is_accessible_quiet_and_self_contained(
    chromium: Browser,
    town: Served,
    administrator: Path,
    pages: dict[str, list[str]],
    reader: str,
    language: str,
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in frontend/")
    axe = AXE.read_text("utf-8")
    context = context_of(
        chromium, reader, administrator, viewport={"width": 1366, "height": 768}, color_scheme="light"
    )
    page = context.new_page()
    witness = Witness(page, urlsplit(town.url).netloc)
    page.goto(f"{town.url}?lang={language}")
    faults: dict[str, list[str]] = {}
    for address in pages[reader]:
        page.emulate_media(color_scheme="light")
        page.goto(address, wait_until="load")
        found = [] if page.locator("html").get_attribute("lang") == language else ["lang is not the reader's"]
        page.evaluate(axe)
        found += page.evaluate(RUN, {"runOnly": {"type": "tag", "values": TAGS}})
        if language == "fr":  # the words change no colour
            page.emulate_media(color_scheme="dark")
            only = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
            found += [f"dark: {fault}" for fault in page.evaluate(RUN, only)]
        found += witness.take()
        if found:
            faults[address.removeprefix(town.url)] = found
    context.close()
    assert faults == {}, json.dumps(faults, indent=1, ensure_ascii=False)


@pytest.mark.parametrize("script", [True, False], ids=["with-script", "without-script"])
@pytest.mark.parametrize("reader", READERS)
def test_every_page_reads_on_a_narrow_screen_with_and_without_script(
    chromium: Browser,
    town: Served,
    administrator: Path,
    pages: dict[str, list[str]],
    reader: str,
    script: bool,
) -> None:
    context = context_of(
        chromium, reader, administrator, viewport={"width": 320, "height": 640}, java_script_enabled=script
    )
    page = context.new_page()
    faults: dict[str, list[str]] = {}
    for address in pages[reader]:
        answer = page.goto(address, wait_until="load")
        found = [] if answer and answer.status == 200 else ["not 200"]
        found += page.evaluate(WIDER)
        found += [] if page.locator("main h1").count() == 1 else ["not one h1 in main"]
        found += [] if len(page.locator("main").inner_text().strip()) > 20 else ["says nothing"]
        if found:
            faults[address.removeprefix(town.url)] = found
    context.close()
    assert faults == {}, json.dumps(faults, indent=1, ensure_ascii=False)
