# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real connections: listen on many ports of a host, and ask from another which of them answer.

Both ends are small programs in Python's standard library, handed to a host's own Python. An end is
`open` only if the other side's word came back; a refusal and a silence are both `closed`.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LISTENER = """
import selectors, socket, sys
chosen = selectors.DefaultSelector()
def listen(kind, port):
    end = socket.socket(socket.AF_INET6, kind)
    end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if kind == socket.SOCK_DGRAM:
        end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    end.bind(("::", port))
    if kind == socket.SOCK_STREAM:
        end.listen(128)
    chosen.register(end, selectors.EVENT_READ, kind)
for text in sys.argv[1:]:
    port, protocol = text.split("/")
    listen(socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM, int(port))
print("listening", flush=True)
while True:
    for key, _events in chosen.select():
        if key.data == socket.SOCK_STREAM:
            got, _address = key.fileobj.accept()
            got.sendall(b"here")
            got.close()
        else:
            # Answered from the very address that was asked: the asker hears no other.
            data, asked, _flags, address = key.fileobj.recvmsg(64, 256)
            key.fileobj.sendmsg([b"here"], asked, 0, address)
"""

ASKER = """
import json, selectors, socket, sys, time
asked = json.loads(sys.argv[1])
chosen, found, waiting = selectors.DefaultSelector(), [None] * len(asked), {}
def done(number, word):
    end = waiting.pop(number)
    chosen.unregister(end)
    end.close()
    found[number] = word
for number, (source, address, port, protocol) in enumerate(asked):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    end = socket.socket(family, kind)
    end.setblocking(False)
    end.bind((source, 0))
    waiting[number] = end
    status = end.connect_ex((address, port))
    chosen.register(end, selectors.EVENT_READ, number)
    if status not in (0, 115):
        done(number, "closed")
end_time, next_word = time.monotonic() + float(sys.argv[2]), 0.0
while waiting and time.monotonic() < end_time:
    if time.monotonic() >= next_word:
        next_word = time.monotonic() + 2
        for number, end in list(waiting.items()):
            if asked[number][3] == "udp":
                try:
                    end.send(b"there")
                except OSError:
                    done(number, "closed")
    for key, _events in chosen.select(0.5):
        try:
            data = key.fileobj.recv(64)
        except BlockingIOError:
            continue
        except OSError:
            data = b""
        done(key.data, "open" if data else "closed")
print(json.dumps([word or "closed" for word in found]))
"""


@dataclass(frozen=True)
class Ask:
    """One question: does `port`/`protocol` of `address` answer, asked from the address `source`?"""

    source: str
    address: str
    port: int
    protocol: str = "tcp"


def _program(text: str) -> str:
    """Return a command that runs a program without a file, with arguments to follow."""
    code = base64.b64encode(text.encode()).decode()
    start = f"import base64; exec(base64.b64decode('{code}'))"
    return f"/usr/bin/python3 -c {shlex.quote(start)}"


def listener(ports: Iterable[str]) -> str:
    """Return a command that answers on ports as `80/tcp` and `53/udp`, until it is ended."""
    return f"{_program(LISTENER)} {' '.join(sorted(ports))}"


def asker(asked: Iterable[Ask], seconds: float = 15.0) -> str:
    """Return a command that asks all at once and prints a list of `open` and `closed`."""
    rows = [[ask.source, ask.address, ask.port, ask.protocol] for ask in asked]
    return f"{_program(ASKER)} {shlex.quote(json.dumps(rows))} {seconds}"


def answers(asked: Iterable[Ask], printed: str) -> dict[Ask, bool]:
    """Read what an asker printed: each question, and whether it was open."""
    words: list[Any] = json.loads(printed)
    return {ask: word == "open" for ask, word in zip(asked, words, strict=True)}
