"""What people see of a river and of a warning, through the application: residents, agents, programs."""

import gzip
import html
import io
import re
from collections.abc import Callable, Iterator
from xml.etree.ElementTree import fromstring

import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.services.water.conftest import AGENT, COMMUNE, River

from beffroi.app import create_app
from beffroi.identity import people, sign_in
from beffroi.model.instant import HOUR_US, MINUTE_US
from beffroi.model.principal import SYSTEM
from beffroi.model.result import Result
from beffroi.services.water.warning import acting, images
from beffroi.standards.reading import Reading, Series, Station
from beffroi.web.kit.who import SESSION_COOKIE

ATOM = "{http://www.w3.org/2005/Atom}"
Visit = Callable[..., TestClient]


@pytest.fixture
def visit(river: River) -> Iterator[Visit]:
    """Give a browser, of nobody or of an agent."""
    app = create_app(river.town)
    opened: list[TestClient] = []

    def make(role: str = "", language: str = "fr") -> TestClient:
        client = TestClient(
            app,
            base_url="http://127.0.0.1:8080",
            headers={"Accept": "text/html", "Accept-Language": language},
        )
        client.__enter__()
        opened.append(client)
        if role:
            person = people.add(
                river.town.store,
                SYSTEM,
                email=f"{role}@meyras.fr",
                name="Inès Delmas",
                role=role,
                territories=(COMMUNE,),
            )  # type: ignore[arg-type]
            link = sign_in.make_link(river.town.store, SYSTEM, person.id)
            client.cookies.set(SESSION_COOKIE, sign_in.by_link(river.town.store, link, agent="Firefox")[1])
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def words(page: str) -> str:
    """Return the words of a page's main part."""
    main = page.partition("<main")[2].partition("</main>")[0]
    text = html.unescape(re.sub(r"<[^>]+>", " ", main.partition(">")[2]))
    return re.sub(r"\s+", " ", text).strip()


def photo(shade: int = 80) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (640, 400), (shade, 90, 100)).save(out, "JPEG")
    return out.getvalue()


def test_a_river_in_flood_is_read_in_three_seconds(river: River, visit: Visit) -> None:
    river.threshold("level", jaune=1.0, orange=2.0, rouge=3.0)
    river.goes(0.5, 1.0, 1.5, *[1.9, 2.02, 2.14, 2.26, 2.38, 2.5, 2.62])
    kept = images.keep(river.town, AGENT, river.pont, photo(), river.now - 4 * MINUTE_US, "camera")
    river.now += 4 * MINUTE_US
    answer = visit().get("/riviere/l-ardeche")
    said = words(answer.text)
    assert (
        said.index("Orange")
        < said.index("automatique, pas encore confirmée")
        < said.index("2,62 m")
        < said.index("Que faire")
    )
    assert "monte de 72 cm en une heure" in said
    assert "mesuré il y a 4 min" in said
    assert "Rouge à 3,00 m." in said
    assert "Ne traversez pas une route inondée" in said
    assert f'src="/riviere/images/{kept.id}-petite.jpg"' in answer.text
    assert "<script" not in answer.text
    assert len(gzip.compress(answer.content)) < 5_000
    small = visit().get(f"/riviere/images/{kept.id}-petite.jpg")
    assert (small.headers["content-type"], len(small.content) <= images.SMALL_BYTES) == ("image/jpeg", True)
    (warning,) = river.all("river_warning")
    acting.confirm(river.town, AGENT, warning.id, colour="rouge", instruction="Évacuez le quai.")
    english = words(visit(language="en").get("/riviere/l-ardeche").text)
    assert (
        english.index("Red")
        < english.index("confirmed by the town")
        < english.index("What to do")
        < english.index("Évacuez le quai.")
    )
    assert "rising by 72 cm an hour" in english


def test_a_silent_river_says_so_and_gives_no_colour(river: River, visit: Visit) -> None:
    river.threshold("level", jaune=1.0)
    river.goes(0.5)
    river.now += HOUR_US
    said = words(visit().get("/riviere/l-ardeche").text)
    assert "Muette" in said
    assert "Ne vous fiez pas à cette page" in said
    assert "Vert" not in said
    assert "Pas de donnée depuis 1 h" in said


def test_rivers_are_listed_and_one_that_is_not_there_is_told(river: River, visit: Visit) -> None:
    river.threshold("level", jaune=1.0)
    river.goes(0.5, 0.5)
    page = visit().get("/riviere")
    assert "L'Ardèche au pont : 0,50 m" in words(page.text)
    assert 'href="/riviere/l-ardeche"' in page.text
    assert visit().get("/riviere/la-seine").status_code == 404


def test_the_feed_leads_to_each_message_as_it_was_sent(river: River, visit: Visit) -> None:
    river.threshold("level", jaune=1.0)
    river.goes(1.2)
    (warning,) = river.all("river_warning")
    assert fromstring(visit().get("/riviere/alertes.atom").content).findall(f"{ATOM}entry") == []
    acting.confirm(river.town, AGENT, warning.id, colour="jaune")
    river.now += HOUR_US
    acting.end(river.town, AGENT, warning.id)
    feed = fromstring(visit().get("/riviere/alertes.atom").content)
    found = feed.findall(f"{ATOM}entry")
    assert [e.findtext(f"{ATOM}title") for e in found] == [
        "Fin de l'alerte crue : L'Ardèche au pont, Meyras",
        "Alerte crue jaune : L'Ardèche au pont, Meyras",
    ]
    (link,) = [
        e.get("href") for e in found[0].findall(f"{ATOM}link") if e.get("type") == "application/cap+xml"
    ]
    answer = visit().get(str(link))
    assert answer.headers["content-type"] == "application/cap+xml; charset=utf-8"
    assert answer.text == river.all("cap_message")[-1].values["xml"]
    assert visit().get("/riviere/alertes/x.xml").status_code == 404


def test_an_agent_confirms_ticks_notes_and_ends_on_the_page(river: River, visit: Visit) -> None:
    river.threshold("level", jaune=1.0, orange=2.0)
    river.put("plan_action", {"colour": "jaune", "title": "Fermer le quai", "function": "Police municipale"})
    river.goes(1.2)
    (warning,) = river.all("river_warning")
    here = f"/services/water/alertes/{warning.id}"
    agent = visit("agent")
    assert f'href="{here}"' in agent.get("/services/water/alertes").text
    page = agent.get(here).text
    token = re.search(r'name="csrf" value="(\w+)"', page)
    assert token is not None
    csrf = {"csrf": token[1]}
    sent = agent.post(f"{here}/image", data=csrf, files={"picture": ("x.jpg", photo(), "image/jpeg")})
    (kept,) = river.all("river_image")
    assert f"/riviere/images/{kept.id}.jpg" in sent.text  # the picture is beside the decision
    wrong = agent.post(
        f"{here}/image", data=csrf, files={"picture": ("x.jpg", b"not a picture", "image/jpeg")}
    )
    assert (wrong.status_code, "Cette image n'est pas lisible." in words(wrong.text)) == (400, True)
    refused = agent.post(
        f"{here}/confirmer", data={**csrf, "colour": "vert", "instruction": "À garder", "version": "1"}
    )
    assert (refused.status_code, "À garder" in refused.text) == (400, True)
    done = agent.post(
        f"{here}/confirmer",
        data={**csrf, "colour": "orange", "instruction": "Quai fermé", "version": "1", "image": str(kept.id)},
    )
    assert (done.status_code, "Confirmée par Inès Delmas" in words(done.text)) == (200, True)
    late = agent.post(f"{here}/confirmer", data={**csrf, "colour": "rouge", "version": "1"})
    assert (late.status_code, "entre-temps" in words(late.text)) == (409, True)
    (task,) = river.all("warning_task")
    agent.post(f"{here}/taches", data={**csrf, "task": str(task.id), "state": "done"})
    agent.post(f"{here}/journal", data={**csrf, "kind": "call", "text": "Le maire est prévenu."})
    assert "1 sur 1 faites" in words(agent.get(here).text)
    ended = agent.post(f"{here}/terminer", data={**csrf, "text": "C'est fini."})
    assert "Terminée" in words(ended.text)
    assert [e.values["text"] for e in river.all("warning_entry")][-3:] == [
        "Faite : Fermer le quai (Police municipale)", "Le maire est prévenu.", "Fin de l'alerte. C'est fini.",
    ]  # fmt: skip
    assert "Personne n'est appelé" in words(agent.get("/services/water/astreinte").text)
    by_hand = agent.post(
        "/services/water/alertes",
        data={**csrf, "station": str(river.pont.id), "colour": "jaune", "text": "Essai", "exercise": "1"},
    )
    assert "EXERCICE" in words(by_hand.text)
    assert "Ceci est un entraînement" in words(visit().get("/riviere/l-ardeche").text)


def test_nobody_else_reads_the_log_or_the_desk(river: River, visit: Visit) -> None:
    river.threshold("level", jaune=1.0)
    river.goes(1.2)
    (warning,) = river.all("river_warning")
    for path in (
        "/services/water/alertes",
        f"/services/water/alertes/{warning.id}",
        "/services/water/astreinte",
        "/donnees/warning_entry.csv",
        "/donnees/duty_turn.csv",
    ):
        assert visit().get(path).status_code in (401, 403, 404), path
    assert visit().get("/donnees/river_warning.csv").status_code == 200


def test_the_state_s_colour_is_shown_with_its_source(river: River, visit: Visit) -> None:
    river.threshold("level", jaune=1.0)
    river.put("river_station", {"vigicrues": "LA1"}, id=river.pont.id)
    river.goes(0.5, 0.5)
    series = Series(
        "vigicrues/section/LA1/colour",
        "flood_vigilance",
        Station("vigicrues/section/LA1", "Ardèche"),
        unit="1",
    )
    river.intake.take([Reading(series, river.now, Result(3.0, 0), source_key=b"c")])
    assert "Vigilance de l'État : ◆ Orange Source : © VIGICRUES" in words(
        visit().get("/riviere/l-ardeche").text
    )
