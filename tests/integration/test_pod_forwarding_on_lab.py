# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods behind the host firewall: what a pod network does, with its own means, on virtual machines.

firewalld refuses to forward what no zone accepts, and so cut pods off (flannel#2055). The pods here
are network namespaces; their network is a VXLAN overlay as flannel and Canal make it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest

from tests.integration.lab_site import Site
from tests.integration.traffic import Ask, answers, asker, listener

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NODES = ("w1", "w2")
POD_NETWORK = "10.244.0.0/16"
PORT = 8080
NODE_PORT = 31080


def pod(node: str) -> str:
    """Return the address of the pod on a node."""
    return f"10.244.{NODES.index(node) + 1}.2"


def _overlay(site: Site, node: str) -> list[str]:
    """Return the commands that flannel would run on a node: bridge, pod, VXLAN, routes."""
    slice_ = ipaddress.ip_network(f"{pod(node)}/24", strict=False)
    peer = next(name for name in NODES if name != node)
    peer_slice = ipaddress.ip_network(f"{pod(peer)}/24", strict=False)
    local, remote = site.address(node, "lcm"), site.address(peer, "lcm")
    peer_mac, own_mac = (f"02:00:00:00:00:0{NODES.index(name) + 1}" for name in (peer, node))
    return [
        "sysctl -qw net.ipv4.ip_forward=1",
        f"ip link add cni0 type bridge && ip addr add {slice_[1]}/24 dev cni0",
        "ip link set cni0 up && ip netns add pod",
        "ip link add veth0 type veth peer name eth0 netns pod",
        "ip link set veth0 master cni0 up",
        f"ip -n pod addr add {pod(node)}/24 dev eth0 && ip -n pod link set eth0 mtu 1450 up",
        f"ip -n pod link set lo up && ip -n pod route add default via {slice_[1]}",
        f"ip link add flannel.1 address {own_mac} type vxlan id 1 dstport 8472 local {local}"
        " nolearning",
        f"ip addr add {slice_[0]}/32 dev flannel.1 && ip link set flannel.1 mtu 1450 up",
        f"bridge fdb append {peer_mac} dev flannel.1 dst {remote}",
        f"ip neigh replace {peer_slice[0]} lladdr {peer_mac} dev flannel.1",
        f"ip route add {peer_slice} via {peer_slice[0]} dev flannel.1 onlink",
        # kube-proxy's part: a node port leads to the pod, in a table of its own.
        "nft add table ip pods",
        "nft 'add chain ip pods pre { type nat hook prerouting priority dstnat; }'",
        "nft 'add chain ip pods post { type nat hook postrouting priority srcnat; }'",
        f"nft add rule ip pods pre tcp dport {NODE_PORT} dnat to {pod(node)}:{PORT}",
        f"nft add rule ip pods post ip saddr {POD_NETWORK} ip daddr != {POD_NETWORK} masquerade",
    ]


REMOVAL = (
    "systemctl stop underlay-test-pod",
    "ip netns del pod",
    "ip link del cni0",
    "ip link del flannel.1",
    "nft delete table ip pods",
)


@pytest.fixture(scope="module", autouse=True)
def pods(site: Site) -> Iterator[None]:
    """One pod on each of two nodes in two racks, and something that listens in it."""
    run = "systemd-run -q --unit=underlay-test-pod --collect ip netns exec pod"
    ready = f"ip netns exec pod ss -Hltn | grep -q ':{PORT} '"
    try:
        for node in NODES:
            site.lab.ssh(node, " && ".join(_overlay(site, node)))
            site.lab.ssh(node, f"{run} {listener([f'{PORT}/tcp', f'{PORT}/udp'])}")
        for node in NODES:
            wait = f"for i in $(seq 300); do {ready} && exit 0; sleep 0.1; done; exit 1"
            site.lab.ssh(node, wait)
        yield
    finally:
        for node in NODES:
            site.lab.ssh(node, "; ".join(REMOVAL), check=False)


def is_open(site: Site, host: str, item: Ask, within: str = "") -> bool:
    """Ask one question from a host, or from its pod."""
    return answers([item], site.lab.ssh(host, f"{within} {asker([item])}").stdout)[item]


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_pod_reaches_a_pod_of_another_node(site: Site, protocol: str) -> None:
    item = Ask(pod("w1"), pod("w2"), PORT, protocol)

    assert is_open(site, "w1", item, "ip netns exec pod")


def test_a_node_reaches_a_pod_of_another_node(site: Site) -> None:
    """As the API server reaches a webhook."""
    assert is_open(site, "w1", Ask("0.0.0.0", pod("w2"), PORT))


def test_a_pod_reaches_another_nodes_host_network(site: Site) -> None:
    """As a metrics collector reaches a kubelet: the packet arrives with the pod's address."""
    item = Ask(pod("w1"), site.address("w2", "lcm"), 22)
    command = f"ip netns exec pod timeout 20 bash -c 'exec 3<>/dev/tcp/{item.address}/22'"

    assert site.lab.ssh("w1", command, check=False).returncode == 0


def test_anyone_reaches_a_node_port(site: Site) -> None:
    item = Ask("10.21.1.1", site.address("w1", "lcm"), NODE_PORT)

    assert is_open(site, "gw", item)


def test_nobody_outside_is_forwarded_to_a_pod(site: Site) -> None:
    """A stranger on the LCM network who sends packets for a pod to a node gets nowhere."""
    site.lab.ssh("gw", f"ip route add {pod('w1')}/32 via {site.address('w1', 'lcm')}")
    try:
        stranger = is_open(site, "gw", Ask("10.21.1.1", pod("w1"), PORT))
    finally:
        site.lab.ssh("gw", f"ip route del {pod('w1')}/32")

    assert not stranger
