# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The difference between two plans as Ansible shows it: one entry for each host's file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger, to_text
from ansible_collections.underlay.cluster.plugins.plugin_utils.netplan_text import netplan_text
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.reach import reach_lines

Part = Mapping[str, Any]


def ledger_difference(before: Ledger, after: Ledger) -> Iterator[dict[str, str]]:
    """Yield the ledger's difference, if there is one."""
    if before != after:
        yield _entry("ledger.yml", to_text(before), to_text(after))


def fleet_difference(before: Part, after: Part) -> Iterator[dict[str, str]]:
    """Yield the difference of the firewalls' sets of addresses. An absent part is {}."""
    texts = [_sets_text(part.get("firewall", {})) for part in (before, after)]
    if texts[0] != texts[1]:
        yield _entry("firewall: sets of addresses", *texts)


def host_difference(name: str, before: Part, after: Part) -> Iterator[dict[str, str]]:
    """Yield an entry for each netplan file of a host that differs, and one for its firewall.

    An absent part is {}.
    """
    old = {file["name"]: file for file in before.get("files", ())}
    new = {file["name"]: file for file in after.get("files", ())}
    for file in sorted(old.keys() | new.keys()):
        texts = [netplan_text(files[file]) if file in files else "" for files in (old, new)]
        if texts[0] != texts[1]:
            yield _entry(f"{name}: {file}", *texts)
    texts = [_firewall_text(part.get("firewall", {})) for part in (before, after)]
    if texts[0] != texts[1]:
        yield _entry(f"{name}: firewall", *texts)


def _sets_text(firewall: Part) -> str:
    lines: list[str] = []
    for item in firewall.get("ipsets", ()):
        if item["state"] == "present":
            lines += [f"{item['name']}:", *(f"  {entry}" for entry in item["entries"])]
    return "".join(f"{line}\n" for line in lines)


def _firewall_text(firewall: Part) -> str:
    if not firewall.get("enabled"):
        return ""
    lines = [
        f"{zone['name']}: {', '.join(zone['interfaces'])}"
        for zone in firewall["zones"]
        if zone.get("interfaces")
    ]
    return "".join(f"{line}\n" for line in [*lines, "", *reach_lines(firewall["reach"])])


def _entry(header: str, before: str, after: str) -> dict[str, str]:
    return {
        "before_header": header,
        "after_header": header,
        "before": before,
        "after": after,
    }
