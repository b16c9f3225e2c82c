"""The codec: what is written reads back, in any cut; no bytes break it; wildcards as the standard has them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.mqtt import packets
from beffroi.mqtt.packets import Connect, Decoder, MalformedError, Publish, Receipt
from beffroi.mqtt.topics import matches, valid_filter, valid_topic

CONNECT_311 = bytes.fromhex("100f00044d5154540402003c0003616263")
CONNECT_5 = bytes.fromhex("101500044d5154540502003c05110000003c0003616263")
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=30)


def opened(level: int) -> Decoder:
    decoder = Decoder()
    (packet,) = decoder.feed(CONNECT_5 if level == 5 else CONNECT_311)
    assert isinstance(packet, Connect)
    assert (packet.level, packet.client_id, packet.clean, packet.keep_alive) == (level, "abc", True, 60)
    assert packet.expiry == (60 if level == 5 else 0)
    return decoder


@given(TEXT, st.binary(max_size=400), st.integers(0, 2), st.booleans(), st.booleans(), st.integers(1, 65535),
       st.sampled_from([4, 5]), st.integers(1, 7))  # fmt: skip
def test_a_publish_reads_back_however_it_is_cut(
    topic: str, payload: bytes, qos: int, retain: bool, dup: bool, number: int, level: int, cut: int
) -> None:
    sent = Publish(topic, payload, qos, retain, dup, number if qos else 0)
    stream = packets.publish(sent, level=level) + packets.receipt(packets.PUBREL, number, level=level)
    decoder = opened(level)
    found = [p for i in range(0, len(stream), cut) for p in decoder.feed(stream[i : i + cut])]
    assert found == [sent, Receipt(packets.PUBREL, number)]


@settings(max_examples=400)
@given(st.binary(max_size=120), st.sampled_from([0, 4, 5]), st.integers(0, 255))
def test_no_bytes_break_the_decoder(data: bytes, level: int, first: int) -> None:
    decoder = Decoder(1000) if level == 0 else opened(level)
    for stream in (data, bytes((first, len(data) % 128)) + data):
        try:
            list(decoder.feed(stream))
        except MalformedError as error:
            assert error.code >= 0x80
            return


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"\x30\x00", "not CONNECT"),
        (b"\x10\xff\xff\xff\xff\x01", "too long"),
        (b"\x10\xff\xff\xff\x7f", "too large"),
        (CONNECT_311 + CONNECT_311, "not expected"),
        (CONNECT_311 + b"\x36\x05\x00\x01a\x00\x01", "QoS 3"),
        (CONNECT_311 + b"\x32\x05\x00\x01a\x00\x00", "identifier is 0"),
        (CONNECT_311 + b"\x30\x04\x00\x02\xff\xff", "UTF-8"),
        (CONNECT_311 + b"\x80\x05\x00\x01\x00\x00\x00", "not expected"),
        (CONNECT_311 + b"\x82\x02\x00\x01", "empty"),
    ],
)
def test_what_the_standard_forbids_is_malformed(stream: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        list(Decoder().feed(stream))


@pytest.mark.parametrize(
    ("pattern", "topic", "wanted"),
    [
        ("a/b", "a/b", True), ("a/b", "a/b/c", False), ("a/+", "a/b", True), ("a/+", "a/", True),
        ("a/+", "a", False), ("+", "a/b", False), ("#", "a/b", True), ("a/#", "a", True), ("a/#", "ab", False),
        ("+/+", "/a", True), ("/+", "/a", True), ("+", "/a", False), ("#", "$SYS/x", False), ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True), ("v1.1/+/Observations", "v1.1/Datastreams(3)/Observations", True),
    ],
)  # fmt: skip
def test_wildcards(pattern: str, topic: str, wanted: bool) -> None:
    assert matches(pattern, topic) is wanted


def test_which_topics_and_filters_are_valid() -> None:
    assert [valid_filter(f) for f in ("a/#", "#", "+/a", "a#", "a/#/b", "a+", "")] == [True] * 3 + [False] * 4
    assert [valid_topic(t) for t in ("a/b", "a/+", "#", "")] == [True, False, False, False]
