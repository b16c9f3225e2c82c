"""Mutations of the data model, resource paths and reading."""

from tests.mutations.harness import Mutation

STA = "standards/sensorthings"
TEST = "tests/standards/sensorthings/test_core.py::"
DATA = "tests/conformance/test_request_data.py::"

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "an absent entity is answered with 400", "model/problem.py",
        '"""The thing asked for does not exist, or not for this reader."""\n\n    status = 404',
        '"""The thing asked for does not exist, or not for this reader."""\n\n    status = 400',
        f"{TEST}test_an_entity_that_does_not_exist_is_told",
    ),
    Mutation("a set forgets the links of its entities", f"{STA}/render.py", "    return _links(entity, link, keep, shown)",
             "    return shown", f"{TEST}test_a_set_shows_its_entities_whole"),
    Mutation("an entity alone has another selfLink", f"{STA}/reading.py",
             "        return self._entities(here.entity, [self.row(here)], options)[0]",
             "        found = self._entities(here.entity, [self.row(here)], options)[0]\n        found['@iot.selfLink'] += '/'\n"
             "        return found", f"{TEST}test_an_entity_is_shown_alone_as_in_its_set"),
    Mutation("a property's address gives its bare value", f"{STA}/answering.py", "        return Answer(encode({last: value}))",
             "        return Answer(encode(value))", f"{TEST}test_each_property_has_an_address_and_a_value"),
    Mutation("a relation in a path is not followed", f"{STA}/belonging.py",
             "        conditions.append(row.c[join.there] == owner)", "        pass",
             f"{TEST}test_every_path_four_deep_leads_where_its_links_say"),
    Mutation("the root forgets a set", f"{STA}/service_root.py", "for e in ENTITIES if e.name not in TASKING]", "for e in ENTITIES[1:] if e.name not in TASKING]",
             f"{TEST}test_the_root_lists_the_sets_at_their_addresses"),
    Mutation("select shows everything", f"{STA}/render.py", "        return self.names is None or name in self.names",
             "        return True", f"{DATA}test_select_shows_what_it_names"),
    Mutation("expand shows nothing of a relation to one", f"{STA}/reading.py",
             "                entity[hop.name] = by_id[row[hop.join.here]]", "                pass",
             f"{DATA}test_expand_shows_what_its_link_gives"),
    Mutation("top takes one too many", f"{STA}/reading.py", "        return rows[:top], _token(", "        return rows, _token(",
             f"{DATA}test_top_skip_and_count"),
    Mutation("pages begin again", f"{STA}/reading.py",
             "            statement = statement.where(after(terms, read_token(options.skiptoken, len(terms))))",
             "            statement = statement.offset(1)", f"{DATA}test_pages_give_each_entity_once_in_order"),
    Mutation("orderby ignores desc", f"{STA}/reading.py",
             "        terms = [(sql, term.descending) for term in bound for sql in compiler.order(term.by)]",
             "        terms = [(sql, False) for term in bound for sql in compiler.order(term.by)]",
             f"{DATA}test_orderby_each_property_both_ways"),
    Mutation("ge means gt", f"{STA}/compile.py", '"ge": lambda a, b: a >= b,', '"ge": lambda a, b: a > b,',
             f"{DATA}test_filter_each_property_by_each_comparison"),
    Mutation("count comes after top", f"{STA}/reading.py",
             "        count = self.count(here, options) if options.count else None",
             "        count = len(rows) if options.count else None", f"{DATA}test_top_skip_and_count"),
)  # fmt: skip
