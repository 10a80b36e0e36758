# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask addresses that nobody on this host may reach, and tell of those that answer."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from .probe_channel import TOKEN_SIZE, IcmpChannel
from .probe_loop import Loop
from .probe_packets import Echo
from .probe_plan import FAILED, Finding, IPAddress, Probe, Tally

# What a BMC listens on: SSH, its web pages, and the port of RMCP (IPMI 2.0, 13.1.2; ASF 2.0, 3.2).
PORTS = (22, 80, 443, 623)
# TCP's first repetition comes after one second (RFC 6298, 2.1), and so does that of the ping.
_ASK_AGAIN_SECONDS = 1.0
_WAIT_SECONDS = 2.0
_PING_BYTES = 84


@dataclass
class Refusal:
    """What one address answered to."""

    probe: Probe
    ping: bool = False
    ports: set[int] = field(default_factory=set)
    asked: bool = False

    @property
    def answers(self) -> list[str]:
        """What it answered to, in words."""
        ports = ", ".join(map(str, sorted(self.ports)))
        return ["ping"] * self.ping + [f"TCP {ports}"] * bool(ports)


class RefusalSeeker:
    """All questions of a run that must stay without an answer.

    An error on the way, or a refused connection, is a no as good as silence.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._channels: dict[int, IcmpChannel] = {}
        self._connecting: set[socket.socket] = set()
        self._refusals: list[Refusal] = []
        self._identifier = secrets.randbelow(0xFFFF) + 1
        self._token = secrets.token_bytes(TOKEN_SIZE)
        self._open = False

    def start(self, probes: Iterable[Probe]) -> list[Refusal]:
        """Begin to ask; the refusals fill up while the loop runs."""
        self._refusals = [Refusal(probe) for probe in probes]
        if not self._refusals:
            return []
        self._open = True
        self._ping()
        for refusal in self._refusals:
            for port in PORTS:
                self._connect(refusal, port)
        begin = self._loop.now()
        self._loop.at(begin + _ASK_AGAIN_SECONDS, self._ping)
        self._loop.at(begin + _WAIT_SECONDS, self._waited)
        return self._refusals

    def done(self) -> bool:
        """Whether everybody had the time to answer."""
        return not self._open

    def close(self) -> None:
        """Close the sockets."""
        for channel in self._channels.values():
            channel.close()
        for connection in self._connecting:
            connection.close()

    def _waited(self) -> None:
        self._open = False
        for refusal in self._refusals:
            refusal.asked = True

    def _ping(self) -> None:
        for number, refusal in enumerate(self._refusals):
            probe = refusal.probe
            channel = self._channel(probe.address.version)
            channel.send(probe.address, probe.source, 0, number & 0xFFFF, _PING_BYTES)

    def _channel(self, family: int) -> IcmpChannel:
        if family not in self._channels:
            channel = IcmpChannel(family, self._identifier, self._token)
            self._channels[family] = channel
            self._loop.on_readable(channel.socket, lambda: channel.receive(self._answered))
        return self._channels[family]

    def _answered(self, sender: IPAddress, echo: Echo, _fragments: int) -> None:
        for refusal in self._refusals:
            if not echo.reason and refusal.probe.address == sender:
                refusal.ping = True

    def _connect(self, refusal: Refusal, port: int) -> None:
        address = refusal.probe.address
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        outcome = connection.connect_ex((str(address), port))
        if outcome == errno.EINPROGRESS:
            self._connecting.add(connection)
            self._loop.on_writable(connection, lambda: self._connected(connection, refusal, port))
            return
        connection.close()
        if outcome == 0:
            refusal.ports.add(port)

    def _connected(self, connection: socket.socket, refusal: Refusal, port: int) -> None:
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
            refusal.ports.add(port)
        self._loop.forget(connection)
        self._connecting.discard(connection)
        connection.close()


def judge_refusals(refusals: Iterable[Refusal], tally: Tally) -> list[Finding]:
    """Each address that answered, and each that there was no time for; the others are counted."""
    findings: list[Finding] = []
    for refusal in refusals:
        answers = " and ".join(refusal.answers)
        if not answers and refusal.asked:
            tally.passed(refusal.probe.network)
            continue
        seen = f"answers {answers}" if answers else "not measured: the time ran out"
        findings.append(
            Finding(
                network=refusal.probe.network,
                check="oob",
                severity=FAILED,
                subject=refusal.probe.subject,
                expected="out of reach of every host: routers must not let the cluster in",
                seen=seen,
            )
        )
    return findings
