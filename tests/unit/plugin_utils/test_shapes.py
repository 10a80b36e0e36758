# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables against their argument spec: coerced as Ansible does, every misfit told by its path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import (
    FLEET_VARIABLES,
    HOST_VARIABLES,
    intent_options,
    read_intent,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import (
    HOSTS_SHOWN,
    IntentError,
    Problem,
    describe,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.shapes import ShapeChecker
from tests.unit.plugin_utils.mutations import good_intent
from tests.unit.plugin_utils.planning import attempt

ITEM = {
    "type": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "count": {"type": "int", "default": 1},
        "tags": {"type": "list", "elements": "str"},
        "kind": {"type": "str", "choices": ["lcm", "pxe"]},
        "quick": {"type": "bool"},
        "free": {"type": "dict"},
    },
}
ITEMS = {**ITEM, "type": "list", "elements": "dict"}


def checked(spec: dict[str, Any], value: object, **settings: bool) -> tuple[Any, list[Problem]]:
    checker = ShapeChecker(**settings)
    return checker.check(spec, value, "var"), checker.problems


def good(spec: dict[str, Any], value: object) -> Any:
    found, problems = checked(spec, value)
    assert problems == []
    return found


def bad(spec: dict[str, Any], value: object) -> list[tuple[str, str, str]]:
    return [(item.path, item.wrong, item.right) for item in checked(spec, value)[1]]


class TestGoodValues:
    @pytest.mark.parametrize(
        ("kind", "value", "expected"),
        [
            ("int", 5, 5),
            ("int", "5", 5),
            ("str", "x", "x"),
            ("str", 101, "101"),
            ("bool", "yes", True),
            ("bool", "off", False),
            ("bool", 1, True),
            ("bool", False, False),
            ("raw", [1], [1]),
        ],
    )
    def test_become_what_the_spec_says(self, kind: str, value: object, expected: object) -> None:
        assert good({"type": kind}, value) == expected

    def test_get_their_defaults_and_lists_are_never_none(self) -> None:
        assert good(ITEM, {"name": "a"}) == {
            "name": "a",
            "count": 1,
            "tags": [],
            "kind": None,
            "quick": None,
            "free": None,
        }

    def test_of_a_list_of_strings_may_be_one_string(self) -> None:
        assert good(ITEM, {"name": "a", "tags": "one"})["tags"] == ["one"]

    def test_left_empty_count_as_not_given(self) -> None:
        assert good(ITEM, {"name": "a", "count": None})["count"] == 1

    def test_with_free_keys_stay_as_they_are(self) -> None:
        assert good(ITEM, {"name": "a", "free": {"x": [1]}})["free"] == {"x": [1]}


class TestBadValues:
    @pytest.mark.parametrize(
        ("kind", "value", "noun"),
        [
            ("int", "five", "a whole number"),
            ("int", 1.5, "a whole number"),
            ("int", True, "a whole number"),
            ("int", [], "a whole number"),
            ("str", True, "a string"),
            ("str", ["a"], "a string"),
            ("bool", "maybe", "true or false"),
            ("bool", 2, "true or false"),
            ("dict", [], "a dictionary"),
            ("list", {}, "a list"),
            ("list", "text", "a list"),
        ],
    )
    def test_are_told_with_what_would_be_right(self, kind: str, value: object, noun: str) -> None:
        assert bad({"type": kind}, value) == [("var", f"is not {noun}", f"Give {noun}")]

    def test_of_items_are_told_by_the_items_name(self) -> None:
        assert bad(ITEMS, [{"name": "a"}, {"name": "b", "count": "x"}])[0][0] == "var[b].count"

    def test_of_items_without_a_name_are_told_by_their_index(self) -> None:
        assert bad(ITEMS, [{"name": "a"}, {"count": 1}]) == [
            ("var[1].name", "is missing", "Give a string")
        ]

    def test_that_are_misspelt_choices_get_a_hint(self) -> None:
        assert bad(ITEM, {"name": "a", "kind": "lmc"}) == [
            ("var.kind", "is not known", "Did you mean lcm? It is one of lcm, pxe")
        ]

    def test_under_misspelt_keys_get_a_hint(self) -> None:
        assert bad(ITEM, {"name": "a", "cuont": 1}) == [
            ("var.cuont", "is not a known key", "Did you mean count")
        ]

    def test_under_unlike_keys_get_the_list(self) -> None:
        ((_unused, _unused, right),) = bad(ITEM, {"name": "a", "zzz": 1})
        assert right == "The keys here are count, free, kind, name, quick, tags"

    def test_with_one_name_twice_are_told(self) -> None:
        assert bad(ITEMS, [{"name": "a"}, {"name": "a"}])[0][:2] == (
            "var[a].name",
            "is there twice in this list",
        )

    def test_are_all_told_at_once(self) -> None:
        assert len(bad(ITEMS, [{"count": "x", "quick": "maybe"}, 5, {"name": []}])) == 5


def test_templates_pass_for_any_type_until_they_are_rendered() -> None:
    for text in ("{{ 1 }}", "{% if x %}1{% endif %}"):
        assert checked({"type": "int"}, text, templated=True) == (text, [])
        assert len(checked({"type": "int"}, text)[1]) == 1


def test_every_variable_of_the_intent_has_a_shape() -> None:
    assert set(intent_options()) == {*FLEET_VARIABLES, *HOST_VARIABLES}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from([*FLEET_VARIABLES, *HOST_VARIABLES]), JSON)
def test_no_value_of_any_variable_ends_in_a_traceback(name: str, value: Any) -> None:
    intent = good_intent()
    if name in FLEET_VARIABLES:
        intent.fleet[name] = value
    else:
        intent.hosts["w1"][name] = value
    planned = attempt(intent)
    assert describe(planned.problems)


@given(st.data(), JSON)
def test_no_value_in_any_place_of_the_intent_ends_in_a_traceback(
    data: st.DataObject, value: Any
) -> None:
    intent = good_intent()
    place: Any = data.draw(st.sampled_from([intent.fleet, intent.hosts["w1"]]))
    while True:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key: Any = data.draw(st.sampled_from(list(keys)))
        inner = place[key]
        if not inner or not isinstance(inner, dict | list) or data.draw(st.integers(0, 3)) == 0:
            break
        place = inner
    place[key] = value
    planned = attempt(intent)
    assert describe(planned.problems)


def test_a_shared_template_is_checked_once_and_told_for_every_host() -> None:
    intent = good_intent()
    shared = {"nics": [{"name": "uplink", "cuont": 2}]}
    for host in intent.hosts.values():
        host["underlay_l2_template"] = shared
    _unused, problems = read_intent(intent.fleet, intent.hosts)
    assert {item.host for item in problems} == set(intent.hosts)
    assert len(describe(problems).splitlines()) == 2


class TestTheText:
    def problem(self, host: str = "", value: object = None, wrong: str = "is wrong") -> Problem:
        return Problem("var[a].b", value, wrong, "Do better", host)

    def test_has_path_value_what_is_wrong_and_what_would_be_right(self) -> None:
        assert describe([self.problem("w1", 5)]) == (
            "1 problem in the intent, nothing was changed:\n"
            "  - w1: var[a].b: 5: is wrong. Do better."
        )

    def test_names_a_few_hosts_and_counts_the_others(self) -> None:
        problems = [self.problem(f"w{number}") for number in range(HOSTS_SHOWN + 3)]
        assert describe(problems).endswith(
            "w0, w1, w2, w3, w4 and 3 more hosts: var[a].b: is wrong. Do better."
        )

    def test_names_a_host_once(self) -> None:
        assert "w1: var" in describe([self.problem("w1"), self.problem("w1")])

    def test_has_one_line_whatever_the_value(self) -> None:
        text = describe([self.problem(value="a\n  b", wrong="is\nwrong.")])
        assert text.splitlines()[1:] == ["  - var[a].b: a b: is wrong. Do better."]

    def test_shortens_a_long_value(self) -> None:
        assert "x" * 117 + "..." in describe([self.problem(value="x" * 500)])

    def test_is_the_errors_own(self) -> None:
        error = IntentError(iter([self.problem()]))
        assert str(error) == describe(error.problems)
