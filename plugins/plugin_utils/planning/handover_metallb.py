# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MetalLB's pools from the service ranges of external networks, announced by ARP and NDP (S4.9).

Kinds and keys as in MetalLB's API reference, metallb.io/v1beta1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Plan = Mapping[str, Any]
Hosts = Mapping[str, Mapping[str, Any]]

NAMESPACE = "metallb-system"
# The well-known label; kubelet sets it to the host's name in lower case.
_HOSTNAME = "kubernetes.io/hostname"


def metallb(fleet: Plan, hosts: Hosts) -> list[dict[str, Any]]:
    """Return the objects; none where no host of the cluster has an address beside a pool's."""
    # A provisioning server is no node of the cluster.
    nodes = {name: part for name, part in hosts.items() if "pxe" not in part["services"]}
    taken: set[str] = set()
    found: list[dict[str, Any]] = []
    for network in fleet["networks"]:
        if network["kind"] == "external":
            for segments in _domains(network["segments"]):
                found += _pool(network["name"], segments, nodes, taken)
    return found


def _domains(segments: Iterable[Mapping[str, Any]]) -> Iterable[list[Mapping[str, Any]]]:
    """Return the segments that have service ranges, those of one L2 domain together.

    A service of both families takes its addresses from one pool.
    """
    domains: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for segment in segments:
        if segment["service_ranges"]:
            key = (*segment["racks"], segment["vlan"])
            domains.setdefault(key, []).append(segment)
    return domains.values()


def _pool(
    network: str, segments: list[Mapping[str, Any]], nodes: Hosts, taken: set[str]
) -> Iterator[dict[str, Any]]:
    names = {segment["name"] for segment in segments}
    on_link: dict[str, dict[str, None]] = {}
    for host, part in nodes.items():
        for item in part["addresses"]:
            if item["network"] == network and item["segment"] in names:
                on_link.setdefault(item["link"], {})[host] = None
    if not on_link:
        return
    pool = _name(f"{network}-{segments[0]['name']}", taken)
    ranges = [_range(text) for segment in segments for text in segment["service_ranges"]]
    yield _object("IPAddressPool", pool, {"addresses": ranges})
    for link, hosts in on_link.items():
        spec: dict[str, Any] = {"ipAddressPools": [pool], "interfaces": [link]}
        if len(hosts) < len(nodes):
            # Of the others none has this link with an address beside the pool's.
            values = [host.lower() for host in hosts]
            chosen = {"key": _HOSTNAME, "operator": "In", "values": values}
            spec["nodeSelectors"] = [{"matchExpressions": [chosen]}]
        name = pool if len(on_link) == 1 else f"{pool}-{link}"
        yield _object("L2Advertisement", _name(name, taken, "L2Advertisement/"), spec)


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def _range(text: str) -> str:
    """Return a service range as MetalLB takes it: FIRST-LAST or a CIDR, not one address alone."""
    if "-" in text:
        return text
    return f"{text}/{128 if ':' in text else 32}"


def _name(wanted: str, taken: set[str], kind: str = "") -> str:
    """Return an object's name as Kubernetes has them (RFC 1123), that no other has."""
    base = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-") or "external"
    name, number = base, 1
    while f"{kind}{name}" in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(f"{kind}{name}")
    return name
