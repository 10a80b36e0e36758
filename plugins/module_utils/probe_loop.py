# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One event loop for all probes of a host: sockets and timers, a single thread."""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import time
from collections.abc import Callable

_LONGEST_SLEEP = 0.5


class Loop:
    """Calls back when a socket has something to read and when a time has come.

    Times are seconds of the clock, which counts from anywhere and never jumps.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def on_readable(self, channel: socket.socket, call: Callable[[], None]) -> None:
        """Call whenever the socket has something to read."""
        self._selector.register(channel, selectors.EVENT_READ, call)

    def on_writable(self, channel: socket.socket, call: Callable[[], None]) -> None:
        """Call whenever the socket takes something, as when a connection has come about."""
        self._selector.register(channel, selectors.EVENT_WRITE, call)

    def forget(self, channel: socket.socket) -> None:
        """Call no more for this socket."""
        self._selector.unregister(channel)

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Call once, when the time has come."""
        heapq.heappush(self._timers, (when, next(self._order), call))

    def run(self, done: Callable[[], bool], deadline: float) -> None:
        """Serve sockets and timers until all is done or the deadline has passed."""
        while not done() and self.now() < deadline:
            next_timer = self._timers[0][0] if self._timers else deadline
            wait = min(next_timer, deadline) - self.now()
            for key, _events in self._selector.select(max(0.0, min(wait, _LONGEST_SLEEP))):
                key.data()
            while self._timers and self._timers[0][0] <= self.now():
                heapq.heappop(self._timers)[2]()

    def close(self) -> None:
        """Forget all sockets; closing them is their owners' business."""
        self._selector.close()
