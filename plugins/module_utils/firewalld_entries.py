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
Span = tuple[int, int, int]
"""IP version, first and last address."""


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


@functools.lru_cache(maxsize=1 << 17)
def _span(entry: str) -> Span | None:
    network = network_of(entry)
    if network is None:
        return None
    return network.version, int(network.network_address), int(network.broadcast_address)


def collapsed(entries: Iterable[str]) -> list[str]:
    """Without repetitions and without what lies in another entry, in order.

    Neighbours are not joined into a larger network: a set that gets one more address then gains one
    entry and loses none, which firewalld can do without emptying the set. Sets of single addresses
    (hash:ip) take no IPv6 network anyway.
    """
    return list(_collapsed(tuple(entries)))


# Goal, steps and diff ask for the same few lists, each of which may have thousands of entries
@functools.lru_cache(maxsize=64)
def _collapsed(entries: tuple[str, ...]) -> tuple[str, ...]:
    spans = {entry: _span(entry) for entry in entries}
    others = sorted(entry for entry, span in spans.items() if span is None)
    known = [(span, entry) for entry, span in spans.items() if span]
    kept: list[str] = []
    version, end = 0, -1
    for span, entry in sorted(known, key=lambda item: (item[0][0], item[0][1], -item[0][2])):
        # Of two networks with an address in common one lies in the other
        if span[0] != version or span[1] > end:
            version, end = span[0], span[2]
            kept.append(entry)
    return tuple(text for entry in kept for text in _texts(entry)) + tuple(others)


def overlap(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether an entry of the ones has an address in common with one of the others."""
    pairs = itertools.product(map(_span, some), map(_span, others))
    return any(
        one and other and one[0] == other[0] and one[1] <= other[2] and other[1] <= one[2]
        for one, other in pairs
    )


def same_entries(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether two lists are the same set of addresses and other entries."""
    return set(left) == set(right) or _covered(tuple(left)) == _covered(tuple(right))


@functools.lru_cache(maxsize=64)
def _covered(entries: tuple[str, ...]) -> tuple[tuple[Span, ...], frozenset[str]]:
    """The addresses in the fewest spans, and the entries that are none."""
    spans = {entry: _span(entry) for entry in entries}
    joined: list[Span] = []
    for version, first, last in sorted(span for span in spans.values() if span):
        if joined and joined[-1][0] == version and first <= joined[-1][2] + 1:
            joined[-1] = (version, joined[-1][1], max(last, joined[-1][2]))
        else:
            joined.append((version, first, last))
    return tuple(joined), frozenset(entry for entry, span in spans.items() if span is None)


def _texts(entry: str) -> list[str]:
    network = network_of(entry)
    if network is None:
        return [entry]
    if network.prefixlen == network.max_prefixlen:
        return [str(network.network_address)]
    # firewalld and ipset take no /0; its halves are the same addresses
    parts = [network] if network.prefixlen else list(network.subnets())
    return [str(part) for part in parts]
