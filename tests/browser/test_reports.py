"""A citizen in Chromium: the whole path without script within its weight, by keyboard; with script, a draft and the map."""

import io
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from .conftest import Served
from .test_weight import KILOBYTE, Scales, weigh

pytestmark = pytest.mark.browser


def test_the_whole_path_without_script_weighs_at_most_150_kilobytes(chromium: Browser, town: Served) -> None:
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 360, "height": 740}, locale="fr"
    )
    page = context.new_page()
    scales = Scales(page)
    page.goto(town.url + "signaler")
    page.wait_for_timeout(3200)  # nobody fills a form in under three seconds
    page.get_by_label("De quoi s'agit-il ?").select_option(label="Trou dans la chaussée")
    page.get_by_label("Où est-ce ?").fill("12 rue du Lavoir")
    page.get_by_label("Que voyez-vous ?").fill("Un trou devant la boulangerie")
    page.get_by_role("button", name="Envoyer").click()
    if page.get_by_role("heading", name="Avant d'envoyer").count():
        expect(page.get_by_text("Rien n'est encore envoyé.")).to_be_visible()
        page.get_by_role("button", name=re.compile("envoyer", re.IGNORECASE)).click()
    expect(page.get_by_text("Merci, c'est envoyé.")).to_be_visible()
    own = page.url
    number = re.search(r"/suivi/([\d-]+)/", own).group(1)
    page.goto(town.url + "suivi")
    page.get_by_label("Numéro").fill(number)
    page.get_by_role("button", name="Ouvrir").click()
    expect(page.get_by_text("Un trou devant la boulangerie").first).to_be_visible()
    page.get_by_text("Ajouter un commentaire ou une photo").click()
    page.get_by_label("Commentaire").fill("Toujours là ce matin")
    page.wait_for_timeout(3200)
    page.get_by_role("button", name="Ajouter", exact=True).click()
    expect(page.get_by_text("Toujours là ce matin").first).to_be_visible()
    assert scales.bytes <= 150 * KILOBYTE
    context.close()


@pytest.mark.parametrize(
    "path",
    ["signaler", "signaler?categorie=lampadaire", "signaler?saisine=1", "suivi", "signalements/alertes"],
)
def test_each_page_weighs_at_most_14_kilobytes(chromium: Browser, town: Served, path: str) -> None:
    assert weigh(chromium, town.url + path, script=False) <= 14 * KILOBYTE
    assert weigh(chromium, town.url + path) <= 14 * KILOBYTE


def test_the_form_is_filled_by_keyboard_alone(chromium: Browser, town: Served) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="fr")
    page = context.new_page()
    page.goto(town.url + "signaler")
    page.get_by_label("De quoi s'agit-il ?").focus()
    names = []
    for _ in range(6):
        names.append(page.evaluate("document.activeElement.name || document.activeElement.tagName"))
        page.keyboard.press("Tab")
    assert names == ["category", "place", "description", "photo", "SUMMARY", "BUTTON"]
    context.close()


def typed(page: Page) -> tuple[str, str]:
    return page.get_by_label("Où est-ce ?").input_value(), page.get_by_label("Que voyez-vous ?").input_value()


def test_a_draft_survives_without_a_network(chromium: Browser, town: Served) -> None:
    context = chromium.new_context(locale="fr")
    page = context.new_page()
    page.goto(town.url + "signaler")
    page.evaluate("navigator.serviceWorker.ready")
    page.reload()
    page.get_by_label("Où est-ce ?").fill("12 rue du Lavoir")
    page.get_by_label("Que voyez-vous ?").fill("Une branche")
    context.set_offline(True)
    page.get_by_role("button", name="Envoyer").click()
    expect(page.get_by_text("gardé sur ce téléphone")).to_be_visible()
    page.goto(town.url + "signaler")  # from the worker
    expect(page.get_by_text("Un brouillon a été retrouvé.")).to_be_visible()
    assert typed(page) == ("12 rue du Lavoir", "Une branche")
    context.set_offline(False)
    page.reload()
    assert typed(page) == ("12 rue du Lavoir", "Une branche")
    page.get_by_role("button", name="L'oublier").click()
    expect(page.get_by_text("Un brouillon")).to_have_count(0)
    assert typed(page) == ("", "")
    context.close()


def test_a_point_is_chosen_on_the_map_by_press_and_by_keyboard(chromium: Browser, town: Served) -> None:
    context = chromium.new_context(locale="fr", viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(town.url + "signaler")
    page.get_by_role("button", name="Sur la carte").click()
    page.locator("beffroi-map[data-ready]").wait_for(state="attached", timeout=15_000)
    canvas = page.locator("beffroi-map .canvas")
    canvas.click(position={"x": 120, "y": 150})
    expect(page.get_by_text("Le point choisi est joint.")).to_be_visible()
    first = page.locator("input[name=lon]").input_value(), page.locator("input[name=lat]").input_value()
    assert all(re.fullmatch(r"\d+\.\d{6}", value) for value in first)
    canvas.focus()
    page.keyboard.press("Enter")
    assert (
        page.locator("input[name=lon]").input_value(),
        page.locator("input[name=lat]").input_value(),
    ) != first
    context.close()


def telephoned(lon: float, lat: float) -> bytes:
    """Return a photo as a telephone writes it, with where it was taken."""
    held, about = io.BytesIO(), Image.Exif()

    def parts(degrees: float) -> tuple[float, float, float]:
        minutes = degrees % 1 * 60
        return float(int(degrees)), float(int(minutes)), minutes % 1 * 60

    about.get_ifd(0x8825).update({1: "N" if lat >= 0 else "S", 2: parts(abs(lat)), 3: "E" if lon >= 0 else "W", 4: parts(abs(lon))})  # fmt: skip
    Image.new("RGB", (60, 40), "#446").save(held, "JPEG", exif=about.tobytes())
    return held.getvalue()


def test_a_photo_first_brings_its_place_when_it_was_taken_in_the_town(
    chromium: Browser, town: Served
) -> None:
    context = chromium.new_context(locale="fr", viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(town.url + "signaler")
    west, south, east, north = map(float, (page.locator("form[data-report]").get_attribute("data-box") or "").split(","))  # fmt: skip
    inside = (west + east) / 2, (south + north) / 2
    for lon, lat, told in ((-inside[0], -inside[1], False), (*inside, True)):
        with page.expect_file_chooser() as chosen:
            page.get_by_role("button", name="Commencer par une photo").click()
        chosen.value.set_files([{"name": "p.jpg", "mimeType": "image/jpeg", "buffer": telephoned(lon, lat)}])
        expect(page.locator(".previews img")).to_have_count(1)
        if told:
            expect(page.get_by_text("Le lieu de la photo est joint.")).to_be_visible()
        found = page.locator("input[name=lon]").input_value(), page.locator("input[name=lat]").input_value()
        assert found == ((f"{lon:.6f}", f"{lat:.6f}") if told else ("", ""))
    fields = page.locator("form[data-report] > .field label").all_inner_texts()
    assert fields[0].startswith("Photo")  # it stands first now, for the eye and the keyboard
    page.get_by_label("Où est-ce ?").fill("12 rue du Lavoir")  # the photo was taken elsewhere
    assert page.locator("input[name=lon]").input_value() == ""
    context.close()


def test_choosing_a_category_with_questions_asks_them_and_keeps_what_was_typed(
    chromium: Browser, town: Served, tmp_path: Path
) -> None:
    context = chromium.new_context(locale="en")
    page = context.new_page()
    page.goto(town.url + "signaler?lang=en")
    page.get_by_label("Where is it?").fill("12 rue du Lavoir")
    page.get_by_label("What is it about?").select_option(label="Street light out")
    expect(page.get_by_text("What does it do?")).to_be_visible()
    expect(page.get_by_label("Where is it?")).to_have_value("12 rue du Lavoir")
    page.get_by_label("Wires hang out").check()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Touch nothing. Call Enedis")).to_be_visible()
    context.close()


# What a browser does when its own push service is reached; ours has none: the subscription is written here.
SUBSCRIBING = """() => {
  const raw = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  let held = null;
  PushManager.prototype.getSubscription = async () => held;
  PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
    if (!userVisibleOnly || applicationServerKey.length !== 65) throw new TypeError("a browser would refuse");
    const keys = { p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", auth: "BTBZMqHH6r4Tts7J_aSIgg" };
    const endpoint = globalThis.elsewhere ?? "https://push.example.net/x";
    held = { endpoint, options: { applicationServerKey }, unsubscribe: async () => { held = null; globalThis.unsubscribed = true; return true; },
             toJSON: () => ({ endpoint, expirationTime: null, keys }) };
    return held;
  };
}"""


MOVED = """async () => {
  const real = self.fetch;
  let told;
  self.fetch = async (...asked) => { const answer = await real(...asked); told = await answer.clone().json(); return answer; };
  const keys = { p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", auth: "BTBZMqHH6r4Tts7J_aSIgg" };
  const endpoint = "https://push.example.net/y";
  const event = new ExtendableEvent("pushsubscriptionchange");
  Object.defineProperty(event, "newSubscription", { value: { endpoint, toJSON: () => ({ endpoint, keys }) } });
  let done;
  Object.defineProperty(event, "waitUntil", { value: (promise) => { done = promise; } });
  self.dispatchEvent(event);
  await done;
  self.fetch = real;
  return told;
}"""


HANDED = """async () => {
  const held = await (await caches.open("beffroi-push")).match("/push");
  return (await held.json()).endpoint === "https://push.example.net/z";
}"""


def test_a_browser_is_told_only_after_it_was_asked_to(chromium: Browser, town: Served) -> None:
    context = chromium.new_context(locale="fr", permissions=["notifications"])
    hosts: set[str] = set()
    context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    context.add_init_script(f"({SUBSCRIBING})()")
    page = context.new_page()
    page.goto(town.url + "signalements")
    page.locator(".reports a").first.click()
    page.get_by_text("Être prévenu des suites").click()
    start = page.get_by_role("button", name="Être prévenu sur cet appareil")
    expect(start).to_be_visible()
    assert page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0
    start.click()
    expect(page.get_by_text("Cet appareil sera prévenu.")).to_be_visible()
    expect(start).to_be_hidden()
    # its push service gives the browser another address: the service worker tells the town
    assert context.service_workers[0].evaluate(MOVED) == {"moved": 1}
    shown = pushed(page, town.url, {"title": "Signalement 26-1 : Clos", "body": "Réparé", "tag": "t", "lang": "fr",
                                    "page": "/signalements", "stop": "/stop", "stop_title": "Ne plus recevoir"})  # fmt: skip
    assert shown == [
        [
            "Signalement 26-1 : Clos",
            "Réparé",
            "t",
            {"page": "/signalements", "stop": "/stop"},
            ["Ne plus recevoir"],
        ]
    ]
    # and once more, unseen by it: the page does
    context.add_init_script('globalThis.elsewhere = "https://push.example.net/z"')
    page.reload()
    page.wait_for_function(HANDED)  # it notes the address once the town has it
    page.get_by_text("Être prévenu des suites").click()
    stop = page.get_by_role("button", name="Ne plus l'être sur cet appareil")
    stop.click()
    expect(page.get_by_text("C'est arrêté, et effacé.")).to_be_visible()
    expect(stop).to_be_hidden()
    assert page.evaluate("localStorage.getItem('beffroi-push')") == "{}"
    assert hosts == {urlsplit(town.url).netloc}
    context.close()


def pushed(page: Page, url: str, message: dict[str, object]) -> list[list[object]]:
    """Hand a message to the page's service worker as a push service would; return the notifications it shows."""
    devtools = page.context.new_cdp_session(page)
    known: list[str] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: known.extend(one["registrationId"] for one in told["registrations"]),
    )
    devtools.send("ServiceWorker.enable")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    origin = url.rstrip("/")
    devtools.send("ServiceWorker.deliverPushMessage",
                  {"origin": origin, "registrationId": known[0], "data": json.dumps(message)})  # fmt: skip
    found: list[list[object]] = page.evaluate("""async () => {
      const ready = await navigator.serviceWorker.ready;
      for (;;) {
        const shown = await ready.getNotifications();
        if (shown.length) return shown.map((n) => [n.title, n.body, n.tag, n.data, n.actions.map((a) => a.title)]);
        await new Promise((then) => setTimeout(then, 20));
      }
    }""")
    return found
