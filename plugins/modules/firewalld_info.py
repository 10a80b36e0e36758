#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a host's firewalld."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: firewalld_info
short_description: Read a host's firewalld, permanent and runtime, and where the two differ
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Reads the zones, policies, ipsets and services of firewalld as M(underlay.cluster.firewalld)
    names their keys.
  - Where firewalld does not run, the permanent configuration is read alone.
requirements:
  - firewalld 0.9 or newer on the host
  - firewalld's Python bindings on the host (package C(python3-firewall)), for any Python there
options:
  zones:
    description: The zones to read. All when left out.
    type: list
    elements: str
  policies:
    description: The policies to read. All when left out.
    type: list
    elements: str
  ipsets:
    description: The ipsets to read. All when left out.
    type: list
    elements: str
  services:
    description: The services to read. None by default, as firewalld knows some two hundred.
    type: list
    elements: str
    default: []
  timeout:
    description: How long firewalld may take for one D-Bus call, in seconds.
    type: int
    default: 120
attributes:
  check_mode:
    description: Runs the same in check mode, as it changes nothing.
    support: full
  diff_mode:
    description: There is nothing to show a difference of.
    support: none
seealso:
  - module: underlay.cluster.firewalld
"""

EXAMPLES = r"""
- name: Read the firewall
  underlay.cluster.firewalld_info:
  register: firewall

- name: Stop where somebody changed the runtime alone
  ansible.builtin.assert:
    that: firewall.differences == []

- name: Read one zone and one service
  underlay.cluster.firewalld_info:
    zones: [public]
    policies: []
    ipsets: []
    services: [ssh]
"""

RETURN = r"""
permanent:
  description:
    - What is on disk, by C(zones), C(policies), C(ipsets) and C(services), then by name. A name
      that does not exist is left out. Ports are lists of port and protocol.
  returned: success
  type: dict
  sample: {zones: {public: {target: default, services: [ssh], ports: [['6443', tcp]]}}}
runtime:
  description: What is in force, in the same form. Empty while firewalld does not run.
  returned: success
  type: dict
differences:
  description: Objects that are not the same in both.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: C(zone), C(policy), C(ipset) or C(service).
      type: str
      sample: zone
    name:
      description: The object's name.
      type: str
      sample: public
    only_in:
      description: C(permanent) or C(runtime) for an object that is in one alone, else empty.
      type: str
      sample: ''
    keys:
      description: By key what only the runtime and what only the permanent configuration has.
      type: dict
      sample: {ports: {only_runtime: [8080/tcp], only_permanent: []}}
default_zone:
  description: The zone of what no other zone has.
  returned: success
  type: str
  sample: public
version:
  description: firewalld's version.
  returned: success
  type: str
  sample: 1.3.3
backend:
  description: What firewalld writes its rules with, C(nftables) or C(iptables).
  returned: success
  type: str
  sample: nftables
running:
  description: Whether firewalld runs.
  returned: success
  type: bool
  sample: true
problems:
  description: Single findings, when there are several.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.underlay.cluster.plugins.module_utils.errors import told_plainly
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_open import open_door
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_run import information

_NAMES = {"type": "list", "elements": "str"}


def main() -> None:
    """Read the firewall."""
    module = AnsibleModule(
        argument_spec={
            "zones": _NAMES,
            "policies": _NAMES,
            "ipsets": _NAMES,
            "services": {**_NAMES, "default": []},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    with told_plainly(module):
        door = open_door({**module.params, "offline": True})
        kinds = ("zones", "policies", "ipsets", "services")
        module.exit_json(
            changed=False, **information(door, {kind: module.params[kind] for kind in kinds})
        )


if __name__ == "__main__":
    main()
