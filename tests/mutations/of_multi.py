"""Mutations of MultiDatastreams, of the times of their observations, and of data arrays."""

from tests.mutations.harness import Mutation

STA = "standards/sensorthings"
BODY, LINKING, READING, RENDER = (
    f"{STA}/body.py",
    f"{STA}/linking.py",
    f"{STA}/reading.py",
    f"{STA}/render.py",
)
CATALOGUE, ENTITIES, SIGHT = "store/catalogue.py", f"{STA}/entities.py", f"{STA}/sight.py"
TEST, TIMES = (
    "tests/standards/sensorthings/test_multi.py::",
    "tests/standards/sensorthings/test_multi_times.py::",
)
ARRAY = "tests/standards/sensorthings/test_dataarray.py::"


def _moment(operator: str, old: str, new: str) -> Mutation:
    test = f"{TIMES}test_times_compare[{operator}]"
    return Mutation(f"{operator} of times means something else", f"{STA}/compile.py", old, new, test)


def _function(name: str, old: str, new: str) -> Mutation:
    test = f"{TIMES}test_times_compare[{name}]"
    return Mutation(f"{name} of times means something else", f"{STA}/functions.py", old, new, test)


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("units of a MultiDatastream lose their definitions", BODY, "for part in _UNIT.parts})", "for part in _UNIT.parts[:2]})",
             f"{TEST}test_a_multidatastream_is_shown_as_it_was_sent"),
    Mutation("a Thing comes without its MultiDatastreams", ENTITIES,
             '            _many("MultiDatastreams", "MultiDatastream", "thing_id"),', "            *(),",
             f"{TEST}test_deep_insert_makes_a_thing_with_multidatastreams_and_observations"),
    Mutation("types and units need not be as many", CATALOGUE, "    if not types == units == n:", "    if types != n:",
             f"{TEST}test_a_multidatastream_that_does_not_hold_together_is_refused"),
    Mutation("an array result loses its digits", f"{STA}/arrivals.py", "    return result_of(decode_json(raw))",
             "    return result_of(msgspec.json.decode(raw))", f"{TEST}test_observations_are_arrays_with_their_digits"),
    Mutation("a result may be of any length", CATALOGUE, 'text.startswith("[") and len(msgspec.json.decode(text)) == size',
             'text.startswith("[")', f"{TEST}test_a_result_of_another_shape_is_refused"),
    Mutation("one component needs no array", CATALOGUE, "    if not size:\n        return True", "    if size < 2:\n        return True",
             f"{TEST}test_a_single_value_for_a_single_component_is_an_array_too"),
    Mutation("a Datastream's name does for a MultiDatastream", CATALOGUE, "    if size is None or bool(size) is not multi:",
             "    if size is None:", f"{TEST}test_each_type_is_named_by_its_own_name"),
    Mutation("an array result is said to be of a Datastream", READING,
             "        known = select(row.c.id).where(row.c.id.in_(perhaps), row.c.multi.is_not(None))",
             "        known = select(row.c.id).where(row.c.id.in_(perhaps), row.c.multi.is_(None))",
             f"{TEST}test_every_neighbour_links_to_multidatastreams"),
    Mutation("result[1] leads nowhere", f"{STA}/address.py", "    return [segment] if match is None else", "    return [segment] if True else",
             f"{TEST}test_one_component_of_a_result_has_an_address"),
    Mutation("a Thing's Datastreams hold the MultiDatastreams too", SIGHT, "else row.c.multi.is_(None)]", "else row.c.id.is_not(None)]",
             f"{TEST}test_a_thing_has_datastreams_and_multidatastreams_apart"),
    Mutation("a Sensor's MultiDatastreams hold the Datastreams too", SIGHT, "    return [row.c.multi.is_not(None) if entity.multi",
             "    return [row.c.id.is_not(None) if entity.multi", f"{TEST}test_a_sensor_has_datastreams_and_multidatastreams_apart"),
    Mutation("an observed property knows its first MultiDatastreams only", CATALOGUE, "        rows = [{**row, link.rank: rank} for rank, row in enumerate(rows)]",
             "        rows = [{**row, link.rank: rank} for rank, row in enumerate(rows)][:1] * (len(rows) > 1) or rows and [{**rows[0], link.rank: 0}]",
             f"{TEST}test_an_observed_property_of_both"),
    Mutation("an observed property of a second component is lost", ENTITIES,
             '                    "observed_property_id", "datastream_id"),', '                    "rank", "datastream_id"),',
             f"{TEST}test_an_observed_property_of_multidatastreams_only"),
    Mutation("an observation of a Datastream leads to a MultiDatastream", SIGHT, "    return [row.c.multi.is_not(None) if entity.multi",
             "    return [row.c.id.is_not(None) if entity.multi", f"{TEST}test_an_observation_of_a_datastream_leads_to_it_only"),
    Mutation("an observation of a MultiDatastream leads to a Datastream", SIGHT, "else row.c.multi.is_(None)]", "else row.c.id.is_not(None)]",
             f"{TEST}test_an_observation_of_a_multidatastream_leads_to_it_only"),
    Mutation("observed properties come by id", READING, "        own: Terms = [] if ranked is None else [(ranked.rank, False)]",
             "        own: Terms = []", f"{TEST}test_observed_properties_come_in_their_order_and_twice_if_they_are"),
    Mutation("a MultiDatastream shows everybody's observations", READING, "    return ((here.owner or 0,), None) if here.by",
             "    return (None, None) if here.by", f"{TEST}test_observations_of_each_multidatastream"),
    Mutation("the set of all observations begins too late", f"{STA}/observing.py",
             "            offset=0 if options.skiptoken else options.skip,", "            offset=3 + options.skip,", f"{TEST}test_all_observations_are_in_one_set"),
    Mutation("a filter crosses from one type to the other", f"{STA}/observing.py",
             "        statement = select(row.c[column]).where(compiler.condition(condition), *self.sight.of(entity, row))",
             "        statement = select(row.c[column]).where(compiler.condition(condition))",
             f"{TEST}test_multidatastreams_are_filtered_ordered_selected_and_expanded"),
    Mutation("a MultiDatastream has no span", READING, '        if entity.table == "datastream" and keep.has("phenomenonTime")',
             '        if entity.name == "Datastream" and keep.has("phenomenonTime")',
             f"{TEST}test_the_phenomenon_time_of_a_multidatastream_spans_its_observations"),
    Mutation("a changed MultiDatastream need not hold together", CATALOGUE,
             '    if table == "datastream":\n        _consistent(c, entity_id)', "    pass",
             f"{TEST}test_patch_put_and_json_patch_of_a_multidatastream"),
    Mutation("an observation may change its kind", f"{STA}/writing.py", "        if multi is not was_multi:", "        if False:",
             f"{TEST}test_an_observation_does_not_change_its_kind"),
    Mutation("an observed property composes a MultiDatastream", BODY,
             '    if entity.name == "ObservedProperty" and hop.target == "MultiDatastream":', "    if False:",
             f"{TEST}test_an_observed_property_does_not_compose_a_multidatastream"),
    Mutation("a component goes without its unit", LINKING, '"multi_units": _less(units, index)}', '"multi_units": _less(units, 0)}',
             f"{TEST}test_a_component_is_taken_away_by_its_reference"),
    Mutation("rows of a MultiDatastream are not looked at", "api/sensorthings.py",
             "        if series.components and not series.takes(row.result, multi=True):", "        if False:",
             f"{TEST}test_a_data_array_fills_a_multidatastream_row_by_row"),
    Mutation("a MultiDatastream survives its second observed property", CATALOGUE,
             '    if table != "observed_property":\n        return owned', "    if True:\n        return owned",
             f"{TEST}test_deleting_what_a_multidatastream_needs_takes_it_along"),
    # --- times
    _moment("lt", '"lt": lambda a, b: and_(a[0] < b[0], a[1] <= b[0]),', '"lt": lambda a, b: a[0] < b[0],'),
    _moment("gt", '"gt": lambda a, b: and_(a[0] >= b[1], a[0] > b[0]),', '"gt": lambda a, b: a[0] > b[0],'),
    _moment("le", '"le": lambda a, b: and_(a[0] <= b[0], a[1] <= b[1]),', '"le": lambda a, b: a[1] <= b[1],'),
    _moment("ge", '"ge": lambda a, b: and_(a[0] >= b[0], a[1] >= b[1]),', '"ge": lambda a, b: a[0] >= b[0],'),
    _moment("eq", '"eq": lambda a, b: and_(a[0] == b[0], a[1] == b[1]),', '"eq": lambda a, b: a[0] == b[0],'),
    _function("before", "s1 < s2 and e1 <= s2)", "s1 < s2)"),
    _function("after", "s1 >= e2 and s1 > s2)", "s1 > s2)"),
    _function("meets", "e1 == s2 or e2 == s1)", "e1 == s2)"),
    _function("starts", "lambda s1, _e1, s2, _e2: s1 == s2)", "lambda s1, _e1, s2, _e2: s1 <= s2)"),
    _function("finishes", "lambda _s1, e1, _s2, e2: e1 == e2)", "lambda _s1, e1, _s2, e2: e1 <= e2)"),
    Mutation("during an instant is taken", f"{STA}/bind.py", '        if self.bind(node).kind in ("instant", "date"):', "        if False:",
             f"{TIMES}test_during_needs_an_interval"),
    Mutation("the year of a time is that of the next day", f"{STA}/bind.py", '        return self._lifted(self.taken_as(self.bind(node), "boolean", node), node)',
             '        return Not(self._lifted(self.taken_as(self.bind(node), "boolean", node), node))',
             f"{TIMES}test_the_year_of_a_time"),
    Mutation("an interval moves with its start alone", f"{STA}/compile.py",
             "            return Pair([_ARITHMETIC[node.operator](one, right) for one in left])",
             "            return Pair([_ARITHMETIC[node.operator](left[0], right), left[1]])", f"{TIMES}test_durations_move_times"),
    Mutation("a difference of times is turned", f"{STA}/bind.py", '                return Binary("sub", moved, self.taken_as(right, "instant", node.right), "duration")',
             '                return Binary("sub", self.taken_as(right, "instant", node.right), moved, "duration")',
             f"{TIMES}test_a_difference_of_times_is_a_duration"),
    Mutation("not is forgotten", f"{STA}/compile.py", "        return not_(self.condition(node.part))", "        return self.condition(node.part)",
             f"{TIMES}test_not_before_and_not_after_is_overlapping"),
    Mutation("the span of a datastream ends where it starts", f"{STA}/compile.py",
             "            column = (known.c.first_us, func.coalesce(known.c.end_us, known.c.start_us))[index]",
             "            column = known.c.first_us", f"{TIMES}test_the_span_of_a_multidatastream_compares"),
    Mutation("a span stays after its observations", "store/observations.py",
             "            self._relatest(known, gone=1)", "            pass", f"{TIMES}test_the_span_goes_with_the_observations"),
    # --- data arrays
    Mutation("rows of all datastreams are in one array", f"{STA}/answering.py",
             "        groups.setdefault(found.datastream_id, []).append(row)", "        groups.setdefault(observed.found[0].datastream_id, []).append(row)",
             f"{ARRAY}test_observations_are_read_as_arrays_by_datastream"),
    Mutation("an array shows all components", f"{STA}/answering.py",
             "    if keep.names is None and all(one.extra is None for one in found):", "    if True:",
             f"{ARRAY}test_an_array_holds_what_is_selected_in_that_order"),
    Mutation("a row with an absent feature is stored", "api/sensorthings.py", "        elif row.feature_id in absent:", "        elif False:",
             f"{ARRAY}test_rows_are_taken_or_refused_one_by_one"),
)  # fmt: skip
