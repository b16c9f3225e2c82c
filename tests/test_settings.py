"""beffroi.toml: secrets may be kept elsewhere, and what cannot be read is named."""

from pathlib import Path

import pytest

from beffroi.model.problem import Problem
from beffroi.settings import load_settings


def write(data: Path, text: str) -> Path:
    (data / "beffroi.toml").write_text(text, "utf-8")
    return data


def test_secrets_come_from_files_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mail.secret").write_text("smtp://town:hush@mail.example\n", "utf-8")
    monkeypatch.setenv("TTN_KEY", "NNSXS.one")
    settings = load_settings(
        write(
            tmp_path,
            'name = "env"\n[mail]\nurl = "file:mail.secret"\n'
            '[[lorawan]]\nname = "ttn"\nkind = "ttn"\nurl = "https://eu1.example"\nkey = "env:TTN_KEY"\n',
        )
    )
    assert settings.mail.url == "smtp://town:hush@mail.example"
    assert settings.lorawan[0].key == "NNSXS.one"
    assert settings.name == "env"  # a word is only a word


@pytest.mark.parametrize(
    ("line", "place"), [('url = "file:none"', "mail.url"), ('url = "env:BEFFROI_TEST_ABSENT"', "mail.url")]
)
def test_a_secret_that_is_not_there_is_named(tmp_path: Path, line: str, place: str) -> None:
    with pytest.raises(Problem) as refused:
        load_settings(write(tmp_path, f"[mail]\n{line}\n"))
    assert refused.value.place == f"{tmp_path / 'beffroi.toml'}: {place}"
