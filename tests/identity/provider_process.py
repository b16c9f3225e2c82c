"""The OpenID Connect provider of the tests (`provider/server.js`), started for real, and a browser's way through it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest

FOLDER = Path(__file__).parent / "provider"


class Provider:
    """A provider on a free port of the loopback; `keys` are the names of its signing keys."""

    def __init__(
        self, port: int, client: dict[str, Any], accounts: dict[str, Any], keys: list[str], **more: Any
    ) -> None:
        self.port, self.client, self.accounts, self.more = port, client, accounts, more
        self.issuer = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[str] | None = None
        self.start(keys)

    def start(self, keys: list[str]) -> None:
        """Start, and wait until it listens."""
        node = shutil.which("node")
        if node is None:
            pytest.skip("Node is not installed")
        if not (FOLDER / "node_modules").is_dir():
            subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=FOLDER, check=True, timeout=300
            )
        given = {
            "port": self.port,
            "client": self.client,
            "accounts": self.accounts,
            "keys": keys,
            **self.more,
        }
        self.process = subprocess.Popen(
            [node, "server.js", json.dumps(given)], cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        """Stop; a provider started again has forgotten its sessions."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            assert self.process.stdout is not None
            self.process.stdout.close()


def walk(browser: httpx2.Client, url: str, account: str, stop: str) -> httpx2.Response:
    """Follow redirections as a browser does, sign in as `account` and consent on the provider's pages; return the first
    answer whose redirection leads to an address that begins with `stop` (not followed), or that leads nowhere."""
    answer = browser.get(url)
    for _ in range(20):
        place = answer.headers.get("location", "")
        if place:
            place = urljoin(str(answer.request.url), place)
            if place.startswith(stop):
                return answer
            answer = browser.get(place)
            continue
        form = re.search(r'<form[^>]*action="([^"]+)" method="post">(.*?)</form>', answer.text, re.DOTALL)
        if form is None:
            return answer
        fields = dict(re.findall(r'name="([a-z]+)" value="([^"]*)"', form.group(2)))
        if "login" in form.group(2):
            fields |= {"login": account, "password": "x"}
        answer = browser.post(urljoin(str(answer.request.url), form.group(1)), data=fields)
    raise AssertionError("the provider leads round and round")
