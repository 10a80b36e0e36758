# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on LCM networks (MOSK, S4.2 to S4.5) and on who holds the API endpoint (S4.7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Segment,
    Vip,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.claims import vip_segment
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.routes import (
    DEFAULT,
    RouteTable,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.rules import (
    ATTACH,
    FleetView,
    Networks,
    named,
    named_cluster,
    words,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem


def one_lcm_address(fleet: FleetView) -> Iterator[Problem]:
    """A host has one LCM address, which kubelet and the API know it by; two families are one."""
    known = fleet.of_kind("lcm")
    for host in fleet.hosts if known else ():
        mine = fleet.addressed(host, "lcm")
        if not mine:
            wrong = "has no lcm network with an address, and every host has one"
            right = f"Attach {words(network.name for network in known)} with an address"
            attached = [network.name for network in fleet.attached(host)]
            yield Problem(ATTACH, attached, wrong, right, host.name)
        for network in mine[1:]:
            wrong = f"is a second lcm network with an address, beside {mine[0].name}"
            right = "Leave one of them out, or set address: false there"
            path = f"{ATTACH}[{network.name}].address"
            yield Problem(path, True, wrong, right, host.name)


def lcm_segments_are_routed(fleet: FleetView) -> Iterator[Problem]:
    """LCM segments of a cluster reach each other, those of different LCM networks too."""
    told = set()
    for cluster in fleet.clusters:
        segments = _segments(fleet, cluster)
        for segment in segments:
            others = [
                other
                for other in segments
                if other.version == segment.version and other.network != segment.network
            ]
            # Other segments of its own network are asked for by the check of gateways.
            own = fleet.model.networks[segment.network].segments
            alone = sum(1 for other in own if other.version == segment.version) == 1
            if segment.gateway is None and others and alone and segment.path not in told:
                told.add(segment.path)
                where = words(f"{other.network} {other.name}" for other in others)
                wrong = f"is missing, and there are other lcm segments ({where})"
                right = f"Give the router's address in {segment.cidr}, so that hosts can reach them"
                yield Problem(f"{segment.path}.gateway", None, wrong, right)


def lcm_segments_reach_the_endpoint(fleet: FleetView) -> Iterator[Problem]:
    """Every LCM segment reaches the API endpoint, through a router where it lies elsewhere."""
    told = set()
    for cluster in fleet.clusters:
        segments = _segments(fleet, cluster)
        for vip in _endpoints(fleet, cluster):
            address = fleet.addresses.get(vip.name)
            home = vip_segment(vip, fleet.model.networks[vip.network])
            for segment in segments:
                # Other segments of the endpoint's family have been asked for their gateways.
                elsewhere = home is None and address is not None
                same = address is not None and address.version == segment.version
                if elsewhere and same and segment.gateway is None and segment.path not in told:
                    told.add(segment.path)
                    wrong = f"is missing, and the API endpoint {vip.name} ({address}) lies outside"
                    right = f"Give the router's address in {segment.cidr}"
                    yield Problem(f"{segment.path}.gateway", None, wrong, right)


def endpoint_is_lcm(networks: Networks) -> Iterator[Problem]:
    """The API endpoint is on an LCM network."""
    for network in networks.values():
        if network.api_endpoint and network.kind != "lcm":
            wrong, right = f"is a {network.kind} network", "Set it on a network of kind lcm"
            yield Problem(f"{network.path}.api_endpoint", True, wrong, right)


def one_network_holds_the_endpoint(fleet: FleetView) -> Iterator[Problem]:
    """One LCM network of a cluster holds the API endpoint, as its address cannot move."""
    told = set()
    for cluster in fleet.clusters:
        networks = fleet.of_cluster(cluster, "lcm")
        holders = [network for network in networks if network.api_endpoint]
        elsewhere = any(network.api_endpoint for network in fleet.of_cluster(cluster))
        for network in holders[1:]:
            if network.name not in told:
                told.add(network.name)
                wrong = f"{holders[0].name} holds the API endpoint of {named_cluster(cluster)}"
                right = "One LCM network holds it, as its address cannot move between networks"
                yield Problem(f"{network.path}.api_endpoint", True, wrong, right)
        if networks and not holders and not elsewhere and networks[0].name not in told:
            told.add(networks[0].name)
            wrong = f"no LCM network holds the API endpoint of {named_cluster(cluster)}"
            right = f"Set it on one of {words(network.name for network in networks)}"
            yield Problem(f"{networks[0].path}.api_endpoint", False, wrong, right)


def lost_routes(
    host: str,
    segments: Iterable[Segment],
    routes: RouteTable,
    planned: Iterable[Mapping[str, Any]],
) -> Iterator[Problem]:
    """Yield the routes between LCM segments that a template's own netplan keys take away (S4.4).

    segments: those in which the host has its LCM address; planned: the routes that it will have
    """
    found = {(route["to"], route["via"]) for route in planned}
    for segment in segments:
        for route in routes.of(segment):
            known = (route.to, route.via) in found or route in segment.routes
            if known or route.to in DEFAULT.values() or _covered(route.to, segment, found):
                continue
            wrong = f"leaves the host without a route to {route.to} by {route.via}"
            macro = f"routes('{segment.network}'{', 6' if segment.version == 6 else ''})"
            right = f"Add to {macro}: a list replaces what was there"
            yield named(Problem("underlay_l2_template.netplan", None, wrong, right, host), "S4.4")


def _covered(to: str, segment: Segment, found: Iterable[tuple[str, str]]) -> bool:
    """Say whether a wider route leads there by a next hop in the segment."""
    target = ip_network(to)
    return any(
        target.version == wide.version
        and target.subnet_of(wide)  # type: ignore[arg-type]  # of one family, as just seen
        and ip_address(via) in segment.cidr
        for wide, via in ((ip_network(text), via) for text, via in found)
    )


def _segments(fleet: FleetView, cluster: str) -> list[Segment]:
    networks = [network for network in fleet.of_cluster(cluster, "lcm") if fleet.is_sound(network)]
    return [segment for network in networks for segment in network.segments]


def _endpoints(fleet: FleetView, cluster: str) -> list[Vip]:
    """Return the VIPs on the network that holds the cluster's API endpoint."""
    names = [network.name for network in fleet.of_cluster(cluster, "lcm") if network.api_endpoint]
    return [
        vip
        for vip in fleet.model.vips
        if vip.network in names and vip.cluster in ("", cluster) and fleet.is_sound(vip)
    ]
