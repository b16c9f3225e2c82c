"""What makes a measurement doubtful, each doubt with its word in both languages and whether it forbids a figure."""

import msgspec

from beffroi.model.text import Text

__all__ = ["DOUBTS", "Doubt", "forbids"]


class Doubt(msgspec.Struct, frozen=True):
    """One kind of doubt; `bars` says that no figure may be given."""

    code: str
    title: Text
    bars: bool = False


_TABLE = (
    ("night", "Nuit ou image très sombre", "Night or very dark picture", False),
    ("dark", "Trop sombre pour mesurer", "Too dark to measure", True),
    ("rain", "Pluie devant la caméra", "Rain before the camera", False),
    ("fog", "Brouillard ou image voilée", "Fog or veiled picture", False),
    ("blind", "Rien à voir dans l'image", "Nothing to be seen in the picture", True),
    ("glare", "Reflets éblouissants sur l'eau", "Glare on the water", False),
    ("shadow", "Ombre portée sur l'eau", "Shadow cast on the water", False),
    ("lens_dirt", "Objectif sale ou mouillé", "Dirty or wet lens", False),
    ("ice", "Glace possible", "Possible ice", False),
    ("camera_moved", "La caméra a bougé depuis le relevé", "The camera moved since the survey", True),
    ("shake", "Caméra qui tremble", "Shaking camera", False),
    ("not_stabilised", "Pas assez de rive fixe pour stabiliser", "Not enough fixed bank to stabilise", False),
    ("broken_frames", "Images abîmées écartées", "Broken frames left out", False),
    ("truncated", "Vidéo tronquée", "Truncated video", False),
    ("repeated_frames", "Images répétées : la cadence annoncée est fausse", "Repeated frames: the stated rate is wrong", False),
    ("uneven_time", "Cadence irrégulière", "Uneven frame rate", False),
    ("few_frames", "Peu d'images", "Few frames", False),
    ("no_motion", "Aucun mouvement décelé", "No motion found", True),
    ("incoherent", "Mouvement incohérent", "Incoherent motion", True),
    ("implausible_speed", "Vitesse invraisemblable : vérifiez la cadence des images", "Implausible speed: check the frame rate", False),
    ("little_measured", "Moins de la moitié du débit est mesurée", "Less than half of the discharge is measured", False),
    ("section_outside", "Une partie de la section est hors de l'image", "Part of the section is outside the picture", False),
    ("level_above_banks", "Niveau au-dessus des berges relevées", "Level above the surveyed banks", False),
    ("level_unfollowed", "Le relevé ne vaut pas à ce niveau", "The survey does not hold at this level", False),
    ("alpha_assumed", "Coefficient de surface supposé", "Assumed surface coefficient", False),
    ("level_assumed", "Niveau supposé : celui du relevé", "Assumed level: that of the survey", False),
    ("engines_disagree", "Les méthodes ne s'accordent pas", "The methods disagree", False),
    ("level_uncertain", "Niveau incertain", "Uncertain level", False),
    ("level_unseen", "Niveau illisible dans l'image", "Level not legible in the picture", True),
    ("level_conflict", "Les sources de niveau se contredisent", "The sources of level contradict one another", False),
    ("from_rating", "Débit déduit du niveau", "Discharge deduced from the level", False),
)  # fmt: skip
DOUBTS = {code: Doubt(code, Text(fr, en), bars) for code, fr, en, bars in _TABLE}


def forbids(codes: tuple[str, ...] | list[str]) -> bool:
    """True when one of the doubts forbids giving a figure."""
    return any(DOUBTS[c].bars for c in codes)
