# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a host's plays which of its addresses serves what, from the plan."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.underlay.cluster.plugins.plugin_utils.place import (
    plan_folder,
    store_folder,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.services import (
    kubelet_node_ip,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    StoreError,
    read_host_part,
)


class ActionModule(ActionBase):
    """See the module's documentation."""

    _requires_connection = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the host's services as facts. The host itself is not asked."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validation, arguments = self.validate_argument_spec({"store": {"type": "path"}})
        try:
            folder = plan_folder(variables, store_folder(variables, arguments["store"]))
            part = read_host_part(folder, str(variables["inventory_hostname"]))
        except StoreError as error:
            return {**result, "failed": True, "msg": str(error)}
        if "services" not in part:
            wrong = f"the plan in {folder} is of an older version, without services: plan again"
            return {**result, "failed": True, "msg": wrong}
        facts = {
            "underlay_addresses": part["services"],
            "underlay_kubelet_node_ip": kubelet_node_ip(part["services"]),
            "underlay_api_endpoint": part["api_endpoint"],
        }
        return {**result, "changed": False, "ansible_facts": facts}
