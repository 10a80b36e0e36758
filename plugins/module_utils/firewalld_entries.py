# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of an ipset as a set of addresses: no two overlap, as firewalld takes them.

Pure. firewalld refuses a whole list of which two entries overlap. Ranges ("10.0.0.1-10.0.0.9") and
entries of several parts ("10.0.0.1,tcp:80") stay as they are; only exact repetitions go.
"""

from __future__ import annotations

import functools
import ipaddress
import itertools
from collections.abc import Iterable, Sequence
from typing import Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@functools.lru_cache(maxsize=1 << 17)
def network_of(entry: str) -> Network | None:
    """The network or address that an entry is; None for any other entry."""
    # Asked first, since an exception for each of thousands of entries would take its time
    if "," in entry or "-" in entry:
        return None
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def collapsed(entries: Iterable[str]) -> list[str]:
    """Without repetitions and without what lies in another entry, in order.

    Neighbours are not joined into a larger network: a set that gets one more address then gains one
    entry and loses none, which firewalld can do without emptying the set. Sets of single addresses
    (hash:ip) take no IPv6 network anyway.
    """
    found = {entry: network_of(entry) for entry in entries}
    others = sorted(entry for entry, network in found.items() if network is None)
    kept: list[Network] = []
    for network in sorted((item for item in found.values() if item is not None), key=_order):
        if not (kept and overlapping(network, kept[-1])):
            kept.append(network)
    return [text for network in kept for text in _texts(network)] + others


def overlap(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether an entry of the ones has an address in common with one of the others."""
    pairs = itertools.product(map(network_of, some), map(network_of, others))
    return any(one and other and overlapping(one, other) for one, other in pairs)


def overlapping(one: Network, other: Network) -> bool:
    """Whether two networks have an address in common; one then lies in the other."""
    return one.version == other.version and one.overlaps(other)


def same_entries(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether two lists are the same set of addresses and other entries."""
    return set(left) == set(right) or _parted(left) == _parted(right)


def _parted(entries: Iterable[str]) -> tuple[list[Network], list[str]]:
    four: list[ipaddress.IPv4Network] = []
    six: list[ipaddress.IPv6Network] = []
    others: set[str] = set()
    for entry in entries:
        network = network_of(entry)
        if isinstance(network, ipaddress.IPv4Network):
            four.append(network)
        elif isinstance(network, ipaddress.IPv6Network):
            six.append(network)
        else:
            others.add(entry)
    joined: list[Network] = []
    joined += ipaddress.collapse_addresses(four)
    joined += ipaddress.collapse_addresses(six)
    return joined, sorted(others)


def _texts(network: Network) -> list[str]:
    if network.prefixlen == network.max_prefixlen:
        return [str(network.network_address)]
    # firewalld and ipset take no /0; its halves are the same addresses
    parts = [network] if network.prefixlen else list(network.subnets())
    return [str(part) for part in parts]


def _order(network: Network) -> tuple[int, int, int]:
    return network.version, int(network.network_address), network.prefixlen
