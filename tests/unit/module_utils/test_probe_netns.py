"""The whole probe against real packets: a host, its router, and peers before and behind it.

host --- lan (10.9.0.0/24, fd09::/64) --- router --- 10.9.1.0/24, fd09:1::/64 --- far
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.module_utils.netns import Namespace, connect, why_not

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

RUN = """
import json, sys
from dataclasses import asdict
from ansible_collections.underlay.cluster.plugins.module_utils.probe_plan import (
    read_expectation, read_probes)
from ansible_collections.underlay.cluster.plugins.module_utils.probe_run import measure
given = json.load(sys.stdin)
report = measure(read_expectation(given["expect"]), read_probes(given["probes"]), given["timeout"])
json.dump(asdict(report), sys.stdout)
"""


@dataclass
class Net:
    """Three hosts in a row, dual stack, all as planned."""

    host: Namespace
    router: Namespace
    far: Namespace
    expect: dict[str, Any] = field(default_factory=dict)
    probes: list[dict[str, Any]] = field(default_factory=list)

    def probe(self, timeout: float = 10) -> dict[str, Any]:
        given = json.dumps({"expect": self.expect, "probes": self.probes, "timeout": timeout})
        paths = os.pathsep.join(path for path in sys.path if path)
        environment = ["env", f"PYTHONPATH={paths}"]
        result: dict[str, Any] = json.loads(
            self.host.run(*environment, sys.executable, "-c", RUN, stdin=given)
        )
        return result

    def findings(self, timeout: float = 10) -> list[tuple[str, str, str]]:
        """What is found: check, subject, seen."""
        found = self.probe(timeout)["findings"]
        return [(item["check"], item["subject"], item["seen"]) for item in found]

    def mac(self, namespace: Namespace, link: str) -> str:
        (entry,) = json.loads(namespace.run("ip", "-j", "link", "show", "dev", link))
        return str(entry["address"])


def asked(target: str, host: str | None, address: str, mtu: int = 1500) -> dict[str, Any]:
    source = "fd09::11" if ":" in address else "10.9.0.11"
    return {
        "network": "lcm", "target": target, "host": host, "address": address,
        "source": source, "link": "lan", "mtu": mtu,
    }  # fmt: skip


@pytest.fixture
def net() -> Iterator[Net]:
    spaces = [Namespace() for _unused in range(3)]
    try:
        yield wired(*spaces)
    finally:
        for space in spaces:
            space.close()


def wired(host: Namespace, router: Namespace, far: Namespace) -> Net:
    for space in (host, router, far):
        # nobody shares these links: addresses are ready at once
        space.sysctl("ipv6/conf/default/accept_dad", "0")
    connect(host, "lan", router, "r0")
    connect(router, "r1", far, "f0")
    host.ip(
        "addr add 10.9.0.11/24 dev lan", "addr add fd09::11/64 dev lan",
        "route add 10.9.1.0/24 via 10.9.0.1", "route add fd09:1::/64 via fd09::1",
    )  # fmt: skip
    router.ip(
        "addr add 10.9.0.1/24 dev r0", "addr add fd09::1/64 dev r0",
        "addr add 10.9.1.1/24 dev r1", "addr add fd09:1::1/64 dev r1",
    )  # fmt: skip
    router.sysctl("ipv4/ip_forward", "1")
    router.sysctl("ipv6/conf/all/forwarding", "1")
    far.ip(
        "addr add 10.9.1.12/24 dev f0", "addr add fd09:1::12/64 dev f0",
        "route add default via 10.9.1.1", "route add default via fd09:1::1",
    )  # fmt: skip
    expect = {
        "links": [{"name": "lan", "type": "ethernet", "mtu": 1500, "network": "lcm"}],
        "addresses": [
            {"network": "lcm", "link": "lan", "address": "10.9.0.11/24"},
            {"network": "lcm", "link": "lan", "address": "fd09::11/64"},
        ],
        "routes": [
            {"network": "lcm", "to": "10.9.1.0/24", "via": "10.9.0.1", "link": "lan"},
            {"network": "lcm", "to": "fd09:1::/64", "via": "fd09::1", "link": "lan"},
        ],
        "default_route": [],
    }
    probes = [
        asked("gateway", None, "10.9.0.1"), asked("gateway", None, "fd09::1"),
        asked("peer", "far", "10.9.1.12"), asked("peer", "far", "fd09:1::12"),
    ]  # fmt: skip
    return Net(host, router, far, expect, probes)


def test_a_network_as_planned_has_no_findings(net: Net) -> None:
    report = net.probe()
    assert report["findings"] == []
    (measured,) = report["measured"]
    # link, MTU, 2 addresses and their uniqueness, 2 routes, 4 targets and their path MTU
    assert (measured["network"], measured["checks"]) == ("lcm", 2 + 4 + 2 + 8)
    assert (measured["failed"], measured["degraded"]) == (0, 0)
    assert 0 < measured["rtt_ms"] < 1000


class TestReachability:
    def test_a_peer_that_does_not_answer_is_named(self, net: Net) -> None:
        net.far.ip("addr del 10.9.1.12/24 dev f0", "addr add 10.9.1.99/24 dev f0")
        ((check, subject, seen),) = net.findings()
        assert (check, subject) == ("peer", "far 10.9.1.12")
        assert seen.startswith("no answer")

    def test_one_family_can_fail_alone(self, net: Net) -> None:
        net.far.sysctl("ipv6/conf/f0/disable_ipv6", "1")
        assert [(check, subject) for check, subject, _unused in net.findings()] == [
            ("peer", "far fd09:1::12")
        ]

    def test_a_silent_gateway_is_the_cause_for_the_peers_behind_it(self, net: Net) -> None:
        net.router.ip("addr flush dev r0")
        found = [(check, subject) for check, subject, _unused in net.findings()]
        assert found == [("gateway", "10.9.0.1"), ("gateway", "fd09::1")]

    def test_hidden_failures_are_counted(self, net: Net) -> None:
        net.router.ip("addr flush dev r0")
        (measured,) = net.probe()["measured"]
        assert (measured["failed"], measured["rtt_ms"]) == (8, None)


class TestPathMtu:
    @pytest.mark.parametrize("limit", [1280, 1450])
    def test_a_router_tells_what_it_lets_through(self, net: Net, limit: int) -> None:
        net.router.ip(f"link set r1 mtu {limit}")
        net.far.ip(f"link set f0 mtu {limit}")
        assert net.findings() == [
            ("path_mtu", "far 10.9.1.12", f"{limit} bytes"),
            ("path_mtu", "far fd09:1::12", f"{limit} bytes"),
        ]

    @pytest.mark.parametrize("limit", [1300, 1423, 1495])
    def test_a_silent_drop_is_narrowed_down(self, net: Net, limit: int) -> None:
        # a veth drops, without a word, what is longer than the other end's MTU and a VLAN tag
        net.router.ip(f"link set r0 mtu {limit - 4}")
        net.probes = net.probes[:2]
        assert net.findings() == [
            ("path_mtu", "10.9.0.1", f"{limit} bytes"),
            ("path_mtu", "fd09::1", f"{limit} bytes"),
        ]

    def test_an_answer_that_comes_back_in_pieces_is_a_finding(self, net: Net) -> None:
        # the way back is narrower than the way there: a drop on the way there is not to be seen
        net.router.ip("link set r0 mtu 1496")
        found = net.findings()
        assert [check for check, _subject, _seen in found] == ["path_mtu"] * 4
        assert {seen for _check, _subject, seen in found} == {
            "pieces of 1492 bytes on the way back",  # IPv4: the payload goes in steps of 8
            "pieces of 1496 bytes on the way back",
        }

    def test_a_link_that_is_too_narrow_is_the_only_finding(self, net: Net) -> None:
        net.host.ip("link set lan mtu 1400")
        assert net.findings() == [("mtu", "lan", "1400")]

    def test_jumbo_frames_are_asked_for_whole(self, net: Net) -> None:
        for space, link in ((net.host, "lan"), (net.router, "r0")):
            space.ip(f"link set {link} mtu 9000")
        net.expect["links"][0]["mtu"] = 9000
        net.probes = [asked("gateway", None, "10.9.0.1", 9000)]
        assert net.findings() == []

    def test_a_link_narrower_than_asked_is_measured_without_a_planned_mtu(self, net: Net) -> None:
        net.host.ip("link set lan mtu 1400")
        del net.expect["links"][0]["mtu"]
        net.probes = net.probes[:2]
        assert net.findings() == [
            ("path_mtu", "10.9.0.1", "1400 bytes"),
            ("path_mtu", "fd09::1", "1400 bytes"),
        ]


class TestOneCause:
    def test_a_missing_link_is_one_finding(self, net: Net) -> None:
        net.host.ip("link del lan")
        assert net.findings() == [("link", "lan", "no such link")]

    def test_a_link_without_carrier_is_one_finding(self, net: Net) -> None:
        net.router.ip("link set r0 down")
        assert net.findings() == [("link", "lan", "no carrier")]

    def test_a_link_that_is_down_is_one_finding(self, net: Net) -> None:
        net.host.ip("link set lan down")
        assert net.findings() == [("link", "lan", "down")]

    def test_a_missing_address_is_one_finding(self, net: Net) -> None:
        net.host.ip("addr del fd09::11/64 dev lan", "route del fd09:1::/64")
        assert net.findings() == [("address", "fd09::11/64", "missing")]

    def test_an_address_with_another_prefix_is_shown(self, net: Net) -> None:
        net.host.ip("addr del 10.9.0.11/24 dev lan", "addr add 10.9.0.11/16 dev lan")
        assert ("address", "10.9.0.11/24", "10.9.0.11/16 on lan") in net.findings()

    def test_a_missing_route_hides_the_peers_behind_it(self, net: Net) -> None:
        net.host.ip("route del 10.9.1.0/24")
        assert net.findings() == [("route", "10.9.1.0/24", "missing")]

    def test_a_route_that_leads_elsewhere_is_shown(self, net: Net) -> None:
        net.host.ip("route change 10.9.1.0/24 via 10.9.0.7")
        assert net.findings() == [("route", "10.9.1.0/24", "via 10.9.0.7 on lan")]


class TestDefaultRoute:
    def test_another_default_route_that_can_win_is_a_failure(self, net: Net) -> None:
        self.plan_default(net)
        net.host.ip("route add default via 10.9.0.1 metric 200", "route add default via 10.9.0.7")
        (finding,) = net.probe()["findings"]
        assert (finding["check"], finding["severity"]) == ("default_route", "failed")
        assert finding["seen"] == "also via 10.9.0.7 on lan metric 0"

    def test_one_that_only_waits_is_a_weakness(self, net: Net) -> None:
        self.plan_default(net)
        net.host.ip("route add default via 10.9.0.1", "route add default via 10.9.0.7 metric 1024")
        (finding,) = net.probe()["findings"]
        assert (finding["check"], finding["severity"]) == ("default_route", "degraded")

    def test_a_missing_one_is_told_once(self, net: Net) -> None:
        self.plan_default(net)
        assert net.findings() == [("default_route", "0.0.0.0/0", "missing")]

    def test_without_a_planned_one_others_are_nobodys_business(self, net: Net) -> None:
        net.host.ip("route add default via 10.9.0.7")
        assert net.findings() == []

    @staticmethod
    def plan_default(net: Net) -> None:
        route = {"network": "lcm", "to": "0.0.0.0/0", "via": "10.9.0.1", "link": "lan"}
        net.expect["routes"].append(route)
        net.expect["default_route"] = [route]


class TestDuplicates:
    @pytest.mark.parametrize("address", ["10.9.0.11", "fd09::11"])
    def test_the_other_holder_is_named_by_its_mac_address(self, net: Net, address: str) -> None:
        net.router.ip(f"addr add {address}/{'64' if ':' in address else '24'} dev r0")
        found = [item for item in net.findings() if item[0] == "duplicate"]
        assert found == [
            ("duplicate", address, f"also held by {net.mac(net.router, 'r0')}"),
        ]

    def test_an_address_that_the_kernel_keeps_back_is_told_as_a_duplicate(self, net: Net) -> None:
        net.router.ip("addr add fd09::11/64 dev r0")
        net.host.sysctl("ipv6/conf/lan/accept_dad", "1")
        net.host.ip("addr del fd09::11/64 dev lan", "addr add fd09::11/64 dev lan")
        wait_until_contested(net.host)
        findings = net.probe()["findings"]
        assert [(item["check"], item["subject"]) for item in findings] == [
            ("duplicate", "fd09::11")
        ]
        assert findings[0]["expected"] == f"held by {net.mac(net.host, 'lan')} on lan alone"

    def test_the_hosts_own_second_link_is_no_duplicate(self, net: Net) -> None:
        # Linux answers for any of its addresses on any of its links
        connect(net.host, "lan2", net.router, "r2")
        net.router.ip("link add br0 type bridge", "link set br0 up")
        net.router.ip("link set r0 master br0", "link set r2 master br0")
        net.probes = []
        assert [item for item in net.findings() if item[0] == "duplicate"] == []


def wait_until_contested(host: Namespace) -> None:
    deadline = time.monotonic() + 15
    while "dadfailed" not in host.run("ip", "-6", "addr", "show", "dev", "lan"):
        assert time.monotonic() < deadline, "the kernel found no duplicate"
        time.sleep(0.1)


class TestManyTargets:
    def test_several_hundred_neighbours_are_asked_in_seconds(self, net: Net) -> None:
        addresses = [f"10.9.0.{number}" for number in range(20, 250)]
        net.router.ip(*(f"addr add {address}/24 dev r0" for address in addresses))
        net.probes = [asked("peer", None, address) for address in addresses]
        report = net.probe()
        assert report["findings"] == []
        assert report["seconds"] < 10

    def test_many_of_the_same_trouble_are_one_finding(self, net: Net) -> None:
        net.probes = [asked("peer", f"h{n}", f"10.9.0.{n}") for n in range(30, 50)]
        ((check, subject, _seen),) = net.findings(timeout=20)
        assert check == "peer"
        assert subject == "h30 10.9.0.30, h31 10.9.0.31, h32 10.9.0.32 and 17 more"

    def test_what_time_did_not_allow_is_told_so(self, net: Net) -> None:
        net.probes = [asked("peer", f"h{n}", f"10.9.0.{n}") for n in range(30, 200)]
        seen = {seen for _check, _subject, seen in net.findings(timeout=0.5)}
        assert "not measured: the time ran out" in seen
