# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way packets go: between LCM networks, back to clients outside, and never to the boards."""

from __future__ import annotations

from typing import Any

from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import plan

OOB = {
    "name": "oob",
    "kind": "oob",
    "segments": [{"name": "boards", "cidr": "10.26.0.0/24", "gateway": "10.26.0.1"}],
}
EXTERNAL = {
    "name": "external",
    "kind": "external",
    "default_route": True,
    "segments": [
        {
            "name": "ext",
            "vlan": 500,
            "cidr": "198.51.100.0/24",
            "gateway": "198.51.100.1",
            "ranges": ["198.51.100.10-198.51.100.99"],
            "service_ranges": ["198.51.100.100-198.51.100.199"],
        }
    ],
}


def device(intent: Intent, host: str, name: str) -> dict[str, Any]:
    """A device's settings in all of a host's files, lists added up as netplan does."""
    whole: dict[str, Any] = {}
    for item in plan(intent).hosts[host]["files"]:
        for section, devices in item["netplan"]["network"].items():
            for key, value in (devices.get(name, {}) if section != "version" else {}).items():
                whole[key] = [*whole.get(key, []), *value] if isinstance(value, list) else value
    return whole


def with_external() -> Intent:
    intent = good_intent()
    intent.network("lcm")["default_route"] = False
    intent.fleet["underlay_networks"].append(EXTERNAL)
    for host in intent.hosts:
        intent.template(host)["attach"].append({"network": "external", "link": "bond0"})
    return intent


def with_second_lcm() -> Intent:
    """Workers of rack r2 have an LCM network of their own."""
    intent = good_intent()
    segment = {"name": "r2", "rack": "r2", "vlan": 112, "cidr": "10.31.2.0/24"}
    intent.fleet["underlay_networks"].append(
        {"name": "lcm2", "kind": "lcm", "segments": [{**segment, "gateway": "10.31.2.1"}]}
    )
    for attached in (intent.template("w2")["attach"], intent.template("st1")["attach"]):
        attached[0] = {"network": "lcm2", "link": "bond0"}
    return intent


class TestLcmNetworks:
    def test_every_lcm_subnet_is_reached_from_every_other_one(self) -> None:
        """S4.3: whichever of the LCM networks it belongs to"""
        intent = with_second_lcm()
        routes = device(intent, "cp1", "bond0.101")["routes"]
        assert {"to": "10.31.2.0/24", "via": "10.21.1.1"} in routes
        assert {"to": "10.21.2.0/24", "via": "10.21.1.1"} in routes
        back = {
            route["to"] for route in device(intent, "w2", "bond0.112")["routes"] if "via" in route
        }
        assert back == {"10.21.1.0/24", "10.21.2.0/24"}

    def test_other_kinds_are_not_joined(self) -> None:
        routes = device(with_second_lcm(), "w2", "bond0.202")["routes"]
        assert routes == [{"to": "10.22.1.0/24", "via": "10.22.2.1"}]

    def test_an_endpoint_outside_of_all_segments_has_a_route(self) -> None:
        """S4.4: with mode bgp the address lies in no subnet, and all reach it by their router"""
        intent = good_intent()
        intent.network("lcm")["default_route"] = False
        intent.fleet["underlay_bgp"] = {"asn": 64512, "peers": [{"asn": 64513}]}
        intent.fleet["underlay_vips"] = [
            {"name": "api", "network": "lcm", "mode": "bgp", "address": "10.9.9.9"}
        ]
        routes = device(intent, "w2", "bond0.102")["routes"]
        assert {"to": "10.9.9.9/32", "via": "10.21.2.1"} in routes

    def test_whoever_announces_it_has_it_on_the_loopback(self) -> None:
        intent = good_intent()
        intent.fleet["underlay_bgp"] = {"asn": 64512, "peers": [{"asn": 64513}]}
        intent.fleet["underlay_vips"] = [
            {"name": "api", "network": "lcm", "mode": "bgp", "address": "10.9.9.9"}
        ]
        assert device(intent, "cp1", "lo") == {"addresses": ["10.9.9.9/32"]}
        assert device(intent, "w1", "lo") == {}


class TestAnswers:
    def test_leave_by_the_external_gateway(self) -> None:
        """metallb#319: whatever the main table says, also for a service's address"""
        link = device(with_external(), "w1", "bond0.500")
        assert {"to": "default", "via": "198.51.100.1", "table": 163} in link["routes"]
        assert {"to": "198.51.100.0/24", "scope": "link", "table": 163} in link["routes"]
        assert link["routing-policy"] == [
            {"from": "198.51.100.0/24", "table": 163, "priority": 29100}
        ]

    def test_what_goes_to_pods_stays_inside(self) -> None:
        intent = with_external()
        intent.fleet["underlay_pod_network"] = {
            "provider": "canal",
            "pod_network_cidr": "10.244.0.0/16",
            "service_cidr": "10.96.0.0/12",
        }
        rules = device(intent, "w1", "bond0.500")["routing-policy"]
        assert [(rule.get("to"), rule["table"]) for rule in rules] == [
            ("10.244.0.0/16", 254),
            ("10.96.0.0/12", 254),
            (None, 163),
        ]
        assert rules[0]["priority"] < rules[2]["priority"] < 32766

    def test_any_network_can_ask_for_the_same(self) -> None:
        intent = good_intent()
        intent.network("lcm")["routing_table"] = 77
        families = [rule["from"] for rule in device(intent, "w1", "bond0.101")["routing-policy"]]
        assert families == ["10.21.1.0/24", "fd21:1::/64"]
        assert "routing-policy" not in device(good_intent(), "w1", "bond0.101")


class TestOutOfBand:
    def with_boards(self) -> Intent:
        intent = good_intent()
        intent.fleet["underlay_networks"].append(OOB)
        return intent

    def test_is_unreachable_from_every_host(self) -> None:
        """S4.15: not being attached is not enough, as a default route leads everywhere"""
        for host, vlan in (("cp1", 101), ("st1", 102)):
            routes = device(self.with_boards(), host, f"bond0.{vlan}")["routes"]
            assert {"to": "10.26.0.0/24", "type": "unreachable"} in routes

    def test_is_kept_out_by_the_firewall_too(self) -> None:
        """S4.15: what the host sends, and what it forwards for its pods"""
        intent = self.with_boards()
        intent.fleet["underlay_firewalld"] = {"enabled": True}
        found = plan(intent).hosts["w1"]["firewall"]["policies"]
        ours = {item["name"]: item for item in found if item["name"].startswith("underlay-oob")}
        assert [item["ingress_zones"] for item in ours.values()] == [["HOST"], ["ANY"]]
        for item in ours.values():
            assert item["rich_rules"] == [
                'rule family="ipv4" destination address="10.26.0.0/24" reject'
            ]

    def test_without_such_a_network_nothing_is_left_of_it(self) -> None:
        intent = good_intent()
        intent.fleet["underlay_firewalld"] = {"enabled": True}
        found = plan(intent).hosts["w1"]["firewall"]["policies"]
        assert [item["state"] for item in found if "oob" in item["name"]] == ["absent", "absent"]

    def test_its_file_is_its_own_and_adds_to_the_link(self) -> None:
        part = plan(self.with_boards()).hosts["w1"]
        names = [item["name"] for item in part["files"] if item["role"] == "oob"]
        assert names == ["67-underlay-oob.yaml"]
        planned = [route for route in part["expect"]["routes"] if route["network"] == "lcm"]
        assert planned, "the routes of the link's own file are still expected"


class TestStorageReplication:
    def test_is_unreachable_from_hosts_that_are_not_attached(self) -> None:
        """S4.14: it is between storage hosts alone, and a default route leads everywhere"""
        routes = device(good_intent(), "w1", "bond0.101")["routes"]
        for rack in (1, 2):
            assert {"to": f"10.24.{rack}.0/24", "type": "unreachable"} in routes

    def test_storage_hosts_reach_its_other_segments(self) -> None:
        """S4.14"""
        lcm = device(good_intent(), "st1", "bond0.102")["routes"]
        assert not [route for route in lcm if "type" in route]
        own = device(good_intent(), "st1", "bond0.402")["routes"]
        assert own == [{"to": "10.24.1.0/24", "via": "10.24.2.1"}]
