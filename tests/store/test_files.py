"""Files by their content: sealed, counted, erased for good; on both databases."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from beffroi.model.problem import NotFound, Problem
from beffroi.store.open import Store

PHOTO = b"\xff\xd8 a photo \xff\xd9" * 100


def test_what_is_kept_is_read_back_and_nothing_on_the_disk_shows_it(store: Store) -> None:
    with store.write() as c:
        name = store.files.put(c, PHOTO, "image/jpeg")
    assert name == hashlib.sha256(PHOTO).hexdigest()
    assert store.files.read(name) == (PHOTO, "image/jpeg")
    (held,) = [p for p in store.files.folder.rglob("*") if p.is_file()]
    assert b"a photo" not in held.read_bytes()
    assert store.verify() == []


def test_the_last_use_given_up_erases_and_others_do_not(store: Store) -> None:
    with store.write() as c:
        name = store.files.put(c, PHOTO, "image/jpeg")
        assert store.files.put(c, PHOTO, "image/jpeg") == name
    assert len([p for p in store.files.folder.rglob("*") if p.is_file()]) == 1
    with store.write() as c:
        assert store.files.release(c, [name, None]) == []
    assert store.files.read(name)[0] == PHOTO
    copies = {p: p.read_bytes() for p in store.files.folder.rglob("*") if p.is_file()}
    with store.write() as c:
        gone = store.files.release(c, [name])
    with pytest.raises(NotFound):
        store.files.read(name)  # before the file itself is gone: its key is
    store.files.unlink(gone)
    assert not any(p.is_file() for p in store.files.folder.rglob("*"))
    for path, data in copies.items():  # a backup that comes back opens no more
        path.write_bytes(data)
    with pytest.raises(NotFound):
        store.files.read(name)
    assert store.files.sweep(0) == 1


def test_what_no_transaction_kept_is_swept_and_what_is_kept_stays(store: Store) -> None:
    store.files.stage(PHOTO, "image/jpeg")
    with pytest.raises(ZeroDivisionError), store.write() as c:
        store.files.put(c, PHOTO, "image/jpeg")
        raise ZeroDivisionError
    with store.write() as c:
        name = store.files.put(c, PHOTO + b"2", "image/png")
    assert store.files.sweep() == 0  # too young: their transactions may be running
    assert store.files.sweep(0) == 2
    assert store.files.read(name) == (PHOTO + b"2", "image/png")


def test_a_flipped_bit_and_a_missing_file_are_faults(store: Store) -> None:
    with store.write() as c:
        name = store.files.put(c, PHOTO, "image/jpeg")
    (held,) = [p for p in store.files.folder.rglob("*") if p.is_file()]
    data = bytearray(held.read_bytes())
    data[40] ^= 1
    held.write_bytes(data)
    with pytest.raises(Problem):
        store.files.read(name)
    assert [fault.place for fault in store.verify()] == [held.relative_to(store.files.folder).as_posix()]
    held.unlink()
    assert len(store.verify()) == 1
    with pytest.raises(NotFound):
        store.files.read(name)


_KILLED = """
import os, signal, sys
from pathlib import Path
from beffroi.settings import Settings
from beffroi.store.open import Store
store = Store.open(Settings(data=Path(sys.argv[1])))
for n in range(1000):
    data = b"%d " % n * 1000
    with store.write() as c:
        name = store.files.put(c, data, "image/jpeg")
    print(n, name, flush=True)
    if n == 20:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_was_kept_survives_a_kill(store: Store, tmp_path: Path) -> None:
    data = store.settings.data
    store.close()
    run = subprocess.run(
        [sys.executable, "-c", _KILLED, str(data)], check=False, capture_output=True, text=True, timeout=60
    )
    told = [line.split() for line in run.stdout.splitlines()]
    assert len(told) == 21
    again = Store.open(store.settings)
    for number, name in told:
        assert again.files.read(name)[0] == f"{number} ".encode() * 1000
    assert again.verify() == []
    again.close()
