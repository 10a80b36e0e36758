# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: all errors in one run, each named by its path, no traceback, nothing changed."""

from __future__ import annotations

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import describe
from tests.unit.plugin_utils.mutations import MUTATIONS, Mutation, good_intent, whole_intent
from tests.unit.plugin_utils.planning import attempt, plan, problems_of


def test_the_intent_that_is_broken_below_is_good() -> None:
    assert problems_of(good_intent()) == []
    assert problems_of(whole_intent()) == []


def test_there_are_fifty_mutations_and_each_has_a_name_of_its_own() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(set(names)) == len(names) >= 50


@pytest.mark.parametrize("row", range(1, 16))
def test_every_row_of_the_founding_document_is_broken_once(row: int) -> None:
    assert any(f"(S4.{row})" in mutation.name for mutation in MUTATIONS)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
class TestAMutation:
    def test_is_named_by_its_path_with_value_and_remedy_and_without_noise(
        self, mutation: Mutation
    ) -> None:
        problems = problems_of(mutation.broken())
        assert {problem.path for problem in problems} == {mutation.path}
        assert {problem.host for problem in problems} == set(mutation.hosts or [""])
        text = describe(problems)
        for word in mutation.words:
            assert word in text

    def test_is_told_in_a_line(self, mutation: Mutation) -> None:
        lines = describe(problems_of(mutation.broken())).splitlines()
        noun = "problem" if mutation.lines == 1 else "problems"
        assert lines[0] == f"{mutation.lines} {noun} in the intent, nothing was changed:"
        assert len(lines) == 1 + mutation.lines

    def test_leaves_a_ledger_as_it_is(self, mutation: Mutation) -> None:
        for ledger in (Ledger(),) if mutation.once else (Ledger(), plan(good_intent()).ledger):
            planned = attempt(mutation.broken(), ledger)
            assert planned.problems
            assert planned.ledger is ledger


def test_all_mutations_that_go_together_are_told_in_one_run() -> None:
    together = [
        "a VLAN id is reserved by 802.1Q",
        "a VIP is outside of its network (S4.6)",
        "a NIC selector matches none",
        "a rack has no segment",
    ]
    intent = good_intent()
    for mutation in MUTATIONS:
        if mutation.name in together:
            mutation.change(intent)
    assert {problem.path for problem in problems_of(intent)} == {
        mutation.path for mutation in MUTATIONS if mutation.name in together
    }


def test_shapes_and_values_that_are_wrong_are_told_in_one_run() -> None:
    intent = good_intent()
    intent.segment("lcm", "r1").update(gateway="10.99.0.1")
    intent.segment("workload", "r1").update(cidr="10.22.1.7/24")
    intent.hosts["w1"].update(underlay_rack=["r1"])
    assert {problem.path for problem in problems_of(intent)} == {
        "underlay_networks[lcm].segments[r1].gateway",
        "underlay_networks[workload].segments[r1].cidr",
        "underlay_rack",
    }


def test_hosts_that_share_a_problem_share_its_line() -> None:
    intent = good_intent()
    intent.network("workload")["segments"] = []
    lines = describe(problems_of(intent)).splitlines()
    assert [line.split(": ")[0].removeprefix("  - ") for line in lines[1:]] == [
        "cp1, w1",
        "st1, w2",
    ]
