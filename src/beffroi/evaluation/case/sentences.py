"""Sentences: what a case says, in words that a council reads."""

from beffroi.model.text import Text

__all__ = ["verdict_of"]

SURE, LIKELY = 0.05, 0.25


def verdict_of(van: float, below_zero: float | None) -> Text:
    """Return in one sentence whether the service is worth its cost, and how sure that is."""
    gains = van > 0
    if below_zero is None:
        said = (
            Text("Le service rapporte plus qu'il ne coûte", "The service brings more than it costs")
            if gains
            else Text("Le service coûte plus qu'il ne rapporte", "The service costs more than it brings")
        )
        return Text(f"{said.fr} ; aucune incertitude n'est chiffrée.", f"{said.en}; no uncertainty is given.")
    wrong = below_zero if gains else 1.0 - below_zero
    percent = round(100 * wrong)
    if wrong > LIKELY:
        return Text(
            f"On ne peut pas dire si le service vaut son coût : il y a {round(100 * below_zero)} chances sur 100 qu'il coûte plus qu'il ne rapporte.",
            f"Whether the service is worth its cost cannot be said: there are {round(100 * below_zero)} chances in 100 that it costs more than it brings.",
        )
    sure = Text("", "") if wrong <= SURE else Text("sans doute ", "probably ")
    risk = "moins d'une chance" if percent < 1 else f"{percent} chance{'s' if percent > 1 else ''}"
    risk_en = "less than one chance" if percent < 1 else f"{percent} chance{'s' if percent > 1 else ''}"
    if gains:
        return Text(
            f"Le service vaut {sure.fr}son coût : {risk} sur 100 de se tromper, d'après les incertitudes déclarées.",
            f"The service is {sure.en}worth its cost: {risk_en} in 100 of being wrong, by the declared uncertainties.",
        )
    return Text(
        f"Le service ne vaut {sure.fr}pas son coût : {risk} sur 100 de se tromper, d'après les incertitudes déclarées.",
        f"The service is {sure.en}not worth its cost: {risk_en} in 100 of being wrong, by the declared uncertainties.",
    )
