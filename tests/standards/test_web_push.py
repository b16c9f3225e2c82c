"""Sealing and signing of web push, against the RFC's own example and two libraries we did not write."""

import base64

import http_ece
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.problem import Problem
from beffroi.standards import web_push
from beffroi.standards.web_push import MOST_BYTES, Subscription, read_subscription, seal

CURVE = ec.SECP256R1()


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def test_the_example_of_rfc_8291_comes_out_byte_for_byte() -> None:
    """RFC 8291, section 5 and appendix A."""
    theirs = raw("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
    to = Subscription("https://push.example.net/x", theirs, raw("BTBZMqHH6r4Tts7J_aSIgg"))
    private = int.from_bytes(raw("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big")
    body = seal(
        to,
        b"When I grow up, I want to be a watermelon",
        salt=raw("DGv6ra1nlYgDCS1FRnbzlw"),
        ephemeral=ec.derive_private_key(private, CURVE),
    )
    assert body == raw(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(st.binary(max_size=MOST_BYTES))
def test_what_is_sealed_another_library_opens(message: bytes) -> None:
    browser, secret = ec.derive_private_key(11, CURVE), bytes(range(16))
    body = seal(Subscription("https://push.example.net/x", point(browser), secret), message)
    assert len(body) <= 4096
    assert http_ece.decrypt(body, private_key=browser, auth_secret=secret, version="aes128gcm") == message


def test_a_message_longer_than_a_record_is_refused() -> None:
    to = Subscription("https://push.example.net/x", point(ec.derive_private_key(11, CURVE)), bytes(16))
    assert len(seal(to, bytes(MOST_BYTES))) == 4096
    with pytest.raises(ValueError, match=str(MOST_BYTES)):
        seal(to, bytes(MOST_BYTES + 1))


def test_the_signature_is_read_by_another_library() -> None:
    key = web_push.sender_key(bytes(32))
    said = web_push.authorization(
        key, "https://push.example.net:8443/a/b?c", "mailto:a@essai.fr", 1_764_000_000
    )
    scheme, _, rest = said.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert (scheme, raw(parts["k"])) == ("vapid", point(key))
    public = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, raw(parts["k"]))
    claims = jwt.decode(parts["t"], public, ["ES256"], audience="https://push.example.net:8443",
                        options={"verify_exp": False})  # fmt: skip
    assert claims == {
        "aud": "https://push.example.net:8443",
        "exp": 1_764_000_000 + 43_200,
        "sub": "mailto:a@essai.fr",
    }


def test_the_key_is_the_installation_s_and_stays() -> None:
    first, again, other = (
        web_push.public_text(web_push.sender_key(s)) for s in (b"a" * 32, b"a" * 32, b"b" * 32)
    )
    assert first == again != other and len(raw(first)) == 65


def browser(
    endpoint: str = "https://updates.push.example.net/wpush/v2/abc", **keys: str
) -> dict[str, object]:
    key = base64.urlsafe_b64encode(point(ec.derive_private_key(11, CURVE))).decode().rstrip("=")
    return {
        "endpoint": endpoint,
        "expirationTime": None,
        "keys": {"p256dh": key, "auth": "AAAAAAAAAAAAAAAAAAAAAA", **keys},
    }


def test_a_browser_s_subscription_is_read_and_written_alike() -> None:
    given_ = browser()
    assert read_subscription(given_).plain() == {k: given_[k] for k in ("endpoint", "keys")}


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example.net/x", "https://127.0.0.1/x", "https://[::1]/x", "https://10.0.0.1/x", "https://169.254.169.254/x",
        "https://localhost/x", "https://a.localhost/x", "https://router.local/x", "https://metadata.internal./x", "https://intranet/x",
        "https://push.example.net:22/x", "https://a:b@push.example.net/x", "https://push.example.net:99999/x", "ftp://push.example.net/x",
        "https:///x", "", "https://push.example.net/a b", "https://push.example.net/" + "x" * 2000, "https://[::ffff:10.0.0.1]/x",
        "https://0/x", "https://2130706433/x",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(endpoint: str) -> None:
    with pytest.raises(Problem) as refused:
        read_subscription(browser(endpoint))
    assert refused.value.place == "/endpoint"


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (None, "/keys"), ([], "/keys"), ({"endpoint": "https://push.example.net/x"}, "/keys"),
        (browser(p256dh="AAAA"), "/keys/p256dh"), (browser(p256dh="é"), "/keys/p256dh"), (browser(auth="AAAA"), "/keys/auth"),
        (browser(p256dh=base64.urlsafe_b64encode(b"\x04" + bytes(64)).decode()), "/keys/p256dh"),
    ],
)  # fmt: skip
def test_what_no_browser_sends_is_refused_at_its_place(value: object, place: str) -> None:
    with pytest.raises(Problem) as refused:
        read_subscription(value)
    assert refused.value.place == place
