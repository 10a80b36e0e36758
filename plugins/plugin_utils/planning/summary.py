# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan in words, for a person: what there is, what this run gives to whom, what is left over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model
from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import natural_key
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.addresses import (
    utilisation,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.fleet import Planned
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.reach import (
    grouped,
    reach_lines,
)

ROWS_SHOWN = 20
# Hosts of one role and of the same networks share a table; nobody reads more of them in a summary.
TABLES_SHOWN = 4
HOSTS_SHOWN = 6
# Above a segment's round number nobody reads the digits; an IPv6 /64 has 19 of them.
_COUNTED = 10**9

_MOVED_BY = {"arp": "by arp", "bgp": "by bgp", "none": "held by others"}

Row = tuple[str, str, str]


def summary(model: Model, planned: Planned, before: Ledger) -> str:
    """Return the plan's summary. before: the ledger that the plan started from."""
    networks, vips = len(model.networks), len(planned.fleet["vips"])
    counted = [(len(model.hosts), "host"), (networks, "network"), (vips, "VIP")]
    head = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counted)
    lines = [f"Plan {planned.sha256()[:12]}: {head}", "", *_table(_segments(model, planned)), ""]
    lines += [
        f"VIP {vip['name']}: {vip['address']} on {vip['network']}, {_MOVED_BY[vip['mode']]}"
        for vip in planned.fleet["vips"]
    ]
    lines += _firewalls(planned)
    lines += _changes(before, planned.ledger)
    lines += _unclaimed(planned.unclaimed)
    return "\n".join(lines)


def _segments(model: Model, planned: Planned) -> Iterable[Sequence[str]]:
    yield "NETWORK", "SEGMENT", "RACKS", "VLAN", "SUBNET", "MTU", "USED", "FREE"
    for network in model.networks.values():
        rows = planned.ledger.addresses.get(network.name, {})
        for segment in network.segments:
            used, free = utilisation(segment, rows)
            yield (
                network.name,
                segment.name,
                ",".join(segment.racks) or "all",
                "-" if segment.vlan is None else str(segment.vlan),
                str(segment.cidr),
                str(segment.mtu),
                str(used),
                str(free) if free < _COUNTED else "plenty",
            )


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _firewalls(planned: Planned) -> Iterator[str]:
    """Yield who may reach what, once for hosts with the same table."""
    groups = grouped(planned.hosts)
    for hosts, rows in groups[:TABLES_SHOWN]:
        more = len(hosts) - HOSTS_SHOWN
        names = ", ".join(hosts[:HOSTS_SHOWN]) + (f" and {more} more" if more > 0 else "")
        yield f"Who may reach what on {names}:"
        yield from (f"  {line}" for line in reach_lines(rows))
        yield ""
    if len(groups) > TABLES_SHOWN:
        left = sum(len(hosts) for hosts, _rows in groups[TABLES_SHOWN:])
        yield f"{left} more hosts with tables of their own; --diff shows those that change."
        yield ""


def _changes(before: Ledger, after: Ledger) -> list[str]:
    had, has = set(before.rows()), set(after.rows())
    lines = _listed("New addresses", has - had) + _listed("Given up", had - has)
    return lines or ["No address changes."]


def _unclaimed(rows: Iterable[Row]) -> list[str]:
    return _listed("Held but claimed by nobody (playbooks/release.yml gives them back)", rows)


def _listed(title: str, rows: Iterable[Row]) -> list[str]:
    ordered = sorted(rows, key=lambda row: (natural_key(row[2]), row))
    if not ordered:
        return []
    lines = [f"  {owner}: {address} on {network}" for network, address, owner in ordered]
    more = len(lines) - ROWS_SHOWN
    shown = lines[:ROWS_SHOWN] + ([f"  and {more} more"] if more > 0 else [])
    return [f"{title}: {len(lines)}", *shown]
