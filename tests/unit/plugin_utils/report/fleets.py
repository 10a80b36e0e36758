# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets small enough to be read at a glance: their plans, and what their hosts answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.answers import (
    Answer,
    read_answer,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.verdict import Verdict, judge

PLAN = "9aaa1a69f26694b5b281837becdbbaabc3082d010ce4d17b0b6ad05b3a754c8d"
VLANS = {"lcm": 101, "workload": 201, "storage": 301}
FLEET = {"networks": [{"name": name} for name in ("pxe", *VLANS, "oob")]}


def part(name: str, networks: Iterable[str] = ("lcm", "storage"), rack: str = "r1") -> Any:
    """A host's part of the plan, with a bond and a VLAN for each network."""
    on = list(networks)
    vlans = [
        {"name": f"bond0.{VLANS.get(item, 9)}", "network": item, "vlan": VLANS.get(item, 9)}
        for item in on
    ]
    return {
        "name": name,
        "rack": rack,
        "addresses": [{"network": item} for item in on],
        "expect": {"links": [{"name": "bond0", "network": None}, *vlans]},
    }


def parts(*names: str, **more: Any) -> dict[str, Any]:
    """The parts of several hosts alike."""
    return {name: part(name, **more) for name in names}


def finding(network: str | None = "lcm", severity: str = "failed", **more: str) -> dict[str, Any]:
    """A finding as the probing module returns it."""
    told = {
        "check": "gateway",
        "subject": "10.21.1.1",
        "expected": "an answer on bond0.101",
        "seen": "no answer to 3 requests",
    }
    return {"network": network, "severity": severity, **told, **more}


def kept_off(name: str, *networks: str, **more: Any) -> dict[str, Any]:
    """A host's part of the plan that must have nothing to do with these networks."""
    made: dict[str, Any] = part(name, **more)
    made["expect"]["forbidden"] = [
        {"network": network, "kind": network, "cidr": "10.25.1.0/24"} for network in networks
    ]
    return made


def provisioning(name: str) -> dict[str, Any]:
    """The part of a host that has no system yet."""
    return {**part(name), "state": "provisioning"}


def result(
    *findings: dict[str, Any],
    networks: Iterable[str | None] = (None, "lcm", "storage"),
    vips: Iterable[str] = (),
) -> dict[str, Any]:
    """A probe's registered result: these findings, and all other checks went well."""
    severities = {
        network: [item["severity"] for item in findings if item["network"] == network]
        for network in networks
    }
    return {
        "changed": False,
        "seconds": 1.8,
        "findings": list(findings),
        "vips": list(vips),
        "measured": [
            {
                "network": network,
                "checks": 23,
                "failed": told.count("failed"),
                "degraded": told.count("degraded"),
                "rtt_ms": 0.61 if network else None,
            }
            for network, told in severities.items()
        ],
    }


def verdict(planned: Mapping[str, Any], *vips: dict[str, Any], **results: object) -> Verdict:
    """The verdict of hosts that returned these results; `None` is a host that was not asked."""
    answered: dict[str, Answer] = {
        host: read_answer(host, value) for host, value in results.items() if value is not None
    }
    return judge(PLAN, {**FLEET, "vips": vips}, planned, answered)


def fine(count: int, troubled: Mapping[str, object] | None = None) -> Verdict:
    """Many hosts, w1, w2, …, all of them well but the troubled ones."""
    names = [f"w{number}" for number in range(1, count + 1)]
    results = {name: result() for name in names} | dict(troubled or {})
    return verdict(parts(*names), **results)


GONE = {"unreachable": True, "msg": "ssh: connect to host w1: Connection timed out"}
