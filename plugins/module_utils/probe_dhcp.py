# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen for DHCP servers on links where none may be: ask for an address, and never take it."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from .probe_dhcp_packets import Offer, discover, read_offer
from .probe_loop import Loop
from .probe_plan import FAILED, Finding, Silence, Tally

_ETH_P_IP = 0x0800
_BROADCAST = b"\xff" * 6
_PACKET_BYTES = 65536
# UDP may be lost, so each question is put twice.
_ASK_AGAIN_SECONDS = 1.0
# A server may first look whether the address is free: ISC dhcpd does for one second (ping-timeout),
# dnsmasq for up to three (PING_WAIT in its src/config.h).
_LISTEN_SECONDS = 4.5


@dataclass
class Hearing:
    """What was heard on a link: the offers, and why it was not listened to for long enough."""

    silence: Silence
    offers: set[Offer] = field(default_factory=set)
    trouble: str = "the time ran out"


class DhcpSeeker:
    """All questions for DHCP servers of a run."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._sockets: list[socket.socket] = []
        self._open = False
        # Servers note whom they have offered something, so it is nobody whom they know: the bits
        # say that no maker has given this address, and that it is one machine's (IEEE 802, 8.2).
        first, *others = secrets.token_bytes(6)
        self._mac = bytes((first & 0xFC | 0x02, *others))

    def start(self, silences: Iterable[Silence]) -> list[Hearing]:
        """Begin to ask; the hearings fill up while the loop runs."""
        hearings = [Hearing(silence) for silence in silences]
        listening: list[Hearing] = []
        for hearing in hearings:
            channel = self._opened(hearing)
            if channel is not None:
                self._ask_on(hearing, channel)
                listening.append(hearing)
        if listening:
            self._open = True
            self._loop.at(self._loop.now() + _LISTEN_SECONDS, lambda: self._listened(listening))
        return hearings

    def done(self) -> bool:
        """Whether all servers had their time."""
        return not self._open

    def close(self) -> None:
        """Close the sockets."""
        for channel in self._sockets:
            channel.close()

    def _opened(self, hearing: Hearing) -> socket.socket | None:
        # The kernel makes the Ethernet header, and has taken a VLAN's tag off before it delivers.
        channel = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
        self._sockets.append(channel)
        try:
            channel.bind((hearing.silence.link, _ETH_P_IP))
        except OSError as error:
            hearing.trouble = error.strerror or str(error)
            return None
        return channel

    def _ask_on(self, hearing: Hearing, channel: socket.socket) -> None:
        link = hearing.silence.link
        # A number for each link: a NIC's own socket also hears the answers on its VLANs.
        transaction = secrets.randbits(32)
        questions = [discover(transaction, self._mac, booting) for booting in (False, True)]

        def ask() -> None:
            # a link that goes down meanwhile is told by others
            with contextlib.suppress(OSError):
                for question in questions:
                    channel.sendto(question, (link, _ETH_P_IP, 0, 0, _BROADCAST))

        self._loop.on_readable(channel, lambda: _hear(channel, transaction, hearing))
        ask()
        self._loop.at(self._loop.now() + _ASK_AGAIN_SECONDS, ask)

    def _listened(self, hearings: Iterable[Hearing]) -> None:
        self._open = False
        for hearing in hearings:
            hearing.trouble = ""


def judge_hearings(hearings: Iterable[Hearing], tally: Tally) -> None:
    """Tell each DHCP server that answered, and each link that could not be listened to."""
    for hearing in hearings:
        silence = hearing.silence
        offers: dict[str, list[str]] = {}
        for offer in sorted(hearing.offers, key=str):
            what = str(offer.address) if offer.address else "a way to boot"
            offers.setdefault(f"DHCP server {offer.server}", []).append(what)
        for server, offered in offers.items():
            seen = f"offers {' and '.join(offered)} on {silence.link}"
            tally.found(_finding(silence, server, seen))
        if not offers and hearing.trouble:
            tally.found(_finding(silence, silence.link, f"not measured: {hearing.trouble}"))
        elif not offers:
            tally.passed(silence.network)


def _finding(silence: Silence, subject: str, seen: str) -> Finding:
    expected = f"no DHCP server answers on {silence.link}"
    return Finding(silence.network, "pxe", FAILED, subject, expected, seen)


def _hear(channel: socket.socket, transaction: int, hearing: Hearing) -> None:
    # nothing more to read, or the link went down: others tell of that
    with contextlib.suppress(OSError):
        while True:
            offer = read_offer(channel.recv(_PACKET_BYTES), transaction)
            if offer is not None:
                hearing.offers.add(offer)
