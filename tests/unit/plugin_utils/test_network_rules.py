# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules on the seven kinds of networks, row by row: what they refuse, and what they let pass.

How each row's message looks stands with the mutations; here stands where each rule ends.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.network_rules import (
    FLEET_RULES,
    NETWORK_RULES,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.vip_ids import router_id
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import describe
from tests.unit.plugin_utils.mutations import (
    MUTATIONS,
    Intent,
    Variables,
    good_intent,
    whole_intent,
)
from tests.unit.plugin_utils.planning import attempt, plan, problems_of
from tools import checkout

ROWS = [rule.row for rule in NETWORK_RULES] + [rule.row for rule in FLEET_RULES]
ATTACH = "underlay_l2_template.attach"


def told(intent: Intent) -> list[tuple[str, str]]:
    """Host and path of everything that is wrong."""
    return [(problem.host, problem.path) for problem in problems_of(intent)]


def attach(intent: Intent, host: str, network: str, **settings: Any) -> None:
    item = {"network": network, "link": "bond0", **settings}
    intent.template(host)["attach"].append(item)


def detach(intent: Intent, host: str, network: str) -> None:
    intent.template(host)["attach"].remove(intent.attach(host, network))


def lcm_network(name: str, vlan: int, cidr: str, **settings: Any) -> Variables:
    segment = {"name": "all", "vlan": vlan, "cidr": cidr, **settings}
    return {"name": name, "kind": "lcm", "segments": [segment]}


def two_clusters() -> Intent:
    """w2 and st1 are a cluster of their own, with networks of its own; cp1 and w1 are the first."""
    intent = good_intent()
    second = lcm_network("lcm2", 110, "10.31.0.0/24", gateway="10.31.0.1")
    intent.fleet["underlay_networks"].append({**second, "api_endpoint": True})
    for host in ("w2", "st1"):
        intent.hosts[host]["underlay_cluster"] = "second"
        intent.attach(host, "lcm").update(network="lcm2")
        detach(intent, host, "workload")
    return intent


class TestTheTable:
    def test_names_the_rows_of_each_rule(self) -> None:
        rows = " ".join(ROWS)
        # S4.4 is asked of hosts' plans, S4.8's routers and S4.14's are asked of every network.
        assert {f"S4.{row}" for row in range(1, 16)} - set(rows.replace(",", "").split()) == {
            "S4.4"
        }

    def test_has_rows_that_mutations_break(self) -> None:
        texts = [describe(problems_of(mutation.broken())) for mutation in MUTATIONS]
        for row in ROWS:
            assert any(f"({row})." in text for text in texts), row

    def test_is_explained_with_the_words_that_the_rules_use(self) -> None:
        guide = (checkout.ROOT / "docs" / "networks.md").read_text("utf-8")
        rows = [line.split(" | ") for line in guide.splitlines() if line.startswith("| S4.")]
        texts = "\n".join(describe(problems_of(mutation.broken())) for mutation in MUTATIONS)
        assert {cells[0].removeprefix("| ") for cells in rows} == {
            f"S4.{row}" for row in range(1, 16)
        }
        for _row, _demand, messages, *_verified in rows:
            for message in re.findall("`([^`]+)`", messages):
                for part in message.removesuffix("…").split("(…)"):
                    assert part.partition("…")[0].strip() in texts, message


class TestPxe:
    """S4.1: facilitates the iPXE boot; it must not be configured on an operational node."""

    def test_a_network_without_a_server_of_ours_is_data_that_nobody_attaches(self) -> None:
        intent = whole_intent()
        intent.fleet.pop("underlay_pxe")
        assert told(intent) == [("cp1", f"{ATTACH}[pxe].network")]
        detach(intent, "cp1", "pxe")
        assert told(intent) == []

    def test_a_server_needs_an_address_there(self) -> None:
        intent = whole_intent()
        intent.attach("cp1", "pxe").update(address=False)
        assert told(intent) == [("cp1", ATTACH)]

    def test_a_host_that_is_to_be_provisioned_is_not_on_it_by_its_template_either(self) -> None:
        intent = whole_intent()
        intent.hosts["w1"].update(underlay_state="provisioning")
        assert told(intent) == []
        attach(intent, "w1", "pxe")
        assert told(intent) == [("w1", f"{ATTACH}[pxe].network")]

    def test_an_operational_host_may_name_no_image(self) -> None:
        intent = whole_intent()
        intent.hosts["w1"]["underlay_boot"].pop("image")
        assert told(intent) == []

    def test_a_rack_without_a_host_to_provision_needs_no_segment(self) -> None:
        intent = whole_intent()
        intent.network("pxe")["segments"].pop()
        assert told(intent) == []

    def test_a_lone_segment_needs_no_gateway(self) -> None:
        intent = whole_intent()
        intent.network("pxe")["segments"].pop()
        intent.segment("pxe", "r1").pop("gateway")
        assert told(intent) == []

    def test_all_that_keeps_hosts_from_booting_is_told_at_once(self) -> None:
        intent = good_intent()
        for host in ("w1", "w2"):
            intent.hosts[host]["underlay_state"] = "provisioning"
        assert told(intent) == [
            ("", "underlay_pxe"),
            ("w1", "underlay_boot"),
            ("w2", "underlay_boot"),
        ]


class TestLcmAddresses:
    """S4.2: connects LCM agents on the hosts, kubelet and the API server."""

    def test_both_families_of_a_segment_are_one(self) -> None:
        addresses = plan(good_intent()).hosts["w1"]["addresses"]
        assert [item["address"] for item in addresses if item["network"] == "lcm"] == [
            "10.21.1.12/24",
            "fd21:1::3/64",
        ]

    def test_a_second_network_without_an_address_is_good(self) -> None:
        intent = good_intent()
        intent.fleet["underlay_networks"].append(
            lcm_network("lcm2", 110, "10.31.0.0/24", gateway="10.31.0.1")
        )
        attach(intent, "w1", "lcm2", address=False)
        assert told(intent) == []

    def test_an_inventory_without_lcm_networks_asks_for_none(self) -> None:
        intent = good_intent()
        intent.fleet.update(underlay_networks=[intent.network("workload")], underlay_vips=[])
        for host in intent.hosts:
            intent.template(host)["attach"] = [{"network": "workload", "link": "bond0"}]
        assert told(intent) == []

    def test_a_host_with_no_network_at_all_lacks_it(self) -> None:
        intent = good_intent()
        intent.template("w1")["attach"] = []
        assert told(intent) == [("w1", ATTACH)]


class TestLcmSegments:
    """S4.3: all IP subnets in the LCM networks must be connected to each other by IP routes."""

    def test_of_another_cluster_are_none_of_its_concern(self) -> None:
        intent = two_clusters()
        intent.network("lcm2")["segments"][0].pop("gateway")
        assert told(intent) == []

    def test_of_another_network_of_the_cluster_are(self) -> None:
        intent = two_clusters()
        intent.network("lcm2")["segments"][0].pop("gateway")
        intent.network("lcm2").pop("api_endpoint")
        for host in ("w2", "st1"):
            intent.hosts[host].pop("underlay_cluster")
        assert told(intent) == [("", "underlay_networks[lcm2].segments[all].gateway")]

    def test_of_different_families_need_no_router_between_them(self) -> None:
        intent = good_intent()
        for name in ("r2", "r2v6"):
            intent.network("lcm")["segments"].remove(intent.segment("lcm", name))
        intent.fleet["underlay_networks"].append(lcm_network("lcm2", 110, "fd31::/64"))
        for host in ("w2", "st1"):
            intent.attach(host, "lcm").update(network="lcm2")
        intent.network("lcm").update(default_route=False)
        for name in ("r1", "r1v6"):
            intent.segment("lcm", name).pop("gateway")
        # Only the two of IPv6 ask for each other.
        assert told(intent) == [
            ("", "underlay_networks[lcm].segments[r1v6].gateway"),
            ("", "underlay_networks[lcm2].segments[all].gateway"),
        ]


class TestRoutesOfTemplates:
    """S4.4: these routes must be configured on the hosts through L2 templates."""

    def intent(self) -> Intent:
        intent = good_intent()
        for name in ("r1v6", "r2v6"):
            intent.network("lcm")["segments"].remove(intent.segment("lcm", name))
        return intent

    def routes(self, text: object) -> list[tuple[str, str]]:
        intent = self.intent()
        netplan = {"vlans": {"bond0.101": {"routes": text}}}
        intent.template("w1").update(netplan=netplan)
        return told(intent)

    def test_added_to_the_derived_ones_are_good(self) -> None:
        more = "{{ routes('lcm') + [{'to': '10.99.0.0/16', 'via': gateway('lcm')}] }}"
        assert self.routes(more) == []

    def test_in_place_of_the_derived_ones_are_not(self) -> None:
        only = [{"to": "10.99.0.0/16", "via": "10.21.1.1"}]
        assert self.routes(only) == [("w1", "underlay_l2_template.netplan")]

    @pytest.mark.parametrize("to", ["10.21.0.0/16", "default", "10.21.2.0/24"])
    def test_that_cover_the_other_segments_are_good(self, to: str) -> None:
        assert self.routes([{"to": to, "via": "10.21.1.1"}]) == []

    def test_of_ipv6_are_asked_for_too(self) -> None:
        intent = good_intent()
        netplan = {"vlans": {"bond0.101": {"routes": "{{ routes('lcm') }}"}}}
        intent.template("w1").update(netplan=netplan)
        (problem,) = problems_of(intent)
        assert "routes('lcm', 6)" in problem.right
        netplan["vlans"]["bond0.101"]["routes"] = "{{ routes('lcm') + routes('lcm', 6) }}"
        assert told(intent) == []

    def test_to_other_places_may_be_left_out(self) -> None:
        intent = self.intent()
        routes = [{"to": "10.99.0.0/16", "via": "10.21.1.1"}]
        intent.segment("lcm", "r1").update(routes=routes)
        kept = "{{ routes('lcm') | rejectattr('to', 'eq', '10.99.0.0/16') | list }}"
        intent.template("w1").update(netplan={"vlans": {"bond0.101": {"routes": kept}}})
        assert told(intent) == []


class TestTheWayToTheEndpoint:
    """S4.5: all LCM subnets must be connected to the API endpoints through an IP router."""

    def lone_segment(self, **vip: Any) -> Intent:
        intent = good_intent()
        segment = {"name": "all", "vlan": 100, "cidr": "10.21.0.0/16"}
        intent.network("lcm").update(segments=[segment], default_route=False)
        intent.fleet["underlay_bgp"] = {
            "asn": 64512,
            "peers": [{"asn": 64513, "address": "10.21.0.1"}],
        }
        intent.vip("api").update(segment=None, **vip)
        return intent

    def test_within_one_segment_needs_no_router(self) -> None:
        assert told(self.lone_segment()) == []

    def test_out_of_it_does(self) -> None:
        intent = self.lone_segment(mode="bgp", address="203.0.113.7")
        assert told(intent) == [("", "underlay_networks[lcm].segments[all].gateway")]
        intent.segment("lcm", "all").update(gateway="10.21.0.1")
        assert told(intent) == []


class TestRangesOfASegment:
    """S4.6, S4.11: ranges of VIPs, services, DHCP clients and hosts are apart."""

    @pytest.mark.parametrize("key", ["service_ranges", "dhcp_ranges", "vip_ranges"])
    def test_that_touch_are_good(self, key: str) -> None:
        intent = good_intent()
        intent.segment("lcm", "r1").update({key: ["10.21.1.201-10.21.1.210"]})
        assert told(intent) == []

    @pytest.mark.parametrize("key", ["service_ranges", "dhcp_ranges", "vip_ranges"])
    def test_that_share_an_address_are_not(self, key: str) -> None:
        intent = good_intent()
        intent.segment("lcm", "r1").update({key: ["10.21.1.210", "10.21.1.200"]})
        assert told(intent) == [("", f"underlay_networks[lcm].segments[r1].{key}[1]")]

    def test_need_not_be_apart_from_excludes(self) -> None:
        intent = good_intent()
        intent.segment("lcm", "r1").update(exclude=["10.21.1.200-10.21.1.210"])
        assert told(intent) == []

    def test_for_vips_give_them_their_addresses(self) -> None:
        intent = good_intent()
        intent.segment("lcm", "r1").update(vip_ranges=["10.21.1.230-10.21.1.239"])
        assert plan(intent).fleet["vips"][0]["address"] == "10.21.1.230"

    def test_are_checked_though_a_host_cannot_be_read(self) -> None:
        intent = good_intent()
        intent.segment("lcm", "r1").update(vip_ranges=["10.21.1.200"])
        intent.hosts["w1"].pop("underlay_l2_template")
        assert told(intent) == [
            ("w1", "underlay_l2_template"),
            ("", "underlay_networks[lcm].segments[r1].vip_ranges[0]"),
        ]


class TestRouterIds:
    """S4.6: VIPs by ARP are VRRP's (RFC 5798)."""

    @pytest.mark.parametrize(
        ("address", "own", "number"),
        [
            ("10.21.1.200", None, 200),
            ("10.21.0.0", None, 255),
            ("fd21:1::1:0", None, 255),
            ("fd21:1::2a", None, 42),
            ("10.21.1.200", 7, 7),
        ],
    )
    def test_follow_from_the_address(self, address: str, own: int | None, number: int) -> None:
        intent = good_intent()
        segment = "r1v6" if ":" in address else "r1"
        intent.fleet["underlay_vips"][0].update(segment=segment, router_id=own)
        model, _unused = read_intent(intent.fleet, intent.hosts, intent.groups)
        assert router_id(model.vips[0], ip_address(address)) == number

    def test_of_both_families_are_apart(self) -> None:
        intent = good_intent()
        intent.vip("api").update(router_id=7)
        more = {"name": "api6", "network": "lcm", "segment": "r1v6", "router_id": 7}
        intent.fleet["underlay_vips"].append(more)
        assert told(intent) == []

    def test_on_two_vlans_are_apart(self) -> None:
        intent = good_intent()
        intent.vip("api").update(router_id=7)
        more = {"name": "pods", "network": "workload", "segment": "r1", "router_id": 7}
        intent.fleet["underlay_vips"].append(more)
        assert told(intent) == []

    def test_that_follow_from_addresses_may_meet_too(self) -> None:
        intent = good_intent()
        segment = intent.segment("lcm", "r1")
        segment.update(cidr="10.21.0.0/23", gateway="10.21.1.1")
        for name, address in (("api", "10.21.0.77"), ("more", "10.21.1.77")):
            if name == "more":
                intent.fleet["underlay_vips"].append({"name": name, "network": "lcm"})
            intent.vip(name).update(address=address, segment="r1")
        assert told(intent) == [("", "underlay_vips[more].router_id")]


class TestTheApiEndpoint:
    """S4.7: only one of the LCM networks can contain the API endpoint."""

    def test_is_one_for_each_cluster(self) -> None:
        assert told(two_clusters()) == []

    def test_is_missing_in_one_of_two_clusters(self) -> None:
        intent = two_clusters()
        intent.network("lcm2").pop("api_endpoint")
        (problem,) = problems_of(intent)
        assert problem.path == "underlay_networks[lcm2].api_endpoint"
        assert "cluster second" in problem.wrong

    def test_of_a_network_that_nobody_attaches_does_not_count(self) -> None:
        intent = good_intent()
        spare = lcm_network("spare", 110, "10.31.0.0/24", gateway="10.31.0.1")
        intent.fleet["underlay_networks"].append({**spare, "api_endpoint": True})
        assert told(intent) == []


class TestHoldersOfAVip:
    """S4.7: it consists of a VLAN segment stretched between all Kubernetes manager nodes."""

    def test_in_the_vips_rack_are_good(self) -> None:
        intent = good_intent()
        intent.vip("api").update(roles=["control_plane", "first_rack"])
        intent.groups["first_rack"] = ["w1"]
        assert told(intent) == []

    def test_need_an_address_there(self) -> None:
        intent = good_intent()
        intent.fleet["underlay_vips"].append(
            {"name": "data", "network": "storage_access", "segment": "r1", "roles": ["first_rack"]}
        )
        intent.groups["first_rack"] = ["w1"]
        assert told(intent) == []
        intent.attach("w1", "storage_access").update(address=False)
        assert told(intent) == [("", "underlay_vips[data].roles")]

    def test_are_those_of_the_vips_cluster(self) -> None:
        intent = two_clusters()
        intent.groups["control_plane"] = ["cp1", "w2"]
        assert told(intent) == [("", "underlay_vips[api].roles")]
        intent.hosts["cp1"]["underlay_cluster"] = intent.hosts["w1"]["underlay_cluster"] = "first"
        intent.vip("api").update(cluster="first")
        assert told(intent) == []

    def test_may_be_anywhere_with_bgp(self) -> None:
        intent = good_intent()
        intent.vip("api").update(mode="bgp", address="203.0.113.7", roles=["*"])
        intent.fleet["underlay_bgp"] = {"asn": 64512, "peers": [{"asn": 64513}]}
        assert told(intent) == []

    def test_that_cannot_be_known_are_not_told_of_a_broken_vip(self) -> None:
        intent = good_intent()
        intent.vip("api").update(address="203.0.113.7", roles=["empty"])
        assert told(intent) == [("", "underlay_vips[api].address")]


class TestBgpPeers:
    """S4.7: with BGP, each holder tells the routers of its rack."""

    def announced(self, *peers: Variables, address: str = "203.0.113.7") -> Intent:
        intent = good_intent()
        intent.vip("api").update(mode="bgp", segment=None, address=address, roles=["*"])
        items = [{"asn": 64513, **peer} for peer in peers]
        intent.fleet["underlay_bgp"] = {"asn": 64512, "peers": items}
        return intent

    def test_for_all_racks_are_good(self) -> None:
        assert told(self.announced({})) == []

    def test_for_each_rack_are_good(self) -> None:
        assert told(self.announced({"rack": "r1"}, {"rack": "r2", "address": "10.21.2.9"})) == []

    def test_that_lack_a_rack_are_told_once(self) -> None:
        assert told(self.announced({"rack": "r1"})) == [("", "underlay_bgp.peers")]

    def test_speak_the_vips_family(self) -> None:
        intent = self.announced({"address": "10.21.1.1"}, address="2001:db8:77::1")
        assert {path for _unused, path in told(intent)} == {"underlay_bgp.peers"}
        intent = self.announced({"address": "fd21:1::1"}, address="2001:db8:77::1")
        assert told(intent) == []

    def test_by_the_gateway_need_one(self) -> None:
        intent = self.announced({}, address="10.21.0.77")
        segment = {"name": "all", "vlan": 100, "cidr": "10.21.0.0/16"}
        intent.network("lcm").update(segments=[segment], default_route=False)
        assert told(intent) == [("", "underlay_networks[lcm].segments[all].gateway")]


class TestWorkload:
    """S4.8: this network should not be shared between clusters."""

    def test_of_each_cluster_is_its_own(self) -> None:
        assert told(two_clusters()) == []

    def test_of_one_cluster_may_be_several(self) -> None:
        intent = good_intent()
        more = lcm_network("pods", 250, "10.25.0.0/24")
        intent.fleet["underlay_networks"].append({**more, "kind": "workload"})
        attach(intent, "w1", "pods")
        assert told(intent) == []


class TestExternal:
    """S4.9-12: an access to the OpenStack endpoints, with the default route."""

    def test_controllers_need_a_network_even_if_there_is_none(self) -> None:
        intent = good_intent()
        intent.groups["controllers"] = ["w1"]
        assert told(intent) == [("w1", ATTACH)]

    def test_controllers_need_an_address_there(self) -> None:
        intent = whole_intent()
        intent.attach("w2", "external").update(address=False)
        assert told(intent) == [("w2", ATTACH)]

    def test_others_need_not_be_there(self) -> None:
        intent = whole_intent()
        attach(intent, "st1", "external")
        assert told(intent) == []

    def test_controllers_share_a_segment_of_each_family(self) -> None:
        intent = whole_intent()
        second = {
            "name": "ext6",
            "rack": "r2",
            "vlan": 500,
            "cidr": "2001:db8:5::/64",
            "gateway": "2001:db8:5::1",
        }
        intent.segment("external", "ext").update(rack=["r1", "r2"])
        intent.network("external")["segments"].append(second)
        (problem,) = problems_of(intent)
        assert "IPv6" in problem.wrong
        assert "w1 none, w2 external ext6" in problem.right
        second["rack"] = ["r1", "r2"]
        assert told(intent) == []

    def test_one_controller_shares_with_nobody(self) -> None:
        intent = whole_intent()
        intent.groups["controllers"] = ["w1"]
        assert told(intent) == []

    def test_two_ranges_may_be_on_two_segments(self) -> None:
        intent = whole_intent()
        services = intent.segment("external", "ext").pop("service_ranges")
        assert services
        intent.network("external")["segments"].append(
            {
                "name": "ext6",
                "vlan": 500,
                "cidr": "2001:db8:5::/64",
                "gateway": "2001:db8:5::1",
                "service_ranges": ["2001:db8:5::100-2001:db8:5::1ff"],
            }
        )
        assert told(intent) == []

    def test_the_default_route_is_where_people_want_it_without_one(self) -> None:
        assert told(good_intent()) == []

    def test_the_default_route_of_a_cluster_without_one_is_its_own(self) -> None:
        intent = two_clusters()
        external = whole_intent().network("external")
        intent.fleet["underlay_networks"].append(external)
        attach(intent, "w2", "external")
        assert told(intent) == []
        attach(intent, "w1", "external")
        assert ("", "underlay_networks[lcm].default_route") in told(intent)

    def test_all_that_is_wrong_with_the_default_route_is_told(self) -> None:
        intent = whole_intent()
        intent.network("external").update(default_route=False)
        intent.network("lcm").update(default_route=True)
        assert told(intent) == [
            ("", "underlay_networks[external].default_route"),
            ("", "underlay_networks[lcm].default_route"),
        ]


class TestRoutingTables:
    """S4.12: required for external traffic to return to the originating client."""

    @pytest.mark.parametrize("table", [1, 252, 256, 2**32 - 1])
    def test_that_are_free_are_good(self, table: int) -> None:
        intent = good_intent()
        intent.network("workload").update(routing_table=table)
        assert told(intent) == []

    @pytest.mark.parametrize("table", [-1, 0, 253, 254, 255, 2**32])
    def test_that_are_not_are_refused(self, table: int) -> None:
        intent = good_intent()
        intent.network("workload").update(routing_table=table)
        assert told(intent) == [("", "underlay_networks[workload].routing_table")]

    def test_of_networks_that_no_host_shares_may_be_the_same(self) -> None:
        intent = whole_intent()
        intent.network("storage_replication").update(routing_table=163)
        assert told(intent) == []


class TestStorage:
    """S4.13-14: addresses are assigned to Ceph nodes; OSDs bind to these addresses."""

    def test_nodes_need_only_what_there_is(self) -> None:
        intent = whole_intent()
        networks = intent.fleet["underlay_networks"]
        networks.remove(intent.network("storage_replication"))
        detach(intent, "st1", "storage_replication")
        assert told(intent) == []

    def test_a_node_without_either_is_told_of_both(self) -> None:
        intent = whole_intent()
        detach(intent, "st1", "storage_access")
        detach(intent, "st1", "storage_replication")
        rights = [problem.right for problem in problems_of(intent)]
        assert [right.rpartition(" ")[2] for right in rights] == ["(S4.13)", "(S4.14)"]

    def test_others_may_have_access_alone(self) -> None:
        assert "w1" not in whole_intent().groups["storage"]
        assert told(whole_intent()) == []


class TestBoards:
    """S4.15: connects BMCs; must not be accessible from the cluster."""

    def board(self, address: str, host: str = "w1") -> list[tuple[str, str]]:
        intent = whole_intent()
        intent.hosts[host].update(underlay_bmc={"address": address})
        return told(intent)

    def test_in_their_racks_segment_are_good(self) -> None:
        assert self.board("10.25.1.77") == []

    @pytest.mark.parametrize("address", ["10.25.1.0", "10.25.1.255", "10.21.1.77", "fd25::7"])
    def test_elsewhere_are_not(self, address: str) -> None:
        assert self.board(address) == [("w1", "underlay_bmc.address")]

    def test_may_be_anywhere_in_a_segment_without_racks(self) -> None:
        intent = whole_intent()
        segment = {"name": "all", "vlan": 600, "cidr": "10.25.0.0/16"}
        intent.network("oob").update(segments=[segment])
        assert told(intent) == []

    def test_with_an_address_that_a_template_gives_its_host_are_told(self) -> None:
        intent = whole_intent()
        netplan = {"ethernets": {"enp0s2": {"addresses": ["10.25.1.10/24"]}}}
        intent.template("cp1").update(netplan=netplan)
        (problem,) = problems_of(intent)
        assert problem.host == "cp1"
        assert problem.wrong == "is on the board of w1 as well"

    @pytest.mark.parametrize("to", ["10.25.1.0/24", "10.25.1.128/25", "10.0.0.0/8"])
    def test_are_not_where_a_route_leads(self, to: str) -> None:
        intent = whole_intent()
        routes = [{"to": to, "via": "10.21.1.1"}]
        intent.segment("lcm", "r1").update(routes=routes)
        paths = {path for _unused, path in told(intent)}
        assert paths == {"underlay_networks[lcm].segments[r1].routes[0].to"}

    def test_are_kept_out_of_the_default_route_by_routes_of_their_own(self) -> None:
        intent = whole_intent()
        links = plan(intent).hosts["w1"]["files"]
        assert any(file["network"] == "oob" for file in links)


# What people write by mistake, and what no form expects.
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 255, 2**40, "", "x", "r1", "lcm", "pxe", "oob", "external"),
    *("10.21.1.1", "10.25.1.0/24", "0.0.0.0/0", "::/0", "fe80::1", "10.21.1.10-10.21.1.20"),
    *([], {}, ["r1"], ["*"], [{}], {"name": "lcm"}, ["10.21.1.5"]),
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in nested data, as (container, key)."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_changed_the_answer_is_problems_or_a_plan_and_never_a_traceback(
    data: st.DataObject,
) -> None:
    start: Callable[[], Intent] = data.draw(
        st.sampled_from([whole_intent, two_clusters, *(each.broken for each in MUTATIONS)])
    )
    intent = start().copy()  # mutations share what they put in
    for _unused in range(data.draw(st.integers(1, 3))):
        variables = {"fleet": intent.fleet, "hosts": intent.hosts}
        found = [place for place in places(variables) if place[0] not in (variables, intent.hosts)]
        container, key = found[data.draw(st.integers(0, len(found) - 1))]
        if data.draw(st.booleans()):
            container[key] = copy.deepcopy(data.draw(st.sampled_from(STRANGE)))
        else:
            del container[key]
    planned = attempt(intent)
    if planned.problems:
        assert describe(planned.problems)
        assert planned.ledger.version == 0
    else:
        assert set(planned.hosts) == set(intent.hosts)
