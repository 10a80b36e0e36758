#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what the hosts measured: documentation of the action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: verdict
short_description: Judge what the hosts measured against the plan
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Reads what M(underlay.cluster.network_probe) has left in C(underlay_measured) on every host, and
    comes to one verdict for the fleet, C(ok), C(degraded) or C(failed).
  - Shows a table of hosts by networks and the findings, and writes a report, an HTML page and a
    JSON document, into the store.
  - Runs once on the controller. The plan is the one that this run made, or else the one that was
    stored last.
  - A host of the play that was unreachable, or whose probe failed, is C(not measured), and that is
    as bad as C(failed). Planned hosts outside of the play, as with C(--limit), are C(not asked);
    they count neither way, nor do hosts that the plan has as C(provisioning). If no host was asked
    at all, the verdict is C(failed).
  - A virtual address that moves by ARP must be held by exactly one of the hosts that may hold it.
    That nobody holds it is told only if all of them were measured.
options:
  store:
    description:
      - Folder of the plans; the report goes into C(reports) in it.
      - By default C(.underlay) beside the inventory.
    type: path
  fail_on:
    description:
      - The mildest verdict that fails the task. With C(never) it is left to a later task, as the
        role verify does, since a failed task shows all it returns on the screen.
    type: str
    choices: [failed, degraded, never]
    default: failed
attributes:
  check_mode:
    description: Judges all the same and writes no report.
    support: full
  diff_mode:
    description: Nothing is changed, so there is no difference.
    support: none
"""

EXAMPLES = r"""
- name: Measure the networks from every host
  underlay.cluster.network_probe:
    expect: "{{ part.expect }}"
    probes: "{{ part.probes }}"
  vars:
    part: "{{ lookup('underlay.cluster.host_plan') }}"
  become: true
  register: underlay_measured
  # Whoever does not answer stays in the play, so that the verdict can tell of it.
  ignore_errors: true
  ignore_unreachable: true

- name: Reach the verdict
  underlay.cluster.verdict:
    fail_on: degraded
  run_once: true
"""

RETURN = r"""
verdict:
  description: C(ok), C(degraded) or C(failed).
  returned: when there is a plan
  type: str
  sample: degraded
plan:
  description: The SHA-256 of the plan that was measured against.
  returned: when there is a plan
  type: str
  sample: 9aaa1a69f26694b5b281837becdbbaabc3082d010ce4d17b0b6ad05b3a754c8d
counts:
  description: How many there are of each state.
  returned: when there is a plan
  type: dict
  contains:
    hosts:
      description:
        - Hosts by C(ok), C(degraded), C(failed), C(not_measured), C(not_asked) and C(provisioning).
      type: dict
      sample: {ok: 3, degraded: 1, failed: 0, not_measured: 0, not_asked: 0, provisioning: 0}
    findings:
      description: Findings by C(failed) and C(degraded).
      type: dict
      sample: {failed: 0, degraded: 1}
findings:
  description: What is not as planned, the worst first.
  returned: when there is a plan
  type: list
  elements: dict
  contains:
    host:
      description: The host that measured it.
      type: str
      sample: w2
    network:
      description: The network; none for links that carry several.
      type: str
      sample: lcm
    check:
      description: What was measured.
      type: str
      sample: gateway
    severity:
      description: C(failed) or C(degraded).
      type: str
      sample: failed
    subject:
      description: The link, address or host that it is about; empty if the host was not measured.
      type: str
      sample: 10.21.2.1
    expected:
      description: What the plan says.
      type: str
      sample: answers from bond0.102
    seen:
      description: What was measured.
      type: str
      sample: no answer to 3 requests
report:
  description: The HTML page.
  returned: when there is a plan, and not in check mode
  type: str
  sample: /srv/underlay/production/reports/report.html
document:
  description: The JSON document, with all that was measured.
  returned: when there is a plan, and not in check mode
  type: str
  sample: /srv/underlay/production/reports/verdict.json
"""
