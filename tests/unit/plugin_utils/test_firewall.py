# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each host's firewall as it is planned: Pharos' words (S3.9 to S3.14), zones, sets, forwarding."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_options import read
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.address_sets import NAMES
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.firewall import complete
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.fleet import Planned
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.port_catalogue import (
    CATALOGUE,
    Who,
)
from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import plan, problems_of

# The block of Pharos' documentation, chapter Networking, section Firewalld, below `firewalld:`.
PHAROS = """
enabled: true
open_ports: # these are the defaults if firewalld is enabled
- port: "22"
  protocol: tcp
  roles:
  - "*"
- port: "80"
  protocol: tcp
  roles:
  - worker
- port: "443"
  protocol: tcp
  roles:
  - worker
- port: "6443"
  protocol: tcp
  roles:
  - master
- port: "30000-32767"
  protocol: tcp
  roles:
  - "*"
- port: "30000-32767"
  protocol: udp
  roles:
  - "*"
trusted_subnets:
  - "192.168.10.0/24"
"""
# What that block opens, by the roles that it names.
OPEN_TO_ANYONE = {
    "cp1": {"22/tcp", "6443/tcp", "30000-32767/tcp", "30000-32767/udp"},
    "w1": {"22/tcp", "80/tcp", "443/tcp", "30000-32767/tcp", "30000-32767/udp"},
}
PODS = {
    "provider": "calico",
    "pod_network_cidr": "172.31.0.0/16",
    "service_cidr": "172.30.0.0/16",
}
NATIVE = {"calico": {"ipip_mode": "Never"}}
# firewalld.zone(5), firewalld.ipset(5): the longest names that the kernel's tables take.
LONGEST_ZONE = 17
LONGEST_SET = 31


def intent(pods: dict[str, Any] | None = None, **firewall: Any) -> Intent:
    """The good intent with a firewall, and a pod network if one is given."""
    found = good_intent()
    found.fleet["underlay_firewalld"] = {"enabled": True, **firewall}
    if pods is not None:
        found.fleet["underlay_pod_network"] = pods
    return found


def firewall_of(planned: Planned, host: str) -> dict[str, Any]:
    """What the role gets: the host's part with the fleet's sets."""
    return complete(planned.hosts[host]["firewall"], planned.fleet)


def zone(planned: Planned, host: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        item for item in firewall_of(planned, host)["zones"] if item["name"] == name
    )
    return found


def ours(planned: Planned, host: str) -> Iterator[dict[str, Any]]:
    """The host's zones of ours that are there."""
    for item in firewall_of(planned, host)["zones"]:
        if item["state"] == "present" and item["name"].startswith("underlay-"):
            yield item


def entries(planned: Planned, name: str) -> list[str]:
    """A set's members; none where it is absent."""
    item = next(item for item in planned.fleet["firewall"]["ipsets"] if item["name"] == name)
    return list(item.get("entries", ()))


def addresses(planned: Planned, host: str) -> set[str]:
    return {item["address"].split("/")[0] for item in planned.hosts[host]["addresses"]}


def policy(planned: Planned, name: str = "underlay-pods") -> dict[str, Any]:
    (found,) = [item for item in firewall_of(planned, "w1")["policies"] if item["name"] == name]
    return dict(found)


class TestPharosWords:
    def test_a_firewall_is_off_by_default(self) -> None:
        """S3.9"""
        planned = plan(good_intent())
        assert all(part["firewall"] == {"enabled": False} for part in planned.hosts.values())

    @pytest.mark.parametrize("more", [{}, yaml.safe_load(PHAROS)])
    def test_off_means_that_the_plan_has_nothing_to_do(self, more: dict[str, Any]) -> None:
        """S3.9"""
        planned = plan(intent(**{**more, "enabled": False}))
        assert planned.sha256() == plan(good_intent()).sha256()
        assert firewall_of(planned, "w1") == {"enabled": False}

    @pytest.mark.parametrize("host", OPEN_TO_ANYONE)
    def test_the_documents_block_as_it_is_opens_what_it_says(self, host: str) -> None:
        """S3.10: on master and on worker, on each of their networks."""
        planned = plan(intent(**yaml.safe_load(PHAROS)))
        opened = [set(item["ports"]) for item in ours(planned, host)]
        assert len(opened) == {"cp1": 2, "w1": 3}[host]
        assert all(ports == OPEN_TO_ANYONE[host] for ports in opened)

    def test_the_documents_ports_are_the_default(self) -> None:
        """S3.10"""
        block = yaml.safe_load(PHAROS)
        given = plan(intent(**block))
        default = plan(intent(trusted_subnets=block["trusted_subnets"]))
        assert default.sha256() == given.sha256()

    def test_a_worker_port_is_closed_on_masters(self) -> None:
        """S3.11: Pharos itself opened 80 and 443 on masters too, against its document."""
        assert "80/tcp" not in zone(plan(intent()), "cp1", "underlay-lcm")["ports"]

    def test_a_role_is_any_group_of_the_inventory(self) -> None:
        """S3.11"""
        wanted = {"port": "9000-9009", "protocol": "sctp", "roles": ["storage_hosts"]}
        given = intent(open_ports=[wanted])
        given.groups["storage_hosts"] = ["st1"]
        planned = plan(given)
        assert zone(planned, "st1", "underlay-lcm")["ports"] == ["9000-9009/sctp"]
        assert zone(planned, "w1", "underlay-lcm")["ports"] == []

    def test_a_role_stands_for_the_groups_that_the_inventory_says(self) -> None:
        """S3.11"""
        given = intent(groups={"master": ["brains"], "worker": ["control_plane", "workers"]})
        given.groups["brains"] = ["w1"]
        planned = plan(given)
        masters = {
            host
            for host in planned.hosts
            if "6443/tcp" in zone(planned, host, "underlay-lcm")["ports"]
        }
        assert masters == {"w1"}

    def test_a_cluster_of_masters_alone_says_that_it_has_no_workers(self) -> None:
        given = intent(groups={"worker": []})
        del given.groups["workers"]
        assert problems_of(given) == []

    def test_hosts_of_the_cluster_pods_and_services_are_trusted(self) -> None:
        """S3.12, S3.13: all addresses of all hosts, on every network."""
        planned = plan(intent(PODS))
        hosts = {address for host in planned.hosts for address in addresses(planned, host)}
        found = {*entries(planned, "underlay-cluster"), *entries(planned, "underlay-cluster6")}
        assert found == {*hosts, "172.31.0.0/16", "172.30.0.0/16"}
        assert {ipaddress.ip_address(address).version for address in hosts} == {4, 6}

    def test_trusted_means_firewalld_s_own_zone_of_which_nothing_is_taken(self) -> None:
        """S3.12"""
        assert zone(plan(intent()), "w1", "trusted") == {
            "name": "trusted",
            "state": "present",
            "exclusive": False,
            "sources": ["ipset:underlay-cluster", "ipset:underlay-cluster6"],
        }

    def test_trusted_subnets_reach_every_port(self) -> None:
        """S3.14"""
        planned = plan(intent(trusted_subnets=["192.168.10.0/24", "2001:db8:1::/48"]))
        assert "192.168.10.0/24" in entries(planned, "underlay-cluster")
        assert "2001:db8:1::/48" in entries(planned, "underlay-cluster6")

    def test_hosts_inside_of_a_trusted_subnet_are_no_error(self) -> None:
        """S3.14: in Pharos firewalld refused the whole set; here the host's module collapses it."""
        planned = plan(intent(trusted_subnets=["10.21.0.0/16"]))
        assert {"10.21.0.0/16", "10.21.1.11"} <= set(entries(planned, "underlay-cluster"))


class TestZones:
    def test_each_network_of_a_host_is_in_the_zone_of_its_kind(self) -> None:
        planned = plan(intent())
        found = {item["name"]: item["interfaces"] for item in ours(planned, "st1")}
        assert found == {
            "underlay-lcm": ["bond0.102"],
            "underlay-workload": ["bond0.202"],
            "underlay-storage": ["bond0.302", "bond0.402"],
        }

    def test_zones_of_kinds_that_a_host_is_not_on_are_taken_away(self) -> None:
        absent = [
            item["name"]
            for item in firewall_of(plan(intent()), "cp1")["zones"]
            if item["state"] == "absent"
        ]
        assert absent == ["underlay-pxe", "underlay-storage", "underlay-external", "underlay-oob"]

    def test_a_bridge_is_the_interface_where_there_is_one(self) -> None:
        given = intent()
        given.attach("st1", "workload")["bridge"] = "br-work"
        planned = plan(given)
        found = zone(planned, "st1", "underlay-workload")
        assert (found["interfaces"], found["forward"]) == (["br-work"], True)
        assert zone(planned, "st1", "underlay-lcm")["forward"] is False

    def test_a_nic_that_is_not_planned_is_in_the_zone_that_is_named(self) -> None:
        planned = plan(intent(zones=[{"kind": "pxe", "interfaces": ["enp0s2"]}]))
        assert zone(planned, "w1", "underlay-pxe")["interfaces"] == ["enp0s2"]

    def test_a_planned_network_keeps_its_interface(self) -> None:
        planned = plan(intent(zones=[{"kind": "pxe", "interfaces": ["enp0s2", "bond0.102"]}]))
        assert zone(planned, "w1", "underlay-pxe")["interfaces"] == ["enp0s2", "bond0.102"]
        assert zone(planned, "w2", "underlay-pxe")["interfaces"] == ["enp0s2"]
        assert zone(planned, "w2", "underlay-lcm")["interfaces"] == ["bond0.102"]

    def test_a_port_is_open_on_the_networks_that_are_named(self) -> None:
        ssh = {"port": 22, "roles": ["*"], "networks": ["lcm"]}
        planned = plan(intent(open_ports=[ssh]))
        opened = {item["name"]: item["ports"] for item in ours(planned, "w1")}
        assert opened == {
            "underlay-lcm": ["22/tcp"],
            "underlay-workload": [],
            "underlay-storage": [],
        }

    def test_ranges_that_overlap_are_joined_as_firewalld_refuses_them(self) -> None:
        ports = [{"port": text, "roles": ["*"]} for text in ("30000-32767", "31000", "79", "80")]
        found = zone(plan(intent(open_ports=ports)), "w1", "underlay-lcm")
        assert found["ports"] == ["79-80/tcp", "30000-32767/tcp"]

    def test_no_name_is_longer_than_the_kernel_takes(self) -> None:
        planned = plan(intent(PODS))
        for host in planned.hosts:
            for item in firewall_of(planned, host)["zones"]:
                assert len(item["name"]) <= LONGEST_ZONE
        assert all(len(f"{name}6") <= LONGEST_SET for name in NAMES)


class TestTheFleet:
    def test_a_new_host_enters_every_hosts_set_and_moves_nothing_else(self) -> None:
        """S3.12: a host that joins reaches the others on the next run."""
        first = plan(intent(PODS))
        given = intent(PODS)
        given.hosts["a0"] = good_intent().hosts["w1"]
        given.groups["workers"].append("a0")
        after = plan(given, first.ledger)
        for name, part in first.hosts.items():
            assert after.hosts[name] == part
        for name in ("underlay-cluster", "underlay-cluster6"):
            assert set(entries(first, name)) <= set(entries(after, name))
        new = {*entries(after, "underlay-cluster"), *entries(after, "underlay-cluster6")} - {
            *entries(first, "underlay-cluster"),
            *entries(first, "underlay-cluster6"),
        }
        assert new == addresses(after, "a0")

    @settings(deadline=None)
    @given(st.randoms(), st.sampled_from(["all", "needed"]))
    def test_the_order_of_the_inventory_does_not_matter(self, chance: Any, between: str) -> None:
        given_ = intent(PODS, between_hosts=between)
        names = list(given_.hosts)
        chance.shuffle(names)
        other = Intent(
            given_.fleet,
            {name: given_.hosts[name] for name in names},
            {group: hosts[::-1] for group, hosts in reversed(given_.groups.items())},
        )
        assert plan(other).sha256() == plan(given_).sha256()

    def test_sets_are_kept_once_not_for_each_host(self) -> None:
        planned = plan(intent(PODS))
        assert "ipsets" not in planned.hosts["w1"]["firewall"]
        assert firewall_of(planned, "w1")["ipsets"] == planned.fleet["firewall"]["ipsets"]

    def test_every_set_that_a_plan_may_have_is_named_so_that_none_is_left_over(self) -> None:
        sets = plan(intent(PODS)).fleet["firewall"]["ipsets"]
        assert [item["name"] for item in sets] == [
            half for name in NAMES for half in (name, f"{name}6")
        ]
        assert {item["name"] for item in sets if item["state"] == "present"} == {
            "underlay-cluster",
            "underlay-cluster6",
        }

    def test_a_set_has_members_of_its_family_alone(self) -> None:
        planned = plan(intent(PODS, between_hosts="needed"))
        for item in planned.fleet["firewall"]["ipsets"]:
            version = {"inet": 4, "inet6": 6}.get(item.get("family", ""), 0)
            for entry in item.get("entries", ()):
                assert ipaddress.ip_network(entry).version == version

    def test_the_plan_stays_plain_json(self) -> None:
        planned = plan(intent(PODS))
        assert json.loads(json.dumps(planned.hosts)) == planned.hosts


class TestOnlyWhatIsNeededBetweenHosts:
    def test_hosts_are_not_trusted_as_a_whole(self) -> None:
        planned = plan(intent(PODS, between_hosts="needed", trusted_subnets=["192.168.10.0/24"]))
        assert entries(planned, "underlay-cluster") == [
            "172.30.0.0/16",
            "172.31.0.0/16",
            "192.168.10.0/24",
        ]
        assert entries(planned, "underlay-cluster6") == []

    def test_etcd_is_for_the_control_plane_alone(self) -> None:
        planned = plan(intent(between_hosts="needed"))
        rule = (
            'rule family="ipv4" source ipset="underlay-masters" '
            'port port="2379-2380" protocol="tcp" accept'
        )
        assert rule in zone(planned, "cp1", "underlay-lcm")["rich_rules"]
        assert rule not in zone(planned, "w1", "underlay-lcm")["rich_rules"]
        both = {*entries(planned, "underlay-masters"), *entries(planned, "underlay-masters6")}
        assert both == addresses(planned, "cp1")

    def test_the_kubelet_is_asked_by_the_control_plane(self) -> None:
        rules = zone(plan(intent(between_hosts="needed")), "w1", "underlay-lcm")["rich_rules"]
        asking = {rule.split('"')[3] for rule in rules if 'port="10250"' in rule}
        assert asking == {"underlay-masters", "underlay-masters6"}

    def test_what_listens_for_its_own_host_is_open_to_nobody(self) -> None:
        planned = plan(intent(between_hosts="needed"))
        assert "10257" not in json.dumps(planned.hosts)

    @pytest.mark.parametrize(
        ("provider", "expected"),
        [
            ({"provider": "canal"}, {"8472/udp"}),
            ({"provider": "canal", "canal": {"backend": "udp"}}, {"8285/udp"}),
            ({"provider": "canal", "canal": {"backend": "wireguard"}}, {"51820-51821/udp"}),
            ({"provider": "canal", "canal": {"backend": "host-gw"}}, set()),
            ({"provider": "calico"}, {"179/tcp", "4"}),
            ({"provider": "calico", "calico": {"ipip_mode": "CrossSubnet"}}, {"179/tcp", "4"}),
            ({"provider": "calico", **NATIVE}, {"179/tcp"}),
            ({"provider": "calico", "calico": {"vxlan": True}}, {"4789/udp"}),
            (
                {"provider": "calico", "calico": {"vxlan": True, "wireguard": True}},
                {"4789/udp", "51820-51821/udp"},
            ),
            ({"provider": "weave"}, {"6783/tcp", "6783-6784/udp", "50"}),
            ({"provider": "cilium"}, {"4240/tcp", "8472/udp"}),
            ({"provider": "cilium", "cilium": {"tunnel": "geneve"}}, {"4240/tcp", "6081/udp"}),
            (
                {"provider": "cilium", "cilium": {"tunnel": "disabled", "encryption": "ipsec"}},
                {"4240/tcp", "50"},
            ),
            (
                {"provider": "cilium", "cilium": {"encryption": "wireguard"}},
                {"4240/tcp", "8472/udp", "51871/udp"},
            ),
            ({"provider": "static"}, set()),
        ],
    )
    def test_a_provider_has_its_ports_between_all_hosts(
        self, provider: dict[str, Any], expected: set[str]
    ) -> None:
        without = self._between_hosts(intent(between_hosts="needed"))
        found = self._between_hosts(intent({**PODS, **provider}, between_hosts="needed"))
        assert found - without == expected

    def _between_hosts(self, given_: Intent) -> set[str]:
        rules = zone(plan(given_), "w1", "underlay-workload")["rich_rules"]
        ours_ = [rule for rule in rules if 'ipset="underlay-hosts"' in rule]
        ports = {
            f"{port}/{protocol}"
            for rule in ours_
            for port, protocol in re.findall(r'port="([0-9-]+)" protocol="(\w+)"', rule)
        }
        return ports | {found for rule in ours_ for found in re.findall(r'value="(\d+)"', rule)}

    def test_ip_in_ip_is_a_protocol_of_ipv4(self) -> None:
        given_ = intent(PODS, between_hosts="needed")
        rules = zone(plan(given_), "w1", "underlay-lcm")["rich_rules"]
        families = {rule.split('"')[1] for rule in rules if 'protocol value="4"' in rule}
        assert families == {"ipv4"}

    def test_speakers_are_asked_by_speakers(self) -> None:
        speakers = {"name": "metallb", "roles": ["worker"]}
        planned = plan(intent(between_hosts="needed", components=[speakers]))
        both = {*entries(planned, "underlay-metallb"), *entries(planned, "underlay-metallb6")}
        assert both == set().union(*(addresses(planned, host) for host in ("w1", "w2", "st1")))
        assert "7946" in json.dumps(zone(planned, "w1", "underlay-lcm"))
        assert "7946" not in json.dumps(zone(planned, "cp1", "underlay-lcm"))


class TestComponents:
    def test_those_who_are_no_host_of_the_cluster_reach_what_they_ask(self) -> None:
        clients = ["192.0.2.7", "2001:db8::/64"]
        planned = plan(intent(components=[{"name": "node_exporter", "clients": clients}]))
        assert entries(planned, "underlay-for-node_exporter") == ["192.0.2.7/32"]
        assert entries(planned, "underlay-for-node_exporter6") == ["2001:db8::/64"]
        assert zone(planned, "w1", "underlay-lcm")["rich_rules"] == [
            'rule family="ipv4" source ipset="underlay-for-node_exporter" '
            'port port="9100" protocol="tcp" accept',
            'rule family="ipv6" source ipset="underlay-for-node_exporter6" '
            'port port="9100" protocol="tcp" accept',
        ]

    def test_pxe_servers_serve_on_the_provisioning_network_alone(self) -> None:
        planned = plan(
            intent(
                open_ports=[],
                components=[{"name": "pxe", "roles": ["control_plane"]}],
                zones=[{"kind": "pxe", "interfaces": ["enp0s2"]}],
            )
        )
        opened = {item["name"]: item["ports"] for item in ours(planned, "cp1") if item["ports"]}
        assert opened == {"underlay-pxe": ["80/tcp", "67/udp", "69/udp"]}
        assert not any(item["ports"] for item in ours(planned, "w1"))

    def test_ceph_is_for_the_cluster_and_for_its_clients(self) -> None:
        ceph = {"name": "ceph", "roles": ["workers"], "clients": ["192.0.2.0/24"]}
        planned = plan(intent(between_hosts="needed", components=[ceph]))
        text = json.dumps(zone(planned, "st1", "underlay-storage")["rich_rules"])
        for name in ("underlay-hosts", "underlay-for-ceph"):
            for ports in ("3300", "6789", "6800-7300"):
                rule = f'source ipset="{name}" port port="{ports}" protocol="tcp" accept'
                assert json.dumps(rule)[1:-1] in text


class TestForwarding:
    """The reasons stand in planning/forwarding.py; packets prove them in the integration tests."""

    def test_pods_are_trusted_as_sources_so_that_their_packets_are_forwarded(self) -> None:
        assert "172.31.0.0/16" in entries(plan(intent(PODS)), "underlay-cluster")

    @pytest.mark.parametrize("provider", ["cilium", "canal", "calico", "weave", "static"])
    def test_no_policy_is_needed_as_long_as_hosts_are_trusted(self, provider: str) -> None:
        planned = plan(intent({**PODS, **NATIVE, "provider": provider}))
        assert policy(planned) == {"name": "underlay-pods", "state": "absent"}

    @pytest.mark.parametrize(
        ("provider", "state"),
        [
            ({"provider": "cilium"}, "present"),
            ({"provider": "cilium", "cilium": {"tunnel": "disabled"}}, "present"),
            ({"provider": "canal"}, "absent"),
            ({"provider": "canal", "canal": {"backend": "host-gw"}}, "present"),
            ({"provider": "calico"}, "absent"),
            ({"provider": "calico", "calico": {"ipip_mode": "CrossSubnet"}}, "present"),
            ({"provider": "calico", "calico": {"vxlan": True}}, "present"),
            ({"provider": "calico", **NATIVE}, "present"),
            ({"provider": "weave"}, "absent"),
            ({"provider": "static"}, "present"),
        ],
    )
    def test_hosts_reach_pods_with_their_own_address_where_they_keep_it(
        self, provider: dict[str, Any], state: str
    ) -> None:
        planned = plan(intent({**PODS, **provider}, between_hosts="needed"))
        assert policy(planned)["state"] == state

    def test_that_policy_lets_nothing_else_through(self) -> None:
        pods = {
            "provider": "static",
            "pod_network_cidr": ["172.31.0.0/16", "fd00:31::/56"],
            "service_cidr": ["172.30.0.0/16", "fd00:30::/112"],
        }
        assert policy(plan(intent(pods, between_hosts="needed"))) == {
            "name": "underlay-pods",
            "state": "present",
            "exclusive": True,
            "target": "CONTINUE",
            "priority": -1,
            "ingress_zones": ["ANY"],
            "egress_zones": ["ANY"],
            "rich_rules": [
                'rule family="ipv4" source ipset="underlay-hosts" '
                'destination address="172.31.0.0/16" accept',
                'rule family="ipv6" source ipset="underlay-hosts6" '
                'destination address="fd00:31::/56" accept',
            ],
        }


class TestTheCatalogue:
    def test_every_row_says_who_says_so(self) -> None:
        assert all(row.cite for row in CATALOGUE)

    def test_rows_that_are_of_no_component_are_asked_of_hosts_that_are_known(self) -> None:
        assert all(row.component for row in CATALOGUE if row.on is Who.RUNNING)
        assert all(row.component for row in CATALOGUE if row.source in (Who.RUNNING, Who.CLIENTS))

    def test_it_has_the_ports_that_the_components_documents_name(self) -> None:
        """Each project's own list of ports (row.cite), as pairs of name and port."""
        found = {(row.name, item) for row in CATALOGUE for item in row.items}
        assert found >= {
            ("API server", "6443/tcp"),
            ("etcd", "2379-2380/tcp"),
            ("kubelet", "10250/tcp"),
            ("controller manager", "10257/tcp"),
            ("scheduler", "10259/tcp"),
            ("kube-proxy health", "10256/tcp"),
            ("node ports", "30000-32767/tcp"),
            ("node ports", "30000-32767/udp"),
            ("flannel VXLAN", "8472/udp"),
            ("Calico BGP", "179/tcp"),
            ("Calico VXLAN", "4789/udp"),
            ("Calico Typha", "5473/tcp"),
            ("Calico IP-in-IP", "4"),
            ("Weave control", "6783/tcp"),
            ("Weave data", "6783-6784/udp"),
            ("Weave encryption", "50"),
            ("Cilium health", "4240/tcp"),
            ("Cilium health", "icmp"),
            ("Cilium VXLAN", "8472/udp"),
            ("Cilium WireGuard", "51871/udp"),
            ("MetalLB speakers", "7946/tcp"),
            ("MetalLB speakers", "7946/udp"),
            ("MetalLB metrics", "7472/tcp"),
            ("Ceph monitor", "3300/tcp"),
            ("Ceph monitor", "6789/tcp"),
            ("Ceph OSD, MDS, manager", "6800-7300/tcp"),
            ("DHCP", "67/udp"),
            ("TFTP", "69/udp"),
            ("node exporter", "9100/tcp"),
        }


class FreshHost:
    """What the module asks of a host that has firewalld as it comes."""

    def names(self, kind: str) -> set[str]:
        return {"public", "trusted"} if kind == "zone" else set()

    def icmp_types(self) -> set[str]:
        return set()

    def rich_rule(self, text: str) -> str:
        return text

    def shipped(self, kind: str, name: str) -> str | None:
        return None


@pytest.mark.parametrize("between", ["all", "needed"])
def test_the_module_takes_a_hosts_part_as_it_is(between: str) -> None:
    components = [{"name": "metallb", "clients": ["192.0.2.7"]}, {"name": "ceph"}]
    planned = plan(intent({**PODS, **NATIVE}, between_hosts=between, components=components))
    for host in planned.hosts:
        part = firewall_of(planned, host)
        desired = read(part, FreshHost())
        assert len(desired.wishes) == sum(len(part[key]) for key in ("zones", "ipsets", "policies"))
