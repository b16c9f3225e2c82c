"""Each requirement that the service root declares is shown by tests; one declared without any fails here."""

from pathlib import Path

import pytest

from beffroi.standards.sensorthings.service_root import CONFORMANCE, MQTT

TREE = Path(__file__).parents[2]
TASKING, TASKS = "http://www.opengis.net/spec/iot_tasking/1.0/req/", "tests/api/test_tasking.py"
DECLARED = (*CONFORMANCE, *MQTT)
FROST = "https://fraunhoferiosb.github.io/FROST-Server/extensions/"
REQ = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
STA, HERE = "tests/standards/sensorthings", "tests/conformance"
FORMATS = f"{STA}/formats/test_formats.py"
CORE, CUD, MULTI, DATA = (
    f"{STA}/test_core.py",
    f"{STA}/test_cud.py",
    f"{STA}/test_multi.py",
    f"{HERE}/test_request_data.py",
)
# A requirement, or a group that ends with "/", and the tests that show it.
SHOWN: dict[str, tuple[str, ...]] = {
    "datamodel/": (
        f"{CORE}::test_a_set_shows_its_entities_whole", f"{CORE}::test_each_property_has_an_address_and_a_value",
        f"{CORE}::test_every_path_four_deep_leads_where_its_links_say",
    ),
    "datamodel/entity-control-information/common-control-information": (f"{CORE}::test_an_entity_is_shown_alone_as_in_its_set",),
    "resource-path/resource-path-to-entities": (
        f"{CORE}::test_every_path_four_deep_leads_where_its_links_say", f"{CORE}::test_an_entity_that_does_not_exist_is_told",
        f"{HERE}/test_ets_sta10.py::test_paths_four_deep_and_every_property",
    ),
    "request-data/order": (f"{DATA}::test_options_apply_in_their_order",
                           f"{HERE}/test_ets_sta10.py::test_the_order_in_which_options_apply"),
    "request-data/expand": (f"{DATA}::test_expand_shows_what_its_link_gives",),
    "request-data/select": (f"{DATA}::test_select_shows_what_it_names",),
    "request-data/status-code": (f"{DATA}::test_status_codes_tell_what_was_wrong",),
    "request-data/query-status-code": (f"{DATA}::test_status_codes_tell_what_was_wrong",),
    "request-data/orderby": (f"{DATA}::test_orderby_each_property_both_ways",),
    "request-data/top": (f"{DATA}::test_top_skip_and_count",),
    "request-data/skip": (f"{DATA}::test_top_skip_and_count",),
    "request-data/count": (f"{DATA}::test_top_skip_and_count",),
    "request-data/filter": (f"{DATA}::test_filter_each_property_by_each_comparison",),
    "request-data/built-in-filter-operations": (f"{STA}/test_compile.py::test_sql_selects_what_the_evaluation_selects",
                                                f"{STA}/test_multi_times.py::test_times_compare"),
    "request-data/built-in-query-functions": (f"{STA}/test_compile.py::test_sql_selects_what_the_evaluation_selects",
                                              f"{STA}/test_multi_times.py::test_durations_move_times"),
    "request-data/pagination": (f"{DATA}::test_pages_give_each_entity_once_in_order",),
    "create-update-delete/create-entity": (f"{CUD}::test_entities_of_each_type_are_made_from_references",),
    "create-update-delete/link-to-existing-entities": (
        f"{CUD}::test_entities_of_each_type_are_made_from_references", f"{CUD}::test_an_update_may_tie_an_entity_to_others",
        f"{CUD}::test_relations_to_several_are_tied_and_untied_by_ref",
    ),
    "create-update-delete/deep-insert": (f"{CUD}::test_entities_come_with_what_belongs_to_them_both_ways",),
    "create-update-delete/deep-insert-status-code": (f"{CUD}::test_a_deep_insert_with_an_invalid_part_makes_nothing",),
    "create-update-delete/update-entity": (f"{CUD}::test_patch_changes_what_it_names_and_nothing_else",
                                           f"{CUD}::test_an_update_makes_no_other_entities"),
    "create-update-delete/update-entity-put": (f"{CUD}::test_put_replaces_all_and_empties_what_is_not_given",
                                               f"{CUD}::test_put_without_something_mandatory_is_refused"),
    "create-update-delete/update-entity-jsonpatch": (f"{CUD}::test_json_patch_adds_copies_and_moves",),
    "create-update-delete/delete-entity": (f"{CUD}::test_deleting_takes_along_what_cannot_stand_without",
                                           f"{CUD}::test_deleting_what_does_not_exist_is_told"),
    "create-update-delete/historical-location-auto-creation": (f"{CUD}::test_a_location_given_to_a_thing_is_noted_with_its_time",),
    "create-update-delete/historical-location-manual-creation": (f"{CUD}::test_a_location_given_to_a_thing_is_noted_with_its_time",),
    "batch-request/batch-request": (f"{STA}/batch/test_batch.py::test_a_batch_reads_changes_together_and_says_what_is_not_found",
                                    f"{STA}/batch/test_batch.py::test_a_change_set_refers_to_what_it_makes_in_a_body"),
    "multi-datastream/properties": (f"{MULTI}::test_a_multidatastream_is_shown_as_it_was_sent",),
    "multi-datastream/relations": (f"{MULTI}::test_observed_properties_come_in_their_order_and_twice_if_they_are",
                                   f"{MULTI}::test_a_thing_has_datastreams_and_multidatastreams_apart"),
    "multi-datastream/constraints": (f"{MULTI}::test_a_multidatastream_that_does_not_hold_together_is_refused",
                                     f"{MULTI}::test_a_result_of_another_shape_is_refused"),
    "data-array/data-array": (f"{STA}/test_dataarray.py::test_observations_are_read_as_arrays_by_datastream",
                              f"{STA}/test_dataarray.py::test_rows_are_taken_or_refused_one_by_one"),
    "create-observations-via-mqtt/observations-creation": (
        "tests/mqtt/test_town.py::test_an_observation_is_on_disk_when_it_is_confirmed_and_everybody_hears_it",
        "tests/mqtt/test_town.py::test_mosquitto_pub_and_sub",
    ),
    "receive-updates-via-mqtt/receive-updates": (
        "tests/mqtt/test_town.py::test_an_observation_is_on_disk_when_it_is_confirmed_and_everybody_hears_it",
        "tests/mqtt/test_town.py::test_mosquitto_pub_and_sub",
    ),
    # --- Part 2 (17-079r1)
    f"{TASKING}tasking-capability/properties": (f"{TASKS}::test_a_thing_shows_what_it_can_be_told_and_what_it_was_told",),
    f"{TASKING}tasking-capability/relations": (f"{TASKS}::test_a_thing_shows_what_it_can_be_told_and_what_it_was_told",),
    f"{TASKING}task/properties": (f"{TASKS}::test_a_thing_shows_what_it_can_be_told_and_what_it_was_told",),
    f"{TASKING}task/relations": (f"{TASKS}::test_a_thing_shows_what_it_can_be_told_and_what_it_was_told",),
    f"{TASKING}actuator/properties": (f"{TASKS}::test_a_thing_shows_what_it_can_be_told_and_what_it_was_told",),
    f"{TASKING}actuator/relations": (f"{TASKS}::test_a_thing_shows_what_it_can_be_told_and_what_it_was_told",),
    f"{TASKING}create-tasks/task-creation": (f"{TASKS}::test_what_may_not_be_said_is_refused_where_it_is",),
    f"{TASKING}create-tasks-via-mqtt/task-creation": (f"{TASKS}::test_a_device_is_commanded_over_mqtt_and_answers",),
    f"{TASKING}receive-updates-via-mqtt/receive-updates": (f"{TASKS}::test_a_device_is_commanded_over_mqtt_and_answers",),
    # --- extensions that others made
    "https://github.com/INSIDE-information-systems/SensorThingsAPI/blob/master/CSV-ResultFormat/CSV-ResultFormat.md": (
        f"{FORMATS}::test_a_table_has_a_line_for_each_entity_with_its_digits",),
    f"{FROST}GeoJSON-ResultFormat.html": (f"{FORMATS}::test_a_feature_has_the_paths_of_everything_and_the_first_geometry",),
    f"{FROST}DeepSelect.html": (f"{FORMATS}::test_deep_selection_keeps_the_nesting",),
    f"{FROST}SelectDistinct.html": (f"{FORMATS}::test_distinct_values_of_the_catalogue",),
    f"{FROST}FilteredDelete.html": (f"{CUD}::test_a_filter_chooses_what_is_deleted",),
    f"{FROST}JsonBatchRequest.html": (f"{STA}/batch/test_batch.py::test_a_json_batch_reads_makes_changes_and_patches",),
    f"{FROST}ResponseMetadata.html": (f"{FORMATS}::test_levels_of_control_information",),
    f"{FROST}OpenAPI.html": (f"{STA}/test_openapi.py::test_a_validator_of_others_accepts_it",),
}  # fmt: skip
GROUPS = {
    "datamodel", "resource-path", "request-data", "create-update-delete", "batch-request", "multi-datastream", "data-array",
    "create-observations-via-mqtt", "receive-updates-via-mqtt",
}  # fmt: skip


def shown_by(uri: str) -> tuple[str, ...]:
    name = uri.removeprefix(REQ)
    return SHOWN.get(name) or next(
        (t for group, t in SHOWN.items() if group.endswith("/") and name.startswith(group)), ()
    )


@pytest.mark.parametrize("uri", DECLARED)
def test_a_declared_requirement_is_shown_by_tests(uri: str) -> None:
    found = shown_by(uri)
    assert found, f"no test shows {uri}"
    for node in found:
        path, _, name = node.partition("::")
        assert f"def {name}(" in (TREE / path).read_text("utf-8"), node


def test_all_nine_groups_are_declared_and_nothing_twice() -> None:
    assert {uri.removeprefix(REQ).partition("/")[0] for uri in DECLARED if uri.startswith(REQ)} == GROUPS
    assert len(set(DECLARED)) == len(DECLARED)
    declared = {uri.removeprefix(REQ) for uri in DECLARED}
    assert [name for name in SHOWN if name not in declared and not name.endswith("/")] == []
