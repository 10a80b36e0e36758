# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall's and the pod network's intent as typed data, read from shape-checked variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.underlay.cluster.plugins.module_utils.ports import (
    PortRange,
    parse_port,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import (
    Network as Cidr,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import (
    parse_address,
    parse_network,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

FIREWALL = "underlay_firewalld"
PODS = "underlay_pod_network"
# Every host of the fleet, in Pharos' words.
EVERYBODY = "*"
# Pharos' two roles, and the groups that they stand for where the inventory says nothing else.
DEFAULT_GROUPS = {
    "master": ("master", "masters", "control_plane", "kube_control_plane"),
    "worker": ("worker", "workers", "kube_node"),
}
# Linux: IFNAMSIZ is 16, the terminating zero included. firewalld refuses the rest.
_INTERFACE = re.compile(r"[^\s/!:*]{1,15}")


@dataclass(frozen=True, slots=True)
class OpenPort:
    """Ports that anyone may reach. networks: the zones by their kinds; none for every zone."""

    ports: PortRange
    protocol: str
    roles: tuple[str, ...]
    networks: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the cluster that not every cluster has.

    roles: the hosts that run it; clients: subnets and addresses that use it from outside
    """

    name: str
    roles: tuple[str, ...]
    clients: tuple[Cidr, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Firewall:
    """What underlay_firewalld says.

    groups: role -> the inventory groups that it stands for
    trust_hosts: cluster hosts reach each other on every port
    interfaces: kind -> NICs that the plan does not configure
    """

    enabled: bool = False
    open_ports: tuple[OpenPort, ...] = ()
    trusted_subnets: tuple[Cidr, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: DEFAULT_GROUPS)
    trust_hosts: bool = True
    components: tuple[Component, ...] = ()
    interfaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """What underlay_pod_network says. settings: the provider's own, by name."""

    provider: str
    pods: tuple[Cidr, ...]
    services: tuple[Cidr, ...]
    settings: Mapping[str, Any]


class FirewallReader:
    """Reads both variables and collects every bad value."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def firewall(self, item: Mapping[str, Any] | None) -> Firewall:
        """Read underlay_firewalld in its shape; None where it is not set."""
        if not item:
            return Firewall()
        return Firewall(
            enabled=item["enabled"],
            open_ports=tuple(self._open_ports(item["open_ports"])),
            trusted_subnets=self._subnets(item["trusted_subnets"], f"{FIREWALL}.trusted_subnets"),
            groups={role: tuple(groups) for role, groups in item["groups"].items()},
            trust_hosts=item["between_hosts"] == "all",
            components=tuple(self._components(item["components"])),
            interfaces=self._interfaces(item["zones"]),
        )

    def pod_network(self, item: Mapping[str, Any] | None) -> PodNetwork | None:
        """Read underlay_pod_network in its shape; None where it is not set."""
        if not item:
            return None
        pods = self._subnets(item["pod_network_cidr"], f"{PODS}.pod_network_cidr")
        services = self._subnets(item["service_cidr"], f"{PODS}.service_cidr")
        self._check_prefix(item["node_prefix"], pods)
        settings = dict(item.get(item["provider"]) or {})
        if item["provider"] == "calico":
            settings["ipip_mode"] = self._ipip_mode(settings)
        return PodNetwork(item["provider"], pods, services, settings)

    def _open_ports(self, items: Iterable[Mapping[str, Any]]) -> Iterable[OpenPort]:
        for index, item in enumerate(items):
            path = f"{FIREWALL}.open_ports[{index}]"
            ports = self._one(parse_port, item["port"], f"{path}.port")
            self._check_roles(item["roles"], f"{path}.roles")
            if ports is not None:
                roles, networks = tuple(item["roles"]), tuple(item["networks"])
                yield OpenPort(ports, item["protocol"], roles, networks, path)

    def _components(self, items: Iterable[Mapping[str, Any]]) -> Iterable[Component]:
        for item in items:
            path = f"{FIREWALL}.components[{item['name']}]"
            self._check_roles(item["roles"], f"{path}.roles")
            clients = [
                self._one(_client, text, f"{path}.clients[{index}]")
                for index, text in enumerate(item["clients"])
            ]
            known = tuple(client for client in clients if client is not None)
            yield Component(item["name"], tuple(item["roles"]), known, path)

    def _interfaces(self, items: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        holder: dict[str, str] = {}
        for index, item in enumerate(items):
            path = f"{FIREWALL}.zones[{index}]"
            if item["kind"] in found:
                right = "List all its interfaces in one item"
                self._problem(f"{path}.kind", item["kind"], "is there twice in this list", right)
            for place, name in enumerate(item["interfaces"]):
                where = f"{path}.interfaces[{place}]"
                other = holder.setdefault(name, item["kind"])
                if not _INTERFACE.fullmatch(name):
                    right = "Give a name such as eno1: 15 signs at most, no space, /, !, : or *"
                    self._problem(where, name, "is not an interface's name", right)
                elif other != item["kind"]:
                    right = "An interface is in one zone"
                    self._problem(where, name, f"is in zone {other} already", right)
            found[item["kind"]] = tuple(item["interfaces"])
        return found

    def _subnets(self, items: Sequence[str], path: str) -> tuple[Cidr, ...]:
        found = []
        for index, text in enumerate(items):
            # Whoever writes the pods' one subnet as text looks for it by that path.
            alone = len(items) == 1 and path.startswith(PODS)
            place = path if alone else f"{path}[{index}]"
            subnet = self._one(parse_network, text, place)
            if subnet is not None and subnet.prefixlen == 0:
                right = "Name the subnets; for everybody, use open_ports"
                self._problem(place, text, "is every address there is", right)
            elif subnet is not None:
                found.append(subnet)
        return tuple(found)

    def _check_prefix(self, prefix: int, pods: Iterable[Cidr]) -> None:
        for subnet in pods:
            # Two addresses of a slice are nobody's; /30 leaves two pods.
            if subnet.version == 4 and not subnet.prefixlen <= prefix <= 30:
                right = f"Give {subnet.prefixlen} to 30, the prefix length of a node's slice"
                wrong = f"cannot be a slice of {subnet}"
                self._problem(f"{PODS}.node_prefix", prefix, wrong, right)

    def _ipip_mode(self, settings: Mapping[str, Any]) -> str:
        """Return Calico's IP-in-IP mode: as given; else Always (S3.7), but never beside VXLAN."""
        mode = settings["ipip_mode"]
        if mode in ("Always", "CrossSubnet") and settings["vxlan"]:
            right = "Take one of the two: a Calico pool has one encapsulation"
            self._problem(f"{PODS}.calico.ipip_mode", mode, "is set beside vxlan", right)
        return mode or ("Never" if settings["vxlan"] else "Always")

    def _check_roles(self, roles: Sequence[str], path: str) -> None:
        if not roles:
            right = f'Name roles or inventory groups, or "{EVERYBODY}" for every host'
            self._problem(path, None, "is empty, so it would be for no host", right)

    def _one(self, parse: Callable[[str], Any], text: str, path: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            told = str(error)
            self._problem(path, text, "cannot be read", f"{told[0].upper()}{told[1:]}")
            return None

    def _problem(self, path: str, value: object, wrong: str, right: str) -> None:
        self.problems.append(Problem(path, value, wrong, right))


def _client(text: str) -> Cidr:
    """Read a subnet or one address. Raises ValueError with what would be right."""
    if "/" in text:
        return parse_network(text)
    address = parse_address(text)
    return parse_network(f"{address}/{address.max_prefixlen}")
