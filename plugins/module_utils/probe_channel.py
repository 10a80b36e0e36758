# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw ICMP sockets of both families, and what they tell of the requests sent through them."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from .errors import HostError
from .probe_packets import (
    ECHO_REPLY,
    TIME_EXCEEDED,
    UNREACHABLE,
    V6_PACKET_TOO_BIG,
    Echo,
    echo_request,
    read_icmp4,
    read_icmp6,
)
from .probe_plan import IPAddress

TOKEN_SIZE = 8

# linux/in.h, linux/in6.h, linux/icmp.h, linux/icmpv6.h: not all are named by Python's socket module
_IP_MTU_DISCOVER = 10
_IP_PMTUDISC_PROBE = 3
_IP_RECVERR = 11
_IP_PKTINFO = 8
_IP_RECVFRAGSIZE = 25
_IPV6_RECVFRAGSIZE = 77
_ICMP_FILTER = 1
_SOL_RAW = 255
_IPV6_MTU_DISCOVER = 23
_IPV6_RECVERR = 25
_IPV6_PKTINFO = 50
_IPV6_DONTFRAG = 62
_IPV6_PMTUDISC_PROBE = 3
_ICMPV6_FILTER = 1
_RECEIVE_BYTES = 65536
_BUFFER_BYTES = 1 << 20
_FRAGMENT_MARKS = {
    (socket.IPPROTO_IP, _IP_RECVFRAGSIZE),
    (socket.IPPROTO_IPV6, _IPV6_RECVFRAGSIZE),
}
# Room in the neighbour table or in a queue was short: later it will be there.
_TRANSIENT = {errno.ENOBUFS, errno.EAGAIN, errno.ENOMEM}


@dataclass(frozen=True)
class Sent:
    """How the kernel took a request: sent, too big for the link, busy, or refused in words."""

    ok: bool = False
    too_big: bool = False
    busy: bool = False
    refused: str = ""


# From whom, what, and the size of the biggest fragment when it came in several (else 0).
Received = Callable[[IPAddress, Echo, int], None]


class IcmpChannel:
    """A raw socket for echo requests of one family, all with the don't-fragment bit.

    The path MTU that the kernel remembers is neither obeyed nor needed (``IP_PMTUDISC_PROBE``):
    each request is as big as asked for, or refused because the link itself is too narrow.
    """

    def __init__(self, family: int, identifier: int, token: bytes) -> None:
        self.family = family
        self._identifier = identifier
        self._token = token
        self.socket = _open4() if family == 4 else _open6()

    def send(
        self, target: IPAddress, source: IPAddress, index: int, sequence: int, size: int
    ) -> Sent:
        """Send one request of ``size`` bytes; ``index`` is the link's, for link-local targets."""
        packet = echo_request(self.family, self._identifier, sequence, self._token, size)
        try:
            self._send(packet, target, source, index)
        except OSError as first:
            # with IP_RECVERR an earlier request's error may be told to whoever calls next
            self._drain_errors()
            if first.errno == errno.EMSGSIZE:
                return Sent(too_big=True)
            try:
                self._send(packet, target, source, index)
            except OSError as error:
                self._drain_errors()
                return _refusal(error)
        return Sent(ok=True)

    def receive(self, received: Received) -> None:
        """Hand on everything that has arrived about requests of this channel."""
        while True:
            try:
                packet, control, _flags, sender = self.socket.recvmsg(_RECEIVE_BYTES, 512)
            except BlockingIOError:
                return
            except OSError:
                # the errors themselves arrive as ICMP packets; only the queue must be emptied
                self._drain_errors()
                continue
            read = read_icmp4 if self.family == 4 else read_icmp6
            echo = read(packet, TOKEN_SIZE)
            if echo and echo.identifier == self._identifier and echo.token in {b"", self._token}:
                told_by = ipaddress.ip_address(sender[0].partition("%")[0])
                received(told_by, echo, _fragment_size(control))

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _send(self, packet: bytes, target: IPAddress, source: IPAddress, index: int) -> None:
        if self.family == 4:
            info = struct.pack("=I4s4s", 0, source.packed, bytes(4))
            control = [(socket.IPPROTO_IP, _IP_PKTINFO, info)]
            self.socket.sendmsg([packet], control, 0, (str(target), 0))
            return
        scope = index if target.is_link_local else 0
        info = struct.pack("=16sI", source.packed, scope)
        control = [(socket.IPPROTO_IPV6, _IPV6_PKTINFO, info)]
        self.socket.sendmsg([packet], control, 0, (str(target), 0, 0, scope))

    def _drain_errors(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.socket.recvmsg(_RECEIVE_BYTES, 512, socket.MSG_ERRQUEUE)


def _fragment_size(control: list[tuple[int, int, bytes]]) -> int:
    """The kernel tells it for packets that it has put together again."""
    for level, kind, data in control:
        if (level, kind) in _FRAGMENT_MARKS and len(data) >= 4:
            return int(struct.unpack_from("=i", data)[0])
    return 0


def _refusal(error: OSError) -> Sent:
    if error.errno in _TRANSIENT:
        return Sent(busy=True)
    if error.errno == errno.EMSGSIZE:
        return Sent(too_big=True)
    words = {
        errno.ENETUNREACH: "no route to it",
        errno.EADDRNOTAVAIL: "the host does not have the source address",
        errno.EINVAL: "the host does not have the source address",
        errno.EPERM: "the host's firewall refuses to send",
        errno.EACCES: "the host's firewall refuses to send",
    }
    return Sent(refused=words.get(error.errno or 0, os.strerror(error.errno or 0)))


def _open4() -> socket.socket:
    channel = _raw(socket.AF_INET, socket.IPPROTO_ICMP)
    channel.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
    # without it the kernel drops requests silently when its neighbour table is full
    channel.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    _tell_fragments(channel, socket.IPPROTO_IP, _IP_RECVFRAGSIZE)
    wanted = (ECHO_REPLY[4], UNREACHABLE[4], TIME_EXCEEDED[4])
    blocked = 0xFFFFFFFF & ~sum(1 << kind for kind in wanted)
    channel.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", blocked))
    return channel


def _open6() -> socket.socket:
    channel = _raw(socket.AF_INET6, socket.IPPROTO_ICMPV6)
    channel.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_PROBE)
    channel.setsockopt(socket.IPPROTO_IPV6, _IPV6_DONTFRAG, 1)
    channel.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    _tell_fragments(channel, socket.IPPROTO_IPV6, _IPV6_RECVFRAGSIZE)
    wanted = {ECHO_REPLY[6], UNREACHABLE[6], V6_PACKET_TOO_BIG, TIME_EXCEEDED[6]}
    set_icmp6_filter(channel, wanted)
    return channel


def _tell_fragments(channel: socket.socket, level: int, option: int) -> None:
    # kernels before 4.7 do not know it: then only the way there is measured
    with contextlib.suppress(OSError):
        channel.setsockopt(level, option, 1)


def set_icmp6_filter(channel: socket.socket, wanted: set[int]) -> None:
    """Let a raw ICMPv6 socket receive these message types alone (RFC 3542, section 3.2)."""
    blocked = [0xFFFFFFFF] * 8
    for kind in wanted:
        blocked[kind >> 5] &= ~(1 << (kind & 31))
    channel.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, struct.pack("=8I", *blocked))


def _raw(family: socket.AddressFamily, protocol: int) -> socket.socket:
    try:
        channel = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
    except PermissionError as error:
        raise HostError(
            "Probing needs raw sockets, which this user may not open: run the task with become."
        ) from error
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    return channel
