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
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import chain, islice, zip_longest
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import (
    NaturalKey,
    natural_key,
    natural_order,
)

# Peers of a host on one network and family.
PEERS = 32

Mesh = Mapping[str, Any]


def mesh(hosts: Mapping[str, Mapping[str, Any]], fleet: Mapping[str, Any]) -> dict[str, Any]:
    """Return what probes need to know of everybody else, small enough for every host's turn.

    networks: "NETWORK/FAMILY" -> segment -> [[host, address], …] in natural order
    segments: "NETWORK/SEGMENT" -> gateway and mtu
    """
    networks: dict[str, dict[str, list[list[str]]]] = {}
    for host in natural_order(list(hosts)):
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
    }


def probes(plan_mesh: Mesh, part: Mapping[str, Any], limit: int = PEERS) -> list[dict[str, Any]]:
    """Return what a host probes: its gateways, and its peers at the path's MTU.

    part: the host's part of the plan; limit: peers per network and family
    """
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
    return found


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
