#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage one role's netplan files."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: netplan_stage
short_description: Check one role's netplan files and stage them for the commit
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Compares a role's planned netplan files with those in C(/etc/netplan) and puts them aside below
    C(/var/lib/underlay/netplan/staged). Nothing reaches the host's links before
    M(underlay.cluster.netplan_commit).
  - Before that, netplan itself reads all planned files of the host together with the files that
    others wrote, in a scratch folder. What it refuses is shown in its own words.
  - Interfaces that planned files and files of others both define are an error, as is a rule of
    others that would keep a planned one from taking effect.
  - A file is ours when its name looks like C(60-underlay-links.yaml) and its first line is
    C(# Written by underlay.cluster, role) with the role's name. Such a file of this role that is no
    longer planned will be removed. All other files stay as they are, byte for byte, unless
    O(obsolete) names them.
options:
  role:
    description:
      - The role that the files belong to.
    type: str
    required: true
  files:
    description:
      - The role's own files. An empty list says that the role wants none on this host.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The file's name in C(/etc/netplan).
        type: str
        required: true
      content:
        description: The whole text of the file.
        type: str
        required: true
  others:
    description:
      - All other planned files of the host. They are needed to check the plan as a whole and are
        not staged.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The file's name in C(/etc/netplan).
        type: str
        required: true
      content:
        description: The whole text of the file.
        type: str
        required: true
  obsolete:
    description:
      - Names of files in C(/etc/netplan) that somebody else wrote and that must go, as those that
        an installer left. All roles of a run give the same ones, as none of them counts these
        files; their removal is staged with the role C(links). One that is not there is no error.
      - Once they are gone, the commit deletes virtual links that only they defined. NICs that only
        they configured are left down, without addresses and routes.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Checks and compares in full, and writes nothing outside a temporary folder.
    support: full
  diff_mode:
    description: Shows each file that differs.
    support: full
"""

EXAMPLES = r"""
- name: Stage the links
  underlay.cluster.netplan_stage:
    role: links
    files:
      - name: 60-underlay-links.yaml
        content: |
          # Written by underlay.cluster, role: links. Changes here are overwritten.
          network:
            version: 2
            ethernets:
              enp0s3:
                mtu: 9000
"""

RETURN = r"""
files:
  description: The files that the commit will create, change or delete.
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
unapplied:
  description:
    - Whether files are in place that no finished run has applied; the commit applies them.
  returned: success
  type: bool
  sample: false
pending:
  description:
    - The roles, of O(others) and of what is on the host, that have something to stage, too. Where
      the role C(links) comes first, the others need no run of their own if they are not in it.
  returned: success
  type: list
  elements: str
  sample: [lcm, storage]
problems:
  description: Single findings, when there are several.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.underlay.cluster.plugins.module_utils.errors import told_plainly
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_files import Places
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_staging import (
    Surroundings,
    as_diff,
    stage,
    wish,
)

_FILES = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "content": {"type": "str", "required": True},
    },
}


def main() -> None:
    """Stage the files and tell what differs."""
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "required": True},
            "files": {**_FILES, "required": True},
            "others": {**_FILES, "default": []},
            "obsolete": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    given = module.params
    with told_plainly(module):
        wanted = wish(given["role"], given["files"], given["others"], given["obsolete"])
        staged = stage(wanted, Places(), Surroundings(), write=not module.check_mode)
        module.exit_json(
            changed=staged.changed,
            files=[{"name": change.name, "action": change.action} for change in staged.changes],
            unapplied=staged.unapplied,
            pending=list(staged.pending),
            diff=as_diff(staged.changes),
        )


if __name__ == "__main__":
    main()
