# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was planned for a host, as the probes read it, and what they find."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Union

from .errors import HostError
from .ports import PortRange, parse_port

FAILED = "failed"
DEGRADED = "degraded"

IPAddress = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
IPNetwork = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
IPInterface = Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]

# Who must answer, and who must not.
ANSWERING = ("gateway", "peer", "vip")
REFUSED = "refused"


@dataclass(frozen=True)
class Link:
    """A planned link; ``network`` is None for links that carry several networks."""

    name: str
    type: str
    network: str | None = None
    mtu: int | None = None
    vlan: int | None = None
    parent: str | None = None
    members: tuple[str, ...] = ()

    @property
    def below(self) -> tuple[str, ...]:
        """The links without which this one cannot work: its parent; a bridge's ports."""
        ports = self.members if self.type == "bridge" else ()
        return (*ports, self.parent) if self.parent else ports


@dataclass(frozen=True)
class Address:
    """A planned address of the host."""

    network: str | None
    link: str
    address: IPInterface


@dataclass(frozen=True)
class Route:
    """A planned route."""

    network: str | None
    to: IPNetwork
    via: IPAddress | None
    link: str

    @property
    def is_default(self) -> bool:
        """Whether it is a default route."""
        return self.to.prefixlen == 0


@dataclass(frozen=True)
class Silence:
    """A link on which no DHCP server may answer."""

    network: str | None
    link: str


@dataclass(frozen=True)
class Forbidden:
    """A subnet that the host must have no part in; ``kind`` is its network's, pxe or oob."""

    network: str | None
    kind: str
    cidr: IPNetwork


@dataclass(frozen=True)
class Listeners:
    """Who listens on these TCP ports does so on these addresses and on no other."""

    what: str
    ports: PortRange
    networks: tuple[str | None, ...]
    addresses: tuple[IPAddress, ...]


@dataclass(frozen=True)
class Vip:
    """A virtual address that the host may hold, or not."""

    name: str
    address: IPAddress


@dataclass(frozen=True)
class Expectation:
    """Everything that is planned for a host."""

    links: tuple[Link, ...]
    addresses: tuple[Address, ...]
    routes: tuple[Route, ...]
    defaults: tuple[Route, ...]
    silent: tuple[Silence, ...] = ()
    forbidden: tuple[Forbidden, ...] = ()
    listeners: tuple[Listeners, ...] = ()
    vips: tuple[Vip, ...] = ()


@dataclass(frozen=True)
class Probe:
    """Somebody who must answer, a gateway, peer or vip; or who must not: ``target`` is refused.

    Who must not is asked from whatever address and link the host's routes lead there by.
    """

    network: str | None
    target: str
    host: str | None
    address: IPAddress
    source: IPAddress
    link: str
    mtu: int

    @property
    def subject(self) -> str:
        """Who is probed, for people."""
        return f"{self.host} {self.address}" if self.host else str(self.address)


@dataclass(frozen=True)
class Finding:
    """One thing that is not as planned."""

    network: str | None
    check: str
    severity: str
    subject: str
    expected: str
    seen: str


@dataclass
class Tally:
    """Counts checks per network, and keeps what is worth telling."""

    findings: list[Finding] = field(default_factory=list)
    _counts: dict[str | None, dict[str, int]] = field(default_factory=dict)

    def passed(self, network: str | None) -> None:
        """A check went well."""
        self._count(network, "checks")

    def hidden(self, network: str | None) -> None:
        """A check failed for a cause that another finding tells."""
        self._count(network, "checks")
        self._count(network, FAILED)

    def found(self, finding: Finding) -> None:
        """A check failed."""
        self._count(finding.network, "checks")
        self._count(finding.network, finding.severity)
        self.findings.append(finding)

    def measured(self, round_trips: Mapping[str | None, float]) -> list[dict[str, object]]:
        """``{network, checks, failed, degraded, rtt_ms}`` per network."""
        return [
            {"network": network, **counts, "rtt_ms": round_trips.get(network)}
            for network, counts in sorted(self._counts.items(), key=lambda item: item[0] or "")
        ]

    def findings_as_json(self) -> list[dict[str, object]]:
        """The findings as plain data."""
        return [asdict(finding) for finding in self.findings]

    def _count(self, network: str | None, what: str) -> None:
        empty = {"checks": 0, FAILED: 0, DEGRADED: 0}
        self._counts.setdefault(network, empty)[what] += 1


def read_expectation(data: Mapping[str, Any]) -> Expectation:
    """The module's ``expect`` argument; raises HostError where it does not make sense."""
    try:
        return Expectation(
            links=tuple(_link(item) for item in data.get("links") or ()),
            addresses=tuple(
                Address(item.get("network"), item["link"], ipaddress.ip_interface(item["address"]))
                for item in data.get("addresses") or ()
            ),
            routes=tuple(_route(item) for item in data.get("routes") or ()),
            defaults=tuple(_route(item) for item in data.get("default_route") or ()),
            silent=tuple(
                Silence(item.get("network"), item["link"]) for item in data.get("silent") or ()
            ),
            forbidden=tuple(
                Forbidden(item.get("network"), item["kind"], ipaddress.ip_network(item["cidr"]))
                for item in data.get("forbidden") or ()
            ),
            listeners=tuple(_listeners(item) for item in data.get("listeners") or ()),
            vips=tuple(
                Vip(item["name"], ipaddress.ip_address(item["address"]))
                for item in data.get("vips") or ()
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HostError(f"The plan given in 'expect' cannot be read: {_words(error)}") from error


def read_probes(data: Sequence[Mapping[str, Any]]) -> tuple[Probe, ...]:
    """The module's ``probes`` argument; raises HostError where it does not make sense."""
    try:
        return tuple(_probe(item) for item in data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HostError(f"A probe given in 'probes' cannot be read: {_words(error)}") from error


def _link(item: Mapping[str, Any]) -> Link:
    return Link(
        name=item["name"],
        type=item["type"],
        network=item.get("network"),
        mtu=int(item["mtu"]) if item.get("mtu") is not None else None,
        vlan=int(item["vlan"]) if item.get("vlan") is not None else None,
        parent=item.get("parent"),
        members=tuple(item.get("members") or ()),
    )


def _route(item: Mapping[str, Any]) -> Route:
    via = item.get("via")
    return Route(
        network=item.get("network"),
        to=ipaddress.ip_network(item["to"]),
        via=ipaddress.ip_address(via) if via else None,
        link=item["link"],
    )


def _listeners(item: Mapping[str, Any]) -> Listeners:
    return Listeners(
        what=item["what"],
        ports=parse_port(item["ports"]),
        networks=tuple(item["networks"]),
        addresses=tuple(ipaddress.ip_address(address) for address in item["addresses"]),
    )


def _probe(item: Mapping[str, Any]) -> Probe:
    if item["target"] not in (*ANSWERING, REFUSED):
        known = ", ".join((*ANSWERING, REFUSED))
        raise ValueError(f"target '{item['target']}' is none of {known}")
    address = ipaddress.ip_address(item["address"])
    return Probe(
        network=item.get("network"),
        target=item["target"],
        host=item.get("host"),
        address=address,
        source=_source(item, address),
        link=item.get("link") or "",
        mtu=int(item["mtu"]) if item["target"] in ANSWERING else 0,
    )


def _source(item: Mapping[str, Any], address: IPAddress) -> IPAddress:
    if item["target"] in ANSWERING:
        return ipaddress.ip_address(item["source"])
    # RFC 1122, 3.2.1.3 and RFC 4291, 2.5.2: the unspecified address leaves the choice to the host
    return ipaddress.ip_address("::" if address.version == 6 else "0.0.0.0")


def _words(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
