"""Faces and plates, by the models that ship in packages: found, made unreadable, undone by an agent."""

import io
from pathlib import Path

import pytest
import skimage
from PIL import Image, ImageDraw, ImageFont
from tests.services.reports.test_citizens import reports

from beffroi.services.reports.photos.blur import areas_of, blur_of, is_plate
from beffroi.services.reports.preparing import prepare_waiting
from beffroi.town import Town

PORTRAIT = Path(skimage.__file__).parent / "data/astronaut.png"  # NASA, public domain


def street() -> Image.Image:
    """Return a street with a portrait on a poster and a car's plate."""
    image = Image.new("RGB", (1000, 700), "#7d8790")
    image.paste(Image.open(PORTRAIT).convert("RGB").resize((400, 400)), (40, 40))
    pen = ImageDraw.Draw(image)
    pen.rectangle((620, 500, 860, 560), fill="white")
    pen.text((632, 510), "AB-123-CD", fill="black", font=ImageFont.truetype("DejaVuSans-Bold.ttf", 36))
    pen.text((40, 600), "Rue des Tilleuls", fill="black", font=ImageFont.truetype("DejaVuSans-Bold.ttf", 40))
    return image


def test_a_face_and_a_plate_are_found_and_nothing_else() -> None:
    found = sorted(areas_of(street()))
    assert len(found) == 2
    (left, top, right, bottom), plate = found
    assert (
        left < 40 + 400 * 182 / 512 < 40 + 400 * 270 / 512 < right
        and top < 40 + 400 * 58 / 512 < 40 + 400 * 178 / 512 < bottom
    )
    assert plate[0] < 640 and plate[2] > 840 and plate[1] < 515 and plate[3] > 545
    assert areas_of(Image.new("RGB", (400, 300), "#888888")) == []


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("AB-123-CD", True),
        ("ab 123 cd", True),
        ("A8-I23-CD", True),
        ("1234 AB 75", True),
        ("Rue Haute", False),
        ("112", False),
        ("2026", False),
        ("N° 12", False),
    ],
)
def test_the_form_of_a_plate(text: str, seen: bool) -> None:
    assert is_plate(text) is seen


def test_what_is_published_is_blurred_until_an_agent_undoes_it(visit, categories, town: Town) -> None:
    held = io.BytesIO()
    street().save(held, "JPEG", quality=92)
    visit().fill_in(
        category=str(categories["depot"]),
        place="rue des Tilleuls",
        description="Une épave",
        files={"photo": ("p.jpg", held.getvalue())},
    )
    assert blur_of(town) is not None
    assert prepare_waiting(town) == 1
    (photo,) = town.store.records.find("report_photo").rows
    assert photo.values["blurred"] == 2

    def published() -> Image.Image:
        (row,) = town.store.records.find("report_photo").rows
        return Image.open(io.BytesIO(town.store.files.read(row.values["file"])[0])).convert("RGB")

    assert areas_of(published()) == []  # neither is found any more
    citizen, agent = visit(address="192.0.2.9"), visit("agent", "192.0.2.20")
    form = agent.hidden(agent.get("/suivi"))
    path = f"/signalements/photo/{photo.id}"
    assert (
        citizen.client.post(path, data={**citizen.hidden(citizen.get("/suivi")), "do": "unblur"}).status_code
        == 401
    )
    assert agent.client.post(path, data={**form, "do": "unblur"}).status_code == 303
    assert len(areas_of(published())) == 2
    assert agent.client.post(path, data={**form, "do": "hide"}).status_code == 303
    assert (
        town.store.records.find("report_photo").rows[0].values["shown"] is False
        and reports(town)[0].values["photos"] == 0
    )
    assert agent.client.post(path, data={**form, "do": "blur"}).status_code == 303
    assert agent.client.post(path, data={**form, "do": "show"}).status_code == 303
    row = town.store.records.find("report_photo").rows[0].values
    assert (row["blurred"], row["shown"], reports(town)[0].values["photos"]) == (2, True, 1)
    assert (
        len([p for p in town.store.files.folder.rglob("*") if p.is_file()]) == 3
    )  # what was replaced is gone
