# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check of a host's devices: what netplan accepts silently and a host does not survive."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.device_checks import (
    check_devices,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.devices import (
    Part,
    devices,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

Settings = dict[str, Any]


def check(**sections: dict[str, Settings]) -> list[Problem]:
    """The problems of a host with these netplan sections; a device's path is its name in <>."""
    netplan = {name.replace("_", "-"): found for name, found in sections.items()}
    names = [name for found in netplan.values() for name in found]
    part = Part("60-underlay-links.yaml", "links", None, {"version": 2, **netplan})
    return check_devices("w1", devices([part], {name: f"<{name}>" for name in names}))


def found(**sections: dict[str, Settings]) -> list[tuple[str, object, str]]:
    problems = check(**sections)
    assert {problem.host for problem in problems} <= {"w1"}
    assert all(problem.right for problem in problems)
    return [(problem.path, problem.value, problem.wrong) for problem in problems]


def net(*addresses: str, **settings: Any) -> Settings:
    return {"addresses": list(addresses), **settings}


class TestNames:
    @pytest.mark.parametrize("name", ["a", "bond0.4094", "x" * 15])
    def test_of_up_to_15_characters_are_good(self, name: str) -> None:
        assert check(ethernets={name: {}}) == []

    @pytest.mark.parametrize("name", ["x" * 16, "a/b", "a b"])
    def test_that_the_kernel_refuses_are_not(self, name: str) -> None:
        assert [item[:2] for item in found(ethernets={name: {}})] == [(f"<{name}>", name)]


class TestLinksBelow:
    def test_that_are_defined_are_good(self) -> None:
        assert (
            check(
                ethernets={"e1": {}},
                bonds={"b": {"interfaces": ["e1"]}},
                vlans={"v": {"id": 1, "link": "b"}},
            )
            == []
        )

    def test_that_are_not_defined_are_told(self) -> None:
        vlans = {"v": {"id": 1, "link": "b9"}}
        assert found(ethernets={"e1": {}}, vlans=vlans) == [
            ("<v>", "b9", "v is on a link that is not defined")
        ]

    def test_of_a_bond_too(self) -> None:
        assert found(ethernets={"e1": {}}, bonds={"b": {"interfaces": ["e1", "e2"]}})[0][:2] == (
            "<b>",
            "e2",
        )


class TestVlans:
    def test_of_two_ids_on_one_parent_are_good(self) -> None:
        vlans = {"v1": {"id": 1, "link": "e1"}, "v2": {"id": 2, "link": "e1"}}
        assert check(ethernets={"e1": {}}, vlans=vlans) == []

    def test_of_one_id_on_two_parents_are_good(self) -> None:
        vlans = {"v1": {"id": 1, "link": "e1"}, "v2": {"id": 1, "link": "e2"}}
        assert check(ethernets={"e1": {}, "e2": {}}, vlans=vlans) == []

    def test_of_one_id_on_one_parent_are_not(self) -> None:
        vlans = {"v1": {"id": 1, "link": "e1"}, "v2": {"id": 1, "link": "e1"}}
        assert found(ethernets={"e1": {}}, vlans=vlans) == [
            ("<v2>", "v2", "VLAN 1 on e1 is there already, as v1 (<v1>)")
        ]


class TestMembers:
    def test_of_one_bond_are_good(self) -> None:
        ethernets: dict[str, Settings] = {"e1": {"dhcp4": False}, "e2": {}}
        assert check(ethernets=ethernets, bonds={"b": {"interfaces": ["e1", "e2"]}}) == []

    def test_of_two_bonds_are_not(self) -> None:
        bonds = {"b1": {"interfaces": ["e1"]}, "b2": {"interfaces": ["e1"]}}
        assert found(ethernets={"e1": {}}, bonds=bonds) == [
            ("<b2>", "e1", "is a member of b1 already")
        ]

    def test_of_a_bond_and_a_bridge_are_not(self) -> None:
        assert found(
            ethernets={"e1": {}},
            bonds={"b1": {"interfaces": ["e1"]}},
            bridges={"br": {"interfaces": ["e1"]}},
        ) == [("<br>", "e1", "is a member of b1 already")]

    def test_that_are_named_twice_are_not(self) -> None:
        bonds = {"b1": {"interfaces": ["e1", "e1"]}}
        assert set(found(ethernets={"e1": {}}, bonds=bonds)) == {("<b1>", "e1", "is in b1 twice")}

    @pytest.mark.parametrize("settings", [net("192.0.2.1/24"), {"dhcp4": True}])
    def test_with_an_address_are_not(self, settings: Settings) -> None:
        assert found(ethernets={"e1": settings}, bonds={"b1": {"interfaces": ["e1"]}}) == [
            ("<e1>", "e1", "has an address and is a member of b1")
        ]

    def test_are_needed_by_a_bond(self) -> None:
        assert found(bonds={"b1": {"interfaces": []}}) == [
            ("<b1>", "b1", "is a bond without members")
        ]

    def test_are_not_needed_by_a_bridge(self) -> None:
        assert check(bridges={"br": {"interfaces": []}}) == []


class TestMtus:
    def test_up_to_the_parents_are_good(self) -> None:
        vlans = {"v": {"id": 1, "link": "e1", "mtu": 9000}}
        assert check(ethernets={"e1": {"mtu": 9000}}, vlans=vlans) == []

    def test_of_a_parent_that_does_not_say_are_good(self) -> None:
        vlans = {"v": {"id": 1, "link": "e1", "mtu": 9000}}
        assert check(ethernets={"e1": {}}, vlans=vlans) == []

    def test_above_the_parents_are_not(self) -> None:
        vlans = {"v": {"id": 1, "link": "e1", "mtu": 9000}}
        assert found(ethernets={"e1": {"mtu": 8999}}, vlans=vlans) == [
            ("<v>", 9000, "v has MTU 9000, and e1 below it 8999")
        ]

    def test_of_a_bridge_above_its_port_are_not(self) -> None:
        bridges = {"br": {"interfaces": ["e1"], "mtu": 1501}}
        assert found(ethernets={"e1": {"mtu": 1500}}, bridges=bridges)[0][0] == "<br>"


def default(via: str, **settings: Any) -> Settings:
    return {"to": "default", "via": via, **settings}


class TestDefaultRoutes:
    def host(self, first: Settings, second: Settings) -> dict[str, Settings]:
        return {
            "e1": net("192.0.2.9/24", "2001:db8::9/64", routes=[first]),
            "e2": net("198.51.100.9/24", "2001:db9::9/64", routes=[second]),
        }

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (default("192.0.2.1"), default("2001:db9::1")),
            (default("192.0.2.1"), default("198.51.100.1", table=100)),
            (default("192.0.2.1"), default("198.51.100.1", metric=500)),
        ],
    )
    def test_of_two_families_tables_or_metrics_are_good(
        self, first: Settings, second: Settings
    ) -> None:
        assert check(ethernets=self.host(first, second)) == []

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (default("192.0.2.1"), default("198.51.100.1")),
            (default("192.0.2.1"), {"to": "0.0.0.0/0", "via": "198.51.100.1"}),
            (default("2001:db8::1"), {"to": "::/0", "via": "2001:db9::1"}),
            (default("192.0.2.1", metric=5), default("198.51.100.1", metric=5)),
        ],
    )
    def test_that_count_the_same_are_not(self, first: Settings, second: Settings) -> None:
        ((path, value, wrong),) = found(ethernets=self.host(first, second))
        assert (path, value) == ("<e2>", f"via {second['via']}")
        assert wrong.startswith("brings a second IPv")
        assert wrong.endswith("after e1's")

    def test_twice_on_one_device_are_not(self) -> None:
        routes = [default("192.0.2.1"), default("192.0.2.2")]
        assert len(check(ethernets={"e1": net("192.0.2.9/24", routes=routes)})) == 1

    def test_by_the_old_gateway4_key_count_too(self) -> None:
        ethernets = {
            "e1": net("192.0.2.9/24", gateway4="192.0.2.1"),
            "e2": net("198.51.100.9/24", routes=[default("198.51.100.1")]),
        }
        assert found(ethernets=ethernets)[0][0] == "<e2>"


class TestNextHops:
    @pytest.mark.parametrize(
        "route",
        [
            {"to": "10.0.0.0/8", "via": "192.0.2.1"},
            {"to": "10.0.0.0/8", "via": "198.51.100.1", "on-link": True},
            {"to": "2001:db8::/32", "via": "fe80::1"},
            {"to": "10.0.0.0/8", "scope": "link"},
        ],
    )
    def test_on_the_link_are_good(self, route: Settings) -> None:
        assert check(ethernets={"e1": net("192.0.2.9/24", routes=[route])}) == []

    def test_off_the_link_are_not(self) -> None:
        route = {"to": "10.0.0.0/8", "via": "198.51.100.1"}
        assert found(ethernets={"e1": net("192.0.2.9/24", routes=[route])}) == [
            ("<e1>", "198.51.100.1", "is an off-link next hop: e1 is on 192.0.2.0/24")
        ]

    def test_on_a_device_without_addresses_are_not(self) -> None:
        route = {"to": "10.0.0.0/8", "via": "192.0.2.1"}
        assert found(ethernets={"e1": {"routes": [route]}})[0][2].endswith("e1 is on no subnet")

    def test_that_are_no_addresses_are_not(self) -> None:
        route = {"to": "10.0.0.0/8", "via": "router"}
        assert found(ethernets={"e1": net("192.0.2.9/24", routes=[route])}) == [
            ("<e1>", "router", "is not an address")
        ]


class TestAddresses:
    def test_on_two_devices_are_good_if_they_differ(self) -> None:
        assert check(ethernets={"e1": net("192.0.2.1/24"), "e2": net("192.0.2.2/24")}) == []

    def test_on_two_devices_are_not_if_they_are_one(self) -> None:
        ethernets = {"e1": net("192.0.2.1/24"), "e2": net("192.0.2.1/32")}
        assert found(ethernets=ethernets) == [("<e2>", "192.0.2.1/32", "is on e1 as well")]

    def test_may_have_options_as_netplan_writes_them(self) -> None:
        ethernets: dict[str, Settings] = {
            "e1": {"addresses": [{"192.0.2.1/24": {"label": "e1:1"}}]},
            "e2": net("192.0.2.1/24"),
        }
        assert found(ethernets=ethernets)[0][2] == "is on e1 as well"

    @pytest.mark.parametrize("address", ["192.0.2.256/24", "here", "192.0.2.1/33"])
    def test_that_are_none_are_told(self, address: str) -> None:
        assert found(ethernets={"e1": net(address)}) == [("<e1>", address, "is not an address")]

    @pytest.mark.parametrize("to", ["10.0.0.1/8", "everywhere", ""])
    def test_of_routes_that_are_none_are_told(self, to: str) -> None:
        route = {"to": to, "via": "192.0.2.1"}
        assert found(ethernets={"e1": net("192.0.2.9/24", routes=[route])}) == [
            ("<e1>", to, "is not a route's destination")
        ]
