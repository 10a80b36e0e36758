# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify looks for besides the planned links: what must not be on a host, and VIPs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.expectations import (
    surroundings,
)
from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import plan

LINKS = {"lcm": "bond0.101", "workload": "br0"}


def intent(*more: dict[str, Any]) -> Intent:
    """The good intent with a network for PXE and one for BMCs."""
    changed = good_intent()
    pxe = {"name": "boot", "kind": "pxe", "segments": [{"name": "all", "cidr": "10.25.1.0/24"}]}
    oob = {
        "name": "boards",
        "kind": "oob",
        "segments": [
            {"name": "r1", "rack": "r1", "cidr": "10.26.1.0/24"},
            {"name": "r2", "rack": "r2", "cidr": "10.26.2.0/24"},
        ],
    }
    changed.fleet["underlay_networks"] += [pxe, oob, *more]
    return changed


def around(
    given: Intent | None = None,
    *,
    state: str = "operational",
    addresses: tuple[tuple[str, str, str], ...] = (),
    vips: tuple[dict[str, Any], ...] = (),
    warden: bool = False,
) -> dict[str, Any]:
    """What is expected of w1. addresses: (network, kind, address)"""
    read = given or intent()
    model, problems = read_intent(read.fleet, read.hosts, read.groups)
    assert not problems
    part = {
        "name": "w1",
        "rack": "r1",
        "state": state,
        "addresses": [
            {"network": network, "kind": kind, "address": address, "link": "any"}
            for network, kind, address in addresses
        ],
    }
    return surroundings(part, LINKS, model.networks, vips, warden=warden)


class TestSilence:
    """S4.1: a DHCP server answers on the PXE network alone."""

    def test_is_wanted_on_whatever_carries_a_network(self) -> None:
        assert around()["silent"] == [
            {"network": "lcm", "link": "bond0.101"},
            {"network": "workload", "link": "br0"},
        ]

    def test_is_not_wanted_where_addresses_are_set_aside_for_dhcp(self) -> None:
        changed = intent()
        changed.segment("workload", "r1")["dhcp_ranges"] = ["10.22.1.200-10.22.1.220"]
        assert [item["network"] for item in around(changed)["silent"]] == ["lcm"]

    def test_of_another_racks_segment_changes_nothing(self) -> None:
        changed = intent()
        changed.segment("workload", "r2")["dhcp_ranges"] = ["10.22.2.200-10.22.2.220"]
        assert len(around(changed)["silent"]) == 2


class TestForbiddenNetworks:
    def test_are_all_segments_of_pxe_and_oob_whatever_their_rack(self) -> None:
        """S4.1, S4.15"""
        assert around()["forbidden"] == [
            {"network": "boot", "kind": "pxe", "cidr": "10.25.1.0/24"},
            {"network": "boards", "kind": "oob", "cidr": "10.26.1.0/24"},
            {"network": "boards", "kind": "oob", "cidr": "10.26.2.0/24"},
        ]

    def test_are_none_for_a_host_that_provisions_others(self) -> None:
        assert around(warden=True)["forbidden"] == []


class TestListeners:
    """S4.13-14: storage access is Ceph's public network, replication its cluster network."""

    def test_of_ceph_belong_on_the_storage_addresses(self) -> None:
        addresses = (
            ("lcm", "lcm", "10.21.1.10/24"),
            ("fast", "storage_access", "10.23.1.10/24"),
            ("fast", "storage_access", "fd23::10/64"),
            ("sync", "storage_replication", "10.24.1.10/24"),
        )
        assert around(addresses=addresses)["listeners"] == [
            {
                "what": "Ceph OSD, MDS, manager",
                "ports": "6800-7300",
                "networks": ["fast", "sync"],
                "addresses": ["10.23.1.10", "fd23::10", "10.24.1.10"],
            }
        ]

    def test_are_looked_for_on_hosts_with_storage_alone(self) -> None:
        assert around(addresses=(("lcm", "lcm", "10.21.1.10/24"),))["listeners"] == []


def test_vips_are_those_that_the_host_may_hold() -> None:
    """S4.6-7"""
    common = {"network": "lcm", "mode": "arp", "port": 6443, "cluster": ""}
    mine = {"name": "api", "address": "10.21.1.200", "holders": ["w1", "w2"], **common}
    other = {"name": "two", "address": "10.21.1.201", "holders": ["w2"], **common}
    assert around(vips=(mine, other))["vips"] == [
        {
            "name": "api",
            "network": "lcm",
            "mode": "arp",
            "address": "10.21.1.200",
            "link": "bond0.101",
        }
    ]


def test_nothing_is_expected_of_a_host_that_is_provisioned() -> None:
    found = around(state="provisioning", addresses=(("s", "storage_access", "10.23.1.10/24"),))
    assert found == {"silent": [], "forbidden": [], "listeners": [], "vips": []}


@pytest.mark.parametrize("host", ["cp1", "w1", "w2", "st1"])
def test_a_plan_says_it_to_each_host(host: str) -> None:
    part = plan(intent()).hosts[host]
    assert {item["network"] for item in part["expect"]["forbidden"]} == {"boot", "boards"}
    silent = {item["network"]: item["link"] for item in part["expect"]["silent"]}
    assert silent == {item["network"]: item["link"] for item in part["addresses"]}
    assert bool(part["expect"]["listeners"]) == (host != "cp1")
    assert [item["name"] for item in part["expect"]["vips"]] == (["api"] if host == "cp1" else [])
