"""The questions of a category (GeoReport attributes): read from a form, checked, said again in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from beffroi.model.collection import Field
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.model.value import parse_value
from beffroi.services.reports.categories_tree import Category
from beffroi.web.kit.form import Input

__all__ = ["check_answers", "inputs_of", "not_ours", "read_answers", "said_answers"]

_PREFIX = "q-"
_MOST = 500


def _title(question: Mapping[str, Any]) -> Text:
    fr = str(question.get("fr") or question["code"])
    return Text(fr, str(question.get("en") or fr))


def _values(question: Mapping[str, Any]) -> list[tuple[str, Text]]:
    found = []
    for value in question.get("values") or ():
        fr = str(value.get("fr") or value["key"])
        found.append((str(value["key"]), Text(fr, str(value.get("en") or fr))))
    return found


def inputs_of(category: Category, language: str) -> list[Input]:
    """Return the inputs that ask a category's questions."""
    found = []
    for question in category.questions:
        kind = str(question.get("kind", "string"))
        options = tuple((key, title.of(language)) for key, title in _values(question))
        required = bool(question.get("required"))
        hint = str(question.get("hint_en" if language == "en" else "hint_fr") or "")
        name, label = _PREFIX + str(question["code"]), _title(question).of(language)
        if kind == "multivaluelist":
            found += [
                Input(
                    f"{name}-{key}",
                    f"{label} : {words}" if language == "fr" else f"{label}: {words}",
                    "checkbox",
                )
                for key, words in options
            ]
        elif kind == "singlevaluelist":
            found.append(Input(name, label, "radio", hint, required, options))
        else:
            shape = {"text": "textarea", "datetime": "datetime-local"}.get(kind, "text")
            found.append(Input(name, label, shape, hint, required))  # type: ignore[arg-type]
    return found


def read_answers(category: Category, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the answers that a form holds, as they are stored: texts, numbers, keys, lists of keys."""
    answers: dict[str, Any] = {}
    for question in category.questions:
        code, kind = str(question["code"]), str(question.get("kind", "string"))
        if kind == "multivaluelist":
            chosen = [key for key, _ in _values(question) if form.get(f"{_PREFIX}{code}-{key}")]
            if chosen:
                answers[code] = chosen
        elif form.get(_PREFIX + code, "").strip():
            answers[code] = form[_PREFIX + code].strip()
    return answers


def check_answers(category: Category, answers: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the answers, each at its input."""
    found = []
    for question in category.questions:
        code = str(question["code"])
        problem = _CHECKS.get(str(question.get("kind", "string")), _text)(question, answers.get(code))
        missing = answers.get(code) in (None, "", [])
        if missing and question.get("required"):
            said = _title(question)
            problem = Problem(Text(f"{said.fr} : il faut une réponse.", f"{said.en}: an answer is needed."))
        if problem is not None:
            found.append(problem.at(_PREFIX + code))
    return found


def _text(question: Mapping[str, Any], value: Any) -> Problem | None:
    if value is None or (isinstance(value, str) and len(value) <= 10 * _MOST):
        return None
    said = _title(question)
    return Problem(Text(f"{said.fr} : le texte est trop long.", f"{said.en}: the text is too long."))


def _parsed(kind: str) -> Callable[[Mapping[str, Any], Any], Problem | None]:
    def check(question: Mapping[str, Any], value: Any) -> Problem | None:
        if value in (None, ""):
            return None
        try:
            parse_value(Field(_title(question), name=str(question["code"]), kind=kind), str(value))  # type: ignore[arg-type]
        except Problem as problem:
            return Problem(problem.reason, problem.mend)
        return None

    return check


def _among(question: Mapping[str, Any], value: Any) -> Problem | None:
    known = {key for key, _ in _values(question)}
    given = value if isinstance(value, list) else [value] if value not in (None, "") else []
    if all(one in known for one in given):
        return None
    said = _title(question)
    return Problem(Text(f"{said.fr} : ce choix n'existe pas.", f"{said.en}: there is no such choice."),
                   Text(f"Choisissez parmi : {', '.join(sorted(known))}.", f"Choose among: {', '.join(sorted(known))}."))  # fmt: skip


_CHECKS: dict[str, Callable[[Mapping[str, Any], Any], Problem | None]] = {
    "string": _text, "text": _text, "number": _parsed("number"), "datetime": _parsed("instant"),
    "singlevaluelist": _among, "multivaluelist": _among,
}  # fmt: skip


def not_ours(category: Category, answers: Mapping[str, Any]) -> Text | None:
    """Return whom to ask instead when an answer says that it is not the town's (an owner, an emergency)."""
    for question in category.questions:
        given = answers.get(str(question["code"]))
        chosen: Sequence[Any] = given if isinstance(given, list) else [given]
        for value in question.get("values") or ():
            stop = value.get("not_ours")
            if stop and str(value["key"]) in chosen:
                fr = str(stop.get("fr", ""))
                return Text(fr, str(stop.get("en") or fr))
    return None


def said_answers(
    category: Category, answers: Mapping[str, Any] | None, language: str
) -> list[tuple[str, str]]:
    """Return the answers as (question, answer) in the reader's words."""
    said = []
    for question in category.questions:
        given = (answers or {}).get(str(question["code"]))
        if given in (None, "", []):
            continue
        words = {key: title.of(language) for key, title in _values(question)}
        chosen = given if isinstance(given, list) else [given]
        said.append(
            (_title(question).of(language), ", ".join(words.get(str(one), str(one)) for one in chosen))
        )
    return said
