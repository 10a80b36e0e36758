# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NIC groups: which NICs an expression picks, in which order, and when it picks none at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import (
    natural_key,
    natural_order,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.nics import select


def nics(*names: str, **common: Any) -> list[dict[str, Any]]:
    return [{"name": name, **common} for name in names]


def picked(names: list[str], match: str = "[*]", count: int | None = None) -> list[str]:
    group = {"name": "uplink", "match": match, "count": len(names) if count is None else count}
    chosen, problems = select([group], nics(*names), "w1")
    assert problems == []
    return [nic["name"] for nic in chosen["uplink"]]


def refusal(names: list[str], match: str = "[*]", count: int = 2, **common: Any) -> str:
    group = {"name": "uplink", "match": match, "count": count}
    chosen, (problem,) = select([group], nics(*names, **common), "w1")
    assert chosen == {}
    assert problem.path == "underlay_l2_template.nics[uplink].match"
    assert problem.value == match
    assert problem.host == "w1"
    return f"{problem.wrong}. {problem.right}"


class TestTheOrderOfNics:
    @pytest.mark.parametrize(
        "names",
        [
            ["enp9s0f2", "enp9s0f10"],
            ["enp9s0f0", "enp9s0f1", "enp9s1f0", "enp10s0f0"],
            ["enp9s0f0np0", "enp9s0f0np1", "enp9s0f1np0"],
            ["enP2p1s0", "enP2p1s1", "enP2p11s0", "enP10p1s0"],
            ["eth0", "eth1", "eth2", "eth10", "eth11"],
            ["eno1", "eno2", "enp1s0", "ens3"],
        ],
        ids=" ".join,
    )
    def test_counts_ports_and_functions_as_people_do(self, names: list[str]) -> None:
        assert picked(names[::-1]) == names

    def test_is_that_of_a_slice_in_the_expression_too(self) -> None:
        assert picked(["eth10", "eth2", "eth1"], "[:2]", 2) == ["eth1", "eth2"]

    def test_is_the_expressions_own_where_it_sorts(self) -> None:
        assert picked(["eth1", "eth2"], "reverse(@)") == ["eth2", "eth1"]

    @given(st.lists(st.text(max_size=8), unique=True), st.randoms())
    def test_is_the_same_whatever_the_order_they_come_in(
        self, names: list[str], chance: Any
    ) -> None:
        shuffled = list(names)
        chance.shuffle(shuffled)
        assert natural_order(shuffled) == natural_order(names)

    @given(st.text(), st.text())
    def test_compares_any_two_names(self, one: str, other: str) -> None:
        assert (natural_key(one) < natural_key(other)) in (True, False)

    def test_is_a_tie_for_names_that_count_the_same(self) -> None:
        assert natural_key("eth1") == natural_key("eth01")


class TestAGroup:
    def test_takes_what_its_expression_gives(self) -> None:
        assert picked(["enp0s2", "enp0s3", "enp0s4"], "[?name!='enp0s2']", 2) == [
            "enp0s3",
            "enp0s4",
        ]

    def test_may_be_one_nic_rather_than_a_list(self) -> None:
        assert picked(["eth0", "eth1"], "[0]", 1) == ["eth0"]

    def test_has_whole_nics_even_if_the_expression_gives_some_keys(self) -> None:
        group = {"name": "uplink", "match": "[*].{name: name}", "count": 1}
        chosen, _unused = select([group], nics("eth0", mac="52:54:00:00:00:01"), "w1")
        assert chosen["uplink"][0]["mac"] == "52:54:00:00:00:01"

    def test_of_too_few_lists_those_it_matched_and_all_that_there_are(self) -> None:
        text = refusal(["eth0", "eth1"], "[?name=='eth0']", driver="ixgbe", bus="0000:01:00.0")
        assert "matches 1 NICs (eth0), count is 2: too few" in text
        assert "eth0 driver=ixgbe bus=0000:01:00.0; eth1 driver=ixgbe" in text

    def test_of_too_many_is_a_tie_never_a_choice(self) -> None:
        text = refusal(["enp9s0f0", "enp9s0f1", "enP2p1s0"], count=2)
        assert "matches 3 NICs (enP2p1s0, enp9s0f0, enp9s0f1), count is 2" in text
        assert "tie" in text

    def test_of_none_says_so(self) -> None:
        assert "matches no NIC. The host's NICs are eth0" in refusal(["eth0"], "[?mtu > `9000`]")

    def test_on_a_host_without_nics_says_so(self) -> None:
        assert refusal([]) == "matches no NIC. The host's NICs are none"

    def test_with_two_names_that_count_the_same_is_a_tie(self) -> None:
        assert "is a tie: eth01, eth1 count the same" in refusal(["eth1", "eth01"])

    def test_with_one_nic_twice_is_refused(self) -> None:
        assert "tie" in refusal(["eth0", "eth1"], "[[0], [0]] | []")

    def test_is_told_apart_from_other_groups(self) -> None:
        groups = [
            {"name": "good", "match": "[?name=='eth0']", "count": 1},
            {"name": "bad", "match": "[?name=='eth9']", "count": 1},
            {"name": "worse", "match": "[?", "count": 1},
        ]
        chosen, problems = select(groups, nics("eth0"), "w1")
        assert list(chosen) == ["good"]
        assert [problem.path.split("[")[1].split("]")[0] for problem in problems] == [
            "bad",
            "worse",
        ]

    @pytest.mark.parametrize(
        "expression",
        [
            "",
            "[?",
            "[?driver=ixgbe]",
            "no_such_function(@)",
            "sort_by(@, &speed)",
            "[::0]",
            "[?contains(name, `1`)]",
            "{{ host }}",
        ],
    )
    def test_with_an_expression_that_does_not_work_says_so(self, expression: str) -> None:
        text = refusal(["eth0"], expression, speed=None)
        assert "is not a JMESPath expression that works here" in text

    @pytest.mark.parametrize(
        "expression",
        [
            "length(@)",
            "[*].name",
            "'eth0'",
            "nothing",
            "[*].{name: [name]}",
            "`true`",
            "[*].{name: 'x'}",
        ],
    )
    def test_with_an_expression_that_gives_no_nics_says_so(self, expression: str) -> None:
        assert "gives something other than NICs" in refusal(["eth0"], expression)
