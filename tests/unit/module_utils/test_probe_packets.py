"""The packets of the probes, byte by byte, as the standards have them."""

from __future__ import annotations

import ipaddress
import struct

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.probe_packets import (
    Advertisement,
    Arp,
    Echo,
    arp_probe,
    checksum,
    echo_request,
    mac_bytes,
    mac_text,
    read_advertisement,
    read_arp,
    read_icmp4,
    read_icmp6,
    solicitation,
)

MAC = mac_bytes("52:54:00:00:00:01")
TOKEN = b"underlay"


def v4(text: str) -> bytes:
    return ipaddress.IPv4Address(text).packed


def v6(text: str) -> bytes:
    return ipaddress.IPv6Address(text).packed


def ipv4_packet(payload: bytes, protocol: int = 1, options: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, 0, 0, 0, 64, protocol, 0)
    return head + v4("10.0.0.1") + v4("10.0.0.2") + options + payload


def ipv6_packet(payload: bytes, next_header: int = 58) -> bytes:
    head = struct.pack("!IHBB", 0x60000000, len(payload), next_header, 64)
    return head + v6("fd00::1") + v6("fd00::2") + payload


class TestChecksum:
    def test_the_example_of_rfc_1071(self) -> None:
        # section 3: the words 0001 f203 f4f5 f6f7 add up to ddf2
        assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2

    def test_an_odd_byte_counts_as_the_upper_half_of_a_word(self) -> None:
        assert checksum(b"\x01") == checksum(b"\x01\x00")

    def test_data_with_its_checksum_sums_to_zero(self) -> None:
        data = b"a network under a cluster "
        assert checksum(data + struct.pack("!H", checksum(data))) == 0


class TestEcho:
    @pytest.mark.parametrize(("family", "header"), [(4, 20), (6, 40)])
    @pytest.mark.parametrize("size", [84, 1280, 1500, 9000])
    def test_size_counts_the_ip_header(self, family: int, header: int, size: int) -> None:
        assert len(echo_request(family, 1, 2, TOKEN, size)) + header == size

    def test_a_request_of_ipv4_has_a_valid_checksum(self) -> None:
        packet = echo_request(4, 0x1234, 7, TOKEN, 84)
        assert checksum(packet) == 0
        assert packet[:2] == b"\x08\x00"
        assert struct.unpack_from("!HH", packet, 4) == (0x1234, 7)

    def test_a_reply_of_ipv4_is_read_behind_ip_options(self) -> None:
        reply = b"\x00\x00\x00\x00" + struct.pack("!HH", 0x1234, 7) + TOKEN + b"rest"
        packet = ipv4_packet(reply, options=b"\x01\x01\x01\x00")
        assert read_icmp4(packet, len(TOKEN)) == Echo(0x1234, 7, TOKEN)

    def test_a_reply_of_ipv6_is_read(self) -> None:
        reply = b"\x81\x00\x00\x00" + struct.pack("!HH", 0x1234, 7) + TOKEN
        assert read_icmp6(reply, len(TOKEN)) == Echo(0x1234, 7, TOKEN)

    @pytest.mark.parametrize("kind", [8, 13, 17])
    def test_other_messages_are_ignored(self, kind: int) -> None:
        assert read_icmp4(ipv4_packet(bytes([kind]) + bytes(7)), 8) is None

    def test_cut_off_packets_are_ignored(self) -> None:
        whole4 = ipv4_packet(b"\x03\x04" + bytes(6) + ipv4_packet(echo_request(4, 1, 2, TOKEN, 84)))
        whole6 = b"\x02\x00" + bytes(6) + ipv6_packet(echo_request(6, 1, 2, TOKEN, 84))
        for length in range(50):
            read_icmp4(whole4[:length], 8)
            read_icmp6(whole6[:length], 8)
            assert read_icmp4(whole4[: min(length, 27)], 8) is None
            assert read_icmp6(whole6[:length], 8) is None


class TestErrors:
    def test_fragmentation_needed_tells_the_next_mtu(self) -> None:
        # RFC 1191, section 4
        request = ipv4_packet(echo_request(4, 0x1234, 7, TOKEN, 84))
        error = struct.pack("!BBHHH", 3, 4, 0, 0, 1450) + request[:28]
        assert read_icmp4(ipv4_packet(error), 8) == Echo(0x1234, 7, b"", "too big", 1450)

    def test_packet_too_big_tells_the_mtu(self) -> None:
        # RFC 4443, section 3.2
        request = ipv6_packet(echo_request(6, 0x1234, 7, TOKEN, 84))
        error = struct.pack("!BBHI", 2, 0, 0, 1400) + request
        assert read_icmp6(error, 8) == Echo(0x1234, 7, b"", "too big", 1400)

    @pytest.mark.parametrize(
        ("kind", "code", "reason"),
        [
            (3, 0, "network unreachable"),
            (3, 1, "host unreachable"),
            (3, 13, "prohibited by a router"),
            (3, 5, "unreachable (code 5)"),
            (11, 0, "the packet ran in circles"),
        ],
    )
    def test_a_routers_refusal_is_put_in_words(self, kind: int, code: int, reason: str) -> None:
        request = ipv4_packet(echo_request(4, 9, 7, TOKEN, 84))
        error = struct.pack("!BBHHH", kind, code, 0, 0, 0) + request[:28]
        assert read_icmp4(ipv4_packet(error), 8) == Echo(9, 7, b"", reason, None)

    def test_errors_about_other_traffic_are_ignored(self) -> None:
        udp = ipv4_packet(bytes(8), protocol=17)
        assert read_icmp4(ipv4_packet(struct.pack("!BBHHH", 3, 1, 0, 0, 0) + udp), 8) is None
        tcp = ipv6_packet(bytes(8), next_header=6)
        assert read_icmp6(struct.pack("!BBHI", 1, 0, 0, 0) + tcp, 8) is None


class TestArp:
    def test_a_probe_claims_no_address(self) -> None:
        # RFC 5227, section 2.1.1, on the layout of RFC 826
        frame = arp_probe(MAC, v4("10.21.1.11"))
        assert frame.hex(" ") == (
            "ff ff ff ff ff ff 52 54 00 00 00 01 08 06 "
            "00 01 08 00 06 04 00 01 "
            "52 54 00 00 00 01 00 00 00 00 "
            "00 00 00 00 00 00 0a 15 01 0b"
        )

    def test_a_probe_is_read_back(self) -> None:
        frame = arp_probe(MAC, v4("10.21.1.11"))
        assert read_arp(frame + bytes(18)) == Arp(1, MAC, bytes(4), v4("10.21.1.11"))

    @pytest.mark.parametrize("frame", [b"", bytes(60), bytes(12) + b"\x08\x06" + bytes(28)])
    def test_other_frames_are_ignored(self, frame: bytes) -> None:
        assert read_arp(frame) is None


class TestNeighbourDiscovery:
    def test_a_solicitation_comes_from_nowhere_and_goes_to_the_addresss_group(self) -> None:
        # RFC 4862, section 5.4.2; RFC 4861, section 4.3
        frame = solicitation(MAC, v6("fd21:1::12:3456"))
        assert frame[:14].hex(":") == "33:33:ff:12:34:56:52:54:00:00:00:01:86:dd"
        ip, icmp = frame[14:54], frame[54:]
        assert (ip[6], ip[7]) == (58, 255)
        assert ip[8:24] == v6("::")
        assert ip[24:40] == v6("ff02::1:ff12:3456")
        assert struct.unpack("!H", ip[4:6])[0] == len(icmp) == 24
        assert icmp[0] == 135
        assert icmp[8:] == v6("fd21:1::12:3456")

    def test_its_checksum_covers_the_pseudo_header(self) -> None:
        # RFC 8200, section 8.1
        frame = solicitation(MAC, v6("fd21:1::11"))
        icmp = frame[54:]
        pseudo = frame[22:54] + struct.pack("!II", len(icmp), 58)
        assert checksum(pseudo + icmp) == 0

    def test_an_advertisement_tells_who_holds_the_address(self) -> None:
        head = b"\x88\x00\x00\x00" + bytes(4) + v6("fd21:1::11")
        nonce = b"\x0e\x01" + bytes(6)
        packet = head + nonce + b"\x02\x01" + MAC
        assert read_advertisement(packet) == Advertisement(v6("fd21:1::11"), MAC)

    def test_an_advertisement_without_an_option_tells_no_mac_address(self) -> None:
        head = b"\x88\x00\x00\x00" + bytes(4) + v6("fd21:1::11")
        assert read_advertisement(head) == Advertisement(v6("fd21:1::11"), None)

    def test_a_broken_option_ends_the_reading(self) -> None:
        head = b"\x88\x00\x00\x00" + bytes(4) + v6("fd21:1::11")
        assert read_advertisement(head + b"\x02\x00" + MAC) == Advertisement(v6("fd21:1::11"), None)

    def test_a_solicitation_is_no_advertisement(self) -> None:
        assert read_advertisement(b"\x87" + bytes(40)) is None


def test_mac_addresses_are_written_as_people_do() -> None:
    assert mac_text(MAC) == "52:54:00:00:00:01"
