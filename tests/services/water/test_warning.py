"""A flood from its first threshold to its end: every quantity rings, people confirm, are called, told; silence rings too."""

import email
import io
from collections.abc import Iterator
from email.message import Message
from xml.etree.ElementTree import fromstring

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from capvalidator import check_schema
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.conftest import free_port
from tests.services.water.conftest import AGENT, COMMUNE, River

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US
from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.problem import Conflict, Forbidden, NotFound, Problem, Unauthorised
from beffroi.rules.reading import read_rule
from beffroi.services.water.warning import acting, escalation, images
from beffroi.services.water.warning.following import sweep
from beffroi.services.water.warning.keeping import of_warning
from beffroi.services.water.warning.messages import slug_of
from beffroi.services.water.warning.ranks import COLOURS, rank, reached, worst
from beffroi.services.water.warning.standing import rivers
from beffroi.services.water.warning.wording import LOG_SAYINGS
from beffroi.settings import MailSettings
from beffroi.store.record import Row

NEIGHBOUR = Principal("user:8", "Paul", "agent", ("07325",))
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


def entries(river: River, warning: Row) -> list[tuple[str, str]]:
    return [
        (e.values["kind"], e.values["text"])
        for e in of_warning(river.town, "warning_entry", warning.id, "_id")
    ]


def only(river: River) -> Row:
    (row,) = river.all("river_warning")
    return row


# --- thresholds


def test_each_quantity_rings_by_its_own_threshold(river: River) -> None:
    river.threshold("level", jaune=1.0, orange=2.0, rouge=3.0)
    river.threshold("flow", jaune=50)
    river.threshold("rise", jaune=0.3, within=60)
    river.threshold("rain", jaune=20, within=180, hysteresis=0)
    river.threshold("upstream", orange=1.5)
    river.threshold("forecast", rouge=2.8)
    river.follow()
    rules = {
        r.values["origin"].split("/")[2]: read_rule(r.values["yaml"])
        for r in river.all("rule")
        if r.values["origin"] and r.values["origin"].startswith(f"water/{river.pont.id}/")
    }
    assert set(rules) == {"level", "flow", "rise", "rain", "upstream", "forecast", "silence"}
    assert rules["upstream"].watch.datastreams == (river.above,)

    def rings(*values: float, code: str = "river_level", thing: str = "pont") -> str:
        river.goes(*values, code=code, thing=thing)
        return str(river.warning()["auto"])

    assert rings(0.2, 1.01) == "jaune"  # level and rise
    assert rings(1.0, 0.95, 0.88, 0.88, 0.88, 0.88, 0.88, 0.88) == "vert"
    assert rings(50.5, code="discharge") == "jaune"
    assert rings(40.0, code="discharge") == "vert"
    assert rings(*[4.5] * 5, code="rain") == "jaune"
    assert rings(1.6, code="river_level", thing="amont") == "orange"
    assert rings(1.0, code="river_level", thing="amont") == "jaune"
    assert rings(2.9, code="level_forecast_high") == "rouge"


def test_a_threshold_that_changes_changes_its_rule_and_one_that_goes_ends_its_alarm(river: River) -> None:
    river.threshold("level", jaune=1.0)
    river.goes(1.2)
    (row,) = river.all("river_threshold")
    river.put("river_threshold", {"value": 1.5}, id=row.id)
    river.wait(1)
    assert river.warning()["state"] == "ended"
    river.goes(1.6)
    assert (len(river.all("river_warning")), river.warning()["state"]) == (2, "proposed")
    river.town.store.records.delete("river_threshold", row.id, who=AGENT)
    river.wait(1)
    assert river.warning()["state"] == "ended"


def test_thresholds_that_go_the_wrong_way_are_told_and_the_others_hold(river: River) -> None:
    river.threshold("level", jaune=2.0, orange=1.0)
    river.threshold("flow", jaune=50)
    river.follow()
    origins = [r.values["origin"] or "" for r in river.all("rule")]
    assert f"water/{river.pont.id}/flow" in origins
    assert f"water/{river.pont.id}/level" not in origins


@given(st.sampled_from(COLOURS), st.sampled_from(COLOURS))
def test_colours_are_in_order(one: str, other: str) -> None:
    assert rank(worst(one, other)) == max(rank(one), rank(other))
    assert len(reached(one, other)) == max(0, rank(other) - rank(one))
    assert other in (*reached(one, other), *(c for c in COLOURS if rank(c) <= rank(one)))


# --- a warning's life


def test_a_flood_from_its_first_threshold_to_its_end(river: River) -> None:
    river.threshold("level", jaune=1.0, orange=2.0, rouge=3.0)
    for position, (colour, minutes) in enumerate((("jaune", 30), ("orange", 60), ("rouge", 5))):
        river.put(
            "plan_action",
            {
                "position": position,
                "colour": colour,
                "title": f"Action {colour}",
                "function": "Police municipale",
                "within_min": minutes,
            },
        )
    river.goes(0.5, 1.4, 2.3)
    warning = only(river)
    assert (warning.values["state"], warning.values["colour"], warning.values["auto"]) == (
        "proposed",
        "orange",
        "orange",
    )
    tasks = of_warning(river.town, "warning_task", warning.id, "_id")
    assert [t.values["title"] for t in tasks] == ["Action jaune", "Action orange"]
    opened = warning.values["opened_at"]
    assert opened == river.now - 10 * MINUTE_US
    assert tasks[0].values["due_at"] == opened + 30 * MINUTE_US
    acting.confirm(
        river.town, AGENT, warning.id, colour="orange", instruction="Quai fermé.", version=warning.version
    )
    acting.settle_task(river.town, AGENT, warning.id, tasks[0].id, "done")
    acting.write_entry(river.town, AGENT, warning.id, "call", "Préfecture jointe.")
    river.goes(3.2)
    assert (only(river).values["state"], only(river).values["colour"]) == (
        "proposed",
        "rouge",
    )  # worse: asks for a person again
    acting.confirm(river.town, AGENT, warning.id, colour="rouge")
    river.goes(1.5, 0.3)
    now = only(river).values
    assert (now["state"], now["colour"], now["auto"], now["worst"]) == (
        "confirmed",
        "rouge",
        "vert",
        "rouge",
    )  # a person ends it
    acting.end(river.town, AGENT, warning.id, text="Quai nettoyé.")
    done = only(river).values
    assert (done["state"], done["colour"], done["confirmed_by"]) == ("ended", "vert", "Inès Delmas")
    log = entries(river, warning)
    assert [kind for kind, _ in log] == ["system", "system", "system", "system", "decision", "order", "call", "system", "system", "decision", "system", "system", "decision"]  # fmt: skip
    assert ("order", "Faite : Action jaune (Police municipale)") in log
    assert "À terminer par un agent" in log[-2][1]
    assert [LOG_SAYINGS(said, "en") for _, said in log] == [
        "Threshold yellow passed. L'Ardèche au pont, level: 1.4 m",
        "1 action of the plan put on the list.",
        "Threshold orange passed. L'Ardèche au pont, level: 2.3 m",
        "1 action of the plan put on the list.",
        "Warning confirmed at orange. Instruction: Quai fermé.",
        "Done: Action jaune (Police municipale)",
        "Préfecture jointe.",
        "Threshold red passed. L'Ardèche au pont, level: 3.2 m",
        "1 action of the plan put on the list.",
        "Warning confirmed at red.",
        "The thresholds say yellow.",
        "The thresholds say green. To be ended by an agent.",
        "End of the warning. Quai nettoyé.",
    ]
    with pytest.raises(Conflict):
        acting.confirm(river.town, AGENT, warning.id, colour="rouge")
    acting.write_entry(
        river.town, AGENT, warning.id, "observation", "Laisses de crue relevées le lendemain."
    )  # the log stays open
    assert only(river).id == warning.id


def test_what_nobody_confirmed_ends_by_itself_and_what_was_set_aside_comes_back_only_when_worse(
    river: River,
) -> None:
    river.threshold("level", jaune=1.0, orange=2.0)
    river.goes(1.2, 0.5)
    assert only(river).values["state"] == "ended"
    river.goes(1.2)
    second = river.all("river_warning")[-1]
    with pytest.raises(Problem):
        acting.dismiss(river.town, AGENT, second.id, text=" ")
    acting.dismiss(river.town, AGENT, second.id, text="Un tronc sous le radar.")
    river.goes(1.3, 1.1, 1.3)
    assert len(river.all("river_warning")) == 2
    river.goes(2.1)
    assert (len(river.all("river_warning")), river.warning()["colour"]) == (3, "orange")
    river.goes(0.5, 1.2)
    assert len(river.all("river_warning")) == 4


def test_a_drill_is_opened_by_hand_said_to_be_one_and_no_threshold_ends_it(river: River) -> None:
    river.threshold("level", jaune=1.0)
    river.put("plan_action", {"colour": "jaune", "title": "Prévenir", "function": "Accueil"})
    row = acting.open_by_hand(river.town, AGENT, river.pont.id, "orange", "Exercice annuel", exercise=True)
    river.goes(1.2, 0.5)
    assert (only(river).values["state"], only(river).values["colour"]) == ("proposed", "orange")
    acting.confirm(river.town, AGENT, row.id, colour="orange")
    (message,) = river.all("cap_message")
    root = fromstring(message.values["xml"])
    assert root.findtext(f"{CAP}status") == "Exercise"
    assert message.values["headline"].startswith("EXERCICE. Alerte crue orange")
    assert len(of_warning(river.town, "warning_task", row.id, "_id")) == 1
    with pytest.raises(Conflict):
        acting.open_by_hand(river.town, AGENT, river.pont.id, "rouge", "encore")


def test_only_the_town_s_staff_handle_a_warning(river: River) -> None:
    river.threshold("level", jaune=1.0)
    river.goes(1.2)
    number = only(river).id
    for who, wrong in (
        (ANONYMOUS, Unauthorised),
        (Principal("u", "É", "elu"), Forbidden),
        (NEIGHBOUR, NotFound),
    ):
        with pytest.raises(wrong):
            acting.confirm(river.town, who, number, colour="jaune")
        with pytest.raises(wrong):
            acting.write_entry(river.town, who, number, "call", "x")
    with pytest.raises(Conflict):
        acting.confirm(river.town, AGENT, number, colour="jaune", version=99)
    assert only(river).values["state"] == "proposed"


def test_a_flood_of_last_month_that_is_imported_calls_nobody_and_one_that_lasts_is_found_by_the_sweep(
    river: River,
) -> None:
    end = river.now
    river.now = end - 21 * DAY_US
    number = river.send("river_level", "0.4", "ailleurs")
    river.now = end
    river.put("river_station", {"level": number}, id=river.pont.id)
    river.threshold("level", jaune=1.0)
    river.put("escalation_step", {"function": "Maire", "after_min": 0})
    river.follow()
    river.now = end - 20 * DAY_US  # what a connector reads on its first day
    for level in ("0.5", "1.8", "0.5", "1.4"):
        river.now += HOUR_US
        river.send("river_level", level, "ailleurs")
    river.now = end
    river.follow()
    assert river.all("river_warning") == []
    assert escalation.work_off(river.town) == 0
    assert sweep(river.town) == 1
    assert river.warning()["state"] == "proposed"


# --- silence


def test_a_station_that_falls_silent_rings_within_two_periods_and_says_so(river: River) -> None:
    river.threshold("level", jaune=1.0)
    river.goes(0.5, 0.5, 0.5)
    last = river.now
    silent = [
        r.id for r in river.all("rule") if (r.values["origin"] or "").endswith(f"/{river.pont.id}/silence")
    ]
    while not river.all("alarm", rule=silent[0]):
        river.wait(0.5)
        assert river.now <= last + 21 * MINUTE_US
    (alarm,) = river.all("alarm", rule=silent[0])
    assert alarm.values["raised_at"] == last + 20 * MINUTE_US
    river.wait(1)
    assert rivers(river.town, "l-ardeche")[0].stations[1].silent
    assert rivers(river.town, "l-ardeche")[0].stations[1].colour == ""
    river.goes(0.5)
    assert river.all("alarm", rule=silent[0])[0].values["state"] == "cleared_unacknowledged"


# --- who is called and told


class Postman:
    """Takes letters."""

    def __init__(self) -> None:
        self.letters: list[Message] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        self.letters.append(email.message_from_bytes(envelope.content or b""))  # type: ignore[arg-type]
        return "250 OK"


@pytest.fixture
def post(river: River) -> Iterator[Postman]:
    postman = Postman()
    server = Controller(postman, hostname="127.0.0.1", port=free_port())
    server.start()
    port = server.port
    mail = MailSettings(f"smtp://127.0.0.1:{port}", "alerte@meyras.fr")
    river.town.settings = msgspec.structs.replace(
        river.town.settings, mail=mail, base_url="https://meyras.fr"
    )
    yield postman
    server.stop()


def on_duty(river: River, function: str, mail: str, start: int = -1, hours: int = 48) -> None:
    starts = river.now + start * HOUR_US
    river.put(
        "duty_turn",
        {
            "function": function,
            "person": mail.partition("@")[0],
            "mail": mail,
            "starts": starts,
            "ends": starts + hours * HOUR_US,
        },
    )


def test_who_is_on_duty_is_called_in_turn_until_someone_confirms(river: River, post: Postman) -> None:
    river.threshold("level", jaune=1.0)
    for after, function in ((0, "Technique"), (15, "Élu"), (30, "Maire")):
        river.put("escalation_step", {"function": function, "after_min": after, "way": "mail"})
    on_duty(river, "Technique", "ines@meyras.fr")
    on_duty(river, "Élu", "paul@meyras.fr", start=-40, hours=40 + 1)  # its turn ends in an hour
    on_duty(river, "Élu", "nadia@meyras.fr", start=1)
    river.goes(1.2)
    opened = river.now

    def called(minutes: int) -> list[str]:
        river.now = opened + minutes * MINUTE_US
        escalation.work_off(river.town)
        return [str(letter["To"]) for letter in post.letters]

    assert called(0) == ["ines@meyras.fr"]
    assert called(0) == ["ines@meyras.fr"]  # once
    assert called(14) == ["ines@meyras.fr"]
    assert called(16) == ["ines@meyras.fr", "paul@meyras.fr"]
    assert (
        str(post.letters[0]["Subject"]).startswith("Alerte crue jaune")
        or "Alerte" in email.header.decode_header(post.letters[0]["Subject"])[0][0].decode()
    )  # type: ignore[union-attr]
    assert (
        f"https://meyras.fr/services/water/alertes/{only(river).id}"
        in post.letters[0].get_payload(decode=True).decode()
    )  # type: ignore[union-attr]
    acting.confirm(river.town, AGENT, only(river).id, colour="jaune")
    assert called(40) == ["ines@meyras.fr", "paul@meyras.fr"]
    assert [text for kind, text in entries(river, only(river)) if kind == "call"] == [
        "Technique : prévenue par courriel.",
        "Élu : prévenue par courriel.",
    ]
    with river.town.store.read() as c:
        kept = c.exec_driver_sql("SELECT group_concat(payload) FROM job").scalar_one()
    assert "meyras.fr" not in kept  # a job holds no address


def test_nobody_on_duty_is_written_in_the_log_and_a_mail_that_fails_is_tried_again(
    river: River, post: Postman
) -> None:
    river.threshold("level", jaune=1.0)
    river.put("escalation_step", {"function": "Technique", "after_min": 0, "way": "mail"})
    river.put("escalation_step", {"function": "Personne", "after_min": 0})
    on_duty(river, "Technique", "ines@meyras.fr")
    good = river.town.settings
    river.town.settings = msgspec.structs.replace(
        good, mail=MailSettings("smtp://127.0.0.1:9", "a@meyras.fr")
    )
    river.goes(1.2)
    assert escalation.work_off(river.town) == 2
    river.town.settings = good
    river.now += MINUTE_US
    assert escalation.work_off(river.town) == 1
    assert [str(letter["To"]) for letter in post.letters] == ["ines@meyras.fr"]
    said = [text for kind, text in entries(river, only(river)) if kind == "call"]
    assert sorted(said) == [
        "Personne : personne d'astreinte en ce moment.",
        "Technique : prévenue par courriel.",
    ]


def test_each_function_is_called_once_for_the_colour_that_was_reached(river: River, post: Postman) -> None:
    river.threshold("level", jaune=1.0, orange=2.0)
    river.put("escalation_step", {"function": "Technique", "after_min": 0, "way": "mail"})
    river.put("escalation_step", {"function": "Maire", "after_min": 0, "way": "mail", "colour": "orange"})
    on_duty(river, "Technique", "ines@meyras.fr")
    on_duty(river, "Maire", "helene@meyras.fr")
    river.goes(1.2, 2.2, minutes=5)
    escalation.work_off(river.town)
    assert sorted(str(letter["To"]) for letter in post.letters) == ["helene@meyras.fr", "ines@meyras.fr"]


def test_silence_calls_too(river: River, post: Postman) -> None:
    river.threshold("level", jaune=1.0)
    river.put("escalation_step", {"function": "Technique", "after_min": 0, "way": "mail", "colour": "jaune"})
    on_duty(river, "Technique", "ines@meyras.fr")
    river.goes(0.5)
    river.send("river_level", "0.1", "amont")
    river.follow()
    river.wait(15)
    river.send("river_level", "0.1", "amont")
    river.wait(10)
    escalation.work_off(river.town)
    subjects = [
        "".join(
            p.decode(c or "utf-8") if isinstance(p, bytes) else p
            for p, c in email.header.decode_header(letter["Subject"])
        )
        for letter in post.letters
    ]  # type: ignore[attr-defined]
    assert subjects == ["Station muette : L'Ardèche au pont"]


# --- CAP


def test_every_message_is_valid_against_the_schema_and_follows_the_ones_before(
    river: River, post: Postman
) -> None:
    river.threshold("level", jaune=1.0, orange=2.0)
    river.put(
        "warning_recipient", {"name": "Préfecture", "mail": "codis@ardeche.gouv.fr", "colour": "orange"}
    )
    river.put("warning_recipient", {"name": "Camping", "mail": "camping@meyras.fr", "colour": "rouge"})
    picture = io.BytesIO()
    Image.new("RGB", (900, 600), "#556").save(picture, "PNG")
    kept = images.keep(river.town, AGENT, river.pont, picture.getvalue(), river.now, "agent")
    river.goes(2.4)
    number = only(river).id
    acting.confirm(
        river.town,
        AGENT,
        number,
        colour="orange",
        instruction="Quai & rue du <Moulin> : évacuez.",
        image=kept.id,
    )
    river.now += HOUR_US
    acting.confirm(river.town, AGENT, number, colour="jaune")
    river.now += HOUR_US
    acting.end(river.town, AGENT, number)
    messages = river.all("cap_message")
    for message in messages:
        assert check_schema(message.values["xml"].encode()).passed, message.values["xml"]
    roots = [fromstring(m.values["xml"]) for m in messages]
    assert [r.findtext(f"{CAP}msgType") for r in roots] == ["Alert", "Update", "Update"]
    assert [r.findtext(f"{CAP}status") for r in roots] == ["Actual"] * 3
    told = [r.findtext(f"{CAP}references") for r in roots]
    assert told[0] is None
    assert [len((t or "").split()) for t in told[1:]] == [1, 2]
    assert (told[1] or "").split(",")[:2] == ["alerte@meyras.fr", messages[0].values["identifier"]]
    infos = roots[0].findall(f"{CAP}info")
    assert [i.findtext(f"{CAP}language") for i in infos] == ["fr-FR", "en-GB"]
    assert [i.findtext(f"{CAP}severity") for r in roots for i in r.findall(f"{CAP}info")[:1]] == [
        "Severe",
        "Moderate",
        "Minor",
    ]
    assert (infos[0].findtext(f"{CAP}instruction") or "").startswith("Quai & rue du <Moulin> : évacuez.")
    assert infos[0].findtext(f"{CAP}resource/{CAP}uri") == f"https://meyras.fr/riviere/images/{kept.id}.jpg"
    assert infos[0].findtext(f"{CAP}area/{CAP}circle") == "44.680700,4.269400 3"
    assert infos[0].findtext(f"{CAP}area/{CAP}geocode/{CAP}value") == COMMUNE
    assert roots[2].findtext(f"{CAP}info/{CAP}responseType") == "AllClear"
    escalation.work_off(river.town)
    assert [str(letter["To"]) for letter in post.letters] == ["codis@ardeche.gouv.fr"] * 3
    (attached,) = [
        part for part in post.letters[0].walk() if part.get_content_type() == "application/cap+xml"
    ]
    assert attached.get_payload(decode=True).decode() == messages[0].values["xml"]  # type: ignore[union-attr]


def test_the_validator_refuses_what_is_not_cap() -> None:
    assert not check_schema(
        b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><sender>x</sender></alert>'
    ).passed


@pytest.mark.parametrize(
    ("river_name", "slug"),
    [
        ("L'Ardèche", "l-ardeche"),
        ("Ruisseau d'Œuf", "ruisseau-d-uf"),
        ("Le  Thouet ", "le-thouet"),
        ("¡!", "riviere"),
    ],
)
def test_a_river_s_address(river_name: str, slug: str) -> None:
    assert slug_of(river_name) == slug


# --- pictures


def test_a_picture_loses_its_metadata_and_fits_a_phone_at_night() -> None:
    noisy = Image.effect_noise((1600, 1200), 90).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = "chez Mme Dupont"
    out = io.BytesIO()
    noisy.save(out, "JPEG", exif=exif)
    large, small = images.reduced(out.getvalue())
    with Image.open(io.BytesIO(large)) as kept:
        assert (kept.size, dict(kept.getexif())) == ((1280, 960), {})
    assert len(small) <= images.SMALL_BYTES
    assert b"Dupont" not in large + small
    for wrong in (b"", b"GIF89a", b"<svg/>", out.getvalue()[:500]):
        with pytest.raises(Problem):
            images.reduced(wrong)


def test_old_pictures_go_with_their_files_but_those_of_a_warning_stay(
    river: River, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "KEPT", 3)
    river.threshold("level", jaune=1.0)
    river.goes(1.2)
    kept = []
    for shade in range(8):
        out = io.BytesIO()
        Image.new("RGB", (64, 40), (shade * 20, 0, 0)).save(out, "PNG")
        kept.append(images.keep(river.town, AGENT, river.pont, out.getvalue(), river.now + shade, "agent"))
        if shade == 1:
            acting.confirm(river.town, AGENT, only(river).id, colour="jaune", image=kept[1].id)
    assert [r.id for r in river.all("river_image")] == [kept[n].id for n in (1, 5, 6, 7)]
    assert len(river.town.store.files.names()) == 8
