# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers for an address, watched from a machine on its link: a program for a host's Python."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable

# It asks every 0.2 s, from 0.0.0.0 so that nobody learns a thing (RFC 5227), and writes one line of
# MAC addresses for each question.
_PROGRAM = """
import select, socket, struct, sys, time
link, address, path = sys.argv[1], socket.inet_aton(sys.argv[2]), sys.argv[3]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
wire.bind((link, 0x0806))
mac = wire.getsockname()[4]
frame = b"\\xff" * 6 + mac + struct.pack("!HHHBBH6s4s6s4s", 0x0806, 1, 0x0800, 6, 4, 1, mac,
    b"", b"", address)
with open(path, "w", buffering=1) as out:
    while True:
        wire.send(frame)
        end, heard = time.monotonic() + 0.2, set()
        while (left := end - time.monotonic()) > 0:
            if select.select([wire], [], [], left)[0]:
                data = wire.recv(2048)
                operation, sender, source = struct.unpack_from("!H6s4s", data, 20)
                if operation == 2 and source == address:
                    heard.add(sender.hex(":"))
        print(",".join(sorted(heard)), file=out)
"""


def watcher(link: str, address: str, path: str) -> str:
    """Return a command that watches an address on a link, and writes into a file."""
    code = base64.b64encode(_PROGRAM.encode()).decode()
    start = f"import base64; exec(base64.b64decode('{code}'))"
    return shlex.join(["/usr/bin/python3", "-c", start, link, address, path])


def holders_in_turn(lines: Iterable[str]) -> list[str]:
    """Return who answered, one after the other, each time that it was another."""
    turns: list[str] = []
    for line in lines:
        if line and (not turns or turns[-1] != line):
            turns.append(line)
    return turns
