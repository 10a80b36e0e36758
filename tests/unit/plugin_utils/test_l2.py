# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an L2 template to netplan: bonds, VLANs, bridges, MTUs, routes, and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import plan, problems_of

QUIET = {"dhcp4": False, "dhcp6": False, "accept-ra": False, "link-local": []}


def files(intent: Intent, host: str = "w1") -> dict[str, dict[str, Any]]:
    """A host's netplan by file name, what stands below `network`."""
    return {item["name"]: item["netplan"]["network"] for item in plan(intent).hosts[host]["files"]}


def file(intent: Intent, name: str, host: str = "w1") -> dict[str, Any]:
    return files(intent, host)[name]


def device(intent: Intent, name: str, host: str = "w1") -> dict[str, Any]:
    """A device's settings from the file that defines it; files of closed networks come after it."""
    found, *_closed = [
        settings
        for netplan in files(intent, host).values()
        for section, devices in netplan.items()
        if section != "version" and name in devices
        for settings in [devices[name]]
    ]
    return dict(found)


def only_lcm(**settings: Any) -> Intent:
    """The good intent with LCM alone, its first segment changed."""
    intent = good_intent()
    intent.segment("lcm", "r1").update(settings)
    intent.segment("lcm", "r1v6").update(vlan=settings.get("vlan", 101))
    for host in intent.hosts:
        intent.template(host)["attach"] = [{"network": "lcm", "link": "bond0"}]
    return intent


class TestFiles:
    def test_there_is_one_for_the_links_and_one_for_each_network(self) -> None:
        parts = plan(good_intent()).hosts["st1"]["files"]
        assert [(part["name"], part["role"], part["network"]) for part in parts] == [
            ("60-underlay-links.yaml", "links", None),
            ("61-underlay-lcm.yaml", "lcm", "lcm"),
            ("62-underlay-workload.yaml", "workload", "workload"),
            ("64-underlay-storage_access.yaml", "storage", "storage_access"),
            ("65-underlay-storage_replication.yaml", "storage", "storage_replication"),
        ]

    def test_a_network_keeps_its_number_when_another_goes(self) -> None:
        intent = good_intent()
        intent.template("st1")["attach"].pop(1)
        assert list(files(intent, "st1"))[1:] == [
            "61-underlay-lcm.yaml",
            "64-underlay-storage_access.yaml",
            "65-underlay-storage_replication.yaml",
        ]

    def test_a_network_that_goes_takes_its_file_and_leaves_the_others_as_they_are(self) -> None:
        intent = good_intent()
        intent.template("w1")["attach"].pop(1)
        before, after = files(good_intent()), files(intent)
        assert before.pop("62-underlay-workload.yaml")
        assert after == before

    def test_two_networks_of_one_kind_have_a_file_each(self) -> None:
        intent = good_intent()
        segment = {"name": "all", "vlan": 250, "cidr": "10.25.0.0/24"}
        more = {"name": "pods", "kind": "workload", "segments": [segment]}
        intent.fleet["underlay_networks"].append(more)
        intent.template("w1")["attach"].append({"network": "pods", "link": "bond0"})
        assert {"62-underlay-workload.yaml", "62-underlay-pods.yaml"} <= set(files(intent))

    def test_each_is_netplan_version_2(self) -> None:
        assert {netplan["version"] for netplan in files(good_intent()).values()} == {2}


class TestABond:
    def test_has_its_members_in_order_its_mode_and_monitoring(self) -> None:
        links = file(good_intent(), "60-underlay-links.yaml")
        assert links["bonds"]["bond0"] == {
            **QUIET,
            "optional": True,
            "interfaces": ["enp0s3", "enp0s4"],
            "mtu": 9000,
            "parameters": {"mode": "active-backup", "mii-monitor-interval": 100},
        }

    def test_has_its_own_parameters_merged_over_ours(self) -> None:
        intent = good_intent()
        own = {"lacp-rate": "fast", "mii-monitor-interval": 50}
        intent.template("w1")["bonds"][0].update(mode="802.3ad", parameters=own)
        assert device(intent, "bond0")["parameters"] == {"mode": "802.3ad", **own}

    def test_may_name_nics_instead_of_groups(self) -> None:
        intent = good_intent()
        intent.template("w1")["bonds"][0].update(members=["enp0s4", "enp0s3"])
        assert device(intent, "bond0")["interfaces"] == ["enp0s4", "enp0s3"]

    def test_its_members_have_its_mtu_and_nothing_else(self) -> None:
        links = file(good_intent(), "60-underlay-links.yaml")
        assert links["ethernets"]["enp0s3"] == {**QUIET, "optional": True, "mtu": 9000}

    def test_a_nic_that_nothing_uses_is_not_touched(self) -> None:
        assert "enp0s2" not in file(good_intent(), "60-underlay-links.yaml")["ethernets"]

    def test_that_carries_nothing_has_the_default_mtu(self) -> None:
        intent = good_intent()
        intent.template("w1")["attach"] = [{"network": "lcm", "link": "enp0s2"}]
        assert device(intent, "bond0")["mtu"] == 1500

    def test_parameters_that_are_no_plain_data_are_refused(self) -> None:
        intent = good_intent()
        intent.template("w1")["bonds"][0]["parameters"] = {"primary": "{{ nic }}"}
        (problem,) = problems_of(intent)
        assert problem.path == "underlay_l2_template.bonds[bond0].parameters.primary"


class TestAVlan:
    def test_is_named_after_its_link_and_id(self) -> None:
        vlans = file(good_intent(), "62-underlay-workload.yaml")["vlans"]
        assert vlans == {
            "bond0.201": {
                **QUIET,
                "id": 201,
                "link": "bond0",
                "mtu": 1500,
                "addresses": ["10.22.1.3/24"],
                "routes": [{"to": "10.22.2.0/24", "via": "10.22.1.1"}],
            }
        }

    def test_may_have_a_name_of_its_own(self) -> None:
        intent = good_intent()
        intent.attach("w1", "workload").update(name="pods")
        assert list(file(intent, "62-underlay-workload.yaml")["vlans"]) == ["pods"]

    def test_may_stand_on_a_nic_without_a_bond(self) -> None:
        intent = good_intent()
        intent.attach("w1", "workload").update(link="enp0s2")
        assert device(intent, "enp0s2.201")["link"] == "enp0s2"
        assert device(intent, "enp0s2")["mtu"] == 1500

    def test_may_stand_on_a_group_of_one_nic(self) -> None:
        intent = good_intent()
        group = {"name": "slow", "match": "[?name=='enp0s2']"}
        intent.template("w1")["nics"].append(group)
        intent.attach("w1", "workload").update(link="slow")
        assert device(intent, "enp0s2.201")["link"] == "enp0s2"

    def test_of_both_families_is_one_interface(self) -> None:
        vlan = device(good_intent(), "bond0.101")
        assert vlan["addresses"] == ["10.21.1.12/24", "fd21:1::3/64"]
        assert vlan["link-local"] == ["ipv6"], "RFC 4861: neighbour discovery needs it"

    def test_has_its_segments_name_servers(self) -> None:
        assert device(good_intent(), "bond0.101")["nameservers"] == {"addresses": ["10.21.1.2"]}

    def test_without_an_address_has_neither_routes_nor_name_servers(self) -> None:
        intent = good_intent()
        intent.segment("workload", "r1").update(nameservers=["10.22.1.2"])
        intent.attach("w1", "workload").update(address=False)
        vlan = {**QUIET, "id": 201, "link": "bond0", "mtu": 1500}
        assert device(intent, "bond0.201") == vlan


class TestAnUntaggedNetwork:
    def test_puts_its_address_on_the_link_in_its_own_file(self) -> None:
        intent = only_lcm(vlan=None)
        lcm = file(intent, "61-underlay-lcm.yaml")
        assert list(lcm) == ["version", "bonds"]
        assert lcm["bonds"]["bond0"]["addresses"] == ["10.21.1.12/24", "fd21:1::3/64"]
        assert "interfaces" not in lcm["bonds"]["bond0"]

    def test_leaves_the_link_without_an_address_when_it_goes(self) -> None:
        intent = only_lcm(vlan=None)
        links = file(intent, "60-underlay-links.yaml")
        assert "addresses" not in links["bonds"]["bond0"]

    def test_on_a_nic_is_an_ethernet(self) -> None:
        intent = only_lcm(vlan=None)
        intent.attach("w1", "lcm").update(link="enp0s2")
        ethernets = file(intent, "61-underlay-lcm.yaml")["ethernets"]
        assert ethernets["enp0s2"]["addresses"][0] == "10.21.1.12/24"

    def test_cannot_share_its_link_with_another(self) -> None:
        intent = good_intent()
        for name in ("workload", "storage_access"):
            intent.segment(name, "r2").update(vlan=None)
        problems = problems_of(intent)
        assert {item.path for item in problems} == {"underlay_l2_template.attach[storage_access]"}
        assert problems[0].wrong == "untagged on bond0 is network workload's already"

    def test_can_share_its_link_with_vlans(self) -> None:
        intent = good_intent()
        intent.segment("workload", "r1").update(vlan=None)
        assert device(intent, "bond0.301")["link"] == "bond0"


class TestABridge:
    def bridged(self, **segment: Any) -> Intent:
        intent = good_intent()
        intent.segment("storage_access", "r1").update(segment)
        intent.attach("w1", "storage_access").update(bridge="br-storage")
        return intent

    def test_stands_above_the_vlan_and_has_its_address(self) -> None:
        netplan = file(self.bridged(), "64-underlay-storage_access.yaml")
        assert netplan["vlans"]["bond0.301"] == {
            **QUIET,
            "optional": True,
            "id": 301,
            "link": "bond0",
            "mtu": 9000,
        }
        bridge = netplan["bridges"]["br-storage"]
        assert bridge["interfaces"] == ["bond0.301"]
        assert bridge["mtu"] == 9000
        assert bridge["addresses"] == ["10.23.1.2/24"]
        assert bridge["parameters"] == {"stp": False, "forward-delay": 0}

    def test_of_an_untagged_network_stands_on_the_link(self) -> None:
        netplan = file(self.bridged(vlan=None), "64-underlay-storage_access.yaml")
        assert netplan["bridges"]["br-storage"]["interfaces"] == ["bond0"]
        assert set(netplan) == {"version", "bridges"}

    def test_is_the_link_that_the_plan_names(self) -> None:
        part = plan(self.bridged()).hosts["w1"]
        links = {item["network"]: item["link"] for item in part["addresses"]}
        assert links["storage_access"] == "br-storage"

    def test_of_two_networks_is_refused(self) -> None:
        intent = good_intent()
        for name in ("storage_access", "storage_replication"):
            intent.attach("st1", name).update(bridge="br-storage")
        (problem,) = problems_of(intent)
        assert problem.path == "underlay_l2_template.attach[storage_replication].bridge"


class TestNames:
    @pytest.mark.parametrize(
        ("host", "change", "path"),
        [
            ("w1", {"name": "bond0"}, "attach[workload].name"),
            ("w1", {"name": "enp0s2"}, "attach[workload].name"),
            ("w1", {"name": "bond0.101"}, "attach[workload].name"),
            ("w1", {"bridge": "bond0"}, "attach[workload].bridge"),
        ],
    )
    def test_are_each_devices_own(self, host: str, change: dict[str, str], path: str) -> None:
        intent = good_intent()
        intent.attach(host, "workload").update(change)
        (problem,) = problems_of(intent)
        assert problem.path == f"underlay_l2_template.{path}"
        assert problem.wrong.startswith("is taken by ")

    def test_of_a_bond_cannot_be_a_nics(self) -> None:
        intent = good_intent()
        bond = {"name": "enp0s2", "members": ["uplink"]}
        intent.template("w1").update(bonds=[bond])
        intent.template("w1")["attach"] = [{"network": "lcm", "link": "enp0s2"}]
        (problem,) = problems_of(intent)
        assert problem.path == "underlay_l2_template.bonds[enp0s2].name"


class TestMtus:
    def test_a_link_has_the_largest_that_anything_on_it_needs(self) -> None:
        assert device(good_intent(), "bond0", "cp1")["mtu"] == 1500
        assert device(good_intent(), "bond0", "w1")["mtu"] == 9000

    def test_a_vlan_has_its_segments_own(self) -> None:
        intent = good_intent()
        intent.segment("storage_access", "r1").update(mtu=8000)
        assert device(intent, "bond0.301")["mtu"] == 8000
        assert device(intent, "bond0.302", "w2")["mtu"] == 9000

    def test_of_a_bond_goes_before_what_is_derived(self) -> None:
        intent = good_intent()
        intent.template("w1")["bonds"][0]["mtu"] = 9216
        assert device(intent, "bond0")["mtu"] == 9216
        assert device(intent, "enp0s3")["mtu"] == 9216

    def test_of_a_nic_group_goes_before_what_is_derived(self) -> None:
        intent = good_intent()
        intent.template("w1")["nics"][0]["mtu"] = 9216
        assert device(intent, "enp0s3")["mtu"] == 9216
        assert device(intent, "bond0")["mtu"] == 9000

    def test_of_a_nic_group_below_its_bond_is_refused(self) -> None:
        intent = good_intent()
        intent.template("w1")["nics"][0]["mtu"] = 1500
        problems = problems_of(intent)
        assert {item.path for item in problems} == {"underlay_l2_template.bonds[bond0]"}
        assert "and enp0s3 below it 1500" in problems[0].wrong


class TestRoutes:
    """S4.3: the segments of a network are connected by routes on the hosts."""

    def routes(self, intent: Intent, name: str, host: str = "w1") -> list[tuple[str, str]]:
        found = device(intent, name, host).get("routes", [])
        return [(route["to"], route["via"]) for route in found]

    def test_lead_to_every_other_segment_of_the_network_in_both_families(self) -> None:
        assert self.routes(good_intent(), "bond0.102", "w2") == [
            ("default", "10.21.2.1"),
            ("10.21.1.0/24", "10.21.2.1"),
            ("default", "fd21:2::1"),
            ("fd21:1::/64", "fd21:2::1"),
        ]

    @pytest.mark.parametrize(
        ("network", "link", "to"),
        [
            ("workload", "bond0.202", "10.22.1.0/24"),
            ("storage_access", "bond0.302", "10.23.1.0/24"),
            ("storage_replication", "bond0.402", "10.24.1.0/24"),
        ],
    )
    def test_are_derived_for_the_other_kinds_too_s4_8_s4_13_s4_14(
        self, network: str, link: str, to: str
    ) -> None:
        via = good_intent().segment(network, "r2")["gateway"]
        assert self.routes(good_intent(), link, "st1") == [(to, via)]

    def test_lead_to_three_racks_each_from_each(self) -> None:
        intent = good_intent()
        rack = {"name": "r3", "rack": "r3", "vlan": 203, "cidr": "10.22.3.0/24"}
        intent.network("workload")["segments"].append({**rack, "gateway": "10.22.3.1"})
        assert self.routes(intent, "bond0.201") == [
            ("10.22.2.0/24", "10.22.1.1"),
            ("10.22.3.0/24", "10.22.1.1"),
        ]

    def test_there_is_one_default_route_of_each_family(self) -> None:
        expect = plan(good_intent()).hosts["w1"]["expect"]
        assert [(item["to"], item["network"]) for item in expect["default_route"]] == [
            ("0.0.0.0/0", "lcm"),
            ("::/0", "lcm"),
        ]

    def test_there_is_no_default_route_unless_a_network_has_it(self) -> None:
        intent = good_intent()
        del intent.network("lcm")["default_route"]
        assert plan(intent).hosts["w1"]["expect"]["default_route"] == []

    def test_of_a_segments_own_come_after_the_derived_ones(self) -> None:
        intent = good_intent()
        own = {"to": "172.16.0.0/12", "via": "10.22.1.254"}
        intent.segment("workload", "r1").update(routes=[own])
        assert self.routes(intent, "bond0.201")[-1] == ("172.16.0.0/12", "10.22.1.254")

    def test_may_go_by_a_routers_link_local_address_in_ipv6(self) -> None:
        intent = good_intent()
        own = {"to": "2001:db8::/32", "via": "fe80::1"}
        intent.segment("lcm", "r1v6").update(routes=[own])
        assert ("2001:db8::/32", "fe80::1") in self.routes(intent, "bond0.101")

    def test_a_network_of_one_segment_needs_no_gateway_and_has_none(self) -> None:
        intent = good_intent()
        intent.network("workload")["segments"] = [
            {"name": "all", "vlan": 200, "cidr": "10.22.0.0/16"}
        ]
        assert self.routes(intent, "bond0.200") == []


class TestTheWayOut:
    def out(self, **netplan: Any) -> Intent:
        intent = good_intent()
        intent.template("w1")["netplan"] = netplan
        return intent

    def test_is_merged_last_over_what_the_template_made(self) -> None:
        intent = self.out(bonds={"bond0": {"parameters": {"primary": "enp0s4"}, "optional": False}})
        bond = device(intent, "bond0")
        assert bond["optional"] is False
        assert bond["parameters"]["mode"] == "active-backup"
        assert bond["parameters"]["primary"] == "enp0s4"

    def test_goes_into_the_file_that_has_the_device(self) -> None:
        intent = self.out(vlans={"bond0.201": {"critical": True}})
        vlans = file(intent, "62-underlay-workload.yaml")["vlans"]
        assert vlans["bond0.201"]["critical"] is True
        assert vlans["bond0.201"]["id"] == 201

    def test_goes_into_the_last_file_that_has_the_key_as_that_one_counts(self) -> None:
        intent = only_lcm(vlan=None)
        bond = {"dhcp4": True, "mtu": 1400, "interfaces": ["enp0s4"]}
        intent.template("w1")["netplan"] = {"bonds": {"bond0": bond}}
        links = file(intent, "60-underlay-links.yaml")["bonds"]["bond0"]
        lcm = file(intent, "61-underlay-lcm.yaml")["bonds"]["bond0"]
        assert lcm["dhcp4"] is True, "the links' file has it as well, and is read before"
        assert links["mtu"] == 1400
        # Netplan adds up the lists of several files; only one may have the list.
        assert links["interfaces"] == ["enp0s4"]
        assert "interfaces" not in lcm

    def test_replaces_a_list(self) -> None:
        intent = self.out(vlans={"bond0.201": {"addresses": ["10.22.1.99/24"]}})
        assert device(intent, "bond0.201")["addresses"] == ["10.22.1.99/24"]

    def test_can_define_devices_of_its_own_among_the_links(self) -> None:
        intent = self.out(**{"dummy-devices": {"lo1": {"addresses": ["192.0.2.1/32"]}}})
        links = file(intent, "60-underlay-links.yaml")
        assert links["dummy-devices"] == {"lo1": {"addresses": ["192.0.2.1/32"]}}

    def test_can_set_what_is_no_device(self) -> None:
        assert file(self.out(renderer="networkd"), "60-underlay-links.yaml")["renderer"] == (
            "networkd"
        )

    def test_may_have_numbers_as_names(self) -> None:
        vlans = {101: {"id": 777, "link": "bond0"}}
        assert device(self.out(vlans=vlans), "101")["id"] == 777

    def test_may_leave_sections_devices_and_keys_empty(self) -> None:
        intent = self.out(vlans=None, bonds={"bond0": {"addresses": None}}, bridges={"br0": None})
        assert "addresses" not in device(intent, "bond0")
        assert device(intent, "br0") == {}

    def test_cannot_make_a_device_of_one_kind_another(self) -> None:
        (problem,) = problems_of(self.out(vlans={"bond0": {"id": 5, "link": "enp0s2"}}))
        assert problem.path == "underlay_l2_template.netplan.vlans.bond0"
        assert problem.wrong == "is there already, in bonds"

    @pytest.mark.parametrize(
        ("netplan", "path", "wrong"),
        [
            ({"bonds": {"bond0": {"mtu": "big"}}}, "bonds.bond0.mtu", "is not a whole number"),
            ({"vlans": {"v": {"link": ["a"]}}}, "vlans.v.link", "is not a string"),
            ({"vlans": {"v": "bond0"}}, "vlans.v", "is not a dictionary"),
            ({"bonds": {"b": {"interfaces": {"a": 1}}}}, "bonds.b.interfaces", "is not a list"),
            (
                {"bonds": {"bond0": {"addresses": "10.0.0.1/24"}}},
                "bonds.bond0.addresses",
                "is not a list",
            ),
            (
                {"bonds": {"bond0": {"routes": [{"via": "10.0.0.1"}]}}},
                "bonds.bond0.routes[0].to",
                "is missing",
            ),
            (
                {"bonds": {"bond0": {"routes": ["default"]}}},
                "bonds.bond0.routes[0]",
                "is not a dictionary",
            ),
            (
                {"ethernets": {"enp0s2": {"x": "{{ ip }}"}}},
                "ethernets.enp0s2.x",
                "is of type method, which is not plain data",
            ),
            (
                {"ethernets": {"enp0s2": {"x": "{{ routes('lcm') | map(attribute='to') }}"}}},
                "ethernets.enp0s2.x",
                "is of type generator, which is not plain data",
            ),
            (
                {"ethernets": {"enp0s2": {"x": "{{ [nothing] }}"}}},
                "ethernets.enp0s2.x[0]",
                "is of type StrictUndefined, which is not plain data",
            ),
        ],
    )
    def test_in_a_shape_that_cannot_be_read_is_told_by_its_path(
        self, netplan: dict[str, Any], path: str, wrong: str
    ) -> None:
        (problem,) = problems_of(self.out(**netplan))
        assert problem.path == f"underlay_l2_template.netplan.{path}"
        assert problem.wrong == wrong
        assert problem.host == "w1"


class TestExpectations:
    def test_name_every_device_with_what_must_be_seen_of_it(self) -> None:
        links = plan(good_intent()).hosts["cp1"]["expect"]["links"]
        member = {"type": "ethernet", "mtu": 1500, "network": None}
        vlan = {"type": "vlan", "parent": "bond0", "mtu": 1500}
        bond = {"name": "bond0", "type": "bond", "mtu": 1500, "network": None}
        assert links == [
            {"name": "enp0s3", **member},
            {"name": "enp0s4", **member},
            {**bond, "members": ["enp0s3", "enp0s4"]},
            {"name": "bond0.101", **vlan, "network": "lcm", "vlan": 101},
            {"name": "bond0.201", **vlan, "network": "workload", "vlan": 201},
        ]

    def test_name_addresses_and_routes_with_their_network(self) -> None:
        expect = plan(good_intent()).hosts["cp1"]["expect"]
        assert {"network": "workload", "link": "bond0.201", "address": "10.22.1.2/24"} in (
            expect["addresses"]
        )
        route = {"to": "10.22.2.0/24", "via": "10.22.1.1", "link": "bond0.201"}
        assert {"network": "workload", **route} in expect["routes"]

    def test_leave_out_routes_of_other_tables(self) -> None:
        intent = good_intent()
        route = {"to": "default", "via": "10.22.1.1", "table": 100}
        vlans = {"bond0.201": {"routes": [route]}}
        intent.template("w1")["netplan"] = {"vlans": vlans}
        expect = plan(intent).hosts["w1"]["expect"]
        assert "bond0.201" not in {item["link"] for item in expect["routes"]}


def test_a_host_without_planned_links_has_no_file_for_them() -> None:
    intent = good_intent()
    intent.fleet.update(underlay_networks=[intent.network("workload")], underlay_vips=[])
    for host in intent.hosts:
        intent.template(host)["attach"] = [{"network": "workload", "link": "bond0"}]
    intent.hosts["cp1"]["underlay_l2_template"] = {}
    assert plan(intent).hosts["cp1"]["files"] == []
