"""The command line as scripts use it: output, exit codes, languages, beside a running town."""

import io
import json
import os
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.towns import town_at

from beffroi.cli import main

ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "100", "NO_COLOR": "1"}


class Answer(NamedTuple):
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A French terminal, wide enough, without a town of its own."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in ("BEFFROI_DATA", "BEFFROI_LANG"):
        monkeypatch.delenv(name, raising=False)


def beffroi(*words: str, code: int = 0) -> Answer:
    """Run a command in this process (a new process costs a second)."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["beffroi", *words])
        with pytest.raises(SystemExit) as ended:
            main()
    assert (ended.value.code or 0) == code, out.getvalue() + err.getvalue()
    return Answer(out.getvalue(), err.getvalue())


def process(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a script does."""
    return subprocess.run(
        [sys.executable, "-m", "beffroi", *words], check=False, capture_output=True, text=True, timeout=120,
        env={**ENVIRONMENT, **environment},
    )  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "ma ville"
    beffroi("init", "--data", str(folder), "--name", 'Saint-Ély "la Belle"')
    return folder


def test_init_makes_a_town_and_refuses_a_second(data: Path) -> None:
    assert 'name = "Saint-Ély \\"la Belle\\""' in (data / "beffroi.toml").read_text("utf-8")
    for secret in ("secret.key", "audit.key"):
        assert (data / secret).stat().st_mode & 0o777 == 0o600
    again = beffroi("init", "--data", str(data), "--name", "X", code=2)
    assert "Il y a déjà une ville" in again.stderr
    assert again.stdout == ""


def test_init_speaks_json_and_names_a_territory(tmp_path: Path) -> None:
    done = beffroi("init", "--data", str(tmp_path / "t"), "--name", "Redon", "--insee", "35236", "--json")
    report = json.loads(done.stdout)
    assert report["name"] == "Redon"
    assert report["sign_in"].startswith("/connexion/lien/")
    beffroi("token", "create", "--data", str(tmp_path / "t"), "--role", "agent", "--territory", "35236")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 200])
def test_init_refuses_a_wrong_name_and_leaves_no_town(tmp_path: Path, name: str) -> None:
    beffroi("init", "--data", str(tmp_path / "t"), "--name", name, code=2)
    assert not (tmp_path / "t" / "beffroi.toml").exists()


@pytest.mark.parametrize(
    "words",
    [
        [], ["--nope"], ["nope"], ["init"], ["token", "create"], ["token", "create", "--data", "/nonexistent", "--role", "device"],
        ["serve", "--data", "/nonexistent"], ["verify", "--data", "/nonexistent", "--json"],
    ],
)  # fmt: skip
def test_misuse_exits_2(words: list[str]) -> None:
    beffroi(*words, code=2)


MISUSES = [
    (["nope"], "La commande « nope » n'existe pas.", "There is no command 'nope'.", ""),
    (["works", "deadlin"], "La commande « deadlin » n'existe pas. Peut-être « deadline » ?", "There is no command 'deadlin'. Perhaps 'deadline'?", ""),
    (["verify", "--nope"], "L'option --nope n'existe pas.", "There is no option --nope.", "--nope"),
    (["leaks", "close", "setup.cfg"], "« setup.cfg » n'existe pas.", "'setup.cfg' does not exist.", "INP"),
    (["works", "deadline", "dt", "24/03/2027"], "« 24/03/2027 » n'est pas un jour : écrivez 2026-06-01.", "'24/03/2027' is not a day: write 2026-06-01.", "DATE"),
    (["works", "deadline"], "Un argument nécessaire manque.", "A needed argument is missing.", "KIND"),
    (["works", "deadline", "dt", "2027-03-24", "more"], "« more » est de trop.", "'more' is one too many.", ""),
    (["waste", "worth", "--rounds", "4"], "Il faut 3 au plus.", "At most 3 is needed.", "--rounds"),
    (["waste", "worth", "--rounds", "x"], "Il faut un nombre entier.", "A whole number is needed.", "--rounds"),
    (["init", "--data"], "L'option « --data » demande une valeur.", "The option '--data' needs a value.", "--data"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "french", "english", "place"), MISUSES)
def test_misuse_is_told_in_the_terminal_s_language_with_its_place(
    words: list[str], french: str, english: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for language, said in (("fr", french), ("en", english)):
        monkeypatch.setenv("BEFFROI_LANG", language)
        told = beffroi(*words, code=2).stderr
        assert told.splitlines()[0] == f"beffroi: {said}" + (f" ({place})" if place else "")
        assert "--help" in told.splitlines()[1]
        if words[-1] != "--data":  # which would take "--json" as its value
            as_json = json.loads(beffroi(*words, "--json", code=2).stderr)
            assert (as_json["reason"], as_json["place"]) == (said, place)


def test_the_legal_clock_knows_where_a_commune_is() -> None:
    asked = ("works", "deadline", "joint", "2027-03-17")
    days = [
        json.loads(beffroi(*asked, "--region", r, "--json").stdout)["deadline"]
        for r in ("67482", "75", "2A004")
    ]
    assert days == ["2027-03-30", "2027-03-26", "2027-03-26"]  # Good Friday, 26 March, in Alsace
    assert "n'est ni une commune" in beffroi(*asked, "--region", "GP", code=2).stderr


def test_a_file_that_cannot_be_written_is_told_by_its_path(tmp_path: Path) -> None:
    town, target = town_at(tmp_path / "town"), tmp_path / "no" / "network.gpkg"
    told = beffroi("leaks", "stareau", "--out", str(target), "--data", str(town), code=1).stderr
    assert told.startswith(f"beffroi: Ce fichier ou ce dossier n'existe pas. ({target}.part)\n")


def test_every_command_has_help() -> None:
    asked = [["--help"]]
    seen: list[tuple[list[str], str]] = []
    while asked:
        words = asked.pop()
        text = beffroi(*words).stdout
        seen.append((words, text))
        if "COMMAND" in text.split("╭")[0]:
            rows = text.split("Commands")[-1].splitlines()
            names = [line.split()[1] for line in rows if line.startswith("│ ") and line[2] != " "]
            asked += [[*words[:-1], name, "--help"] for name in names]
    commands = {" ".join(words[:-1]) for words, _ in seen}
    assert {
        "init",
        "serve",
        "verify",
        "token create",
        "token list",
        "token revoke",
        "user add",
        "user link",
    } <= commands
    for words, text in seen:
        assert words[:-1] == [] or "COMMAND" in text.split("╭")[0] or "--json" in text or len(words) == 2


def test_version_and_language() -> None:
    assert beffroi("--version").stdout.startswith("beffroi 0.")
    assert "Crée une ville" in process("--help").stdout
    assert "Create a town" in process("--help", LC_ALL="en_GB.UTF-8").stdout
    missing = process("token", "list", "--data", "/nonexistent", BEFFROI_LANG="en")
    assert missing.returncode == 2
    assert missing.stdout == ""
    assert missing.stderr.startswith("beffroi: There is no town in '/nonexistent'.\n")


def test_data_defaults_to_the_environment(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEFFROI_DATA", str(data))
    secret = beffroi("token", "create", "--role", "device").stdout
    assert secret.startswith("beffroi_")
    assert secret.count("\n") == 1  # KEY=$(beffroi token create …)


def test_an_unforeseen_failure_is_one_line_and_exit_1(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "audit.key").write_bytes(b"short")
    said = beffroi("token", "create", "--data", str(data), "--role", "device", code=1).stderr
    assert said.startswith("beffroi: ValueError: ")
    assert "BEFFROI_DEBUG=1" in said
    assert "Traceback" not in said


def test_keys_from_creation_to_revocation(data: Path) -> None:
    made = json.loads(
        beffroi("token", "create", "--data", str(data), "--role", "supplier", "--service", "water", "--name", "Éclairage",
                "--days", "30", "--json").stdout
    )  # fmt: skip
    assert made["role"] == "supplier"
    listed = json.loads(beffroi("token", "list", "--data", str(data), "--json").stdout)
    assert [(k["id"], k["service"], k["revoked"]) for k in listed] == [(made["id"], "water", None)]
    assert made["token"] not in json.dumps(listed)
    beffroi("token", "revoke", str(made["id"]), "--data", str(data))
    assert json.loads(beffroi("token", "list", "--data", str(data), "--json").stdout)[0]["revoked"]
    for wrong in (
        ["--role", "king"],
        ["--role", "supplier"],
        ["--role", "device", "--days", "0"],
        ["--role", "device", "--territory", "1"],
    ):
        refused = beffroi("token", "create", "--data", str(data), *wrong, "--json", code=2)
        assert set(json.loads(refused.stderr)) == {"reason", "mend", "place"}
    beffroi("token", "revoke", "99", "--data", str(data), code=2)


def test_people_from_the_command_line(data: Path) -> None:
    added = json.loads(
        beffroi(
            "user", "add", "nour@x.fr", "--data", str(data), "--name", "Nour", "--role", "agent", "--json"
        ).stdout
    )
    assert added["sign_in"].startswith("/connexion/lien/")
    assert beffroi("user", "link", "NOUR@x.fr", "--data", str(data)).stdout.startswith("/connexion/lien/")
    beffroi("user", "disable", "nour@x.fr", "--data", str(data))
    people = json.loads(beffroi("user", "list", "--data", str(data), "--json").stdout)
    assert {p["email"]: p["disabled"] for p in people} == {"admin@localhost": False, "nour@x.fr": True}
    beffroi("user", "link", "nour@x.fr", "--data", str(data), code=2)
    beffroi("user", "enable", "nour@x.fr", "--data", str(data))
    beffroi("user", "disable", "admin@localhost", "--data", str(data), code=2)
    beffroi(
        "user", "add", "nour@x.fr", "--data", str(data), "--name", "N", "--role", "agent", code=1
    )  # a conflict


def test_verify_finds_a_single_altered_line(data: Path) -> None:
    for _ in range(3):
        beffroi("token", "create", "--data", str(data), "--role", "device")
    whole = json.loads(beffroi("verify", "--data", str(data), "--json").stdout)
    assert whole["ok"] is True
    assert whole["checks"]["audit"] == {"read": 5, "faults": []}
    with sqlite3.connect(data / "records.db") as connection:
        connection.execute(
            "UPDATE audit SET action = 'key.created' WHERE action = 'key.create' AND rowid = (SELECT max(rowid) FROM audit)"
        )
    connection.close()
    altered = json.loads(beffroi("verify", "--data", str(data), "--json", code=1).stdout)
    assert altered["ok"] is False
    assert len(altered["checks"]["audit"]["faults"]) == 1
    assert "a été modifiée" in beffroi("verify", "--data", str(data), code=1).stdout


def test_verify_says_when_the_database_is_damaged(data: Path) -> None:
    file = data / "records.db"
    body = bytearray(file.read_bytes())
    for place in range(4096, len(body), 512):
        body[place : place + 64] = b"\xff" * 64
    file.write_bytes(body)
    for leftover in ("records.db-wal", "records.db-shm"):
        (data / leftover).unlink(missing_ok=True)
    beffroi("verify", "--data", str(data), code=1)


def test_commands_work_beside_a_running_town(data: Path) -> None:
    serving = subprocess.Popen(
        [sys.executable, "-m", "beffroi", "serve", "--data", str(data), "--port", "0", "--mqtt-port", "0", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    try:
        assert serving.stdout is not None
        report = json.loads(serving.stdout.readline())
        url = report["url"]

        def status(secret: str) -> int:
            asked = urllib.request.Request(
                url + "health", headers={"Authorization": f"Bearer {secret}"} if secret else {}
            )
            try:
                with urllib.request.urlopen(asked, timeout=20) as answer:
                    return answer.status
            except urllib.error.HTTPError as refused:
                refused.close()
                return refused.code

        assert status("") == 200
        made = json.loads(
            beffroi("token", "create", "--data", str(data), "--role", "device", "--json").stdout
        )
        assert [status(made["token"]) for _ in range(3)] == [200, 200, 200]
        beffroi("token", "revoke", str(made["id"]), "--data", str(data))
        assert status(made["token"]) == 401
        with urllib.request.urlopen(report["sign_in"], timeout=20) as page:
            assert page.status == 200
        beffroi("verify", "--data", str(data))
    finally:
        serving.terminate()
        serving.wait(20)
        assert serving.stdout is not None
        serving.stdout.close()


def test_the_command_line_starts_without_what_only_some_commands_need() -> None:
    script = "import sys; from beffroi.cli import application; application(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert {"sqlalchemy", "duckdb", "numpy", "starlette", "uvicorn", "cryptography"} & set(
        done.stdout.split()
    ) == set()


def test_a_town_is_served_without_duckdb_until_sealed_history_is_read() -> None:
    script = "import sys; import beffroi.app, beffroi.keeper; from beffroi.plugins import load_registry; load_registry(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "starlette" in loaded
    assert {
        "duckdb",
        "_duckdb",
        "scipy",
        "cv2",
        "sklearn",
        "weasyprint",
        "pyogrio",
        "pyproj",
        "PIL",
        "snowballstemmer",
    } & loaded == set()
