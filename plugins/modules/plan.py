#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the networks of the whole fleet: documentation of the action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: plan
short_description: Plan the networks of the whole fleet
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Reads the intent (the C(underlay_*) variables of every host in the inventory group C(underlay)),
    gives every host and VIP its addresses from the ledger, and makes one checked plan.
  - Runs once on the controller, whatever the play's hosts and C(--limit) are. No host is touched.
  - All problems are reported together, each with its path, its value and what would be right; then
    nothing is written.
options:
  store:
    description:
      - Folder of the ledger, of the plans and of the last known NIC facts.
      - By default C(.underlay) beside the inventory.
    type: path
requirements:
  - netaddr
  - jmespath
attributes:
  check_mode:
    description: Plans the very addresses and files of a real run and writes nothing to the store.
    support: full
  diff_mode:
    description: Shows the ledger's and each host's netplan files' difference from the last plan.
    support: full
"""

EXAMPLES = r"""
- name: Plan the fleet
  underlay.cluster.plan:
  run_once: true

- name: Plan into a store that all controllers share
  underlay.cluster.plan:
    store: /srv/underlay/production
  run_once: true
"""

RETURN = r"""
sha256:
  description: The hash of the plan's canonical form.
  returned: success
  type: str
  sample: 9aaa1a69f26694b5b281837becdbbaabc3082d010ce4d17b0b6ad05b3a754c8d
folder:
  description: Where the plan lies; in check mode a folder that goes with the run.
  returned: success
  type: str
  sample: /srv/underlay/production/plans/9aaa1a69f262
handover:
  description: >-
    Folder in RV(folder) with the files for the next tools: C(addresses.json), and Ceph's, Rook's,
    MetalLB's and kubeadm's, as far as the fleet has what they are about.
  returned: success
  type: str
  sample: /srv/underlay/production/plans/9aaa1a69f262/handover
problems:
  description: Everything that is wrong with the intent.
  returned: when the intent cannot be planned
  type: list
  elements: dict
  contains:
    path:
      description: The variable's path.
      type: str
      sample: underlay_networks[lcm].segments[r1].gateway
    host:
      description: The host that has the variable; empty for the fleet's own.
      type: str
      sample: ""
    wrong:
      description: What is wrong.
      type: str
      sample: is outside of 10.21.1.0/24
    right:
      description: What would be right.
      type: str
      sample: Give a host address in 10.21.1.0/24
    text:
      description: All of it in one line.
      type: str
      sample: "underlay_networks[lcm].segments[r1].gateway: 10.9.9.1: is outside of 10.21.1.0/24."
ansible_facts:
  description: Facts for the roles that come after.
  returned: success
  type: dict
  contains:
    underlay_plan:
      description: RV(sha256) and RV(folder) of the plan that this run made.
      type: dict
"""
