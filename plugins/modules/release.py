#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give allocations back: documentation of the action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: release
short_description: Give a host's or a VIP's allocations back
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Takes the owners' rows out of the ledger. What they held can be given to others from the next
    plan on. A host that still claims an address gets one anew.
  - Nothing else ever frees an address, so that a host that is missing from the inventory for a day
    finds its addresses again.
  - Runs once on the controller. No host is touched.
options:
  owners:
    description:
      - Host names as the inventory has them, or C(vip/NAME).
    type: list
    elements: str
    required: true
  networks:
    description:
      - Give back on these networks only; on all of them if empty.
    type: list
    elements: str
    default: []
  store:
    description:
      - The store's folder. By default C(.underlay) beside the inventory.
    type: path
attributes:
  check_mode:
    description: Says what would be given back and writes nothing.
    support: full
  diff_mode:
    description: Shows the ledger's difference.
    support: full
"""

EXAMPLES = r"""
- name: Give back what a dismantled host held
  underlay.cluster.release:
    owners: [w7]
  run_once: true
"""

RETURN = r"""
released:
  description: The rows that were (in check mode would be) taken out of the ledger.
  returned: success
  type: list
  elements: dict
  contains:
    network:
      description: The network.
      type: str
      sample: lcm
    address:
      description: The address.
      type: str
      sample: 10.21.1.17
    owner:
      description: Who held it.
      type: str
      sample: w7
"""
