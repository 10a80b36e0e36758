# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether pods' packets pass a host: firewalld refuses to forward what no zone or policy accepts.

Read in firewalld 1.3.3 (core/nftables.py, build_default_rules; core/fw_zone.py): the chain of
forwarded packets accepts, in this order, answers and related packets; packets whose address was
translated (`ct status dnat`); packets from the loopback; then it goes to the zone of the packet's
*source address*, if one has it, before that of its interface; and it rejects what that zone does
not accept. A zone with the target ACCEPT, as trusted, accepts every packet that it is given,
wherever it goes. So a set of addresses on trusted decides by itself, and the interfaces of a
provider (cni0, flannel.1, vxlan.calico, tunl0, cali*, cilium_vxlan, weave), which are in no zone
and therefore in the default one, do not matter. That default zone is what cut pods off in
flannel#2055.

With the pods' subnet in the set:

- pod to pod on another host: the source is a pod on both hosts, whatever carries the packet between
  them; the carrier itself comes in from a host's address.
- pod to the outside, and to hosts: the source is a pod.
- a client to a node port, to a load balancer's address, to a host port: translated, accepted. So
  zones do not close what kube-proxy or a CNI's portmap has opened. On the way to a pod on another
  host kube-proxy masquerades: the source is the sending host's address on the way out.
- a host to a pod of another host, as the API server to a webhook: the source is the address of the
  interface that the route leads to. Overlays whose interface has an address of the pods' subnet
  (flannel.1, tunl0 with ipip_mode Always, the bridge weave) are covered by that subnet. Where
  packets may go without an overlay it is the host's own address: Calico with Never, or with
  CrossSubnet inside of one, which VXLAN has too; Cilium, which in either mode translates clients of
  services to its own address in eBPF; flannel host-gw; static. As long as hosts are trusted, they
  are in the set too.

What is left is `between_hosts: needed` with one of the latter: hosts' own addresses are on no zone
of their own then, and a host would refuse to forward them to its pods. For these there is a policy
between any zones that accepts packets from the hosts to the pods' subnets and nothing else.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.firewall_model import PodNetwork
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.address_sets import (
    HOSTS,
    Sets,
)

POLICY = "underlay-pods"
# Before the zones, whose word is the last (firewalld.policies, priority: negative ones come first).
_PRIORITY = -1


def forwarding_policy(model: Model, sets: Sets) -> dict[str, Any]:
    """Return the policy as the firewalld module takes it: absent where it is not needed."""
    pods = model.pod_network
    if model.firewall.trust_hosts or pods is None or not _hosts_keep_their_addresses(pods):
        return {"name": POLICY, "state": "absent"}
    rules = [
        f'rule family="ipv{subnet.version}" source ipset="{sets.half(HOSTS, subnet.version)}" '
        f'destination address="{subnet}" accept'
        for subnet in pods.pods
        if subnet.version in sets.families(HOSTS)
    ]
    return {
        "name": POLICY,
        "state": "present",
        "exclusive": True,
        "target": "CONTINUE",
        "priority": _PRIORITY,
        "ingress_zones": ["ANY"],
        "egress_zones": ["ANY"],
        "rich_rules": rules,
    }


def _hosts_keep_their_addresses(pods: PodNetwork) -> bool:
    """Say whether a host's own address is the source of its packets to pods on other hosts."""
    settings = pods.settings
    if pods.provider == "calico":
        return bool(settings["ipip_mode"] != "Always")
    if pods.provider == "canal":
        return bool(settings["backend"] == "host-gw")
    return pods.provider in ("cilium", "static")
