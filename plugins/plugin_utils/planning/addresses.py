# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets which address: claims against ranges, with what the ledger already gave.

What an owner holds, it keeps. Only claims that hold nothing take from the pool, lowest address
first, owners in natural order: so neither the inventory's order nor a new host moves anybody.
Sets are netaddr's; the loop over claims works on integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import (
    Address,
    Range,
    address_text,
    parse_address,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Segment
from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import natural_key
from ansible_collections.underlay.cluster.plugins.plugin_utils.needs import netaddr
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem


@dataclass(frozen=True, slots=True)
class Claim:
    """An owner's wish for one address of a network and family.

    version: the address family, 4 or 6
    segment: where it comes from; None only for a wanted address that lies in no segment
    wanted: this address and no other
    path, host: where the wish is written, for errors
    """

    owner: str
    network: str
    version: int
    segment: Segment | None
    wanted: Address | None
    path: str
    host: str = ""

    @property
    def is_vip(self) -> bool:
        """Whether a virtual address is claimed, not a host's."""
        return "/" in self.owner


@dataclass(frozen=True, slots=True)
class Reserved:
    """Addresses that are never handed out, and why."""

    range: Range
    why: str


@dataclass(slots=True)
class Allocation:
    """What came of the claims.

    addresses: (owner, network, version) -> address text
    ledger: the ledger with every claim's row
    unclaimed: (network, address, owner) rows that nobody claims now; they stay until released
    """

    ledger: Ledger
    addresses: dict[tuple[str, str, int], str] = field(default_factory=dict)
    unclaimed: list[tuple[str, str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def allocate(claims: Iterable[Claim], ledger: Ledger) -> Allocation:
    """Give every claim its address. Problems are collected; then the ledger is as it came."""
    by_network: dict[str, list[Claim]] = {}
    for claim in claims:
        by_network.setdefault(claim.network, []).append(claim)
    result = Allocation(ledger)
    rows = {network: dict(owners) for network, owners in ledger.addresses.items()}
    for network, wishes in by_network.items():
        _NetworkAllocator(network, rows.setdefault(network, {}), result).run(wishes)
    result.unclaimed = [
        (network, address, owner)
        for network, owners in rows.items()
        for address, owner in owners.items()
        if (owner, network, 6 if ":" in address else 4) not in result.addresses
    ]
    if not result.problems:
        result.ledger = ledger.with_addresses(rows)
    return result


def reserved(segment: Segment) -> list[Reserved]:
    """Return what a segment never hands out.

    The network's own address and, in IPv4, the broadcast address (RFC 919) are used by nobody,
    except on links of one or two addresses (RFC 3021 /31, RFC 6164 /127). In IPv6 the first address
    is the routers' anycast address (RFC 4291, 2.6.1).
    """
    whole, version = segment.whole, segment.version
    found = []
    if whole.last - whole.first > 1:
        found.append(Reserved(Range(whole.first, whole.first, version), "the network's address"))
        if version == 4:
            found.append(Reserved(Range(whole.last, whole.last, 4), "the broadcast address"))
    if segment.gateway is not None:
        found.append(Reserved(_single(segment.gateway), "the gateway"))
    found += [Reserved(_single(server), "a name server") for server in segment.nameservers]
    for why, ranges in (
        ("in service_ranges", segment.service_ranges),
        ("in dhcp_ranges", segment.dhcp_ranges),
        ("in vip_ranges", segment.vip_ranges),
        ("in exclude", segment.exclude),
    ):
        found += [Reserved(part, why) for part in ranges]
    return [item for item in found if item.range.version == version]


# People keep a VIP's fixed address apart from the hosts' by an exclude of their own, or by a range
# for VIPs alone (MOSK, S4.6), and a service's address comes from the service range.
_FREE_FOR_VIPS = {"in exclude", "in service_ranges", "in vip_ranges"}


class _NetworkAllocator:
    """Serves the claims on one network; rows (address -> owner) are changed in place."""

    def __init__(self, network: str, rows: dict[str, str], result: Allocation) -> None:
        self._network = network
        self._rows = rows
        self._result = result
        self._held = {(owner, 6 if ":" in text else 4): text for text, owner in rows.items()}
        self._reserved: dict[str, list[Reserved]] = {}

    def run(self, claims: list[Claim]) -> None:
        wanting = [(claim, claim.wanted) for claim in claims if claim.wanted is not None]
        # All that move make room first, so that two hosts can swap their addresses.
        for claim, wanted in wanting:
            held = self._held.get((claim.owner, claim.version))
            if held is not None and held != str(wanted):
                del self._rows[held]
        for claim, wanted in sorted(wanting, key=lambda pair: _order(pair[0])):
            self._grant_wanted(claim, wanted)
        new: dict[str, tuple[Segment, list[Claim]]] = {}
        for claim in claims:
            segment = claim.segment
            if claim.wanted is None and segment is not None and not self._keep(claim, segment):
                new.setdefault(segment.name, (segment, []))[1].append(claim)
        for segment, waiting in new.values():
            apart = [claim for claim in waiting if claim.is_vip and segment.vip_ranges]
            others = [claim for claim in waiting if claim not in apart]
            self._grant_new(segment, sorted(apart, key=_order), "vip_ranges")
            self._grant_new(segment, sorted(others, key=_order), "ranges")

    def _keep(self, claim: Claim, segment: Segment) -> bool:
        """Give the owner what it holds. False if it holds nothing."""
        text = self._held.get((claim.owner, claim.version))
        if text is None:
            return False
        number = int(parse_address(text))
        if number not in segment.whole:
            wrong = f"{claim.owner} holds {text}, which is not in segment {segment.name}"
            self._refuse_held(claim, segment.path + ".cidr", str(segment.cidr), wrong)
            return True
        if blocked := self._blocked(claim, segment, number):
            wrong = f"{claim.owner} holds {text}, which is {blocked.why} now"
            self._refuse_held(claim, segment.path, None, wrong)
            return True
        self._result.addresses[claim.owner, self._network, claim.version] = text
        return True

    def _refuse_held(self, claim: Claim, path: str, value: str | None, wrong: str) -> None:
        right = f"Put it back, or give the address back first: playbooks/release.yml, {claim.owner}"
        self._result.problems.append(Problem(path, value, wrong, right, claim.host))

    def _grant_wanted(self, claim: Claim, wanted: Address) -> None:
        text = str(wanted)
        wrong = self._unfit(claim, int(wanted))
        if wrong:
            right = f"Ask for an address that is free in {self._network}"
            self._result.problems.append(Problem(claim.path, text, wrong, right, claim.host))
            return
        self._rows[text] = claim.owner
        self._result.addresses[claim.owner, self._network, claim.version] = text

    def _unfit(self, claim: Claim, number: int) -> str:
        segment = claim.segment
        if segment is not None and (
            segment.version != claim.version or number not in segment.whole
        ):
            return f"is outside of {segment.cidr}, segment {segment.name} of {self._network}"
        if segment is not None and (blocked := self._blocked(claim, segment, number)):
            return f"is {blocked.why} of segment {segment.name}"
        owner = self._rows.get(str(claim.wanted))
        return f"is taken by {owner}" if owner not in (None, claim.owner) else ""

    def _blocked(self, claim: Claim, segment: Segment, number: int) -> Reserved | None:
        if segment.name not in self._reserved:
            self._reserved[segment.name] = reserved(segment)
        for item in self._reserved[segment.name]:
            if number in item.range and not (claim.is_vip and item.why in _FREE_FOR_VIPS):
                return item
        return None

    def _grant_new(self, segment: Segment, claims: list[Claim], key: str) -> None:
        if not claims:
            return
        pool = _pool(segment, for_vips=key == "vip_ranges")
        version = segment.version
        used = {
            int(parse_address(text)) for text in self._rows if (6 if ":" in text else 4) == version
        }
        taken = sum(1 for number in used for part in pool if number in part)
        size = sum(part.last - part.first + 1 for part in pool)
        if len(claims) > size - taken:
            self._exhausted(segment, size, taken, claims, key)
            return
        free = _free(pool, used)
        for claim in claims:
            text = address_text(next(free), version)
            self._rows[text] = claim.owner
            self._result.addresses[claim.owner, self._network, version] = text

    def _exhausted(
        self, segment: Segment, size: int, taken: int, claims: list[Claim], key: str
    ) -> None:
        wrong = (
            f"network {self._network}, segment {segment.name} is exhausted: {size} addresses, "
            f"{taken} used, {size - taken} free, {len(claims)} needed"
        )
        right = "Widen ranges or the subnet, or release hosts that are gone"
        written = ", ".join(map(str, getattr(segment, key))) or str(segment.cidr)
        self._result.problems.append(Problem(f"{segment.path}.{key}", written, wrong, right))


def _order(claim: Claim) -> tuple[bool, object, str]:
    # VIPs first: a small segment had better serve its API endpoint than its last host.
    return not claim.is_vip, natural_key(claim.owner), claim.owner


def _single(address: Address) -> Range:
    return Range(int(address), int(address), address.version)


def _pool(segment: Segment, *, for_vips: bool = False) -> list[Range]:
    """Return the addresses that a segment may hand out, in the order in which it does.

    for_vips: those of the range that is for VIPs alone
    """
    version = segment.version
    kept_back = netaddr.IPSet()
    for item in reserved(segment):
        if not (for_vips and item.why in _FREE_FOR_VIPS):
            kept_back |= _set(item.range)
    parts: list[Range] = []
    for part in segment.vip_ranges if for_vips else segment.ranges or (segment.whole,):
        left = _set(part) - kept_back
        parts += [Range(int(run.first), int(run.last), version) for run in left.iter_ipranges()]
        kept_back |= _set(part)
    return parts


def _set(part: Range) -> netaddr.IPSet:
    ends = [netaddr.IPAddress(number, part.version) for number in (part.first, part.last)]
    return netaddr.IPSet(netaddr.IPRange(*ends))


def _free(pool: Iterable[Range], used: set[int]) -> Iterator[int]:
    for part in pool:
        for number in range(part.first, part.last + 1):
            if number not in used:
                yield number


def utilisation(segment: Segment, rows: Mapping[str, str]) -> tuple[int, int]:
    """Return how many addresses of a segment are held, and how many its pool can still give."""
    pool = _pool(segment)
    numbers = [
        int(parse_address(text)) for text in rows if (6 if ":" in text else 4) == segment.version
    ]
    held = sum(1 for number in numbers if number in segment.whole)
    size = sum(part.last - part.first + 1 for part in pool)
    return held, size - sum(1 for number in numbers for part in pool if number in part)
