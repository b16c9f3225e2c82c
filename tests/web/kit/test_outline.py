"""The server's drawing of a map: what is drawn where, in the fewest words."""

import re

from beffroi.web.kit.map import outline_svg

BOX = (0.0, -0.5, 1.0, 0.5)  # on the equator a degree is 600 units both ways


def street(*line: tuple[float, float], kind: str = "street") -> dict[str, object]:
    return {"geometry": {"type": "LineString", "coordinates": line}, "properties": {"kind": kind}}


def drawn(*ground: dict[str, object]) -> list[tuple[str, ...]]:
    return re.findall(r'<path class="([^"]*)" d="([^"]*)"/>', outline_svg(BOX, ground, ()))


def test_a_line_goes_by_steps_from_its_start_and_a_step_of_nothing_is_left_out() -> None:
    assert drawn(street((0, 0.5), (0.5, 0.25), (0.5, 0.2501), (0.25, 0.5))) == [
        ("street", "M0 0l300 150 -150-150")
    ]


def test_neighbours_of_one_kind_share_a_path_and_keep_their_order() -> None:
    ground = (
        street((0, 0.5), (0.1, 0.5)), street((1, 0.5), (1, 0.4)),
        street((0, 0), (0.1, 0), kind="water"), street((0, 0.5), (0.2, 0.5)),
    )  # fmt: skip
    assert drawn(*ground) == [
        ("street", "M0 0l60 0M600 0l0 60"), ("water", "M0 300l60 0"), ("street", "M0 0l120 0"),
    ]  # fmt: skip


def test_a_ring_is_closed_and_a_line_without_length_is_a_point() -> None:
    ring = {"type": "Polygon", "coordinates": [[(0, 0.5), (0.1, 0.5), (0.1, 0.4), (0, 0.5)]]}
    assert drawn({"geometry": ring, "properties": {"kind": "park"}}) == [("park", "M0 0l60 0 0 60 -60-60z")]
    assert drawn(street((0.5, 0.5), (0.5, 0.5))) == [("street", "M300 0")]
