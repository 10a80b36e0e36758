# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DHCP server for tests that knows one answer: `python dhcp_server.py LINK SERVER ADDRESS`.

It answers on the link until it is killed, also to clients that boot over the network only.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys

from ansible_collections.underlay.cluster.plugins.module_utils.probe_packets import checksum

_COOKIE = bytes((99, 130, 83, 99))


def answer(
    packet: bytes, server: str, address: str, kind: int = 2, told: bool = True, port: int = 68
) -> bytes:
    """The IPv4 packet that answers a DHCPDISCOVER.

    kind: the message type, 0 for none; told: with the server's address among the options
    """
    sender = ipaddress.IPv4Address(server).packed
    asked = packet[28:]
    fixed = bytes((2, *asked[1:4])) + asked[4:16] + ipaddress.IPv4Address(address).packed
    message = fixed + sender + asked[24:236] + _COOKIE
    if kind:
        message += bytes((53, 1, kind))
    if told:
        message += bytes((54, 4)) + sender
    message += b"\xff"
    udp = struct.pack("!HHHH", 67, port, 8 + len(message), 0) + message
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(udp), 0, 0, 64, 17)
    ends = sender + b"\xff" * 4
    # a bridge with netfilter drops what has a wrong sum in its header
    return head + struct.pack("!H", checksum(head + ends)) + ends + udp


def options_of(message: bytes) -> dict[int, bytes]:
    """The options of a message, by their number."""
    assert message[236:240] == _COOKIE
    rest, found = message[240:], {}
    while rest[0] != 255:
        found[rest[0]] = rest[2 : 2 + rest[1]]
        rest = rest[2 + rest[1] :]
    return found


def serve(link: str, server: str, address: str, booting_only: bool) -> None:
    """Answer for ever."""
    channel = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    channel.bind((link, 0x0800))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        packet = channel.recv(65536)
        if packet[9] != 17 or struct.unpack_from("!H", packet, 22)[0] != 67:
            continue
        if booting_only and 60 not in options_of(packet[28:]):
            continue
        channel.sendto(answer(packet, server, address), (link, 0x0800, 0, 0, b"\xff" * 6))


if __name__ == "__main__":
    serve(*sys.argv[1:4], booting_only="booting" in sys.argv[4:])
