"""Programs are never published; honest people are never lost."""

import hashlib
import random
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.services.reports.conftest import Clock

from beffroi.services.reports.abuse import WORK, Post, challenge, marked, signs, solved, start_mark
from beffroi.services.reports.personal_words import masked, personal_words
from beffroi.services.reports.submission import Submission, submit
from beffroi.store.record import Query
from beffroi.town import Town

STREETS = (
    "rue des Tilleuls",
    "rue du Pont",
    "place de la Gare",
    "chemin des Vignes",
    "avenue de la République",
)
THINGS = (
    "matelas",
    "frigo",
    "trou",
    "lampadaire éteint",
    "branche",
    "vitre cassée",
    "banc abîmé",
    "fuite",
    "poubelle pleine",
    "tag",
)


def honest(n: int, chance: random.Random) -> str:
    return f"{chance.choice(THINGS)} devant le {n} {chance.choice(STREETS)}, vu {chance.choice(('ce matin', 'hier', 'à midi'))}"


def mark(town: Town, seconds: float) -> str:
    return start_mark(town.settings.secret(), town.clock() - int(seconds * 1e6))


def tally(town: Town) -> Counter:
    rows = town.store.records.all("service_request", Query(limit=1000))
    return Counter((r.values["moderation"], r.values["shown"]) for r in rows)


def test_a_thousand_posts_of_programs_publish_nothing(
    town: Town, categories: dict[str, int], clock: Clock
) -> None:
    """The trap, too fast, the same text, the same network, no form opened, a mark of another town, links."""
    chance = random.Random(5)
    secret = town.settings.secret()
    with town.store.write() as c:  # one program had tried before: its network and text are known
        for _ in range(8):
            signs(
                c,
                secret,
                Post("pilules pas chères à vendre ici", "203.0.113.7", start=mark(town, 60)),
                town.clock(),
            )
    kinds = {
        "trap": lambda n: Post(
            honest(n, chance), f"198.51.100.{n % 250}", trap="http://x", start=mark(town, 30)
        ),
        "fast": lambda n: Post(honest(n, chance), f"198.51.101.{n % 250}", start=mark(town, 0.4)),
        "same": lambda n: Post(
            "pilules pas chères à vendre ici", f"198.51.{n % 250}.1", start=mark(town, 30)
        ),
        "network": lambda n: Post(honest(n, chance), "203.0.113.7", start=mark(town, 30)),
        "no form": lambda n: Post(honest(n, chance), f"198.51.102.{n % 250}"),
        "forged": lambda n: Post(
            honest(n, chance), f"198.51.103.{n % 250}", start="5f0a.0123456789abcdef01234567"
        ),
        "links": lambda n: Post(
            f"venez {n} sur www.exemple.test", f"198.51.104.{n % 250}", start=mark(town, 30)
        ),
        "old": lambda n: Post(honest(n, chance), f"198.51.105.{n % 250}", start=mark(town, 2 * 86400)),
    }
    for n in range(1000):
        post = list(kinds.values())[n % len(kinds)](n)
        clock.wait(0.3)
        submit(
            town,
            Submission(category=categories["depot"], description=post.text, place="rue des Tilleuls"),
            post,
        )
    assert tally(town) == {("waiting", False): 1000}


def test_a_thousand_honest_reports_are_all_there(
    town: Town, categories: dict[str, int], clock: Clock
) -> None:
    """970 homes in a day, and thirty pupils from one school's address within a minute."""
    chance = random.Random(6)
    numbers = []
    for n in range(970):
        clock.wait(86)
        post = Post(
            honest(n, chance), f"192.0.{n % 250}.{n // 250}", start=mark(town, chance.uniform(15, 400))
        )
        numbers.append(
            submit(
                town,
                Submission(
                    category=categories["depot"], description=post.text, place=f"{n} rue des Tilleuls"
                ),
                post,
            ).number
        )
    for n in range(30):
        clock.wait(2)
        post = Post(
            f"Devant l'école, pupitre {n} : {honest(n, chance)}",
            "203.0.113.50",
            start=mark(town, chance.uniform(20, 200)),
        )
        numbers.append(
            submit(
                town, Submission(category=categories["trou"], description=post.text, place="école"), post
            ).number
        )
    assert len(set(numbers)) == 1000 == town.store.records.count("service_request")
    found = tally(town)
    assert set(found) == {("accepted", True), ("waiting", False)}  # what is unsure waits for an agent
    assert found["waiting", False] == 30 - 6
    assert found["accepted", True] == 976


def test_a_proof_of_work_frees_those_who_share_a_network(town: Town, clock: Clock) -> None:
    secret = town.settings.secret()
    found = []
    for n in range(12):
        start = mark(town, 30)
        proof = ""
        if n >= 6:
            riddle = challenge(secret, start)
            proof = str(
                next(
                    k for k in range(2 * WORK) if hashlib.sha256(f"{start}{k}".encode()).hexdigest() == riddle
                )
            )
        with town.store.write() as c:
            found.append(
                signs(
                    c,
                    secret,
                    Post(f"Un trou numéro {n} dans la rue", "203.0.113.9", start=start, proof=proof),
                    town.clock(),
                )
            )
        clock.wait(1)
    assert found == [[]] * 12
    with town.store.write() as c:
        assert signs(
            c,
            secret,
            Post("Encore un autre trou", "203.0.113.9", start=mark(town, 30), proof="12"),
            town.clock(),
        ) == ["many"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_marks_and_proofs_cannot_be_made_up(start: str, proof: str) -> None:
    secret = b"x" * 32
    assert marked(secret, start) is None
    assert not solved(secret, "5f0a.0123", proof) or proof.isdigit()
    assert marked(secret, start_mark(secret, 1_764_000_000_000_000)) == 1_764_000_000_000_000


def test_networks_are_kept_only_as_digests_and_for_a_day(
    town: Town, categories: dict[str, int], clock: Clock
) -> None:
    submit(town, Submission(category=categories["depot"], description="Un matelas ici", place="rue des Tilleuls"),
           Post("Un matelas ici", "203.0.113.99", start=mark(town, 30)))  # fmt: skip
    held = b"".join(p.read_bytes() for p in town.settings.data.glob("*.db*"))
    assert b"203.0.113.99" not in held
    clock.wait(86_401)
    with town.store.write() as c:
        signs(c, town.settings.secret(), Post("autre chose", "192.0.2.1", start=mark(town, 30)), town.clock())
        assert c.exec_driver_sql("SELECT count(*) FROM sighting").scalar() == 2


def test_the_towns_own_list_sends_to_reading(town: Town, categories: dict[str, int]) -> None:
    town.store.set_setting("reports.abuse", ["Crypto Gagnant", ""])
    for text, shown in (("Une offre crypto  gagnant !", False), ("La crypte est fissurée", True)):
        made = submit(
            town,
            Submission(category=categories["trou"], description=text, place="ici même"),
            Post(text, "192.0.2.5", start=mark(town, 30)),
        )
        assert made.shown is shown


def test_personal_words_are_found_and_masked() -> None:
    told = {
        "Appelez-moi au 06 12 34 56 78 ou +33 6.12.34.56.78": "Appelez-moi au [téléphone] ou [téléphone]",
        "Écrire à jean.dupont+x@mairie.exemple.fr merci": "Écrire à [courriel] merci",
        "La voiture AB-123-CD et la 1234 XY 75": "La voiture [immatriculation] et la [immatriculation]",
        "Mme Durand-Petit et M. Jean Martin crient": "[nom] et [nom] crient",
        "Monsieur le Maire, Madame la Directrice": "Monsieur le Maire, Madame la Directrice",
        "Le 12/11/2025 à 10 h 30, lampadaire 4521, 3,50 €": "Le 12/11/2025 à 10 h 30, lampadaire 4521, 3,50 €",
        "rue de la 2e DB, place du 8 mai 1945": "rue de la 2e DB, place du 8 mai 1945",
    }
    for text, wanted in told.items():
        assert masked(text) == wanted


@given(st.text(max_size=200))
def test_masking_leaves_nothing_personal_and_touches_nothing_else(text: str) -> None:
    found = personal_words(text)
    assert all(a.end <= b.start for a, b in pairwise(found))
    rest = "".join(c for n, c in enumerate(text) if not any(f.start <= n < f.end for f in found))
    hidden = masked(text)
    for word in ("[courriel]", "[téléphone]", "[immatriculation]", "[nom]"):
        hidden = hidden.replace(word, "") if word not in text else hidden
    assert (
        len(found) == 0
        or hidden == rest
        or any(w in text for w in ("[courriel]", "[nom]", "[téléphone]", "[immatriculation]"))
    )


def test_a_text_with_a_name_waits_for_an_agent(town: Town, categories: dict[str, int]) -> None:
    text = "Mme Durand jette ses sacs"
    made = submit(
        town,
        Submission(category=categories["depot"], description=text, place="ici même"),
        Post(text, "192.0.2.5", start=mark(town, 30)),
    )
    assert not made.shown
    assert town.store.records.get("service_request", made.id).values["flags"] == ["name"]
