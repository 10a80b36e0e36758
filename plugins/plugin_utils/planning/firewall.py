# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each host's firewall: a zone for each kind of network, what is open in it, and who is trusted.

Zones have names of their own, as firewalld's built-in zones have meanings (its `external`
masquerades) and others may have called a zone `storage`. The prefix also marks what is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.underlay.cluster.plugins.module_utils.ports import (
    PortRange,
    merged,
    parse_port_protocol,
    text,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning import (
    address_sets,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.address_sets import (
    CLUSTER,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.components import (
    components,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.forwarding import (
    forwarding_policy,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.keep_out import policies
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.port_catalogue import (
    CATALOGUE,
    ICMP,
    IPIP,
    Row,
    Who,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.reach import (
    Reach,
    reach_of_fleet,
    reach_row,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.roles import Roles

PREFIX = "underlay-"
KINDS = ("pxe", "lcm", "workload", "storage", "external", "oob")
# The two storage networks are one concern: who may use the storage.
_ZONE_OF_KIND = {"storage_access": "storage", "storage_replication": "storage"}
# Hosts of the cluster do not meet here: machines are provisioned, or managed out of band.
_NOT_BETWEEN_HOSTS = ("pxe", "oob")

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Opening:
    """Something that is open on some hosts.

    items: as in the catalogue; hosts: where; kinds: in which zones
    source: the set of addresses for which it is open; empty for anyone
    who, why: the same for people
    """

    items: tuple[str, ...]
    hosts: frozenset[str]
    kinds: tuple[str, ...]
    source: str
    who: str
    why: str


@dataclass(slots=True)
class _Zone:
    """A zone of one host. networks: their names; bridge: its one interface is a bridge."""

    kind: str
    networks: list[str]
    interfaces: list[str]
    bridge: bool


class FirewallPlanner:
    """Plans the firewalls of a fleet whose addresses and links are planned.

    parts: host -> its part of the plan; links: host -> network -> the interface that carries it
    """

    def __init__(
        self, model: Model, parts: Mapping[str, Part], links: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._model = model
        self._parts = parts
        self._links = links
        self._sets = address_sets.address_sets(model, parts)
        self._policy = forwarding_policy(model, self._sets)
        self._openings = list(_openings(model))
        self._common = reach_of_fleet(model, self._policy)
        # Hosts alike have the same rules: host's openings in a zone -> its ports, rules and rows.
        self._known: dict[
            tuple[str, tuple[int, ...]], tuple[list[str], list[str], list[Reach]]
        ] = {}

    def fleet(self) -> dict[str, Any]:
        """Return what is the same for all hosts: the sets of addresses."""
        return {"ipsets": self._sets.data()}

    def host(self, name: str) -> dict[str, Any]:
        """Return a host's part, in the firewalld module's shapes, and who may reach what."""
        zones: list[dict[str, Any]] = []
        reach: list[Reach] = []
        for zone in self._zones(name):
            if not zone.interfaces:
                zones.append({"name": f"{PREFIX}{zone.kind}", "state": "absent"})
                continue
            ports, rules, rows = self._rules(name, zone.kind)
            zones.append(_zone_data(zone, ports, rules))
            reach += [{**row, "networks": zone.networks} for row in rows]
        # A zone of firewalld's own: what others have put there stays.
        trusted = {"state": "present", "exclusive": False, "sources": self._halves(CLUSTER)}
        zones.append({"name": "trusted", **trusted})
        return {
            "enabled": True,
            "zones": zones,
            "policies": [self._policy, *policies(self._model, name)],
            "reach": reach + self._common,
        }

    def _zones(self, name: str) -> Iterator[_Zone]:
        links, part = self._links.get(name, {}), self._parts[name]
        bridges = {
            link["name"] for link in part["expect"].get("links", ()) if link["type"] == "bridge"
        }
        for kind in KINDS:
            networks = [
                network
                for network in links
                if zone_kind(self._model.networks[network].kind) == kind
            ]
            carriers = [links[network] for network in networks]
            # An interface that carries a planned network is in that network's zone.
            more = [
                interface
                for interface in self._model.firewall.interfaces.get(kind, ())
                if interface not in links.values()
            ]
            interfaces = list(dict.fromkeys([*carriers, *more]))
            bridge = len(interfaces) == 1 and interfaces[0] in bridges
            yield _Zone(kind, networks, interfaces, bridge)

    def _rules(self, name: str, kind: str) -> tuple[list[str], list[str], list[Reach]]:
        """Return the ports, rich rules and reach of a host's zone."""
        indexes = tuple(
            index
            for index, opening in enumerate(self._openings)
            if name in opening.hosts and kind in opening.kinds
        )
        if (kind, indexes) not in self._known:
            openings = [self._openings[index] for index in indexes]
            ports = _ports(opening for opening in openings if not opening.source)
            rules = [rule for opening in openings for rule in self._rich_rules(opening)]
            rows = list(self._rows(f"{PREFIX}{kind}", openings))
            self._known[kind, indexes] = ports, list(dict.fromkeys(rules)), rows
        return self._known[kind, indexes]

    def _rich_rules(self, opening: Opening) -> Iterator[str]:
        for version in self._sets.families(opening.source) if opening.source else ():
            source = f'source ipset="{self._sets.half(opening.source, version)}"'
            for item in opening.items:
                if what := _element(item, version):
                    yield f'rule family="ipv{version}" {source} {what} accept'

    def _halves(self, name: str) -> list[str]:
        """Return a set's names as firewalld has them for sources."""
        families = self._sets.families(name)
        return [f"ipset:{self._sets.half(name, version)}" for version in families]

    def _rows(self, zone: str, openings: Iterable[Opening]) -> Iterator[Reach]:
        for opening in openings:
            if not opening.source:
                yield reach_row(zone, opening.who, [], opening.items, opening.why)
            elif names := self._halves(opening.source):
                yield reach_row(zone, opening.who, names, opening.items, opening.why)
        # firewalld lets ICMP into every zone that has not the target DROP, REJECT or ACCEPT.
        yield reach_row(zone, Who.ANYONE.value, [], (ICMP,), "firewalld, zones of target default")


def complete(firewall: Mapping[str, Any], fleet: Mapping[str, Any]) -> dict[str, Any]:
    """Return a host's firewall with the fleet's sets: all that the host needs.

    firewall: the host's; fleet: the fleet's part of the plan
    """
    if not firewall.get("enabled"):
        return dict(firewall)
    return {**firewall, "ipsets": fleet["firewall"]["ipsets"]}


def zone_kind(kind: str) -> str:
    """Return the kind of zone that a network of this kind is in."""
    return _ZONE_OF_KIND.get(kind, kind)


def _zone_data(zone: _Zone, ports: list[str], rules: list[str]) -> dict[str, Any]:
    return {
        "name": f"{PREFIX}{zone.kind}",
        "state": "present",
        "exclusive": True,
        "target": "default",
        "interfaces": zone.interfaces,
        "sources": [],
        "ports": ports,
        # A host does not route between its networks for others. But with bridge-nf-call-iptables,
        # which Kubernetes asks for, what a bridge switches passes as forwarded.
        "forward": zone.bridge,
        "masquerade": False,
        "icmp_block_inversion": False,
        "rich_rules": rules,
    }


def _openings(model: Model) -> Iterator[Opening]:
    firewall, roles = model.firewall, Roles(model)
    for index, item in enumerate(firewall.open_ports):
        yield Opening(
            items=(f"{text(item.ports)}/{item.protocol}",),
            hosts=roles.hosts_of_all(item.roles),
            kinds=item.networks or KINDS,
            source="",
            who=Who.ANYONE.value,
            why=f"open_ports[{index}]",
        )
    for row in _needed(model):
        if opening := _opening_of(row, model, roles):
            yield opening


def _needed(model: Model) -> Sequence[Row]:
    pods = model.pod_network
    running = {item.name for item in components(model)}
    provider, settings = (pods.provider, pods.settings) if pods else ("", {})
    return [row for row in CATALOGUE if row.needed(provider, settings, running)]


def _opening_of(row: Row, model: Model, roles: Roles) -> Opening | None:
    """Return what a row of the catalogue opens; None where nothing has to be.

    Hosts that are trusted as a whole need no rule, and a host reaches itself by the loopback, which
    firewalld always accepts.
    """
    asking = {
        Who.HOSTS: address_sets.HOSTS,
        Who.CONTROL_PLANE: address_sets.CONTROL_PLANE,
        Who.RUNNING: address_sets.running(row.component),
        Who.CLIENTS: address_sets.clients(row.component),
        Who.ANYONE: "",
    }
    between_hosts = row.source not in (Who.CLIENTS, Who.ANYONE)
    if row.source is Who.SELF or (between_hosts and model.firewall.trust_hosts):
        return None
    where = {Who.HOSTS: roles.hosts("*"), Who.CONTROL_PLANE: roles.hosts("master")}
    for component in components(model):
        if component.name == row.component:
            where[Who.RUNNING] = roles.hosts_of_all(component.roles)
    kinds = row.networks or tuple(kind for kind in KINDS if kind not in _NOT_BETWEEN_HOSTS)
    who = row.source.value
    if row.component and row.source in (Who.CLIENTS, Who.RUNNING):
        who = (
            f"clients of {row.component}" if row.source is Who.CLIENTS else f"{row.component} hosts"
        )
    source = asking[row.source]
    return Opening(row.items, where[row.on], kinds, source, who, f"port catalogue: {row.name}")


def _ports(openings: Iterable[Opening]) -> list[str]:
    """Return ports as firewalld has them; it refuses ranges that overlap."""
    ranges: dict[str, list[PortRange]] = {}
    for opening in openings:
        for item in opening.items:
            ports, protocol = parse_port_protocol(item)
            ranges.setdefault(protocol, []).append(ports)
    return [
        f"{text(part)}/{protocol}"
        for protocol in sorted(ranges)
        for part in merged(ranges[protocol])
    ]


def _element(item: str, version: int) -> str:
    """Return a rich rule's element for an item of the catalogue; empty where there is none."""
    if item == ICMP or (item == IPIP and version == 6):
        return ""  # zones let ICMP in; there is IP-in-IP in IPv4 only
    if "/" not in item:
        return f'protocol value="{item}"'
    port, _slash, protocol = item.partition("/")
    return f'port port="{port}" protocol="{protocol}"'
