# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports the parts of a cluster need: on which hosts, for whom, and who says so. Data alone.

A row is about what comes in. Who asks is written as one of the words of `Who`; what a cluster runs
decides by `Row.needed` which rows it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

# IP protocols by their number, as /etc/protocols of distributions name them differently.
IPIP = "4"
ESP = "50"
VRRP = "112"
ICMP = "icmp"


class Who(Enum):
    """Who asks, and on the other side which hosts are asked."""

    HOSTS = "cluster hosts"
    CONTROL_PLANE = "control plane"
    RUNNING = "hosts that run it"
    CLIENTS = "its clients"
    ANYONE = "anyone"
    SELF = "the host itself"


@dataclass(frozen=True, slots=True)
class Row:
    """What one part of a cluster listens on.

    items: "PORT/PROTOCOL", "FIRST-LAST/PROTOCOL", a protocol's number, or ICMP
    on, source: who is asked and who asks; component: runs it, where it is not part of every cluster
    provider, settings: the pod network that has it, with any of these values of each setting
    networks: the only kinds of network on which it is asked
    cite: where it is written
    """

    name: str
    items: tuple[str, ...]
    on: Who
    source: Who
    cite: str
    component: str = ""
    provider: str = ""
    settings: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    networks: tuple[str, ...] = ()

    def needed(self, provider: str, settings: Mapping[str, Any], components: set[str]) -> bool:
        """Say whether a cluster has this row. provider: empty for none; settings: its own."""
        if self.component and self.component not in components:
            return False
        if self.provider and self.provider != provider:
            return False
        return all(settings.get(name) in values for name, values in self.settings.items())


_K8S = "kubernetes.io, Reference, Ports and Protocols"
_PROXY = "Kubernetes, kube-proxy's HealthzBindAddress and MetricsBindAddress"
_FLANNEL = "flannel, Documentation/backends.md"
_CALICO = "Calico, System requirements, Network requirements"
_WEAVE = "Weave Net, FAQ, Which ports does Weave Net use"
_CILIUM = "Cilium, System Requirements, Firewall Rules"
_CILIUM_ROUTING = "Cilium, Routing"
_CEPH = "Ceph, Network Configuration Reference"
_METALLB = "MetalLB, Installation, Preparation; Kubespray, Port Requirements"

CATALOGUE: tuple[Row, ...] = (
    # Kubernetes
    Row("API server", ("6443/tcp",), Who.CONTROL_PLANE, Who.HOSTS, _K8S),
    Row("etcd", ("2379-2380/tcp",), Who.CONTROL_PLANE, Who.CONTROL_PLANE, _K8S),
    Row("kubelet", ("10250/tcp",), Who.HOSTS, Who.CONTROL_PLANE, _K8S),
    Row("controller manager", ("10257/tcp",), Who.CONTROL_PLANE, Who.SELF, _K8S),
    Row("scheduler", ("10259/tcp",), Who.CONTROL_PLANE, Who.SELF, _K8S),
    Row("node ports", ("30000-32767/tcp", "30000-32767/udp"), Who.HOSTS, Who.HOSTS, _K8S),
    Row("kube-proxy metrics", ("10249/tcp",), Who.HOSTS, Who.SELF, _PROXY),
    Row("kube-proxy health", ("10256/tcp",), Who.RUNNING, Who.CLIENTS, _PROXY, "healthz"),
    # Canal: flannel carries the packets, Calico judges them
    Row(
        "flannel VXLAN",
        ("8472/udp",),
        Who.HOSTS,
        Who.HOSTS,
        _FLANNEL,
        provider="canal",
        settings={"backend": ("vxlan",)},
    ),
    Row(
        "flannel UDP",
        ("8285/udp",),
        Who.HOSTS,
        Who.HOSTS,
        _FLANNEL,
        provider="canal",
        settings={"backend": ("udp",)},
    ),
    Row(
        "flannel WireGuard",
        ("51820-51821/udp",),
        Who.HOSTS,
        Who.HOSTS,
        _FLANNEL,
        provider="canal",
        settings={"backend": ("wireguard",)},
    ),
    # Calico. Felix takes VXLAN without BGP; all else needs the routes that BGP brings.
    Row(
        "Calico BGP",
        ("179/tcp",),
        Who.HOSTS,
        Who.HOSTS,
        _CALICO,
        provider="calico",
        settings={"vxlan": (False,)},
    ),
    Row(
        "Calico IP-in-IP",
        (IPIP,),
        Who.HOSTS,
        Who.HOSTS,
        f"{_CALICO}; kubespray#2877",
        provider="calico",
        settings={"ipip_mode": ("Always", "CrossSubnet")},
    ),
    Row(
        "Calico VXLAN",
        ("4789/udp",),
        Who.HOSTS,
        Who.HOSTS,
        _CALICO,
        provider="calico",
        settings={"vxlan": (True,)},
    ),
    Row(
        "Calico WireGuard",
        ("51820-51821/udp",),
        Who.HOSTS,
        Who.HOSTS,
        _CALICO,
        provider="calico",
        settings={"wireguard": (True,)},
    ),
    Row("Calico Typha", ("5473/tcp",), Who.RUNNING, Who.HOSTS, _CALICO, "typha"),
    # Weave
    Row("Weave control", ("6783/tcp",), Who.HOSTS, Who.HOSTS, _WEAVE, provider="weave"),
    Row("Weave data", ("6783-6784/udp",), Who.HOSTS, Who.HOSTS, _WEAVE, provider="weave"),
    Row("Weave encryption", (ESP,), Who.HOSTS, Who.HOSTS, _WEAVE, provider="weave"),
    Row(
        "Weave metrics",
        ("6781-6782/tcp",),
        Who.RUNNING,
        Who.CLIENTS,
        _WEAVE,
        "weave_metrics",
    ),
    # Cilium
    Row("Cilium health", ("4240/tcp", ICMP), Who.HOSTS, Who.HOSTS, _CILIUM, provider="cilium"),
    Row(
        "Cilium VXLAN",
        ("8472/udp",),
        Who.HOSTS,
        Who.HOSTS,
        _CILIUM_ROUTING,
        provider="cilium",
        settings={"tunnel": ("vxlan",)},
    ),
    Row(
        "Cilium Geneve",
        ("6081/udp",),
        Who.HOSTS,
        Who.HOSTS,
        _CILIUM_ROUTING,
        provider="cilium",
        settings={"tunnel": ("geneve",)},
    ),
    Row(
        "Cilium WireGuard",
        ("51871/udp",),
        Who.HOSTS,
        Who.HOSTS,
        _CILIUM,
        provider="cilium",
        settings={"encryption": ("wireguard",)},
    ),
    Row(
        "Cilium IPsec",
        (ESP,),
        Who.HOSTS,
        Who.HOSTS,
        _CILIUM,
        provider="cilium",
        settings={"encryption": ("ipsec",)},
    ),
    Row("Hubble", ("4244/tcp",), Who.RUNNING, Who.HOSTS, _CILIUM, "hubble"),
    Row("Hubble relay", ("4245/tcp",), Who.RUNNING, Who.CLIENTS, _CILIUM, "hubble_relay"),
    Row("Cilium mutual auth", ("4250/tcp",), Who.RUNNING, Who.HOSTS, _CILIUM, "cilium_mutual_auth"),
    Row("Cilium metrics", ("9962-9964/tcp",), Who.RUNNING, Who.CLIENTS, _CILIUM, "cilium_metrics"),
    # What else runs on hosts
    Row(
        "MetalLB speakers",
        ("7946/tcp", "7946/udp"),
        Who.RUNNING,
        Who.RUNNING,
        _METALLB,
        "metallb",
    ),
    Row("MetalLB metrics", ("7472/tcp",), Who.RUNNING, Who.CLIENTS, _METALLB, "metallb"),
    Row("Ceph monitor", ("3300/tcp", "6789/tcp"), Who.RUNNING, Who.HOSTS, _CEPH, "ceph"),
    Row("Ceph monitor", ("3300/tcp", "6789/tcp"), Who.RUNNING, Who.CLIENTS, _CEPH, "ceph"),
    Row("Ceph OSD, MDS, manager", ("6800-7300/tcp",), Who.RUNNING, Who.HOSTS, _CEPH, "ceph"),
    Row("Ceph OSD, MDS, manager", ("6800-7300/tcp",), Who.RUNNING, Who.CLIENTS, _CEPH, "ceph"),
    Row(
        "node exporter",
        ("9100/tcp",),
        Who.RUNNING,
        Who.CLIENTS,
        "Kubespray, Port Requirements",
        "node_exporter",
    ),
    Row("VRRP", (VRRP,), Who.RUNNING, Who.RUNNING, "RFC 5798, 5.1.1.4", "keepalived"),
    Row("BGP to routers", ("179/tcp",), Who.RUNNING, Who.CLIENTS, "RFC 4271, 8.2.1", "bgp"),
    # A machine that is being provisioned has no address yet, so nobody can be named.
    Row("DHCP", ("67/udp",), Who.RUNNING, Who.ANYONE, "RFC 2131, 4.1", "pxe", networks=("pxe",)),
    Row("TFTP", ("69/udp",), Who.RUNNING, Who.ANYONE, "RFC 1350, 4", "pxe", networks=("pxe",)),
    Row(
        "HTTP boot",
        ("80/tcp",),
        Who.RUNNING,
        Who.ANYONE,
        "UEFI Specification, HTTP Boot; RFC 9110, 4.2.1",
        "pxe",
        networks=("pxe",),
    ),
)
