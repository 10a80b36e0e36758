# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build and read the packets of the probes: pure functions over bytes.

Addresses are packed (4 or 16 bytes), MAC addresses are 6 bytes; sizes count the IP header in.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

ETH_P_ARP = 0x0806
ETH_P_IPV6 = 0x86DD
ICMP_HEADER = 8
IPV4_HEADER = 20
IPV6_HEADER = 40

# RFC 792 and RFC 4443
ECHO_REQUEST = {4: 8, 6: 128}
ECHO_REPLY = {4: 0, 6: 129}
UNREACHABLE = {4: 3, 6: 1}
TIME_EXCEEDED = {4: 11, 6: 3}
V4_FRAGMENTATION_NEEDED = 4
V6_PACKET_TOO_BIG = 2
# RFC 4861
NEIGHBOUR_SOLICITATION = 135
NEIGHBOUR_ADVERTISEMENT = 136
_TARGET_LINK_LAYER_ADDRESS = 2

_BROADCAST = b"\xff" * 6
_NOWHERE = bytes(6)
_PROTO_ICMP = 1
_PROTO_ICMP6 = 58
_ARP_REQUEST = 1
_V4_REASONS = {
    0: "network unreachable",
    1: "host unreachable",
    9: "prohibited by a router",
    10: "prohibited by a router",
    13: "prohibited by a router",
}
_V6_REASONS = {
    0: "no route to it",
    1: "prohibited by a router",
    3: "host unreachable",
    5: "prohibited by a router",
    6: "rejected by a router",
}


@dataclass(frozen=True)
class Echo:
    """What came back for an echo request, told by its identifier and sequence number.

    ``token`` is the payload's beginning of a reply and empty for an error. An error has a
    ``reason`` in words; ``mtu`` is set when a router says that the packet was too big for it.
    """

    identifier: int
    sequence: int
    token: bytes = b""
    reason: str = ""
    mtu: int | None = None


@dataclass(frozen=True)
class Arp:
    """An ARP packet for IPv4 over Ethernet (RFC 826)."""

    operation: int
    sender_mac: bytes
    sender: bytes
    target: bytes


@dataclass(frozen=True)
class Advertisement:
    """A neighbour advertisement: who (``mac`` if told) holds ``target``."""

    target: bytes
    mac: bytes | None


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071): complement of the one's complement sum of 16-bit words."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - int(total)


def headers_size(family: int) -> int:
    """Bytes of an echo packet that are not payload."""
    return ICMP_HEADER + (IPV4_HEADER if family == 4 else IPV6_HEADER)


def echo_request(family: int, identifier: int, sequence: int, token: bytes, size: int) -> bytes:
    """An ICMP echo request that makes an IP packet of ``size`` bytes; the token leads the payload.

    The kernel fills in the checksum of ICMPv6 (RFC 3542, section 3.1).
    """
    payload = token.ljust(size - headers_size(family), b"\0")
    header = struct.pack("!BBHHH", ECHO_REQUEST[family], 0, 0, identifier, sequence)
    if family == 6:
        return header + payload
    total = checksum(header + payload)
    return struct.pack("!BBHHH", ECHO_REQUEST[4], 0, total, identifier, sequence) + payload


def read_icmp4(packet: bytes, token_size: int) -> Echo | None:
    """What an IPv4 packet from a raw ICMP socket says about an echo request of somebody."""
    icmp = _ipv4_payload(packet)
    if icmp is None or len(icmp) < ICMP_HEADER:
        return None
    kind, code, _sum, identifier, sequence = struct.unpack_from("!BBHHH", icmp)
    if kind == ECHO_REPLY[4]:
        return Echo(identifier, sequence, icmp[ICMP_HEADER : ICMP_HEADER + token_size])
    if kind not in {UNREACHABLE[4], TIME_EXCEEDED[4]}:
        return None
    inner = _ipv4_payload(icmp[ICMP_HEADER:])
    too_big = kind == UNREACHABLE[4] and code == V4_FRAGMENTATION_NEEDED
    # RFC 1191, section 4: the next hop's MTU is in what RFC 792 left unused
    mtu = struct.unpack_from("!H", icmp, 6)[0] if too_big else None
    reason = _reason(kind == TIME_EXCEEDED[4], too_big, _V4_REASONS, code)
    return _about(inner, 4, reason, mtu)


def read_icmp6(packet: bytes, token_size: int) -> Echo | None:
    """The same for a packet from a raw ICMPv6 socket, which leaves the IPv6 header out."""
    if len(packet) < ICMP_HEADER:
        return None
    kind, code, _sum, identifier, sequence = struct.unpack_from("!BBHHH", packet)
    if kind == ECHO_REPLY[6]:
        return Echo(identifier, sequence, packet[ICMP_HEADER : ICMP_HEADER + token_size])
    if kind not in {UNREACHABLE[6], V6_PACKET_TOO_BIG, TIME_EXCEEDED[6]}:
        return None
    inner = packet[ICMP_HEADER:]
    if len(inner) < IPV6_HEADER or inner[6] != _PROTO_ICMP6:
        return None
    too_big = kind == V6_PACKET_TOO_BIG
    mtu = struct.unpack_from("!I", packet, 4)[0] if too_big else None
    reason = _reason(kind == TIME_EXCEEDED[6], too_big, _V6_REASONS, code)
    return _about(inner[IPV6_HEADER:], 6, reason, mtu)


def arp_probe(mac: bytes, address: bytes) -> bytes:
    """The Ethernet frame that asks who holds ``address`` and claims nothing (RFC 5227, 2.1.1)."""
    ethernet = _BROADCAST + mac + struct.pack("!H", ETH_P_ARP)
    fixed = struct.pack("!HHBBH", 1, 0x0800, 6, 4, _ARP_REQUEST)
    return ethernet + fixed + mac + bytes(4) + _NOWHERE + address


def read_arp(frame: bytes) -> Arp | None:
    """The ARP packet in an Ethernet frame, or None for anything else."""
    if len(frame) < 42 or struct.unpack_from("!H", frame, 12)[0] != ETH_P_ARP:
        return None
    hardware, protocol, mac_size, size, operation = struct.unpack_from("!HHBBH", frame, 14)
    if (hardware, protocol, mac_size, size) != (1, 0x0800, 6, 4):
        return None
    return Arp(operation, frame[22:28], frame[28:32], frame[38:42])


def solicitation(mac: bytes, address: bytes) -> bytes:
    """The Ethernet frame that asks who holds an IPv6 address, from "::" (RFC 4862, 5.4.2)."""
    group = bytes.fromhex("ff0200000000000000000001ff") + address[13:]
    # RFC 2464, section 7: a multicast address' last four bytes make the Ethernet address
    ethernet = b"\x33\x33" + group[12:] + mac + struct.pack("!H", ETH_P_IPV6)
    body = struct.pack("!BBHI", NEIGHBOUR_SOLICITATION, 0, 0, 0) + address
    pseudo = bytes(16) + group + struct.pack("!II", len(body), _PROTO_ICMP6)
    total = checksum(pseudo + body)
    body = struct.pack("!BBHI", NEIGHBOUR_SOLICITATION, 0, total, 0) + address
    # hop limit 255: RFC 4861, 7.1.1 drops others
    ip = struct.pack("!IHBB", 0x60000000, len(body), _PROTO_ICMP6, 255) + bytes(16) + group
    return ethernet + ip + body


def read_advertisement(packet: bytes) -> Advertisement | None:
    """The neighbour advertisement in a packet of a raw ICMPv6 socket, or None."""
    if len(packet) < 24 or packet[0] != NEIGHBOUR_ADVERTISEMENT:
        return None
    mac = None
    offset = 24
    while offset + 8 <= len(packet):
        kind, eights = packet[offset], packet[offset + 1]
        if eights == 0:
            break
        if kind == _TARGET_LINK_LAYER_ADDRESS:
            mac = packet[offset + 2 : offset + 8]
        offset += 8 * eights
    return Advertisement(packet[8:24], mac)


def mac_bytes(text: str) -> bytes:
    """A MAC address as it travels."""
    return bytes.fromhex(text.replace(":", ""))


def mac_text(mac: bytes) -> str:
    """A MAC address as people write it."""
    return ":".join(f"{byte:02x}" for byte in mac)


def _ipv4_payload(packet: bytes) -> bytes | None:
    """What an IPv4 packet carries when that is ICMP."""
    if len(packet) < IPV4_HEADER or packet[0] >> 4 != 4 or packet[9] != _PROTO_ICMP:
        return None
    return packet[4 * (packet[0] & 0x0F) :]


def _reason(expired: bool, too_big: bool, reasons: dict[int, str], code: int) -> str:
    if expired:
        return "the packet ran in circles"
    return "too big" if too_big else reasons.get(code, f"unreachable (code {code})")


def _about(inner: bytes | None, family: int, reason: str, mtu: int | None) -> Echo | None:
    """An error about one of our requests; the request's first eight bytes come along."""
    if inner is None or len(inner) < ICMP_HEADER or inner[0] != ECHO_REQUEST[family]:
        return None
    identifier, sequence = struct.unpack_from("!HH", inner, 4)
    return Echo(identifier, sequence, b"", reason, mtu)
