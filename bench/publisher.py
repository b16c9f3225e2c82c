"""A publisher of MQTT 3.1.1 that costs some 2 us a message: a process of its own, so that what is measured is not its own work.

`python -m bench.publisher PORT COUNT SERIES` connects, says `ready`, waits for a line, publishes COUNT observations at
QoS 1 over SERIES datastreams with at most IN_FLIGHT of them not confirmed, and prints the seconds until the last PUBACK.
"""

import socket
import sys
import time

IN_FLIGHT = 2_000
PUBACK = b"\x40\x02"
CONNACK = b"\x20\x02\x00\x00"


def text(value: str) -> bytes:
    """Return a string as MQTT writes it (1.5.3)."""
    return len(value).to_bytes(2, "big") + value.encode()


def connected(port: int, name: str) -> socket.socket:
    """Return a connection that was accepted: clean session, no keep-alive."""
    link = socket.create_connection(("127.0.0.1", port), timeout=600)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = text("MQTT") + b"\x04\x02\x00\x00" + text(name)
    link.sendall(b"\x10" + bytes([len(body)]) + body)
    answer = link.recv(4, socket.MSG_WAITALL)
    if answer != CONNACK:
        raise RuntimeError(f"the broker refuses: {answer!r}")
    return link


def packet(n: int, series: int) -> bytes:
    """Return the PUBLISH of the n-th observation, with the number that its PUBACK will name."""
    topic = text(f"v1.1/Datastreams({n % series + 1})/Observations")
    body = topic + (n % 65_535 + 1).to_bytes(2, "big") + f'{{"result": {n % 100}.25}}'.encode()
    return b"\x32" + bytes([len(body)]) + body


def publish(link: socket.socket, count: int, series: int) -> float:
    """Publish `count` observations and return the seconds until all are confirmed. Raises when one is not."""
    sent = confirmed = 0
    left = b""
    began = time.perf_counter()
    while confirmed < count:
        more = min(count, confirmed + IN_FLIGHT)
        if more > sent:
            link.sendall(b"".join(packet(n, series) for n in range(sent, more)))
            sent = more
        came = left + link.recv(65_536)
        whole = len(came) // 4 * 4
        acknowledged, left = came[:whole], came[whole:]
        # in the order in which they were published (4.6)
        due = b"".join(
            PUBACK + (n % 65_535 + 1).to_bytes(2, "big") for n in range(confirmed, confirmed + whole // 4)
        )
        if acknowledged != due or len(came) == len(left) == 0:
            raise RuntimeError(f"not the PUBACKs that are due after {confirmed} messages: {came[:16]!r}")
        confirmed += whole // 4
    return time.perf_counter() - began


def main(arguments: list[str]) -> None:
    """Publish, and print the seconds that it took."""
    port, count, series = map(int, arguments)
    with connected(port, "bench") as link:
        print("ready", flush=True)
        sys.stdin.readline()
        print(publish(link, count, series), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
