"""TALQ in front of people: a gateway made of the consortium's OpenAPI files, a served demonstration town, two people in Chromium.

    python -m bench.talq TOWN TALQ_FOLDER [--shots DIR]

The gateway calls before it is declared, is declared on its form, announces lamps of the town's own stock, is sent programs and
calendars with a button; an agent asks for an override, a manager confirms it, the lamps obey; logs, a lamp that fails, twelve
broken bodies; too many orders; the end of an order; a gateway that is gone. Every body is checked by the schemas, both ways.
Prints one line of JSON. The town is written to: give a copy.
"""

import argparse
import json
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from tests.browser.conftest import CHROMIUM, OPTIONS, Served, beffroi, serving
from tests.services.lighting.talq_gateway import Gateway
from tests.services.lighting.test_talq import (
    BROKEN,
    CLASS,
    FAILURE,
    LAMP_TYPE,
    LAMPS,
    POWER,
    SERVICES,
    device,
)

LIGHTING = "/services/lighting"
ADMIN = "c.vasseur@brevigny.example.org"
AGENT, MANAGER = "b.marchand@brevigny.example.org", "y.legoff@brevigny.example.org"


class Stage:
    """A served town, a gateway and two people, each with a page."""

    def __init__(self, served: Served, gateway: Gateway, browser: Any, shots: Path | None) -> None:
        self.served, self.gateway, self.shots = served, gateway, shots
        self.url = served.url.rstrip("/")
        self.browser = browser
        self.agent, self.manager = self.page(AGENT), self.page(MANAGER)
        self.seen: list[str] = []
        self.said: dict[str, int] = {}

    def page(self, email: str) -> Page:
        """Sign a person in."""
        page: Page = self.browser.new_context(viewport={"width": 1366, "height": 900}).new_page()
        page.set_default_timeout(25_000)
        told = json.loads(beffroi("user", "link", email, "--data", str(self.served.data), "--json"))
        page.goto(self.url + told["sign_in"])
        if page.locator("main form button[type=submit]").count():
            page.locator("main form button[type=submit]").first.click()
        return page

    def shot(self, page: Page, name: str) -> None:
        """Look at a page in both languages, wide and narrow."""
        self.seen.append(name)
        if self.shots is None:
            return
        here = page.url.partition("#")[0]
        mark = "&" if "?" in here else "?"
        for width in (1366, 360):
            page.set_viewport_size({"width": width, "height": 900})
            for language in ("fr", "en"):
                page.goto(f"{here}{mark}lang={language}")
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, (name, language, width, wide)
                page.screenshot(path=self.shots / f"{name}-{language}-{width}.png", full_page=True)
        page.set_viewport_size({"width": 1366, "height": 900})
        page.goto(f"{here}{mark}lang=fr")

    def say(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Let the gateway call, and count how it was answered."""
        status, answer = self.gateway.say(method, path, body)
        self.said[str(status)] = self.said.get(str(status), 0) + 1
        return status, answer


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "too late"
        time.sleep(0.2)


def stock(page: Page, url: str) -> list[str]:
    """Return the codes of three lamps of a cabinet that follows a calendar."""
    page.goto(f"{url}{LIGHTING}/apercu")
    page.get_by_role("link", name="AR14").first.click()
    return re.findall(r">(PL\d+)</a>", page.content())[-3:]


def declare(stage: Stage) -> int:
    """Let the gateway call too early, and the manager declare it; return its number."""
    status, _ = stage.say("POST", "/services", SERVICES)
    assert status == 403
    stage.manager.goto(f"{stage.url}{LIGHTING}/ordres?lang=fr")
    assert stage.gateway.address in stage.manager.content()
    stage.shot(stage.manager, "undeclared")
    stage.manager.goto(f"{stage.url}/donnees/talq_gateway/nouveau")
    for name, value in (
        ("address", stage.gateway.address),
        ("name", "Val-Lumière"),
        ("url", stage.gateway.url),
    ):
        stage.manager.fill(f"[name={name}]", value)
    stage.manager.locator("main form button").first.click()
    return int(stage.manager.url.rpartition("/")[2])


def announce(stage: Stage, codes: list[str]) -> None:
    """Announce everything."""
    lamps = dict(zip(LAMPS, codes, strict=True))
    devices = [device(n) for n in LAMPS]
    for one in devices:
        code = lamps[one["name"].removeprefix("Luminaire ")]
        one["functions"][0]["assetId"]["value"] = code
    stranger = {**device("L1"), "address": str(uuid.uuid4()), "name": "Sans fiche"}
    stranger["functions"] = stranger["functions"][1:]
    for path, body in (
        ("/services", SERVICES),
        ("/device-classes", [CLASS]),
        ("/lamp-types", [LAMP_TYPE]),
        ("/devices", [*devices, stranger]),
    ):
        status, answer = stage.say("POST", path, body)
        assert status == 201, answer


def order(stage: Stage, title: str, level: int, minutes: int, count: int = 3) -> str:
    """Let the agent ask; return the address of the order, or of the form that refuses."""
    page = stage.agent
    page.goto(f"{stage.url}{LIGHTING}/ordres?lang=fr")
    for name, value in (("title", title), ("level", str(level)), ("minutes", str(minutes))):
        page.fill(f"[name={name}]", value)
    boxes = page.locator("label:has-text('Luminaire')")
    for n in range(count):
        boxes.nth(n).click()
    page.get_by_role("button", name="Demander").click()
    return page.url


def override(stage: Stage) -> None:
    """Ask, look, confirm, obey."""
    place = order(stage, "Vent fort", 30, 60)
    assert "Confirmer et envoyer" not in stage.agent.content()
    stage.shot(stage.agent, "asked")
    assert not any(path == "/override-commands" for _, path, _ in stage.gateway.heard)
    stage.manager.goto(place)
    stage.shot(stage.manager, "to-confirm")
    stage.manager.get_by_role("button", name="Confirmer et envoyer").click()
    body = stage.gateway.wait_for("/override-commands")
    assert len(body["addresses"]) == 3
    assert stage.say("PATCH", "/devices", [device(n, 30) for n in LAMPS])[0] == 200

    def obeyed() -> bool:
        stage.manager.goto(f"{place}?lang=fr")
        return stage.manager.content().count("exécutée") == 3

    until(obeyed)
    stage.shot(stage.manager, "obeyed")


def tell(stage: Stage) -> int:
    """Let the gateway report, fail, and say wrong things; return how many of these were refused with their place."""
    for body in (POWER, POWER, FAILURE):
        assert stage.say("POST", "/log-reports", body)[0] == 201
    refused = 0
    for method, path, body, pointer in BROKEN:
        status, answer = stage.say(method, path, body)
        refused += status == 400 and answer[0]["references"][0]["address"]["address"] == pointer
    return refused


def too_many(stage: Stage) -> None:
    """Ask until it is too much."""
    for n in range(12):
        order(stage, f"Essai {n}", 50, 30, 1)
        if (
            "Au plus 12 ordres par heure et par personne."
            in stage.agent.locator("#errors").all_inner_texts().__str__()
        ):
            break
    else:
        raise AssertionError("thirteen orders were taken")
    assert stage.agent.locator("#errors").count() == 1


def ends(stage: Stage) -> None:
    """Let the manager ask for a minute, the administrator confirm; wait for the watchdog."""
    heard = sum(path == "/override-commands" for _, path, _ in stage.gateway.heard)
    page, stage.agent = stage.agent, stage.manager
    place = order(stage, "Une minute", 80, 1, 2)
    stage.agent = page
    admin = stage.page(ADMIN)
    admin.goto(place)
    admin.get_by_role("button", name="Confirmer et envoyer").click()
    assert "targetCommand" in stage.gateway.wait_for("/override-commands", heard + 1)
    assert "targetCommand" not in stage.gateway.wait_for("/override-commands", heard + 2, 90)
    until(lambda: "Rendu au programme" in _content(admin, place))
    stage.shot(admin, "given-back")
    admin.context.close()


def _content(page: Page, place: str) -> str:
    page.goto(f"{place}?lang=fr")
    return page.content()


def gone(stage: Stage, number: int) -> None:
    """Let the gateway stop listening: sending says so, and where to look."""
    stage.gateway.close()
    stage.manager.goto(f"{stage.url}{LIGHTING}/passerelles/{number}?lang=fr")
    stage.manager.get_by_role("button", name="Envoyer programmes et calendriers").click()
    assert "ne répond pas" in stage.manager.content()
    stage.manager.goto(f"{stage.url}{LIGHTING}/passerelles/{number}?lang=fr")
    stage.shot(stage.manager, "gone")


def play(stage: Stage) -> dict[str, Any]:
    """Play the whole sequence."""
    number = declare(stage)
    announce(stage, stock(stage.manager, stage.url))
    page, place = stage.manager, f"{stage.url}{LIGHTING}/passerelles/{number}?lang=fr"
    page.goto(place)
    page.get_by_role("button", name="Envoyer programmes et calendriers").click()
    told = [path for _, path, _ in stage.gateway.heard]
    assert told == ["/control-programs", "/calendars", "/assign-commands", "/logger-configs"], told
    page.goto(place)
    page.get_by_role("button", name="Envoyer programmes et calendriers").click()  # again: put anew
    override(stage)
    refused = tell(stage)
    page.goto(place)
    stage.shot(page, "gateway")
    page.get_by_role("link", name="Ouvrir").first.click()
    stage.shot(page, "lamp")
    too_many(stage)
    stage.shot(stage.agent, "orders")
    ends(stage)
    gone(stage, number)
    return {
        "heard": len(stage.gateway.heard), "paths": sorted({p for _, p, _ in stage.gateway.heard}), "said": stage.said, "broken": len(BROKEN),
        "refused_with_their_place": refused, "faults": stage.gateway.faults, "pages": stage.seen,
    }  # fmt: skip


def main() -> None:
    """Play it on a town."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("town", type=Path)
    parser.add_argument("talq", type=Path)
    parser.add_argument("--shots", type=Path)
    given = parser.parse_args()
    if given.shots:
        given.shots.mkdir(parents=True, exist_ok=True)
    made = json.loads(
        beffroi(
            "token",
            "create",
            "--role",
            "device",
            "--service",
            "lighting",
            "--data",
            str(given.town),
            "--json",
        )
    )
    with serving(given.town) as served, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        gateway = Gateway(given.talq, f"{served.url.rstrip('/')}/talq/v2", made["token"])
        print(json.dumps(play(Stage(served, gateway, browser, given.shots)), ensure_ascii=False))
        browser.close()


if __name__ == "__main__":
    main()
