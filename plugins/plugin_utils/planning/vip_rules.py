# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on virtual addresses: who may hold one, and how it moves (MOSK, S4.6 and S4.7)."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Host,
    Network,
    Segment,
    Vip,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.claims import (
    vip_holders,
    vip_segment,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.rules import (
    FleetView,
    Networks,
    words,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.vip_ids import (
    ROUTER_IDS,
    router_id,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import (
    BGP,
    Bgp,
    Peer,
)

# Ranges of a segment that each serve somebody else: hosts, services, DHCP clients, VIPs.
_APART = ("ranges", "service_ranges", "dhcp_ranges", "vip_ranges")


def ranges_are_disjoint(networks: Networks) -> Iterator[Problem]:
    """An address of a segment is for a host, a service, a DHCP client or a VIP, not for two."""
    for network in networks.values():
        for segment in network.segments:
            yield from _overlaps(segment)


def _overlaps(segment: Segment) -> Iterator[Problem]:
    before: list[tuple[str, str, int]] = []
    parts = [(key, n, part) for key in _APART for n, part in enumerate(getattr(segment, key))]
    for index, (key, number, part) in enumerate(parts):
        before = [
            (other, str(item), place)
            for other, place, item in parts[:index]
            if other != key and item.overlaps(part)
        ]
        if before:
            other, text, place = before[0]
            wrong = f"overlaps {other}[{place}], {text}"
            right = f"Give {key} addresses that {other} does not have"
            yield Problem(f"{segment.path}.{key}[{number}]", str(part), wrong, right)


def vip_has_holders(fleet: FleetView) -> Iterator[Problem]:
    """Somebody may hold a VIP."""
    for vip, _network in _sound(fleet):
        if vip.mode == "none":
            continue
        if fleet.hosts and not vip_holders(vip, fleet.model, fleet.roles):
            known = [role for role in fleet.roles.known if fleet.roles.hosts(role)]
            where = f" in cluster {vip.cluster}" if vip.cluster else ""
            right = f"Name roles or groups with hosts: {words(known)}"
            wrong = f"stands for no host of the fleet{where}, so nobody holds the VIP"
            yield Problem(f"{vip.path}.roles", list(vip.roles), wrong, right)


def vip_segment_reaches_holders(fleet: FleetView) -> Iterator[Problem]:
    """An ARP VIP moves within one segment, which reaches its holders, and all managers if LCM's."""
    for vip, network in _sound(fleet):
        home = vip_segment(vip, network)
        holders = vip_holders(vip, fleet.model, fleet.roles)
        if vip.mode != "arp" or home is None or not holders:
            continue
        managers = fleet.roles.nodes("manager") if network.api_endpoint else frozenset()
        lacking = [
            host.name
            for host in fleet.hosts
            if host.name in holders or (host.name in managers and vip.cluster in ("", host.cluster))
            if _lacks(fleet, host, network, home)
        ]
        if lacking:
            where = f"its segment {home.name} of {network.name}"
            wrong = f"{where} does not reach {words(lacking)}"
            right = (
                "One segment has all that may hold the VIP, and all managers of the API: "
                "attach it there, or give the VIP other roles, or a cluster"
            )
            yield Problem(f"{vip.path}.roles", list(vip.roles), wrong, right)


def _lacks(fleet: FleetView, host: Host, network: Network, home: Segment) -> bool:
    if network not in fleet.addressed(host):
        return True
    mine = fleet.segments(host, network)
    # A rack without any segment is told where that is looked for.
    return bool(mine) and home not in mine


def router_ids_are_bytes(fleet: FleetView) -> Iterator[Problem]:
    """A router id is one byte, and not 0 (RFC 5798, 5.2.3)."""
    for vip in fleet.model.vips:
        if vip.router_id is not None and vip.router_id not in ROUTER_IDS:
            right = f"Give {ROUTER_IDS[0]} to {ROUTER_IDS[-1]}, or leave it out"
            yield Problem(f"{vip.path}.router_id", vip.router_id, "is no VRRP router id", right)


def router_ids_are_unique(fleet: FleetView) -> Iterator[Problem]:
    """On one VLAN a router id is one VIP's; each address family has its own (RFC 5798, 1)."""
    holder: dict[tuple[str, int | None, int, int], Vip] = {}
    for vip, network in _sound(fleet):
        home = vip_segment(vip, network)
        address = fleet.addresses.get(vip.name)
        if vip.mode != "arp" or home is None or address is None:
            continue
        number = router_id(vip, address)
        first = holder.setdefault((network.name, home.vlan, home.version, number), vip)
        if first is not vip:
            wrong = f"is the router id of VIP {first.name} too, on segment {home.name}"
            right = f"Give one of them a router_id of its own, {ROUTER_IDS[0]} to {ROUTER_IDS[-1]}"
            yield Problem(f"{vip.path}.router_id", number, wrong, right)


def announced_vips_have_peers(fleet: FleetView) -> Iterator[Problem]:
    """A VIP that is announced by BGP needs, at each of its holders, a peer of its family."""
    bgp = fleet.model.services.bgp
    announced = [vip for vip, _network in _sound(fleet) if vip.mode == "bgp"]
    if announced and bgp is None:
        names = words(vip.name for vip in announced)
        right = "Name the routers that hosts announce to, or set mode: arp"
        yield Problem(BGP, None, f"is missing, and VIPs are announced by BGP: {names}", right)
    found: dict[str, Problem] = {}
    for vip in announced if bgp else ():
        for name in vip_holders(vip, fleet.model, fleet.roles):
            problem = bgp and _peerless(fleet, fleet.model.hosts[name], vip, bgp)
            if problem:
                # Hosts of a rack share their peers, so the first one speaks for all.
                found.setdefault(problem.path + problem.wrong, problem)
    yield from found.values()


def _peerless(fleet: FleetView, host: Host, vip: Vip, bgp: Bgp) -> Problem | None:
    address = fleet.addresses.get(vip.name)
    if address is None:
        return None
    peers = bgp.peers_for(host.rack)
    segments = [
        segment
        for network in fleet.addressed(host, "lcm")
        for segment in fleet.segments(host, network)
        if segment.version == address.version
    ]
    if any(_speaks(peer, address.version, segments) for peer in peers):
        return None
    if segments and any(peer.address is None for peer in peers):
        wrong = f"is missing, and VIP {vip.name} is announced to it"
        right = f"Give the router's address in {segments[0].cidr}, or the peer an address"
        return Problem(f"{segments[0].path}.gateway", None, wrong, right)
    wrong = f"has no IPv{address.version} peer for rack {host.rack or '(empty)'}"
    right = f"Add one, as hosts there announce VIP {vip.name}; without rack, it is for all"
    return Problem(f"{BGP}.peers", None, wrong, right)


def _speaks(peer: Peer, version: int, segments: list[Segment]) -> bool:
    if peer.address is not None:
        return peer.address.version == version
    return any(segment.gateway is not None for segment in segments)


def _sound(fleet: FleetView) -> Iterator[tuple[Vip, Network]]:
    """Yield the VIPs, with their networks, of which nothing is known to be wrong."""
    for vip in fleet.model.vips:
        network = fleet.model.networks.get(vip.network)
        if network is not None and fleet.is_sound(network) and fleet.is_sound(vip):
            yield vip, network
