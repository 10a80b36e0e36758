# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One verdict for the fleet; nothing that was not measured passes for ok."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State, worst
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.verdict import (
    LINKS,
    NOT_PLANNED,
    Verdict,
)
from tests.unit.plugin_utils.report.fleets import GONE, finding, part, parts, result, verdict

DEGRADED_BOND = finding(None, "degraded", check="bond", subject="bond0")


def cells(judged: Verdict, host: str) -> dict[str, str]:
    """A host's row, as words."""
    (row,) = (row for row in judged.rows if row.name == host)
    return {column: str(row.state_on(column)) for column in judged.columns}


def test_a_fleet_as_planned_is_ok() -> None:
    judged = verdict(parts("w1", "w2"), w1=result(), w2=result())
    assert judged.state is State.OK
    assert not judged.findings
    assert judged.hosts == {State.OK: 2}


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ({"w1": result(), "w2": result(DEGRADED_BOND)}, State.DEGRADED),
        ({"w1": result(finding()), "w2": result(DEGRADED_BOND)}, State.FAILED),
        ({"w1": result(), "w2": GONE}, State.FAILED),
        ({"w1": result(), "w2": {"failed": True}}, State.FAILED),
        ({"w1": result(), "w2": None}, State.OK),
        ({"w1": result(DEGRADED_BOND), "w2": None}, State.DEGRADED),
        ({"w1": None, "w2": None}, State.FAILED),
    ],
    ids=[
        "one cut link degrades",
        "failed outweighs degraded",
        "unreachable is failed",
        "a failed probe is failed",
        "not asked does not count",
        "not asked does not hide",
        "nobody asked proves nothing",
    ],
)
def test_the_verdict_is_that_of_the_worst_host(results: Mapping[str, Any], state: State) -> None:
    assert verdict(parts("w1", "w2"), **results).state is state


def test_a_finding_shows_on_its_host_and_network_alone() -> None:
    judged = verdict(parts("w1", "w2"), w1=result(finding("lcm")), w2=result())
    assert cells(judged, "w1") == {LINKS: "ok", "lcm": "failed", "storage": "ok"}
    assert cells(judged, "w2") == {LINKS: "ok", "lcm": "ok", "storage": "ok"}


def test_what_belongs_to_no_network_shows_with_the_hosts_links() -> None:
    judged = verdict(parts("w1"), w1=result(DEGRADED_BOND))
    assert cells(judged, "w1") == {LINKS: "degraded", "lcm": "ok", "storage": "ok"}


def test_a_network_named_like_a_column_keeps_its_own() -> None:
    planned = {"w1": part("w1", networks=["links"])}
    judged = verdict(planned, w1=result(DEGRADED_BOND, networks=[None, "links"]))
    assert judged.rows[0].state_on("links") is State.OK


def test_a_leftover_of_a_network_that_the_host_has_left_is_shown() -> None:
    leftover = finding("workload", check="leftover", subject="bond0.201")
    judged = verdict(parts("w1"), w1=result(leftover, networks=[None, "lcm", "storage"]))
    assert cells(judged, "w1")[LINKS] == "failed"
    assert [item.network for item in judged.findings] == ["workload"]


def test_a_network_that_a_host_is_not_on_is_absent() -> None:
    planned = {**parts("w1", networks=["lcm"]), **parts("st1")}
    judged = verdict(planned, w1=result(networks=[None, "lcm"]), st1=result())
    assert cells(judged, "w1")["storage"] == "-"


def test_networks_stand_in_the_plans_order_and_unused_ones_do_not_stand() -> None:
    planned = parts("w1", networks=["storage", "lcm"])
    assert list(verdict(planned, w1=result()).columns) == [LINKS, "lcm", "storage"]


def test_a_planned_network_that_was_not_measured_is_not_ok() -> None:
    judged = verdict(parts("w1"), w1=result(networks=[None, "lcm"]))
    assert cells(judged, "w1")["storage"] == "not measured"
    assert judged.state is State.FAILED
    (found,) = judged.findings
    assert (found.host, found.network) == ("w1", "storage")


def test_checks_that_fail_for_a_cause_told_elsewhere_fail_their_network_without_a_word() -> None:
    registered = result(finding(None, check="link", subject="bond0"))
    registered["measured"][1]["failed"] = 5
    judged = verdict(parts("w1"), w1=registered)
    assert cells(judged, "w1") == {LINKS: "failed", "lcm": "failed", "storage": "ok"}
    assert [item.subject for item in judged.findings] == ["bond0"]


def test_checks_that_fail_without_any_finding_are_told() -> None:
    registered = result()
    registered["measured"][1]["failed"] = 5
    (found,) = verdict(parts("w1"), w1=registered).findings
    assert (found.network, found.severity) == ("lcm", State.FAILED)
    assert found.seen == "5 failed and 0 degraded"


def test_an_unreachable_host_has_one_finding_that_names_it_and_says_why() -> None:
    judged = verdict(parts("w1"), w1=GONE)
    assert set(cells(judged, "w1").values()) == {"not measured"}
    (found,) = judged.findings
    assert (found.host, found.severity) == ("w1", State.FAILED)
    assert "Connection timed out" in found.seen
    assert judged.measured == 0


def test_a_host_that_was_asked_and_is_not_in_the_plan_fails() -> None:
    judged = verdict(parts("w1"), w1=result(), w9={"failed": True, "msg": "no part"})
    assert judged.state is State.FAILED
    assert [(item.host, item.seen) for item in judged.findings] == [("w9", NOT_PLANNED)]


def test_hosts_stand_in_natural_order() -> None:
    judged = verdict(parts("w10", "w2", "w1"), w1=result(), w2=result(), w10=result())
    assert [row.name for row in judged.rows] == ["w1", "w2", "w10"]


def test_rows_can_be_had_with_trouble_on_top() -> None:
    judged = verdict(
        parts("w1", "w2", "w3", "w4"), w1=result(), w2=result(DEGRADED_BOND), w3=GONE, w4=None
    )
    assert [row.name for row in judged.worst_first()] == ["w3", "w2", "w1", "w4"]


def test_findings_are_sorted_by_severity_then_host_then_network() -> None:
    judged = verdict(
        parts("w2", "w10"),
        w10=result(finding("storage"), finding("lcm")),
        w2=result(DEGRADED_BOND, finding("storage")),
    )
    assert [(str(item.severity), item.host, item.network) for item in judged.findings] == [
        ("failed", "w2", "storage"),
        ("failed", "w10", "lcm"),
        ("failed", "w10", "storage"),
        ("degraded", "w2", None),
    ]


def test_findings_of_a_kind_form_a_group_and_the_largest_comes_first() -> None:
    judged = verdict(
        parts("w1", "w2", "w3"),
        w1=result(DEGRADED_BOND, finding("storage")),
        w2=result(finding("lcm"), finding("lcm", subject="fd21:1::1")),
        w3=result(finding("lcm")),
    )
    assert [(group.network, group.hosts, len(group.findings)) for group in judged.groups()] == [
        ("lcm", ["w2", "w3"], 3),
        ("storage", ["w1"], 1),
        (None, ["w1"], 1),
    ]


def test_the_order_of_the_answers_does_not_matter() -> None:
    one = verdict(parts("w1", "w2"), w1=GONE, w2=result(finding()))
    other = verdict(parts("w2", "w1"), w2=result(finding()), w1=GONE)
    assert one == other


def test_of_no_states_the_worst_is_that_there_is_none() -> None:
    assert worst([]) is State.ABSENT
