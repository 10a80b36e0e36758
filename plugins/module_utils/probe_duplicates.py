# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask each link whether somebody else holds an address of this host."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .probe_channel import set_icmp6_filter
from .probe_host import SeenLink
from .probe_loop import Loop
from .probe_packets import (
    ETH_P_ARP,
    NEIGHBOUR_ADVERTISEMENT,
    arp_probe,
    mac_bytes,
    mac_text,
    read_advertisement,
    read_arp,
    solicitation,
)
from .probe_plan import Address

# RFC 5227 sends three probes over up to six seconds; these addresses are in use already, so what is
# wanted is the answer of a host that is there, not the patience of one that is about to come.
_PROBES = 3
_PROBE_SECONDS = 0.3
_FRAME_BYTES = 2048
_UNKNOWN_MAC = "an untold MAC address"


@dataclass
class Question:
    """An own address on its link, and the foreign MAC addresses that claimed it."""

    address: Address
    link: SeenLink
    claimed_by: set[str] = field(default_factory=set)


class DuplicateSeeker:
    """All duplicate checks of a run.

    :param own_macs: the MAC addresses of all links of the host, which may answer itself on any.
    """

    def __init__(self, loop: Loop, own_macs: set[str]) -> None:
        self._loop = loop
        self._own = own_macs
        self._arp: dict[str, socket.socket] = {}
        self._icmp6: socket.socket | None = None
        self._questions: list[Question] = []
        self._open_rounds = 0

    def start(self, questions: Iterable[Question]) -> None:
        """Begin to ask; the questions' ``claimed_by`` fill up while the loop runs."""
        self._questions = list(questions)
        for question in self._questions:
            if question.address.address.version == 4:
                self._open_arp(question.link.name)
            elif self._icmp6 is None:
                self._open_icmp6()
        self._open_rounds = _PROBES if self._questions else 0
        begin = self._loop.now()
        for number in range(self._open_rounds):
            self._loop.at(begin + number * _PROBE_SECONDS, self._ask)
        self._loop.at(begin + _PROBES * _PROBE_SECONDS, self._listened)

    def done(self) -> bool:
        """Whether all was asked and the last answers had their time."""
        return not self._questions or self._open_rounds < 0

    def close(self) -> None:
        """Close the sockets."""
        for channel in [*self._arp.values(), *([self._icmp6] if self._icmp6 else [])]:
            channel.close()

    def _listened(self) -> None:
        self._open_rounds = -1

    def _ask(self) -> None:
        for question in self._questions:
            address = question.address.address.ip
            build = arp_probe if address.version == 4 else solicitation
            frame = build(mac_bytes(question.link.mac), address.packed)
            # a link that goes down meanwhile is told by others
            with contextlib.suppress(OSError):
                self._sender(question.link.name).send(frame)

    def _sender(self, link: str) -> socket.socket:
        return self._arp[link] if link in self._arp else self._open_arp(link)

    def _open_arp(self, link: str) -> socket.socket:
        if link in self._arp:
            return self._arp[link]
        channel = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._arp[link] = channel
        channel.bind((link, ETH_P_ARP))
        self._loop.on_readable(channel, lambda: self._read_arp(link, channel))
        return channel

    def _open_icmp6(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
        channel = socket.socket(socket.AF_INET6, kind, socket.IPPROTO_ICMPV6)
        set_icmp6_filter(channel, {NEIGHBOUR_ADVERTISEMENT})
        self._icmp6 = channel
        self._loop.on_readable(channel, lambda: self._read_icmp6(channel))

    def _read_arp(self, link: str, channel: socket.socket) -> None:
        for frame, _sender in _received(channel):
            arp = read_arp(frame)
            if arp is not None:
                self._claim(link, arp.sender, mac_text(arp.sender_mac))

    def _read_icmp6(self, channel: socket.socket) -> None:
        names = {question.link.index: question.link.name for question in self._questions}
        for packet, sender in _received(channel):
            claim = read_advertisement(packet)
            # an advertisement to all nodes comes from a link-local address or one of its link: the
            # scope in the sender tells the link, and where it is 0 the target alone decides
            if claim is not None:
                link = names.get(sender[3] if len(sender) > 3 else 0)
                self._claim(link, claim.target, mac_text(claim.mac) if claim.mac else _UNKNOWN_MAC)

    def _claim(self, link: str | None, address: bytes, mac: str) -> None:
        if mac in self._own:
            return
        for question in self._questions:
            if question.address.address.ip.packed == address and link in {None, question.link.name}:
                question.claimed_by.add(mac)


def _received(channel: socket.socket) -> Iterator[tuple[bytes, tuple[Any, ...]]]:
    while (packet := _receive(channel)) is not None:
        yield packet


def _receive(channel: socket.socket) -> tuple[bytes, tuple[Any, ...]] | None:
    try:
        return channel.recvfrom(_FRAME_BYTES)
    except OSError as error:
        # nothing more to read, or the link went down: others tell of that
        if error.errno in {errno.EAGAIN, errno.ENETDOWN}:
            return None
        raise
