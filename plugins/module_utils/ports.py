# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports and ranges of ports as users write them: "80", "30000-32767", "80/tcp".

Pure. Ranges are compared as the set of ports that they cover, never as strings: firewalld's
runtime joins neighbours ("80", "81" becomes "80-81"), its permanent lists stay as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# firewalld's own list (firewall.functions.check_port users, io_object.common_check_config)
PROTOCOLS = ("tcp", "udp", "sctp", "dccp")

LOWEST = 1
HIGHEST = 65535

# [0-9], not \d: other scripts' digits are no port
_NUMBERS = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


@dataclass(frozen=True, order=True)
class PortRange:
    """The ports from ``first`` to ``last``, both included; one port has both equal."""

    first: int
    last: int

    def covers(self, other: PortRange) -> bool:
        """Whether every port of ``other`` is in this range."""
        return self.first <= other.first and other.last <= self.last


def parse_port(value: str | int) -> PortRange:
    """Read "80" or "30000-32767".

    :raises ValueError: the text says what would be right.
    """
    match = _NUMBERS.fullmatch(str(value)) if not isinstance(value, bool) else None
    if match is None:
        raise ValueError("must be a port like 80 or a range like 30000-32767, digits only")
    first = int(match.group(1))
    last = int(match.group(2)) if match.group(2) else first
    for number in (first, last):
        if not LOWEST <= number <= HIGHEST:
            raise ValueError(f"{number} is no port: ports go from {LOWEST} to {HIGHEST}")
    if first > last:
        raise ValueError(f"the range runs backwards: write {last}-{first}")
    return PortRange(first, last)


def parse_port_protocol(value: str) -> tuple[PortRange, str]:
    """Read "80/tcp" or "30000-32767/udp".

    :return: the range and the protocol, in small letters.
    :raises ValueError: the text says what would be right.
    """
    port, slash, protocol = str(value).partition("/")
    if not slash:
        raise ValueError("must name port and protocol, like 80/tcp or 30000-32767/udp")
    return parse_port(port), parse_protocol(protocol)


def parse_protocol(value: str) -> str:
    """A protocol that has ports.

    :raises ValueError: the text says what would be right.
    """
    if value not in PROTOCOLS:
        raise ValueError(f"'{value}' has no ports: the protocol is one of {', '.join(PROTOCOLS)}")
    return value


def merged(ranges: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """The same ports in the fewest ranges, in order; neighbours and overlaps are joined."""
    result: list[PortRange] = []
    for item in sorted(ranges):
        if result and item.first <= result[-1].last + 1:
            result[-1] = PortRange(result[-1].first, max(result[-1].last, item.last))
        else:
            result.append(item)
    return tuple(result)


def without(ranges: Iterable[PortRange], taken: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """The ports of ``ranges`` that are not in ``taken``, in the fewest ranges."""
    holes = merged(taken)
    result: list[PortRange] = []
    at = 0
    for item in merged(ranges):
        first = item.first
        while at < len(holes) and holes[at].last < first:
            at += 1
        here = at
        while here < len(holes) and holes[here].first <= item.last:
            if first < holes[here].first:
                result.append(PortRange(first, holes[here].first - 1))
            first = holes[here].last + 1
            here += 1
        if first <= item.last:
            result.append(PortRange(first, item.last))
    return tuple(result)


def text(item: PortRange) -> str:
    """The range as firewalld writes it."""
    return str(item.first) if item.first == item.last else f"{item.first}-{item.last}"
