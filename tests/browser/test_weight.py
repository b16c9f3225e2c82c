"""Weights as served: what a page costs its reader on the wire, everything it loads included."""

import pytest
from playwright.sync_api import Browser, Page

from .conftest import Served

pytestmark = pytest.mark.browser
KILOBYTE = 1000


class Scales:
    """Adds up the bytes that a page received, headers included."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        self._session = page.context.new_cdp_session(page)
        self._session.send("Network.enable")
        self._session.on("Network.loadingFinished", self._finished)

    def _finished(self, event: dict[str, float]) -> None:
        self.bytes += int(event["encodedDataLength"])


def weigh(
    browser: Browser, address: str, *, script: bool = True, wait: str | None = None, scroll: bool = False
) -> int:
    """Return the bytes received for `address` by a reader who was never here."""
    context = browser.new_context(java_script_enabled=script, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    scales = Scales(page)
    page.goto(address, wait_until="load")
    if scroll:
        page.locator("beffroi-map").first.scroll_into_view_if_needed()
    if wait:
        page.locator(wait).first.wait_for(state="attached", timeout=15_000)
    page.wait_for_timeout(500)
    context.close()
    return scales.bytes


def test_citizen_page_weighs_at_most_14_kilobytes(chromium: Browser, town: Served) -> None:
    assert weigh(chromium, town.url, script=False) <= 14 * KILOBYTE


def test_river_page_with_its_picture_weighs_at_most_14_kilobytes(chromium: Browser, town: Served) -> None:
    assert weigh(chromium, town.url + "riviere/la-sarelle", script=False) <= 14 * KILOBYTE


def test_dashboard_weighs_at_most_60_kilobytes_before_its_map(chromium: Browser, town: Served) -> None:
    assert weigh(chromium, town.url + "services") <= 60 * KILOBYTE


def test_dashboard_with_its_map_weighs_at_most_220_kilobytes(chromium: Browser, town: Served) -> None:
    assert weigh(chromium, town.url, wait="beffroi-map[data-ready]", scroll=True) <= 220 * KILOBYTE
