# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The intent as typed data: what stands in the inventory, read once and then only passed on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.firewall_model import (
    Firewall,
    PodNetwork,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import (
    Address,
    Range,
    parse_address,
    parse_network,
    parse_range,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import (
    Network as Cidr,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import (
    OPERATIONAL,
    Bmc,
    Boot,
    Services,
)

# Kinds whose files a role of another name writes.
_ROLE_OF_KIND = {"storage_access": "storage", "storage_replication": "storage"}
# Answers to clients outside leave by the way that requests came in by (metallb#319). 253 to 255 are
# the kernel's own tables.
_ROUTING_TABLES = {"external": 163}


@dataclass(frozen=True, slots=True)
class Route:
    """A route: to (CIDR text) by the next hop via (address text)."""

    to: str
    via: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One L2 domain and one subnet of a network."""

    network: str
    name: str
    racks: tuple[str, ...]
    vlan: int | None
    cidr: Cidr
    gateway: Address | None
    mtu: int
    nameservers: tuple[Address, ...]
    ranges: tuple[Range, ...]
    exclude: tuple[Range, ...]
    service_ranges: tuple[Range, ...]
    dhcp_ranges: tuple[Range, ...]
    vip_ranges: tuple[Range, ...]
    routes: tuple[Route, ...]
    path: str

    @property
    def version(self) -> int:
        """The address family, 4 or 6."""
        return self.cidr.version

    @property
    def whole(self) -> Range:
        """Every address of the subnet."""
        first, last = self.cidr.network_address, self.cidr.broadcast_address
        return Range(int(first), int(last), self.version)


@dataclass(frozen=True, slots=True)
class Network:
    """A network of one kind, with its segments.

    routing_table: the number of the table by which answers leave as they came; None for none
    """

    name: str
    kind: str
    api_endpoint: bool
    default_route: bool
    routing_table: int | None
    segments: tuple[Segment, ...]
    path: str

    @property
    def role(self) -> str:
        """The role that writes this network's part on hosts."""
        return _ROLE_OF_KIND.get(self.kind, self.kind)

    def segments_for(self, rack: str) -> list[Segment]:
        """Return the segments of a rack: those that name it, else those that name none."""
        named = [segment for segment in self.segments if rack in segment.racks]
        return named or [segment for segment in self.segments if not segment.racks]


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual address, fixed or to be allocated.

    roles, cluster: who may hold it; cluster is empty for any; router_id: VRRP's, None to derive it
    """

    name: str
    network: str
    segment: str | None
    mode: str
    address: Address | None
    port: int
    roles: tuple[str, ...]
    cluster: str
    router_id: int | None
    path: str

    @property
    def owner(self) -> str:
        """The name under which the ledger knows it. No host name has a slash."""
        return f"vip/{self.name}"


@dataclass(frozen=True, slots=True)
class Template:
    """An L2 template in its shape, its strings not yet rendered.

    spec: the shape that it must still have once rendered; templated: it has Jinja2 in it
    """

    source: Mapping[str, Any]
    spec: Mapping[str, Any]
    templated: bool

    @property
    def nic_groups(self) -> list[dict[str, Any]]:
        """The NIC groups, as written."""
        return list(self.source["nics"])

    @property
    def networks(self) -> list[tuple[str, bool]]:
        """The attached networks' names, and whether the host has an address there."""
        return [(item["network"], item["address"]) for item in self.source["attach"]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An address that a host asks for by name."""

    network: str
    address: Address
    path: str


@dataclass(frozen=True, slots=True)
class Host:
    """A host of the fleet, as its variables have it."""

    name: str
    rack: str
    template: Template
    wanted: tuple[Wanted, ...] = ()
    nics: tuple[Mapping[str, Any], ...] | None = None
    cluster: str = ""
    state: str = OPERATIONAL
    boot: Boot | None = None
    bmc: Bmc | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """The whole intent. Networks and VIPs keep the order in which they are written.

    groups: the inventory's groups with their hosts of the fleet; everybody: the fleet's hosts,
    those too that could not be read
    """

    networks: Mapping[str, Network]
    vips: tuple[Vip, ...]
    hosts: Mapping[str, Host]
    firewall: Firewall = field(default_factory=Firewall)
    pod_network: PodNetwork | None = None
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    everybody: frozenset[str] = frozenset()
    services: Services = field(default_factory=Services)


class Reader:
    """Turns shape-checked variables into the model, and collects every bad value."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def networks(self, items: Iterable[Mapping[str, Any]]) -> dict[str, Network]:
        """Read underlay_networks."""
        return {item["name"]: self._network(item) for item in items if item.get("name")}

    def vips(self, items: Iterable[Mapping[str, Any]]) -> tuple[Vip, ...]:
        """Read underlay_vips."""
        return tuple(
            Vip(
                name=item["name"],
                network=item["network"],
                segment=item["segment"],
                mode=item["mode"],
                address=self._one(parse_address, item["address"], f"{path}.address"),
                port=item["port"],
                roles=tuple(item["roles"]),
                cluster=item["cluster"] or "",
                router_id=item["router_id"],
                path=path,
            )
            for item in items
            for path in [f"underlay_vips[{item['name']}]"]
        )

    def wanted(self, host: str, items: Iterable[Mapping[str, Any]]) -> tuple[Wanted, ...]:
        """Read a host's underlay_wanted_addresses."""
        wanted = []
        for item in items:
            path = f"underlay_wanted_addresses[{item['network']}].address"
            address = self._one(parse_address, item["address"], path, host)
            if address is not None:
                wanted.append(Wanted(item["network"], address, path))
        return tuple(wanted)

    def _network(self, item: Mapping[str, Any]) -> Network:
        path = f"underlay_networks[{item['name']}]"
        segments = [self._segment(item, segment, path) for segment in item["segments"]]
        return Network(
            name=item["name"],
            kind=item["kind"],
            api_endpoint=item["api_endpoint"],
            default_route=item["default_route"],
            routing_table=_ROUTING_TABLES.get(item["kind"])
            if item["routing_table"] is None
            else item["routing_table"],
            segments=tuple(segment for segment in segments if segment),
            path=path,
        )

    def _segment(
        self, network: Mapping[str, Any], item: Mapping[str, Any], above: str
    ) -> Segment | None:
        path = f"{above}.segments[{item['name']}]"
        cidr = self._one(parse_network, item["cidr"], f"{path}.cidr")
        addresses = self._many(parse_address, item["nameservers"], f"{path}.nameservers")
        gateway = self._one(parse_address, item["gateway"], f"{path}.gateway")
        ranges = {
            key: self._many(parse_range, item[key], f"{path}.{key}")
            for key in ("ranges", "exclude", "service_ranges", "dhcp_ranges", "vip_ranges")
        }
        routes = [
            self._route(route, f"{path}.routes[{index}]")
            for index, route in enumerate(item["routes"])
        ]
        if cidr is None:
            return None
        return Segment(
            network=network["name"],
            name=item["name"],
            racks=tuple(item["rack"]),
            vlan=item["vlan"],
            cidr=cidr,
            gateway=gateway,
            mtu=item["mtu"] or network["mtu"],
            nameservers=addresses,
            routes=tuple(route for route in routes if route),
            path=path,
            **ranges,
        )

    def _route(self, item: Mapping[str, str], path: str) -> Route | None:
        to = self._one(parse_network, item["to"], f"{path}.to")
        via = self._one(parse_address, item["via"], f"{path}.via")
        return Route(str(to), str(via)) if to is not None and via is not None else None

    def _one(self, parse: Callable[[str], Any], text: str | None, path: str, host: str = "") -> Any:
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(Problem(path, text, "cannot be read", str(error), host))
            return None

    def _many(
        self, parse: Callable[[Any], Any], items: Iterable[Any], path: str
    ) -> tuple[Any, ...]:
        read = [self._one(parse, item, f"{path}[{index}]") for index, item in enumerate(items)]
        return tuple(item for item in read if item is not None)
