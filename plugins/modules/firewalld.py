#!/usr/bin/python
# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a host's firewalld to a desired state."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: firewalld
short_description: Bring a host's firewalld to a desired state, in one call
version_added: 0.1.0
author: Underlay contributors (@underlay)
description:
  - Takes the whole desired state of zones, own services, ipsets and policies at once, reads those
    objects once, and writes only what differs, permanently and at runtime.
  - The number of D-Bus calls depends on the number of objects, not on how many ports, rules or
    entries they have.
  - firewalld is reloaded only when nothing else brings a change to the runtime, that is for a new
    zone, policy, ipset or service that is in use, a zone's or policy's new target or priority, an
    ipset's new type or options, and a service's new definition. What others have in the runtime
    alone, and their iptables rules, are put back after a reload.
  - Ports compare as the ports that they cover, rich rules and addresses in one spelling. What stays
    open is never closed in between, with one exception. A range that shrinks is closed and opened
    again at its new size, within one D-Bus call.
  - Everything that is wrong with the options is told at once, each finding with its place, and
    nothing is changed then.
  - A change that would cut off the SSH connection that the module came over is refused before
    anything is written, unless O(way_in) names another way that stays open.
requirements:
  - firewalld 0.9 or newer on the host
  - firewalld's Python bindings on the host (package C(python3-firewall)), for any Python there
options:
  zones:
    description: Zones.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The zone's name, at most 17 characters.
        type: str
        required: true
      state:
        description:
          - With V(absent) the zone goes. Its interfaces and sources fall to the default zone. Until
            firewalld's next reload an empty zone that binds nothing stays in the runtime.
          - A zone that came with a package, the default zone, and one that a policy still names
            cannot go.
        type: str
        choices: [present, absent]
        default: present
      exclusive:
        description:
          - Whether items that are not listed go. A list that is left out then counts as empty,
            other than O(zones[].interfaces) and O(zones[].sources), which are touched only when
            they are given.
          - Otherwise what is listed is added and everything else stays.
        type: bool
        default: false
      target:
        description:
          - What becomes of packets that nothing else decides, V(default), V(ACCEPT), V(DROP) or
            V(%%REJECT%%). A new zone gets V(default).
        type: str
      interfaces:
        description: Interfaces; one that another zone has is taken from it.
        type: list
        elements: str
      sources:
        description:
          - Networks, addresses, MAC addresses, or ipsets as V(ipset:name); one that another zone
            has is taken from it.
        type: list
        elements: str
      services:
        description: Services, known to the host or from O(services).
        type: list
        elements: str
      ports:
        description: Ports and ranges with their protocol, as V(22/tcp) or V(30000-32767/udp).
        type: list
        elements: str
      source_ports:
        description: The same for the ports that packets come from.
        type: list
        elements: str
      protocols:
        description: IP protocols that are let in, by name or number.
        type: list
        elements: str
      icmp_blocks:
        description: ICMP types that are refused.
        type: list
        elements: str
      icmp_block_inversion:
        description: Whether all ICMP types but those in O(zones[].icmp_blocks) are refused.
        type: bool
      forward:
        description:
          - Whether packets pass between the interfaces and sources of this zone. A new zone gets
            V(true).
        type: bool
      masquerade:
        description: Whether what leaves through this zone gets the host's address.
        type: bool
      forward_ports: &forward_ports
        description: Ports that are forwarded.
        type: list
        elements: dict
        suboptions:
          port:
            description: The port or range that is asked for.
            type: str
            required: true
          protocol:
            description: One of V(tcp), V(udp), V(sctp) and V(dccp).
            type: str
            required: true
          to_port:
            description: The port that it becomes; the same one when left out.
            type: str
            default: ''
          to_addr:
            description: The address that it goes to; this host when left out.
            type: str
            default: ''
      rich_rules:
        description: Rules in firewalld's rich language.
        type: list
        elements: str
  services:
    description: Own services, which zones, policies and rich rules may name.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The service's name.
        type: str
        required: true
      state:
        description: With V(absent) the service goes; not one that came with a package.
        type: str
        choices: [present, absent]
        default: present
      exclusive:
        description: Whether items that are not listed go.
        type: bool
        default: false
      description:
        description: What it is, for people.
        type: str
      ports:
        description: Its ports, as V(22/tcp).
        type: list
        elements: str
      source_ports:
        description: Its source ports.
        type: list
        elements: str
      protocols:
        description: Its IP protocols.
        type: list
        elements: str
      destination:
        description: Destinations that it is limited to, under the keys C(ipv4) and C(ipv6).
        type: dict
  ipsets:
    description: Sets of addresses.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The set's name, at most 31 characters.
        type: str
        required: true
      state:
        description: With V(absent) the set goes; not while a zone or policy names it.
        type: str
        choices: [present, absent]
        default: present
      exclusive:
        description: Whether O(ipsets[].entries) are all entries; else they are added.
        type: bool
        default: true
      type:
        description: The set's type. A new set without one is V(hash:net).
        type: str
      family:
        description: V(inet) or V(inet6). By default what the entries are.
        type: str
      options:
        description: firewalld's options C(hashsize), C(maxelem) and C(timeout).
        type: dict
      entries:
        description:
          - Networks and addresses, of one family. Those that overlap or repeat each other are
            joined, which firewalld itself refuses to do.
          - Ranges like V(10.0.0.1-10.0.0.9) and the entries of sets of several parts are passed on
            as they are, without repetitions.
        type: list
        elements: str
  policies:
    description: Policies, that is rules for what passes from zones to zones.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The policy's name, at most 17 characters and no zone's.
        type: str
        required: true
      state:
        description: With V(absent) the policy goes; not one that came with a package.
        type: str
        choices: [present, absent]
        default: present
      exclusive:
        description:
          - Whether items that are not listed go. A list that is left out then counts as empty,
            other than those of zones.
        type: bool
        default: false
      target:
        description:
          - What becomes of packets that nothing else decides, V(CONTINUE), V(ACCEPT), V(REJECT) or
            V(DROP). A new policy gets V(CONTINUE).
        type: str
      priority:
        description: From -32768 to 32767 and not 0, where the zones are. A new policy gets V(-1).
        type: int
      ingress_zones:
        description: The zones that packets come from, or V(ANY) or V(HOST) alone.
        type: list
        elements: str
      egress_zones:
        description: The zones that packets go to, or V(ANY) or V(HOST) alone.
        type: list
        elements: str
      services:
        description: Services, known to the host or from O(services).
        type: list
        elements: str
      ports:
        description: Ports and ranges with their protocol.
        type: list
        elements: str
      source_ports:
        description: The same for the ports that packets come from.
        type: list
        elements: str
      protocols:
        description: IP protocols, by name or number.
        type: list
        elements: str
      icmp_blocks:
        description: ICMP types that are refused.
        type: list
        elements: str
      masquerade:
        description: Whether what passes gets the host's address.
        type: bool
      forward_ports: *forward_ports
      rich_rules:
        description: Rules in firewalld's rich language.
        type: list
        elements: str
  offline:
    description:
      - Whether the permanent configuration is written, by the same bindings, while firewalld does
        not run. Without it a firewalld that does not run is an error.
    type: bool
    default: false
  reload:
    description:
      - What to do when only a reload brings the change to the runtime. With V(careful) firewalld is
        reloaded where everything that others have can be put back, that is on its nftables backend.
        With V(any) also on its iptables backend, where the rules of container networks and
        kube-proxy may be gone until they write them again. With V(never) the module fails before
        it writes anything.
    type: str
    choices: [careful, never, any]
    default: careful
  timeout:
    description: How long firewalld may take for one D-Bus call, in seconds.
    type: int
    default: 120
  way_in:
    description:
      - Ways into the host that are to stay open. Each is checked. When there are any, the SSH
        connection that the module came over may be cut.
    type: list
    elements: dict
    default: []
    suboptions:
      interface:
        description: The interface that packets come in on.
        type: str
        required: true
      source:
        description: The address or network that they come from.
        type: str
        required: true
      port:
        description: The TCP port that they go to.
        type: int
        default: 22
  guard:
    description:
      - Whether a change that would cut off the current SSH connection, or a way in O(way_in), is
        refused.
    type: bool
    default: true
attributes:
  check_mode:
    description: Computes the same change and predicts its result, whether it reloads included.
    support: full
  diff_mode:
    description: Shows the objects that change, permanent and runtime.
    support: full
notes:
  - An object that is new and not in use (a zone that nothing is bound to, a service that no zone
    names) is written permanently and comes to the runtime with firewalld's next reload.
  - A run that died right after a reload has left a note in C(/run/underlay). The next run within an
    hour puts back what that reload took from others.
seealso:
  - module: underlay.cluster.firewalld_info
"""

EXAMPLES = r"""
- name: Let the other cluster hosts in, and the world to SSH and the node ports
  underlay.cluster.firewalld:
    ipsets:
      - name: cluster
        entries: [10.21.1.0/24, 10.21.2.0/24, 172.25.0.0/16]
    zones:
      - name: trusted
        sources: ["ipset:cluster"]
      - name: underlay-lcm
        exclusive: true
        interfaces: [lcm0]
        services: [ssh]
        ports: [6443/tcp, 30000-32767/tcp]

- name: Change the network that SSH comes in by; the console network stays open
  underlay.cluster.firewalld:
    zones:
      - name: underlay-lcm
        exclusive: true
        services: []
    way_in:
      - interface: oob0
        source: 192.0.2.0/24

- name: Write the rules before firewalld is started for the first time
  underlay.cluster.firewalld:
    zones:
      - name: public
        services: [ssh]
    offline: true

- name: Take a zone and its own service away
  underlay.cluster.firewalld:
    zones:
      - name: old
        state: absent
    services:
      - name: old-api
        state: absent
"""

RETURN = r"""
changes:
  description: What changes, one item per object.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: C(ipset), C(service), C(zone) or C(policy).
      type: str
      sample: zone
    name:
      description: The object's name.
      type: str
      sample: underlay-lcm
    state:
      description: C(created), C(changed) or C(removed), permanently.
      type: str
      sample: changed
    permanent:
      description:
        - By key what was added and what was removed. For a single value, the new and the old one.
          Left out when nothing changes permanently.
      type: dict
      sample: {ports: {added: [6443/tcp], removed: []}}
    runtime:
      description: The same for the runtime.
      type: dict
      sample: {ports: {added: [6443/tcp], removed: []}}
reloads:
  description: How often firewalld was reloaded, 0 or 1. In check mode, would be.
  returned: success
  type: int
  sample: 0
reload_reasons:
  description: Why.
  returned: success
  type: list
  elements: str
  sample: ["The zone underlay-lcm is new."]
restored:
  description: What a reload took from others and was put back.
  returned: success
  type: dict
  contains:
    firewalld:
      description: Items of firewalld's runtime, a line each. C(+) came back, C(-) went again.
      type: list
      elements: str
      sample: ["zone public: ports: +8080/tcp"]
    iptables:
      description: How many iptables rules.
      type: int
      sample: 0
notes:
  description: What others had in the runtime and could not be there after the reload.
  returned: success
  type: list
  elements: str
  sample: []
offline:
  description: Whether firewalld did not run, so that the permanent configuration alone changed.
  returned: success
  type: bool
  sample: false
dbus_calls:
  description: How many calls firewalld got.
  returned: success
  type: int
  sample: 14
problems:
  description: Single findings. After a failure in the middle also what was done before it.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.underlay.cluster.plugins.module_utils.errors import told_plainly
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_apply import (
    CAREFUL,
    MODES,
)
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_open import open_door
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_run import (
    bring_about,
    exclusive_run,
)

_ITEMS = {"type": "list", "elements": "dict", "default": []}
_WAY_IN = {
    "interface": {"type": "str", "required": True},
    "source": {"type": "str", "required": True},
    "port": {"type": "int", "default": 22},
}


def main() -> None:
    """Bring the firewall to the desired state and tell what that took."""
    module = AnsibleModule(
        argument_spec={
            # Their suboptions are checked by firewalld_options, which tells every mistake's index.
            "zones": _ITEMS,
            "services": _ITEMS,
            "ipsets": _ITEMS,
            "policies": _ITEMS,
            "offline": {"type": "bool", "default": False},
            "reload": {"type": "str", "choices": list(MODES), "default": CAREFUL},
            "timeout": {"type": "int", "default": 120},
            "way_in": {**_ITEMS, "options": _WAY_IN},
            "guard": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    with told_plainly(module):
        door = open_door(module.params)
        with exclusive_run(module.check_mode):
            result = bring_about(door, module.params, module.check_mode)
        for note in result["notes"]:
            module.warn(note)
        module.exit_json(**result)


if __name__ == "__main__":
    main()
