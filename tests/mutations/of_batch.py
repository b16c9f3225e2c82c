"""Mutations of batches, change sets and formats."""

from tests.mutations.harness import Mutation

_S = "standards/sensorthings/"
_B = "tests/standards/sensorthings/batch/test_batch.py::"
_A = "tests/standards/sensorthings/batch/test_atomic.py::"
_FORMATS = "tests/standards/sensorthings/formats/test_formats.py::"

MUTATIONS: tuple[Mutation, ...] = (
    Mutation("batch: what is made has no address", f"{_S}change_sets.py", 'return Reply(request.id, 201, {"location": f"{entity.set_name}({made})"})', "return Reply(request.id, 201)",
             f"{_B}test_a_batch_reads_changes_together_and_says_what_is_not_found"),
    Mutation("batch: LF is no line end", f"{_S}batch.py", '_EOL = re.compile(rb"\\r?\\n")', '_EOL = re.compile(rb"\\r\\n")',
             f"{_B}test_a_batch_reads_changes_together_and_says_what_is_not_found"),
    Mutation("batch: bodies refer to nothing", f"{_S}batch.py", "return value if match is None else _known(match[1], made).id", "return value",
             f"{_B}test_a_change_set_refers_to_what_it_makes_in_a_body"),
    Mutation("batch: addresses are decoded twice", "api/batch.py", '"query_string": query.encode("utf-8", "replace"),', '"query_string": query.replace("%20", "").encode("utf-8", "replace"),',
             f"{_B}test_an_address_keeps_its_percent_encoded_characters"),
    Mutation("batch: only relative addresses", f"{_S}batch.py", 'if full or path.startswith("/"):', "if not path:",
             f"{_B}test_an_address_is_absolute_or_from_the_host_or_from_the_service"),
    Mutation("batch: JSON patches are bodies", f"{_S}change_sets.py", "or isinstance(value, list)", "and not isinstance(value, list)", f"{_B}test_a_json_batch_reads_makes_changes_and_patches"),
    Mutation("batch: addresses refer to nothing", f"{_S}batch.py", 'if first.startswith("$") and first[1:] not in _OPTIONS_OF_PATHS:', 'if first.startswith("$$"):',
             f"{_B}test_a_json_batch_refers_to_what_it_makes_in_body_and_address"),
    Mutation("batch: a refusal stops nothing", f"{_S}change_sets.py", "raise Failed(request, problem) from problem", "replies.append(Reply(request.id, problem.status))",
             f"{_A}test_a_change_set_with_one_wrong_request_does_nothing[sqlite]"),
    Mutation("batch: observations are stored at once", "store/change_set.py", "self.observations = self.noted", "self.observations = store.observations",
             f"{_A}test_a_change_set_with_one_wrong_request_does_nothing[sqlite]"),
    Mutation("batch: no note is left", "store/change_set.py", "connection.execute(insert(unfinished).values(id=note, at_us=store.clock(), body=body))", "del body",
             f"{_A}test_a_process_that_dies_while_it_finishes_a_change_set_leaves_it_to_others"),
    Mutation("batch: work done again is stored twice", "store/change_set.py", "            if draft.source_key is None:\n", "            if draft.source_key is not None:\n",
             f"{_A}test_a_process_that_dies_while_it_finishes_a_change_set_leaves_it_to_others"),
    Mutation("batch: conditions always hold", f"{_S}change_sets.py", "return (name in made) != denied", "return True", f"{_B}test_a_request_is_skipped_when_its_condition_does_not_hold"),
    Mutation("batch: nothing depends on anything", "api/batch.py", "missing = [name for name in request.depends_on if name in self.lost]", "missing: list[str] = []",
             f"{_B}test_a_json_group_that_fails_says_so_for_each_of_its_requests"),
    Mutation("batch: everybody writes", "standards/sensorthings/writing.py", "if who.role in WRITERS:", "if who.role:", f"{_B}test_each_request_of_a_batch_has_the_rights_of_who_sends_it"),
    Mutation("formats: a formula is a text", f"{_S}formats.py", "return \"'\" + value if value.startswith(_GUARDED) else value", "return value",
             f"{_FORMATS}test_a_table_has_a_line_for_each_entity_with_its_digits"),
    Mutation("formats: a table is one page", f"{_S}answering.py", "if not whole or following is None:\n                return", "if True:\n                return",
             f"{_FORMATS}test_a_table_is_the_whole_set_or_a_page_with_a_link"),
    Mutation("formats: several are one", f"{_S}flattening.py", "if hop.many and part.options.top != 1:", "if hop.many and part.options.top == 0:",
             f"{_FORMATS}test_a_table_refuses_a_relation_that_shows_several"),
    Mutation("formats: only its own geometry", f"{_S}flattening.py", "known = geometry_in(entity_called(hop.target), one)", "known = None",
             f"{_FORMATS}test_a_feature_has_the_paths_of_everything_and_the_first_geometry"),
    Mutation("formats: distinct shows all", f"{_S}answering.py", "if here.key is None and options.distinct:", "if here.key is not None and options.distinct:",
             f"{_FORMATS}test_distinct_values_of_the_catalogue"),
    Mutation("formats: links stay", f"{_S}control.py", 'if level == "full":', 'if level != "off":', f"{_FORMATS}test_levels_of_control_information"),
    Mutation("deletion: all without being asked", f"{_S}deleting.py", "if options.filter is None and not everything:", "if options.filter is None and everything:",
             f"{_FORMATS}test_a_deletion_that_is_not_said_is_refused"),
    Mutation("deletion: anybody's observations", f"{_S}deleting.py", "check_writer(who, found[0], found[1])", "continue", f"{_FORMATS}test_a_filtered_deletion_needs_the_rights_to_all_of_it"),
)  # fmt: skip
