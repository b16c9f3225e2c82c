"""What the energy service keeps: sites and their delivery points, works, bills, and what was found wasted."""

from datetime import date, datetime

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.text import Text
from beffroi.services.energy.wording import TITLE_SAYINGS, WHY_SAYINGS

__all__ = ["COLLECTIONS", "FLUIDS"]

FLUIDS = (
    choice("electricity", "Électricité", "Electricity"), choice("gas", "Gaz", "Gas"), choice("water", "Eau", "Water"),
    choice("heat", "Réseau de chaleur", "District heating"), choice("oil", "Fioul", "Oil"), choice("wood", "Bois", "Wood"),
)  # fmt: skip
ZONES = (choice("A", "Zone A", "Zone A"), choice("B", "Zone B", "Zone B"), choice("C", "Zone C", "Zone C"))
KINDS = (
    choice("night", "Talon de nuit", "Night base load"), choice("weekend", "Fins de semaine", "Week-ends"),
    choice("holiday", "Vacances scolaires", "School holidays"), choice("drift", "Dérive", "Drift"),
)  # fmt: skip


class Site(Record):
    """What uses energy: a building, a group of buildings, a stadium."""

    code: str = field("Identifiant", "Identifier", key=True)
    name: str = field("Nom", "Name")
    asset: str | None = field("Fiche du bâtiment", "Building record", pattern=r"[a-z_]+/\d+", listed=False,
                              hint=Text("Par exemple building/12.", "Such as building/12."))  # fmt: skip
    use: str | None = field(
        "Usage", "Use", hint=Text("École, mairie, gymnase…", "School, town hall, gymnasium…")
    )
    surface_m2: float | None = field("Surface", "Floor area", unit="m²", minimum=0)
    zone: str | None = field("Zone scolaire", "School zone", choices=ZONES, listed=False,
                             hint=Text("Vide si l'usage ne suit pas les vacances.", "Empty when its use does not follow school holidays."))  # fmt: skip
    reference_year: int | None = field(
        "Année de référence OPERAT", "OPERAT reference year", minimum=2010, maximum=2022, listed=False
    )
    reference_kwh: float | None = field(
        "Consommation de référence", "Reference use", unit="kWh", minimum=0, listed=False
    )
    reference_thermal: float | None = field("Part du chauffage et du froid dans la référence", "Share of heating and cooling in the reference",
                                            unit="%", minimum=0, maximum=100, listed=False)  # fmt: skip
    usual_degree_days: float | None = field("Degrés-jours habituels", "Usual degree days", minimum=0, listed=False,
                                            hint=Text("Chauffage, base 18 °C, moyenne 2001-2020 de la station qu'OPERAT donne au site.",
                                                      "Heating, base 18 °C, mean of 2001-2020 of the station that OPERAT gives the site."))  # fmt: skip
    siret: str | None = field(
        "SIRET de l'établissement", "SIRET of the establishment", pattern=r"\d{14}", listed=False
    )
    absolute_kwh_m2: float | None = field(
        "Objectif absolu (Cabs)", "Absolute target (Cabs)", unit="kWh/m²", minimum=0, listed=False
    )


class DeliveryPoint(Record):
    """Where a fluid is delivered and metered: its number is text, zeros included."""

    code: str = field("Numéro", "Number", key=True, hint=Text("PRM (14 chiffres), PCE (14 chiffres ou GI et 6), ou numéro du compteur d'eau.",
                                                             "PRM (14 digits), PCE (14 digits, or GI and 6), or the water meter's number."))  # fmt: skip
    fluid: str = field("Fluide", "Fluid", choices=FLUIDS, default="electricity")
    site: int | None = field("Site", "Site", reference="energy_site")
    use: str | None = field(
        "Usage", "Use", hint=Text("Chauffage, éclairage, tout…", "Heating, lighting, everything…")
    )
    price: float | None = field("Prix payé", "Price paid", unit="€/kWh", minimum=0, maximum=100, read="agent",
                                hint=Text("Par kWh, ou par m³ d'eau, toutes taxes comprises, sans l'abonnement.", "Per kWh, or per m³ of water, taxes included, without the standing charge."))  # fmt: skip
    power_kva: float | None = field(
        "Puissance souscrite", "Subscribed power", unit="kVA", minimum=0, listed=False
    )
    euro_kva: float | None = field("Prix annuel d'un kVA souscrit", "Price of a subscribed kVA, a year", unit="€/kVA", minimum=0, listed=False, read="agent",
                                   hint=Text("Ce que l'abonnement augmente par kVA et par an, toutes taxes comprises.",
                                             "What the standing charge rises by a kVA a year, taxes included."))  # fmt: skip
    euro_excess: float | None = field("Prix d'un kVA de dépassement, par jour", "Price of a kVA in excess, a day", unit="€/kVA", minimum=0, listed=False,
                                      read="agent", hint=Text("Points de plus de 36 kVA seulement.", "Points above 36 kVA only."))  # fmt: skip
    tariff: str | None = field("Formule tarifaire", "Tariff", listed=False)
    contract_on: date | None = field("Contrat tel qu'au", "Contract as of", listed=False,
                                     hint=Text("Le jour du flux qui l'a dit : un flux plus ancien ne le change pas.",
                                               "The day of the flow that told it: an older flow does not change it."))  # fmt: skip
    supplier: str | None = field("Fournisseur", "Supplier", listed=False)
    meter: str | None = field("Numéro de série du compteur", "Meter serial number", listed=False)
    pulse_weight: float | None = field("Poids de l'impulsion", "Pulse weight", listed=False, minimum=0,
                                       hint=Text("kWh ou m³ par impulsion.", "kWh or m³ a pulse."))  # fmt: skip
    pulse_series: str | None = field("Série du compteur d'impulsions", "Series of the pulse counter", listed=False,
                                     hint=Text("Clé de la série qu'envoie l'émetteur : ses impulsions deviennent des kWh ou des m³.",
                                               "Key of the series that the emitter sends: its pulses become kWh or m³."))  # fmt: skip
    notes: str | None = field("Notes", "Notes", long=True, listed=False, read="agent")


class Works(Record):
    """Works that are to save energy: what they saved is measured on the meter, not supposed."""

    title: str = field("Travaux", "Works")
    point: int = field("Point de livraison", "Delivery point", reference="delivery_point")
    start: date = field("Premier jour", "First day")
    end: date = field("Dernier jour", "Last day")
    cost: float | None = field("Coût", "Cost", unit="€", minimum=0, read="agent")
    saved_percent: float | None = field("Épargné", "Saved", unit="%")
    low_percent: float | None = field("Au moins (95 %)", "At least (95 %)", unit="%", listed=False)
    high_percent: float | None = field("Au plus (95 %)", "At most (95 %)", unit="%", listed=False)
    saved_kwh: float | None = field("Énergie épargnée", "Energy saved", unit="kWh")
    measured: datetime | None = field("Mesuré le", "Measured on", listed=False)


class Bill(Record):
    """A bill of a supplier or of the network, and whether the meter agrees with it."""

    number: str = field("Numéro", "Number", key=True)
    point: int | None = field("Point de livraison", "Delivery point", reference="delivery_point")
    kind: str = field(
        "De qui", "From whom", listed=False, default="supplier",
        choices=(choice("supplier", "Du fournisseur", "From the supplier"), choice("network", "Du réseau (acheminement)", "From the network")),
    )  # fmt: skip
    issued: date | None = field("Émise le", "Issued on")
    start: date | None = field("Du", "From")
    end: date | None = field("Au", "To")
    supplier: str | None = field("Fournisseur", "Supplier")
    quantity: float | None = field(
        "Quantité facturée", "Quantity billed", hint=Text("kWh, ou m³ d'eau.", "kWh, or m³ of water.")
    )
    amount: float | None = field("Montant TTC", "Amount with tax", unit="€")
    of_use: float | None = field(
        "Dont ce qui suit la quantité", "Of which what follows the quantity", unit="€", listed=False
    )
    measured: float | None = field("Quantité mesurée", "Quantity measured")
    expected: float | None = field("Montant attendu", "Amount expected", unit="€", listed=False)
    verdict: str = field(
        "Contrôle", "Check",
        choices=(choice("unknown", "Non contrôlable", "Cannot be checked"), choice("right", "Conforme", "Right", "vert"),
                 choice("quantity", "Quantité à contester", "Quantity to dispute", "orange"),
                 choice("price", "Prix à contester", "Price to dispute", "orange"),
                 choice("sum", "Total faux", "Wrong total", "rouge")),
        default="unknown",
    )  # fmt: skip
    why: str | None = field("Pourquoi", "Why", listed=False, long=True)
    why_en: str | None = field("Pourquoi, en anglais", "Why, in English", listed=False, long=True)


class BillLine(Record):
    """One line of a bill, as the bill says it."""

    code: str = field("Ligne", "Line", key=True, listed=False)
    bill: int = field("Facture", "Bill", reference="energy_bill")
    point: int | None = field("Point de livraison", "Delivery point", reference="delivery_point")
    item: str | None = field("Code", "Code")
    label: str = field("Libellé", "Words")
    start: date | None = field("Du", "From")
    end: date | None = field("Au", "To")
    quantity: float | None = field("Quantité", "Quantity")
    unit: str | None = field("Unité", "Unit")
    price: float | None = field("Prix unitaire hors taxe", "Unit price without tax", unit="€")
    amount: float = field("Montant hors taxe", "Amount without tax", unit="€", default=0.0)
    vat: float | None = field("TVA", "VAT", unit="%")


class Finding(Record):
    """Something wasted, with what it costs a year. Found by the service; it closes when the meter no longer shows it."""

    code: str = field("Code", "Code", key=True, listed=False)
    title: str = field("Constat", "Finding", words=TITLE_SAYINGS)
    point: int = field("Point de livraison", "Delivery point", reference="delivery_point")
    kind: str = field("Nature", "Kind", choices=KINDS)
    euro_year: float = field("Coût par an", "Cost a year", unit="€", default=0.0)
    per_year: float = field(
        "Par an", "A year", hint=Text("kWh, ou m³ d'eau.", "kWh, or m³ of water."), default=0.0
    )
    since: datetime | None = field("Depuis", "Since")
    state: str = field(
        "État", "State",
        choices=(choice("open", "En cours", "Going on", "orange"), choice("closed", "Fini", "Over", "vert")),
        default="open",
    )  # fmt: skip
    why: str | None = field("D'après", "According to", long=True, listed=False, words=WHY_SAYINGS)


COLLECTIONS = (
    Collection("energy_site", Text("Sites suivis en énergie", "Sites followed for energy"), Site, geometry="any", label="name",
               description=Text("Bâtiments et équipements qui consomment.", "Buildings and facilities that use energy.")),
    Collection("delivery_point", Text("Points de livraison", "Delivery points"), DeliveryPoint,
               description=Text("Compteurs d'électricité, de gaz et d'eau de la commune.", "The town's electricity, gas and water meters."), read="agent"),
    Collection("energy_works", Text("Travaux d'économie d'énergie", "Energy saving works"), Works, label="title",
               description=Text("Travaux, et ce qu'ils ont épargné, mesuré.", "Works, and what they saved, measured.")),
    Collection("energy_bill", Text("Factures d'énergie et d'eau", "Energy and water bills"), Bill, read="agent", status="verdict",
               description=Text("Factures reçues, comparées au compteur.", "Bills received, compared with the meter.")),
    Collection("energy_bill_line", Text("Lignes des factures", "Lines of bills"), BillLine, read="agent", label="label", system=True,
               description=Text("Chaque ligne des factures reprises, telle que la facture la dit.", "Each line of the bills taken in, as the bill says it.")),
    Collection("energy_finding", Text("Gaspillages constatés", "Waste found"), Finding, label="title", status="state", system=True,
               description=Text("Ce que les compteurs montrent de gaspillé, en euros par an.", "What meters show to be wasted, in euros a year.")),
)  # fmt: skip
