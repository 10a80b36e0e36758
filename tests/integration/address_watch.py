# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has an address, seen from outside and without a gap: in the kernels, and by ARP.

A look takes some 20 microseconds for each host, so that no turn of a scheduler hides two holders.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType

_RTM_GETADDR, _NLM_F_DUMP_REQUEST, _NLMSG_DONE = 22, 0x301, 3
_IFA_ADDRESS = 1
_ETH_P_ARP = 0x0806
# Between two looks: others on the machine want to run as well.
_PAUSE = 0.0005
_ASK_EACH = 0.05


class Watch:
    """Looks all the time, from a thread of its own; a context manager.

    hosts: name -> a process in the host's network namespace; client: one in that of a neighbour,
    which has an IPv4 address on the link

    :ivar changes: the holders, each time that they change.
    :ivar twice: each look that found two holders.
    :ivar answered: for each ARP question, the MAC addresses that answered it.
    """

    def __init__(
        self, address: str, hosts: Mapping[str, int], client: int, link: str = "eth0"
    ) -> None:
        self._address = ip_address(address)
        self._hosts = hosts
        self._client = client
        self._link = link
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: BaseException | None = None
        self.changes: list[tuple[float, tuple[str, ...]]] = []
        self.twice: list[tuple[str, ...]] = []
        self.answered: list[set[str]] = []
        self.looks = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=60)

    @property
    def holders(self) -> tuple[str, ...]:
        """Who holds it now."""
        if self._failure is not None:
            raise self._failure
        return self.changes[-1][1] if self.changes else ()

    @property
    def history(self) -> list[tuple[str, ...]]:
        """The holders one after the other, without the times."""
        return [holders for _when, holders in self.changes]

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as closing:
                self._look_until_ended(closing)
        except BaseException as error:
            self._failure = error
            raise

    def _look_until_ended(self, closing: contextlib.ExitStack) -> None:
        kernels = {
            name: closing.enter_context(_socket_in(pid, socket.AF_NETLINK, socket.SOCK_RAW, 0))
            for name, pid in self._hosts.items()
        }
        wire = closing.enter_context(
            _socket_in(self._client, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP))
        )
        wire.bind((self._link, _ETH_P_ARP))
        wire.setblocking(False)
        asked = 0.0
        while not self._ended.is_set():
            self._look(kernels)
            if self._address.version == 4:
                self._hear(wire)
                if time.monotonic() - asked > _ASK_EACH:
                    asked = time.monotonic()
                    self.answered.append(set())
                    wire.send(_question(wire, self._address.packed))
            time.sleep(_PAUSE)

    def _look(self, kernels: Mapping[str, socket.socket]) -> None:
        found = tuple(name for name, kernel in kernels.items() if self._has(kernel))
        # One may have given it up while the next was asked: two hold it only if they still do.
        if len(found) > 1:
            found = tuple(name for name in found if self._has(kernels[name]))
        if len(found) > 1:
            self.twice.append(found)
        if not self.changes or self.changes[-1][1] != found:
            self.changes.append((time.monotonic(), found))
        self.looks += 1

    def _has(self, kernel: socket.socket) -> bool:
        family = socket.AF_INET if self._address.version == 4 else socket.AF_INET6
        length = struct.calcsize("=IHHIIBBBBI")
        request = (length, _RTM_GETADDR, _NLM_F_DUMP_REQUEST, 0, 0, family, 0, 0, 0, 0)
        kernel.send(struct.pack("=IHHIIBBBBI", *request))
        packed = self._address.packed
        wanted = struct.pack("=HH", 4 + len(packed), _IFA_ADDRESS) + packed
        found = False
        while True:
            answer = kernel.recv(1 << 16)
            found = found or wanted in answer
            if struct.unpack_from("=IH", answer)[1] == _NLMSG_DONE or _ends(answer):
                return found

    def _hear(self, wire: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                frame = wire.recv(2048)
                operation, sender, address = struct.unpack_from("!H6s4s", frame, 20)
                if operation == 2 and address == self._address.packed and self.answered:
                    self.answered[-1].add(sender.hex(":"))


def _ends(answer: bytes) -> bool:
    """Whether the last message of a dump is its end."""
    at = 0
    while at + 16 <= len(answer):
        length, kind = struct.unpack_from("=IH", answer, at)
        if kind == _NLMSG_DONE:
            return True
        at += (length + 3) & ~3
    return False


def _question(wire: socket.socket, address: bytes) -> bytes:
    """Who has the address? From 0.0.0.0, so that nobody learns a thing (RFC 5227)."""
    mac: bytes = wire.getsockname()[4]
    head = b"\xff" * 6 + mac + struct.pack("!H", _ETH_P_ARP)
    return head + struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, b"", b"", address)


@contextlib.contextmanager
def _socket_in(pid: int, *kind: int) -> Iterator[socket.socket]:
    """A socket in the network namespace of a process; this thread is back in its own then."""
    with Path("/proc/thread-self/ns/net").open("rb") as own:
        with Path(f"/proc/{pid}/ns/net").open("rb") as other:
            _enter(other.fileno())
        try:
            made = socket.socket(*kind)
        finally:
            _enter(own.fileno())
    with made:
        yield made


def _enter(number: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(number, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
