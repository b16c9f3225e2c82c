"""`$apply`, roll-ups, late rows and what intake makes: each row breaks one behaviour that a test must notice."""

from tests.mutations.harness import Mutation

__all__ = ["MUTATIONS"]

API = "tests/api/test_apply.py"
STORE = "tests/store/test_aggregates.py"

MUTATIONS = (
    Mutation("apply: a place inside a result is the whole result", "standards/sensorthings/aggregating.py",
             "value=_number(inside)", "value=_number(())", f"{API}::test_what_is_inside_a_result_is_added_up[sqlite]"),
    Mutation("apply: a place inside a result is counted from one", "standards/sensorthings/apply.py",
             "tuple(int(s) if", "tuple(int(s) + 1 if", f"{API}::test_what_is_inside_a_result_is_added_up[sqlite]"),
    Mutation("apply: the two types of datastreams are one", "standards/sensorthings/aggregating.py",
             ", *of_type(target, row))", ")", f"{API}::test_what_is_inside_a_result_is_added_up[sqlite]"),
    Mutation("apply: a table of no groups has no head", "standards/sensorthings/answering.py",
             "max(1, len(found.rows))", "len(found.rows)", f"{API}::test_groups_are_a_table_too[sqlite]"),
    Mutation("apply: a table is a page of a hundred", "standards/sensorthings/answering.py",
             "sys.maxsize if options.top is None", "99 if options.top is None", f"{API}::test_groups_are_a_table_too[sqlite]"),
    Mutation("apply: a map of groups is no error", "standards/sensorthings/answering.py",
             'if options.result_format != "csv":', 'if options.result_format == "":', f"{API}::test_groups_are_a_table_too[sqlite]"),
    Mutation("roll-ups: sums answer for hours that changed", "store/gathering.py",
             "datastream_id = 0 AND coalesce(hour_us NOT IN ({hours}), true)", "datastream_id = 0",
             f"{STORE}::test_sums_of_everything_say_nothing_of_hours_that_they_do_not_know[sqlite]"),
    Mutation("roll-ups: sums answer for intervals that end later", "store/gathering.py",
             "span_us > {ended_by}", "span_us < {ended_by}", f"{STORE}::test_sums_of_everything_say_nothing_of_hours_that_they_do_not_know[sqlite]"),
    Mutation("roll-ups: the sums are one more datastream", "store/gathering.py",
             "[*gathered, *own])} WHERE datastream_id > 0)", "[*gathered, *own])})",
             f"{STORE}::test_gathered_roll_ups_serve_while_their_segments_live[sqlite]"),
    Mutation("sealing: a late row waits for ever", "store/sealing.py",
             "held.id in overdue or ", "", "tests/store/test_sealing.py::test_a_late_row_waits_for_seven_days_at_most[sqlite]"),
    Mutation("versions: what intake makes was always there", "intake/identify.py",
             'values.setdefault("since_us", self.store.clock())', 'values.setdefault("since_us", 0)',
             "tests/standards/sensorthings/test_versions.py::test_what_intake_makes_was_not_there_before[sqlite]"),
    Mutation("mqtt: of what is put off the first value is told", "mqtt/bridge.py",
             "self._later[topic] = make", "self._later.setdefault(topic, make)",
             "tests/mqtt/test_bridge.py::test_what_is_put_off_is_told_with_its_last_value"),
)  # fmt: skip
