# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what the hosts measured, once, on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.underlay.cluster.plugins.plugin_utils.place import store_folder
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.answers import Hosts, answers
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.document import (
    counts,
    finding_data,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.files import (
    Report,
    place_of_report,
    read_plan,
    write_report,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.text import (
    headline,
    terminal_lines,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.verdict import Verdict, judge
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import StoreError

GROUP = "underlay"
# What the role verify registers on every host.
REGISTERED = "underlay_measured"

ARGUMENTS = {
    "store": {"type": "path"},
    "fail_on": {"type": "str", "choices": ["failed", "degraded", "never"], "default": "failed"},
}

_COLOURS = {
    State.OK: constants.COLOR_OK,
    State.DEGRADED: constants.COLOR_WARN,
    State.FAILED: constants.COLOR_ERROR,
    State.NOT_MEASURED: constants.COLOR_ERROR,
}


class ActionModule(ActionBase):
    """See the module's documentation."""

    # The verdict is the fleet's: whatever the play's hosts, it is reached once.
    BYPASS_HOST_LOOP = True
    _requires_connection = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge, show, write the report unless in check mode, and fail where it is wanted."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = self.validate_argument_spec(ARGUMENTS)[1]
        try:
            store = store_folder(variables, arguments["store"])
            verdict = _judge(variables, store)
            report = None
            if not self._task.check_mode:
                report = place_of_report(store)
                _write(report, verdict)
        except StoreError as error:
            return {**result, "failed": True, "msg": str(error)}
        _show(verdict, report)
        result |= _data(verdict, report)
        if arguments["fail_on"] in _reached(verdict.state):
            return {**result, "failed": True}
        return result


def _judge(variables: Mapping[str, Any], store: Path) -> Verdict:
    plan = read_plan(variables, store)
    known = {*plan.parts, *variables["groups"].get(GROUP, ())}
    hosts = Hosts(
        everybody=known.intersection(variables["ansible_play_hosts_all"]),
        remaining=known.intersection(variables["ansible_play_hosts"]),
        batch=known.intersection(variables["ansible_play_batch"]),
    )
    return judge(plan.sha256, plan.fleet, plan.parts, answers(hosts, _results(variables, known)))


def _results(variables: Mapping[str, Any], hosts: set[str]) -> dict[str, object]:
    """Return what the hosts have registered; read raw, since templates have no place in it."""
    hostvars = variables["hostvars"]
    there = (host for host in hosts if host in hostvars)
    found = {host: hostvars.raw_get(host).get(REGISTERED) for host in there}
    return {host: result for host, result in found.items() if result is not None}


def _write(report: Report, verdict: Verdict) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    write_report(report, verdict, now.isoformat(), f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _show(verdict: Verdict, report: Report | None) -> None:
    display = Display()
    for line in terminal_lines(verdict):
        display.display(line.text, color=_COLOURS.get(line.state) if line.state else None)
    if verdict.state is State.DEGRADED:
        display.warning(headline(verdict))
    display.display(f"Report: {report.page if report else 'none is written in check mode'}")


def _data(verdict: Verdict, report: Report | None) -> dict[str, Any]:
    place = {"report": str(report.page), "document": str(report.document)} if report else {}
    told = f" Report: {report.page}" if report else ""
    return {
        "changed": False,
        "msg": f"{headline(verdict)}{told}",
        "verdict": str(verdict.state),
        "plan": verdict.plan,
        "counts": counts(verdict),
        "findings": [finding_data(item) for item in verdict.findings],
        **place,
    }


def _reached(state: State) -> set[str]:
    """Return the levels of fail_on that this verdict reaches."""
    levels = {State.DEGRADED: {"degraded"}, State.FAILED: {"degraded", "failed"}}
    return levels.get(state, set())
