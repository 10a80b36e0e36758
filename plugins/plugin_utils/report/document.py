# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict as a JSON document, for programs and for whoever keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.answers import Finding
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.verdict import (
    LINKS,
    Cell,
    Row,
    Verdict,
)

FORMAT = 1


def document(verdict: Verdict, at: str) -> dict[str, Any]:
    """Return the verdict as plain data. at: when it was reached, ISO 8601."""
    findings: dict[str, list[dict[str, Any]]] = {}
    for item in verdict.findings:
        findings.setdefault(item.host, []).append(finding_data(item))
    return {
        "format": FORMAT,
        "at": at,
        "plan": {"sha256": verdict.plan},
        "verdict": str(verdict.state),
        "counts": counts(verdict),
        "hosts": [_host(row, findings.get(row.name, [])) for row in verdict.rows],
        "reach": [{"hosts": item.hosts, "rows": item.rows} for item in verdict.reach],
    }


def counts(verdict: Verdict) -> dict[str, dict[str, int]]:
    """Return how many hosts and findings there are of each state."""
    states = (
        State.OK,
        State.DEGRADED,
        State.FAILED,
        State.NOT_MEASURED,
        State.NOT_ASKED,
        State.PROVISIONING,
    )
    return {
        "hosts": {_key(state): verdict.hosts.get(state, 0) for state in states},
        "findings": {
            _key(severity): verdict.found(severity) for severity in (State.FAILED, State.DEGRADED)
        },
    }


def finding_data(item: Finding) -> dict[str, Any]:
    """Return a finding as plain data."""
    return {
        "host": item.host,
        "network": item.network,
        "check": item.check,
        "severity": str(item.severity),
        "subject": item.subject,
        "expected": item.expected,
        "seen": item.seen,
    }


def _host(row: Row, findings: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": row.name,
        "rack": row.rack,
        "state": str(row.state),
        "reason": row.reason or None,
        "seconds": row.seconds,
        "measured": _measured(row.cells),
        "findings": findings,
    }


def _measured(cells: Mapping[str, Cell]) -> list[dict[str, Any]]:
    return [
        {
            "network": None if column == LINKS else column,
            "state": str(cell.state),
            "checks": cell.count.checks if cell.count else 0,
            "failed": cell.count.failed if cell.count else 0,
            "degraded": cell.count.degraded if cell.count else 0,
            "rtt_ms": cell.count.rtt_ms if cell.count else None,
        }
        for column, cell in cells.items()
    ]


def _key(state: State) -> str:
    return str(state).replace(" ", "_")
