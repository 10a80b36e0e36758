# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's part of the plan."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: host_plan
short_description: A host's part of the plan
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Returns what the plan says of one host; of the plan that this run made, or else of the plan that
    was stored last.
options:
  _terms:
    description: Names of hosts. The host whose turn it is, if there is none.
    type: list
    elements: str
  store:
    description: The store's folder; C(.underlay) beside the inventory by default.
    type: path
    vars:
      - name: underlay_store
  peers:
    description: How many peers the host probes on each network and address family, at most.
    type: int
    default: 32
    vars:
      - name: underlay_verify_peers
"""

EXAMPLES = r"""
- name: Show the addresses that the plan gives to this host
  ansible.builtin.debug:
    msg: "{{ lookup('underlay.cluster.host_plan').addresses }}"
"""

RETURN = r"""
_list:
  description:
    - One dictionary for each host. C(name), C(rack), C(nics), C(addresses), C(files) and C(expect)
      are the plan's; C(probes) are the answers that the host should get on its networks.
    - C(daemons) are those that the roles C(lcm) and C(pxe) run, each as the module
      M(underlay.cluster.daemons) takes them; C(obsolete), the netplan files of others that the
      host must not have.
    - C(firewall) has C(enabled), and if that is true C(zones), C(ipsets) and C(policies) as the
      module M(underlay.cluster.firewalld) takes them, and C(reach), who may reach what.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.underlay.cluster.plugins.plugin_utils.place import (
    plan_folder,
    store_folder,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.firewall import complete
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.probes import probes
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    StoreError,
    read_fleet,
    read_host_part,
)


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """Return the parts of the hosts that are named, or of the host whose turn it is."""
        known = variables or {}
        self.set_options(var_options=known, direct=kwargs)
        names = terms or [str(known["inventory_hostname"])]
        try:
            folder = plan_folder(known, store_folder(known, self.get_option("store")))
            fleet = read_fleet(folder)
            parts = [read_host_part(folder, str(name)) for name in names]
        except StoreError as error:
            raise AnsibleLookupError(str(error)) from error
        peers = self.get_option("peers")
        return [
            {
                **part,
                "firewall": complete(part.get("firewall", {"enabled": False}), fleet),
                "probes": probes(fleet["mesh"], part, peers),
            }
            for part in parts
        ]
