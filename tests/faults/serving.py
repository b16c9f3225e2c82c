"""A real `beffroi serve` in a process of its own, to be killed, starved and started again."""

import contextlib
import json
import signal
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.forked import Forked, beffroi, command_line


class Town:
    """A served town; `file_limit` bounds the size of every file it writes, as a full disk would."""

    def __init__(self, data: Path, *options: str, file_limit: int | None = None, mqtt_port: int = 0) -> None:
        self.process = Forked(
            command_line, "serve", "--data", str(data), "--port", "0", "--mqtt-port", str(mqtt_port), "--open-writes",
            "--json", *options, file_limit=file_limit,
        )  # fmt: skip
        self.url = json.loads(self.process.stdout.readline())["url"].rstrip("/")
        deadline = time.monotonic() + 20
        while self.call("/health")[0] == 0:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)

    def call(
        self, path: str, body: Any = None, *, method: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Return status and decoded body of a request; status 0 when nothing answered."""
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = urllib.request.Request(
            self.url + path, data=data, headers={"Content-Type": "application/json", **named}, method=method
        )
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        except (OSError, ValueError, HTTPException):
            return 0, None
        with contextlib.suppress(ValueError):
            return status, json.loads(text)
        return status, text.decode(errors="replace")

    def kill(self) -> None:
        """Kill every process of the server at once, as a power cut of the program would."""
        self.process.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self) -> None:
        """Stop the server as an administrator would."""
        self.process.signal(signal.SIGTERM)
        assert self.process.wait(timeout=20) in (0, -signal.SIGTERM)
        self.process.stdout.close()


def command(*arguments: str) -> str:
    """Run a command of Beffroi and return what it printed."""
    done = beffroi(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


THING = {
    "name": "Pont", "description": "Échelle du pont",
    "Locations": [{"name": "Pont", "description": "Pont", "encodingType": "application/geo+json",
                   "location": {"type": "Point", "coordinates": [-2.08, 47.65]}}],
    "Datastreams": [{
        "name": "Niveau", "description": "Hauteur d'eau",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "centimetre", "symbol": "cm", "definition": "ucum:cm"},
        "Sensor": {"name": "s", "description": "s", "encodingType": "text/plain", "metadata": "m"},
        "ObservedProperty": {"name": "Hauteur", "definition": "http://example.org/h", "description": "h"},
    }],
}  # fmt: skip
