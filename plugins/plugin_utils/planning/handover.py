# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan hands to the next tools, as plain data: one item for each file.

All of it is read off the plan's own data, so that a plan has one hand-over, whenever it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.handover_ceph import (
    ceph_conf,
    ceph_host_conf,
    rook_values,
    stores,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.handover_metallb import (
    metallb,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.services import (
    api_endpoint_of,
    host_and_port,
    kubelet_node_ip,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.vips import ANNOUNCED

Plan = Mapping[str, Any]
Hosts = Mapping[str, Mapping[str, Any]]

# kubeadm's configuration of Kubernetes 1.31 and later.
_KUBEADM = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration"}


@dataclass(frozen=True, slots=True)
class HandoverFile:
    """One file.

    path: folders and name below the hand-over's folder; style: how content is written: json, yaml
    (a list of documents), ini (section -> key -> value) or frr (text); about: what it is, in one
    line
    """

    path: tuple[str, ...]
    style: str
    content: Any
    about: str = ""


def handover(fleet: Plan, hosts: Hosts) -> Iterator[HandoverFile]:
    """Yield the files. fleet, hosts: the plan's parts.

    Hosts without a cluster have theirs at the top, those of a named one below clusters/NAME.
    """
    yield HandoverFile(
        ("addresses.json",), "json", {name: part["services"] for name, part in hosts.items()}
    )
    node_ips = {name: kubelet_node_ip(part["services"]) for name, part in hosts.items()}
    yield HandoverFile(("kubelet_node_ips.json",), "json", node_ips)
    of_cluster: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, part in hosts.items():
        of_cluster.setdefault(part["cluster"], {})[name] = part
    for cluster, members in of_cluster.items():
        folder = ("clusters", cluster) if cluster else ()
        for file in _of_cluster(cluster, fleet, members):
            yield HandoverFile((*folder, *file.path), file.style, file.content, file.about)


def _of_cluster(cluster: str, fleet: Plan, hosts: Hosts) -> Iterator[HandoverFile]:
    # What a cluster does not have has no file.
    for name, style, make, about in _FLEET_FILES:
        content = make(fleet, hosts)
        if content:
            yield HandoverFile((name,), style, content, about)
    endpoint = api_endpoint_of(cluster, fleet["api_endpoints"])
    if endpoint is not None:
        address = host_and_port(endpoint["address"], endpoint["port"])
        fragment = {**_KUBEADM, "controlPlaneEndpoint": address}
        about = "kubeadm's controlPlaneEndpoint, to merge into your configuration"
        yield HandoverFile(("kubeadm.yaml",), "yaml", [fragment], about)
    for name in stores(hosts):
        about = f"Ceph's addresses on {name}, for ceph.conf on this host"
        content = ceph_host_conf(hosts[name]["services"])
        yield HandoverFile(("ceph", f"{name}.conf"), "ini", content, about)
    for name, part in hosts.items():
        text = _announcing(part)
        if text:
            about = f"The BGP of {name} as its own daemon has it, for those who run FRR themselves"
            yield HandoverFile(("frr", f"{name}.conf"), "frr", text, about)


def _announcing(part: Mapping[str, Any]) -> str:
    """Return what the host's BGP daemon reads; empty on a host that announces nothing."""
    for daemon in part.get("daemons", {}).get("vip", ()):
        for file in daemon.get("files", ()) if daemon["name"] == ANNOUNCED else ():
            return str(file["content"])
    return ""


_FLEET_FILES: tuple[tuple[str, str, Callable[[Plan, Hosts], Any], str], ...] = (
    ("ceph.conf", "ini", ceph_conf, "Ceph's networks, for ceph.conf on every host"),
    ("rook-values.yaml", "yaml", rook_values, "Values for Rook's Helm chart rook-ceph-cluster"),
    ("metallb.yaml", "yaml", metallb, "MetalLB's address pools, and where they are announced"),
)
