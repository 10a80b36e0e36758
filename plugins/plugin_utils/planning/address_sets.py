# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sets of addresses that the hosts' firewalls know: the fleet's, so kept once, not per host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import (
    parse_address,
    parse_network,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.components import (
    components,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.port_catalogue import (
    CATALOGUE,
    Who,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.roles import Roles

# What is trusted as a whole; where hosts are not, they and the control plane by themselves.
CLUSTER = "underlay-cluster"
HOSTS = "underlay-hosts"
CONTROL_PLANE = "underlay-masters"
_FAMILIES = {4: "inet", 6: "inet6"}

Part = Mapping[str, Any]


def running(component: str) -> str:
    """Return the name of the set of the hosts that run a component."""
    return f"underlay-{component}"


def clients(component: str) -> str:
    """Return the name of the set of a component's clients."""
    return f"underlay-for-{component}"


# Every name that a plan may ever use, so that what a change of the intent leaves over is removed.
NAMES = tuple(
    dict.fromkeys(
        [
            CLUSTER,
            HOSTS,
            CONTROL_PLANE,
            *(running(row.component) for row in CATALOGUE if row.source is Who.RUNNING),
            *(clients(row.component) for row in CATALOGUE if row.source is Who.CLIENTS),
        ]
    )
)


@dataclass(frozen=True, slots=True)
class Sets:
    """The sets of one fleet: name -> family (4, 6) -> members, in numeric order."""

    members: Mapping[str, Mapping[int, Sequence[str]]]

    def families(self, name: str) -> list[int]:
        """Return the families in which a set is there."""
        if name == CLUSTER:
            return list(_FAMILIES)
        return [version for version in _FAMILIES if self.members.get(name, {}).get(version)]

    def half(self, name: str, version: int) -> str:
        """Return the name of a set's half; firewalld has one family in a set."""
        return name if version == 4 else f"{name}6"

    def data(self) -> list[dict[str, Any]]:
        """Return every set as the firewalld module takes it; one without members is absent.

        But for the one on the zone trusted, which is not ours alone: a source that names a set that
        is gone keeps firewalld 1.3.3 from loading anything, while an empty set matches nothing.
        """
        found = []
        for name in NAMES:
            for version, family in _FAMILIES.items():
                item: dict[str, Any] = {"name": self.half(name, version)}
                if version in self.families(name):
                    entries = list(self.members[name][version])
                    about = {"state": "present", "type": "hash:net", "family": family}
                    item |= {**about, "entries": entries}
                else:
                    item["state"] = "absent"
                found.append(item)
        return found


def address_sets(model: Model, parts: Mapping[str, Part]) -> Sets:
    """Return the sets. parts: host -> its part of the plan.

    Pharos puts all hosts' addresses, the pods' and the services' subnets and the trusted subnets
    into one set on the zone trusted (S3.13, S3.14). Hosts inside of a trusted subnet overlap with
    it there; the module on the host collapses them, as firewalld refuses such a set whole.
    """
    firewall, roles = model.firewall, Roles(model)
    of_host = {name: _addresses(part) for name, part in parts.items()}

    def of_hosts(names: Iterable[str]) -> list[str]:
        return [address for name in names for address in of_host.get(name, ())]

    wanted = {CLUSTER: _subnets(model)}
    if firewall.trust_hosts:
        wanted[CLUSTER] += of_hosts(of_host)
    else:
        wanted[HOSTS] = of_hosts(of_host)
        wanted[CONTROL_PLANE] = of_hosts(roles.hosts("master"))
        for component, names in _running(model, roles).items():
            wanted[running(component)] = of_hosts(names)
    for item in components(model):
        wanted[clients(item.name)] = [str(client) for client in item.clients]
    return Sets({name: _by_family(members) for name, members in wanted.items()})


def _running(model: Model, roles: Roles) -> dict[str, frozenset[str]]:
    asking = {row.component for row in CATALOGUE if row.source is Who.RUNNING}
    return {
        item.name: roles.hosts_of_all(item.roles)
        for item in components(model)
        if item.name in asking
    }


def _subnets(model: Model) -> list[str]:
    pods = model.pod_network
    own = (*pods.pods, *pods.services) if pods else ()
    return [str(subnet) for subnet in (*own, *model.firewall.trusted_subnets)]


def _addresses(part: Part) -> list[str]:
    """Return every address that a host has, those of its template's own netplan keys among them."""
    items = [*part["addresses"], *part["expect"].get("addresses", ())]
    return list(dict.fromkeys(item["address"].split("/")[0] for item in items))


def _by_family(members: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[tuple[int, int, str]]] = {4: [], 6: []}
    for text in dict.fromkeys(members):
        if "/" in text:
            subnet = parse_network(text)
            found[subnet.version].append((int(subnet.network_address), subnet.prefixlen, text))
        else:
            address = parse_address(text)
            found[address.version].append((int(address), address.max_prefixlen, text))
    return {version: [text for *_order, text in sorted(rows)] for version, rows in found.items()}
