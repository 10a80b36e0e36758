#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the hosts' NIC facts in the store: documentation of the action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: store_facts
short_description: Keep the hosts' NIC facts in the store
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Writes what M(underlay.cluster.nic_info) has told of the play's hosts to the store, so that the
    fleet can be planned later, when some hosts or all of them are out of reach.
  - Runs once on the controller.
options:
  store:
    description:
      - The store's folder. By default C(.underlay) beside the inventory.
    type: path
attributes:
  check_mode:
    description: Says whose facts differ and writes nothing.
    support: full
  diff_mode:
    description: Facts are measurements; a difference of them is not shown.
    support: none
"""

EXAMPLES = r"""
- name: Ask the hosts for their NICs
  underlay.cluster.nic_info:

- name: Keep what they said
  underlay.cluster.store_facts:
  run_once: true
"""

RETURN = r"""
hosts:
  description: The hosts whose facts are new or differ from what was kept.
  returned: success
  type: list
  elements: str
  sample: [w1, w2]
"""
