"""From words to a category: the first day, corrections, doubt, and a model file that holds no code."""

import io
from pathlib import Path

import numpy as np
import pytest
from bench.reports_texts import CATEGORIES, texts
from sklearn.metrics import f1_score

from beffroi.model.problem import Problem
from beffroi.services.reports.categories.classifier import Category, Classifier
from beffroi.services.reports.categories.evaluation import (
    _verdict,
    calibrate,
    evaluate,
    read_texts,
    threshold_for,
)
from beffroi.services.reports.words import stems

KNOWN = texts(400, seed=3)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Le LAMPADAIRE est éteint", "eclairage"),
        ("lampadiare eteint rue des lilas", "eclairage"),
        ("des encombrants devant ma porte", "dechets"),
        ("nids de poule avenue Foch", "voirie"),
        ("un gros trou", "voirie"),
        ("voitures ventouses", "stationnement"),
        ("taguer", None),
        ("xyz 123", None),
        ("", None),
        ("Bonjour, merci de faire quelque chose", None),
    ],
)
def test_on_the_first_day_names_and_synonyms_decide_or_a_person_does(text: str, code: str | None) -> None:
    guess = Classifier(CATEGORIES).guess(text)
    assert guess.code == code
    assert sum(p for _, p in Classifier(CATEGORIES).guess(text, most=99).likely) == pytest.approx(1.0)


def test_on_the_first_day_what_is_accepted_is_right() -> None:
    model = Classifier(CATEGORIES)
    said = [(model.guess(text).code, code) for text, code in texts(1000, seed=2)]
    taken = [(a, b) for a, b in said if a is not None]
    assert len(taken) >= 600
    assert sum(a == b for a, b in taken) / len(taken) >= 0.95


def test_a_correction_is_learned_at_once_and_many_make_it_sure() -> None:
    model = Classifier(CATEGORIES)
    text = "le machin clignote devant chez mamie"
    assert model.guess(text).code is None
    for _ in range(3):
        model.correct(text, "eclairage")
    model.correct(text, "no such category")
    assert (model.guess(text).code, model.learned) == ("eclairage", 3)
    assert model.guess("le machin clignotait chez mamie").code == "eclairage"


def test_measured_on_texts_it_has_not_seen_it_is_right_calibrated_and_careful() -> None:
    verdict = evaluate(CATEGORIES, KNOWN)
    assert (verdict.n, sum(map(sum, verdict.confusion))) == (400, 400)
    assert verdict.macro_f1 >= 0.95
    assert verdict.accepted_accuracy is not None
    assert verdict.accepted_accuracy >= 0.95
    assert verdict.calibration_error <= 0.05


def test_when_words_tell_nothing_it_abstains() -> None:
    chance = np.random.default_rng(1)
    codes = [c.code for c in CATEGORIES]
    noise = [
        (f"{chance.choice(['un', 'deux', 'trois', 'quatre'])} zut {i}", str(chance.choice(codes)))
        for i in range(200)
    ]
    model = Classifier(CATEGORIES)
    model.learn(noise)
    calibrate(model, noise)
    assert [model.guess(f"zut {i}").code for i in range(500, 520)] == [None] * 20
    verdict = evaluate(CATEGORIES, noise)
    assert verdict.accepted <= 0.05


def test_the_measures_are_those_of_scikit_learn() -> None:
    chance = np.random.default_rng(6)
    p = chance.dirichlet(np.ones(4), 300)
    truth = chance.integers(0, 3, 300)  # the fourth category has no text
    verdict = _verdict(tuple("abcd"), p, p.max(1) > 0.5, truth)
    labels = [0, 1, 2]
    assert verdict.macro_f1 == pytest.approx(f1_score(truth, p.argmax(1), average="macro", labels=labels))
    assert sum(b.n for b in verdict.calibration) == 300
    assert verdict.accepted == pytest.approx((p.max(1) > 0.5).mean())


def test_the_threshold_is_the_lowest_that_is_right_often_enough() -> None:
    p = np.concatenate([np.full(100, 0.6), np.full(100, 0.8)])
    right = np.concatenate([np.arange(100) < 50, np.arange(100) < 99])
    assert threshold_for(p, right) == 0.61
    assert threshold_for(p[:100], right[:100]) == 0.99
    assert threshold_for(np.full(3, 0.9), np.ones(3, dtype=bool)) == 0.99


def test_a_model_file_comes_back_the_same_and_follows_the_categories(tmp_path: Path) -> None:
    model = Classifier(CATEGORIES)
    model.learn(KNOWN[:100])
    calibrate(model, KNOWN[:100])
    model.save(tmp_path / "m.npz")
    back = Classifier.from_bytes((tmp_path / "m.npz").read_bytes())
    assert [back.guess(t) for t, _ in KNOWN] == [model.guess(t) for t, _ in KNOWN]
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]
    fewer = [Category("neuf", ("Tout neuf",)), *CATEGORIES[:0:-1]]
    moved = Classifier.from_bytes(model.to_bytes(), fewer)
    text = KNOWN[0][0]
    kept = [i for i, c in enumerate(moved.codes) if c in model.rank]
    learned = model.weights[:, [model.rank[moved.codes[i]] for i in kept]]
    assert np.array_equal(moved.weights[:, kept], learned)
    assert moved.guess(text, most=99).likely[0][0] in moved.rank


def test_a_file_that_could_run_code_is_refused() -> None:
    out = io.BytesIO()
    np.savez(
        out,
        about=np.array([{"format": 1}], dtype=object),
        rows=np.zeros(0),
        weights=np.zeros(0),
        squares=np.zeros(0),
    )
    for content in (out.getvalue(), b"", b"\x80\x04.", Classifier(CATEGORIES).to_bytes()[:200]):
        with pytest.raises(Problem, match="not a model of categories"):
            Classifier.from_bytes(content)


def test_texts_are_read_from_json_and_csv_and_bad_rows_named(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("text,category\nun trou,voirie\n", "utf-8")
    assert read_texts(file) == [("un trou", "voirie")]
    file = tmp_path / "t.json"
    file.write_text('[{"issue_description": "hole", "issue_type": "road"}, {"issue_type": "road"}]', "utf-8")
    with pytest.raises(Problem) as caught:
        read_texts(file)
    assert caught.value.place == "/1"
    file.write_text("{", "utf-8")
    with pytest.raises(Problem, match="cannot be read"):
        read_texts(file)


def test_words_are_compared_without_case_accents_or_endings() -> None:
    assert stems("Les Lampadaires ÉTEINTS") == stems("lampadaire éteint")
    assert stems("lamps", "en") == stems("Lamp", "en")
    assert stems("il y a un") == ()


@pytest.mark.shared
def test_new_orleans_tickets_are_sorted_or_left_to_a_person(shared: Path) -> None:
    tickets = read_texts(shared / "data/reports/new_orleans_311_text_a.json")
    verdict = evaluate([Category(c, (c,)) for c in sorted({c for _, c in tickets})], tickets, "en")
    assert verdict.n == 50
    assert verdict.accepted_accuracy is not None
    assert verdict.accepted_accuracy >= 0.95
