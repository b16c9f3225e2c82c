"""Business cases as a Collection of the platform: versions with author and reason, undo, rights, exports."""

from typing import Any

from beffroi.model.collection import Collection, Record, field
from beffroi.model.text import Text

__all__ = ["CASE", "CASE_COLLECTIONS"]


class CaseRecord(Record):
    """One business case: its document decides, the other fields say whose it is and whether residents see it."""

    title: str = field("Modèle économique", "Business case")
    title_en: str | None = field("Modèle économique, en anglais", "Business case, in English", listed=False)
    service: str | None = field("Service", "Service")
    published: bool = field(
        "Publié", "Published", default=False, hint=Text("Les habitants le voient.", "Residents see it.")
    )
    document: dict[str, Any] = field("Document", "Document", listed=False, long=True)


CASE = Collection(
    "business_case", Text("Modèles économiques", "Business cases"), CaseRecord, read="citizen", write="agent", delete="responsable",
    label="title", shown_when="published",
    description=Text("Ce que coûte un service, qui paie, qui gagne, et ce qui est mesuré depuis.",
                     "What a service costs, who pays, who gains, and what was measured since."),
)  # fmt: skip
CASE_COLLECTIONS = (CASE,)
