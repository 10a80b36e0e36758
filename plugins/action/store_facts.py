# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what the hosts told of their NICs, once, on the controller."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.underlay.cluster.plugins.plugin_utils.place import store_folder
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    FolderStore,
    StoreError,
)


class ActionModule(ActionBase):
    """See the module's documentation."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the facts of every host of the play that has told its NICs."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validation, arguments = self.validate_argument_spec({"store": {"type": "path"}})
        told = {}
        for name in variables["ansible_play_hosts"]:
            facts = variables["hostvars"].raw_get(name).get("ansible_facts", {})
            if "underlay_nic_facts" in facts:
                told[name] = facts["underlay_nic_facts"]
        try:
            store = FolderStore(store_folder(variables, arguments["store"]))
            differing = store.write_facts(told, pretend=self._task.check_mode)
        except StoreError as error:
            return {**result, "failed": True, "msg": str(error)}
        return {**result, "changed": False, "hosts": differing}
