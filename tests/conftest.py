"""Fixtures of the whole suite: real stores on SQLite and on a PostgreSQL that is started for real."""

import contextlib
import gc
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest

from beffroi.settings import Settings, StoreSettings
from beffroi.store.open import Store

# A busy machine is no fault of the code: examples may take their time. A change is judged on the examples that judged the
# one before it; `make nightly` draws others ("search"), and what it finds becomes a test with a name.
_PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("house", _PATIENT, derandomize=True)
hypothesis.settings.register_profile("search", _PATIENT)
hypothesis.settings.load_profile("house")

gc.set_threshold(50_000, 20, 20)  # as a served town has it: a fifth of the suite went on walking what stays


def pytest_collection_finish() -> None:
    """Leave out of every later walk what was loaded to know the tests."""
    gc.collect()
    gc.freeze()


BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data; tests that need it are skipped, saying so, when it is absent."""
    folder = Path(os.environ.get("BEFFROI_SHARED", Path(__file__).parents[2] / "shared")).resolve()
    if not (folder / "data").is_dir():
        pytest.skip(f"the real data is absent: set BEFFROI_SHARED (looked in {folder})")
    return folder


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator["PostgresqlServer"]:
    """Start a private PostgreSQL cluster for the session."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql, postgresql-15-postgis-3)")
    server = PostgresqlServer(Path("/tmp") / f"beffroi-pg-{os.getpid()}")
    server.start(first=True)
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


def free_port() -> int:
    """Return a port of the loopback that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresqlServer:
    """A PostgreSQL cluster of the tests' own, on a free port of the loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._databases = 0

    def _run(self, *command: str) -> None:
        user = "postgres" if os.getuid() == 0 else None
        subprocess.run(command, check=True, user=user, capture_output=True, cwd="/tmp", timeout=120,
                       env={**os.environ, "LC_ALL": "C.UTF-8"})  # fmt: skip

    def start(self, *, first: bool = False) -> None:
        """Start the cluster (made at the first start) and wait until it answers."""
        if first:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            if os.getuid() == 0:
                owner = pwd.getpwnam("postgres")
                os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self._run(
                f"{BINARIES[0]}/initdb",
                "-D",
                f"{self.folder}/data",
                "-A",
                "trust",
                "-U",
                "postgres",
                "--no-sync",
            )
        for attempt in range(5):
            try:
                self._launch()
                return
            except subprocess.CalledProcessError:
                # another process took the port between our look and the start; a restart keeps its own
                if not first or attempt == 4:
                    raise
                self.port = free_port()

    def _launch(self) -> None:
        # no power is cut here, and what a killed process has written the kernel keeps: a sync would only cost time
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c max_connections=300 -c fsync=off"
        self._run(
            f"{BINARIES[0]}/pg_ctl",
            "-D",
            f"{self.folder}/data",
            "-o",
            options,
            "-w",
            "-l",
            f"{self.folder}/log",
            "start",
        )

    def stop(self, mode: str = "immediate") -> None:
        """Stop the cluster."""
        self._run(f"{BINARIES[0]}/pg_ctl", "-D", f"{self.folder}/data", "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """Kill every process of the cluster at once (-9), as the kernel would when memory runs out."""
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(postmaster)], capture_output=True, check=False
        )
        for pid in [postmaster, *map(int, listed.stdout.split())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{postmaster}").exists() and time.monotonic() < deadline:
            time.sleep(0.01)

    def database(self, *, opened: bool = False) -> str:
        """Make a fresh database and return its URL; `opened`: as a store leaves it that was opened there once."""
        self._databases += 1
        name = f"town_{self._databases}_{time.monotonic_ns()}"
        self._create(name, self._opened() if opened else self._bare())
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def _create(self, name: str, template: str) -> None:
        import psycopg

        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")

    @cache  # noqa: B019 -- one server a session
    def _bare(self) -> str:
        """Return the name of a database with PostGIS, to be copied: to make the extension takes most of a second."""
        import psycopg

        self._create("bare", "template1")
        with psycopg.connect(self._url("bare"), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        return "bare"

    @cache  # noqa: B019 -- one server a session
    def _opened(self) -> str:
        """Return the name of a database in which a store was opened."""
        self._create("opened", self._bare())
        with TemporaryDirectory() as folder:
            Store.open(Settings(data=Path(folder), store=StoreSettings(records=self._url("opened")))).close()
        return "opened"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Return the settings of an empty installation, on each kind of database."""
    opened = "store" in request.fixturenames
    url = (
        request.getfixturevalue("postgresql_server").database(opened=opened)
        if request.param == "postgresql"
        else ""
    )
    return Settings(data=tmp_path, name="Essai-les-Bains", store=StoreSettings(records=url))


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """Return an open, empty store, on each kind of database."""
    opened = Store.open(settings)
    yield opened
    opened.close()
