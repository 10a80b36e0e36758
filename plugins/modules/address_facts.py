#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a host's addresses serves what, as facts: documentation of the action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: address_facts
short_description: Set which of a host's addresses serves what, as facts
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Reads the host's services from the plan, for roles that install Kubernetes, Ceph and the rest
    later in the same run.
  - The plan is the one that this run made, or else the one that was stored last. The host itself is
    not asked, and need not be reachable.
options:
  store:
    description:
      - Folder of the plans. By default C(.underlay) beside the inventory.
    type: path
attributes:
  check_mode:
    description: Sets the facts of the previewed plan.
    support: full
  diff_mode:
    description: Nothing is changed, so there is no difference.
    support: none
"""

EXAMPLES = r"""
- name: Learn which address serves what
  underlay.cluster.address_facts:

- name: Install Kubernetes
  ansible.builtin.include_role:
    name: kubernetes
  vars:
    kubelet_extra_args: "--node-ip={{ underlay_kubelet_node_ip }}"
    control_plane_endpoint: "{{ underlay_api_endpoint.address }}:{{ underlay_api_endpoint.port }}"

- name: Show where Ceph's clients reach this host
  ansible.builtin.debug:
    var: underlay_addresses.ceph_public.address
  when: "'ceph_public' in underlay_addresses"
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: success
  type: dict
  contains:
    underlay_addresses:
      description:
        - By service C(kubelet), C(pod_network), C(ceph_public), C(ceph_cluster), C(external),
          C(metallb), C(bgp) and C(pxe); only services that the host has.
        - C(kubelet) and C(bgp) are on the network of the kind C(lcm), C(pod_network) is on
          C(workload), or on C(lcm) where the host has none, C(ceph_public) is on C(storage_access),
          C(ceph_cluster) on C(storage_replication), C(external) and C(metallb) on C(external).
        - Each has C(network), C(link), C(address) and C(addresses), those of both families, IPv4
          first, without prefix length.
      type: dict
      sample:
        kubelet: {network: lcm, link: bond0.101, address: 10.21.1.10, addresses: [10.21.1.10]}
    underlay_kubelet_node_ip:
      description: What kubelet's C(--node-ip) takes, C(IPv4,IPv6) with both families.
      type: str
      sample: 10.21.1.10,fd21:1::2
    underlay_api_endpoint:
      description:
        - The Kubernetes API's C(cluster), C(address), C(port) and C(url); empty without a VIP on a
          network that holds it.
      type: dict
      sample:
        {cluster: "", address: 10.21.1.200, port: 6443, url: "https://10.21.1.200:6443"}
"""
