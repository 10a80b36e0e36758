# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask many addresses at once whether they answer, and how big a packet gets through to them.

Each target is asked with a small echo request first, then with one of the planned size. If that
one does not come back, the size that does is looked for: routers and the own link tell it, a silent
drop is narrowed down with several sizes at a time.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .probe_channel import TOKEN_SIZE, IcmpChannel, Sent
from .probe_loop import Loop
from .probe_packets import Echo
from .probe_plan import IPAddress, Probe

# No more requests than this wait for an answer at a time: each unresolved neighbour takes a place
# in the kernel's table, which holds 1024 by default (net.ipv4.neigh.default.gc_thresh3).
_OUTSTANDING = 64
_ANSWER_SECONDS = 1.0
# A lost ARP request is repeated by the kernel after a second, so the third request is a fair one.
_SMALL_TRIES = 3
_FULL_TRIES = 2
_BUSY_SECONDS = 0.3
_NO_ROOM = (
    "this host's neighbour table or send queue is full; see net.ipv4.neigh.default.gc_thresh3"
)
_SHORTEST_WAIT = 0.25
_SMALL_SIZE = 84
# Sizes at which real paths end: tunnels, PPPoE, VLAN tags that were forgotten, jumbo frames.
_COMMON_MTUS = (1280, 1400, 1450, 1492, 1496, 1500, 1600, 2000, 4000, 8950, 8996, 9000)
_SPLITS = 8
_MAX_ROUNDS = 8

_Key = tuple[int, int]


@dataclass
class Outcome:
    """What was learnt about a target.

    ``seconds`` is the round trip of the small request. ``passing`` is the biggest size in bytes
    known to get through, ``settled`` tells that no bigger one does. ``fragments`` is the size of
    the pieces in which the answer to the full size came back, 0 when it came whole.
    """

    probe: Probe
    seconds: float | None = None
    passing: int = 0
    settled: bool = False
    fragments: int = 0
    reason: str = ""
    asked: bool = False

    @property
    def reachable(self) -> bool:
        """Whether it answered at all."""
        return self.seconds is not None

    @property
    def full(self) -> bool:
        """Whether a packet of the planned size got through."""
        return self.passing >= self.probe.mtu


@dataclass
class _Target:
    outcome: Outcome
    index: int
    tries: int = 0
    failing: int = 0
    rounds: int = 0
    waiting: set[int] = field(default_factory=set)

    @property
    def probe(self) -> Probe:
        return self.outcome.probe


@dataclass(frozen=True)
class _Flight:
    target: _Target
    size: int
    sent_at: float


class Pinger:
    """All echo requests of a run.

    :param links: the kernel's index and the present MTU per link.
    """

    def __init__(self, loop: Loop, links: Mapping[str, tuple[int, int]]) -> None:
        self._loop = loop
        self._links = links
        self._queue: deque[tuple[_Target, int]] = deque()
        self._flights: dict[_Key, _Flight] = {}
        self._busy = 0
        self._sequence = 0
        self._channels: dict[int, IcmpChannel] = {}
        self._known: dict[tuple[str | None, int, int], int] = {}
        self._identifier = secrets.randbelow(0xFFFF) + 1
        self._token = secrets.token_bytes(TOKEN_SIZE)

    def start(self, probes: Iterable[Probe]) -> list[Outcome]:
        """Begin with all probes; the outcomes fill up while the loop runs."""
        outcomes = []
        for probe in probes:
            index, _mtu = self._links.get(probe.link, (0, 0))
            outcome = Outcome(probe)
            outcomes.append(outcome)
            self._queue.append((_Target(outcome, index), min(_SMALL_SIZE, probe.mtu)))
            self._open(probe.address.version)
        self._launch()
        return outcomes

    def done(self) -> bool:
        """Whether nothing is left to send or to wait for."""
        return not self._queue and not self._flights and not self._busy

    def close(self) -> None:
        """Close the sockets."""
        for channel in self._channels.values():
            channel.close()

    def _open(self, family: int) -> None:
        if family not in self._channels:
            channel = IcmpChannel(family, self._identifier, self._token)
            self._channels[family] = channel

            def readable() -> None:
                channel.receive(self._received)

            self._loop.on_readable(channel.socket, readable)

    def _launch(self) -> None:
        while self._queue and len(self._flights) < _OUTSTANDING:
            target, size = self._queue.popleft()
            self._send(target, size)

    def _send(self, target: _Target, size: int) -> None:
        probe = target.probe
        target.outcome.asked = True
        self._sequence = (self._sequence + 1) & 0xFFFF
        key = (probe.address.version, self._sequence)
        sent = self._channels[probe.address.version].send(
            probe.address, probe.source, target.index, self._sequence, size
        )
        if sent.ok:
            self._flights[key] = _Flight(target, size, self._loop.now())
            wait = self._patience(target, size)
            self._loop.at(self._loop.now() + wait, lambda: self._expired(key))
        else:
            self._not_sent(target, size, sent)

    def _not_sent(self, target: _Target, size: int, sent: Sent) -> None:
        if sent.busy:
            self._not_taken(target, size)
            return
        if sent.too_big:
            _index, mtu = self._links.get(target.probe.link, (0, 0))
            self._too_big(target, size, mtu)
            return
        target.outcome.reason = sent.refused
        # a route or an address that comes up late deserves the same patience as an answer
        self._try_again(target, size, _ANSWER_SECONDS)

    def _not_taken(self, target: _Target, size: int) -> None:
        """The kernel had no room: a full neighbour table empties, so a first request waits for it.

        Once the neighbour is known, it is the device that drops what is too long for its other end.
        """
        if target.outcome.reachable:
            self._lost(target, size)
        else:
            target.outcome.reason = _NO_ROOM
            self._later(target, size, _BUSY_SECONDS)

    def _patience(self, target: _Target, size: int) -> float:
        """How long to wait: while the size is searched, the round trip is known."""
        if target.waiting and size in target.waiting and target.outcome.seconds is not None:
            return min(_ANSWER_SECONDS, max(_SHORTEST_WAIT, 5 * target.outcome.seconds))
        return _ANSWER_SECONDS

    def _later(self, target: _Target, size: int, seconds: float) -> None:
        def again() -> None:
            self._busy -= 1
            self._queue.append((target, size))
            self._launch()

        self._busy += 1
        self._loop.at(self._loop.now() + seconds, again)

    def _received(self, sender: IPAddress, echo: Echo, fragments: int) -> None:
        flight = self._flights.get((sender.version, echo.sequence))
        if flight is None:
            return
        if echo.reason:
            self._error(flight, echo)
        elif sender == flight.target.probe.address:
            self._take_off(sender.version, echo.sequence)
            if flight.size == flight.target.probe.mtu:
                flight.target.outcome.fragments = fragments
            self._answered(flight)
        self._launch()

    def _error(self, flight: _Flight, echo: Echo) -> None:
        version = flight.target.probe.address.version
        if echo.mtu is not None:
            self._take_off(version, echo.sequence)
            self._too_big(flight.target, flight.size, echo.mtu)
            return
        # other errors may pass (a router that still looks for its neighbour): time decides
        flight.target.outcome.reason = echo.reason

    def _take_off(self, version: int, sequence: int) -> None:
        self._flights.pop((version, sequence), None)

    def _expired(self, key: _Key) -> None:
        flight = self._flights.pop(key, None)
        if flight is not None:
            self._lost(flight.target, flight.size)
            self._launch()

    def _answered(self, flight: _Flight) -> None:
        target, outcome = flight.target, flight.target.outcome
        outcome.passing = max(outcome.passing, flight.size)
        if outcome.seconds is None:
            outcome.seconds = self._loop.now() - flight.sent_at
            target.tries = 0
            if not outcome.full:
                self._queue.append((target, target.probe.mtu))
        elif flight.size in target.waiting:
            self._round_over(target, flight.size)
        else:
            outcome.settled = True

    def _lost(self, target: _Target, size: int) -> None:
        if size in target.waiting:
            self._narrow(target, size)
            self._round_over(target, size)
        else:
            self._try_again(target, size, 0)

    def _try_again(self, target: _Target, size: int, seconds: float) -> None:
        target.tries += 1
        small = target.outcome.seconds is None
        if target.tries < (_SMALL_TRIES if small else _FULL_TRIES):
            self._later(target, size, seconds)
        elif not small:
            self._narrow(target, size)
            self._search(target)

    def _too_big(self, target: _Target, size: int, mtu: int) -> None:
        """The own link or a router has told the size that it lets through."""
        self._narrow(target, size)
        if size in target.waiting:
            self._round_over(target, size)
        elif target.outcome.passing < mtu < size:
            target.tries = 0
            self._queue.append((target, mtu))
        elif target.outcome.reachable:
            self._search(target)
        else:
            target.outcome.reason = "its link is too narrow for any packet"

    def _narrow(self, target: _Target, size: int) -> None:
        target.failing = min(target.failing or size, size)

    def _search(self, target: _Target) -> None:
        """Ask with several sizes between what passes and what fails."""
        outcome = target.outcome
        sizes = self._candidates(target)
        if not sizes or target.rounds >= _MAX_ROUNDS:
            outcome.settled = True
            self._known[self._path_of(target)] = outcome.passing
            return
        target.rounds += 1
        target.waiting = set(sizes)
        self._queue.extend((target, size) for size in sizes)

    def _round_over(self, target: _Target, size: int) -> None:
        target.waiting.discard(size)
        if not target.waiting:
            self._search(target)

    def _candidates(self, target: _Target) -> list[int]:
        low, high = target.outcome.passing, target.failing
        known = self._known.get(self._path_of(target))
        if target.rounds == 0 and known is not None:
            sizes = [known, known + 1]
        elif target.rounds == 0:
            sizes = list(_COMMON_MTUS)
        else:
            step = max(1, (high - low) // _SPLITS)
            sizes = list(range(low + step, high, step))[:_SPLITS]
        return [size for size in sizes if low < size < high] or (
            [(low + high) // 2] if high - low > 1 else []
        )

    def _path_of(self, target: _Target) -> tuple[str | None, int, int]:
        """Targets that probably share their path's narrowest place."""
        probe = target.probe
        return (probe.network, probe.address.version, probe.mtu)
