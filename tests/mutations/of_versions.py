"""Mutations of versions and of reading as of an instant."""

from tests.mutations.harness import Mutation

STA = "standards/sensorthings"
VERSIONS, WRITER = "store/versions.py", "store/writer.py"
TEST = "tests/standards/sensorthings/test_versions.py::"

MUTATIONS: tuple[Mutation, ...] = (
    Mutation("a change keeps nothing", "store/catalogue.py",
             '        keep(c, table, t.c.id == entity_id, now_us, "change", by)\n        values["since_us"] = now_us',
             '        values["since_us"] = now_us', f"{TEST}test_an_entity_as_it_was_and_its_versions[sqlite]"),
    Mutation("what was deleted is forgotten", "store/catalogue.py", '        keep(c, name, condition, now_us, "delete", by)', "        pass",
             f"{TEST}test_what_was_deleted_is_still_there_as_of_then[sqlite]"),
    Mutation("a Thing was always where it is", "store/catalogue.py",
             '    keep(c, "thing_location", link.c.thing_id == thing_id, now_us, "change", by)', "    pass",
             f"{TEST}test_where_a_thing_was[sqlite]"),
    Mutation("the present is shown as of any instant", VERSIONS, "            here = select(*table.c).where(table.c.since_us <= self.as_of_us)",
             "            here = select(*table.c)", f"{TEST}test_an_entity_as_it_was_and_its_versions[sqlite]"),
    Mutation("a correction keeps nothing", WRITER, "            self._kind.many(connection, _VERSION,", "            (connection, _VERSION,",
             f"{TEST}test_observations_as_they_were[sqlite-False]"),
    Mutation("observations of later are shown before", VERSIONS, "        there = true() if self.below_id is None else row.c.id < self.below_id",
             "        there = true()", f"{TEST}test_observations_as_they_were[sqlite-False]"),
    Mutation("what is hidden now was shown before", f"{STA}/sight.py", "        return and_(shown, row.c.id.not_in(hidden))", "        return shown",
             f"{TEST}test_what_is_hidden_now_was_not_shown_before[sqlite]"),
    Mutation("each commit leaves a mark", WRITER, "            if now_us - self._paced_us >= PACE_US:", "            if True:",
             f"{TEST}test_nothing_is_written_for_what_is_only_added[sqlite]"),
    Mutation("versions are kept for ever", VERSIONS,
             'past["observation"].c.until_us < before_us)', 'past["observation"].c.until_us < 0)',
             f"{TEST}test_versions_are_forgotten_in_time_and_erased_at_once[sqlite]"),
)  # fmt: skip
