"""What a town's machine is given: units, an install script, TLS in front; each read or run by the program it is for."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from tests.conftest import free_port
from tests.faults.serving import Town, command

DEPLOY = Path(__file__).parents[2] / "deploy"


def needed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (see debian-packages.txt)")
    return found


def test_the_install_script_is_sound() -> None:
    done = subprocess.run(
        [needed("shellcheck"), str(DEPLOY / "install.sh")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_systemd_reads_the_units(tmp_path: Path) -> None:
    program = needed("systemd-analyze")
    for unit in DEPLOY.glob("beffroi*.[st]*"):  # with a program that is there, for it looks
        text = unit.read_text("utf-8").replace("/opt/beffroi/bin/beffroi", "/bin/true")
        (tmp_path / unit.name).write_text(text, "utf-8")
    units = sorted(str(p) for p in tmp_path.iterdir())
    assert len(units) == 5
    done = subprocess.run(
        [program, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    weighed = subprocess.run(
        [program, "security", "--offline=true", "--threshold=20", str(tmp_path / "beffroi.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert weighed.returncode == 0, weighed.stdout[-400:]  # exposure at most 2.0 of 10


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[tuple[str, ssl.SSLContext, Path]]:
    """Yield the address of a town behind Caddy, what trusts its internal authority, and the town."""
    program, port = needed("caddy"), free_port()
    data, address = tmp_path / "town", f"https://localhost:{port}"
    command("init", "--data", str(data), "--name", "Essai")
    settings = data / "beffroi.toml"
    settings.write_text(f'name = "Essai"\nbase_url = "{address}"\n', "utf-8")
    town = Town(data)
    environment = os.environ | {
        "BEFFROI_HOST": f"localhost:{port}", "BEFFROI_TLS": "internal", "BEFFROI_UPSTREAM": town.url.removeprefix("http://"),
        "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path),
    }  # fmt: skip
    recipe = tmp_path / "Caddyfile"
    # the public port 80 and the machine's list of authorities are not the test's to take
    recipe.write_text(
        (DEPLOY / "Caddyfile")
        .read_text("utf-8")
        .replace("\tadmin off\n", "\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n")
    )
    caddy = subprocess.Popen(
        [program, "run", "--config", str(recipe), "--adapter", "caddyfile"],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        root = tmp_path / "caddy/pki/authorities/local/root.crt"
        deadline = time.monotonic() + 30
        while True:
            try:
                trusting = ssl.create_default_context(cafile=str(root))
                with urllib.request.urlopen(f"{address}/health", timeout=5, context=trusting):
                    break
            except OSError:
                assert time.monotonic() < deadline, "caddy does not answer"
                time.sleep(0.1)
        yield address, trusting, data
    finally:
        caddy.terminate()
        caddy.wait()
        town.stop()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def test_caddy_ends_tls_and_the_town_knows_it(behind: tuple[str, ssl.SSLContext, Path]) -> None:
    address, trusting, data = behind
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusting), _Stay)

    def ask(path: str) -> tuple[int, Message, bytes]:
        try:
            with opener.open(address + path, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    status, headers, _ = ask("/")
    assert status == 200
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    with (
        pytest.raises(ssl.SSLCertVerificationError),
        socket.create_connection(("localhost", int(address.rpartition(":")[2]))) as raw,
    ):
        ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")
    things = json.loads(ask("/sensorthings/v1.1/Things")[2])
    assert things["value"] == []
    assert json.loads(ask("/sensorthings/v1.1")[2])["value"][0]["url"].startswith(address)
    link = json.loads(command("user", "link", "--data", str(data), "--json", "admin@localhost"))["sign_in"]
    status, headers, _ = ask(link)
    assert status in (302, 303)
    assert "Secure" in headers["Set-Cookie"]
