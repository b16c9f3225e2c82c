"""`beffroi serve`: the running town."""

import ipaddress
import os
import socket
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from beffroi import logs
from beffroi.cli import Data, Json, say, tell
from beffroi.model.problem import Problem
from beffroi.model.text import Text

if TYPE_CHECKING:
    import uvicorn

    from beffroi.town import Town

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""

    @app.command("serve", help=say("Faire tourner la ville.", "Run the town."))
    def serve(
        data: Data,
        host: Annotated[
            str, typer.Option(help=say("Adresse d'écoute.", "Address to listen on."))
        ] = "127.0.0.1",
        port: Annotated[int, typer.Option(help=say("Port HTTP.", "HTTP port."))] = 8080,
        workers: Annotated[int, typer.Option(min=1, help=say("Processus web.", "Web processes."))] = 1,
        mqtt_port: Annotated[
            int, typer.Option(help=say("Port MQTT, 0 pour aucun.", "MQTT port, 0 for none."))
        ] = 1883,
        open_writes: Annotated[
            bool,
            typer.Option(
                "--open-writes",
                help=say(
                    "Écrire sans clé (boucle locale seulement).", "Write without a key (loopback only)."
                ),
            ),
        ] = False,
        log: Annotated[
            Literal["text", "json"],
            typer.Option(help=say("Forme du journal technique.", "Form of the technical log.")),
        ] = "text",
        as_json: Json = False,
    ) -> None:
        if open_writes and not _loopback(host):
            raise Problem(
                Text("--open-writes n'est permis que sur la boucle locale.", "--open-writes is allowed on the loopback only."),
                Text("Ajoutez --host 127.0.0.1, ou créez une clé : beffroi token create --role device.",
                     "Add --host 127.0.0.1, or create a key: beffroi token create --role device."),
                place="--open-writes",
            )  # fmt: skip
        from beffroi.identity.sign_in import admin_link
        from beffroi.town import open_town

        town = open_town(data)
        listening = _listen(host, port)
        bound = listening.getsockname()[1]
        address = f"http://{f'[{host}]' if ':' in host else host}:{bound}/"
        report = {"url": address, "name": town.name, "workers": workers, "sign_in": ""}
        link = admin_link(town.store)
        if link is not None:
            report["sign_in"] = address.rstrip("/") + link
        tell(report, as_json=as_json, words=_welcome(report))
        sys.stdout.flush()
        os.environ["BEFFROI_DATA"] = str(data.resolve())
        os.environ["BEFFROI_MQTT"] = f"{host}:{mqtt_port}"
        os.environ["BEFFROI_ADDRESS"] = address
        os.environ["BEFFROI_OPEN_WRITES"] = "1" if open_writes else "0"
        if log == "json":
            os.environ[logs.FORM] = "json"
        logs.begin()
        _run(town, listening, workers)


def _run(town: "Town", listening: socket.socket, workers: int) -> None:
    import uvicorn

    # With the plain asyncio loop, several workers add 44 ms to every keep-alive answer: uvloop, always.
    options: dict[str, Any] = {
        "loop": "uvloop", "http": "httptools", "log_level": "warning", "access_log": False, "lifespan": "on",
        "log_config": None, "forwarded_allow_ips": list(town.settings.trusted_proxies), "server_header": False, "date_header": True, "timeout_graceful_shutdown": 3, "backlog": 2048,
        "timeout_worker_healthcheck": 30,  # a process that is only busy on a busy machine is not taken for one that hangs
    }  # fmt: skip
    if workers == 1:
        from beffroi.app import from_environment

        server = uvicorn.Server(uvicorn.Config(from_environment(town), **options))
        server.run(sockets=[listening])
        return
    from beffroi.web.kit.page import pages_for

    pages_for(town)  # its templates and words are read once, and shared
    town.close()
    _fork(uvicorn.Config("beffroi.app:from_environment", factory=True, workers=workers, **options), listening)


def _fork(config: "uvicorn.Config", listening: socket.socket) -> None:
    """Serve with several processes, forked from this one once all is loaded: they start together, and share it.

    One that dies later is replaced by a process made from nothing, as uvicorn does.
    """
    import gc
    import importlib
    import multiprocessing

    from uvicorn.supervisors.multiprocess import Multiprocess, Process

    from beffroi.app import FACES

    class Forked(Process):
        def __init__(self, config: "uvicorn.Config", sockets: list[socket.socket]) -> None:
            self.config, self._server = config, None
            self.parent_conn, self.child_conn = multiprocessing.Pipe()
            forked = multiprocessing.get_context("fork").Process(target=self.target, args=(sockets,))
            self.process = forked  # type: ignore[assignment]

    class Forking(Multiprocess):
        def init_processes(self) -> None:
            for _ in range(self.processes_num):
                process = Forked(self.config, self.sockets)
                process.start()
                self.processes.append(process)

    for face in FACES:
        importlib.import_module(face)
    gc.collect()
    gc.freeze()  # what is loaded is never looked at again: its pages stay shared
    Forking(config, sockets=[listening]).run()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, OverflowError) as error:
        listening.close()
        raise Problem(
            Text("Le port {port} de {host} n'est pas libre : {detail}", "Port {port} of {host} is not free: {detail}")
            .filled(port=port, host=host, detail=getattr(error, "strerror", None) or error),
            Text("Choisissez-en un autre avec --port, ou arrêtez ce qui l'occupe.",
                 "Choose another with --port, or stop what holds it."),
            place="--port", status=503,
        ) from error  # fmt: skip
    listening.set_inheritable(True)
    return listening


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _welcome(report: dict[str, Any]) -> str:
    lines = [
        say("{name} est en ligne : {url}", "{name} is online: {url}", **report),
        say("Connexion de l'administrateur (une seule fois) : {sign_in}",
            "Administrator's sign-in (once only): {sign_in}", **report) if report["sign_in"] else "",
        say("Pour arrêter : Ctrl+C", "To stop: Ctrl+C"),
    ]  # fmt: skip
    return "\n".join(line for line in lines if line)
