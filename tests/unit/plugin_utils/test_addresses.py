# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets which address, and who never does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import parse_address
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Segment
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.addresses import (
    Allocation,
    Claim,
    allocate,
    reserved,
    utilisation,
)
from tests.unit.plugin_utils.mutations import good_intent
from tests.unit.plugin_utils.planning import plan, problems_of


def segment(cidr: str = "192.0.2.0/24", name: str = "all", **settings: Any) -> Segment:
    """A segment of the network lcm, as the inventory would have it."""
    item = {"name": name, "cidr": cidr, **settings}
    network = {"name": "lcm", "kind": "lcm", "segments": [item]}
    model, problems = read_intent({"underlay_networks": [network]}, {})
    assert problems == []
    return model.networks["lcm"].segments[0]


def claims(owners: Iterable[str], of: Segment, **wanted: str) -> list[Claim]:
    """A claim for each owner; wanted: owner -> address, owners without dashes in the way."""
    return [
        Claim(owner, "lcm", of.version, of, wish, path="path", host=owner)
        for owner in owners
        for wish in [parse_address(wanted[owner]) if owner in wanted else None]
    ]


def held(**owners: str) -> Ledger:
    """A ledger of the network lcm; owners: owner -> address."""
    return Ledger(1, {"lcm": {address: owner for owner, address in owners.items()}})


def given(allocation: Allocation) -> dict[str, str]:
    assert allocation.problems == []
    return {owner: address for (owner, _unused, _unused), address in allocation.addresses.items()}


def complaints(allocation: Allocation) -> list[str]:
    return [problem.wrong for problem in allocation.problems]


class TestTheNextFreeAddress:
    def test_is_the_lowest_in_natural_order_of_the_hosts(self) -> None:
        result = allocate(claims(["w10", "w2", "w1"], segment()), Ledger())
        assert given(result) == {"w1": "192.0.2.1", "w2": "192.0.2.2", "w10": "192.0.2.3"}

    def test_comes_from_the_ranges_in_the_order_written(self) -> None:
        of = segment(ranges=["192.0.2.50-192.0.2.51", "192.0.2.8/31", "192.0.2.5"])
        result = allocate(claims(["a", "b", "c", "d", "e"], of), Ledger())
        assert list(given(result).values()) == [
            "192.0.2.50",
            "192.0.2.51",
            "192.0.2.8",
            "192.0.2.9",
            "192.0.2.5",
        ]

    def test_is_given_once_where_ranges_overlap(self) -> None:
        of = segment(ranges=["192.0.2.10-192.0.2.12", "192.0.2.11-192.0.2.13"])
        assert len(set(given(allocate(claims("abcd", of), Ledger())).values())) == 4
        assert utilisation(of, {}) == (0, 4)

    def test_passes_over_what_is_held_excluded_or_reserved(self) -> None:
        of = segment(
            gateway="192.0.2.1",
            nameservers=["192.0.2.2", "198.51.100.9"],
            exclude=["192.0.2.3", "192.0.2.4-192.0.2.5"],
            service_ranges=["192.0.2.6/31"],
            dhcp_ranges=["192.0.2.8-192.0.2.9"],
        )
        result = allocate(claims(["new"], of), held(old="192.0.2.10"))
        assert given(result) == {"new": "192.0.2.11"}

    def test_passes_over_what_a_host_holds_that_is_gone(self) -> None:
        result = allocate(claims(["new"], segment()), held(gone="192.0.2.1"))
        assert given(result) == {"new": "192.0.2.2"}

    def test_goes_to_the_vip_before_the_last_host(self) -> None:
        of = segment(ranges=["192.0.2.10-192.0.2.11"])
        result = allocate(claims(["a", "vip/api"], of), Ledger())
        assert given(result) == {"vip/api": "192.0.2.10", "a": "192.0.2.11"}


class TestTheEndsOfASubnet:
    @pytest.mark.parametrize(
        ("cidr", "usable", "rule"),
        [
            ("192.0.2.0/29", [1, 2, 3, 4, 5, 6], "RFC 919: neither network nor broadcast"),
            ("192.0.2.0/30", [1, 2], "RFC 919: neither network nor broadcast"),
            ("192.0.2.0/31", [0, 1], "RFC 3021: both addresses of a point-to-point link"),
            ("192.0.2.4/32", [4], "a /32 is one host"),
        ],
    )
    def test_in_ipv4(self, cidr: str, usable: list[int], rule: str) -> None:
        names = [f"h{number}" for number in usable]
        result = allocate(claims(names, segment(cidr)), Ledger())
        assert list(given(result).values()) == [f"192.0.2.{number}" for number in usable], rule
        assert complaints(allocate(claims([*names, "h99"], segment(cidr)), Ledger()))

    @pytest.mark.parametrize(
        ("cidr", "usable", "rule"),
        [
            ("2001:db8::/126", [1, 2, 3], "RFC 4291, 2.6.1: the first is the routers' anycast"),
            ("2001:db8::/127", [0, 1], "RFC 6164: both addresses of a point-to-point link"),
            ("2001:db8::7/128", [7], "a /128 is one host"),
        ],
    )
    def test_in_ipv6(self, cidr: str, usable: list[int], rule: str) -> None:
        names = [f"h{number}" for number in usable]
        result = allocate(claims(names, segment(cidr)), Ledger())
        found = [int(parse_address(text)) & 0xFF for text in given(result).values()]
        assert found == usable, rule
        assert complaints(allocate(claims([*names, "h99"], segment(cidr)), Ledger()))

    def test_a_64_is_not_walked_through(self) -> None:
        of = segment("2001:db8::/64", gateway="2001:db8::1", exclude=["2001:db8::/80"])
        assert given(allocate(claims(["a"], of), Ledger())) == {"a": "2001:db8:0:0:1::"}

    def test_reserved_addresses_of_the_other_family_are_not_counted(self) -> None:
        of = segment(nameservers=["2001:db8::53"], gateway="192.0.2.1")
        assert {item.range.version for item in reserved(of)} == {4}


class TestAHeldAddress:
    def test_stays_whatever_hosts_come(self) -> None:
        result = allocate(claims(["a", "b", "z"], segment()), held(z="192.0.2.1"))
        assert given(result) == {"z": "192.0.2.1", "a": "192.0.2.2", "b": "192.0.2.3"}

    def test_stays_when_the_ranges_move_away(self) -> None:
        of = segment(ranges=["192.0.2.100-192.0.2.200"])
        assert given(allocate(claims(["a"], of), held(a="192.0.2.7"))) == {"a": "192.0.2.7"}

    def test_stays_in_the_ledger_when_nobody_claims_it(self) -> None:
        result = allocate(claims(["a"], segment()), held(gone="192.0.2.7"))
        assert result.ledger.addresses["lcm"]["192.0.2.7"] == "gone"
        assert result.unclaimed == [("lcm", "192.0.2.7", "gone")]

    def test_is_the_same_ledger_when_nothing_changes(self) -> None:
        ledger = held(a="192.0.2.1", b="192.0.2.2")
        assert allocate(claims(["b", "a"], segment()), ledger).ledger is ledger

    @pytest.mark.parametrize(
        ("settings", "why"),
        [
            ({"gateway": "192.0.2.7"}, "the gateway"),
            ({"nameservers": ["192.0.2.7"]}, "a name server"),
            ({"exclude": ["192.0.2.0/28"]}, "in exclude"),
            ({"service_ranges": ["192.0.2.7"]}, "in service_ranges"),
            ({"dhcp_ranges": ["192.0.2.7-192.0.2.9"]}, "in dhcp_ranges"),
        ],
    )
    def test_that_is_reserved_now_is_a_problem_not_a_move(
        self, settings: dict[str, Any], why: str
    ) -> None:
        ledger = held(a="192.0.2.7")
        result = allocate(claims(["a"], segment(**settings)), ledger)
        assert complaints(result) == [f"a holds 192.0.2.7, which is {why} now"]
        assert "playbooks/release.yml" in result.problems[0].right
        assert result.ledger is ledger

    def test_of_another_segment_is_a_problem_not_a_move(self) -> None:
        result = allocate(claims(["a"], segment(name="r2")), held(a="198.51.100.7"))
        assert complaints(result) == ["a holds 198.51.100.7, which is not in segment r2"]

    def test_is_free_for_others_once_it_is_released(self) -> None:
        ledger = held(a="192.0.2.1", b="192.0.2.2").without(["a"])
        result = allocate(claims(["b", "c"], segment()), ledger)
        assert given(result) == {"b": "192.0.2.2", "c": "192.0.2.1"}


class TestAWantedAddress:
    def test_is_given(self) -> None:
        result = allocate(claims(["a", "b"], segment(), b="192.0.2.77"), Ledger())
        assert given(result) == {"a": "192.0.2.1", "b": "192.0.2.77"}

    def test_goes_before_the_free_choice_of_others(self) -> None:
        result = allocate(claims(["a", "b"], segment(), b="192.0.2.1"), Ledger())
        assert given(result) == {"b": "192.0.2.1", "a": "192.0.2.2"}

    def test_may_lie_outside_of_the_ranges(self) -> None:
        of = segment(ranges=["192.0.2.100-192.0.2.200"])
        assert given(allocate(claims(["a"], of, a="192.0.2.5"), Ledger())) == {"a": "192.0.2.5"}

    def test_replaces_what_the_host_held(self) -> None:
        result = allocate(claims(["a"], segment(), a="192.0.2.9"), held(a="192.0.2.1"))
        assert result.ledger.addresses == {"lcm": {"192.0.2.9": "a"}}
        assert result.ledger.version == 2

    def test_stays_when_the_wish_is_taken_back(self) -> None:
        first = allocate(claims(["a"], segment(), a="192.0.2.9"), Ledger()).ledger
        assert allocate(claims(["a"], segment()), first).ledger is first

    def test_can_be_swapped_between_two_hosts(self) -> None:
        ledger = held(a="192.0.2.1", b="192.0.2.2")
        wishes = claims(["a", "b"], segment(), a="192.0.2.2", b="192.0.2.1")
        assert given(allocate(wishes, ledger)) == {"a": "192.0.2.2", "b": "192.0.2.1"}

    def test_can_be_handed_on_round_three_hosts(self) -> None:
        ledger = held(a="192.0.2.1", b="192.0.2.2", c="192.0.2.3")
        wishes = claims("abc", segment(), a="192.0.2.2", b="192.0.2.3", c="192.0.2.1")
        assert given(allocate(wishes, ledger)) == {
            "a": "192.0.2.2",
            "b": "192.0.2.3",
            "c": "192.0.2.1",
        }

    def test_that_another_host_holds_is_refused_by_name(self) -> None:
        result = allocate(claims(["a"], segment(), a="192.0.2.2"), held(b="192.0.2.2"))
        assert complaints(result) == ["is taken by b"]

    def test_that_a_vip_holds_is_refused_by_name(self) -> None:
        ledger = Ledger(1, {"lcm": {"192.0.2.2": "vip/api"}})
        result = allocate(claims(["a"], segment(), a="192.0.2.2"), ledger)
        assert complaints(result) == ["is taken by vip/api"]

    def test_of_two_hosts_goes_to_the_one_that_has_it(self) -> None:
        wishes = claims(["a", "b"], segment(), a="192.0.2.2", b="192.0.2.2")
        result = allocate(wishes, held(b="192.0.2.2"))
        assert [(item.host, item.wrong) for item in result.problems] == [("a", "is taken by b")]

    @pytest.mark.parametrize(
        ("wish", "wrong"),
        [
            ("198.51.100.1", "is outside of 192.0.2.0/24, segment all of lcm"),
            ("192.0.2.0", "is the network's address of segment all"),
            ("192.0.2.255", "is the broadcast address of segment all"),
            ("192.0.2.254", "is the gateway of segment all"),
            ("192.0.2.40", "is in exclude of segment all"),
        ],
    )
    def test_that_is_outside_or_reserved_is_refused(self, wish: str, wrong: str) -> None:
        of = segment(gateway="192.0.2.254", exclude=["192.0.2.40"])
        assert complaints(allocate(claims(["a"], of, a=wish), Ledger())) == [wrong]

    def test_may_be_one_of_each_family(self) -> None:
        intent = good_intent()
        intent.hosts["w1"]["underlay_wanted_addresses"] = [
            {"network": "lcm", "address": "10.21.1.77"},
            {"network": "lcm", "address": "fd21:1::77"},
        ]
        addresses = [item["address"] for item in plan(intent).hosts["w1"]["addresses"][:2]]
        assert addresses == ["10.21.1.77/24", "fd21:1::77/64"]

    def test_may_be_spelt_as_people_like(self) -> None:
        intent = good_intent()
        wish = {"network": "lcm", "address": "FD21:1:0:0::0050"}
        intent.hosts["w1"]["underlay_wanted_addresses"] = [wish]
        assert plan(intent).ledger.addresses["lcm"]["fd21:1::50"] == "w1"

    def test_cannot_be_two_of_one_family(self) -> None:
        intent = good_intent()
        wishes = [{"network": "lcm", "address": f"10.21.1.{last}"} for last in (77, 78)]
        intent.hosts["w1"]["underlay_wanted_addresses"] = wishes
        assert [item.wrong for item in problems_of(intent)] == ["is a second wish of its family"]

    def test_must_be_of_a_family_that_the_segment_has(self) -> None:
        intent = good_intent()
        wish = {"network": "workload", "address": "fd22:1::5"}
        intent.hosts["w1"]["underlay_wanted_addresses"] = [wish]
        (problem,) = problems_of(intent)
        assert problem.right == "Ask for an address of 10.22.1.0/24"

    def test_is_not_for_a_network_attached_without_an_address(self) -> None:
        intent = good_intent()
        intent.attach("w1", "workload").update(address=False)
        wish = {"network": "workload", "address": "10.22.1.50"}
        intent.hosts["w1"]["underlay_wanted_addresses"] = [wish]
        (problem,) = problems_of(intent)
        assert problem.path == "underlay_wanted_addresses[workload].address"
        assert "address: false" in problem.wrong

    def test_of_a_host_without_a_segment_adds_no_noise(self) -> None:
        intent = good_intent()
        wish = {"network": "lcm", "address": "10.21.1.50"}
        intent.hosts["w1"].update(underlay_rack="r9", underlay_wanted_addresses=[wish])
        assert {problem.path for problem in problems_of(intent)} == {"underlay_rack"}


class TestExhaustion:
    def test_names_network_segment_size_used_free_and_needed(self) -> None:
        of = segment("192.0.2.0/29", gateway="192.0.2.1")
        result = allocate(claims("abcdef", of), held(a="192.0.2.2", x="192.0.2.3"))
        assert complaints(result) == [
            "network lcm, segment all is exhausted: 5 addresses, 2 used, 3 free, 5 needed"
        ]
        assert result.problems[0].path == "underlay_networks[lcm].segments[all].ranges"
        assert result.problems[0].value == "192.0.2.0/29"

    def test_gives_nothing_to_anybody(self) -> None:
        ledger = held(a="192.0.2.2")
        result = allocate(claims("abcdefgh", segment("192.0.2.0/29")), ledger)
        assert result.problems
        assert result.ledger is ledger

    def test_is_told_of_every_segment_at_once(self) -> None:
        one, two = (segment("192.0.2.0/30", name=name) for name in ("r1", "r2"))
        result = allocate(claims("abc", one) + claims("def", two), Ledger())
        assert len(result.problems) == 2

    def test_just_before_it_everybody_is_served(self) -> None:
        of = segment("192.0.2.0/29", gateway="192.0.2.1")
        assert len(given(allocate(claims("abcde", of), Ledger()))) == 5

    def test_of_ranges_that_are_all_reserved_is_told_with_size_0(self) -> None:
        of = segment(ranges=["192.0.2.5"], exclude=["192.0.2.5"])
        (wrong,) = complaints(allocate(claims(["a"], of), Ledger()))
        assert wrong.endswith("0 addresses, 0 used, 0 free, 1 needed")

    def test_in_ipv6_it_can_be_counted_too(self) -> None:
        of = segment("2001:db8::/126", gateway="2001:db8::1")
        (wrong,) = complaints(allocate(claims("abc", of), Ledger()))
        assert wrong.endswith("2 addresses, 0 used, 2 free, 3 needed")


class TestAVip:
    def vip(self, holder: str = "cp1", **settings: Any) -> str:
        intent = good_intent()
        intent.groups["control_plane"] = [holder]
        intent.fleet["underlay_vips"] = [{"name": "api", "network": "lcm", **settings}]
        vips = plan(intent).fleet["vips"]
        return str(vips[0]["address"])

    def test_without_an_address_is_given_one_of_its_segment(self) -> None:
        assert self.vip("w2", segment="r2") == "10.21.2.10"

    def test_in_ipv6_too(self) -> None:
        assert self.vip(segment="r1v6") == "fd21:1::2"

    def test_with_a_fixed_address_has_that_one(self) -> None:
        assert self.vip(segment="r1", address="10.21.1.240") == "10.21.1.240"

    def test_with_a_fixed_address_needs_no_segment(self) -> None:
        assert self.vip("w2", address="10.21.2.240") == "10.21.2.240"

    def test_may_be_in_an_exclude_as_people_keep_it_apart_that_way(self) -> None:
        intent = good_intent()
        intent.segment("lcm", "r1").update(exclude=["10.21.1.10-10.21.1.15"])
        intent.vip("api").update(address="10.21.1.10")
        planned = plan(intent)
        assert planned.ledger.addresses["lcm"]["10.21.1.10"] == "vip/api"
        assert planned.hosts["cp1"]["addresses"][0]["address"] == "10.21.1.16/24"

    def test_by_bgp_may_lie_outside_of_all_segments(self) -> None:
        intent = good_intent()
        intent.fleet["underlay_bgp"] = {"asn": 64512, "peers": [{"asn": 64513}]}
        intent.vip("api").update(mode="bgp", address="203.0.113.7")
        assert plan(intent).fleet["vips"][0]["address"] == "203.0.113.7"

    def test_by_arp_may_not(self) -> None:
        intent = good_intent()
        intent.vip("api").update(address="203.0.113.7")
        assert [item.path for item in problems_of(intent)] == ["underlay_vips[api].address"]

    def test_cannot_take_what_a_host_holds(self) -> None:
        ledger = plan(good_intent()).ledger
        intent = good_intent()
        intent.fleet["underlay_vips"].append(
            {"name": "late", "network": "lcm", "address": "10.21.1.12"}
        )
        (problem,) = problems_of(intent, ledger)
        assert (problem.path, problem.wrong) == ("underlay_vips[late].address", "is taken by w1")

    def test_keeps_its_address_when_hosts_come_before_it(self) -> None:
        ledger = Ledger(1, {"lcm": {"10.21.1.30": "vip/api"}})
        assert plan(good_intent(), ledger).fleet["vips"][0]["address"] == "10.21.1.30"

    def test_is_never_handed_to_a_host(self) -> None:
        intent = good_intent()
        intent.vip("api").update(address="10.21.1.10")
        owners = plan(intent).ledger.addresses["lcm"]
        assert [owner for owner in owners.values() if owner == "vip/api"] == ["vip/api"]
        assert owners["10.21.1.10"] == "vip/api"


class TestAFleet:
    def test_has_an_address_of_each_family_of_each_network(self) -> None:
        hosts = plan(good_intent()).hosts
        assert [item["address"] for item in hosts["st1"]["addresses"]] == [
            "10.21.2.10/24",
            "fd21:2::2/64",
            "10.22.2.2/24",
            "10.23.2.2/24",
            "10.24.2.2/24",
        ]

    def test_has_no_address_where_the_template_wants_none(self) -> None:
        intent = good_intent()
        intent.attach("w1", "workload").update(address=False)
        planned = plan(intent)
        assert "w1" not in planned.ledger.addresses["workload"].values()
        assert "workload" not in {item["network"] for item in planned.hosts["w1"]["addresses"]}

    def test_falls_back_to_the_segment_that_names_no_rack(self) -> None:
        intent = good_intent()
        del intent.segment("workload", "r2")["rack"]
        assert "10.22.2.2" in plan(intent).ledger.addresses["workload"]

    def test_tells_rows_that_nobody_claims_and_keeps_them(self) -> None:
        ledger = plan(good_intent()).ledger
        intent = good_intent()
        del intent.hosts["cp1"]
        intent.groups["control_plane"] = ["w1"]
        planned = plan(intent, ledger)
        assert ("lcm", "10.21.1.11", "cp1") in planned.unclaimed
        assert planned.ledger is ledger

    def test_adding_a_host_moves_no_address(self) -> None:
        ledger = plan(good_intent()).ledger
        intent = good_intent()
        intent.hosts["a0"] = good_intent().hosts["cp1"]
        after = plan(intent, ledger).ledger
        assert set(ledger.rows()) < set(after.rows())
        assert {owner for _unused, _unused, owner in set(after.rows()) - set(ledger.rows())} == {
            "a0"
        }
