"""OpenID Connect over HTTP: what a provider says of itself, its keys, the exchange of a code. Never follows elsewhere.

One `Relying` for each provider of the settings and each process: the discovery document and the keys are kept an hour;
a token signed by an unknown key makes them be asked again (the provider changed its keys), at most twice a minute.
"""

import base64
import http.client
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode

import jwt
import msgspec

from beffroi import __version__
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text
from beffroi.settings import OidcSettings
from beffroi.standards import openid
from beffroi.standards.openid import Asked, Client, Provider, UnknownKeyError

__all__ = ["Relying", "client_secret", "relying"]

T = TypeVar("T")
TIMEOUT_S = 10.0
LARGEST = 1 << 20
KEPT_S = 3600.0
AGAIN_S = 30.0


class _Stay(urllib.request.HTTPRedirectHandler):
    """A provider's own addresses answer by themselves: a redirection is a fault."""

    def redirect_request(self, *_: Any) -> None:
        return None


_open = urllib.request.build_opener(_Stay).open


def client_secret(settings: OidcSettings, data: Path) -> str:
    """Return the client secret, from the environment or the file. Raises `Problem` when there is none."""
    variable = f"BEFFROI_OIDC_{settings.name.upper().replace('-', '_')}_SECRET"
    if settings.client_auth == "none":
        return ""
    if found := os.environ.get(variable, ""):
        return found
    path = data / (settings.secret_file or f"oidc-{settings.name}.secret")
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise Problem(
            Text("Le secret du fournisseur d'identité manque.", "The identity provider's secret is missing."),
            Text("Écrivez-le dans {path} (mode 600), ou dans la variable {variable}.",
                 "Write it into {path} (mode 600), or into the variable {variable}.").filled(path=path.name, variable=variable),
            place=f"oidc.{settings.name}", status=503,
        ) from error  # fmt: skip


class _Answer(msgspec.Struct, frozen=True):
    body: bytes
    content_type: str


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str
    id_token: str


def _ask(url: str, body: bytes | None = None, **headers: str) -> _Answer:
    """Return one answer of 200. Raises `Unavailable`, `Problem` when the provider refuses."""
    sent = {"User-Agent": f"Beffroi/{__version__}", "Accept": "application/json", **headers}
    request = urllib.request.Request(url, body, sent)  # noqa: S310 -- https or the loopback, see `read_provider`
    try:
        with _open(request, timeout=TIMEOUT_S) as answer:
            return _Answer(answer.read(LARGEST), answer.headers.get("Content-Type", ""))
    except urllib.error.HTTPError as error:
        with error:
            said = _error_of(error.read(4096))
        raise _silent(f"{error.code} {said}".strip()) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _silent(str(getattr(error, "reason", error)) or type(error).__name__) from error


def _error_of(body: bytes) -> str:
    """Return the code of an OAuth error (RFC 6749 §5.2), which says what is wrong with our settings."""
    try:
        return str(msgspec.json.decode(body, type=dict[str, Any]).get("error", ""))[:60]
    except (msgspec.DecodeError, msgspec.ValidationError):
        return ""


def _silent(detail: str) -> Unavailable:
    detail = detail.replace("{", "(").replace("}", ")")
    return Unavailable(
        Text(f"Le fournisseur d'identité ne répond pas comme il faut ({detail}).",
             f"The identity provider does not answer as it should ({detail})."),
        Text("Réessayez ; un lien de connexion de votre administrateur marche aussi.",
             "Try again; a sign-in link from your administrator works too."),
    )  # fmt: skip


class Relying:
    """This town as the relying party of one provider."""

    def __init__(self, settings: OidcSettings, data: Path) -> None:
        self.settings = settings
        self.client = Client(
            settings.client_id, settings.issuer, settings.algorithms, settings.acr_values, settings.acr_claims
        )
        self._data = data
        self._lock = threading.Lock()
        self._provider: tuple[float, Provider] | None = None
        self._keys: tuple[float, jwt.PyJWKSet] | None = None

    def provider(self) -> Provider:
        """Return what the provider says of itself. Raises `Unavailable`."""
        with self._lock:
            if self._provider is None or time.monotonic() - self._provider[0] > KEPT_S:
                place = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
                found = openid.read_provider(_ask(place).body, self.settings.issuer)
                self._provider = (time.monotonic(), found)
            return self._provider[1]

    def address(self, asked: Asked, redirect_uri: str) -> str:
        """Return where the browser goes to sign in. Raises `Unavailable`."""
        return openid.authorization_url(
            self.provider(), self.client, asked, redirect_uri=redirect_uri, scopes=self.settings.scopes,
            pkce=self.settings.pkce,
        )  # fmt: skip

    def logout_address(self, id_token: str, after: str, state: str) -> str:
        """Return where the browser goes to sign out of the provider too, "" when it has no such place."""
        return openid.logout_url(self.provider(), id_token=id_token, after=after, state=state)

    def exchange(
        self, asked: Asked, code: str, redirect_uri: str, now_s: float
    ) -> tuple[dict[str, Any], str]:
        """Return the claims about who signed in (userinfo over the ID token), and the ID token itself.

        Raises `Unavailable` when the provider does not answer, `Forbidden` when its answer is not to be believed.
        """
        tokens = self._tokens(asked, code, redirect_uri)
        claims = self._read(
            lambda keys: openid.read_id_token(
                tokens.id_token, keys, self.client, asked, now_s, tokens.access_token
            )
        )
        if place := self.provider().userinfo_endpoint:
            answer = _ask(
                place,
                Authorization=f"Bearer {tokens.access_token}",
                Accept="application/json, application/jwt",
            )
            more = self._read(
                lambda keys: openid.read_userinfo(
                    answer.body, answer.content_type, keys, self.client, claims["sub"], now_s
                )
            )
            # what says whom and when the ID token is about is never the userinfo's
            claims = {**more, **{k: v for k, v in claims.items() if k not in more or k in _PROTOCOL}}
        return claims, tokens.id_token

    def logged_out(self, logout_token: str, now_s: float) -> tuple[str, str]:
        """Return the subject and the session that a logout token ends. Raises `Forbidden`, `Unavailable`."""
        return self._read(lambda keys: openid.read_logout_token(logout_token, keys, self.client, now_s))

    def _tokens(self, asked: Asked, code: str, redirect_uri: str) -> _Tokens:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        headers = {}
        if self.settings.pkce:
            form["code_verifier"] = asked.verifier
        provider, secret = self.provider(), client_secret(self.settings, self._data)
        way = self.settings.client_auth or provider.client_auth
        if way == "client_secret_basic":  # RFC 6749 §2.3.1
            pair = f"{quote_plus(self.client.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self.client.client_id
            if way == "client_secret_post":
                form["client_secret"] = secret
        answer = _ask(provider.token_endpoint, urlencode(form).encode(), **headers)
        try:
            return msgspec.json.decode(answer.body, type=_Tokens)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise _silent("no id_token") from error

    def _read(self, reading: Callable[[jwt.PyJWKSet], T]) -> T:
        """Return what `reading` finds with the keys known, or with those that the provider has now."""
        try:
            return reading(self._known(AGAIN_S, renew=False))
        except UnknownKeyError:
            pass
        try:
            return reading(self._known(AGAIN_S, renew=True))
        except UnknownKeyError as error:
            raise openid.refused(
                Text("La réponse est signée d'une clé que le fournisseur d'identité ne publie pas.",
                     "The answer is signed by a key that the identity provider does not publish.")
            ) from error  # fmt: skip

    def _known(self, again_s: float, *, renew: bool) -> jwt.PyJWKSet:
        place = self.provider().jwks_uri
        with self._lock:
            age = time.monotonic() - self._keys[0] if self._keys is not None else KEPT_S + 1
            if self._keys is None or age > KEPT_S or (renew and age > again_s):
                self._keys = (time.monotonic(), openid.read_keys(_ask(place).body))
            return self._keys[1]


_PROTOCOL = ("iss", "sub", "aud", "exp", "iat", "nonce", "acr", "amr", "azp", "sid", "auth_time")


def relying(settings: tuple[OidcSettings, ...], data: Path) -> dict[str, Relying]:
    """Return this town as the relying party of each provider of its settings, by name."""
    return {one.name: Relying(one, data) for one in settings}
