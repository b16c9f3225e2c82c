"""What of a provider's answers is believed: every check of Core §3.1.3.7 and of Back-Channel Logout §2.6, one by one."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from beffroi.model.problem import Forbidden, Unavailable
from beffroi.standards import openid
from beffroi.standards.openid import Asked, Client, UnknownKeyError

NOW = 1_800_000_000
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
CLIENT = Client("beffroi", "https://id.example", ("RS256", "ES256", "PS256"))
ASKED = Asked("banc", "s" * 43, "n" * 43, "v" * 43, "/", 0)


def public(key: Any, kid: str, **more: str) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "use": "sig", **more}


KEYS = openid.read_keys(json.dumps({"keys": [public(RSA, "r"), public(EC, "e")]}).encode())
GOOD = {
    "iss": "https://id.example",
    "sub": "nour",
    "aud": "beffroi",
    "exp": NOW + 300,
    "iat": NOW,
    "nonce": "n" * 43,
}
OUT = {
    "iss": "https://id.example", "sub": "nour", "sid": "1", "aud": "beffroi", "exp": NOW + 120, "iat": NOW, "jti": "j",
    "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
}  # fmt: skip


def signed(claims: dict[str, Any], algorithm: str = "RS256", kid: str = "r", key: Any = RSA) -> str:
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm, headers={"kid": kid} if kid else {})


@pytest.mark.parametrize(
    ("algorithm", "kid", "key"), [("RS256", "r", RSA), ("PS256", "r", RSA), ("ES256", "e", EC)]
)
def test_a_good_token_is_read(algorithm: str, kid: str, key: Any) -> None:
    assert openid.read_id_token(signed(GOOD, algorithm, kid, key), KEYS, CLIENT, ASKED, NOW) == GOOD


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"aud": []}, {"sub": None},
        {"exp": NOW - 61}, {"exp": None}, {"exp": "soon"}, {"iat": NOW + 61}, {"iat": None}, {"nbf": NOW + 61},
        {"nonce": "other"}, {"nonce": None}, {"aud": ["beffroi", "other"]},
        {"aud": ["beffroi", "other"], "azp": "other"}, {"azp": "other"}, {"at_hash": "AAAA"},
    ],
)  # fmt: skip
def test_what_is_not_for_us_or_not_of_now_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        openid.read_id_token(signed({**GOOD, **change}), KEYS, CLIENT, ASKED, NOW, "the access token")


def test_what_is_within_a_minute_or_well_bound_is_taken() -> None:
    half = hashlib.sha256(b"the access token").digest()[:16]
    told = {
        **GOOD, "exp": NOW - 59, "iat": NOW + 59, "aud": ["beffroi", "other"], "azp": "beffroi",
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
    }  # fmt: skip
    assert openid.read_id_token(signed(told), KEYS, CLIENT, ASKED, NOW, "the access token") == told


def test_a_signature_is_by_a_known_key_and_an_allowed_algorithm() -> None:
    other = rsa.generate_private_key(65537, 2048)
    with pytest.raises(Forbidden):  # signed by another under a known name
        openid.read_id_token(signed(GOOD, key=other), KEYS, CLIENT, ASKED, NOW)
    with pytest.raises(UnknownKeyError):
        openid.read_id_token(signed(GOOD, kid="new"), KEYS, CLIENT, ASKED, NOW)
    with pytest.raises(Forbidden):
        openid.read_id_token(signed(GOOD, "RS512"), KEYS, CLIENT, ASKED, NOW)
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    body = signed(GOOD).split(".")[1]
    with pytest.raises(Forbidden):
        openid.read_id_token(f"{head}.{body}.", KEYS, CLIENT, ASKED, NOW)
    pem = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    forged = signed(
        GOOD, "HS256", "r", hashlib.sha256(pem).hexdigest() * 2
    )  # a public key is no shared secret
    with pytest.raises(Forbidden):
        openid.read_id_token(forged, KEYS, CLIENT, ASKED, NOW)
    encrypting = openid.read_keys(json.dumps({"keys": [public(RSA, "r", use="enc")]}).encode())
    with pytest.raises(UnknownKeyError):
        openid.read_id_token(signed(GOOD), encrypting, CLIENT, ASKED, NOW)


def test_a_token_without_a_key_id_needs_one_key_of_its_kind() -> None:
    assert openid.read_id_token(signed(GOOD, kid=""), KEYS, CLIENT, ASKED, NOW) == GOOD
    two = openid.read_keys(json.dumps({"keys": [public(RSA, "r"), public(RSA, "q")]}).encode())
    with pytest.raises(UnknownKeyError):
        openid.read_id_token(signed(GOOD, kid=""), two, CLIENT, ASKED, NOW)


def test_the_level_asked_for_is_the_level_answered() -> None:
    strict = Client("beffroi", "https://id.example", ("RS256",), ("eidas2", "eidas3"))
    assert (
        openid.read_id_token(signed({**GOOD, "acr": "eidas3"}), KEYS, strict, ASKED, NOW)["acr"] == "eidas3"
    )
    for level in ("eidas1", None):
        with pytest.raises(Forbidden):
            openid.read_id_token(signed({**GOOD, "acr": level}), KEYS, strict, ASKED, NOW)


def test_a_level_is_wished_for_or_demanded() -> None:
    """As a wish (`acr_values`), or as an essential claim, which is how ProConnect takes it."""
    provider = openid.Provider(
        "https://id.example", "https://id.example/a", "https://id.example/t", "https://id.example/j"
    )
    for demanded, name, said in (
        (False, "acr_values", "eidas2 eidas3"),
        (True, "claims", '{"id_token":{"acr":{"essential":true,"values":["eidas2","eidas3"]}}}'),
    ):
        client = Client("beffroi", "https://id.example", ("RS256",), ("eidas2", "eidas3"), demanded)
        url = openid.authorization_url(
            provider, client, ASKED, redirect_uri="https://b/", scopes=("openid",), pkce=False
        )
        asked = parse_qs(urlsplit(url).query)
        assert asked[name] == [said]
        assert len({"claims", "acr_values"} & set(asked)) == 1


def test_userinfo_is_about_the_same_person_plain_or_signed() -> None:
    told = {"sub": "nour", "email": "nour@essai.fr"}
    plain = json.dumps(told).encode()
    assert openid.read_userinfo(plain, "application/json; charset=utf-8", KEYS, CLIENT, "nour", NOW) == told
    assert openid.read_userinfo(signed(told).encode(), "application/jwt", KEYS, CLIENT, "nour", NOW) == told
    for body, kind in (
        (plain, "application/json"), (signed(told).encode(), "application/jwt"), (b"[]", "application/json"),
        (plain, "application/jwt"), (signed({**told, "sub": "x", "aud": "other"}).encode(), "application/jwt"),
        (signed({**told, "sub": "x", "exp": NOW - 90}).encode(), "application/jwt"),
        (signed({**told, "sub": "x"}, key=rsa.generate_private_key(65537, 2048)).encode(), "application/jwt"),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            openid.read_userinfo(body, kind, KEYS, CLIENT, "x", NOW)


def test_a_logout_token_is_read() -> None:
    assert openid.read_logout_token(signed(OUT), KEYS, CLIENT, NOW) == ("nour", "1")
    assert openid.read_logout_token(signed({**OUT, "sub": None}), KEYS, CLIENT, NOW) == ("", "1")


@pytest.mark.parametrize(
    "change",
    [
        {"events": None}, {"events": {}}, {"events": []}, {"nonce": "n"}, {"sub": None, "sid": None}, {"jti": None},
        {"iat": None}, {"aud": "other"}, {"iss": "https://other.example"}, {"exp": NOW - 61}, {"sid": 3},
    ],
)  # fmt: skip
def test_what_is_no_logout_token_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        openid.read_logout_token(signed({**OUT, **change}), KEYS, CLIENT, NOW)


def test_an_id_token_is_no_logout_token() -> None:
    with pytest.raises(Forbidden):
        openid.read_logout_token(signed(GOOD), KEYS, CLIENT, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://other.example"}, {"token_endpoint": "http://id.example/token"}, {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": 3}, {"userinfo_endpoint": "http://10.0.0.1/u"},
    ],
)  # fmt: skip
def test_a_provider_is_who_it_was_said_to_be_and_encrypted(change: dict[str, Any]) -> None:
    good = {
        "issuer": "https://id.example", "authorization_endpoint": "https://id.example/a?x=1",
        "token_endpoint": "https://id.example/t", "jwks_uri": "https://id.example/j",
    }  # fmt: skip
    found = openid.read_provider(json.dumps(good).encode(), "https://id.example/")
    url = openid.authorization_url(
        found, CLIENT, ASKED, redirect_uri="https://b/", scopes=("openid",), pkce=False
    )
    assert url.startswith("https://id.example/a?x=1&response_type=code")
    assert "challenge" not in url
    with pytest.raises(Unavailable):
        openid.read_provider(json.dumps({**good, **change}).encode(), "https://id.example")


def test_the_challenge_of_rfc_7636() -> None:
    asked = Asked("banc", "", "", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "/", 0)  # its appendix B
    assert asked.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
