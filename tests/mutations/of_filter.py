"""Mutations of the query language: one at least for each behaviour of the filter tests."""

from tests.mutations.harness import Mutation

_S = "standards/sensorthings/"
_F = "tests/standards/sensorthings/filter/"
_TIMES, _PLACES, _JSON, _FILTERS = (
    f"{_F}test_times.py::", f"{_F}test_places.py::test_a_place_is_selected_by", f"{_F}test_json.py::", f"{_F}test_filters.py::",
)  # fmt: skip
_MOMENT = f"{_TIMES}test_a_time_compares_with_an_instant_and_an_interval"


def _time(name: str, old: str, new: str, test: str, file: str = "compile.py") -> Mutation:
    return Mutation(f"times: {name}", _S + file, old, new, test if "::" in test else f"{_MOMENT}[{test}]")


def _place(function: str, right: str, wrong: str) -> Mutation:
    old = f'("{function}", {right}'
    return Mutation(
        f"places: {function}", f"{_S}functions.py", old, f'("{function}", {wrong}', f"{_PLACES}[{function}]"
    )


def _json(name: str, file: str, old: str, new: str, test: str) -> Mutation:
    return Mutation(f"json: {name}", _S + file, old, new, _JSON + test)


def _filter(name: str, file: str, old: str, new: str, test: str) -> Mutation:
    return Mutation(f"filter: {name}", _S + file, old, new, _FILTERS + test)


MUTATIONS: tuple[Mutation, ...] = (
    _time("lt reaches into the interval", '"lt": lambda a, b: and_(a[0] < b[0], a[1] <= b[0])', '"lt": lambda a, b: a[0] < b[0]', "a time is before"),
    _time("gt forgets the end", '"gt": lambda a, b: and_(a[0] >= b[1], a[0] > b[0])', '"gt": lambda a, b: a[0] > b[0]', "a time is after"),
    _time("le forgets the end", '"le": lambda a, b: and_(a[0] <= b[0], a[1] <= b[1])', '"le": lambda a, b: a[0] <= b[0]', "a time is not after"),
    _time("ge forgets the end", '"ge": lambda a, b: and_(a[0] >= b[0], a[1] >= b[1])', '"ge": lambda a, b: a[0] >= b[0]', "a time is not before"),
    _time("eq forgets the end", '"eq": lambda a, b: and_(a[0] == b[0], a[1] == b[1])', '"eq": lambda a, b: a[0] == b[0]', "a time is equal"),
    _time("before() may touch nothing", "lambda s1, e1, s2, _e2: s1 < s2 and e1 <= s2", "lambda s1, e1, s2, _e2: s1 < s2 and e1 < s2", "before()", "functions.py"),
    _time("after() may overlap", "lambda s1, _e1, s2, e2: s1 >= e2 and s1 > s2", "lambda s1, _e1, s2, e2: s1 > s2", "after()", "functions.py"),
    _time("meets() on one side only", "lambda s1, e1, s2, e2: e1 == s2 or e2 == s1", "lambda s1, e1, s2, e2: e1 == s2", "meets()", "functions.py"),
    _time("overlaps() forgets instants", "or (s1 == e1 and s2 <= s1 < e2)", "or (s1 == e1 and s2 < s1 < e2)", "overlaps()", "functions.py"),
    _time("starts() compares ends", '("starts", _TWO_MOMENTS, "boolean", lambda s1, _e1, s2, _e2: s1 == s2)', '("starts", _TWO_MOMENTS, "boolean", lambda _s1, e1, _s2, e2: e1 == e2)', "starts()", "functions.py"),
    _time("finishes() compares starts", '("finishes", _TWO_MOMENTS, "boolean", lambda _s1, e1, _s2, e2: e1 == e2)', '("finishes", _TWO_MOMENTS, "boolean", lambda s1, _e1, s2, _e2: s1 == s2)', "finishes()", "functions.py"),
    _time("during() takes an instant", 'if name == "during":', 'if name == "while":', f"{_TIMES}test_during_needs_an_interval", "bind.py"),
    _time("years are those of tomorrow", "lambda t: to_datetime(t).year", "lambda t: to_datetime(t).year + 1", f"{_TIMES}test_years_are_those_of_the_start", "functions.py"),
    _time("only the start moves", "moved = tuple(_storable(ARITHMETIC[node.operator](one, values[1])) for one in (start, end))",
          "moved = (_storable(ARITHMETIC[node.operator](start, values[1])), end)", f"{_TIMES}test_times_and_intervals_move_by_durations", "constant.py"),
    _time("columns do not move", "return Pair([_ARITHMETIC[node.operator](one, right) for one in left])", "return left",
          f"{_TIMES}test_times_and_intervals_move_by_durations"),
    _time("or ends before and", '"and" else or_(false(), *parts)', '"and" else and_(true(), *parts)', f"{_FILTERS}test_operators_bind_as_they_should"),
    _time("not is forgotten", "return not_(self.condition(node.part))", "return self.condition(node.part)", f"{_TIMES}test_neither_before_nor_not_before_is_overlapping"),
    _time("a datastream covers one instant", "func.coalesce(known.c.end_us, known.c.start_us))[index]", "known.c.first_us)[index]", f"{_TIMES}test_the_time_that_a_datastream_covers_compares_alike"),
    _place("geo.distance", '_TWO_SHAPES, "number", _geometric(shapely.distance)', '_TWO_SHAPES, "number", lambda _a, _b: 0.5'),
    _place("geo.length", '("geometry",), "number", lambda a: _length(geometry_of(a))', '("geometry",), "number", lambda a: geometry_of(a).length'),
    _place("geo.intersects", '_TWO_SHAPES, "boolean", _geometric(shapely.intersects)', '_TWO_SHAPES, "boolean", _geometric(shapely.within)'),
    _place("st_equals", '_TWO_SHAPES, "boolean", _geometric(shapely.equals)', '_TWO_SHAPES, "boolean", _geometric(shapely.intersects)'),
    _place("st_disjoint", '_TWO_SHAPES, "boolean", _geometric(shapely.disjoint)', '_TWO_SHAPES, "boolean", _geometric(shapely.touches)'),
    _place("st_touches", '_TWO_SHAPES, "boolean", _geometric(shapely.touches)', '_TWO_SHAPES, "boolean", _geometric(shapely.crosses)'),
    _place("st_within", '_TWO_SHAPES, "boolean", _geometric(shapely.within)', '_TWO_SHAPES, "boolean", _geometric(shapely.contains)'),
    _place("st_overlaps", '_TWO_SHAPES, "boolean", _geometric(shapely.overlaps)', '_TWO_SHAPES, "boolean", _geometric(shapely.intersects)'),
    _place("st_crosses", '_TWO_SHAPES, "boolean", _geometric(shapely.crosses)', '_TWO_SHAPES, "boolean", _geometric(shapely.touches)'),
    _place("st_intersects", '_TWO_SHAPES, "boolean", _geometric(shapely.intersects)', '_TWO_SHAPES, "boolean", _geometric(shapely.contains)'),
    _place("st_contains", '_TWO_SHAPES, "boolean", _geometric(shapely.contains)', '_TWO_SHAPES, "boolean", _geometric(shapely.intersects)'),
    _place("st_relate", '("geometry", "geometry", "text"), "boolean", _related', '("geometry", "geometry", "text"), "boolean", lambda a, b, _p: geometry_of(a).within(geometry_of(b))'),
    _json("addresses stop at the first step", "answering.py", "return _inside(value, resource) if resource.inside else value", "return value", "test_an_address_leads_inside_properties"),
    _json("quoted numbers are only texts", "bind.py", "if not DIGITS.fullmatch(str(right.value)):", "if right.value:", "test_texts_inside"),
    _json("indexes count from one", "dialects.py", 'f"[{s}]" if isinstance(s, int)', 'f"[{s + 1}]" if isinstance(s, int)', "test_numbers_inside"),
    _json("false is nothing", "dialects.py", '(lower == "false", literal(value=False))', '(lower == "false", null())', "test_booleans_inside"),
    _json("units have one part", "bind.py", "return Field(tuple(hops), part, (), part.kind, name.at)", "return Field(tuple(hops), found.parts[0], (), part.kind, name.at)", "test_parts_of_units"),
    _json("what it belongs to has no values", "settle.py", 'if entity.name == "Observation" and values is not None:', 'if entity.name == "Nothing" and values is not None:', "test_values_of_an_observation_and_of_what_it_belongs_to"),
    _json("a list holds everything", "dialects.py", "and one == value\n", "\n", "test_lists"),
    _json("quality is kept beside", "entities.py", 'Property("resultQuality", "json", ("extra",), inside=("resultQuality",))', 'Property("resultQuality", "json", ("extra",), inside=("quality",))', "test_quality_is_any_json"),
    _json("a part selects the whole", "render.py", "shown[found.name] = _deep(value, keep.deep[found.name]) if found.name in keep.deep else value", "shown[found.name] = value", "test_a_part_of_a_unit_is_addressed_and_selected"),
    _filter("relations are not followed back", "compile.py", "fulfilled = there._some(rest, part) if rest else there.condition(part)", "fulfilled = there.condition(part) if not rest else true()", "test_entities_are_selected[over relations there and back]"),
    _filter("what is asked for is not compared", "bind.py", "if several and len(several) < len(found) and not self.variable:", "if several and len(several) > len(found):", "test_entities_are_selected[over relations]"),
    _filter("texts count from one", "functions.py", "first = max(int(start), 0)", "first = max(int(start) - 1, 0)", "test_entities_are_selected[by a part of a text]"),
    _filter("nothing related is something", "bind.py", "if isinstance(part, Field) and part.hops and not missing.present:", "if isinstance(part, Value):", "test_entities_are_selected[equal to nothing]"),
    _filter("nothing is present", "compile.py", "return part.is_not(None) if node.present else part.is_(None)", "return part.is_(None)", "test_entities_are_selected[not equal to nothing]"),
    _filter("a text is any value", "dialects.py", "return case((lower == text, cast(value, Text)))", "return case((lower != text, cast(value, Text)))", "test_entities_are_selected[by a quality that is a text]"),
    _filter("a number is no value", "dialects.py", "return case((lower.in_(numbers), cast(value, Double)))", "return cast(null(), Double)", "test_entities_are_selected[by a quality that is a number]"),
    _filter("any looks at itself", "bind.py", "return msgspec.structs.replace(found, outer=True)", "return bind_path(self.of or self.entity, node, self.option)", "test_entities_are_selected[by any]"),
    _filter("nothing has content", "answering.py", '_EMPTY = Answer(b"", status=204)', '_EMPTY = Answer(b"null")', "test_a_property_that_is_nothing_has_no_content"),
    _filter("everybody is nobody", "principal.py", 'return syntax.Literal("text", name, part.at)', 'return syntax.Literal("text", "", part.at)', "test_the_name_of_who_asks_is_a_value"),
    _filter("select shows all", "render.py", "return self.names is None or name in self.names", "return True", "test_select_shows_one_or_several_properties"),
    _filter("links are not selected", "render.py", 'shown[f"{hop.name}@iot.navigationLink"] = f"{link}/{hop.name}"', "pass", "test_select_shows_relations"),
    _filter("expand shows the first of all", "reading.py", "entity[hop.name] = by_id[row[hop.join.here]]", "entity[hop.name] = next(iter(by_id.values()))", "test_expand_shows_what_the_link_leads_to"),
    _filter("paths expand one level", "parse.py", "for step in reversed(outer):", "for step in outer[:0]:", "test_expand_goes_over_several_levels_in_both_notations"),
    _filter("expand forgets its order", "reading.py", "place = func.row_number().over(partition_by=key, order_by=order)", "place = func.row_number().over(partition_by=key)", "test_expand_takes_every_option_inside"),
    _filter("top gives one more", "reading.py", "return rows[:top], _token(rows[top - 1], len(terms))", "return rows[: top + 1], _token(rows[top - 1], len(terms))", "test_top_gives_so_many_and_a_link_to_the_others"),
    _filter("the next page begins at the last", "keyset.py", "return term.is_not(None) if value is None else term > value", "return term.is_not(None) if value is None else term >= value", "test_pages_follow_one_another_to_the_end"),
    _filter("skip leaves out one less", "reading.py", "statement = statement.offset(options.skip)", "statement = statement.offset(options.skip - 1)", "test_skip_leaves_out_the_first"),
    _filter("desc is asc", "keyset.py", "ordered = term.desc() if descending else term.asc()", "ordered = term.asc()", "test_orderby_orders_by_one_and_by_several_properties"),
    _filter("functions give no order", "compile.py", 'return [self.dialect.ordered(value) if bound.kind in ("text", "json") else value]', "return [literal(1)]", "test_orderby_takes_paths_and_functions"),
    _filter("count is of the page", "reading.py", 'answer["@iot.count"] = count', 'answer["@iot.count"] = 1', "test_count_is_of_all_whatever_is_shown"),
    _filter("le is lt", "compile.py", '    "le": lambda a, b: a <= b,', '    "le": lambda a, b: a < b,', "test_filter_compares_properties_of_every_set[le]"),
    _filter("count comes before filter", "observing.py", "where=_where(reach.rest, None), between=", "where=None, between=", "test_filter_then_count_then_order_then_skip_then_top"),
)  # fmt: skip
