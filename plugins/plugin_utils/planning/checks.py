# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of the networks and VIPs themselves, before any host is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_network

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Address, Range
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Network,
    Segment,
    Vip,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.claims import vip_segment
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.network_rules import (
    check_network_rules,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.routes import siblings
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.rules import named
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

# A network's name becomes part of a file's name on hosts.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
# 1280: the least that IPv6 works with (RFC 8200, 5), and any Ethernet carries it. 65535: IPv4's
# longest packet (RFC 791, 3.1).
MTU_RANGE = range(1280, 65536)
# IEEE 802.1Q: 0 and 4095 are reserved.
VLAN_RANGE = range(1, 4095)
# No host's unicast address lies in these (RFC 1122, 3927, 5771; RFC 4291).
_UNUSABLE = {
    ip_network("0.0.0.0/8"): "'this network'",
    ip_network("127.0.0.0/8"): "loopback",
    ip_network("169.254.0.0/16"): "link-local",
    ip_network("224.0.0.0/4"): "multicast",
    ip_network("::1/128"): "loopback",
    ip_network("fe80::/10"): "link-local",
    ip_network("ff00::/8"): "multicast",
}
# Kinds of networks whose segments are connected by a router, and the rows of the MOSK document that
# say so. A PXE server's answers go to the other segments by their routers' relays. No host is on a
# network of the boards.
_ROUTED = {
    "pxe": "S4.1",
    "lcm": "S4.3",
    "workload": "S4.8",
    "external": "",
    "storage_access": "S4.13",
    "storage_replication": "S4.14",
}


def check_networks(networks: Mapping[str, Network]) -> list[Problem]:
    """Return everything that is wrong with the networks and their segments."""
    problems: list[Problem] = []
    for network in networks.values():
        problems += _check_name(network)
        for segment in network.segments:
            for check in _SEGMENT_CHECKS:
                problems += check(network, segment)
        problems += _check_shared_l2(network)
    problems += _check_overlaps(networks.values())
    return problems + check_network_rules(networks)


def check_vips(vips: Iterable[Vip], networks: Mapping[str, Network]) -> list[Problem]:
    """Return everything that is wrong with the VIPs."""
    vips = list(vips)
    problems = [problem for vip in vips for problem in _check_vip(vip, networks)]
    return problems + list(_check_same_vips(vips))


def _check_name(network: Network) -> Iterator[Problem]:
    if not _NAME.fullmatch(network.name):
        right = "Use letters, digits, _ and -, 32 at most"
        yield Problem(f"{network.path}.name", network.name, "cannot be a file's name", right)


def _check_vlan(_network: Network, segment: Segment) -> Iterator[Problem]:
    if segment.vlan is not None and segment.vlan not in VLAN_RANGE:
        right = f"Give a VLAN id from {VLAN_RANGE[0]} to {VLAN_RANGE[-1]}"
        yield Problem(f"{segment.path}.vlan", segment.vlan, "is not a VLAN id", right)


def _check_mtu(_network: Network, segment: Segment) -> Iterator[Problem]:
    if segment.mtu not in MTU_RANGE:
        right = f"Give {MTU_RANGE[0]} to {MTU_RANGE[-1]} bytes"
        yield Problem(f"{segment.path}.mtu", segment.mtu, "is not an MTU", right)


def _check_cidr(_network: Network, segment: Segment) -> Iterator[Problem]:
    for block, what in _UNUSABLE.items():
        if block.version == segment.version and segment.cidr.overlaps(block):
            right = "Give a subnet of unicast addresses"
            yield Problem(f"{segment.path}.cidr", str(segment.cidr), f"is {what} space", right)


def _check_gateway(network: Network, segment: Segment) -> Iterator[Problem]:
    path = f"{segment.path}.gateway"
    if segment.gateway is not None:
        yield from _usable(segment, segment.gateway, path)
        return
    needs = [other.name for other in siblings(network, segment)]
    if needs and network.kind in _ROUTED:
        wrong = f"is missing, and the network has other segments ({', '.join(needs)})"
        right = f"Give the router's address in {segment.cidr}, so that hosts can reach them"
        yield named(Problem(path, None, wrong, right), _ROUTED[network.kind])
    elif network.default_route:
        right = f"Give the router's address in {segment.cidr}, or set default_route: false"
        yield Problem(path, None, "is missing, and the network has the default route", right)


def _check_nameservers(_network: Network, segment: Segment) -> Iterator[Problem]:
    for index, server in enumerate(segment.nameservers):
        path = f"{segment.path}.nameservers[{index}]"
        if server.version == segment.version and server in segment.cidr:
            yield from _usable(segment, server, path)
        elif segment.gateway is None:
            wrong = f"is outside of {segment.cidr}, and the segment has no gateway to reach it by"
            right = f"Give a name server in {segment.cidr}, or the segment a gateway"
            yield Problem(path, str(server), wrong, right)


def _check_ranges(_network: Network, segment: Segment) -> Iterator[Problem]:
    for key in ("ranges", "exclude", "service_ranges", "dhcp_ranges", "vip_ranges"):
        parts: tuple[Range, ...] = getattr(segment, key)
        for index, part in enumerate(parts):
            inside = part.version == segment.version and (
                part.first in segment.whole and part.last in segment.whole
            )
            if not inside:
                path = f"{segment.path}.{key}[{index}]"
                right = f"Give addresses from {segment.whole}"
                yield Problem(path, str(part), f"is outside of {segment.cidr}", right)


def _check_routes(_network: Network, segment: Segment) -> Iterator[Problem]:
    for index, route in enumerate(segment.routes):
        to = ip_network(route.to)
        path = f"{segment.path}.routes[{index}]"
        if to.version != segment.version:
            right = f"Put it on the IPv{to.version} segment"
            yield Problem(f"{path}.to", route.to, f"is not IPv{segment.version}", right)
        via = ip_address(route.via)
        # Routers of IPv6 are also known by their link-local addresses (RFC 4861, 8).
        if via not in segment.cidr and not (segment.version == 6 and via.is_link_local):
            wrong = f"is an off-link next hop: the segment is {segment.cidr}"
            right = f"Give a next hop in {segment.cidr}"
            yield Problem(f"{path}.via", route.via, wrong, right)


_SEGMENT_CHECKS: tuple[Callable[[Network, Segment], Iterator[Problem]], ...] = (
    _check_vlan,
    _check_mtu,
    _check_cidr,
    _check_gateway,
    _check_nameservers,
    _check_ranges,
    _check_routes,
)


def _usable(segment: Segment, address: Address, path: str) -> Iterator[Problem]:
    first, last = segment.whole.first, segment.whole.last
    right = f"Give a host address in {segment.cidr}"
    if address.version != segment.version or address not in segment.cidr:
        yield Problem(path, str(address), f"is outside of {segment.cidr}", right)
    elif last - first > 1 and segment.version == 4 and int(address) in (first, last):
        what = "network" if int(address) == first else "broadcast"
        yield Problem(path, str(address), f"is the {what} address of {segment.cidr}", right)


def _check_shared_l2(network: Network) -> Iterator[Problem]:
    """Segments of one rack and VLAN are one L2 domain: one of each family, and one MTU."""
    for index, segment in enumerate(network.segments):
        for other in network.segments[:index]:
            same_rack = set(segment.racks) & set(other.racks) or segment.racks == other.racks
            if not same_rack:
                continue
            if segment.version == other.version:
                rack = f"rack {segment.racks[0]}" if segment.racks else "racks without their own"
                wrong = f"is a second IPv{segment.version} segment for {rack}, after {other.name}"
                right = "Give each rack one segment of each address family"
                yield Problem(f"{segment.path}.rack", list(segment.racks), wrong, right)
            elif segment.vlan != other.vlan:
                wrong = f"differs from {other.name}'s ({other.vlan}), which shares the rack"
                right = "Both families of a rack share one VLAN"
                yield Problem(f"{segment.path}.vlan", segment.vlan, wrong, right)
            elif segment.mtu != other.mtu:
                wrong = f"differs from {other.name}'s ({other.mtu}), which shares the VLAN"
                yield Problem(f"{segment.path}.mtu", segment.mtu, wrong, "One VLAN has one MTU")


def _check_overlaps(networks: Iterable[Network]) -> Iterator[Problem]:
    segments = sorted(
        (segment for network in networks for segment in network.segments),
        key=lambda segment: (segment.version, segment.whole.first, -segment.whole.last),
    )
    # Sorted by their first address, a subnet can only overlap the widest one still open.
    open_one: Segment | None = None
    for segment in segments:
        if open_one is not None and segment.whole.overlaps(open_one.whole):
            wrong = f"overlaps {open_one.cidr} of {open_one.path}"
            right = "Every segment has a subnet of its own"
            yield Problem(f"{segment.path}.cidr", str(segment.cidr), wrong, right)
        else:
            open_one = segment


def _check_vip(vip: Vip, networks: Mapping[str, Network]) -> Iterator[Problem]:
    network = networks.get(vip.network)
    if network is None:
        right = f"The networks are {', '.join(networks)}"
        yield Problem(f"{vip.path}.network", vip.network, "is not a network", right)
        return
    names = [segment.name for segment in network.segments]
    if vip.segment is not None and vip.segment not in names:
        right = f"The segments of {network.name} are {', '.join(names)}"
        yield Problem(f"{vip.path}.segment", vip.segment, "is not a segment", right)
    elif vip.address is None and vip_segment(vip, network) is None:
        right = f"Name one of {', '.join(names)}, or give a fixed address"
        wrong = f"is missing, and {network.name} has {len(names)} segments"
        yield Problem(f"{vip.path}.segment", None, wrong, right)
    elif vip.address is not None and vip.mode == "arp" and vip_segment(vip, network) is None:
        cidrs = ", ".join(
            str(segment.cidr) for segment in network.segments if vip.segment in (None, segment.name)
        )
        right = f"With mode arp it lies in a segment of {network.name}: {cidrs}"
        problem = Problem(
            f"{vip.path}.address", str(vip.address), "is outside of its network", right
        )
        yield named(problem, "S4.6" if network.kind == "lcm" else "")
    elif vip.address is not None and vip_segment(vip, network) is None:
        yield from _check_announced(vip, networks)


def _check_announced(vip: Vip, networks: Mapping[str, Network]) -> Iterator[Problem]:
    """An address announced from outside of the VIP's network must not be somebody else's."""
    for network in networks.values():
        for segment in network.segments:
            if vip.address in segment.cidr:
                wrong = f"lies in {segment.cidr} of {segment.path}"
                right = "Name that network and segment, or give an address outside of all segments"
                yield Problem(f"{vip.path}.address", str(vip.address), wrong, right)


def _check_same_vips(vips: Iterable[Vip]) -> Iterator[Problem]:
    holder: dict[Address, Vip] = {}
    for vip in vips:
        if vip.address is None:
            continue
        first = holder.setdefault(vip.address, vip)
        if first is not vip:
            right = "Give each VIP an address of its own"
            yield Problem(f"{vip.path}.address", str(vip.address), f"is {first.name}'s", right)
