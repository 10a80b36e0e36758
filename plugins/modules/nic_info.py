#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List a host's physical NICs."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nic_info
short_description: List the physical NICs of a host
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Reads the host's physical NICs from sysfs and their permanent MAC addresses from the driver, in
    a few milliseconds and without any package on the host.
  - Bonds, VLANs, bridges, veth pairs and lent-out virtual functions are left out, so that an
    expression over the result picks cables only.
  - The order is the natural order of the names and does not change between runs.
options:
  names:
    description:
      - Only these NICs. The module fails when one of them does not exist.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Runs the same in check mode, as it changes nothing.
    support: full
  diff_mode:
    description: There is nothing to show a difference of.
    support: none
"""

EXAMPLES = r"""
- name: Read the physical NICs
  underlay.cluster.nic_info:

- name: Show those that use the virtio driver
  ansible.builtin.debug:
    msg: "{{ underlay_nic_facts | selectattr('driver', 'equalto', 'virtio_net') | list }}"
"""

RETURN = r"""
nics:
  description: The physical NICs in natural order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The kernel's name.
      type: str
      sample: enp9s0f2
    mac:
      description: The permanent MAC address, also while the NIC is a bond's member.
      type: str
      sample: "52:54:00:00:00:01"
    driver:
      description: The kernel driver, or null.
      type: str
      sample: virtio_net
    bus:
      description: The PCI address, or null for a NIC that is not on a PCI bus.
      type: str
      sample: "0000:09:00.2"
    function:
      description: The PCI function, or null.
      type: int
      sample: 2
    port:
      description: The port on a device that has several (C(dev_port)), or null.
      type: int
      sample: 0
    port_name:
      description: The port's name as the driver gives it (C(phys_port_name)), or null.
      type: str
      sample: p0
    speed:
      description: The speed in Mb/s, or null while there is no carrier.
      type: int
      sample: 25000
    carrier:
      description: Whether a cable's signal is seen; false on a NIC that is down.
      type: bool
      sample: true
    mtu:
      description: The present MTU in bytes.
      type: int
      sample: 1500
    vendor:
      description: The PCI vendor, or null.
      type: str
      sample: "0x8086"
    model:
      description: The PCI device, or null.
      type: str
      sample: "0x1572"
    numa_node:
      description: The NUMA node that the NIC is attached to, or null.
      type: int
      sample: 0
ansible_facts:
  description: The same list as a fact.
  returned: success
  type: dict
  contains:
    underlay_nic_facts:
      description: The physical NICs, as in RV(nics).
      type: list
      elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.underlay.cluster.plugins.module_utils.errors import told_plainly
from ansible_collections.underlay.cluster.plugins.module_utils.nics import as_facts, read_nics


def main() -> None:
    """Read the NICs and return them."""
    module = AnsibleModule(
        argument_spec={"names": {"type": "list", "elements": "str", "default": []}},
        supports_check_mode=True,
    )
    with told_plainly(module):
        nics = as_facts(read_nics(names=module.params["names"]))
        module.exit_json(changed=False, nics=nics, ansible_facts={"underlay_nic_facts": nics})


if __name__ == "__main__":
    main()
