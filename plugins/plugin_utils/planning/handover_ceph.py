# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage access is Ceph's public network, storage replication its cluster network (S4.13-14).

Options as in Ceph's "Network Configuration Reference", Rook's as in its "Network Providers" and
"CephCluster CRD".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Plan = Mapping[str, Any]
Hosts = Mapping[str, Mapping[str, Any]]
Ini = dict[str, dict[str, str]]

_PUBLIC, _CLUSTER = "ceph_public", "ceph_cluster"


def ceph_conf(fleet: Plan, hosts: Hosts) -> Ini:
    """Return the section global: every segment of the networks; empty without storage."""
    public, cluster = _subnets(_PUBLIC, fleet, hosts), _subnets(_CLUSTER, fleet, hosts)
    if not public:
        return {}
    options = {"public_network": ", ".join(public)}
    if cluster:
        options["cluster_network"] = ", ".join(cluster)
    families = _families(public)
    if 6 in families:
        # Ceph binds to IPv4 alone unless it is told otherwise.
        options["ms_bind_ipv4"] = str(4 in families).lower()
        options["ms_bind_ipv6"] = "true"
    return {"global": options}


def ceph_host_conf(services: Mapping[str, Mapping[str, Any]]) -> Ini:
    """Return the section osd of one host.

    public_addr and cluster_addr take one address. A host with both families has Ceph pick one of
    each from the networks: a fixed one would keep its daemons off the other family.
    """
    wanted = {"public_addr": _PUBLIC, "cluster_addr": _CLUSTER}
    found = {
        option: services[service]["address"]
        for option, service in wanted.items()
        if service in services and len(services[service]["addresses"]) == 1
    }
    return {"osd": found}


def rook_values(fleet: Plan, hosts: Hosts) -> list[dict[str, Any]]:
    """Return the values; no document without storage."""
    public, cluster = _subnets(_PUBLIC, fleet, hosts), _subnets(_CLUSTER, fleet, hosts)
    if not public:
        return []
    ranges = {"public": public, **({"cluster": cluster} if cluster else {})}
    network: dict[str, Any] = {"provider": "host", "addressRanges": ranges}
    families = _families(public)
    if families == {6}:
        network["ipFamily"] = "IPv6"
    elif len(families) == 2:
        network["dualStack"] = True
    return [{"cephClusterSpec": {"network": network}}]


def stores(hosts: Hosts) -> list[str]:
    """Return the hosts of Ceph's daemons: of the replication network, or, without one, of access.

    Clients of Ceph are on storage access too.
    """
    replicating = [name for name, part in hosts.items() if _CLUSTER in part["services"]]
    return replicating or [name for name, part in hosts.items() if _PUBLIC in part["services"]]


def _subnets(service: str, fleet: Plan, hosts: Hosts) -> list[str]:
    """Return the subnets of all segments of the networks by which hosts have a service."""
    used = {
        part["services"][service]["network"]
        for part in hosts.values()
        if service in part["services"]
    }
    return [
        segment["cidr"]
        for network in fleet["networks"]
        for segment in network["segments"]
        if network["name"] in used
    ]


def _families(subnets: list[str]) -> set[int]:
    return {6 if ":" in subnet else 4 for subnet in subnets}
