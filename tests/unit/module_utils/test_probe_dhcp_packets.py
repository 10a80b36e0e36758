# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question for a DHCP server and its answers, byte by byte, as standards have them (S4.1)."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils.probe_dhcp_packets import (
    Offer,
    discover,
    read_offer,
)
from ansible_collections.underlay.cluster.plugins.module_utils.probe_packets import (
    checksum,
    mac_bytes,
)
from tests.unit.module_utils.dhcp_server import answer, options_of

MAC = mac_bytes("02:00:5e:00:53:01")
NUMBER = 0x4711CAFE
SERVER, OFFERED = "10.25.1.2", "10.25.1.77"


def offer(packet: bytes | None = None, **more: str | int | bool) -> bytes:
    """An answer to a question, ours if no other is given."""
    asked = discover(NUMBER, MAC, booting=False) if packet is None else packet
    return answer(asked, **{"server": SERVER, "address": OFFERED, **more})  # type: ignore[arg-type]


def offered(server: str, address: str | None) -> Offer:
    taken = ipaddress.IPv4Address(address) if address else None
    return Offer(ipaddress.IPv4Address(server), taken)


@pytest.mark.parametrize("booting", [False, True])
class TestTheQuestion:
    def test_goes_from_nobody_to_everybody(self, booting: bool) -> None:
        # RFC 2131, 4.1
        packet = discover(NUMBER, MAC, booting)
        assert packet[12:20] == bytes(4) + b"\xff" * 4
        assert struct.unpack_from("!HH", packet, 20) == (68, 67)

    def test_has_valid_checksums_and_sizes(self, booting: bool) -> None:
        packet = discover(NUMBER, MAC, booting)
        assert checksum(packet[:20]) == 0
        size = len(packet) - 20
        pseudo = packet[12:20] + struct.pack("!BBH", 0, 17, size)
        assert checksum(pseudo + packet[20:]) == 0
        assert struct.unpack_from("!H", packet, 2)[0] == len(packet)
        assert struct.unpack_from("!H", packet, 24)[0] == size

    def test_is_no_shorter_than_bootp_allows(self, booting: bool) -> None:
        # RFC 1542, 2.1
        assert len(discover(NUMBER, MAC, booting)) >= 20 + 8 + 300

    def test_is_a_discover_of_an_unknown_machine_that_wants_a_broadcast(
        self, booting: bool
    ) -> None:
        message = discover(NUMBER, MAC, booting)[28:]
        assert message[:4] == bytes((1, 1, 6, 0))
        assert struct.unpack_from("!I", message, 4)[0] == NUMBER
        assert struct.unpack_from("!H", message, 10)[0] == 0x8000
        assert message[28:34] == MAC
        assert options_of(message)[53] == b"\x01"


def test_only_a_machine_that_boots_over_the_network_says_so() -> None:
    # RFC 4578: class identifier, architecture, interface, machine
    plain, booting = (options_of(discover(NUMBER, MAC, flag)[28:]) for flag in (False, True))
    assert not {60, 93, 94, 97} & set(plain)
    assert booting[60].startswith(b"PXEClient:Arch:00007")
    assert [len(booting[number]) for number in (93, 94, 97)] == [2, 3, 17]


class TestTheAnswer:
    def test_names_server_and_address(self) -> None:
        assert read_offer(offer(), NUMBER) == offered(SERVER, OFFERED)

    def test_without_a_server_option_is_of_who_sent_it(self) -> None:
        assert read_offer(offer(told=False), NUMBER) == offered(SERVER, OFFERED)

    def test_of_a_boot_server_offers_no_address(self) -> None:
        # RFC 4578 and the PXE specification: a proxy hands out no addresses
        assert read_offer(offer(address="0.0.0.0"), NUMBER) == offered(SERVER, None)

    def test_of_bootp_counts_as_well(self) -> None:
        # RFC 1534: a BOOTP server answers without a message type
        assert read_offer(offer(kind=0), NUMBER) == offered(SERVER, OFFERED)

    @pytest.mark.parametrize(
        "packet",
        [
            offer(discover(NUMBER + 1, MAC, booting=False)),
            discover(NUMBER, MAC, booting=False),
            offer(kind=6),
            offer(port=546),
            b"",
            offer()[:40],
            offer()[:9] + b"\x06" + offer()[10:],
        ],
        ids=["another's", "a question", "a refusal", "other port", "empty", "cut off", "TCP"],
    )
    def test_is_nothing_else(self, packet: bytes) -> None:
        assert read_offer(packet, NUMBER) is None

    @given(st.integers(0, 400), st.binary(max_size=400))
    def test_in_any_shape_does_no_harm(self, place: int, noise: bytes) -> None:
        packet = offer()
        read_offer(noise, NUMBER)
        read_offer(packet[:place] + noise, NUMBER)
        read_offer(packet[:place] + noise + packet[place + len(noise) :], NUMBER)
