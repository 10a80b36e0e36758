# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes that follow from the networks: to a network's other segments, and the default route."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Network,
    Route,
    Segment,
)

DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}


class RouteTable:
    """The derived routes of every segment, worked out once a segment.

    All subnets of an LCM network are connected by routes on the hosts (MOSK, S4.3); storage and
    workload networks with several subnets are connected by a router too (S4.8, S4.13, S4.14). So a
    host routes to every other segment of its networks, through its own segment's gateway.
    """

    def __init__(self, networks: Mapping[str, Network]) -> None:
        self._networks = networks
        self._known: dict[str, tuple[Route, ...]] = {}

    def of(self, segment: Segment) -> tuple[Route, ...]:
        """Return a segment's routes."""
        if segment.path not in self._known:
            self._known[segment.path] = self._derive(segment)
        return self._known[segment.path]

    def _derive(self, segment: Segment) -> tuple[Route, ...]:
        network = self._networks[segment.network]
        routes = []
        if segment.gateway is not None:
            via = str(segment.gateway)
            routes = [Route(str(other.cidr), via) for other in siblings(network, segment)]
            if network.default_route:
                routes.insert(0, Route(DEFAULT[segment.version], via))
        return tuple(routes) + segment.routes


def siblings(network: Network, segment: Segment) -> list[Segment]:
    """Return the other segments of the same family."""
    return [
        other
        for other in network.segments
        if other.version == segment.version and other.cidr != segment.cidr
    ]
