# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, subnets and ranges as people write them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import (
    Range,
    address_text,
    parse_address,
    parse_network,
    parse_range,
)


@given(st.integers(0, 2**32 - 1))
def test_a_number_is_written_as_an_ipv4_address(number: int) -> None:
    assert address_text(number, 4) == str(IPv4Address(number))


@given(st.integers(0, 2**128 - 1))
def test_a_number_is_written_as_an_ipv6_address_rfc_5952(number: int) -> None:
    assert address_text(number, 6) == str(IPv6Address(number))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_range_is_read_as_it_is_written(one: int, other: int) -> None:
    part = Range(min(one, other), max(one, other), 4)
    assert parse_range(str(part)) == part
    assert one in part
    assert other in part


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("192.0.2.10-192.0.2.20", "192.0.2.10", "192.0.2.20"),
        ("192.0.2.10 - 192.0.2.20", "192.0.2.10", "192.0.2.20"),
        ("192.0.2.8/29", "192.0.2.8", "192.0.2.15"),
        ("192.0.2.8", "192.0.2.8", "192.0.2.8"),
        ("2001:db8::1-2001:db8::ff", "2001:db8::1", "2001:db8::ff"),
    ],
)
def test_a_range_may_be_two_ends_a_subnet_or_one_address(text: str, first: str, last: str) -> None:
    part = parse_range(text)
    assert (address_text(part.first, part.version), address_text(part.last, part.version)) == (
        first,
        last,
    )


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("192.0.2.20-192.0.2.10", "The first address comes first: 192.0.2.10-192.0.2.20"),
        ("192.0.2.1-2001:db8::1", "Both ends belong to one address family"),
        ("192.0.2.1-20", "Give an address such as 192.0.2.10 or 2001:db8::10"),
        ("192.0.2.9/29", "It has host bits set; the subnet is 192.0.2.8/29"),
        ("", "Give an address such as"),
    ],
)
def test_what_is_no_range_is_refused_with_what_would_be_right(text: str, right: str) -> None:
    with pytest.raises(ValueError, match=right):
        parse_range(text)


@pytest.mark.parametrize("text", ["192.0.2", "192.0.2.256", "192.0.2.01", "host", "192.0.2.1/24"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Give an address such as"):
        parse_address(text)


def test_an_address_has_no_zone_as_it_would_have_two_spellings() -> None:
    with pytest.raises(ValueError, match="Give it without a zone, as fe80::1"):
        parse_address("fe80::1%eth0")


@pytest.mark.parametrize(
    "text", ["192.0.2.0", "192.0.2.0/33", "2001:db8::/129", "net/24", "/", "fd00::%a/64"]
)
def test_what_is_no_subnet_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Give a CIDR such as"):
        parse_network(text)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ((1, 5, 4), (5, 9, 4), True),
        ((1, 5, 4), (6, 9, 4), False),
        ((1, 9, 4), (3, 4, 4), True),
        ((1, 5, 4), (1, 5, 6), False),
    ],
)
def test_ranges_overlap_if_they_share_an_address_of_one_family(
    one: tuple[int, int, int], other: tuple[int, int, int], overlap: bool
) -> None:
    assert Range(*one).overlaps(Range(*other)) is overlap
    assert Range(*other).overlaps(Range(*one)) is overlap
