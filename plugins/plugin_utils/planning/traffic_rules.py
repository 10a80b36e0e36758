# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on what carries a cluster's traffic: workload, external, storage (MOSK, S4.8 to S4.14)."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Host,
    Network,
    Segment,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.rules import (
    ATTACH,
    FleetView,
    Networks,
    named_cluster,
    words,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

# The kernel's own tables: default, main and local (ip-route(8)); the number has 32 bits, 0 is none.
_KERNELS_TABLES = range(253, 256)
_TABLES = range(1, 2**32)


def workload_is_not_shared(fleet: FleetView) -> Iterator[Problem]:
    """Pods of two clusters do not share an underlay."""
    for network in fleet.of_kind("workload"):
        # The first host of each cluster stands for all of them.
        users = {
            cluster: [host.name for host in hosts if network in fleet.attached(host)][:1]
            for cluster, hosts in fleet.clusters.items()
        }
        sharing = [
            f"{cluster or '(none)'} ({name})" for cluster in users for name in users[cluster]
        ]
        if len(sharing) > 1:
            wrong = f"is attached by hosts of several clusters: {words(sharing)}"
            right = "Give each cluster a workload network of its own"
            yield Problem(f"{network.path}.name", network.name, wrong, right)


def controllers_are_external(fleet: FleetView) -> Iterator[Problem]:
    """Every controller has an address on an external network."""
    known = words(network.name for network in fleet.of_kind("external"))
    for cluster in fleet.clusters:
        for host in fleet.nodes("controller", cluster):
            if not fleet.addressed(host, "external"):
                wrong = "has no external network with an address, and the host is a controller"
                right = f"Attach one with an address; external networks: {known}"
                attached = [network.name for network in fleet.attached(host)]
                yield Problem(ATTACH, attached, wrong, right, host.name)


def controllers_share_a_segment(fleet: FleetView) -> Iterator[Problem]:
    """A service's address moves among controllers by ARP or NDP, so one segment has them all."""
    for cluster in fleet.clusters:
        controllers = [
            host for host in fleet.nodes("controller", cluster) if fleet.addressed(host, "external")
        ]
        for version in (4, 6):
            mine = [_external(fleet, host, version) for host in controllers]
            if any(mine) and not _shared(mine):
                shown = words(
                    f"{host.name} {words(f'{each.network} {each.name}' for each in segments)}"
                    for host, segments in zip(controllers, mine, strict=True)
                )
                network = fleet.of_cluster(cluster, "external")[0]
                wrong = f"controllers of {named_cluster(cluster)} share no IPv{version} segment"
                right = f"Stretch one over all of them, as MetalLB's layer 2 mode needs it: {shown}"
                yield Problem(f"{network.path}.segments", None, wrong, right)


def _external(fleet: FleetView, host: Host, version: int) -> list[Segment]:
    return [
        segment
        for network in fleet.addressed(host, "external")
        for segment in fleet.segments(host, network)
        if segment.version == version
    ]


def _shared(found: list[list[Segment]]) -> bool:
    first, *others = found
    return any(all(segment in other for other in others) for segment in first)


def external_has_two_ranges(networks: Networks) -> Iterator[Problem]:
    """An external network has a range for nodes and one for services."""
    for network in networks.values():
        if network.kind != "external" or not network.segments:
            continue
        path = network.segments[0].path
        for key, whose in (("ranges", "nodes"), ("service_ranges", "services")):
            if not any(getattr(segment, key) for segment in network.segments):
                wrong = f"is missing, and {network.name} is an external network"
                right = f"Give the addresses that {whose} have: FIRST-LAST or a CIDR"
                yield Problem(f"{path}.{key}", None, wrong, right)


def default_route_is_external(fleet: FleetView) -> Iterator[Problem]:
    """Where a cluster has an external network, the default route is there and nowhere else."""
    told = set()
    for cluster in fleet.clusters:
        external = fleet.of_cluster(cluster, "external")
        others = [network for network in fleet.of_cluster(cluster) if network not in external]
        names = words(network.name for network in external)
        if not external:
            continue
        if not any(network.default_route for network in external):
            wrong = f"{named_cluster(cluster)} has its default route by no external network"
            right = "Set it here: answers to clients outside leave by the external gateway"
            told.add(Problem(f"{external[0].path}.default_route", False, wrong, right))
        for network in others:
            if network.default_route:
                wrong = f"is of kind {network.kind}, and there is an external network ({names})"
                right = "The default route is through the external network, and only there"
                told.add(Problem(f"{network.path}.default_route", True, wrong, right))
    yield from sorted(told, key=lambda problem: (problem.path, problem.wrong))


def routing_tables_are_free(networks: Networks) -> Iterator[Problem]:
    """A table by which answers leave is not one of the kernel's own."""
    for network in networks.values():
        table = network.routing_table
        if table is not None and (table not in _TABLES or table in _KERNELS_TABLES):
            right = "Give 1 to 252, or 256 to 4294967295"
            wrong = "is no routing table that is free"
            yield Problem(f"{network.path}.routing_table", table, wrong, right)


def routing_tables_are_unique(fleet: FleetView) -> Iterator[Problem]:
    """Two networks of a host have a table each, as each has a default route in its own."""
    told: dict[str, Problem] = {}
    for host in fleet.hosts:
        holder: dict[int, Network] = {}
        for network in fleet.addressed(host):
            table = network.routing_table
            first = holder.setdefault(table, network) if table is not None else network
            if first is not network:
                wrong = f"is {first.name}'s table too, and hosts such as {host.name} attach both"
                right = "Give each network a routing_table of its own"
                path = f"{network.path}.routing_table"
                told.setdefault(path, Problem(path, table, wrong, right))
    yield from told.values()


def storage_nodes_have_access(fleet: FleetView) -> Iterator[Problem]:
    """Ceph nodes have an address on the access network: OSDs bind there."""
    yield from _storage(fleet, "storage_access", fleet.roles.nodes("storage"), "a storage node")


def storage_nodes_replicate(fleet: FleetView) -> Iterator[Problem]:
    """Ceph nodes have an address on the replication network: OSDs bind there, too."""
    nodes = fleet.roles.nodes("storage")
    yield from _storage(fleet, "storage_replication", nodes, "a storage node")


def replication_comes_with_access(fleet: FleetView) -> Iterator[Problem]:
    """Who replicates is asked for what it stores: an OSD has both networks."""
    nodes = fleet.roles.nodes("storage")
    who = frozenset(
        host.name
        for host in fleet.hosts
        if fleet.attached(host, "storage_replication") and host.name not in nodes
    )
    yield from _storage(fleet, "storage_access", who, "on a storage_replication network")


def _storage(fleet: FleetView, kind: str, hosts: frozenset[str], what: str) -> Iterator[Problem]:
    known = fleet.of_kind(kind)
    for host in fleet.hosts if known else ():
        if host.name in hosts and not fleet.addressed(host, kind):
            wrong = f"has no {kind} network with an address, and the host is {what}"
            right = f"Attach {words(network.name for network in known)} with an address"
            attached = [network.name for network in fleet.attached(host)]
            yield Problem(ATTACH, attached, wrong, right, host.name)
