# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build a DHCPDISCOVER and read what servers answer: pure functions over bytes.

The packets begin with their IP header; what carries them is the sockets' business.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from .probe_packets import IPV4_HEADER, checksum
from .probe_plan import IPAddress

_SERVER_PORT, _CLIENT_PORT = 67, 68
_PROTO_UDP = 17
_UDP_HEADER = 8
# RFC 2131, figure 1: what comes before the options, and their magic cookie (section 3)
_FIXED = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_COOKIE = bytes((99, 130, 83, 99))
_REQUEST, _REPLY = 1, 2
_ETHERNET, _MAC_BYTES = 1, 6
# RFC 2131, section 2: servers answer to everybody on the link, since nobody has an address yet
_BROADCAST_FLAG = 0x8000
# RFC 1542, 2.1: a message of fewer bytes may be dropped
_SHORTEST = 300

# RFC 2132
_PAD, _END = 0, 255
_MESSAGE_TYPE, _SERVER, _WANTED, _VENDOR_CLASS = 53, 54, 55, 60
_DISCOVER, _OFFER = 1, 2
# subnet mask, router, name servers, lease time, server
_WANTED_OPTIONS = bytes((1, 3, 6, 51, _SERVER))
# RFC 4578, section 2: a 64-bit UEFI machine with the network interface of UEFI, version 3.16
_ARCHITECTURE, _INTERFACE, _MACHINE = 93, 94, 97
_PXE_CLASS = b"PXEClient:Arch:00007:UNDI:003016"


@dataclass(frozen=True)
class Offer:
    """What a server offers; ``address`` is None where it offers a way to boot alone."""

    server: IPAddress
    address: IPAddress | None


def discover(transaction: int, mac: bytes, booting: bool) -> bytes:
    """A DHCPDISCOVER of a client with this MAC address (RFC 2131, 4.4.1).

    :param booting: asks as a machine does that boots over the network: some servers answer to
        those alone.
    """
    options = [(_MESSAGE_TYPE, bytes((_DISCOVER,))), (_WANTED, _WANTED_OPTIONS)]
    if booting:
        options += [
            (_VENDOR_CLASS, _PXE_CLASS),
            (_ARCHITECTURE, struct.pack("!H", 7)),
            (_INTERFACE, bytes((1, 3, 16))),
            (_MACHINE, bytes(11) + mac),
        ]
    told = b"".join(bytes((kind, len(value))) + value for kind, value in options)
    nothing = bytes(4)
    fixed = _FIXED.pack(
        _REQUEST, _ETHERNET, _MAC_BYTES, 0, transaction, 0, _BROADCAST_FLAG,
        nothing, nothing, nothing, nothing, mac, b"", b"",
    )  # fmt: skip
    return _packet((fixed + _COOKIE + told + bytes((_END,))).ljust(_SHORTEST, bytes((_PAD,))))


def read_offer(packet: bytes, transaction: int) -> Offer | None:
    """The offer in an IPv4 packet if it answers this transaction, or None for anything else.

    Checksums are not looked at: a server on the same machine leaves them to a network card that is
    not there, and whoever answers by this number is a server anyway.
    """
    message = _message(packet)
    if message is None:
        return None
    fields = _FIXED.unpack_from(message)
    operation, number, offered = fields[0], fields[4], fields[8]
    if operation != _REPLY or number != transaction:
        return None
    options = _options(message[_FIXED.size + len(_COOKIE) :])
    # without a type it is an answer of BOOTP, which hands out addresses too
    if options.get(_MESSAGE_TYPE, bytes((_OFFER,))) != bytes((_OFFER,)):
        return None
    told = options.get(_SERVER, b"")
    server = ipaddress.IPv4Address(told if len(told) == 4 else packet[12:16])
    address = ipaddress.IPv4Address(offered)
    return Offer(server, None if address.is_unspecified else address)


def _packet(message: bytes) -> bytes:
    """The UDP and IP headers before a message from nobody to everybody."""
    nobody, everybody = bytes(4), b"\xff" * 4
    size = _UDP_HEADER + len(message)
    ports = struct.pack("!HHH", _CLIENT_PORT, _SERVER_PORT, size)
    pseudo = nobody + everybody + struct.pack("!BBH", 0, _PROTO_UDP, size)
    # RFC 768: a sum of zero is sent as all ones, since zero tells that there is none
    total = checksum(pseudo + ports + bytes(2) + message) or 0xFFFF
    udp = ports + struct.pack("!H", total) + message
    head = struct.pack("!BBHHHBB", 0x45, 0, IPV4_HEADER + size, 0, 0, 64, _PROTO_UDP)
    total = checksum(head + bytes(2) + nobody + everybody)
    return head + struct.pack("!H", total) + nobody + everybody + udp


def _message(packet: bytes) -> bytes | None:
    """What a packet carries when that is a whole message for DHCP clients."""
    if len(packet) < IPV4_HEADER or packet[0] >> 4 != 4 or packet[9] != _PROTO_UDP:
        return None
    udp = packet[4 * (packet[0] & 0x0F) :]
    if len(udp) < _UDP_HEADER or struct.unpack_from("!H", udp, 2)[0] != _CLIENT_PORT:
        return None
    message = udp[_UDP_HEADER:]
    options = _FIXED.size + len(_COOKIE)
    return message if message[_FIXED.size : options] == _COOKIE else None


def _options(data: bytes) -> dict[int, bytes]:
    """The options by their number; what is cut off is left out."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset < len(data) and data[offset] != _END:
        if data[offset] == _PAD:
            offset += 1
            continue
        if offset + 2 > len(data):
            break
        kind, size = data[offset], data[offset + 1]
        value = data[offset + 2 : offset + 2 + size]
        if len(value) == size:
            found[kind] = value
        offset += 2 + size
    return found
