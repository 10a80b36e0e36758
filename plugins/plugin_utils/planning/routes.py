# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes that follow from the networks: to other segments, the default route, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Network as Cidr
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Network,
    Route,
    Segment,
    Vip,
)

DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}
# ip-rule(8): the main table is asked at 32766. What stays inside of the cluster is asked for before
# the way back; both leave room for rules of others before and behind them.
_INSIDE_PRIORITY, _BACK_PRIORITY = 29000, 29100
_MAIN_TABLE = 254


class RouteTable:
    """The derived routes of every segment, worked out once a segment.

    All subnets of all LCM networks are connected by routes on the hosts (MOSK, S4.3), and reach the
    API endpoint (S4.4); storage and workload networks with several subnets are connected by a
    router too (S4.8, S4.13, S4.14). So a host routes to every other segment of its networks,
    through its own segment's gateway.

    vips: those with a fixed address outside of all segments have routes of their own
    """

    def __init__(self, networks: Mapping[str, Network], vips: Iterable[Vip] = ()) -> None:
        self._networks = networks
        self._vips = [vip for vip in vips if vip.address is not None and vip.network in networks]
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
            others = [other.cidr for other in connected(self._networks, segment)]
            others += self._announced(network, segment)
            routes = [Route(str(other), via) for other in others]
            if network.default_route:
                routes.insert(0, Route(DEFAULT[segment.version], via))
        return tuple(routes) + segment.routes

    def _announced(self, network: Network, segment: Segment) -> list[Cidr]:
        """Return the VIPs of this kind of network that lie in no segment of the kind."""
        same_kind = [other for other in self._networks.values() if other.kind == network.kind]
        cidrs = [other.cidr for each in same_kind for other in each.segments]
        return [
            ip_network(f"{vip.address}/{vip.address.max_prefixlen}")
            for vip in self._vips
            if vip.address is not None
            and vip.address.version == segment.version
            and self._networks[vip.network].kind == network.kind
            and not any(vip.address in cidr for cidr in cidrs)
        ]


def way_back(segment: Segment, table: int, inside: Iterable[Cidr]) -> dict[str, list[Any]]:
    """Return netplan's routes and rules by which answers leave as the requests came in.

    Without them, an answer from an address of this segment leaves by the default route, wherever
    that leads (metallb#319). inside: subnets that are reached as ever, pods and services: a packet
    to a pod that comes from a load balancer's address is no answer to anybody outside.
    """
    if segment.gateway is None:
        return {}
    cidr = str(segment.cidr)
    routes = [
        {"to": cidr, "scope": "link", "table": table},
        {"to": "default", "via": str(segment.gateway), "table": table},
    ]
    rules = [
        {"to": str(subnet), "table": _MAIN_TABLE, "priority": _INSIDE_PRIORITY}
        for subnet in inside
        if subnet.version == segment.version
    ]
    rules.append({"from": cidr, "table": table, "priority": _BACK_PRIORITY})
    return {"routes": routes, "routing-policy": rules}


def connected(networks: Mapping[str, Network], segment: Segment) -> list[Segment]:
    """Return the segments that a router connects with this one: all of its network, or of LCM's."""
    network = networks[segment.network]
    if network.kind != "lcm":
        return siblings(network, segment)
    return [
        other
        for each in networks.values()
        if each.kind == "lcm"
        for other in siblings(each, segment)
    ]


def siblings(network: Network, segment: Segment) -> list[Segment]:
    """Return a network's segments of a segment's family, without that segment."""
    return [
        other
        for other in network.segments
        if other.version == segment.version and other.cidr != segment.cidr
    ]
