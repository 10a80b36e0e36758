# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which address serves what on a host: read off its addresses, for whoever installs the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model

Service = dict[str, Any]
Services = dict[str, Service]
Addresses = Iterable[Mapping[str, Any]]

# service -> kinds of networks that serve it, the first that the host is on (S4.2, S4.8, S4.9, S4.13
# and S4.14). MetalLB answers only where the host has an external address: replies of a host
# without one leave by another way than requests came in by (S4.12). Hosts on the network of the
# kind pxe are the provisioning servers (S4.1).
_KINDS: Mapping[str, tuple[str, ...]] = {
    "kubelet": ("lcm",),
    "pod_network": ("workload", "lcm"),
    "ceph_public": ("storage_access",),
    "ceph_cluster": ("storage_replication",),
    "external": ("external",),
    "metallb": ("external",),
    "pxe": ("pxe",),
}
# Routers are spoken to from the LCM network.
_BGP = {"bgp": ("lcm",)}


def services(addresses: Addresses, *, bgp: bool) -> Services:
    """Return service -> network, link, address and addresses; only services that the host has.

    addresses: those of the host's part of the plan; bgp: the fleet has BGP peers
    """
    kinds = {**_KINDS, **(_BGP if bgp else {})}
    on_kind: dict[str, Service] = {}
    for item in addresses:
        address = item["address"].partition("/")[0]
        first = {"network": item["network"], "link": item["link"], "address": address}
        found = on_kind.setdefault(item["kind"], {**first, "addresses": []})
        if item["network"] == found["network"]:
            found["addresses"].append(address)
    chosen = {
        service: next((on_kind[kind] for kind in wanted if kind in on_kind), None)
        for service, wanted in kinds.items()
    }
    # Each its own object: whoever changes one service's facts does not change another's.
    return {
        service: {**found, "addresses": list(found["addresses"])}
        for service, found in chosen.items()
        if found is not None
    }


def kubelet_node_ip(of_host: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what kubelet's --node-ip takes: one address, or "IPv4,IPv6"; empty without any.

    kubelet accepts at most one address of each family (Kubernetes, "IPv4/IPv6 dual-stack").
    """
    of_family: dict[bool, str] = {}
    for address in of_host.get("kubelet", {}).get("addresses", ()):
        of_family.setdefault(":" in address, address)
    return ",".join(of_family.values())


def api_endpoints(model: Model, vips: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the Kubernetes API's endpoints: the VIPs on networks that hold it (S4.6, S4.7).

    vips: those of the fleet's part of the plan
    """
    return [
        {
            "cluster": vip["cluster"],
            "address": vip["address"],
            "port": vip["port"],
            "url": f"https://{host_and_port(vip['address'], vip['port'])}",
        }
        for vip in vips
        if model.networks[vip["network"]].api_endpoint
    ]


def api_endpoint_of(
    cluster: str, endpoints: Iterable[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return a cluster's endpoint: its own, or else one that names no cluster; the first of each.

    cluster: empty for the only one
    """
    fitting = [item for item in endpoints if item["cluster"] in (cluster, "")]
    return next(iter(sorted(fitting, key=lambda item: item["cluster"] != cluster)), None)


def host_and_port(address: str, port: int) -> str:
    """Return both as one word; IPv6 in brackets (RFC 3986, 3.2.2)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
