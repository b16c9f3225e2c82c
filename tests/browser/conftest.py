"""A demonstration town served for real, and Chromium to read it."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
# no request of the browser's own; drawing without a graphics card; root may run it
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--font-render-hinting=none",
]  # fmt: skip


class Served(msgspec.Struct, frozen=True):
    """A town that answers at `url`; `sign_in` is the administrator's link, good for one use."""

    url: str
    data: Path

    def sign_in(self) -> str:
        """Return a fresh sign-in link for the administrator."""
        people = json.loads(beffroi("user", "list", "--data", str(self.data), "--json"))
        email = next(p["email"] for p in people if p["role"] == "admin")
        link = json.loads(beffroi("user", "link", email, "--data", str(self.data), "--json"))["sign_in"]
        return self.url.rstrip("/") + link


def beffroi(*words: str) -> str:
    """Run a command of the product and return what it printed."""
    command = [sys.executable, "-m", "beffroi", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def serving(data: Path) -> Iterator[Served]:
    """Serve the town in `data` on a free port."""
    command = [
        sys.executable,
        "-m",
        "beffroi",
        "serve",
        "--data",
        str(data),
        "--port",
        "0",
        "--mqtt-port",
        "0",
        "--json",
    ]
    log = (data / "serve.log").open("w", encoding="utf-8")
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line, (data / "serve.log").read_text("utf-8")
        yield Served(json.loads(line)["url"], data)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
        if server.stdout is not None:
            server.stdout.close()
        log.close()


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a demonstration town of three days; the workers of one run build it once and each serve a copy."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demonstration"
    shared.mkdir(exist_ok=True)
    with (shared / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            beffroi("demo", "--data", str(shared / "town"), "--days", "3", "--seed", "7")
            (shared / "done").touch()
    data = tmp_path_factory.mktemp("served") / "town"
    shutil.copytree(shared / "town", data)
    with serving(data) as served:
        yield served


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Drive browsers; for one module, since the driver keeps an event loop running in this thread."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Start Debian's Chromium; skipped, saying so, when it is absent."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed (Debian: chromium)")
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def administrator(chromium: Browser, town: Served) -> Path:
    """Return the cookies of a signed-in administrator, in a file that contexts start from."""
    state = town.data.parent / f"administrator-{os.getpid()}.json"
    context = chromium.new_context()
    page = context.new_page()
    page.goto(town.sign_in())
    if page.locator("form button[type=submit]").count():
        page.locator("main form button[type=submit]").first.click()
    context.storage_state(path=state)
    context.close()
    return state


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[BrowserContext]:
    """Return a browser of someone without an account."""
    context = chromium.new_context(locale="fr-FR")
    yield context
    context.close()
