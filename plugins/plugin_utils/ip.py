# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and ranges as people write them, turned into integers for the planner's hot path."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses from first to last, both included, as integers of one family."""

    first: int
    last: int
    version: int

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last

    def overlaps(self, other: Range) -> bool:
        """Say whether the two share an address."""
        same_family = self.version == other.version
        return same_family and self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        first = address_text(self.first, self.version)
        return (
            first if self.first == self.last else f"{first}-{address_text(self.last, self.version)}"
        )


def address_text(number: int, version: int) -> str:
    """Write an integer as an address. IPv6 as RFC 5952 has it."""
    if version == 4:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return str(IPv6Address(number))


def parse_address(text: str) -> Address:
    """Read one address without a prefix length. Raises ValueError with what would be right."""
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError("Give an address such as 192.0.2.10 or 2001:db8::10") from None
    # With a zone, one address would have two spellings, and so two owners.
    if "%" in text:
        raise ValueError(f"Give it without a zone, as {text.partition('%')[0]}")
    return address


def parse_network(text: str) -> Network:
    """Read a CIDR. Raises ValueError with what would be right; host bits are named."""
    if "/" not in text or "%" in text:
        raise ValueError("Give a CIDR such as 192.0.2.0/24 or 2001:db8::/64")
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        masked = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("Give a CIDR such as 192.0.2.0/24 or 2001:db8::/64") from None
    raise ValueError(f"It has host bits set; the subnet is {masked}")


def parse_range(text: str) -> Range:
    """Read FIRST-LAST, a CIDR or one address. Raises ValueError with what would be right."""
    if "/" in text:
        network = parse_network(text)
        return Range(int(network.network_address), int(network.broadcast_address), network.version)
    first_text, dash, last_text = text.partition("-")
    first = parse_address(first_text.strip())
    last = parse_address(last_text.strip()) if dash else first
    if first.version != last.version:
        raise ValueError("Both ends belong to one address family")
    if int(first) > int(last):
        raise ValueError(f"The first address comes first: {last}-{first}")
    return Range(int(first), int(last), first.version)
