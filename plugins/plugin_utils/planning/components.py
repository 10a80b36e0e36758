# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster runs and needs ports for: as a person lists it, and as the networks imply it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from ansible_collections.underlay.cluster.plugins.plugin_utils.firewall_model import Component
from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Network as Cidr
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import BGP, PXE

VIPS = "underlay_vips"


def components(model: Model) -> list[Component]:
    """Return the components; what a person says of one goes before what is implied of it."""
    given = list(model.firewall.components)
    names = {item.name for item in given}
    return given + [item for item in _implied(model) if item.name not in names]


def _implied(model: Model) -> Iterator[Component]:
    if model.services.pxe is not None:
        yield Component("pxe", model.services.pxe.servers, (), f"{PXE}.servers")
    if roles := _roles(model, "arp"):
        yield Component("keepalived", roles, (), VIPS)
    if roles := _roles(model, "bgp"):
        yield Component("bgp", roles, _peers(model), BGP)


def _roles(model: Model, mode: str) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(role for vip in model.vips if vip.mode == mode for role in vip.roles)
    )


def _peers(model: Model) -> tuple[Cidr, ...]:
    """Return the routers that hosts speak BGP with; a peer without an address is the gateway."""
    peers = model.services.bgp.peers if model.services.bgp else ()
    addresses = [peer.address for peer in peers if peer.address is not None]
    if any(peer.address is None for peer in peers):
        addresses += [
            segment.gateway
            for network in model.networks.values()
            if network.kind == "lcm"
            for segment in network.segments
            if segment.gateway is not None
        ]
    return tuple(ip_network(f"{item}/{item.max_prefixlen}") for item in dict.fromkeys(addresses))
