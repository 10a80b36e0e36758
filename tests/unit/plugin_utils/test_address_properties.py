# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The invariants of addresses, over subnets, ranges and histories that nobody thought of.

At most one owner; the same claim, the same answer; new hosts never move old ones; the inventory's
order does not matter; never handed out: network, broadcast, gateways, name servers, VIPs, service
and DHCP ranges, excludes; what is given back is free again, and nothing else is.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import (
    Address,
    Range,
    parse_address,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Segment
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.addresses import (
    Allocation,
    Claim,
    allocate,
    utilisation,
)
from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import attempt

KEEPERS = {"k1": "r1", "k2": "r2"}
NAMES = st.from_regex(r"[a-c]{1,2}[0-9]{0,3}", fullmatch=True)
SUBNETS = st.one_of(
    st.integers(24, 32).map(lambda bits: IPv4Network(f"192.0.2.0/{bits}")),
    st.integers(120, 128).map(lambda bits: IPv6Network(f"2001:db8::/{bits}")),
)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """A segment with parts of its subnet set aside, whether that leaves anything or not."""
    cidr = draw(SUBNETS)
    first, last = int(cidr.network_address), int(cidr.broadcast_address)
    numbers = st.integers(first, last)
    addresses = numbers.map(lambda number: cidr[number - first])
    parts = st.tuples(numbers, numbers).map(
        lambda ends: Range(min(ends), max(ends), cidr.version),
    )
    some = st.lists(parts, max_size=2).map(tuple)
    return Segment(
        network="lcm",
        name="all",
        racks=(),
        vlan=None,
        cidr=cidr,
        gateway=draw(st.none() | addresses),
        mtu=1500,
        nameservers=draw(st.lists(addresses, max_size=2).map(tuple)),
        ranges=draw(some),
        exclude=draw(some),
        service_ranges=draw(some),
        dhcp_ranges=draw(some),
        vip_ranges=draw(some),
        routes=(),
        path="underlay_networks[lcm].segments[all]",
    )


def claim(owner: str, segment: Segment, wanted: Address | None = None) -> Claim:
    return Claim(owner, "lcm", segment.version, segment, wanted, path="path", host=owner)


def served(owners: list[str], segment: Segment, ledger: Ledger) -> Allocation:
    return allocate([claim(owner, segment) for owner in owners], ledger)


def never(segment: Segment) -> set[int]:
    """Written from the rules, not from the allocator."""
    first, last = segment.whole.first, segment.whole.last
    out = {int(server) for server in segment.nameservers}
    if segment.gateway is not None:
        out.add(int(segment.gateway))
    if segment.cidr.num_addresses > 2:
        out |= {first, last} if segment.version == 4 else {first}
    for part in (
        *segment.exclude,
        *segment.service_ranges,
        *segment.dhcp_ranges,
        *segment.vip_ranges,
    ):
        out |= set(range(part.first, part.last + 1))
    return out


@given(segments(), st.lists(NAMES, unique=True, max_size=20))
def test_what_is_given_lies_in_the_ranges_and_is_never_reserved(
    segment: Segment, owners: list[str]
) -> None:
    result = served(owners, segment, Ledger())
    ranges = segment.ranges or (segment.whole,)
    for text in result.addresses.values():
        number = int(parse_address(text))
        assert number not in never(segment)
        assert any(number in part for part in ranges)


@given(segments(), st.lists(NAMES, unique=True, max_size=20))
def test_all_are_served_or_the_segment_is_exhausted(segment: Segment, owners: list[str]) -> None:
    result = served(owners, segment, Ledger())
    ranges = segment.ranges or (segment.whole,)
    usable = {number for part in ranges for number in range(part.first, part.last + 1)} - never(
        segment
    )
    assert utilisation(segment, {}) == (0, len(usable))
    assert bool(result.problems) == (len(owners) > len(usable))
    if not result.problems:
        assert len(set(result.addresses.values())) == len(owners)


@given(segments(), st.lists(NAMES, unique=True, max_size=12), st.randoms())
def test_the_order_of_the_inventory_does_not_matter(
    segment: Segment, owners: list[str], chance: Any
) -> None:
    shuffled = list(owners)
    chance.shuffle(shuffled)
    one, other = (served(order, segment, Ledger()) for order in (owners, shuffled))
    assert one.addresses == other.addresses
    assert one.ledger == other.ledger
    assert one.problems == other.problems


@given(segments(), st.lists(NAMES, unique=True, max_size=12), st.integers(0, 12))
def test_new_hosts_never_move_old_ones(segment: Segment, owners: list[str], split: int) -> None:
    old = served(owners[:split], segment, Ledger())
    new = served(owners, segment, old.ledger)
    assert set(old.ledger.rows()) <= set(new.ledger.rows())


@given(segments(), st.lists(NAMES, unique=True, max_size=12))
def test_the_same_claims_get_the_same_answer(segment: Segment, owners: list[str]) -> None:
    first = served(owners, segment, Ledger())
    again = served(owners, segment, first.ledger)
    assert again.addresses == first.addresses or first.problems
    assert again.ledger is first.ledger


@given(segments(), st.lists(NAMES, unique=True, min_size=1, max_size=6), st.data())
def test_a_wish_is_granted_or_refused_and_never_takes_from_another(
    segment: Segment, owners: list[str], data: st.DataObject
) -> None:
    before = served(owners, segment, Ledger())
    offset = data.draw(st.integers(0, segment.cidr.num_addresses - 1))
    wish = segment.cidr[offset]
    wisher = data.draw(st.sampled_from([*owners, "z"]))
    claims = [claim(owner, segment) for owner in owners if owner != wisher]
    result = allocate([*claims, claim(wisher, segment, wish)], before.ledger)
    if not result.problems:
        owners_now = result.ledger.addresses["lcm"]
        assert owners_now[str(wish)] == wisher
        assert int(wish) not in never(segment)
        others = {row for row in before.ledger.rows() if row[2] != wisher}
        assert others <= set(result.ledger.rows())
    else:
        assert result.ledger is before.ledger


class Fleet(RuleBasedStateMachine):
    """Hosts and VIPs come, wish, go and are released, in any order; each step is planned."""

    def __init__(self) -> None:
        super().__init__()
        self.intent: Intent = good_intent()
        self.template = good_intent().hosts["w1"]
        # One host a rack stays, so that somebody may hold each VIP.
        self.intent.hosts = {
            name: {**self.template, "underlay_rack": rack} for name, rack in KEEPERS.items()
        }
        self.intent.groups = {name: [name] for name in KEEPERS}
        self.intent.vip("api").update(roles=["k1"])
        for network in self.intent.fleet["underlay_networks"]:
            for segment in network["segments"]:
                if ":" not in segment["cidr"]:
                    base = segment["cidr"].removesuffix("0/24")
                    segment.update(
                        ranges=[f"{base}8-{base}11", f"{base}14-{base}15", f"{base}19-{base}40"],
                        exclude=[f"{base}10"],
                        service_ranges=[f"{base}12/31"],
                        dhcp_ranges=[f"{base}16-{base}18"],
                    )
        self.ledger = Ledger()
        self.promised: dict[tuple[str, str, int], str] = {}
        self.moved: set[str] = set()
        assert not self._plan()

    @rule(name=NAMES, rack=st.sampled_from(["r1", "r2"]))
    def add_host(self, name: str, rack: str) -> None:
        owned = any(owner == name for _unused, _unused, owner in self.ledger.rows())
        if name not in self.intent.hosts and not owned:
            self.intent.hosts[name] = {**self.template, "underlay_rack": rack}
            self._plan()

    @precondition(lambda self: set(self.intent.hosts) - set(KEEPERS))
    @rule(data=st.data())
    def remove_host(self, data: st.DataObject) -> None:
        others = sorted(set(self.intent.hosts) - set(KEEPERS))
        del self.intent.hosts[data.draw(st.sampled_from(others))]
        self._plan()

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        owners = sorted(
            {owner for _unused, _unused, owner in self.ledger.rows()} - set(self.intent.hosts)
        )
        if owners:
            name = data.draw(st.sampled_from(owners))
            self.ledger = self.ledger.without([name])
            self.promised = {key: text for key, text in self.promised.items() if key[0] != name}
            self._plan()

    @rule(address=st.none() | st.integers(0, 255), rack=st.sampled_from([1, 2]))
    def add_vip(self, address: int | None, rack: int) -> None:
        name = f"vip{len(self.intent.fleet['underlay_vips'])}"
        fixed = None if address is None else f"10.21.{rack}.{address}"
        vip = {"name": name, "network": "lcm", "segment": f"r{rack}", "address": fixed}
        vip["roles"] = [f"k{rack}"]
        self.intent.fleet["underlay_vips"].append(vip)
        if self._plan():
            self.intent.fleet["underlay_vips"].pop()

    @precondition(lambda self: self.intent.hosts)
    @rule(data=st.data(), last=st.integers(0, 45))
    def want(self, data: st.DataObject, last: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.intent.hosts)))
        before = self.intent.hosts[name]
        rack = before["underlay_rack"].removeprefix("r")
        wish = {"network": "lcm", "address": f"10.21.{rack}.{last}"}
        self.intent.hosts[name] = {**before, "underlay_wanted_addresses": [wish]}
        self.moved = {name}
        if self._plan():
            self.intent.hosts[name] = before
        self.moved = set()

    @rule(chance=st.randoms())
    def plan_again_in_another_order(self, chance: Any) -> None:
        names = list(self.intent.hosts)
        chance.shuffle(names)
        self.intent.hosts = {name: self.intent.hosts[name] for name in names}
        before = self.ledger
        assert not self._plan()
        assert self.ledger is before

    def _plan(self) -> list[Any]:
        planned = attempt(self.intent, self.ledger)
        if planned.problems:
            assert planned.ledger is self.ledger
            return planned.problems
        self.ledger = planned.ledger
        promised: dict[tuple[str, str, int], str] = {
            (name, item["network"], ip_interface(item["address"]).version): item["address"]
            for name, part in planned.hosts.items()
            for item in part["addresses"]
        }
        for key, text in self.promised.items():
            if key[0] not in self.moved and key in promised:
                assert promised[key] == text, "what was given moved"
        self.promised.update(promised)
        return []

    @invariant()
    def no_address_has_two_owners_and_no_owner_two_addresses(self) -> None:
        rows = list(self.ledger.rows())
        assert max(Counter(address for _unused, address, _unused in rows).values(), default=1) == 1
        held = Counter(
            (network, owner, ip_address(address).version) for network, address, owner in rows
        )
        assert max(held.values(), default=1) == 1

    @invariant()
    def nothing_reserved_is_given(self) -> None:
        for _unused, text, owner in self.ledger.rows():
            address = ip_address(text)
            if address.version == 6:
                assert int(address) & 0xFFFF not in (0, 1), "anycast or gateway"
            else:
                last = int(address) & 255
                assert last not in {0, 1, 255, 16, 17, 18}
                # A VIP's fixed address is what people exclude, or a service's.
                assert last not in {10, 12, 13} or owner.startswith("vip/")
                assert not (text.startswith("10.21.") and last == 2), "a name server"

    @invariant()
    def what_every_host_has_is_in_the_ledger(self) -> None:
        rows = set(self.ledger.rows())
        for (name, network, _unused), text in self.promised.items():
            assert (network, text.split("/")[0], name) in rows


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
