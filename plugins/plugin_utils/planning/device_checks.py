# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of a host's devices, whoever defined them: the template's keys or its netplan.

`netplan generate` accepts most of these silently, and the host is cut off when they are applied:
duplicate VLAN ids on one parent, off-link next hops, a VLAN's MTU above its parent's, an address on
a bond member (measured on netplan 0.106).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from ipaddress import (
    IPv4Interface,
    IPv6Interface,
    ip_address,
    ip_interface,
    ip_network,
)

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Address
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.checks import MTU_RANGE
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.devices import Device
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.routes import DEFAULT
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

# linux/if.h: IFNAMSIZ is 16, with the terminating zero.
NAME_LENGTH = 15
# Addresses of these routes' tables are not in the way of the main table's default route.
_MAIN_TABLE = 254

Devices = Mapping[str, Device]


def check_devices(host: str, devices: Devices) -> list[Problem]:
    """Return everything that is wrong with a host's devices."""
    found = [item for check in _CHECKS for item in check(devices)]
    return [Problem(path, value, wrong, right, host) for path, value, wrong, right in found]


_Finding = tuple[str, object, str, str]


def _names(devices: Devices) -> Iterator[_Finding]:
    for device in devices.values():
        if len(device.name) > NAME_LENGTH or "/" in device.name or " " in device.name:
            wrong = f"makes an interface name of {len(device.name)} characters"
            right = f"Give a name of at most {NAME_LENGTH} characters without / and spaces"
            yield device.path, device.name, wrong, right


def _below(devices: Devices) -> Iterator[_Finding]:
    """Links and members that are not defined anywhere."""
    for device in devices.values():
        below = [*device.members, *([device.parent] if device.parent else [])]
        for name in below:
            if name not in devices:
                right = f"The host's devices are {', '.join(devices)}"
                yield device.path, name, f"{device.name} is on a link that is not defined", right


def _vlans(devices: Devices) -> Iterator[_Finding]:
    first: dict[tuple[object, object], Device] = {}
    for device in devices.values():
        if device.type != "vlan":
            continue
        key = device.parent, device.settings.get("id")
        other = first.setdefault(key, device)
        if other is not device:
            wrong = f"VLAN {key[1]} on {key[0]} is there already, as {other.name} ({other.path})"
            yield device.path, device.name, wrong, "One VLAN is one interface on its parent"


def _members(devices: Devices) -> Iterator[_Finding]:
    holder: dict[str, Device] = {}
    for device in devices.values():
        for name in device.members:
            other = holder.setdefault(name, device)
            if other is not device:
                right = "A link belongs to one bond or bridge"
                yield device.path, name, f"is a member of {other.name} already", right
            elif device.members.count(name) > 1:
                yield device.path, name, f"is in {device.name} twice", "Name each member once"
            member = devices.get(name)
            if member and (member.addresses or member.settings.get("dhcp4") is True):
                wrong = f"has an address and is a member of {device.name}"
                right = f"Put the address on {device.name}"
                yield member.path, name, wrong, right
        if device.type == "bond" and not device.members:
            yield device.path, device.name, "is a bond without members", "Name its NICs"


def _mtus(devices: Devices) -> Iterator[_Finding]:
    for device in devices.values():
        mtu = device.settings.get("mtu")
        if mtu is not None and int(mtu) not in MTU_RANGE:
            right = f"Give {MTU_RANGE[0]} to {MTU_RANGE[-1]} bytes"
            yield device.path, mtu, f"is not an MTU for {device.name}", right
        for name in [*device.members, *([device.parent] if device.parent else [])]:
            below = devices.get(name)
            room = below.settings.get("mtu") if below else None
            if mtu is not None and room is not None and int(mtu) > int(room):
                wrong = f"{device.name} has MTU {mtu}, and {name} below it {room}"
                yield device.path, mtu, wrong, f"Raise {name}'s MTU, or lower {device.name}'s"


def _default_routes(devices: Devices) -> Iterator[_Finding]:
    first: dict[tuple[int, object, object], Device] = {}
    for device in devices.values():
        for route in device.routes:
            family = _default_family(route)
            if family is None:
                continue
            key = family, route.get("table", _MAIN_TABLE), route.get("metric")
            other = first.get(key)
            if other is None:
                first[key] = device
                continue
            wrong = f"brings a second IPv{family} default route, after {other.name}'s"
            right = "Set default_route on one network of the host"
            yield device.path, f"via {route.get('via')}", wrong, right


def _default_family(route: Mapping[str, object]) -> int | None:
    to, via = str(route.get("to", "")), str(route.get("via", ""))
    if to not in ("default", *DEFAULT.values()):
        return None
    return 6 if ":" in via or to == DEFAULT[6] else 4


def _next_hops(devices: Devices) -> Iterator[_Finding]:
    for device in devices.values():
        for route in device.routes:
            via = route.get("via")
            if via is None or route.get("on-link") is True:
                continue
            hop = _address(str(via))
            if hop is None:
                yield device.path, via, "is not an address", "Give the next hop's address"
                continue
            read = [_interface(address) for address in device.addresses]
            subnets = [interface.network for interface in read if interface is not None]
            if hop.is_link_local or any(hop in subnet for subnet in subnets):
                continue
            on = ", ".join(map(str, subnets)) or "no subnet"
            wrong = f"is an off-link next hop: {device.name} is on {on}"
            yield device.path, str(via), wrong, "Give a next hop on the link, or on-link: true"


def _same_addresses(devices: Devices) -> Iterator[_Finding]:
    holder: dict[str, Device] = {}
    for device in devices.values():
        for address in device.addresses:
            other = holder.setdefault(address.split("/")[0], device)
            if other is not device:
                right = "Give the address to one device"
                yield device.path, address, f"is on {other.name} as well", right


def _subnets(devices: Devices) -> Iterator[_Finding]:
    for device in devices.values():
        for address in device.addresses:
            if _interface(address) is None:
                right = "Give an address with its prefix length, as 192.0.2.10/24"
                yield device.path, address, "is not an address", right
        for route in device.routes:
            to = str(route.get("to", ""))
            if to != "default" and not _is_network(to):
                yield device.path, to, "is not a route's destination", "Give default or a CIDR"


# A fleet has few next hops and destinations, and each address is looked at more than once.
@lru_cache(maxsize=4096)
def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _interface(text: str) -> IPv4Interface | IPv6Interface | None:
    try:
        return ip_interface(text)
    except ValueError:
        return None


_CHECKS: tuple[Callable[[Devices], Iterator[_Finding]], ...] = (
    _names,
    _below,
    _vlans,
    _members,
    _mtus,
    _default_routes,
    _next_hops,
    _same_addresses,
    _subnets,
)
