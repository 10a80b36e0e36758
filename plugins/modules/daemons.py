#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a host's daemons to a desired state."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: daemons
short_description: Bring a host's own daemons to a desired state, in one call
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Each daemon is a folder C(/etc/underlay/NAME) with its files, a systemd unit
    C(/etc/systemd/system/NAME.service), and a process that runs and is started at boot.
  - Everything is checked first. The programs and paths that the daemons need must be on the host,
    and the daemons' own checks must accept the new files, which they read in a scratch folder.
    Everything that is wrong is told at once, and nothing is changed then.
  - A new unit is a restart. New files alone are a restart or, with O(daemons[].reload), a reload.
    A daemon that was stopped by hand is started. What is as it should be is left alone.
  - After that the daemons are watched for some seconds. For one that ends, is started again or is
    not ready, the previous files and unit are put back, it is started with these, and the module
    fails with the last lines of its journal. Other daemons of the call stay changed.
  - The folder holds the given files and nothing else. What a daemon writes belongs elsewhere, for
    example into its runtime folder.
  - A unit is ours when its first line is C(# Written by underlay.cluster) and so on. A unit of
    somebody else by the same name is refused and stays as it is.
  - A run that dies on the way is completed by the next one, which starts the daemons that it was at
    anew.
requirements:
  - systemd 240 or newer on the host
options:
  daemons:
    description: The daemons. Those that are not listed stay as they are.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: C(underlay-) and then small letters, digits and hyphens.
        type: str
        required: true
      state:
        description:
          - With V(absent) the daemon is stopped and disabled, and its unit and folder go. All other
            options are then without effect.
        type: str
        choices: [present, absent]
        default: present
      description:
        description: What systemd calls the daemon. Without it, its name.
        type: str
      program:
        description: The program's absolute path. Needed unless the daemon is V(absent).
        type: str
      package:
        description: What to install when the program is not there; told in the error.
        type: str
      arguments:
        description:
          - The program's arguments, with C({folder}) for the daemon's folder. The program must stay
            in the foreground.
        type: list
        elements: str
        default: []
      files:
        description: All files of the folder.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: The file's path below the folder.
            type: str
            required: true
          content:
            description: The whole text of the file.
            type: str
            required: true
      check:
        description:
          - Commands, each a list of words, that must end with code 0 before anything is changed.
            C({folder}) stands for a scratch folder with the new files. They are run when the daemon
            is to be started, restarted or reloaded.
        type: list
        elements: list
        default: []
      needs:
        description: Paths that must be on the host.
        type: list
        elements: str
        default: []
      after:
        description: Units that the daemon starts after at boot.
        type: list
        elements: str
        default: [network.target]
      runtime_folder:
        description: Whether systemd makes C(/run/NAME) for the daemon.
        type: bool
        default: false
      readable:
        description: Whether everybody may read the files, not root alone.
        type: bool
        default: false
      reload:
        description:
          - Whether the daemon reads its files again when it gets the signal HUP.
        type: bool
        default: false
attributes:
  check_mode:
    description: Checks and compares in full, and writes nothing outside a temporary folder.
    support: full
  diff_mode:
    description: Shows each file and unit that differs.
    support: full
"""

EXAMPLES = r"""
- name: Run a keepalived of our own
  underlay.cluster.daemons:
    daemons:
      - name: underlay-vip
        description: VIPs of the cluster
        program: /usr/sbin/keepalived
        package: keepalived
        arguments: [--dont-fork, --use-file, "{folder}/keepalived.conf"]
        files:
          - name: keepalived.conf
            content: |
              vrrp_instance api {
                interface bond0.101
                virtual_router_id 51
                virtual_ipaddress {
                  10.21.1.200/24
                }
              }
        check:
          - [keepalived, --config-test, --use-file, "{folder}/keepalived.conf"]
        reload: true

- name: Take it away
  underlay.cluster.daemons:
    daemons:
      - name: underlay-vip
        state: absent
"""

RETURN = r"""
daemons:
  description: What each daemon went through (in check mode, would go through), as listed.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The daemon's name.
      type: str
      sample: underlay-vip
    action:
      description:
        - V(none), V(enabled) (it ran, and was not started at boot), V(started), V(restarted),
          V(reloaded), V(stopped) (and taken away), or V(removed) (it did not run).
      type: str
      sample: reloaded
problems:
  description: Single findings, when there are several.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.underlay.cluster.plugins.module_utils.daemon_run import bring_about
from ansible_collections.underlay.cluster.plugins.module_utils.errors import told_plainly

_WORDS = {"type": "list", "elements": "str", "default": []}
_NO = {"type": "bool", "default": False}
_FILE = {
    "name": {"type": "str", "required": True},
    "content": {"type": "str", "required": True},
}
_DAEMON = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "description": {"type": "str"},
    "program": {"type": "str"},
    "package": {"type": "str"},
    "arguments": _WORDS,
    "files": {"type": "list", "elements": "dict", "default": [], "options": _FILE},
    "check": {"type": "list", "elements": "list", "default": []},
    "needs": _WORDS,
    "after": {**_WORDS, "default": ["network.target"]},
    "runtime_folder": _NO,
    "readable": _NO,
    "reload": _NO,
}


def main() -> None:
    """Bring the daemons to the desired state and tell what that took."""
    module = AnsibleModule(
        argument_spec={
            "daemons": {"type": "list", "elements": "dict", "required": True, "options": _DAEMON},
        },
        supports_check_mode=True,
    )
    with told_plainly(module):
        module.exit_json(**bring_about(module.params["daemons"], module.check_mode))


if __name__ == "__main__":
    main()
