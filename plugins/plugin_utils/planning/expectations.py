# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be seen on a host once its plan is applied: read off its devices, for verify."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.devices import Device
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.routes import DEFAULT


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
