# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom each host asks for an answer, so that the whole fleet is covered without n times n probes.

Up to the limit, every host asks every other one on each network. Above it, each asks the hosts that
follow it round its own segment, and round every other segment those that follow the place which
corresponds to its own, the segments taking turns: so no host is asked by many more than another,
whatever the racks' hosts are called, and every pair of segments is crossed. The limit also keeps
below the kernel's neighbour table, which lies without an error beyond 1,024 entries
(net.ipv4.neigh.default.gc_thresh3).

Every host asks each VIP that some host may hold. BMCs must answer to nobody: each host tries some,
and all hosts together try all of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from ipaddress import ip_address, ip_network
from itertools import chain, islice, zip_longest
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import (
    NaturalKey,
    natural_key,
    natural_order,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import PROVISIONING

# Peers of a host on one network and family.
PEERS = 32
# BMCs that a host tries: all at once, with four ports each, they stay a small crowd of sockets.
BMCS = 32

Mesh = Mapping[str, Any]


def mesh(
    hosts: Mapping[str, Mapping[str, Any]],
    fleet: Mapping[str, Any],
    wardens: Set[str] = frozenset(),
) -> dict[str, Any]:
    """Return what probes need to know of everybody else, small enough for every host's turn.

    networks: "NETWORK/FAMILY" -> segment -> [[host, address], …] in natural order
    segments: "NETWORK/SEGMENT" -> gateway and mtu
    vips: those that a host may hold, with their network's kind and the path's mtu
    bmcs: with their network; asking: who tries them, in natural order: all but the wardens, who
    switch machines on

    Hosts that are provisioned neither ask nor are asked; their BMCs are.
    """
    operational = [
        host for host in natural_order(list(hosts)) if hosts[host].get("state") != PROVISIONING
    ]
    networks: dict[str, dict[str, list[list[str]]]] = {}
    for host in operational:
        for item in hosts[host]["addresses"]:
            address = item["address"].split("/")[0]
            key = f"{item['network']}/{6 if ':' in address else 4}"
            segments = networks.setdefault(key, {})
            segments.setdefault(item["segment"], []).append([host, address])
    return {
        "networks": networks,
        "segments": {
            f"{network['name']}/{segment['name']}": {
                "gateway": segment["gateway"],
                "mtu": segment["mtu"],
            }
            for network in fleet["networks"]
            for segment in network["segments"]
        },
        "vips": [
            _vip(vip, fleet["networks"])
            for vip in fleet.get("vips", ())
            # One that others hold may not be up before their own installation.
            if vip["mode"] != "none" and set(operational).intersection(vip.get("holders", ()))
        ],
        "bmcs": [
            {**bmc, "network": _network_of(bmc["address"], fleet["networks"])}
            for bmc in fleet.get("bmcs", ())
        ],
        "asking": [host for host in operational if host not in wardens and fleet.get("bmcs")],
    }


def probes(plan_mesh: Mesh, part: Mapping[str, Any], limit: int = PEERS) -> list[dict[str, Any]]:
    """Return what a host probes: its gateways, its peers and VIPs at the path's MTU, and BMCs.

    part: the host's part of the plan; limit: peers per network and family
    """
    if part.get("state") == PROVISIONING:
        return []
    found = []
    for item in part["addresses"]:
        source = item["address"].split("/")[0]
        segment = plan_mesh["segments"][f"{item['network']}/{item['segment']}"]
        common = {"network": item["network"], "source": source, "link": item["link"]}
        if segment["gateway"]:
            gateway = {"target": "gateway", "host": None, "address": segment["gateway"]}
            found.append({**common, **gateway, "mtu": segment["mtu"]})
        key = f"{item['network']}/{6 if ':' in source else 4}"
        segments = plan_mesh["networks"][key]
        for name, peer, address in _peers(segments, item["segment"], part["name"], limit):
            other = plan_mesh["segments"][f"{item['network']}/{name}"]
            # Between segments a packet is as long as the shorter of both allows.
            mtu = min(segment["mtu"], other["mtu"])
            found.append({**common, "target": "peer", "host": peer, "address": address, "mtu": mtu})
    return [*found, *_vip_probes(plan_mesh, part), *_bmc_probes(plan_mesh, part["name"])]


def _vip(vip: Mapping[str, Any], networks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    network = next(item for item in networks if item["name"] == vip["network"])
    home = [item for item in network["segments"] if _is_in(vip["address"], item)]
    return {
        "name": vip["name"],
        "network": vip["network"],
        "kind": network["kind"],
        "cluster": vip.get("cluster", ""),
        "address": vip["address"],
        # An address outside of all segments is on a host of any of them.
        "mtu": min(segment["mtu"] for segment in home or network["segments"]),
    }


def _network_of(address: str, networks: Iterable[Mapping[str, Any]]) -> str | None:
    for network in networks:
        if network["kind"] == "oob" and any(_is_in(address, item) for item in network["segments"]):
            return str(network["name"])
    return None


def _is_in(address: str, segment: Mapping[str, Any]) -> bool:
    return ip_address(address) in ip_network(segment["cidr"])


def _vip_probes(plan_mesh: Mesh, part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one probe a VIP of the host's cluster, from the VIP's network or one of its kind."""
    for vip in plan_mesh.get("vips", ()):
        if vip["cluster"] not in ("", part.get("cluster", "")):
            continue
        version = ip_address(vip["address"]).version
        places = [
            item
            for item in part["addresses"]
            if item["kind"] == vip["kind"] and (":" in item["address"]) == (version == 6)
        ]
        places.sort(key=lambda item: item["network"] != vip["network"])
        for item in places[:1]:
            segment = plan_mesh["segments"][f"{item['network']}/{item['segment']}"]
            yield {
                "network": item["network"],
                "source": item["address"].partition("/")[0],
                "link": item["link"],
                "target": "vip",
                "host": vip["name"],
                "address": vip["address"],
                "mtu": min(segment["mtu"], vip["mtu"]),
            }


def _bmc_probes(plan_mesh: Mesh, host: str) -> Iterator[dict[str, Any]]:
    """Yield the host's share of the BMCs: those that follow the place which corresponds to its own.

    The shares overlap and leave none out, but where there are more than BMCS for each host.
    """
    bmcs, asking = plan_mesh.get("bmcs", ()), plan_mesh.get("asking", ())
    if not bmcs or host not in asking:
        return
    place = bisect_left(asking, _order(host), key=_order)
    start = place * len(bmcs) // len(asking)
    behind = chain(islice(bmcs, start, None), bmcs)
    for bmc in islice(behind, min(len(bmcs), BMCS)):
        yield {
            "network": bmc["network"],
            "source": None,
            "link": None,
            "target": "refused",
            "host": f"BMC of {bmc['host']}",
            "address": bmc["address"],
            "mtu": None,
        }


def _peers(
    segments: Mapping[str, list[list[str]]], own: str, host: str, limit: int
) -> Iterator[tuple[str, str, str]]:
    """Yield (segment, host, address) of the peers, the segments taking turns."""
    neighbours = segments[own]
    place = bisect_left(neighbours, _order(host), key=lambda member: _order(member[0]))
    # With more segments than peers, the hosts of one segment share out the others.
    first = (list(segments).index(own) + place * limit) % len(segments)
    names = [*islice(segments, first, None), *islice(segments, first)]
    rings = []
    for name in names:
        members = segments[name]
        start = place + 1 if name == own else place * len(members) // len(neighbours)
        others = len(members) - 1 if name == own else len(members)
        behind = islice(chain(islice(members, start, None), members), min(others, limit))
        rings.append([(name, peer, address) for peer, address in behind])
    in_turn = (peer for row in zip_longest(*rings) for peer in row if peer is not None)
    yield from islice(in_turn, limit)


def _order(name: str) -> tuple[NaturalKey, str]:
    return natural_key(name), name
