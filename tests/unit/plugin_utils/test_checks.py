# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check of networks and VIPs: it fires on what is wrong, and on nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.checks import (
    check_networks,
    check_vips,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

Item = dict[str, Any]
PATH = "underlay_networks[net]"


def segment(name: Any = "a", cidr: Any = "192.0.2.0/24", **settings: Any) -> Item:
    return {"name": name, "cidr": cidr, **settings}


def network(*segments: Item, name: str = "net", kind: str = "workload", **settings: Any) -> Item:
    return {"name": name, "kind": kind, "segments": list(segments), **settings}


def check(*networks: Item, vips: list[Item] | None = None) -> list[Problem]:
    fleet = {"underlay_networks": list(networks), "underlay_vips": vips or []}
    model, problems = read_intent(fleet, {})
    assert problems == []
    return check_networks(model.networks) + check_vips(model.vips, model.networks)


def one(*networks: Item, vips: list[Item] | None = None) -> tuple[str, object, str, str]:
    (problem,) = check(*networks, vips=vips)
    return problem.path, problem.value, problem.wrong, problem.right


def in_segment(**settings: Any) -> tuple[str, object, str, str]:
    path, value, wrong, right = one(network(segment(**settings)))
    assert path.startswith(f"{PATH}.segments[a].")
    return path.removeprefix(f"{PATH}.segments[a]."), value, wrong, right


class TestNames:
    @pytest.mark.parametrize("name", ["lcm", "storage_access", "net-2", "A" * 32, "0"])
    def test_of_letters_digits_dashes_and_underscores_are_good(self, name: str) -> None:
        assert check(network(segment(), name=name)) == []

    @pytest.mark.parametrize("name", ["a/b", "..", "a b", "-a", "A" * 33, "ü", "a.b", "a\n"])
    def test_that_cannot_be_a_files_are_not(self, name: str) -> None:
        path, value, _unused, right = one(network(segment(), name=name))
        assert (path, value) == (f"underlay_networks[{name}].name", name)
        assert right == "Use letters, digits, _ and -, 32 at most"


class TestVlansAndMtus:
    @pytest.mark.parametrize("vlan", [1, 4094, None])
    def test_vlan_ids_of_802_1q_are_good(self, vlan: int | None) -> None:
        assert check(network(segment(vlan=vlan))) == []

    @pytest.mark.parametrize("vlan", [0, 4095, -1, 70000])
    def test_others_are_not(self, vlan: int) -> None:
        assert in_segment(vlan=vlan) == (
            "vlan",
            vlan,
            "is not a VLAN id",
            "Give a VLAN id from 1 to 4094",
        )

    @pytest.mark.parametrize("mtu", [1280, 1500, 9216, 65535])
    def test_mtus_that_ip_works_with_are_good(self, mtu: int) -> None:
        assert check(network(segment(mtu=mtu))) == []

    @pytest.mark.parametrize("mtu", [1279, 65536, -1])
    def test_others_are_not_rfc_8200_rfc_791(self, mtu: int) -> None:
        assert in_segment(mtu=mtu)[:2] == ("mtu", mtu)

    def test_the_networks_mtu_is_checked_where_a_segment_has_none(self) -> None:
        assert one(network(segment(), mtu=900))[:2] == (f"{PATH}.segments[a].mtu", 900)


class TestSubnets:
    @pytest.mark.parametrize("cidr", ["10.0.0.0/8", "100.64.0.0/10", "fd00::/8", "2001:db8::/127"])
    def test_of_unicast_addresses_are_good(self, cidr: str) -> None:
        assert check(network(segment(cidr=cidr))) == []

    @pytest.mark.parametrize(
        ("cidr", "what"),
        [
            ("0.1.0.0/16", "'this network'"),
            ("127.0.1.0/24", "loopback"),
            ("169.254.0.0/24", "link-local"),
            ("224.0.1.0/24", "multicast"),
            ("::1/128", "loopback"),
            ("fe80::/64", "link-local"),
            ("ff02::/64", "multicast"),
        ],
    )
    def test_of_other_addresses_are_not(self, cidr: str, what: str) -> None:
        assert in_segment(cidr=cidr)[:3] == ("cidr", cidr, f"is {what} space")

    @pytest.mark.parametrize(
        ("cidrs", "wrong_one"),
        [
            (["10.0.0.0/24", "10.0.0.0/24"], 1),
            (["10.0.0.0/16", "10.0.9.0/24"], 1),
            (["10.0.9.0/24", "10.0.0.0/16"], 0),
            (["10.0.0.0/16", "10.0.9.0/24", "10.1.0.0/16"], 1),
            (["fd00::/64", "fd00::8000:0:0:0/65"], 1),
        ],
    )
    def test_that_overlap_are_told_by_the_smaller_one(
        self, cidrs: list[str], wrong_one: int
    ) -> None:
        networks = [
            network(segment(cidr=cidr), name=f"n{index}") for index, cidr in enumerate(cidrs)
        ]
        path, value, wrong, _unused = one(*networks)
        assert path == f"underlay_networks[n{wrong_one}].segments[a].cidr"
        assert value == cidrs[wrong_one]
        assert wrong.startswith(f"overlaps {cidrs[1 - wrong_one]} of underlay_networks[n")

    def test_that_all_lie_in_a_wide_one_are_all_told(self) -> None:
        cidrs = ["10.0.0.0/8", "10.1.0.0/24", "10.2.0.0/24", "10.255.255.0/24"]
        networks = [
            network(segment(cidr=cidr), name=f"n{index}") for index, cidr in enumerate(cidrs)
        ]
        assert len(check(*networks)) == 3

    @pytest.mark.parametrize(
        "cidrs",
        [
            ["10.0.0.0/25", "10.0.0.128/25"],
            ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/23"],
            ["10.0.0.0/8", "fd00::/64"],
        ],
    )
    def test_that_touch_are_good(self, cidrs: list[str]) -> None:
        networks = [
            network(segment(cidr=cidr), name=f"n{index}") for index, cidr in enumerate(cidrs)
        ]
        assert check(*networks) == []


class TestGateways:
    @pytest.mark.parametrize(
        ("cidr", "gateway"),
        [
            ("192.0.2.0/24", "192.0.2.1"),
            ("192.0.2.0/24", "192.0.2.254"),
            ("192.0.2.0/31", "192.0.2.0"),
            ("192.0.2.0/31", "192.0.2.1"),
            ("2001:db8::/64", "2001:db8::1"),
            ("2001:db8::/127", "2001:db8::"),
        ],
    )
    def test_in_their_subnet_are_good(self, cidr: str, gateway: str) -> None:
        assert check(network(segment(cidr=cidr, gateway=gateway))) == []

    @pytest.mark.parametrize(
        ("gateway", "wrong"),
        [
            ("192.0.3.1", "is outside of 192.0.2.0/24"),
            ("2001:db8::1", "is outside of 192.0.2.0/24"),
            ("192.0.2.0", "is the network address of 192.0.2.0/24"),
            ("192.0.2.255", "is the broadcast address of 192.0.2.0/24"),
        ],
    )
    def test_elsewhere_are_not(self, gateway: str, wrong: str) -> None:
        right = "Give a host address in 192.0.2.0/24"
        assert in_segment(gateway=gateway) == ("gateway", gateway, wrong, right)

    @pytest.mark.parametrize(
        ("kind", "row"),
        [
            ("pxe", " (S4.1)"),
            ("lcm", " (S4.3)"),
            ("workload", " (S4.8)"),
            ("storage_access", " (S4.13)"),
            ("storage_replication", " (S4.14)"),
        ],
    )
    def test_are_needed_between_segments(self, kind: str, row: str) -> None:
        racks = [segment("a", rack="r1"), segment("b", "198.51.100.0/24", rack="r2")]
        problems = check(network(*racks, kind=kind))
        assert all(problem.right.endswith(row) for problem in problems)
        assert [problem.path for problem in problems] == [
            f"{PATH}.segments[a].gateway",
            f"{PATH}.segments[b].gateway",
        ]

    def test_are_not_needed_where_no_host_is(self) -> None:
        racks = [segment("a", rack="r1"), segment("b", "198.51.100.0/24", rack="r2")]
        assert check(network(*racks, kind="oob")) == []

    def test_are_needed_for_the_default_route(self) -> None:
        path, _unused, wrong, _unused = one(network(segment(), default_route=True))
        assert path == f"{PATH}.segments[a].gateway"
        assert wrong == "is missing, and the network has the default route"

    def test_are_not_needed_between_the_families_of_one_segment(self) -> None:
        assert check(network(segment(), segment("b", "2001:db8::/64"))) == []


class TestNameServers:
    def test_in_the_subnet_are_good(self) -> None:
        assert check(network(segment(nameservers=["192.0.2.53"]))) == []

    def test_beyond_a_gateway_are_good(self) -> None:
        assert (
            check(network(segment(gateway="192.0.2.1", nameservers=["9.9.9.9", "2620:fe::fe"])))
            == []
        )

    def test_elsewhere_without_a_gateway_are_not(self) -> None:
        path, value, wrong, _unused = in_segment(nameservers=["192.0.2.53", "9.9.9.9"])
        assert (path, value) == ("nameservers[1]", "9.9.9.9")
        assert wrong.startswith("is outside of 192.0.2.0/24")

    def test_at_the_broadcast_address_are_not(self) -> None:
        assert in_segment(nameservers=["192.0.2.255"])[0] == "nameservers[0]"


class TestRanges:
    @pytest.mark.parametrize("key", ["ranges", "exclude", "service_ranges", "dhcp_ranges"])
    def test_in_the_subnet_are_good(self, key: str) -> None:
        parts = ["192.0.2.0-192.0.2.255", "192.0.2.8/29", "192.0.2.7"]
        assert check(network(segment(**{key: parts}))) == []

    @pytest.mark.parametrize("key", ["ranges", "exclude", "service_ranges", "dhcp_ranges"])
    @pytest.mark.parametrize("part", ["192.0.2.250-192.0.3.5", "192.0.1.255", "2001:db8::1"])
    def test_that_reach_out_of_it_are_not(self, key: str, part: str) -> None:
        path, value, wrong, right = in_segment(**{key: ["192.0.2.5", part]})
        assert (path, value) == (f"{key}[1]", part)
        assert wrong == "is outside of 192.0.2.0/24"
        assert right == "Give addresses from 192.0.2.0-192.0.2.255"


class TestRoutes:
    def test_by_a_next_hop_on_the_segment_are_good(self) -> None:
        routes = [
            {"to": "10.0.0.0/8", "via": "192.0.2.1"},
            {"to": "0.0.0.0/0", "via": "192.0.2.2"},
        ]
        assert check(network(segment(routes=routes))) == []

    def test_by_another_next_hop_are_not(self) -> None:
        routes = [{"to": "10.0.0.0/8", "via": "198.51.100.1"}]
        path, value, wrong, _unused = in_segment(routes=routes)
        assert (path, value) == ("routes[0].via", "198.51.100.1")
        assert wrong.startswith("is an off-link next hop")

    def test_of_the_other_family_are_not(self) -> None:
        paths = {
            problem.path
            for problem in check(
                network(segment(routes=[{"to": "2001:db8::/32", "via": "192.0.2.1"}]))
            )
        }
        assert paths == {f"{PATH}.segments[a].routes[0].to"}


class TestSharedSegments:
    def test_of_both_families_on_one_vlan_are_good(self) -> None:
        both = [segment(vlan=5, rack="r1"), segment("b", "2001:db8::/64", vlan=5, rack="r1")]
        assert check(network(*both)) == []

    @pytest.mark.parametrize("racks", [("r1", "r1"), (None, None), (["r1", "r2"], ["r2", "r3"])])
    def test_of_one_family_for_one_rack_are_not(self, racks: tuple[Any, Any]) -> None:
        segments = [
            segment(name, cidr, rack=rack, gateway=gateway)
            for name, cidr, rack, gateway in (
                ("a", "192.0.2.0/24", racks[0], "192.0.2.1"),
                ("b", "198.51.100.0/24", racks[1], "198.51.100.1"),
            )
        ]
        path, _unused, wrong, _unused = one(network(*segments))
        assert path == f"{PATH}.segments[b].rack"
        assert "second IPv4 segment" in wrong

    @pytest.mark.parametrize(("key", "values"), [("vlan", (5, 6)), ("mtu", (1500, 9000))])
    def test_of_both_families_that_differ_are_not(self, key: str, values: tuple[int, int]) -> None:
        both = [segment(**{key: values[0]}), segment("b", "2001:db8::/64", **{key: values[1]})]
        path, value, wrong, _unused = one(network(*both))
        assert (path, value) == (f"{PATH}.segments[b].{key}", values[1])
        assert wrong.startswith(f"differs from a's ({values[0]})")


class TestVips:
    NET = (segment(rack="r1"), segment("b", "198.51.100.0/24", rack="r2"))

    def vips(self, *vips: Item) -> list[Problem]:
        gateways = ({"gateway": "192.0.2.1"}, {"gateway": "198.51.100.1"})
        racks = [part | gateway for part, gateway in zip(self.NET, gateways, strict=True)]
        other = network(segment(cidr="203.0.113.0/24"), name="other")
        given = [{"name": f"v{index}", "network": "net", **vip} for index, vip in enumerate(vips)]
        return check(network(*racks), other, vips=given)

    @pytest.mark.parametrize(
        "vip",
        [
            {"segment": "a"},
            {"address": "192.0.2.9"},
            {"address": "192.0.2.9", "segment": "a"},
            {"network": "other"},
            {"mode": "bgp", "address": "10.99.0.1"},
            {"mode": "bgp", "segment": "b"},
        ],
        ids=str,
    )
    def test_that_are_good(self, vip: Item) -> None:
        assert self.vips(vip) == []

    @pytest.mark.parametrize(
        ("vip", "key", "wrong"),
        [
            ({"network": "nte"}, "network", "is not a network"),
            ({"segment": "c"}, "segment", "is not a segment"),
            ({}, "segment", "is missing, and net has 2 segments"),
            ({"address": "10.99.0.1"}, "address", "is outside of its network"),
            ({"address": "192.0.2.9", "segment": "b"}, "address", "is outside of its network"),
            ({"address": "203.0.113.9"}, "address", "is outside of its network"),
            ({"address": "203.0.113.9", "mode": "bgp"}, "address", "lies in 203.0.113.0/24"),
            (
                {"address": "192.0.2.9", "segment": "b", "mode": "bgp"},
                "address",
                "lies in 192.0.2.0/24",
            ),
        ],
        ids=str,
    )
    def test_that_are_not(self, vip: Item, key: str, wrong: str) -> None:
        (problem,) = self.vips(vip)
        assert problem.path == f"underlay_vips[v0].{key}"
        assert problem.wrong.startswith(wrong)

    def test_two_of_one_address_are_not_even_on_two_networks(self) -> None:
        bgp = {"mode": "bgp", "address": "10.99.0.1"}
        (problem,) = self.vips(bgp, {**bgp, "network": "other"})
        assert (problem.path, problem.wrong) == ("underlay_vips[v1].address", "is v0's")
