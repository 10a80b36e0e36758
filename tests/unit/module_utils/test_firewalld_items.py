# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of the firewall: equal when they mean the same, and kept as they are spelled."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_entries import (
    collapsed,
    overlap,
    same_entries,
)
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_items import (
    delta,
    goal,
    port_steps,
    same,
    words,
)
from tests.unit.module_utils.firewalld_fake import FakeDoor, Machine, zone

Ports = list[tuple[str, str]]
SPANS = st.tuples(st.integers(1, 40), st.integers(0, 8)).map(
    lambda p: str(p[0]) if not p[1] else f"{p[0]}-{p[0] + p[1]}"
)
PORTS = st.lists(st.tuples(SPANS, st.sampled_from(["tcp", "udp"])), max_size=7, unique=True)
NETWORKS = st.tuples(st.integers(0, 255), st.integers(24, 32)).map(
    lambda p: str(ipaddress.ip_network((int(ipaddress.ip_address("10.0.0.0")) + p[0], p[1]), False))
)


def tcp(*ports: str) -> Ports:
    return [(port, "tcp") for port in ports]


class TestPorts:
    def test_neighbours_are_the_same_as_their_range(self) -> None:
        assert same("ports", tcp("80", "81"), tcp("80-81"))
        assert not same("ports", tcp("80"), [("80", "udp")])

    def test_what_stays_keeps_its_spelling(self) -> None:
        assert goal("ports", tcp("80", "81", "90"), tcp("80-82"), True) == tcp("80", "81", "82")

    def test_what_is_covered_is_not_added(self) -> None:
        assert goal("ports", tcp("80-90"), tcp("85"), False) == tcp("80-90")

    def test_a_port_that_is_shown_by_name_is_that_port(self) -> None:
        assert goal("ports", tcp("ssh"), tcp("22"), True) == tcp("ssh")

    def test_what_nobody_can_read_stays_unless_the_list_is_exclusive(self) -> None:
        assert goal("ports", tcp("nonsense"), tcp("22"), False) == tcp("nonsense", "22")
        assert goal("ports", tcp("nonsense"), tcp("22"), True) == tcp("22")

    def test_a_thousand_ports_are_told_as_ranges(self) -> None:
        assert words("ports", tcp(*map(str, range(1, 1001)))) == ["1-1000/tcp"]

    def test_a_change_is_told_by_port(self) -> None:
        assert delta("ports", tcp("80-90"), tcp("85-95")) == {
            "added": ["91-95/tcp"],
            "removed": ["80-84/tcp"],
        }

    @given(PORTS, PORTS, st.booleans())
    def test_the_goal_is_what_was_asked(self, shown: Ports, wanted: Ports, exclusive: bool) -> None:
        result = goal("ports", shown, wanted, exclusive)
        assert same("ports", result, wanted if exclusive else [*shown, *wanted])
        assert same("ports", goal("ports", result, wanted, exclusive), result)

    @given(PORTS, PORTS, st.booleans())
    def test_firewalld_comes_to_the_goal_however_its_ranges_overlap(
        self, shown: Ports, wanted: Ports, exclusive: bool
    ) -> None:
        machine = Machine()
        machine.memory["zone"]["public"] = zone(ports=shown)
        target = goal("ports", shown, wanted, exclusive)
        lists = port_steps(shown, target)
        assert len(lists) <= 2
        for ports in lists:
            FakeDoor(machine).set_runtime("zone", "public", {"ports": ports})
        assert same("ports", machine.memory["zone"]["public"]["ports"], target)


class TestSpelling:
    @pytest.mark.parametrize(
        ("key", "left", "right"),
        [
            ("sources", "10.0.0.5/32", "10.0.0.5"),
            ("sources", "52:54:00:AB:00:01", "52:54:00:ab:00:01"),
            ("sources", "FD00:0::/8", "fd00::/8"),
            ("sources", "10.0.0.0/255.0.0.0", "10.0.0.0/8"),
            ("forward_ports", ("80", "tcp", "", "fd00::0"), ("80", "tcp", "", "fd00::")),
            ("forward_ports", ("http", "tcp", "8080", ""), ("80", "tcp", "8080", "")),
        ],
    )
    def test_two_spellings_are_one_item(self, key: str, left: Any, right: Any) -> None:
        assert same(key, [left], [right])
        assert goal(key, [left], [right], True) == [left]
        assert goal(key, [left], [right], False) == [left]

    def test_the_order_does_not_matter(self) -> None:
        assert goal("services", ["a"], ["c", "b"], True) == goal(
            "services", ["a"], ["b", "c"], True
        )


class TestEntries:
    def test_what_lies_in_another_goes_and_neighbours_stay_apart(self) -> None:
        """One more address then changes no other entry of a set that is in use."""
        entries = ["10.0.0.0/25", "10.0.0.128/25", "10.0.0.7", "10.0.0.0/26"]
        assert collapsed(entries) == ["10.0.0.0/25", "10.0.0.128/25"]

    def test_everything_is_given_in_halves_as_firewalld_takes_no_zero_prefix(self) -> None:
        assert collapsed(["0.0.0.0/0"]) == ["0.0.0.0/1", "128.0.0.0/1"]

    def test_ranges_and_parts_pass_once(self) -> None:
        assert collapsed(["10.0.0.1-10.0.0.9"] * 2) == ["10.0.0.1-10.0.0.9"]
        assert collapsed(["10.0.0.1,tcp:80", "10.0.0.1"]) == ["10.0.0.1", "10.0.0.1,tcp:80"]

    def test_both_families_are_one_order(self) -> None:
        assert collapsed(["fd00::1", "10.0.0.1", "fd00::"]) == ["10.0.0.1", "fd00::", "fd00::1"]

    def test_entries_overlap_by_their_addresses(self) -> None:
        assert overlap(["10.0.0.0/24", "10.9.0.1"], ["10.0.0.7"])
        assert not overlap(["10.0.0.0/24", "10.0.1.1-10.0.1.9"], ["10.0.1.1", "fd00::1"])

    def test_entries_that_mean_the_same_stay_as_they_are(self) -> None:
        shown = ["10.0.0.128/25", "10.0.0.0/25"]
        assert goal("entries", shown, ["10.0.0.0/24"], True) == shown

    @given(st.lists(NETWORKS, max_size=12))
    def test_every_address_is_kept_and_no_overlap_is_left(self, entries: list[str]) -> None:
        result = collapsed(entries)
        assert _addresses(result) == _addresses(entries)
        counted = sum(ipaddress.ip_network(one).num_addresses for one in result)
        assert counted == len(_addresses(entries))
        assert same_entries(result, entries)


def _addresses(entries: list[str]) -> set[int]:
    networks = [ipaddress.ip_network(entry) for entry in entries]
    return {int(address) for network in networks for address in network}
