# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be seen on a host once its plan is applied: read off its devices, for verify."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Network
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.devices import Device
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.routes import DEFAULT
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import PROVISIONING

# Networks that a host which runs has no part in (S4.1, S4.15).
_FORBIDDEN = ("pxe", "oob")
# Ceph, Network Configuration Reference: OSDs, metadata servers and managers listen in this range.
_CEPH_PORTS = "6800-7300"
_CEPH = "Ceph OSD, MDS, manager"


def expectations(devices: Mapping[str, Device], links: Mapping[str, str]) -> dict[str, Any]:
    """Return links, addresses, routes and default routes as plain data.

    links: network -> the interface that carries its address
    """
    network_of = {link: network for network, link in links.items()}
    routes = [
        route
        for device in devices.values()
        for route in _routes(device, network_of.get(device.name))
    ]
    return {
        "links": [_link(device) for device in devices.values()],
        "addresses": [
            {"network": network_of.get(device.name), "link": device.name, "address": address}
            for device in devices.values()
            for address in device.addresses
        ],
        "routes": routes,
        "default_route": [route for route in routes if route["to"] in DEFAULT.values()],
    }


def surroundings(
    part: Mapping[str, Any],
    links: Mapping[str, str],
    networks: Mapping[str, Network],
    vips: Iterable[Mapping[str, Any]],
    *,
    warden: bool,
) -> dict[str, Any]:
    """Return what else verify looks for on a host: what must not be there, and VIPs.

    part: the host's part of the plan; links: network -> the interface that carries it
    vips: the fleet's, as the plan has them; warden: it provisions hosts and switches them on
    """
    if part.get("state") == PROVISIONING:
        return {"silent": [], "forbidden": [], "listeners": [], "vips": []}
    kinds = () if warden else _FORBIDDEN
    return {
        "silent": [
            {"network": name, "link": link}
            for name, link in links.items()
            if not _has_dhcp(networks[name], part["rack"])
        ],
        "forbidden": [
            {"network": network.name, "kind": network.kind, "cidr": str(segment.cidr)}
            for network in networks.values()
            if network.kind in kinds
            for segment in network.segments
        ],
        "listeners": _listeners(part["addresses"]),
        "vips": [
            {
                **{key: vip[key] for key in ("name", "network", "mode", "address")},
                "link": links.get(vip["network"]),
            }
            for vip in vips
            if vip["mode"] != "none" and part["name"] in vip.get("holders", ())
        ],
    }


def _has_dhcp(network: Network, rack: str) -> bool:
    """Say whether a DHCP server is wanted there: by its kind, or by ranges set aside for one."""
    return network.kind == "pxe" or any(
        segment.dhcp_ranges for segment in network.segments_for(rack)
    )


def _listeners(addresses: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return where Ceph's servers may listen, on hosts with storage networks (S4.13-14)."""
    storage = [
        item for item in addresses if item["kind"] in ("storage_access", "storage_replication")
    ]
    if not storage:
        return []
    return [
        {
            "what": _CEPH,
            "ports": _CEPH_PORTS,
            "networks": list(dict.fromkeys(item["network"] for item in storage)),
            "addresses": [item["address"].partition("/")[0] for item in storage],
        }
    ]


def _link(device: Device) -> dict[str, Any]:
    link: dict[str, Any] = {
        "name": device.name,
        "type": device.type,
        "mtu": device.settings.get("mtu"),
        "network": device.network,
    }
    if device.type == "vlan":
        link |= {"vlan": device.settings.get("id"), "parent": device.parent}
    if device.type in ("bond", "bridge"):
        link["members"] = device.members
    return link


def _routes(device: Device, network: str | None) -> list[dict[str, Any]]:
    """Return the main table's routes; others are not on every host's way."""
    found = []
    for route in device.routes:
        if "table" in route or "via" not in route:
            continue
        to, via = str(route["to"]), str(route["via"])
        if to == "default":
            to = DEFAULT[6 if ":" in via else 4]
        found.append({"network": network, "to": to, "via": via, "link": device.name})
    return found
