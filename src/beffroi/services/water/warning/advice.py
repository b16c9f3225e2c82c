"""What to do, by colour: short sentences for someone woken by water. A station may have its own.

After the advice of the State's prevention services: go up, stay away from the river, do not drive, call 112.
"""

from typing import Any

from beffroi.model.text import Text

__all__ = ["advice_of", "meaning"]

_MEANING = {
    "vert": Text("Rien à signaler.", "Nothing to report."),
    "jaune": Text("Rivière haute. Soyez prudent au bord de l'eau.", "The river is high. Take care near the water."),
    "orange": Text("Débordement possible ou en cours.", "Flooding is possible or under way."),
    "rouge": Text("Crue dangereuse. Des vies sont menacées.", "Dangerous flood. Lives are at risk."),
}  # fmt: skip
_ADVICE: dict[str, tuple[Text, ...]] = {
    "vert": (Text("Rien à faire.", "Nothing to do."),),
    "jaune": (
        Text("Éloignez-vous des berges, des quais et des gués.", "Keep away from banks, quays and fords."),
        Text("Rentrez ce qui est au bord de l'eau.", "Take in what stands near the water."),
        Text("Revenez voir cette page.", "Come back to this page."),
    ),
    "orange": (
        Text("Montez ce qui craint l'eau. Préparez papiers, médicaments, lampe, téléphone chargé.",
             "Move what fears water upstairs. Get papers, medicines, a torch and a charged telephone ready."),
        Text("Ne descendez ni à la cave ni au parking souterrain.", "Do not go down to the cellar or the underground car park."),
        Text("Ne traversez pas une route inondée, ni à pied ni en voiture.", "Do not cross a flooded road, on foot or by car."),
        Text("Laissez les enfants à l'école : on s'en occupe.", "Leave children at school: they are looked after."),
    ),
    "rouge": (
        Text("Montez à l'étage maintenant. N'attendez pas.", "Go upstairs now. Do not wait."),
        Text("Coupez le gaz et l'électricité si vous êtes au sec.", "Turn off gas and electricity if you stand dry."),
        Text("Ne prenez pas la voiture. N'allez pas chercher les enfants à l'école.", "Do not drive. Do not fetch children from school."),
        Text("En danger : appelez le 112 ; par SMS, le 114.", "In danger: call 112; by text message, 114."),
    ),
}  # fmt: skip


def meaning(colour: str) -> Text:
    """Return what a colour means, in a sentence."""
    return _MEANING[colour]


def advice_of(station: dict[str, Any], colour: str, language: str) -> list[str]:
    """Return what to do: the station's own advice, one sentence a line, or the common one."""
    own = (station.get("advice") or {}).get(colour)
    said = own.get(language) or own.get("fr") if isinstance(own, dict) else None
    if isinstance(said, str) and said.strip():
        return [line.strip() for line in said.splitlines() if line.strip()]
    return [text.of(language) for text in _ADVICE[colour]]
