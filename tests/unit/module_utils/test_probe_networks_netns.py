# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be, against real packets, routes and sockets: PXE, OOB, storage, VIPs.

The net is that of test_probe_netns: host --- lan (10.9.0.0/24) --- router --- 10.9.1.0/24 --- far
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.module_utils import dhcp_server
from tests.unit.module_utils.netns import Namespace, _die_with_parent, connect, why_not
from tests.unit.module_utils.test_probe_netns import Net, asked, wired

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

SECONDS = 30
# Binds each ADDRESS PORT of one protocol, says so, and stays.
BIND = """
import socket, sys, time
kept = []
for address, port in zip(sys.argv[2::2], sys.argv[3::2]):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
    channel = socket.socket(family, kind)
    channel.bind((address, int(port)))
    if sys.argv[1] == "tcp":
        channel.listen()
    kept.append(channel)
print("ready", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def net() -> Iterator[Net]:
    spaces = [Namespace() for _unused in range(3)]
    try:
        made = wired(*spaces)
        made.probes = []
        yield made
    finally:
        for space in spaces:
            space.close()


@contextmanager
def running(space: Namespace, *arguments: str) -> Iterator[None]:
    """A Python program in a namespace that has said "ready"; it dies with the test."""
    process = subprocess.Popen(
        ["nsenter", f"--net=/proc/{space.pid}/ns/net", sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - nothing else runs in the child
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)


def bound(space: Namespace, protocol: str, *sockets: str) -> Any:
    return running(space, "-c", BIND, protocol, *sockets)


def ceph(space: Namespace, protocol: str, *sockets: str) -> Any:
    """A stand-in for an OSD: its name is all that tells one from others."""
    named = "open('/proc/self/comm', 'w').write('ceph-osd')\n"
    return running(space, "-c", named + BIND, protocol, *sockets)


def dhcp_server_on(space: Namespace, link: str, *more: str, address: str = "10.9.0.77") -> Any:
    return running(space, str(Path(dhcp_server.__file__)), link, "10.9.0.1", address, *more)


def with_vlan(space: Namespace, link: str) -> None:
    try:
        space.ip(f"link add link {link} name {link}.7 type vlan id 7")
    except AssertionError as error:
        if "Unknown device type" in str(error):
            pytest.skip("this kernel has no VLANs")
        raise
    space.ip(f"link set {link}.7 up mtu 1400")


def counts(report: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Network -> checks, failed."""
    return {item["network"]: (item["checks"], item["failed"]) for item in report["measured"]}


class TestDhcpSilence:
    """S4.1: no DHCP server answers on a network of operational hosts."""

    @pytest.fixture(autouse=True)
    def silent(self, net: Net) -> None:
        net.expect["silent"] = [{"network": "lcm", "link": "lan"}]

    def test_is_a_check_that_passes_where_nobody_answers(self, net: Net) -> None:
        before = {**net.expect, "silent": []}
        (checks, failed) = counts(net.probe())["lcm"]
        net.expect = before
        assert (checks, failed) == (counts(net.probe())["lcm"][0] + 1, 0)

    def test_is_broken_by_a_server(self, net: Net) -> None:
        with dhcp_server_on(net.router, "r0"):
            report = net.probe()
        (found,) = report["findings"]
        assert found == {
            "network": "lcm",
            "check": "pxe",
            "severity": "failed",
            "subject": "DHCP server 10.9.0.1",
            "expected": "no DHCP server answers on lan",
            "seen": "offers 10.9.0.77 on lan",
        }

    def test_is_broken_by_a_server_that_only_boots_machines(self, net: Net) -> None:
        with dhcp_server_on(net.router, "r0", "booting", address="0.0.0.0"):
            found = net.findings()
        assert found == [("pxe", "DHCP server 10.9.0.1", "offers a way to boot on lan")]

    def test_is_broken_by_two_servers_which_are_two_findings(self, net: Net) -> None:
        server = str(Path(dhcp_server.__file__))
        second = running(net.router, server, "r0", "10.9.0.2", "10.9.0.78")
        with dhcp_server_on(net.router, "r0"), second:
            found = net.findings()
        assert [seen for _check, _subject, seen in found] == [
            "offers 10.9.0.77 on lan",
            "offers 10.9.0.78 on lan",
        ]

    def test_holds_for_each_link_by_itself(self, net: Net) -> None:
        connect(net.host, "lan2", net.router, "r2", mtu=9000)
        net.expect["links"].append({"name": "lan2", "type": "ethernet", "network": "workload"})
        net.expect["silent"].append({"network": "workload", "link": "lan2"})
        with dhcp_server_on(net.router, "r2"):
            report = net.probe()
        told = [(item["network"], item["seen"]) for item in report["findings"]]
        assert told == [("workload", "offers 10.9.0.77 on lan2")]

    def test_holds_for_each_vlan_by_itself(self, net: Net) -> None:
        for space, link in ((net.host, "lan"), (net.router, "r0")):
            with_vlan(space, link)
        vlan = {"name": "lan.7", "type": "vlan", "parent": "lan", "vlan": 7, "mtu": 1400}
        net.expect["links"].append({**vlan, "network": "workload"})
        net.expect["silent"].append({"network": "workload", "link": "lan.7"})
        with dhcp_server_on(net.router, "r0.7"):
            report = net.probe()
        told = [(item["network"], item["seen"]) for item in report["findings"]]
        assert told == [("workload", "offers 10.9.0.77 on lan.7")]

    def test_holds_for_a_bridge(self, net: Net) -> None:
        net.host.ip("link add br0 type bridge forward_delay 0", "link set br0 up")
        net.host.ip("link set lan master br0")
        net.expect = {"silent": [{"network": "lcm", "link": "br0"}]}
        with dhcp_server_on(net.router, "r0"):
            found = net.findings()
        assert found == [("pxe", "DHCP server 10.9.0.1", "offers 10.9.0.77 on br0")]

    def test_is_no_second_finding_on_a_broken_link(self, net: Net) -> None:
        net.host.ip("link set lan down")
        assert [check for check, _subject, _seen in net.findings()] == ["link"]

    def test_that_was_not_listened_to_is_told(self, net: Net) -> None:
        found = net.findings(timeout=1)
        assert ("pxe", "lan", "not measured: the time ran out") in found
        net.expect["silent"] = [{"network": "lcm", "link": "nonesuch0"}]
        assert ("pxe", "nonesuch0", "not measured: No such device") in net.findings()


class TestAForbiddenNetwork:
    """S4.1, S4.15: no part of a host is on the networks of PXE and of the BMCs."""

    @pytest.fixture(autouse=True)
    def forbidden(self, net: Net) -> None:
        net.expect["forbidden"] = [
            {"network": "pxe", "kind": "pxe", "cidr": "10.25.1.0/24"},
            {"network": "oob", "kind": "oob", "cidr": "10.26.1.0/24"},
            {"network": "oob", "kind": "oob", "cidr": "fd26::/64"},
        ]

    def test_that_is_nowhere_passes_all_its_checks(self, net: Net) -> None:
        report = net.probe()
        assert report["findings"] == []
        assert counts(report)["pxe"] == (4, 0)
        assert counts(report)["oob"] == (8, 0)

    def test_is_not_an_address_and_its_routes_are_not_told_again(self, net: Net) -> None:
        net.host.ip(
            "link add nic type veth peer name other", "link set nic up", "link set other up",
            "addr add 10.25.1.5/24 dev nic",
            "addr add fd26::5/64 dev nic valid_lft 900 preferred_lft 900",
            "route add 10.25.1.1 dev nic src 10.25.1.5",
        )  # fmt: skip
        assert net.findings() == [
            ("pxe", "10.25.1.5/24 on nic", "an address"),
            ("oob", "fd26::5/64 on nic", "an address from DHCP"),
        ]

    def test_is_not_what_a_socket_is_bound_to(self, net: Net) -> None:
        net.host.sysctl("ipv4/ip_nonlocal_bind", "1")
        sockets = bound(net.host, "tcp", "10.25.1.9", "69", "0.0.0.0", "70")
        more = bound(net.host, "udp", "10.26.1.9", "623")
        with sockets, more:
            found = net.findings()
        name = Path(sys.executable).name
        assert found == [
            ("pxe", "TCP 10.25.1.9:69", f"a socket of {name}"),
            ("oob", "UDP 10.26.1.9:623", f"a socket of {name}"),
        ]

    @pytest.mark.parametrize(
        ("route", "subject", "seen"),
        [
            ("10.26.1.0/24 via 10.9.0.1", "10.26.1.0/24", "a route via 10.9.0.1 on lan"),
            ("10.26.1.7 via 10.9.0.1", "10.26.1.7/32", "a route via 10.9.0.1 on lan"),
            ("10.26.0.0/16 dev lan", "10.26.0.0/16", "a route on lan"),
            (
                "10.26.1.0/24 via 10.9.0.1 table 77",
                "10.26.1.0/24",
                "a route via 10.9.0.1 on lan in table 77",
            ),
            ("fd26::/48 via fd09::1", "fd26::/48", "a route via fd09::1 on lan"),
        ],
    )
    def test_is_not_where_a_route_leads(
        self, net: Net, route: str, subject: str, seen: str
    ) -> None:
        net.host.ip(f"route add {route}")
        assert net.findings() == [("oob", subject, seen)]

    @pytest.mark.parametrize("kind", ["unreachable", "prohibit", "blackhole"])
    def test_may_be_routed_to_nowhere(self, net: Net, kind: str) -> None:
        net.host.ip(f"route add {kind} 10.26.1.0/24", f"route add {kind} fd26::/64")
        # which also hides a wider way
        net.host.ip("route add 10.26.0.0/16 via 10.9.0.1")
        assert net.findings() == []

    def test_may_lie_behind_the_default_route(self, net: Net) -> None:
        # whether the routers let the host in is asked of the BMCs themselves
        net.host.ip("route add default via 10.9.0.1", "route add default via fd09::1")
        assert net.findings() == []


class TestServersOfStorage:
    """S4.13-14: Ceph's OSDs listen on the storage networks' addresses."""

    @pytest.fixture(autouse=True)
    def storage(self, net: Net) -> None:
        net.expect["listeners"] = [
            {
                "what": "Ceph OSD",
                "ports": "6800-7300",
                "networks": ["access", "replication"],
                "addresses": ["10.9.0.11", "fd09::11"],
            }
        ]

    def test_may_listen_on_their_addresses_and_others_anywhere(self, net: Net) -> None:
        storage = bound(net.host, "tcp", "10.9.0.11", "6800", "fd09::11", "7300")
        with storage, bound(net.host, "tcp", "0.0.0.0", "6799", "::", "7301"):
            report = net.probe()
        assert report["findings"] == []
        assert (counts(report)["access"], counts(report)["replication"]) == ((1, 0), (1, 0))

    @pytest.mark.parametrize(
        ("address", "where"), [("0.0.0.0", "every address, 0.0.0.0"), ("::", "every address, ::")]
    )
    def test_on_every_address_are_one_finding_for_a_process(
        self, net: Net, address: str, where: str
    ) -> None:
        with ceph(net.host, "tcp", address, "6800", address, "6801", address, "6810"):
            report = net.probe()
        (found,) = report["findings"]
        assert (found["subject"], found["severity"]) == ("ceph-osd, TCP 6800-6801, 6810", "failed")
        assert (
            found["expected"] == "Ceph OSD on TCP 6800-7300 listens on 10.9.0.11 or fd09::11 alone"
        )
        assert found["seen"] == f"listens on {where}"
        assert (counts(report)["access"], counts(report)["replication"]) == ((1, 1), (1, 1))

    def test_of_somebody_else_in_cephs_range_are_a_warning(self, net: Net) -> None:
        """As cilium-operator on 6942."""
        with bound(net.host, "tcp", "127.0.0.1", "6942"):
            report = net.probe()
        (found,) = report["findings"]
        assert (found["check"], found["severity"]) == ("listener", "degraded")
        assert (counts(report)["access"], counts(report)["replication"]) == ((1, 0), (1, 0))

    def test_on_another_address_are_told(self, net: Net) -> None:
        net.host.ip("addr add 10.9.0.12/24 dev lan")
        with bound(net.host, "tcp", "10.9.0.12", "7000"):
            ((check, _subject, seen),) = net.findings()
        assert (check, seen) == ("listener", "listens on 10.9.0.12")


class TestVips:
    """S4.6-7: the host tells which VIPs it holds, and every host reaches them."""

    def test_that_the_host_holds_are_named(self, net: Net) -> None:
        common = {"network": "lcm", "mode": "arp", "link": "lan"}
        net.expect["vips"] = [
            {"name": "api", "address": "10.9.0.200", **common},
            {"name": "other", "address": "10.9.0.201", **common},
            {"name": "six", "address": "fd09::200", **common},
        ]
        net.host.ip("addr add 10.9.0.200/32 dev lan", "addr add fd09::200/128 dev lan")
        report = net.probe()
        assert report["vips"] == ["api", "six"]
        assert report["findings"] == []

    def test_answer_their_holder_too(self, net: Net) -> None:
        net.host.ip("addr add 10.9.0.200/32 dev lan", "addr add fd09::200/128 dev lan")
        net.probes = [asked("vip", "api", "10.9.0.200"), asked("vip", "api6", "fd09::200")]
        assert net.findings() == []

    def test_that_nobody_holds_are_told_by_name(self, net: Net) -> None:
        net.probes = [asked("vip", "api", "10.9.0.200")]
        ((check, subject, _seen),) = net.findings()
        assert (check, subject) == ("vip", "VIP api 10.9.0.200")


class TestABmc:
    """S4.15: BMCs are not to be reached from the cluster."""

    @pytest.fixture(autouse=True)
    def refused(self, net: Net) -> None:
        net.probes = [bmc("w1", "10.9.1.12"), bmc("w2", "fd09:1::12")]

    def test_that_answers_is_told_with_all_that_it_answers_to(self, net: Net) -> None:
        with bound(net.far, "tcp", "10.9.1.12", "22", "10.9.1.12", "443", "fd09:1::12", "623"):
            report = net.probe()
        assert [(item["network"], item["check"]) for item in report["findings"]] == [
            ("oob", "oob"),
            ("oob", "oob"),
        ]
        assert [(item["subject"], item["seen"]) for item in report["findings"]] == [
            ("BMC of w1 10.9.1.12", "answers ping and TCP 22, 443"),
            ("BMC of w2 fd09:1::12", "answers ping and TCP 623"),
        ]

    def test_that_answers_tcp_alone_is_told(self, net: Net) -> None:
        net.far.sysctl("ipv4/icmp_echo_ignore_all", "1")
        net.probes = [bmc("w1", "10.9.1.12")]
        with bound(net.far, "tcp", "10.9.1.12", "623"):
            assert net.findings() == [("oob", "BMC of w1 10.9.1.12", "answers TCP 623")]

    def test_that_answers_like_many_others_is_one_of_a_number(self, net: Net) -> None:
        addresses = [f"10.9.1.{number}" for number in range(30, 62)]
        net.far.ip(*(f"addr add {address}/24 dev f0" for address in addresses))
        net.probes = [bmc(f"w{number}", address) for number, address in enumerate(addresses)]
        report = net.probe()
        (found,) = report["findings"]
        assert found["subject"].endswith("BMC of w2 10.9.1.32 and 29 more")
        assert found["seen"] == "answers ping"
        assert counts(report)["oob"] == (32, 32)

    def test_that_is_silent_or_refused_on_the_way_passes(self, net: Net) -> None:
        net.far.ip("addr flush dev f0")
        net.probes = [bmc("w1", "10.9.1.12"), bmc("w2", "fd09:1::12"), bmc("w3", "10.26.1.3")]
        report = net.probe()
        assert report["findings"] == []
        assert counts(report)["oob"] == (3, 0)

    @pytest.mark.parametrize("kind", ["unreachable", "prohibit", "blackhole"])
    def test_behind_a_route_to_nowhere_passes(self, net: Net, kind: str) -> None:
        # on the way, and on the host itself
        net.router.ip(f"route add {kind} 10.9.1.12/32")
        net.host.ip(f"route add {kind} fd09:1::12/128")
        assert net.findings() == []

    def test_that_there_was_no_time_for_is_told(self, net: Net) -> None:
        net.far.ip("addr flush dev f0")
        net.probes = [bmc("w1", "10.9.1.12")]
        (found,) = net.findings(timeout=0.5)
        assert found == ("oob", "BMC of w1 10.9.1.12", "not measured: the time ran out")


def bmc(host: str, address: str) -> dict[str, Any]:
    return {
        "network": "oob", "target": "refused", "host": f"BMC of {host}", "address": address,
        "source": None, "link": None, "mtu": None,
    }  # fmt: skip


def test_all_questions_are_asked_in_one_call(net: Net) -> None:
    """Peers, DHCP silence and BMCs of the seven networks together (S4.1, S4.15)."""
    net.expect["silent"] = [{"network": "lcm", "link": "lan"}]
    net.expect["forbidden"] = [{"network": "oob", "kind": "oob", "cidr": "10.26.1.0/24"}]
    net.probes = [
        *(asked("peer", f"w{number}", f"10.9.0.{number}") for number in range(30, 40)),
        *(bmc(f"w{number}", f"10.26.1.{number}") for number in range(1, 33)),
    ]
    net.router.ip(*(f"addr add 10.9.0.{number}/24 dev r0" for number in range(30, 40)))
    report = net.probe(timeout=20)
    assert json.dumps(report["findings"]) == "[]"
    assert {network: failed for network, (_checks, failed) in counts(report).items()} == {
        "lcm": 0,
        "oob": 0,
    }
