"""Bind a syntax tree to the entity model: paths become relations and properties, kinds are checked and made to agree.

What comes out needs no more checks: it is compiled to SQL (`compile.py`) or evaluated in Python (`evaluate.py`).
"""

import contextlib
from functools import singledispatchmethod

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings import syntax
from beffroi.standards.sensorthings.constant import CHANGES, DIGITS, KINDS, folded, number
from beffroi.standards.sensorthings.entities import BY_NAME, Entity, Kind, Navigation, Property
from beffroi.standards.sensorthings.functions import EARLIEST_US, FUNCTIONS, LATEST_US, geometry_of
from beffroi.standards.sensorthings.meaning import (
    Always,
    Apply,
    Binary,
    Bound,
    Cast,
    Compare,
    Field,
    Holds,
    Join,
    Not,
    Nothing,
    OneOf,
    Some,
    Term,
    Value,
    changed,
    fields,
    shared,
    without,
)
from beffroi.standards.sensorthings.parse import misread
from beffroi.standards.sensorthings.syntax import Name, Node, Order

__all__ = ["bind_filter", "bind_orderby", "bind_path"]


_ID = Property("@iot.id", "number", ("id",))
_SELF = ("@iot.id", "id")
_TIMES = ("instant", "moment", "date")
_OPEN = ("json", "result")


def bind_path(entity: Entity, name: Name, option: str) -> Field:
    """Return the field that a path names from `entity`. Raises `Problem` with the position and what there is."""
    hops: list[Navigation] = []
    here = entity
    steps = list(name.steps)
    while steps:
        step = steps.pop(0)
        if step in _SELF:
            if hops and not hops[-1].many and not steps:
                near = hops.pop()  # the id of what one belongs to is a column of one's own
                own = Property(f"{near.name}/@iot.id", "number", (near.join.here,))
                return _leaf(hops, own, steps, option, name)
            return _leaf(hops, _ID, steps, option, name)
        found = here.property(str(step))
        if found is not None:
            return _leaf(hops, found, steps, option, name)
        hop = here.navigation(str(step))
        if hop is None:
            raise _unknown(option, name, str(step), here)
        hops.append(hop)
        here = BY_NAME[hop.target]
    raise misread(
        option, name.at, "/".join(map(str, name.steps)),
        Text(f"Ajoutez une propriété, par exemple {hops[-1].name}/id.", f"Add a property, such as {hops[-1].name}/id."),
        Text("Ce chemin s'arrête à une relation.", "This path ends at a relation."),
    )  # fmt: skip


def _leaf(hops: list[Navigation], found: Property, rest: list[str | int], option: str, name: Name) -> Field:
    kind = found.kind
    if rest and found.parts:
        part = next((p for p in found.parts if p.name == rest[0]), None)
        if part is None or len(rest) > 1:
            raise _unknown_part(option, name, found)
        return Field(tuple(hops), part, (), part.kind, name.at)
    if rest and kind not in ("json", "result", "geometry"):
        raise misread(
            option, name.at, "/".join(map(str, name.steps)), Text(f"Écrivez {found.name} seul.", f"Write {found.name} alone."),
            Text(f"« {found.name} » n'a pas de parties.", f"'{found.name}' has no parts."),
        )  # fmt: skip
    return Field(tuple(hops), found, tuple(rest), "json" if rest else kind, name.at)


def _names(entity: Entity) -> str:
    return ", ".join(["id", *(p.name for p in entity.properties), *(n.name for n in entity.navigations)])


def _unknown(option: str, name: Name, step: str, here: Entity) -> Problem:
    step = step.replace("{", "(").replace("}", ")")
    return misread(
        option, name.at, step,
        Text(f"{here.name} a : {_names(here)}.", f"{here.name} has: {_names(here)}."),
        Text(f"« {step} » n'existe pas dans {here.name}.", f"There is no '{step}' in {here.name}."),
    )  # fmt: skip


def _unknown_part(option: str, name: Name, found: Property) -> Problem:
    parts = ", ".join(p.name for p in found.parts)
    return misread(
        option, name.at, "", Text(f"{found.name} a : {parts}.", f"{found.name} has: {parts}."),
        Text(f"{found.name} n'a pas cette partie.", f"{found.name} has no such part."),
    )  # fmt: skip


class _Binder:
    def __init__(
        self, option: str, entity: Entity, now_us: int, variable: str = "", of: Entity | None = None
    ) -> None:
        self.option, self.entity, self.now_us = option, entity, now_us
        self.variable, self.of = variable, of

    def wrong(self, node: Node, reason: Text, mend: Text) -> Problem:
        return misread(self.option, node.at, "", mend, reason)

    @singledispatchmethod
    def bind(self, node: Node) -> Bound:
        raise AssertionError(node)

    @bind.register
    def _name(self, node: Name) -> Bound:
        if not self.variable:
            return bind_path(self.entity, node, self.option)
        if node.steps[0] != self.variable or self.of is None:
            return self._of_outer(node)
        rest = Name(node.steps[1:], node.at)
        if not rest.steps:
            raise self.wrong(node, Text("La variable seule n'est pas une valeur.", "The variable alone is no value."),
                             Text("Ajoutez une propriété.", "Add a property."))  # fmt: skip
        return bind_path(self.of, rest, self.option)

    def _of_outer(self, node: Name) -> Bound:
        """Return a field, inside `any`, of the entity that is asked for."""
        found = bind_path(self.entity, node, self.option)
        if any(hop.many for hop in found.hops):
            raise self.wrong(
                node, Text(f"Dans any, ce chemin à plusieurs doit commencer par {self.variable}/.",
                           f"Inside any, this path to many must start with {self.variable}/."),
                Text(f"Écrivez {self.variable}/{node.steps[0]}.", f"Write {self.variable}/{node.steps[0]}."),
            )  # fmt: skip
        return msgspec.structs.replace(found, outer=True)

    @bind.register
    def _literal(self, node: syntax.Literal) -> Bound:
        if node.kind == "geometry":
            try:
                geometry_of(str(node.value))
            except (ValueError, AttributeError, msgspec.DecodeError) as error:
                raise self.wrong(
                    node, Text("Cette géométrie n'est pas du WKT lisible.", "This geometry is not readable WKT."),
                    Text("Écrivez par exemple geography'POINT(2.35 48.85)'.",
                         "Write for example geography'POINT(2.35 48.85)'."),
                ) from error  # fmt: skip
        return Value(node.kind, node.value)

    @bind.register
    def _call(self, node: syntax.Call) -> Bound:
        constants = {"now": self.now_us, "mindatetime": EARLIEST_US, "maxdatetime": LATEST_US}
        name = node.function.lower()
        if name in constants and not node.arguments:
            return Value("instant", constants[name])
        function = FUNCTIONS.get(name)
        if function is None:
            known = ", ".join(sorted([*FUNCTIONS, *constants]))
            raise self.wrong(
                node, Text("Cette fonction n'existe pas.", "There is no such function."),
                Text(f"Les fonctions sont : {known}.", f"The functions are: {known}."),
            )  # fmt: skip
        least, most = len(function.parameters) - function.optional, len(function.parameters)
        if not least <= len(node.arguments) <= most:
            wanted = ", ".join(function.parameters)
            raise self.wrong(
                node, Text(f"{name} attend {most} argument(s).", f"{name} takes {most} argument(s)."),
                Text(f"Ils sont, dans l'ordre : {wanted}.", f"They are, in order: {wanted}."),
            )  # fmt: skip
        bound = tuple(
            self.taken_as(self.bind(a), kind, a)
            for a, kind in zip(node.arguments, function.parameters, strict=False)
        )
        if name == "during":
            self._check_interval(node.arguments[1])
        return folded(Apply(function, bound, function.result))

    def _check_interval(self, node: Node) -> None:
        if self.bind(node).kind in ("instant", "date"):
            raise self.wrong(
                node, Text("Rien ne se passe pendant un instant.", "Nothing happens during an instant."),
                Text("Donnez un intervalle : début/fin.", "Give an interval: start/end."),
            )  # fmt: skip

    @bind.register
    def _arithmetic(self, node: syntax.Arithmetic) -> Bound:
        return folded(self._computed(node))

    def _computed(self, node: syntax.Arithmetic) -> Bound:
        left, right = self.bind(node.left), self.bind(node.right)
        if node.operator in ("add", "sub") and right.kind == "duration" and left.kind in ("moment", *_OPEN):
            # an interval moves with both its ends, and a JSON value that moves is a time
            return Binary(node.operator, self.taken_as(left, "moment", node.left), right, "moment")
        if left.kind in _TIMES and node.operator in ("add", "sub"):
            moved = self.taken_as(left, "instant", node.left)
            if right.kind in _TIMES and node.operator == "sub":
                return Binary("sub", moved, self.taken_as(right, "instant", node.right), "duration")
            return Binary(node.operator, moved, self.taken_as(right, "duration", node.right), "instant")
        if right.kind in _TIMES and node.operator == "add":
            return Binary("add", self.taken_as(right, "instant", node.right),
                          self.taken_as(left, "duration", node.left), "instant")  # fmt: skip
        if "duration" in (left.kind, right.kind):
            return self._of_durations(node, left, right)
        return Binary(node.operator, self.taken_as(left, "number", node.left),
                      self.taken_as(right, "number", node.right), "number")  # fmt: skip

    def _of_durations(self, node: syntax.Arithmetic, left: Bound, right: Bound) -> Bound:
        if node.operator in ("add", "sub"):
            return Binary(node.operator, self.taken_as(left, "duration", node.left),
                          self.taken_as(right, "duration", node.right), "duration")  # fmt: skip
        if node.operator == "mul" and right.kind == "duration":
            left, right = right, left
        if node.operator in ("mul", "div") and left.kind == "duration":
            return Binary(node.operator, left, self.taken_as(right, "number", node.right), "duration")
        raise self.wrong(
            node, Text("Ce calcul de durées n'a pas de sens.", "This arithmetic on durations has no meaning."),
            Text("Une durée s'ajoute à une date, ou se multiplie par un nombre.",
                 "A duration is added to a time, or multiplied by a number."),
        )  # fmt: skip

    @bind.register
    def _comparison(self, node: syntax.Comparison) -> Bound:
        left, right = self.bind(node.left), self.bind(node.right)
        for one, other in ((left, right), (right, left)):
            if one.kind == "null":
                if node.operator not in ("eq", "ne"):
                    raise self.wrong(node, Text("null n'a pas d'ordre.", "null has no order."),
                                     Text("Écrivez eq null ou ne null.", "Write eq null or ne null."))  # fmt: skip
                return self._absence(other, node)
        digits = self._digits(left, right, node)
        if digits is not None:
            return digits
        of = self._common(left, right, node)
        if of == "json" and node.operator != "ne":
            return self._of_open(left, right, node)
        return Compare(
            node.operator, self.taken_as(left, of, node.left), self.taken_as(right, of, node.right), of
        )

    @staticmethod
    def _of_open(left: Bound, right: Bound, node: syntax.Comparison) -> Bound:
        """Return the comparison of two values of any JSON: as numbers, as texts or, for equality, as booleans."""
        kinds: tuple[Kind, ...] = (
            ("number", "text", "boolean") if node.operator == "eq" else ("number", "text")
        )
        return Join("or", tuple(Compare(node.operator, Cast(left, k), Cast(right, k), k) for k in kinds))

    @staticmethod
    def _absence(part: Bound, node: syntax.Comparison) -> Bound:
        """Return "is nothing": over relations also when there is nothing related at all (as a left join has it)."""
        missing = Nothing(part, node.operator == "ne")
        if isinstance(part, Field) and part.hops and not missing.present:
            return Join("or", (missing, Not(Some(part.hops, Always(value=True), node.at))))
        return missing

    def _digits(self, left: Bound, right: Bound, node: syntax.Comparison) -> Bound | None:
        """Return "is this text or this number": clients write numbers of JSON in quotes."""
        if (
            node.operator != "eq"
            or left.kind != "json"
            or not isinstance(right, Value)
            or right.kind != "text"
        ):
            return None
        if not DIGITS.fullmatch(str(right.value)):
            return None
        return Join("or", (Compare("eq", Cast(left, "text"), right, "text"),
                           Compare("eq", Cast(left, "number"), number(right.value), "number")))  # fmt: skip

    def _common(self, left: Bound, right: Bound, node: Node) -> Kind:
        kinds = {left.kind, right.kind}
        if len(kinds) == 1:
            return "json" if left.kind in _OPEN else left.kind
        if kinds <= {"json", "result"}:
            return "json"
        if kinds & set(_OPEN):
            other = (kinds - set(_OPEN)).pop()
            # a JSON text may be an interval (validTime is one)
            return "moment" if other in _TIMES else other
        if kinds <= {"instant", "moment", "date"}:
            return "moment" if "moment" in kinds else "instant"
        if kinds <= {"instant", "moment", "text", "date"} or kinds == {"number", "text"}:
            # Quoted times and ids are a habit of clients: '2020-01-01T00:00:00Z', '12'.
            return (kinds - {"text"}).pop()
        raise self.wrong(
            node, Text(f"On ne peut pas comparer {KINDS[left.kind].fr} et {KINDS[right.kind].fr}.",
                       f"{KINDS[left.kind].en} and {KINDS[right.kind].en} cannot be compared."),
            Text("Mettez un texte entre apostrophes, un nombre sans.", "Put a text in single quotes, a number without."),
        )  # fmt: skip

    @bind.register
    def _membership(self, node: syntax.Membership) -> Bound:
        left = self.bind(node.left)
        items = [self.bind(item) for item in node.items]
        of = self._common(left, items[0], node) if items[0].kind != "null" else left.kind
        values = tuple(
            self.taken_as(v, of, n) for v, n in zip(items, node.items, strict=True) if v.kind != "null"
        )
        if of == "moment":
            starts = self.taken_as(left, of, node.left)
            return Join("or", (Always(False), *(Compare("eq", starts, v, of) for v in values)))
        return OneOf(self.taken_as(left, of, node.left), values, of)

    @bind.register
    def _containment(self, node: syntax.Containment) -> Bound:
        array, left = self.bind(node.array), self.bind(node.left)
        if not isinstance(array, Field) or array.kind not in ("json", "result") or array.property.parts:
            raise self.wrong(
                node.array, Text("Ceci n'est pas une liste JSON.", "This is no JSON list."),
                Text("Écrivez par exemple 9 in properties/rangs.", "Write for example 9 in properties/ranks."),
            )  # fmt: skip
        if left.kind not in ("number", "text", "boolean"):
            raise self.wrong(
                node.left, Text("On cherche un nombre, un texte ou un booléen.", "A number, a text or a boolean is looked for."),
                Text("Écrivez par exemple 'a' in properties/tags.", "Write for example 'a' in properties/tags."),
            )  # fmt: skip
        return Holds(array, left)

    @bind.register
    def _junction(self, node: syntax.Junction) -> Bound:
        return Join(node.operator, tuple(self.condition(p) for p in node.parts))

    @bind.register
    def _negation(self, node: syntax.Negation) -> Bound:
        return Not(self.condition(node.part))

    @bind.register
    def _exists(self, node: syntax.Exists) -> Bound:
        here, hops = self.of or self.entity, []
        steps = (
            node.path.steps[1:] if self.variable and node.path.steps[0] == self.variable else node.path.steps
        )
        for step in steps:
            hop = here.navigation(str(step))
            if hop is None:
                raise _unknown(self.option, node.path, str(step), here)
            hops.append(hop)
            here = BY_NAME[hop.target]
        if not hops:
            raise self.wrong(node, Text("any demande une relation.", "any needs a relation."),
                             Text("Écrivez Datastreams/any(d: d/name eq 'x').", "Write Datastreams/any(d: d/name eq 'x')."))  # fmt: skip
        inner = _Binder(self.option, self.entity, self.now_us, node.variable, here)
        return Some(tuple(hops), inner.condition(node.part), node.at)

    def condition(self, node: Node) -> Bound:
        """Return `node` bound as a condition."""
        return self._lifted(self.taken_as(self.bind(node), "boolean", node), node)

    def _lifted(self, bound: Bound, node: Node) -> Bound:
        """Return a condition whose fields share relations as "some entity over them fulfils it"."""
        if isinstance(bound, Join):
            return Join(bound.operator, tuple(self._lifted(p, node) for p in bound.parts))
        found = [f for f in fields(bound) if not f.outer]
        if isinstance(bound, Not | Some | Always) or not found:
            return bound
        several = [f for f in found if any(hop.many for hop in f.hops)]
        if several and len(several) < len(found) and not self.variable:
            bound = changed(bound, lambda f: f if f in several else msgspec.structs.replace(f, outer=True))
            found = several
        common = shared([f.hops for f in found])
        if any(hop.many for f in found for hop in f.hops[len(common) :]):
            raise self.wrong(
                node, Text("Cette comparaison suit deux relations à plusieurs.", "This comparison follows two relations to many."),
                Text("Séparez-la avec any(…).", "Separate it with any(…)."),
            )  # fmt: skip
        return Some(common, without(bound, len(common)), node.at) if common else bound

    def taken_as(self, bound: Bound, kind: Kind, node: Node) -> Bound:
        """Return `bound` made to be of `kind`. Raises `Problem` when it cannot be."""
        if bound.kind == kind or bound.kind == "null":
            return bound
        if bound.kind in _OPEN or (bound.kind == "moment" and kind == "instant"):
            return Cast(bound, kind)
        if kind in _OPEN:
            return bound
        changed = CHANGES.get((bound.kind, kind))
        if changed is not None and isinstance(bound, Value):
            with contextlib.suppress(ValueError, TypeError):
                return changed(bound.value)
        if (bound.kind, kind) in (("instant", "moment"), ("date", "moment"), ("date", "instant")):
            return Cast(bound, kind)
        raise self.wrong(
            node, Text(f"{KINDS[kind].fr} est attendu ici, pas {KINDS[bound.kind].fr}.",
                       f"{KINDS[kind].en} is expected here, not {KINDS[bound.kind].en}."),
            Text("Vérifiez la propriété et les apostrophes.", "Check the property and the quotes."),
        )  # fmt: skip


def bind_filter(entity: Entity, node: Node, now_us: int, option: str = "$filter") -> Bound:
    """Return the condition that a `$filter` states on `entity`. Raises `Problem` with the position."""
    return _Binder(option, entity, now_us).condition(node)


def bind_orderby(entity: Entity, orders: tuple[Order, ...], now_us: int) -> tuple[Term, ...]:
    """Return the terms of an `$orderby` on `entity`. Raises `Problem` with the position."""
    binder = _Binder("$orderby", entity, now_us)
    terms = []
    for order in orders:
        bound = binder.bind(order.by)
        many = next((f for f in fields(bound) for hop in f.hops if hop.many), None)
        if many is not None or isinstance(bound, Some):
            raise misread(
                "$orderby", order.by.at, "",
                Text("Triez par une propriété de l'entité ou de ce dont elle dépend.",
                     "Order by a property of the entity or of what it belongs to."),
                Text("On ne peut pas trier par une relation à plusieurs.", "A relation to many gives no order."),
            )  # fmt: skip
        if not fields(bound):
            raise misread(
                "$orderby", order.by.at, "", Text("Triez par une propriété.", "Order by a property."),
                Text("Ceci est pareil pour toutes les entités.", "This is the same for every entity."),
            )  # fmt: skip
        terms.append(Term(bound, order.descending))
    return tuple(terms)
