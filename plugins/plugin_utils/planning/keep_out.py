# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping hosts out of networks that are not for them: by routes, and from the boards by firewall.

Out-of-band networks must not be reached from the cluster (MOSK, S4.15), and storage replication is
between storage hosts alone (S4.14). A default route leads everywhere, so that not being attached is
not enough. The route answers at once ("unreachable"), for the host and for what it forwards; the
firewall holds while a route is missing, as in the moment before the links are up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model, Network, Segment
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.roles import Roles

# What a host sends itself, and what it forwards for its pods.
_POLICIES = {"underlay-oob-host": "HOST", "underlay-oob-pods": "ANY"}
# Before the zones and before the policy that lets hosts reach pods (priority -1).
_PRIORITY = -10


def kept_out(model: Model) -> list[Segment]:
    """Return the segments that no host of the cluster may reach."""
    return [segment for network in _out_of_band(model.networks) for segment in network.segments]


def wardens(model: Model) -> frozenset[str]:
    """Return the hosts that may reach boards: provisioning hosts switch the machines on."""
    pxe = model.services.pxe
    return Roles(model).hosts_of_all(pxe.servers) if pxe else frozenset()


def is_closed(network: Network, keeps_out: bool) -> bool:
    """Say whether a network is closed to a host that is not attached to it.

    keeps_out: whether the host must not reach boards, as all but provisioning hosts
    """
    return network.kind == "storage_replication" or (network.kind == "oob" and keeps_out)


def unreachable_routes(network: Network) -> list[dict[str, str]]:
    """Return a closed network's routes as netplan writes them (netplan-yaml(5), type)."""
    return [{"to": str(segment.cidr), "type": "unreachable"} for segment in network.segments]


def policies(model: Model, host: str) -> list[dict[str, Any]]:
    """Return a host's firewall policies, in the firewalld module's shapes."""
    segments = [] if host in wardens(model) else kept_out(model)
    if not segments:
        return [{"name": name, "state": "absent"} for name in _POLICIES]
    rules = [
        f'rule family="ipv{segment.version}" destination address="{segment.cidr}" reject'
        for segment in segments
    ]
    return [
        {
            "name": name,
            "state": "present",
            "exclusive": True,
            "target": "CONTINUE",
            "priority": _PRIORITY,
            "ingress_zones": [ingress],
            "egress_zones": ["ANY"],
            "rich_rules": rules,
        }
        for name, ingress in _POLICIES.items()
    ]


def _out_of_band(networks: Mapping[str, Network]) -> list[Network]:
    return [network for network in networks.values() if network.kind == "oob"]
