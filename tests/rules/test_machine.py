"""The evaluator equals brute force written second by second, and a restart at any point changes nothing."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.model.instant import PARIS, SECOND_US, parse_instant, to_datetime
from beffroi.rules.machine import Part
from beffroi.rules.reading import read_rule

END = 80
moments = st.lists(st.integers(1, END - 1), max_size=25, unique=True).map(sorted)
values = st.integers(0, 12).map(float)


@st.composite
def a_series(draw):
    return [(at, draw(values)) for at in draw(moments)]


def rule(when: str, watch: str = "{datastream: 1}", extra: str = ""):
    return read_rule(f"name: x\nwatch: {watch}\nwhen: {when}\nseverity: rouge\n{extra}")


def run(a_rule, events, end=END, restart_at=None):
    """Return [(second, level)] of the transitions; the state goes through JSON before event `restart_at`."""
    machine = a_rule.machine()
    part = machine.fresh(0)
    made = []
    for number, (at, *rest) in enumerate(events):
        if number == restart_at:
            machine = read_rule(a_rule.text).machine()
            part = msgspec.json.decode(msgspec.json.encode(part), type=Part)
        name, value = rest if len(rest) == 2 else ("value", rest[0])
        made += machine.observe(part, name, at * SECOND_US, number, value)
    made += machine.advance(part, end * SECOND_US)
    return [(t.at_us // SECOND_US, t.after) for t in made]


def steps(levels: list[int]) -> list[tuple[int, int]]:
    """Return the changes of a list of levels, one for each second."""
    out, before = [], 0
    for second, level in enumerate(levels):
        if level != before:
            out.append((second, level))
            before = level
    return out


def in_force(series, second):
    return next((v for at, v in reversed(series) if at <= second), None)


def threshold_by_hand(series, above, hysteresis):
    on, levels = False, []
    for second in range(END + 1):
        value = in_force(series, second)
        if value is not None:
            on = value > above or (on and not value < above - hysteresis)
        levels.append(3 if on else 0)
    return levels


@given(a_series(), st.integers(0, 10), st.integers(0, 4))
def test_threshold_with_hysteresis(series, above, hysteresis):
    expected = threshold_by_hand(series, above, hysteresis)
    assert run(rule(f"{{above: {above}, hysteresis: {hysteresis}}}"), series) == steps(expected)


@given(a_series(), st.integers(0, 10), st.integers(0, 4))
def test_below_mirrors_above(series, below, hysteresis):
    mirrored = [(at, -v) for at, v in series]
    above = run(rule(f"{{above: {-below}, hysteresis: {hysteresis}}}"), mirrored)
    assert run(rule(f"{{below: {below}, hysteresis: {hysteresis}}}"), series) == above


@given(st.lists(st.tuples(st.integers(1, 9), values), max_size=30), st.integers(0, 10))
def test_equal_times_are_judged_in_the_order_of_their_ids(pairs, above):
    series = sorted(pairs, key=lambda pair: pair[0])
    on, expected = False, []
    for at, value in series:
        after = value > above or (on and value == above)
        if after != on:
            on = after
            expected.append((at, 3 if on else 0))
    assert run(rule(f"{{above: {above}}}"), series) == expected


@given(a_series(), st.integers(0, 10), st.integers(1, 20), st.integers(0, 12))
def test_held_for_a_duration(series, above, hold, release):
    raw = [level > 0 for level in threshold_by_hand(series, above, 0)]
    on, levels = False, []
    for second in range(END + 1):
        run_of = next((n for n in range(second + 1) if raw[second - n] != raw[second]), second)
        if raw[second] and not on:
            on = run_of - 1 >= hold
        elif on and not raw[second]:
            on = run_of - 1 < release
        levels.append(3 if on else 0)
    text = f"{{above: {above}, for: PT{hold}S" + (f", clear_after: PT{release}S}}" if release else "}")
    assert run(rule(text), series) == steps(levels)


@given(a_series(), st.integers(0, 10), st.integers(1, 4), st.integers(0, 3))
def test_n_of_m(series, above, times, more):
    of, expected, on = times + more, [], False
    by_second = threshold_by_hand(series, above, 0)
    judged = [by_second[at] for at, _ in series]
    for index, (at, _) in enumerate(series):
        recent = [level > 0 for level in judged[max(0, index + 1 - of) : index + 1]]
        if (sum(recent) >= times) != on:
            on = not on
            expected.append((at, 3 if on else 0))
    assert run(rule(f"{{above: {above}, times: {times}, of: {of}}}"), series) == expected


@given(a_series(), st.integers(0, 8), st.integers(1, 30), st.sampled_from(["rises", "falls"]))
def test_rate_of_change(series, limit, within, kind):
    expected, on = [], False
    for index, (at, value) in enumerate(series):
        window = [v for t, v in series[: index + 1] if t >= at - within]
        change = value - min(window) if kind == "rises" else max(window) - value
        after = change > limit or (on and change == limit)
        if after != on:
            on = after
            expected.append((at, 3 if on else 0))
    assert run(rule(f"{{{kind}: {limit}, within: PT{within}S}}"), series) == expected


@given(a_series(), st.integers(1, 30))
def test_absence(series, quiet):
    heard = {at for at, _ in series} | {0}
    levels = [
        0 if any(s in heard for s in range(second - quiet + 1, second + 1)) else 3
        for second in range(END + 1)
    ]
    assert run(rule(f"{{silent: PT{quiet}S}}"), series) == steps(levels)


@given(a_series(), a_series(), st.integers(0, 10), st.integers(0, 10), st.sampled_from(["and", "or"]))
def test_several_series_in_one_expression(first, second, a, b, word):
    first = [(at * 2, v) for at, v in first if at < END // 2]
    second = [(at * 2 + 1, v) for at, v in second if at < END // 2]
    levels = []
    for now in range(END + 1):
        x, y = in_force(first, now), in_force(second, now)
        known = x is not None and y is not None
        holds = known and ((x > a and y > b) if word == "and" else (x > a or y > b))
        levels.append(3 if holds else 0)
    events = sorted([(at, "p", v) for at, v in first] + [(at, "q", v) for at, v in second])
    a_rule = rule(f"{{expression: p > {a} {word} q > {b}}}", "{series: {p: 1, q: 2}}")
    assert run(a_rule, events) == steps(levels)


@given(a_series(), a_series(), st.integers(0, 10), st.integers(0, 10), st.sampled_from(["all", "any"]))
def test_all_and_any_of_conditions(first, second, a, b, word):
    second = [(at, v) for at, v in second if at not in {t for t, _ in first}]
    combine = min if word == "all" else max
    x, y = threshold_by_hand(first, a, 1), threshold_by_hand(second, b, 1)
    events = sorted([(at, "p", v) for at, v in first] + [(at, "q", v) for at, v in second])
    when = f"{{{word}: [{{series: p, above: {a}, hysteresis: 1}}, {{series: q, above: {b}, hysteresis: 1}}]}}"
    a_rule = rule(when, "{series: {p: 1, q: 2}}")
    assert run(a_rule, events) == steps([combine(pair) for pair in zip(x, y, strict=True)])


@given(a_series(), st.integers(0, 10), st.integers(0, 10))
def test_a_clear_condition_keeps_the_alarm_until_it_holds(series, above, below):
    on, expected, high, low = False, [], False, False
    for at, value in series:
        high = value > above or (high and value == above)
        low = value < below or (low and value == below)
        after = high or (on and not low)
        if after != on:
            on = after
            expected.append((at, 3 if on else 0))
    assert run(rule(f"{{above: {above}}}", extra=f"clear: {{below: {below}}}"), series) == expected


@given(
    st.lists(st.tuples(st.sampled_from(["create", "update", "delete"]), values), max_size=20),
    st.integers(0, 10),
)
def test_records_match_while_their_fields_do(changes, limit):
    expected, on = [], False
    for second, (action, size) in enumerate(changes):
        after = action != "delete" and size > limit
        if after != on:
            on = after
            expected.append((second, 3 if on else 0))
    events = [(at, "record", [action, {"size": size}]) for at, (action, size) in enumerate(changes)]
    a_rule = rule(f"{{where: size > {limit}}}", "{collection: bin}")
    assert run(a_rule, events) == expected


KINDS = (
    "{above: 5, hysteresis: 2, for: PT7S, clear_after: PT3S}", "{below: 5, times: 2, of: 4}",
    "{rises: 3, within: PT9S, hysteresis: 1}", "{silent: {jaune: PT4S, rouge: PT9S}}", "{expression: value > 4}",
    "{above: {jaune: 2, orange: 5, rouge: 8}, hysteresis: 1, for: PT5S}",
    "{any: [{falls: 4, within: PT6S}, {all: [{above: 6, for: PT8S}, {not: {silent: PT5S}}]}]}",
)  # fmt: skip


@settings(max_examples=150)
@given(a_series(), st.sampled_from(KINDS), st.integers(0, 25))
def test_a_restart_at_any_point_changes_nothing(series, when, restart_at):
    assert run(rule(when), series, restart_at=restart_at) == run(rule(when), series)


@settings(max_examples=150)
@given(a_series(), st.sampled_from(KINDS), st.lists(st.integers(0, END), max_size=10))
def test_ticks_of_the_clock_change_nothing_but_when_it_is_known(series, when, ticks):
    a_rule = rule(when)
    machine = a_rule.machine()
    part, made = machine.fresh(0), []
    for at, number, value in sorted([(at, i, v) for i, (at, v) in enumerate(series)] + [(t, -1, None) for t in ticks],
                                    key=lambda e: (e[0], e[1])):  # fmt: skip
        if number < 0:
            # a tick at the very instant of an observation is told of the past only
            made += machine.advance(part, at * SECOND_US - 1)
        else:
            made += machine.observe(part, "value", at * SECOND_US, number, value)
    made += machine.advance(part, END * SECOND_US)
    assert [(t.at_us // SECOND_US, t.after) for t in made] == run(a_rule, series)


def test_late_observations_are_not_judged_but_counted():
    machine = rule("{above: 5}").machine()
    part = machine.fresh(0)
    assert [t.after for t in machine.observe(part, "value", 100, 1, 9.0)] == [3]
    assert machine.observe(part, "value", 50, 2, 1.0) == []
    assert (part.level, part.late) == (3, 1)


def test_a_correction_of_the_newest_observation_is_judged_again():
    machine = rule("{above: 5}").machine()
    part = machine.fresh(0)
    machine.observe(part, "value", 100, 1, 9.0)
    assert [t.after for t in machine.observe(part, "value", 100, 1, 1.0)] == [0]


def test_the_peak_and_the_beginning_of_an_excursion_are_told():
    machine = rule("{above: 5, for: PT10S}").machine()
    part, made = machine.fresh(0), []
    for at, value in [(1, 4.0), (2, 6.0), (5, 9.0), (11, 7.0), (20, 8.0), (30, 2.0), (40, 3.0)]:
        made += machine.observe(part, "value", at * SECOND_US, at, value)
    told = [(t.at_us // SECOND_US, t.after, t.peak, t.began_us // SECOND_US) for t in made]
    assert told == [(12, 3, 9.0, 2), (30, 0, 9.0, 2)]


@settings(max_examples=60)
@given(st.integers(0, 400), st.integers(0, 23), st.integers(1, 24), st.sets(st.integers(0, 6), min_size=1))
def test_hours_of_the_week_follow_the_clock_on_the_wall(day, start, end, days):
    from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US
    from beffroi.rules.civil_hours import DAYS, CivilHours

    hours = CivilHours(tuple(sorted(days)), start * 60, end * 60)
    begin = parse_instant("2026-01-01T00:00:00Z") + day * DAY_US
    edge = begin
    for step in range(0, 48 * 60, 30):
        at = begin + step * MINUTE_US
        local = to_datetime(at).astimezone(PARIS)
        if local.hour in (1, 2, 3) and (start in (1, 2, 3) or end in (1, 2, 3)):
            continue  # the hours that a clock change doubles or drops have tests of their own
        minute = local.hour * 60 + local.minute
        if end > start:
            inside = local.weekday() in days and start * 60 <= minute < end * 60
        else:
            inside = (local.weekday() in days and minute >= start * 60) or (
                (local.weekday() - 1) % 7 in days and minute < end * 60
            )
        assert hours.contains(at) == inside, (local, DAYS)
    for _ in range(4):
        following = hours.next_edge(edge)
        assert edge < following <= edge + 8 * DAY_US + HOUR_US
        edge = following


@pytest.mark.parametrize(
    ("night", "length"),
    [("2026-03-28T22:00:00+01:00", 7), ("2026-10-24T22:00:00+02:00", 9), ("2026-06-01T22:00:00+02:00", 8)],
)
def test_a_night_is_as_long_as_it_is_when_clocks_change(night, length):
    from beffroi.model.instant import HOUR_US
    from beffroi.rules.civil_hours import CivilHours

    hours, start = CivilHours(start=22 * 60, end=6 * 60), parse_instant(night)
    assert hours.contains(start)
    assert not hours.contains(start - 1)
    assert hours.next_edge(start) == start + length * HOUR_US


def test_hours_raise_at_their_start_when_the_condition_already_holds():
    a_rule = rule("{above: 5}", extra="during: {hours: 22:00-06:00}")
    machine = a_rule.machine()
    evening = parse_instant("2026-06-01T20:00:00+02:00")
    part = machine.fresh(evening)
    assert machine.observe(part, "value", evening, 1, 9.0) == []
    made = machine.advance(part, parse_instant("2026-06-02T12:00:00+02:00"))
    assert [(t.at_us, t.after) for t in made] == [
        (parse_instant("2026-06-01T22:00:00+02:00"), 3), (parse_instant("2026-06-02T06:00:00+02:00"), 0),
    ]  # fmt: skip


@given(a_series(), st.integers(1, 25), st.integers(0, 6), st.integers(1, 20))
def test_totals_within_a_duration(series, limit, hysteresis, within):
    on, levels = False, []
    for second in range(END + 1):
        total = sum(v for at, v in series if second - within < at <= second)
        on = total > limit or (on and total >= limit - hysteresis)
        levels.append(3 if on else 0)
    text = f"{{totals: {limit}, hysteresis: {hysteresis}, within: PT{within}S}}"
    assert run(rule(text), series) == steps(levels)
    assert run(rule(text), series, restart_at=len(series) // 2) == steps(levels)


@given(a_series(), st.integers(1, 9), st.integers(0, 3), st.integers(1, 12))
def test_means_over_a_duration(series, limit, hysteresis, within):
    on, levels = False, []
    for second in range(END + 1):
        window = {at: v for at, v in series if second - within < at <= second}  # of two at one time the later
        known = bool(window) and 4 * (max(window) - min(window)) >= 3 * within
        mean = sum(window.values()) / len(window) if window else 0
        on = known and (mean > limit or (on and mean >= limit - hysteresis))
        levels.append(3 if on else 0)
    text = f"{{means: {limit}, hysteresis: {hysteresis}, within: PT{within}S}}"
    assert run(rule(text), series) == steps(levels)
    assert run(rule(text), series, restart_at=len(series) // 2) == steps(levels)
