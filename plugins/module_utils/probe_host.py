# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a host's links, addresses and routes through ``ip``, as they are now."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .commands import Runner, run
from .iproute import ip
from .probe_plan import IPAddress, IPInterface, IPNetwork


@dataclass(frozen=True)
class SeenAddress:
    """An address on a link; ``tentative`` while the kernel still asks whether it is free.

    ``leased`` tells that it ends some day, as what DHCP or a router's advertisement gives.
    """

    link: str
    address: IPInterface
    tentative: bool
    duplicate: bool
    leased: bool = False


@dataclass(frozen=True)
class SeenRoute:
    """A route of the main table, one per next hop."""

    to: IPNetwork
    via: IPAddress | None
    link: str
    metric: int


@dataclass(frozen=True)
class SeenLink:
    """A link. ``kind`` is as the kernel says ("vlan", "bond" …), "ethernet" for a NIC."""

    name: str
    index: int
    kind: str
    up: bool
    carrier: bool
    mtu: int
    mac: str
    master: str | None
    parent: str | None
    vlan: int | None
    aggregator: int | None
    member_status: str | None
    member_aggregator: int | None


@dataclass(frozen=True)
class HostState:
    """What is on the host."""

    links: Mapping[str, SeenLink]
    addresses: tuple[SeenAddress, ...]
    routes: tuple[SeenRoute, ...]

    @property
    def macs(self) -> set[str]:
        """All MAC addresses that answer for this host."""
        return {link.mac for link in self.links.values()}


def read_host(runner: Runner = run) -> HostState:
    """Links, addresses and main routes of both families; raises HostError without ``ip``."""
    entries = ip(runner, "-d", "address", "show")
    routes = [("0.0.0.0/0", route) for route in ip(runner, "-4", "route", "show")]
    routes += [("::/0", route) for route in ip(runner, "-6", "route", "show")]
    links = {entry["ifname"]: _link(entry) for entry in entries if "ifname" in entry}
    return HostState(
        links=links,
        addresses=tuple(
            _address(entry["ifname"], info)
            for entry in entries
            for info in entry.get("addr_info", ())
            if "local" in info
        ),
        routes=tuple(seen for default, route in routes for seen in _routes(default, route)),
    )


def _link(entry: Mapping[str, Any]) -> SeenLink:
    info = entry.get("linkinfo", {})
    data = info.get("info_data", {})
    member = info.get("info_slave_data", {}) if info.get("info_slave_kind") == "bond" else {}
    flags = entry.get("flags", ())
    kind = info.get("info_kind") or ("ethernet" if entry.get("link_type") == "ether" else "other")
    return SeenLink(
        name=entry["ifname"],
        index=entry["ifindex"],
        kind=kind,
        up="UP" in flags,
        carrier="LOWER_UP" in flags,
        mtu=entry.get("mtu", 0),
        mac=entry.get("address", ""),
        master=entry.get("master"),
        parent=entry.get("link"),
        vlan=data.get("id") if kind == "vlan" else None,
        aggregator=data.get("ad_info", {}).get("aggregator") if kind == "bond" else None,
        member_status=member.get("mii_status"),
        member_aggregator=member.get("ad_aggregator_id"),
    )


def _address(link: str, info: Mapping[str, Any]) -> SeenAddress:
    return SeenAddress(
        link=link,
        address=ipaddress.ip_interface(f"{info['local']}/{info['prefixlen']}"),
        tentative=bool(info.get("tentative")),
        duplicate=bool(info.get("dadfailed")),
        leased=bool(info.get("dynamic")),
    )


def _routes(default: str, route: Mapping[str, Any]) -> list[SeenRoute]:
    if route.get("type", "unicast") != "unicast":
        return []
    destination = default if route["dst"] == "default" else route["dst"]
    return [
        SeenRoute(
            to=ipaddress.ip_network(destination, strict=False),
            via=_via(hop),
            link=hop.get("dev", route.get("dev", "")),
            metric=route.get("metric", 0),
        )
        for hop in route.get("nexthops", [route])
    ]


def _via(hop: Mapping[str, Any]) -> IPAddress | None:
    # an IPv4 route over an IPv6 next hop is told in another key
    told = hop.get("gateway") or hop.get("via", {}).get("host")
    return ipaddress.ip_address(told) if told else None
