# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the fleet, once, on the controller."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.basic import missing_required_lib
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.underlay.cluster.plugins.plugin_utils.difference import (
    fleet_difference,
    host_difference,
    ledger_difference,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import LedgerError
from ansible_collections.underlay.cluster.plugins.plugin_utils.needs import missing
from ansible_collections.underlay.cluster.plugins.plugin_utils.place import store_folder
from ansible_collections.underlay.cluster.plugins.plugin_utils.planner import (
    PlanningRun,
    plan_fleet,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.summary import summary
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import (
    IntentError,
    Problem,
    describe,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    HANDOVER,
    FolderStore,
    StoredPlan,
    StoreError,
    read_fleet,
    read_host_part,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.variables import VariableReader

GROUP = "underlay"


class ActionModule(ActionBase):
    """See the module's documentation."""

    # The plan is the fleet's: whatever the play's hosts, it is made once.
    BYPASS_HOST_LOOP = True
    _requires_connection = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Plan, show the summary and return where the plan lies."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if missing:
            return {**result, "failed": True, "msg": missing_required_lib(", ".join(missing))}
        variables = task_vars or {}
        _validation, arguments = self.validate_argument_spec({"store": {"type": "path"}})
        preview = None
        if self._task.check_mode:
            preview = Path(tempfile.mkdtemp(prefix="plan-", dir=constants.DEFAULT_LOCAL_TMP))
        try:
            store = FolderStore(store_folder(variables, arguments["store"]))
            read = VariableReader(variables["hostvars"], (AnsibleError,)).read(_fleet(variables))
            read.groups = variables["groups"]
            run = plan_fleet(read, store, preview)
        except IntentError as error:
            return {**result, "failed": True, "msg": str(error), "problems": _data(error.problems)}
        except (LedgerError, StoreError) as error:
            return {**result, "failed": True, "msg": str(error)}
        Display().display(summary(run.model, run.planned, run.ledger_before))
        # In a preview too, where the run that stores this plan puts them.
        handed = store.place_of_plan(run.stored.sha256).folder / HANDOVER
        Display().display(f"For the next tools: {handed}")
        if self._task.diff:
            result["diff"] = list(_differences(run))
        place = {"sha256": run.stored.sha256, "folder": str(run.stored.folder)}
        facts = {"underlay_plan": place}
        more = {"handover": str(run.stored.folder / HANDOVER), "ansible_facts": facts}
        return {**result, **place, **more, "changed": run.changed}


def _fleet(variables: dict[str, Any]) -> list[str]:
    names = list(variables["groups"].get(GROUP, []))
    if not names:
        wrong = "has no hosts"
        right = "Put the hosts whose networks are planned into this group of the inventory"
        raise IntentError([Problem(f"group {GROUP}", None, wrong, right)])
    return names


def _differences(run: PlanningRun) -> Iterator[dict[str, str]]:
    yield from ledger_difference(run.ledger_before, run.planned.ledger)
    if run.plan_before is not None and run.plan_before.sha256 == run.stored.sha256:
        return
    # As it was stored: plain data, without what Ansible hangs onto strings.
    fleet, hosts = json.loads(json.dumps([run.planned.fleet, run.planned.hosts]))
    yield from fleet_difference(_before(run.plan_before, read_fleet), fleet)
    for name, part in hosts.items():
        before = _before(run.plan_before, partial(read_host_part, host=name))
        yield from host_difference(name, before, part)


def _before(plan: StoredPlan | None, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Return a part of the last plan; empty where there is none."""
    try:
        return read(plan.folder) if plan else {}
    except StoreError:
        return {}


def _data(problems: list[Problem]) -> list[dict[str, str]]:
    return [
        {
            "path": item.path,
            "host": item.host,
            "wrong": item.wrong,
            "right": item.right,
            "text": describe([item]).splitlines()[-1].removeprefix("  - "),
        }
        for item in problems
    ]
