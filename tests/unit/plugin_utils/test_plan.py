# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a whole: pure, plain, and the same for the same intent wherever it is made."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.fleet import (
    Planned,
    make_plan,
)
from tests.unit.plugin_utils.mutations import MUTATIONS, Intent, good_intent
from tests.unit.plugin_utils.planning import plan, problems_of
from tools import checkout


def whole(planned: Planned) -> dict[str, Any]:
    return {"fleet": planned.fleet, "hosts": planned.hosts}


def shuffled(intent: Intent, chance: Any) -> Intent:
    names = list(intent.hosts)
    chance.shuffle(names)
    hosts = {name: intent.hosts[name] for name in names}
    return Intent(intent.fleet, hosts, intent.groups)


class TestTheHash:
    @given(st.randoms())
    def test_does_not_depend_on_the_order_of_the_inventory(self, chance: Any) -> None:
        other = plan(shuffled(good_intent(), chance))
        assert other.sha256() == plan(good_intent()).sha256()
        assert list(other.hosts) == ["cp1", "st1", "w1", "w2"]

    def test_does_not_depend_on_the_process(self) -> None:
        program = (
            "from tests.unit.plugin_utils.mutations import good_intent\n"
            "from tests.unit.plugin_utils.planning import plan\n"
            "print(plan(good_intent()).sha256())\n"
        )
        path = os.pathsep.join([str(checkout.ROOT), str(checkout.ROOT / ".collections")])
        hashes = {
            subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
                text=True,
            ).stdout.strip()
            for seed in ("0", "1", "4711")
        }
        assert hashes == {plan(good_intent()).sha256()}

    def test_does_not_depend_on_the_ledgers_version(self) -> None:
        first = plan(good_intent())
        later = Ledger(99, first.ledger.addresses)
        assert plan(good_intent(), later).sha256() == first.sha256()

    def test_changes_with_any_change_of_the_plan(self) -> None:
        intent = good_intent()
        intent.segment("workload", "r1").update(mtu=1400)
        assert plan(intent).sha256() != plan(good_intent()).sha256()

    def test_is_of_the_canonical_json(self) -> None:
        planned = plan(good_intent())
        fleet, hosts = json.loads(json.dumps([planned.fleet, planned.hosts]))
        again = Planned(fleet, hosts, planned.ledger)
        assert again.sha256() == planned.sha256()
        assert len(planned.sha256()) == 64


class TestPurity:
    def test_the_plan_is_plain_json(self) -> None:
        planned = plan(good_intent())
        assert json.loads(json.dumps(whole(planned))) == whole(planned)

    def test_the_same_input_gives_the_same_plan(self) -> None:
        one, other = plan(good_intent()), plan(good_intent())
        assert whole(one) == whole(other)
        assert one.ledger == other.ledger

    def test_no_input_is_changed(self) -> None:
        intent = good_intent()
        intent.template("w1")["netplan"] = {
            "bonds": {"bond0": {"parameters": {"primary": "{{ nic('uplink') }}"}}},
            "vlans": {"bond0.201": {"addresses": ["10.22.1.99/24"]}},
        }
        ledger = Ledger(3, {"lcm": {"10.21.1.99": "w1"}})
        known, _unused = read_intent(intent.fleet, intent.hosts, intent.groups)
        facts = {name: host.nics for name, host in known.hosts.items() if host.nics is not None}
        before = copy.deepcopy((intent.fleet, intent.hosts, ledger, facts))
        model, problems = read_intent(intent.fleet, intent.hosts, intent.groups)
        assert problems == []
        planned = make_plan(model, ledger, facts)
        assert planned.problems == []
        assert (intent.fleet, intent.hosts, ledger, facts) == before

    def test_a_plan_made_twice_of_one_model_is_the_same(self) -> None:
        intent = good_intent()
        model, _unused = read_intent(intent.fleet, intent.hosts)
        facts = {name: host.nics or () for name, host in model.hosts.items()}
        assert whole(make_plan(model, Ledger(), facts)) == whole(make_plan(model, Ledger(), facts))

    def test_a_broken_intent_is_not_changed_either(self) -> None:
        for mutation in MUTATIONS:
            intent = mutation.broken()
            before = intent.copy()
            problems_of(intent)
            assert intent == before


class TestReplanning:
    def test_gives_the_same_plan_and_the_very_same_ledger(self) -> None:
        first = plan(good_intent())
        again = plan(good_intent(), first.ledger)
        assert again.ledger is first.ledger
        assert whole(again) == whole(first)

    def test_what_check_mode_plans_is_what_the_run_plans(self) -> None:
        ledger = Ledger(5, {"lcm": {"10.21.1.77": "w1"}})
        assert whole(plan(good_intent(), ledger)) == whole(plan(good_intent(), ledger))

    def test_a_host_that_is_added_changes_no_other_hosts_files(self) -> None:
        first = plan(good_intent())
        intent = good_intent()
        intent.hosts["a0"] = good_intent().hosts["w1"]
        after = plan(intent, first.ledger)
        for name, part in first.hosts.items():
            assert after.hosts[name] == part

    def test_a_removed_network_is_in_nobodys_part(self) -> None:
        first = plan(good_intent())
        intent = good_intent()
        intent.fleet["underlay_networks"].pop(1)
        for host in intent.hosts:
            attach = intent.template(host)["attach"]
            intent.template(host)["attach"] = [
                item for item in attach if item["network"] != "workload"
            ]
        after = plan(intent, first.ledger)
        assert "workload" not in json.dumps(whole(after))
        assert after.ledger is first.ledger, "its addresses stay until they are released"


def test_an_empty_fleet_has_a_plan() -> None:
    intent = good_intent()
    intent.hosts = {}
    assert plan(intent).hosts == {}


def test_hosts_that_share_one_template_are_planned_one_by_one() -> None:
    intent = good_intent()
    intent.hosts["w1b"] = intent.hosts["w1"]
    hosts = plan(intent).hosts
    assert hosts["w1"]["addresses"] != hosts["w1b"]["addresses"]


def test_two_hosts_with_one_address_in_their_own_netplan_are_told() -> None:
    intent = good_intent()
    same = {"ethernets": {"enp0s2": {"addresses": ["192.0.2.9/24"]}}}
    for host in ("w1", "w2"):
        intent.template(host)["netplan"] = same
    (problem,) = problems_of(intent)
    assert problem.host == "w2"
    assert problem.wrong == "is on w1 as well"


def test_a_hosts_own_netplan_cannot_take_a_vip() -> None:
    intent = good_intent()
    same = {"ethernets": {"enp0s2": {"addresses": ["10.21.1.10/24"]}}}
    intent.template("w2")["netplan"] = same
    (problem,) = problems_of(intent)
    assert problem.wrong == "is on VIP api as well"
