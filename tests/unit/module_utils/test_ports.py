# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports: what is one, what is none, and ranges as sets of ports."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils.ports import (
    PortRange,
    merged,
    parse_port,
    parse_port_protocol,
    text,
    without,
)

NUMBERS = st.integers(1, 60)
RANGES = st.lists(st.tuples(NUMBERS, NUMBERS).map(lambda p: PortRange(min(p), max(p))), max_size=8)


def covered(ranges: list[PortRange] | tuple[PortRange, ...]) -> set[int]:
    return {port for item in ranges for port in range(item.first, item.last + 1)}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("80", (80, 80)), (80, (80, 80)), ("1-65535", (1, 65535)), ("80-80", (80, 80))],
)
def test_a_port_or_a_range_is_read(written: str | int, meant: tuple[int, int]) -> None:
    assert parse_port(written) == PortRange(*meant)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("0", "from 1 to 65535"),
        (65536, "from 1 to 65535"),
        ("80-65536", "from 1 to 65535"),
        ("80-79", "write 79-80"),
        ("ssh ", "digits only"),
        ("ssh", "digits only"),
        ("", "digits only"),
        (" 80", "digits only"),
        ("80-", "digits only"),
        ("-1", "digits only"),
        ("1-2-3", "digits only"),
        ("٨٠", "digits only"),
        ("8" * 5000, "digits only"),
        (True, "digits only"),
        ("80\n", "digits only"),
    ],
)
def test_what_is_no_port_is_told_with_what_would_be_right(written: str | int, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_port(written)


def test_a_port_with_its_protocol_is_read() -> None:
    assert parse_port_protocol("30000-32767/udp") == (PortRange(30000, 32767), "udp")


@pytest.mark.parametrize("written", ["80", "80/", "80/icmp", "80/tcp/udp", "80/TCP", ""])
def test_a_port_needs_a_protocol_that_has_ports(written: str) -> None:
    with pytest.raises(ValueError, match="tcp"):
        parse_port_protocol(written)


@given(RANGES)
def test_merging_keeps_the_ports_and_leaves_no_neighbours(ranges: list[PortRange]) -> None:
    result = merged(ranges)
    assert covered(result) == covered(ranges)
    assert all(a.last + 1 < b.first for a, b in itertools.pairwise(result))


@given(RANGES, RANGES)
def test_taking_away_is_the_difference_of_the_sets(
    ranges: list[PortRange], taken: list[PortRange]
) -> None:
    result = without(ranges, taken)
    assert covered(result) == covered(ranges) - covered(taken)
    assert merged(result) == result


@given(RANGES)
def test_a_ranges_text_reads_as_the_range(ranges: list[PortRange]) -> None:
    assert [parse_port(text(item)) for item in ranges] == ranges
