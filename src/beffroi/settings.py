"""Settings of one installation: `beffroi.toml` in its data directory; every key has a default that works.

Read once at start. What a town's people change on screen (name, colours, logo) lives in the store instead.
"""

import contextlib
import os
import secrets
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = [
    "LorawanSettings",
    "MailSettings",
    "MqttSettings",
    "OidcRole",
    "OidcSettings",
    "Open311Settings",
    "PushSettings",
    "Settings",
    "StoreSettings",
    "load_settings",
    "write_secret",
]


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where things are kept, by URL.

    `records`: "" is SQLite files in the data directory, or `postgresql://user:password@host/database`.
    `segments`: directory of the sealed history, "" is `segments/` in the data directory.
    `seal_after_days`: observations older than that are sealed into Parquet.
    `versions_days`: how long what was changed or deleted can still be read as it was (0: for ever).
    `query_seconds`, `query_memory_mb`: what one query of a program may take before it is refused; 0 seconds: no limit.
    `provenance_days`: for how long it is kept where observations came from.
    """

    records: str = ""
    segments: str = ""
    seal_after_days: int = 35
    versions_days: int = 1_095
    query_seconds: float = 30.0
    query_memory_mb: int = 1024
    provenance_days: int = 400


class MqttSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url`: "" is the embedded broker, or `mqtt[s]://user:password@host:port` of an external one;
    `topics`: what is subscribed on an external broker besides the SensorThings topics; `tls_port`: where the embedded
    broker also listens encrypted (0: nowhere), with the PEM files `certificate` and `certificate_key`."""

    url: str = ""
    topics: tuple[str, ...] = ()
    tls_port: int = 0
    certificate: str = ""
    certificate_key: str = ""


class LorawanSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A LoRaWAN network that commands go through. `kind`: ttn (The Things Stack v3) or chirpstack (v4, its REST
    interface); `key`: an API key that may write downlinks; `application`: The Things Stack's application id."""

    name: str
    kind: Literal["ttn", "chirpstack"]
    url: str
    key: str
    application: str = ""


class MailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Outgoing mail. `url`: `smtp://user:password@host:25` or `smtps://…`; "" sends nothing.

    Incoming mail. `inbox`: `imaps://user:password@host/INBOX` is polled, `smtp://127.0.0.1:2525` listens; "" takes none.
    """

    url: str = ""
    sender: str = "beffroi@localhost"
    inbox: str = ""


class Open311Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The GeoReport server. `charset`: say it in the XML's type, as the standard asks (some validators want
    `text/xml` bare); `contact` and `key_service`: what service discovery says of whom to ask, and how;
    `media_hosts`: hosts that a `media_url` may be fetched from."""

    charset: bool = True
    contact: str = ""
    key_service: str = ""
    media_hosts: tuple[str, ...] = ()


class PushSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Web push. `private`: browsers may also name a push service on a private network or without TLS (for tests, and
    for towns that run their own)."""

    private: bool = False


class OidcRole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the table of rights: who has `value` in the claim `claim` gets `role`, in `territories` (none: all) and
    `service` ("": all). `value` "*" is anybody whom the provider knows."""

    claim: str
    value: str
    role: str
    territories: tuple[str, ...] = ()
    service: str = ""


class OidcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An OpenID Connect provider that people sign in with (ProConnect, Keycloak, Publik …).

    `name`: a word in small letters, part of the addresses; `title`: what the button says; `issuer`: the provider's
    address; `client_id`: what it calls this town. Its client secret is in the file `secret_file` (none: `oidc-NAME.secret`
    in the data directory) or in the environment variable `BEFFROI_OIDC_NAME_SECRET`, never here.
    `scopes`, `acr_values` (one of them is then demanded of the answer; `acr_claims`: asked for as an essential claim, as
    ProConnect wants, rather than as a wish), `pkce` (false for a provider that refuses it),
    `client_auth` ("": what the provider prefers), `algorithms`: of its signatures.
    `roles`: the table of rights, first row that matches; none: rights are given in Beffroi. `create`: make an account at
    the first sign-in (else one must have been invited). `trust_email`: its addresses are verified though it does not say so.
    `logout`: signing out signs out of the provider too.
    """

    name: str
    issuer: str
    client_id: str
    title: str = ""
    secret_file: str = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    acr_values: tuple[str, ...] = ()
    acr_claims: bool = False
    pkce: bool = True
    client_auth: Literal["", "client_secret_basic", "client_secret_post", "none"] = ""
    algorithms: tuple[Literal["RS256", "ES256", "PS256", "RS512", "ES512"], ...] = ("RS256", "ES256", "PS256")
    roles: tuple[OidcRole, ...] = ()
    create: bool = False
    trust_email: bool = False
    logout: bool = True


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything in `beffroi.toml`, plus the data directory itself."""

    data: Path = Path()
    name: str = "Ma commune"
    language: str = "fr"
    time_zone: str = "Europe/Paris"
    base_url: str = ""  # the public address, when behind a proxy
    # whose X-Forwarded-For and -Proto are believed: addresses or networks of the proxies in front
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    sources: str = (
        ""  # a server that holds the public sources of a commune under /HOST/PATH, instead of theirs
    )
    store: StoreSettings = StoreSettings()
    mqtt: MqttSettings = MqttSettings()
    mail: MailSettings = MailSettings()
    open311: Open311Settings = Open311Settings()
    push: PushSettings = PushSettings()
    connectors: tuple[dict[str, str], ...] = ()
    lorawan: tuple[LorawanSettings, ...] = ()
    oidc: tuple[OidcSettings, ...] = ()

    def secret(self) -> bytes:
        """Return the installation's 32-byte secret, kept outside the database in `secret.key` (made once)."""
        path = self.data / "secret.key"
        if not path.exists():
            write_secret(path, secrets.token_bytes(32))
        return path.read_bytes()


def write_secret(path: Path, value: bytes) -> None:
    """Write a secret file (mode 600) that appears whole or not at all; one that is already there stays."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):  # another process was first: its secret is the one
        os.link(temporary, path)
    temporary.unlink()


def load_settings(data: Path) -> Settings:
    """Return the settings of the installation in `data`. Raises `Problem` when it is none or its file is wrong."""
    path = data / "beffroi.toml"
    if not path.exists():
        raise Problem(
            Text("Il n'y a pas de ville dans « {data} ».", "There is no town in '{data}'.").filled(data=data),
            Text("Créez-la : beffroi init --data {data} --name NOM, ou beffroi demo --data {data}.",
                 "Create it: beffroi init --data {data} --name NAME, or beffroi demo --data {data}.").filled(data=data),
        )  # fmt: skip
    try:
        values = _revealed(tomllib.loads(path.read_text("utf-8")), path)
        return msgspec.convert(
            {**values, "data": str(data)}, Settings, dec_hook=lambda kind, value: kind(value)
        )
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        detail = str(error).replace("{", "(").replace("}", ")")
        raise Problem(
            Text("beffroi.toml n'est pas lisible : {detail}", "beffroi.toml cannot be read: {detail}").filled(
                detail=detail
            ),
            Text("Corrigez ou retirez cette clé.", "Mend or remove that key."),
            place=str(path),
        ) from error


def _revealed(value: Any, settings: Path, place: str = "") -> Any:
    """Return settings with what is kept elsewhere: `file:/run/secrets/mail` is what that file holds (a relative path is
    beside beffroi.toml), `env:NAME` a variable of the environment. Raises `Problem` naming the key."""
    if isinstance(value, dict):
        return {k: _revealed(v, settings, f"{place}.{k}" if place else k) for k, v in value.items()}
    if isinstance(value, list):
        return [_revealed(v, settings, f"{place}[{n}]") for n, v in enumerate(value)]
    if not isinstance(value, str) or not value.startswith(("file:", "env:")):
        return value
    kind, _, name = value.partition(":")
    try:
        return os.environ[name] if kind == "env" else (settings.parent / name).read_text("utf-8").strip()
    except (KeyError, OSError, ValueError) as error:
        raise Problem(
            Text("Le secret « {name} » n'est pas lisible.", "The secret '{name}' cannot be read.").filled(name=name),
            Text("Posez ce fichier ou cette variable, lisible par le compte qui fait tourner Beffroi.",
                 "Set that file or variable, readable by the account that runs Beffroi."),
            place=f"{settings}: {place}",
        ) from error  # fmt: skip
