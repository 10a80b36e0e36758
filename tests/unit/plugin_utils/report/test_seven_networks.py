# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on all seven networks: those that hosts are on, those they are kept off, and VIPs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.document import document
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.page import page
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.text import terminal_text
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.verdict import LINKS, Verdict
from tests.unit.plugin_utils.report.fleets import (
    GONE,
    finding,
    kept_off,
    parts,
    provisioning,
    result,
    verdict,
)

ALL = (None, "lcm", "storage", "pxe", "oob")


def told(judged: Verdict) -> list[tuple[str, str | None, str, str]]:
    return [(item.host, item.network, item.subject, item.seen) for item in judged.findings]


class TestNetworksThatAHostIsKeptOff:
    """S4.1, S4.15: PXE and OOB."""

    def judged(self, *findings: dict[str, Any]) -> Verdict:
        planned = {"w1": kept_off("w1", "pxe", "oob")}
        return verdict(planned, w1=result(*findings, networks=ALL))

    def test_stand_beside_the_others_and_count(self) -> None:
        judged = self.judged()
        assert list(judged.columns) == [LINKS, "pxe", "lcm", "storage", "oob"]
        assert judged.state is State.OK
        measured = document(judged, "now")["hosts"][0]["measured"]
        assert {item["network"]: item["checks"] for item in measured}["pxe"] == 23

    def test_fail_their_own_column(self) -> None:
        judged = self.judged(finding("oob", check="oob", subject="BMC of w1 10.26.1.1"))
        (row,) = judged.rows
        assert (row.state_on("oob"), row.state_on("pxe")) == (State.FAILED, State.OK)
        assert "FAILED" in terminal_text(judged).splitlines()[2]

    def test_were_not_measured_by_a_probe_that_says_nothing_of_them(self) -> None:
        judged = verdict({"w1": kept_off("w1", "pxe")}, w1=result())
        assert judged.rows[0].state_on("pxe") is State.NOT_MEASURED

    def test_are_not_drawn_as_if_the_host_were_there(self) -> None:
        assert ">pxe<tspan" not in page(self.judged(), "now")
        wrong = page(self.judged(finding("pxe", check="pxe")), "now")
        assert ">pxe<tspan" in wrong
        assert ">oob<tspan" not in wrong


class TestAVipThatMovesByArp:
    """S4.6-7: exactly one host holds it."""

    API: dict[str, Any] = {  # noqa: RUF012 - never changed
        "name": "api",
        "network": "lcm",
        "mode": "arp",
        "address": "10.21.1.200",
        "holders": ["w1", "w2"],
    }

    def judged(self, *answers: object, **more: Any) -> Verdict:
        names = [f"w{number}" for number in range(1, len(answers) + 1)]
        results = dict(zip(names, answers, strict=True))
        return verdict(parts(*names), {**self.API, **more}, **results)

    def test_may_be_on_any_of_them(self) -> None:
        for answers in ((result(vips=["api"]), result()), (result(), result(vips=["api"]))):
            judged = self.judged(*answers)
            assert judged.state is State.OK
            counts = [row.cells["lcm"].count for row in judged.rows]
            assert sorted(count.checks for count in counts if count) == [23, 24]

    def test_on_two_hosts_is_told_once_with_both_names(self) -> None:
        judged = self.judged(result(vips=["api"]), result(vips=["api"]))
        assert told(judged) == [("w1", "lcm", "VIP api 10.21.1.200", "held by w1 and w2")]
        assert judged.findings[0].expected == "held by exactly one of w1, w2"
        assert [row.state_on("lcm") for row in judged.rows] == [State.FAILED, State.OK]

    def test_on_no_host_is_told(self) -> None:
        judged = self.judged(result(), result())
        assert told(judged) == [("w1", "lcm", "VIP api 10.21.1.200", "held by nobody")]

    def test_on_no_other_host_may_be_with_the_one_that_was_not_measured(self) -> None:
        assert told(self.judged(result(), None)) == []
        assert [item[0] for item in told(self.judged(result(), GONE))] == ["w2"]

    def test_is_judged_by_its_holders_alone(self) -> None:
        assert told(self.judged(result(), None, result())) == []
        found = self.judged(result(vips=["api"]), None, result(vips=["api"]))
        assert told(found) == []

    def test_is_not_judged_by_a_probe_that_does_not_know_of_vips(self) -> None:
        old = result()
        del old["vips"]
        assert told(self.judged(old, old)) == []

    @pytest.mark.parametrize("more", [{"mode": "bgp"}, {"holders": []}])
    def test_is_the_only_sort_that_is_judged_so(self, more: dict[str, Any]) -> None:
        assert told(self.judged(result(), result(), **more)) == []

    def test_is_held_by_no_host_that_is_provisioned(self) -> None:
        planned = {**parts("w1"), "w2": provisioning("w2")}
        judged = verdict(planned, self.API, w1=result(), w2=result(vips=["api"]))
        assert told(judged) == [("w1", "lcm", "VIP api 10.21.1.200", "held by nobody")]
        assert judged.findings[0].expected == "held by w1"


class TestAHostThatIsProvisioned:
    """S4.1: it is on PXE; nothing of the cluster's networks can be measured from it."""

    @pytest.mark.parametrize("answer", [None, GONE, result(finding())])
    def test_counts_neither_way_whatever_it_answers(self, answer: object) -> None:
        judged = verdict({**parts("w1"), "w2": provisioning("w2")}, w1=result(), w2=answer)
        assert (judged.state, told(judged)) == (State.OK, [])
        assert judged.hosts == {State.OK: 1, State.PROVISIONING: 1}

    def test_is_shown_as_such(self) -> None:
        judged = verdict({**parts("w1"), "w2": provisioning("w2")}, w1=result())
        assert (
            terminal_text(judged)
            == """
host  host links    lcm  storage
w1    ok            ok   ok
w2    provisioning  -    -
(- not on this network)

Verdict: ok
  2 hosts: 1 ok, 1 provisioning
  plan 9aaa1a69f266"""
        )
        assert "provisioning" in page(judged, "now")
        assert document(judged, "now")["counts"]["hosts"]["provisioning"] == 1

    def test_alone_proves_nothing(self) -> None:
        assert verdict({"w1": provisioning("w1")}).state is State.FAILED

    def test_among_many_is_counted_and_not_listed(self) -> None:
        names = [f"w{number}" for number in range(1, 41)]
        planned = {**parts(*names), "w41": provisioning("w41")}
        judged = verdict(planned, **{name: result() for name in names})
        assert "1 host provisioning, not shown" in terminal_text(judged)
        assert "Show 1 host provisioning" in page(judged, "now")
