# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine's boot ROM does, in Python's standard library: DHCP (RFC 2131), TFTP (RFC 1350).

Run as a program in the network namespace of the machine, or of the router that relays for it:

    pxe_client.py dhcp INTERFACE MESSAGE...
    pxe_client.py tftp SERVER FILE

A message is JSON: `mac`; `type`, 1 to discover and 3 to request; `address` to request; `arch` of
option 93; `user_class`; `giaddr` and `server` of a message that is relayed. All are sent in their
order by one socket, and the answers printed until one to the last message has come. A server that
works its messages off one by one has by then decided on all of them, so that no answer to an
earlier one is silence, and no luck.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

_SECONDS = 30.0
_AGAIN_SECONDS = 1.0
_COOKIE = bytes((99, 130, 83, 99))
_FIXED = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_BROADCAST = 0x8000
_NONE = "0.0.0.0"


def message(number: int, asked: dict[str, Any]) -> bytes:
    """A DHCP message of a client."""
    mac = bytes.fromhex(asked["mac"].replace(":", ""))
    relayed = socket.inet_aton(asked.get("giaddr", _NONE))
    none = socket.inet_aton(_NONE)
    fixed = _FIXED.pack(
        1, 1, 6, 1 if asked.get("giaddr") else 0, number, 0, _BROADCAST,
        none, none, none, relayed, mac.ljust(16, b"\0"), b"", b"",
    )  # fmt: skip
    options = [(53, bytes((asked.get("type", 1),))), (55, bytes((1, 3, 6, 51, 54, 66, 67)))]
    if "address" in asked:
        options.append((50, socket.inet_aton(asked["address"])))
        options.append((54, socket.inet_aton(asked["server_id"])))
    if "arch" in asked:
        options.append((60, f"PXEClient:Arch:{asked['arch']:05}:UNDI:002001".encode()))
        options.append((93, struct.pack("!H", asked["arch"])))
    if "user_class" in asked:
        options.append((77, asked["user_class"].encode()))
    told = b"".join(bytes((key, len(value))) + value for key, value in options)
    return (fixed + _COOKIE + told + b"\xff").ljust(300, b"\0")


def answer(packet: bytes) -> dict[str, Any]:
    """What a server's message says."""
    fields = _FIXED.unpack_from(packet)
    options: dict[int, bytes] = {}
    at = _FIXED.size + len(_COOKIE)
    while at < len(packet) and packet[at] != 255:
        if packet[at] == 0:
            at += 1
            continue
        length = packet[at + 1]
        options[packet[at]] = packet[at + 2 : at + 2 + length]
        at += 2 + length
    name = options.get(67, fields[13].partition(b"\0")[0]).rstrip(b"\0")
    return {
        "number": fields[4],
        "type": options[53][0],
        "address": socket.inet_ntoa(fields[8]),
        "next": socket.inet_ntoa(fields[9]),
        "server_id": socket.inet_ntoa(options[54]),
        "mask": socket.inet_ntoa(options[1]) if 1 in options else None,
        "router": socket.inet_ntoa(options[3]) if 3 in options else None,
        "lease": struct.unpack("!I", options[51])[0] if 51 in options else None,
        "file": name.decode(),
    }


def dhcp(interface: str, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send messages, and return the answers; each has its message's place as `number`."""
    relayed = asked[-1].get("giaddr")
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if relayed:
        end.bind((relayed, 67))
    else:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        end.bind(("", 68))
    end.settimeout(0.1)
    found: dict[int, dict[str, Any]] = {}
    deadline, again = time.monotonic() + _SECONDS, 0.0
    while len(asked) - 1 not in found and time.monotonic() < deadline:
        if time.monotonic() > again:
            # a server that is just starting has not heard the first ones
            again = time.monotonic() + _AGAIN_SECONDS
            for number, each in enumerate(asked):
                end.sendto(message(number, each), (each.get("server", "255.255.255.255"), 67))
        try:
            heard = answer(end.recv(4096))
        except TimeoutError:
            continue
        found.setdefault(heard["number"], heard)
    return list(found.values())


def tftp(server: str, name: str) -> bytes:
    """Fetch a file."""
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.settimeout(1)
    word = struct.pack("!H", 1) + name.encode() + b"\0octet\0"
    place, blocks, deadline = (server, 69), b"", time.monotonic() + _SECONDS
    expected = 1
    end.sendto(word, place)
    while time.monotonic() < deadline:
        try:
            packet, place = end.recvfrom(4096)
        except TimeoutError:
            end.sendto(word, place)
            continue
        kind, number = struct.unpack_from("!HH", packet)
        if kind != 3:
            raise SystemExit(f"TFTP: {packet!r}")
        if number == expected & 0xFFFF:
            blocks += packet[4:]
            expected += 1
        word = struct.pack("!HH", 4, number)
        end.sendto(word, place)
        if len(packet) < 516:
            return blocks
    raise SystemExit("TFTP: no end")


if __name__ == "__main__":
    if sys.argv[1] == "dhcp":
        answers = dhcp(sys.argv[2], [json.loads(text) for text in sys.argv[3:]])
        sys.stdout.write(json.dumps(answers))
    else:
        Path(sys.argv[4]).write_bytes(tftp(sys.argv[2], sys.argv[3]))
