#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a host's networks and compare them with the plan."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: network_probe
short_description: Measure a host's networks from the host and compare them with the plan
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Compares links, VLANs, bonds, MTUs, addresses and routes with the plan, asks all given gateways
    and peers at once whether they answer, finds the biggest packet that gets through to each of
    them with the don't-fragment bit, and asks whether anybody else holds an address of this host.
  - Looks for what must not be. Asks for a DHCP server on links where none may answer, with a random
    MAC address, and takes no lease. Looks for addresses, leases, sockets and routes in subnets that
    the host must stay out of, and for servers that listen on other addresses than they should.
    Tries to reach what nobody may reach, with a ping and on the TCP ports 22, 80, 443 and 623.
  - Needs root, C(ip) of iproute2 and nothing else on the host. Nothing on the host is changed.
  - One cause is told once. What depends on a link, address or route that is reported is counted in
    RV(measured) and not listed in RV(findings).
  - The module does not fail because of what it finds.
options:
  expect:
    description:
      - What is planned for this host, with the lists C(links), C(addresses), C(routes),
        C(default_route), C(silent), C(forbidden), C(listeners) and C(vips), as the plan has it.
    type: dict
    required: true
  probes:
    description:
      - Who must answer, and who must not.
    type: list
    elements: dict
    default: []
    suboptions:
      network:
        description: The network that the probe belongs to.
        type: str
      target:
        description:
          - What the address is. C(refused) is one that nobody may reach; all others must answer.
        type: str
        choices: [gateway, peer, vip, refused]
        required: true
      host:
        description: The inventory name of a peer, the name of a VIP, or whose address it is.
        type: str
      address:
        description: The address to ask, IPv4 or IPv6.
        type: str
        required: true
      source:
        description: The own address to ask from. Needed unless the target is C(refused).
        type: str
      link:
        description:
          - The link that carries O(probes[].source). Needed unless the target is C(refused).
        type: str
      mtu:
        description:
          - The size in bytes of the biggest IP packet that must get through. Needed unless the
            target is C(refused).
        type: int
  timeout:
    description:
      - The seconds that everything together may take.
    type: float
    default: 10
attributes:
  check_mode:
    description: Runs the same in check mode, as it changes nothing.
    support: full
  diff_mode:
    description: There is nothing to show a difference of.
    support: none
"""

EXAMPLES = r"""
- name: Measure the LCM network
  underlay.cluster.network_probe:
    expect:
      links:
        - name: bond0.101
          type: vlan
          vlan: 101
          parent: bond0
          mtu: 9000
          network: lcm
      addresses:
        - network: lcm
          link: bond0.101
          address: 10.21.1.11/24
    probes:
      - network: lcm
        target: peer
        host: w2
        address: 10.21.1.12
        source: 10.21.1.11
        link: bond0.101
        mtu: 9000
  become: true
"""

RETURN = r"""
findings:
  description: What is not as planned, one entry per cause.
  returned: success
  type: list
  elements: dict
  contains:
    network:
      description: The network, or null for a link that carries several.
      type: str
      sample: lcm
    check:
      description:
        - C(link), C(vlan), C(bond), C(mtu), C(address), C(route), C(default_route), C(gateway),
          C(peer), C(vip), C(path_mtu), C(duplicate), C(leftover), C(pxe), C(oob) or C(listener).
      type: str
      sample: path_mtu
    severity:
      description: C(failed), or C(degraded) when everything still works.
      type: str
      sample: failed
    subject:
      description: The link, address, route or host that the finding is about.
      type: str
      sample: w2 10.21.1.12
    expected:
      description: What was planned.
      type: str
      sample: 9000 bytes whole
    seen:
      description: What is there instead.
      type: str
      sample: 1500 bytes
measured:
  description: Counts per network; the entry with the network null is about links of several.
  returned: success
  type: list
  elements: dict
  contains:
    network:
      description: The network, or null.
      type: str
      sample: lcm
    checks:
      description: The number of checks.
      type: int
      sample: 23
    failed:
      description: How many of them failed, with those whose cause is told elsewhere.
      type: int
      sample: 0
    degraded:
      description: How many of them show a weakness.
      type: int
      sample: 0
    rtt_ms:
      description: The median round trip to the network's peers in milliseconds, or null.
      type: float
      sample: 0.61
vips:
  description: The names of the virtual addresses in O(expect) that the host holds now.
  returned: success
  type: list
  elements: str
  sample: [api]
seconds:
  description: The time that the measurement took.
  returned: success
  type: float
  sample: 1.8
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.underlay.cluster.plugins.module_utils.errors import told_plainly
from ansible_collections.underlay.cluster.plugins.module_utils.probe_plan import (
    read_expectation,
    read_probes,
)
from ansible_collections.underlay.cluster.plugins.module_utils.probe_run import measure

_PROBE = {
    "network": {"type": "str"},
    "target": {"type": "str", "choices": ["gateway", "peer", "vip", "refused"], "required": True},
    "host": {"type": "str"},
    "address": {"type": "str", "required": True},
    "source": {"type": "str"},
    "link": {"type": "str"},
    "mtu": {"type": "int"},
}
_NEEDED = [("target", target, ("source", "link", "mtu")) for target in ("gateway", "peer", "vip")]


def main() -> None:
    """Measure, and return what was found."""
    module = AnsibleModule(
        argument_spec={
            "expect": {"type": "dict", "required": True},
            "probes": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": _PROBE,
                "required_if": _NEEDED,
            },
            "timeout": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    given = module.params
    with told_plainly(module):
        report = measure(
            read_expectation(given["expect"]), read_probes(given["probes"]), given["timeout"]
        )
        module.exit_json(
            changed=False,
            findings=report.findings,
            measured=report.measured,
            vips=report.vips,
            seconds=report.seconds,
        )


if __name__ == "__main__":
    main()
