# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner knows as plain data: the shapes of the plan, the fleet's part and a host's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Host,
    Model,
    Network,
    Segment,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.l2 import HostLinks
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.nics import Nic

FORMAT = 1


def fleet_data(
    model: Model,
    hosts: Iterable[str],
    vips: Mapping[str, str],
    holders: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Return the part that is nobody's own.

    hosts: their names in order; vips: name -> address; holders: VIP -> the hosts that may hold it
    """
    return {
        "format": FORMAT,
        "networks": [_network(network) for network in model.networks.values()],
        "vips": [
            {
                "name": vip.name,
                "network": vip.network,
                "mode": vip.mode,
                "address": vips[vip.name],
                "port": vip.port,
                "cluster": vip.cluster,
                "holders": list(holders[vip.name]),
            }
            for vip in model.vips
            if vip.name in vips
        ],
        "bmcs": [
            {"host": name, "address": str(bmc.address)}
            for name in hosts
            if (bmc := model.hosts[name].bmc)
        ],
    }


def host_data(
    host: Host,
    nics: Mapping[str, Sequence[Nic]],
    addresses: list[dict[str, Any]],
    built: HostLinks,
    expect: dict[str, Any],
) -> dict[str, Any]:
    """Return a host's part. nics: NIC group -> what it picked; expect: what verify looks for."""
    return {
        "name": host.name,
        "rack": host.rack,
        "cluster": host.cluster,
        "state": host.state,
        "nics": {group: [nic["name"] for nic in members] for group, members in nics.items()},
        "addresses": addresses,
        "files": [
            {
                "name": part.name,
                "role": part.role,
                "network": part.network,
                "netplan": {"network": part.netplan},
            }
            for part in built.parts
        ],
        "expect": expect,
    }


def address_data(
    network: Network,
    segment: Segment,
    addresses: Mapping[tuple[str, int], str],
    links: Mapping[str, str],
) -> dict[str, Any]:
    """Return a host's address on a segment, and the interface that carries it."""
    return {
        "network": network.name,
        "kind": network.kind,
        "segment": segment.name,
        "link": links[network.name],
        "address": addresses[network.name, segment.version],
    }


def _network(network: Network) -> dict[str, Any]:
    return {
        "name": network.name,
        "kind": network.kind,
        "role": network.role,
        "segments": [
            {
                "name": segment.name,
                "racks": list(segment.racks),
                "vlan": segment.vlan,
                "cidr": str(segment.cidr),
                "gateway": str(segment.gateway) if segment.gateway else None,
                "mtu": segment.mtu,
                "service_ranges": [str(part) for part in segment.service_ranges],
            }
            for segment in network.segments
        ],
    }
