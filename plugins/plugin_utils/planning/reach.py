# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may reach what: a host's firewall as a table, read off the same decisions as its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model

# What stands in the column of networks for a row that holds whatever the packet comes in by.
EVERY_NETWORK = "any network"
HEADINGS = ("WHO", "MAY REACH", "BECAUSE OF")
# IP protocols that people know by name (IANA, Assigned Internet Protocol Numbers).
_PROTOCOLS = {"4": "IP-in-IP", "50": "ESP", "112": "VRRP", "icmp": "ICMP"}

Reach = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]


def reach_row(zone: str, who: str, sources: Sequence[str], what: Sequence[str], why: str) -> Reach:
    """Return one row.

    zone: empty for what no zone decides; who: in words; sources: the same as firewalld has it
    ("ipset:NAME" or a subnet), empty for anyone; what: ports ("22/tcp"), protocols, or words
    """
    shown = [_PROTOCOLS.get(item, item) for item in what]
    return {
        "zone": zone,
        "networks": [],
        "who": who,
        "sources": list(sources),
        "what": shown,
        "why": why,
    }


def reach_of_fleet(model: Model, policy: Mapping[str, Any]) -> list[Reach]:
    """Return the rows that all hosts have, whatever network a packet comes in by."""
    firewall, pods = model.firewall, model.pod_network
    everything = ["everything"]
    rows = []
    if firewall.trust_hosts:
        why = "between_hosts: all"
        rows.append(
            reach_row(
                "trusted",
                "cluster hosts",
                ["ipset:underlay-cluster", "ipset:underlay-cluster6"],
                everything,
                why,
            )
        )
    for who, subnets in (("pods", pods.pods), ("services", pods.services)) if pods else ():
        texts = [str(subnet) for subnet in subnets]
        rows.append(reach_row("trusted", who, texts, everything, "underlay_pod_network"))
    for index, subnet in enumerate(firewall.trusted_subnets):
        why = f"trusted_subnets[{index}]"
        rows.append(reach_row("trusted", str(subnet), [str(subnet)], everything, why))
    if policy["state"] == "present":
        why = f"policy {policy['name']}"
        rows.append(
            reach_row(
                "",
                "cluster hosts",
                ["ipset:underlay-hosts", "ipset:underlay-hosts6"],
                ["its pods"],
                why,
            )
        )
    if pods:
        # kube-proxy and portmap translate before firewalld is asked, and it accepts what is
        # translated: closing their ports in a zone has no effect.
        what = ["translated ports (services, host ports)"]
        rows.append(reach_row("", "anyone", [], what, "ct status dnat in firewalld's chains"))
    return rows


def grouped(parts: Mapping[str, Mapping[str, Any]]) -> list[tuple[list[str], Rows]]:
    """Return (hosts, rows) of the hosts with a firewall; hosts with equal rows share theirs.

    parts: host -> its part of the plan, in the order in which hosts are to be shown
    """
    groups: dict[str, tuple[list[str], Rows]] = {}
    for name, part in parts.items():
        rows = part.get("firewall", {}).get("reach")
        if rows:
            groups.setdefault(repr(rows), ([], rows))[0].append(name)
    return list(groups.values())


def reach_lines(rows: Rows) -> Iterator[str]:
    """Yield the tables as lines of text: one for each set of networks with the same rows."""
    tables = reach_tables(rows)
    whole = [HEADINGS, *(cells for table in tables.values() for cells in table)]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    for networks, table in tables.items():
        yield networks
        for cells in (HEADINGS, *table):
            padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            yield f"  {'  '.join(padded)}".rstrip()


def reach_tables(rows: Rows) -> dict[str, list[tuple[str, str, str]]]:
    """Return the rows as people read them: networks, comma-separated -> [(who, what, why)].

    Networks with equal rows share a table.
    """
    of_network: dict[str, list[tuple[str, str, str]]] = {}
    for row in rows:
        cells = row["who"], ", ".join(row["what"]), row["why"]
        for network in _networks(row):
            of_network.setdefault(network, []).append(cells)
    shared: dict[tuple[tuple[str, str, str], ...], list[str]] = {}
    for network, table in of_network.items():
        shared.setdefault(tuple(table), []).append(network)
    return {", ".join(networks): list(table) for table, networks in shared.items()}


def _networks(row: Mapping[str, Any]) -> Iterable[str]:
    if row["zone"] in ("", "trusted"):
        return [EVERY_NETWORK]
    # A zone of NICs that the plan does not configure has no network's name.
    return row["networks"] or [row["zone"]]
