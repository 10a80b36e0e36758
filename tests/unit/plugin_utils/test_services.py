# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which address serves what: by the kind of its network, as the next tools ask."""

from __future__ import annotations

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.services import (
    api_endpoint_of,
    kubelet_node_ip,
    services,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.variables import VariableReader
from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import plan


def address(kind: str, text: str, network: str = "") -> dict[str, str]:
    name = network or kind
    return {"network": name, "kind": kind, "segment": "r1", "link": f"v-{name}", "address": text}


def serving(*addresses: dict[str, str], bgp: bool = False) -> dict[str, str]:
    return {name: item["address"] for name, item in services(addresses, bgp=bgp).items()}


class TestAServiceIsOnTheNetworkOfItsKind:
    @pytest.mark.parametrize(
        ("service", "kind"),
        [
            ("kubelet", "lcm"),
            ("pod_network", "workload"),
            ("ceph_public", "storage_access"),
            ("ceph_cluster", "storage_replication"),
            ("external", "external"),
            ("metallb", "external"),
            ("pxe", "pxe"),
        ],
    )
    def test_and_a_host_without_that_kind_does_not_have_it(self, service: str, kind: str) -> None:
        assert serving(address(kind, "10.0.0.9/24"))[service] == "10.0.0.9"
        others = {"workload", "lcm", "external", "storage_access", "pxe"} - {kind, "lcm"}
        assert service not in serving(*(address(other, "10.0.0.9/24") for other in others))

    def test_pods_without_a_workload_network_go_by_lcm(self) -> None:
        assert serving(address("lcm", "10.0.0.9/24"))["pod_network"] == "10.0.0.9"
        both = (address("lcm", "10.0.0.9/24"), address("workload", "10.1.0.9/24"))
        assert serving(*both)["pod_network"] == "10.1.0.9"

    def test_bgp_goes_by_lcm_where_the_fleet_has_routers_to_speak_to(self) -> None:
        assert serving(address("lcm", "10.0.0.9/24"), bgp=True)["bgp"] == "10.0.0.9"
        assert "bgp" not in serving(address("lcm", "10.0.0.9/24"))

    def test_both_families_of_a_network_are_told_and_no_other_networks(self) -> None:
        found = services(
            [
                address("external", "192.0.2.9/24", "dmz"),
                address("external", "2001:db8::9/64", "dmz"),
                address("external", "198.51.100.9/24", "other"),
            ],
            bgp=False,
        )
        assert found["external"] == {
            "network": "dmz",
            "link": "v-dmz",
            "address": "192.0.2.9",
            "addresses": ["192.0.2.9", "2001:db8::9"],
        }


class TestTheKubeletsNodeIp:
    def test_is_the_lcm_address_and_with_both_families_a_pair(self) -> None:
        pair = services([address("lcm", "10.0.0.9/24"), address("lcm", "fd00::9/64")], bgp=False)
        assert kubelet_node_ip(pair) == "10.0.0.9,fd00::9"
        assert kubelet_node_ip(services([address("lcm", "fd00::9/64")], bgp=False)) == "fd00::9"
        assert kubelet_node_ip({}) == ""


def fleet_with(*vips: dict[str, object]) -> list[dict[str, object]]:
    intent = good_intent()
    intent.fleet["underlay_vips"] = list(vips)
    found: list[dict[str, object]] = plan(intent).fleet["api_endpoints"]
    return found


class TestTheApiEndpoint:
    """S4.6-7: a VIP on the LCM network that holds the Kubernetes API."""

    def test_is_the_vip_with_its_port(self) -> None:
        (endpoint,) = fleet_with({"name": "api", "network": "lcm", "segment": "r1", "port": 443})
        assert endpoint["url"] == f"https://{endpoint['address']}:443"
        assert endpoint["cluster"] == ""

    def test_of_ipv6_stands_in_brackets(self) -> None:
        vip = {"name": "api", "network": "lcm", "address": "fd21:1::c8"}
        assert fleet_with(vip)[0]["url"] == "https://[fd21:1::c8]:6443"

    def test_is_no_vip_of_another_network(self) -> None:
        vip = {"name": "pods", "network": "workload", "segment": "r1"}
        assert fleet_with(vip) == []

    def test_of_a_cluster_is_its_own_before_one_for_all(self) -> None:
        endpoints = [{"cluster": name, "url": name} for name in ("", "a", "b", "a")]
        assert api_endpoint_of("b", endpoints) == endpoints[2]
        assert api_endpoint_of("c", endpoints) == endpoints[0]
        assert api_endpoint_of("", endpoints[1:]) is None


def test_the_plan_has_services_and_the_endpoint_on_every_host() -> None:
    planned = plan(good_intent())
    replicating = {n for n, part in planned.hosts.items() if "ceph_cluster" in part["services"]}
    assert replicating == {"st1"}
    for part in planned.hosts.values():
        of_part = {item["address"].partition("/")[0] for item in part["addresses"]}
        for service in part["services"].values():
            assert service["address"] in of_part
        assert part["services"]["kubelet"]["network"] == "lcm"
        assert len(part["services"]["kubelet"]["addresses"]) == 2
        assert part["api_endpoint"] == planned.fleet["api_endpoints"][0]


class HostVars(dict[str, dict[str, object]]):
    """Ansible's hostvars, as far as they are read."""

    def raw_get(self, host_name: str) -> dict[str, object]:
        return self[host_name]


def read_with(intent: Intent, name: str, value: object) -> list[str]:
    variables = HostVars(
        {host: {**intent.fleet, **own, name: value} for host, own in intent.hosts.items()}
    )
    problems = VariableReader(variables, ()).read(intent.hosts).problems
    return [f"{item.host} {item.path} {item.wrong}. {item.right}" for item in problems]


class TestTheNameOfTheOutput:
    def test_is_refused_for_wishes_with_the_name_that_they_have(self) -> None:
        wishes = [{"network": "lcm", "address": "10.21.1.50"}]
        told = read_with(good_intent(), "underlay_addresses", wishes)
        assert len(told) == len(good_intent().hosts)
        for line in told:
            assert "underlay_addresses is set by the planner" in line
            assert "Call it underlay_wanted_addresses" in line

    def test_is_no_problem_where_a_cache_of_facts_has_kept_it(self) -> None:
        kept = {"kubelet": {"address": "10.21.1.10"}}
        assert read_with(good_intent(), "underlay_addresses", kept) == []
