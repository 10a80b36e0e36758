# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The netplan files that a role writes on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: netplan_files
short_description: The planned netplan files of a role on this host
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Returns the planned files of the host whose turn it is, as names and texts, as
    M(underlay.cluster.netplan_stage) takes them.
options:
  _terms:
    description: The role's name.
    type: str
    required: true
  others:
    description: Return the files of all other roles instead.
    type: bool
    default: false
  obsolete:
    description:
      - Return the names of others' files in C(/etc/netplan) that the host must not have any more,
        instead of files; they are the same for all roles.
    type: bool
    default: false
  store:
    description: The store's folder; C(.underlay) beside the inventory by default.
    type: path
    vars:
      - name: underlay_store
"""

EXAMPLES = r"""
- name: Stage the LCM network's file
  underlay.cluster.netplan_stage:
    role: lcm
    files: "{{ query('underlay.cluster.netplan_files', 'lcm') }}"
    others: "{{ query('underlay.cluster.netplan_files', 'lcm', others=true) }}"
    obsolete: "{{ query('underlay.cluster.netplan_files', 'lcm', obsolete=true) }}"
"""

RETURN = r"""
_list:
  description:
    - The files. Each has C(name), and C(content), its whole text. With O(obsolete), names.
  type: list
  elements: raw
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.underlay.cluster.plugins.plugin_utils.netplan_text import netplan_text
from ansible_collections.underlay.cluster.plugins.plugin_utils.place import (
    plan_folder,
    store_folder,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    StoreError,
    read_host_part,
)


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[Any]:
        """Return the files of the role, or of all others, or the names of obsolete ones."""
        known = variables or {}
        self.set_options(var_options=known, direct=kwargs)
        try:
            folder = plan_folder(known, store_folder(known, self.get_option("store")))
            part = read_host_part(folder, str(known["inventory_hostname"]))
        except StoreError as error:
            raise AnsibleLookupError(str(error)) from error
        if self.get_option("obsolete"):
            return list(part.get("obsolete", ()))
        others = self.get_option("others")
        return [
            {"name": file["name"], "content": netplan_text(file)}
            for file in part["files"]
            if (file["role"] in terms) != others
        ]
