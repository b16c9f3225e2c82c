"""OpenID Connect, the relying party's side: what is asked of a provider, and what of its answers is believed.

Pure: nothing is sent from here. OpenID Connect Core 1.0 (§3.1 code flow, §5.3 userinfo), Discovery 1.0, RP-Initiated
Logout 1.0, Back-Channel Logout 1.0, PKCE (RFC 7636), `iss` in the answer (RFC 9207). Signatures are PyJWT's.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
import msgspec

from beffroi.model.problem import Forbidden, Unavailable
from beffroi.model.text import Text

__all__ = [
    "CLOCK_S",
    "Asked",
    "Client",
    "Provider",
    "UnknownKeyError",
    "authorization_url",
    "fresh",
    "logout_url",
    "read_id_token",
    "read_keys",
    "read_logout_token",
    "read_provider",
    "read_userinfo",
    "refused",
]

CLOCK_S = 60  # how far apart the two clocks may be
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_MEND = Text(
    "Recommencez ; si cela dure, prévenez l'administrateur.",
    "Start again; if it lasts, tell the administrator.",
)


class Client(msgspec.Struct, frozen=True):
    """What the provider knows this town as, and what the town accepts of it."""

    client_id: str
    issuer: str
    algorithms: tuple[str, ...]
    acr_values: tuple[str, ...] = ()
    acr_claims: bool = False  # the level is asked for as an essential claim (Core §5.5.1.1)


class Provider(msgspec.Struct, frozen=True):
    """What a provider says of itself (Discovery 1.0 §3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)

    @property
    def client_auth(self) -> str:
        """How the client's secret is shown, when the settings do not say."""
        known = self.token_endpoint_auth_methods_supported
        return "client_secret_post" if known and "client_secret_basic" not in known else "client_secret_basic"


class Asked(msgspec.Struct, frozen=True):
    """One sign-in on its way: what this browser went to ask, which the answer must match."""

    provider: str
    state: str
    nonce: str
    verifier: str
    after: str
    at_us: int

    @property
    def challenge(self) -> str:
        """The S256 challenge of the verifier (RFC 7636 §4.2)."""
        return _url64(hashlib.sha256(self.verifier.encode()).digest())


class UnknownKeyError(Exception):
    """A token is signed by a key that is not among those known: the provider may have changed them."""


def fresh(provider: str, after: str, now_us: int) -> Asked:
    """Return a new request to a provider, each part 256 random bits."""
    words = [secrets.token_urlsafe(32) for _ in range(3)]
    return Asked(provider, words[0], words[1], words[2], after, now_us)


def refused(reason: Text, mend: Text = _MEND) -> Forbidden:
    """Return the problem of an answer that is not believed."""
    return Forbidden(reason, mend)


def _secure(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    )


def read_provider(document: bytes, issuer: str) -> Provider:
    """Return what the discovery document says. Raises `Unavailable` when it is another issuer's, or not encrypted."""
    try:
        found = msgspec.json.decode(document, type=Provider)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Unavailable(
            Text("Le fournisseur d'identité se décrit mal.", "The identity provider describes itself badly."),
            Text("Vérifiez l'adresse « issuer » de beffroi.toml.", "Check the 'issuer' address of beffroi.toml."),
        ) from error  # fmt: skip
    if found.issuer.rstrip("/") != issuer.rstrip("/"):  # Discovery §4.3
        raise Unavailable(
            Text("Le fournisseur d'identité dit s'appeler autrement.", "The identity provider says it has another name."),
            Text("Écrivez son adresse « issuer » telle qu'il la donne.", "Write its 'issuer' as it gives it."),
        )  # fmt: skip
    ends = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint, found.end_session_endpoint)  # fmt: skip
    if not all(_secure(end) for end in ends if end):
        raise Unavailable(
            Text("Une adresse du fournisseur d'identité n'est pas chiffrée (https).",
                 "An address of the identity provider is not encrypted (https)."),
        )  # fmt: skip
    return found


def authorization_url(
    provider: Provider, client: Client, asked: Asked, *, redirect_uri: str, scopes: Sequence[str], pkce: bool
) -> str:
    """Return where the browser is sent to sign in (Core §3.1.2.1)."""
    query = {
        "response_type": "code", "client_id": client.client_id, "redirect_uri": redirect_uri, "scope": " ".join(scopes),
        "state": asked.state, "nonce": asked.nonce,
    }  # fmt: skip
    if pkce:
        query |= {"code_challenge": asked.challenge, "code_challenge_method": "S256"}
    if client.acr_values and client.acr_claims:
        wanted = {"id_token": {"acr": {"essential": True, "values": list(client.acr_values)}}}
        query["claims"] = json.dumps(wanted, separators=(",", ":"))
    elif client.acr_values:
        query["acr_values"] = " ".join(client.acr_values)
    return _with_query(provider.authorization_endpoint, query)


def logout_url(provider: Provider, *, id_token: str, after: str, state: str) -> str:
    """Return where the browser is sent to sign out of the provider too, "" when it has no such place."""
    if not provider.end_session_endpoint:
        return ""
    query = {"id_token_hint": id_token, "post_logout_redirect_uri": after, "state": state}
    return _with_query(provider.end_session_endpoint, query)


def read_keys(document: bytes) -> jwt.PyJWKSet:
    """Return the keys of a JWK Set (RFC 7517); those of a kind that is not known are left out. Raises `Unavailable`."""
    try:
        return jwt.PyJWKSet.from_dict(json.loads(document))
    except (ValueError, AttributeError, jwt.PyJWTError) as error:
        raise Unavailable(
            Text("Les clés du fournisseur d'identité ne se lisent pas.", "The identity provider's keys cannot be read.")
        ) from error  # fmt: skip


def read_id_token(
    token: str, keys: jwt.PyJWKSet, client: Client, asked: Asked, now_s: float, access_token: str = ""
) -> dict[str, Any]:
    """Return the claims of an ID token that answers `asked` (Core §3.1.3.7).

    Raises `UnknownKeyError` when it is signed by a key that is not known, `Forbidden` when it is not to be believed.
    """
    claims, algorithm = _verified(token, keys, client, now_s, needed=("iss", "sub", "aud", "exp", "iat"))
    if claims.get("nonce") != asked.nonce:
        raise refused(
            Text("La réponse n'est pas celle de cette demande.", "The answer is not to this request.")
        )
    _check_party(claims, client)
    _check_hash(claims, algorithm, access_token)
    if client.acr_values and claims.get("acr") not in client.acr_values:
        raise refused(
            Text("Le fournisseur d'identité n'a pas vérifié assez fortement qui vous êtes.",
                 "The identity provider did not check strongly enough who you are."),
            Text("Recommencez avec un second facteur.", "Start again with a second factor."),
        )  # fmt: skip
    return claims


def read_userinfo(
    body: bytes, content_type: str, keys: jwt.PyJWKSet, client: Client, subject: str, now_s: float
) -> dict[str, Any]:
    """Return the claims of a userinfo answer, plain or signed (Core §5.3.2); the subject must be the ID token's.

    Raises `UnknownKeyError`, `Forbidden`.
    """
    if content_type.partition(";")[0].strip().lower() == "application/jwt":
        claims = _verified(body.decode("ascii", "replace").strip(), keys, client, now_s, needed=("sub",))[0]
    else:
        try:
            claims = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise refused(_UNREADABLE) from error
    if claims.get("sub") != subject:  # §5.3.4: a token substituted for another
        raise refused(Text("La réponse parle d'une autre personne.", "The answer is about another person."))
    return claims


def read_logout_token(token: str, keys: jwt.PyJWKSet, client: Client, now_s: float) -> tuple[str, str]:
    """Return the subject and the session ("" when not said) that a logout token ends (Back-Channel Logout §2.6).

    Raises `UnknownKeyError`, `Forbidden`.
    """
    claims, _ = _verified(token, keys, client, now_s, needed=("iss", "aud", "iat", "exp", "jti"))
    events = claims.get("events")
    subject, sid = claims.get("sub", ""), claims.get("sid", "")
    named = isinstance(subject, str) and isinstance(sid, str) and bool(subject or sid)
    wanted = isinstance(events, dict) and isinstance(events.get(LOGOUT_EVENT), dict)
    if "nonce" in claims or not (named and wanted):  # §2.4: a nonce would make it pass for an ID token
        raise refused(Text("Ce n'est pas un jeton de déconnexion.", "This is not a logout token."))
    return subject, sid


_UNREADABLE = Text("La réponse du fournisseur d'identité ne se lit pas.", "The identity provider's answer cannot be read.")  # fmt: skip


def _verified(
    token: str, keys: jwt.PyJWKSet, client: Client, now_s: float, *, needed: Sequence[str]
) -> tuple[dict[str, Any], str]:
    """Return the claims of a signed token, whose issuer, audience and times are right, and its algorithm."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise refused(_UNREADABLE) from error
    algorithm = str(header.get("alg", ""))
    if algorithm not in client.algorithms:  # "none" and the symmetric ones are never among them
        raise refused(
            Text("Le fournisseur d'identité signe autrement que prévu.", "The identity provider signs in another way than set."),
            Text("Vérifiez « algorithms » dans beffroi.toml.", "Check 'algorithms' in beffroi.toml."),
        )  # fmt: skip
    key = _key_of(keys, header, algorithm)
    try:
        # The times are compared below, by the clock that is given.
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[algorithm], audience=client.client_id, issuer=_issuers(client),
            options={"require": list(needed), "verify_exp": False, "verify_iat": False, "verify_nbf": False,
                     "verify_aud": "aud" in needed, "verify_iss": "iss" in needed},
        )  # fmt: skip
    except jwt.PyJWTError as error:
        raise refused(
            Text("La signature ou le destinataire de la réponse est faux.", "The answer's signature or audience is wrong.")
        ) from error  # fmt: skip
    _check_named(claims, client)
    _check_times(claims, now_s)
    return claims, algorithm


def _issuers(client: Client) -> list[str]:
    return [client.issuer.rstrip("/"), client.issuer.rstrip("/") + "/"]


def _check_named(claims: Mapping[str, Any], client: Client) -> None:
    """Compare issuer and audience where a token may leave them out but must not say others (signed userinfo)."""
    audience = claims.get("aud", client.client_id)
    right = client.client_id in ([audience] if isinstance(audience, str) else audience)
    if not right or claims.get("iss", client.issuer) not in _issuers(client):
        raise refused(Text("La réponse est pour un autre destinataire.", "The answer is for somebody else."))


def _check_times(claims: Mapping[str, Any], now_s: float) -> None:
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    good = all(isinstance(t, int | float) and not isinstance(t, bool) for t in times.values())
    if not (
        good
        and now_s < times.get("exp", now_s + 1) + CLOCK_S
        and max(times.get("iat", 0), times.get("nbf", 0)) <= now_s + CLOCK_S
    ):
        raise refused(
            Text("La réponse du fournisseur d'identité n'est plus, ou pas encore, valable.",
                 "The identity provider's answer is no longer, or not yet, valid."),
            Text("Vérifiez l'heure de cette machine.", "Check this machine's clock."),
        )  # fmt: skip


def _key_of(keys: jwt.PyJWKSet, header: Mapping[str, Any], algorithm: str) -> jwt.PyJWK:
    wanted = header.get("kid")
    family = {"R": "RSA", "P": "RSA", "E": "EC"}[algorithm[0]]
    able = [
        key
        for key in keys.keys
        if key.public_key_use in (None, "sig")
        and key.key_type == family
        and (wanted is None or key.key_id == wanted)
    ]
    if len(able) != 1:  # none, or no way to tell which
        raise UnknownKeyError
    key = able[0]
    if key.algorithm_name == algorithm:
        return key
    # the key says no algorithm, or another of its family (PS256 beside RS256): the one of the header, which is allowed
    return jwt.PyJWK(key._jwk_data, algorithm)


def _check_party(claims: Mapping[str, Any], client: Client) -> None:
    """Check `azp` (Core §3.1.3.7, 4 and 5)."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    party = claims.get("azp")
    if (party is None and several) or party not in (None, client.client_id):
        raise refused(Text("La réponse est pour un autre destinataire.", "The answer is for somebody else."))


def _check_hash(claims: Mapping[str, Any], algorithm: str, access_token: str) -> None:
    """Check `at_hash` when there is one (Core §3.1.3.8)."""
    said = claims.get("at_hash")
    if said is None or not access_token:
        return
    digest = hashlib.new(f"sha{algorithm[2:]}", access_token.encode()).digest()
    if said != _url64(digest[: len(digest) // 2]):
        raise refused(Text("La réponse a été mêlée à une autre.", "The answer was mixed with another."))


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"
