#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the staged netplan files."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: netplan_commit
short_description: Bring all staged netplan files to the host in one apply
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Moves what M(underlay.cluster.netplan_stage) has staged for all roles to C(/etc/netplan), brings
    it to the links once and remembers what was applied. Meant to be the one handler of a run.
  - Links whose settings stay are left alone, a NIC with DHCP keeps its lease. systemd-networkd is
    told what has changed; C(netplan apply), which sets up every link again, is run only for what
    networkd cannot do (NetworkManager's links, renamed NICs, services), or when that fails.
  - Virtual links (VLANs, bonds, bridges and others) that our files no longer define are deleted;
    those of which something changes that is fixed at creation (kind, VLAN id, parent, bond mode and
    parameters) are made anew. A NIC that is no longer a member leaves its bond. netplan does none
    of this by itself. When a link keeps its name and gets another VLAN id, systemd-networkd is
    restarted, because it remembers the old one; addresses and leases stay.
  - Files of others go only where M(underlay.cluster.netplan_stage) was told that they are obsolete.
    Links that only they defined go along, and NICs that only they configured end down, without
    addresses and routes.
  - When netplan refuses the files, nothing is written. When applying fails, the previous files are
    put back and applied, and the module fails.
  - A run that dies on the way is completed by the next one.
options:
  assume_staged:
    description:
      - In check mode nothing is ever staged, so that this module cannot see what a real run would
        bring. A handler, which runs only when something would be staged, sets this to have the
        predicted change reported. Without effect in a real run.
    type: bool
    default: false
attributes:
  check_mode:
    description: Says what it would do with what is staged, and does nothing.
    support: full
  diff_mode:
    description: The differences are shown by M(underlay.cluster.netplan_stage).
    support: none
"""

EXAMPLES = r"""
- name: Apply the staged netplan files
  underlay.cluster.netplan_commit:
    assume_staged: true
"""

RETURN = r"""
files:
  description: The files that were (in check mode would be) created, changed or deleted.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The file's name in C(/etc/netplan).
      type: str
      sample: 61-underlay-lcm.yaml
    action:
      description: C(create), C(change) or C(delete).
      type: str
      sample: create
deleted_links:
  description: Virtual links that had to go, or had to be made anew.
  returned: success
  type: list
  elements: str
  sample: [bond0.101]
missing_links:
  description: Planned virtual links that had not appeared when the module ended.
  returned: success
  type: list
  elements: str
  sample: []
cleared_links:
  description: NICs that nothing configures any more, as the files that did are obsolete.
  returned: success
  type: list
  elements: str
  sample: [enp0s2]
problems:
  description: Single findings, when there are several.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.underlay.cluster.plugins.module_utils.errors import told_plainly
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_commit import (
    Tools,
    commit,
    predict,
)
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_files import Places


def main() -> None:
    """Commit what is staged."""
    module = AnsibleModule(
        argument_spec={"assume_staged": {"type": "bool", "default": False}},
        supports_check_mode=True,
    )
    with told_plainly(module):
        if module.check_mode:
            done = predict(Places(), Tools().generator)
            changed = done.changed or module.params["assume_staged"]
        else:
            done = commit(Places(), Tools())
            changed = done.changed
        if done.missing_links:
            module.warn(
                "Applied, but these planned links have not appeared: "
                + ", ".join(done.missing_links)
            )
        module.exit_json(
            changed=changed,
            files=done.files,
            deleted_links=done.deleted_links,
            missing_links=done.missing_links,
            cleared_links=done.cleared_links,
        )


if __name__ == "__main__":
    main()
