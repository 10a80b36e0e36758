# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's netplan definitions as one set of devices, each with the variable that it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Netplan's sections of devices. Other keys below `network` (version, renderer) are settings.
SECTIONS = (
    "ethernets",
    "modems",
    "wifis",
    "bonds",
    "bridges",
    "vlans",
    "tunnels",
    "dummy-devices",
    "vrfs",
)
_TYPES = {
    "ethernets": "ethernet",
    "bonds": "bond",
    "bridges": "bridge",
    "vlans": "vlan",
    "tunnels": "tunnel",
    "dummy-devices": "dummy",
    "vrfs": "vrf",
}

Netplan = dict[str, Any]


@dataclass(slots=True)
class Part:
    """One netplan file of a host.

    role: who writes it; network: whose it is, None for the links
    netplan: what stands below the file's `network` key
    """

    name: str
    role: str
    network: str | None
    netplan: Netplan = field(default_factory=lambda: {"version": 2})

    def define(self, section: str, name: str, settings: Netplan) -> None:
        """Add a device, or settings to a device that is here already."""
        devices = self.netplan.setdefault(section, {})
        devices[name] = merged(devices.get(name, {}), settings)


@dataclass(frozen=True, slots=True)
class Device:
    """A device as all the files together define it.

    path: the variable that made it; network: the network whose file defines it, if not the links'
    """

    section: str
    name: str
    settings: Mapping[str, Any]
    path: str
    network: str | None

    @property
    def type(self) -> str:
        """The kind of device: ethernet, bond, bridge, vlan …"""
        return _TYPES.get(self.section, self.section)

    @property
    def members(self) -> list[str]:
        """The interfaces below a bond or a bridge."""
        return list(self.settings.get("interfaces", ()))

    @property
    def parent(self) -> str | None:
        """The link below a VLAN."""
        return self.settings.get("link")

    @property
    def addresses(self) -> list[str]:
        """Addresses with prefix lengths. Netplan also takes them as {address: options}."""
        found = []
        for item in self.settings.get("addresses", ()):
            found += list(item) if isinstance(item, Mapping) else [str(item)]
        return found

    @property
    def routes(self) -> list[Mapping[str, Any]]:
        """Routes as netplan writes them, the older gateway4 and gateway6 among them."""
        found = [route for route in self.settings.get("routes", ()) if isinstance(route, Mapping)]
        old = [self.settings[key] for key in ("gateway4", "gateway6") if key in self.settings]
        return found + [{"to": "default", "via": via} for via in old]


def devices(parts: list[Part], paths: Mapping[str, str]) -> dict[str, Device]:
    """Return the devices that the parts define together, by name.

    paths: device name -> the variable that made it
    """
    found: dict[str, Device] = {}
    for part in parts:
        for section, name, settings in definitions(part.netplan):
            before = found.get(name)
            whole = _added(before.settings if before else {}, settings)
            network = before.network if before else part.network
            found[name] = Device(section, name, whole, paths.get(name, ""), network)
    return found


def definitions(netplan: Netplan) -> Iterator[tuple[str, str, Netplan]]:
    """Yield (section, name, settings) of every device in a netplan mapping."""
    for section in SECTIONS:
        for name, settings in (netplan.get(section) or {}).items():
            yield section, name, settings or {}


def _added(under: Mapping[str, Any], over: Mapping[str, Any]) -> Netplan:
    """Return one file's settings and a later one's, as netplan reads both: lists add up."""
    lists = {
        key: [*under[key], *value]
        for key, value in over.items()
        if isinstance(value, list) and isinstance(under.get(key), list)
    }
    return {**merged(under, over), **lists}


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Netplan:
    """Return under with over's values; dictionaries merge, anything else is replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result
