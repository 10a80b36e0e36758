# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of the firewall's intent and of the pod network's subnets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.underlay.cluster.plugins.plugin_utils.firewall_model import (
    DEFAULT_GROUPS,
    FIREWALL,
    PODS,
    Component,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Network as Cidr
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.port_catalogue import (
    CATALOGUE,
    Row,
    Who,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.roles import Roles
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem


def check_firewall(model: Model) -> list[Problem]:
    """Return everything that is wrong with both variables.

    Whom a role stands for is asked only of a firewall that is enabled: Pharos' default ports name
    roles that an inventory without one need not have.
    """
    problems = list(_check_subnets(model))
    if model.firewall.enabled:
        problems += _check_roles(model)
        problems += _check_components(model)
    return problems


def _check_roles(model: Model) -> Iterator[Problem]:
    roles = Roles(model)
    firewall = model.firewall
    for role, groups in firewall.groups.items():
        for index, group in enumerate(groups):
            if group not in model.groups and group not in DEFAULT_GROUPS.get(role, ()):
                path = f"{FIREWALL}.groups.{role}[{index}]"
                known = ", ".join(sorted(model.groups)) or "none"
                right = f"The inventory's groups are {known}"
                yield Problem(path, group, "is not a group of the inventory", right)
    used = [(item.path, item.roles) for item in firewall.open_ports]
    used += [(item.path, item.roles) for item in firewall.components]
    if not firewall.trust_hosts:
        used.append((FIREWALL, ("master",)))
    told = set()
    for path, words in used:
        for index, role in enumerate(words):
            place = f"{path}.roles[{index}]"
            if not roles.is_known(role):
                right = f"The roles are {', '.join(roles.known)}"
                yield Problem(place, role, "is neither a role nor a group of the inventory", right)
            elif not roles.hosts(role) and role not in told:
                told.add(role)
                yield from _without_hosts(model, role, place)


def _without_hosts(model: Model, role: str, place: str) -> Iterator[Problem]:
    wrong = "has no host of the fleet, so what is meant for it would be nowhere"
    if role not in model.firewall.groups:
        yield Problem(place, role, wrong, "Name a group that has hosts")
    elif groups := model.firewall.groups[role]:
        known = ", ".join(sorted(name for name, hosts in model.groups.items() if hosts)) or "none"
        right = f"Name the groups of its hosts, or [] where there are none; groups are {known}"
        yield Problem(f"{FIREWALL}.groups.{role}", list(groups), wrong, right)


def _check_components(model: Model) -> Iterator[Problem]:
    for component in model.firewall.components:
        rows = [row for row in CATALOGUE if row.component == component.name]
        yield from _check_clients(component, rows)
        for kind in {kind for row in rows for kind in row.networks}:
            # A server of underlay_pxe is attached to its network by the plan.
            planned = kind == "pxe" and model.services.pxe is not None
            if not planned and not model.firewall.interfaces.get(kind):
                wrong = f"is asked on {kind} networks, and no host has an interface there"
                right = (
                    f"List the interfaces in {FIREWALL}.zones: {{kind: {kind}, interfaces: […]}}"
                )
                yield Problem(f"{component.path}.name", component.name, wrong, right)


def _check_clients(component: Component, rows: Sequence[Row]) -> Iterator[Problem]:
    has_clients = [row for row in rows if row.source is Who.CLIENTS]
    path = f"{component.path}.clients"
    if component.clients and not has_clients:
        right = "Take them out; open_ports opens what the catalogue does not have"
        yield Problem(path, None, "are given, and it has no clients of its own", right)
    elif not component.clients and len(has_clients) == len(rows):
        right = "Name the subnets or addresses that use it"
        yield Problem(path, None, "are missing, so nothing would be opened", right)


def _check_subnets(model: Model) -> Iterator[Problem]:
    if model.pod_network is None:
        return
    own = {
        f"{PODS}.pod_network_cidr": model.pod_network.pods,
        f"{PODS}.service_cidr": model.pod_network.services,
    }
    for path, subnets in own.items():
        yield from _check_families(path, subnets)
    taken = [
        (segment.path, segment.cidr)
        for network in model.networks.values()
        for segment in network.segments
    ]
    for path, subnets in own.items():
        for subnet in subnets:
            for other, cidr in taken:
                if subnet.version == cidr.version and subnet.overlaps(cidr):
                    right = "Pods, services and networks have subnets of their own"
                    yield Problem(path, str(subnet), f"overlaps {cidr} of {other}", right)
        taken += [(path, subnet) for subnet in subnets]


def _check_families(path: str, subnets: Iterable[Cidr]) -> Iterator[Problem]:
    families = [subnet.version for subnet in subnets]
    for version in (4, 6):
        if families.count(version) > 1:
            right = "Give one subnet, or one of each address family"
            shown = [str(subnet) for subnet in subnets]
            yield Problem(path, shown, f"has more than one IPv{version} subnet", right)
