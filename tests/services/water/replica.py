"""A local replica of Hub'Eau hydrométrie v2 and of Vigicrues, with their habits and the faults a test asks for.

Hub'Eau: pages by cursor with the status 206 until the last, at most 20,000 rows, one month of history, millimetres and
litres per second, site rows without a station code. Vigicrues: errors with the status 200, two shapes of observations.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from beffroi.model.instant import DAY_US, format_instant, parse_instant

MONTH_US = 30 * DAY_US
Fault = Callable[[BaseHTTPRequestHandler, bytes, int], None]


def observation(
    code: str | None, site: str, grandeur: str, at: str, value: float | None, **more: Any
) -> dict[str, Any]:
    """Return a row of `observations_tr`."""
    return {
        "code_site": site, "code_station": code, "grandeur_hydro": grandeur, "date_debut_serie": at, "date_fin_serie": at,
        "code_statut": 4, "libelle_statut": "Donnée brute", "code_systeme_alti_serie": 31, "date_obs": at, "resultat_obs": value,
        "code_methode_obs": 0, "libelle_methode_obs": "Mesurée", "code_qualification_obs": 16,
        "libelle_qualification_obs": "Non qualifiée", "continuite_obs_hydro": True, "longitude": 4.3, "latitude": 44.7, **more,
    }  # fmt: skip


def station(code: str, name: str, **more: Any) -> dict[str, Any]:
    """Return an entry of `referentiel/stations`."""
    return {
        "code_site": code[:8], "libelle_site": f"Site {name}", "code_station": code, "libelle_station": name,
        "longitude_station": 4.3, "latitude_station": 44.7, "altitude_ref_alti_station": None, "code_systeme_alti_site": 31,
        "code_commune_station": "07156", "libelle_commune": "Meyras", "libelle_cours_eau": "l'Ardèche", "en_service": True, **more,
    }  # fmt: skip


class Replica:
    """Both servers on one port. `faults` are taken by the next requests, one each; None is a request without."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.stations: list[dict[str, Any]] = []
        self.observed: list[dict[str, Any]] = []
        self.elaborated: list[dict[str, Any]] = []
        self.vigicrues: dict[tuple[str, ...], Any] = {}
        self.faults: list[Fault | None] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        replica = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                replica.asked.append((parts.path, query))
                body, status = replica.answer(parts.path, query)
                fault = replica.faults.pop(0) if replica.faults else None
                (fault or reply)(self, body, status)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        """Stop."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, path: str, query: dict[str, str]) -> tuple[bytes, int]:
        """Return the body and the status that the State's server would give."""
        if path.startswith("/vigicrues/"):
            return self._vigicrues(path.removeprefix("/vigicrues/"), query)
        if path.startswith("/api/v1/"):
            return b'{"message": "version closed"}', 403
        return self._hubeau(path.removeprefix("/api/v2/hydrometrie/"), query)

    def _hubeau(self, path: str, query: dict[str, str]) -> tuple[bytes, int]:
        size = int(query.get("size", "1000"))
        if size > 20_000:
            return b'{"code": "ValidatePageSize", "message": "size"}', 400
        if path == "referentiel/stations":
            codes = query.get("code_station", "").split(",")
            towns = query.get("code_commune_station", "").split(",")
            rows = [
                s for s in self.stations if s["code_station"] in codes or s["code_commune_station"] in towns
            ]
            return self._page(path, query, sorted(rows, key=lambda r: r["code_station"]), size, "page")
        codes = query["code_entite"].split(",")
        if path == "observations_tr":
            since = max(parse_instant(query.get("date_debut_obs", "1900-01-01")), self.now() - MONTH_US)
            rows = [r for r in self.observed if (r["code_station"] in codes or r["code_site"] in codes or r["code_site"] in [c[:8] for c in codes if r["code_station"] is None])
                    and parse_instant(r["date_obs"]) >= since]  # fmt: skip
            rows.sort(key=lambda r: r["date_obs"], reverse=query.get("sort", "desc") == "desc")
            return self._page(path, query, rows, size, "cursor")
        since = query.get("date_debut_obs_elab", "1900-01-01")
        rows = [r for r in self.elaborated if r["code_station"] in codes and r["grandeur_hydro_elab"] == query["grandeur_hydro_elab"]
                and r["date_obs_elab"] >= since]  # fmt: skip
        return self._page(path, query, sorted(rows, key=lambda r: r["date_obs_elab"]), size, "page")

    def _page(
        self, path: str, query: dict[str, str], rows: list[Any], size: int, way: str
    ) -> tuple[bytes, int]:
        mark = query.get(way, "")
        start = (int(mark, 36) if way == "cursor" else (int(mark) - 1) * size) if mark else 0
        end = start + size
        following = ""
        if end < len(rows):
            step = _base36(end) if way == "cursor" else str(end // size + 1)
            following = f"{self.url}/api/v2/hydrometrie/{path}?{urlencode({**query, way: step})}"
        told = {"count": len(rows), "first": self.url, "prev": None, "next": following or None, "api_version": "2.0.1", "data": rows[start:end]}  # fmt: skip
        return json.dumps(told).encode(), 206 if following else 200

    def _vigicrues(self, path: str, query: dict[str, str]) -> tuple[bytes, int]:
        key = (path, *(query[name] for name in ("CdStationHydro", "GrdSerie", "GrdSimul") if name in query))
        told = self.vigicrues.get(key, {"error_msg": "Aucune donnée pour cette station"})
        return json.dumps(told).encode(), 200


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    out = ""
    while number:
        number, rest = divmod(number, 36)
        out = digits[rest] + out
    return out or "0"


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int) -> None:
    """Answer as it should be."""
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def failing(status: int) -> Fault:
    """Return the fault of a server that answers `status`."""
    return lambda handler, _body, _status: reply(handler, b'{"message": "oops"}', status)


def cut_short(handler: BaseHTTPRequestHandler, body: bytes, status: int) -> None:
    """Announce the whole and send half."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])


def half_json(handler: BaseHTTPRequestHandler, body: bytes, status: int) -> None:
    """Send half of the JSON as if it were all."""
    reply(handler, body[: len(body) // 2], status)


def maintenance(handler: BaseHTTPRequestHandler, _body: bytes, _status: int) -> None:
    """Send a page for people, with the status 200."""
    reply(handler, b"<html>maintenance</html>", 200)


def turning(handler: BaseHTTPRequestHandler, body: bytes, status: int) -> None:
    """Give the page itself as the next one, for ever."""
    told = json.loads(body)
    host = handler.headers["Host"]
    told["next"] = f"http://{host}{handler.path}"
    reply(handler, json.dumps(told).encode(), status)


def elsewhere(handler: BaseHTTPRequestHandler, body: bytes, status: int) -> None:
    """Lead to another host."""
    told = json.loads(body)
    told["next"] = "http://elsewhere.example/api"
    reply(handler, json.dumps(told).encode(), status)


def at(now_us: int, minutes: int) -> str:
    """Return the time `minutes` before now as Hub'Eau writes it."""
    return format_instant(now_us - minutes * 60_000_000)
