"""The mailbox polled on a real IMAP server (Dovecot), started for the test."""

import getpass
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import msgspec
import pytest
from tests.conftest import free_port
from tests.services.reports.desk.conftest import report

from beffroi.services.reports.desk.mailbox import poll
from beffroi.services.reports.keys import reply_key
from beffroi.settings import MailSettings
from beffroi.store.record import Query

CONFIGURATION = """
protocols = imap
base_dir = {folder}/run
log_path = {folder}/log
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
mail_location = maildir:{folder}/mail
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 0
first_valid_gid = 0
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


@pytest.fixture
def inbox(tmp_path: Path):
    """Give the port of an IMAP server and the folder where new letters are put."""
    if shutil.which("dovecot") is None:
        pytest.skip("Dovecot is not installed (Debian: dovecot-imapd)")
    if getpass.getuser() != "root":
        pytest.skip("Dovecot changes its user: only root can start it")
    import pwd

    folder, port, nobody = Path("/tmp") / f"beffroi-imap-{free_port()}", free_port(), pwd.getpwnam("nobody")
    new = folder / "mail" / "new"
    for part in ("new", "cur", "tmp"):
        (folder / "mail" / part).mkdir(parents=True)
    for path in (folder, folder / "mail", new, folder / "mail/cur", folder / "mail/tmp"):
        shutil.chown(path, nobody.pw_uid, nobody.pw_gid)
    text = CONFIGURATION.format(
        folder=folder, port=port, uid=nobody.pw_uid, gid=nobody.pw_gid, user="nobody", group="nogroup"
    )
    (folder / "dovecot.conf").write_text(text, "utf-8")
    server = subprocess.Popen(["dovecot", "-F", "-c", str(folder / "dovecot.conf")])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port, new, nobody
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def test_new_letters_are_taken_in_once_and_marked_seen(town, ids, inbox) -> None:
    port, new, owner = inbox
    number = report(town, ids, 1, mail="anais@exemple.example.org")
    key = reply_key(town.settings.secret(), number)
    for n, to in enumerate((f"mairie+{key}@essai.example.org", "mairie@essai.example.org")):
        letter = new / f"{n}.1.host"
        letter.write_text(
            f"From: anais@exemple.example.org\r\nTo: {to}\r\nSubject: Trou\r\nMessage-ID: <{n}@x.example.org>\r\n\r\nToujours l=C3=A0 {n}.\r\n",
            "utf-8",
        )
        shutil.chown(letter, owner.pw_uid, owner.pw_gid)
    url = f"imap://anais:secret@127.0.0.1:{port}/INBOX"
    town.settings = msgspec.structs.replace(town.settings, mail=MailSettings(inbox=url))
    assert poll(town, threading.Event()) == 2
    assert poll(town, threading.Event()) == 0
    comments = town.store.records.find("report_update", Query(where={"request": number})).rows
    assert [row.values["kind"] for row in comments] == ["comment"]
    assert town.store.records.count("service_request", Query(where={"channel": "mail"})) == 1
