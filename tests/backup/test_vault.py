"""The vault: the same bytes once, nothing without the key, and every altered byte found."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.backup.vault import CHUNK, Held, Snapshot, Vault, key_of, new_key
from beffroi.model.problem import NotFound, Problem

KEY = bytes(range(32))


def snapshot(number: int, *names: str) -> Snapshot:
    return Snapshot(f"2026-{number}", number, "Essai", "0", (Held("a", 3, 0o600, 1, names),))


def test_the_same_bytes_are_stored_once_and_come_back(tmp_path: Path) -> None:
    vault = Vault(tmp_path, KEY, make=True)
    first = vault.keep(b"x" * CHUNK)
    written = vault.added
    assert vault.keep(b"x" * CHUNK) == first
    assert vault.added == written
    again = Vault(tmp_path, KEY)
    assert again.keep(b"x" * CHUNK) == first
    assert again.added == 0
    assert again.chunk(first) == b"x" * CHUNK
    held = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert b"xxxx" not in held


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    Vault(tmp_path, KEY, make=True)
    with pytest.raises(Problem) as refused:
        Vault(tmp_path, bytes(32))
    assert refused.value.place == "--key"
    with pytest.raises(NotFound):
        Vault(tmp_path / "elsewhere", KEY)
    assert key_of(new_key().lower() + "\n") != key_of(new_key())
    with pytest.raises(Problem):
        key_of("not a key")


@settings(max_examples=40)
@given(data=st.data())
def test_any_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("vault")
    vault = Vault(folder, KEY, make=True)
    vault.close(snapshot(1, vault.keep(b"one"), vault.keep(b"two")))
    assert list(vault.check(vault.snapshot())) == []
    path = data.draw(st.sampled_from(sorted([*folder.glob("chunks/*/*"), *folder.glob("snapshots/*")])))
    whole = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    path.write_bytes(whole)
    try:
        found = list(vault.check(vault.snapshot()))
    except Problem:
        assert path.parent.name == "snapshots"
    else:
        assert [place for place, _ in found] == ["a"]


def test_old_snapshots_go_with_the_chunks_that_only_they_name(tmp_path: Path) -> None:
    vault = Vault(tmp_path, KEY, make=True)
    shared, old, new = vault.keep(b"shared"), vault.keep(b"old"), vault.keep(b"new")
    vault.close(snapshot(1, shared, old))
    vault.close(snapshot(2, shared, new))
    assert vault.forget(0) == (0, 0)
    assert vault.forget(1) == (1, 1)
    assert vault.ids() == ["2026-2"]
    assert [vault.chunk(n) for n in vault.snapshot().files[0].chunks] == [b"shared", b"new"]
    with pytest.raises(Problem):
        vault.chunk(old)
