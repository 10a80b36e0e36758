# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the virtual addresses: each one that moves by ARP is on exactly one host (S4.6-7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.answers import (
    Answer,
    Count,
    Finding,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State


def with_vips(
    vips: Iterable[Mapping[str, Any]], waiting: Set[str], answered: Mapping[str, Answer]
) -> dict[str, Answer]:
    """Return the answers with one more check for each VIP, told by the first host concerned.

    vips: the fleet's, as the plan has them; waiting: hosts that are provisioned and hold none
    """
    found = dict(answered)
    for vip in vips:
        if vip["mode"] != "arp":
            # Announced by routing, it is on any number of hosts; all hosts ask whether it answers.
            continue
        holders = [host for host in vip.get("holders", ()) if host not in waiting]
        measured = [host for host in holders if host in found and found[host].vips is not None]
        holding = [host for host in measured if vip["name"] in (found[host].vips or ())]
        # Somebody who was not measured may hold it, so that only all together can have lost it.
        lost = not holding and len(measured) == len(holders)
        if measured and (holding or lost):
            teller = (holding or measured)[0]
            finding = None if len(holding) == 1 else _finding(vip, teller, holders, holding)
            found[teller] = _told(found[teller], vip["network"], finding)
    return found


def _finding(
    vip: Mapping[str, Any], teller: str, holders: Sequence[str], holding: Sequence[str]
) -> Finding:
    if len(holders) == 1:
        expected = f"held by {holders[0]}"
    else:
        expected = f"held by exactly one of {', '.join(holders)}"
    return Finding(
        host=teller,
        network=vip["network"],
        check="vip",
        severity=State.FAILED,
        subject=f"VIP {vip['name']} {vip['address']}",
        expected=expected,
        seen=f"held by {' and '.join(holding)}" if holding else "held by nobody",
    )


def _told(answer: Answer, network: str, finding: Finding | None) -> Answer:
    failed = int(finding is not None)
    counts = {item.network: item for item in answer.counts}
    count = counts.get(network, Count(network, 0, 0, 0, None))
    counts[network] = replace(count, checks=count.checks + 1, failed=count.failed + failed)
    findings = (*answer.findings, finding) if finding else answer.findings
    return replace(answer, counts=tuple(counts.values()), findings=findings)
