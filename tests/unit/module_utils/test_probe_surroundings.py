# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes, leases and sockets as a host tells them, and what of them is not to be."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils.commands import Completed
from ansible_collections.underlay.cluster.plugins.module_utils.probe_forbidden import (
    check_forbidden,
)
from ansible_collections.underlay.cluster.plugins.module_utils.probe_host import (
    HostState,
    SeenAddress,
)
from ansible_collections.underlay.cluster.plugins.module_utils.probe_listeners import (
    check_listeners,
)
from ansible_collections.underlay.cluster.plugins.module_utils.probe_plan import (
    Tally,
    read_expectation,
)
from ansible_collections.underlay.cluster.plugins.module_utils.probe_surroundings import (
    Surroundings,
    read_surroundings,
)

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"


def line(address: str, port: int, state: str, inode: int) -> str:
    """A line of /proc/net/tcp and its likes."""
    packed = ip_address(address).packed
    words = "".join(f"{word:08X}" for word in struct.unpack(f"={len(packed) // 4}I", packed))
    nowhere = "0" * len(words)
    rest = "00000000:00000000 00:00000000 00000000     0        0"
    return f"   0: {words}:{port:04X} {nowhere}:0000 {state} {rest} {inode} 1 0000000000000000"


class Host:
    """A host's /proc and /run in a folder, and what its `ip` says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.routes: list[dict[str, Any]] = []
        (root / "proc" / "net").mkdir(parents=True)

    def sockets(self, name: str, *lines: str) -> None:
        (self.root / "proc" / "net" / name).write_text("\n".join([HEAD, *lines]) + "\n")

    def process(self, number: int, name: str, *inodes: int) -> None:
        folder = self.root / "proc" / str(number)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(f"{name}\n")
        for place, inode in enumerate(inodes):
            (folder / "fd" / str(place)).symlink_to(f"socket:[{inode}]")

    def lease(self, name: str, text: str) -> None:
        folder = self.root / "run" / "systemd" / "netif" / "leases"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def read(self) -> Surroundings:
        return read_surroundings(self._ip, self.root)

    def findings(self, *addresses: SeenAddress, **expect: Any) -> list[tuple[str, str]]:
        """What is found, as subject and what is seen."""
        tally, around = Tally(), self.read()
        read = read_expectation(expect)
        check_forbidden(read, HostState({}, addresses, ()), around, tally)
        check_listeners(read, around, tally)
        return [(item.subject, item.seen) for item in tally.findings]

    def _ip(self, argv: Sequence[str], timeout: float) -> Completed:
        assert argv[-2:] == ["table", "all"]
        family = 6 if "-6" in argv else 4
        told = [item for item in self.routes if (":" in item["dst"]) == (family == 6)]
        return Completed(0, json.dumps(told))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


PXE = {"forbidden": [{"network": "pxe", "kind": "pxe", "cidr": "10.25.1.0/24"}]}
CEPH = {
    "listeners": [
        {"what": "Ceph", "ports": "6800-7300", "networks": ["s"], "addresses": ["10.23.1.10"]}
    ]
}


class TestSockets:
    """S4.13-14 for those of TCP; S4.1 and S4.15 for all that take what comes in."""

    def test_of_tcp_that_listen_and_all_of_udp_are_read(self, host: Host) -> None:
        host.sockets("tcp", line("10.23.1.10", 6800, "0A", 1), line("10.23.1.10", 6800, "01", 2))
        host.sockets("tcp6", line("fd23::10", 6801, "0A", 3))
        host.sockets("udp", line("127.0.0.1", 53, "07", 4))
        assert [str(item) for item in host.read().sockets] == [
            "TCP 10.23.1.10:6800",
            "TCP [fd23::10]:6801",
            "UDP 127.0.0.1:53",
        ]

    @given(st.ip_addresses())
    def test_have_any_address(self, tmp_path_factory: pytest.TempPathFactory, address: Any) -> None:
        host = Host(tmp_path_factory.mktemp("root"))
        host.sockets("udp", line(str(address), 67, "07", 1))
        (found,) = host.read().sockets
        assert found.address == (getattr(address, "ipv4_mapped", None) or address)

    def test_of_ipv6_that_serve_ipv4_have_its_address(self, host: Host) -> None:
        host.sockets("tcp6", line("::ffff:10.23.1.10", 6800, "0A", 1))
        assert host.findings(**CEPH) == []

    def test_are_told_with_their_process(self, host: Host) -> None:
        host.sockets("tcp", line("0.0.0.0", 6800, "0A", 7), line("0.0.0.0", 6801, "0A", 8))
        host.process(41, "ceph-osd", 1, 7)
        seen = "listens on every address, 0.0.0.0"
        assert host.findings(**CEPH) == [
            ("ceph-osd, TCP 6800", seen),
            ("an unknown process, TCP 6801", seen),
        ]


class TestLeases:
    """S4.1, S4.15"""

    def test_in_the_subnet_are_told_by_their_file(self, host: Host) -> None:
        host.lease("3", "# private\nADDRESS=10.25.1.77\nNETMASK=255.255.255.0\n")
        host.lease("4", "ADDRESS=192.0.2.7\n")
        host.lease("5", "ADDRESS=nonsense\n")
        assert host.findings(**PXE) == [
            ("10.25.1.77", "a lease, /run/systemd/netif/leases/3"),
        ]

    def test_of_an_address_that_is_told_are_no_second_finding(self, host: Host) -> None:
        host.lease("3", "ADDRESS=10.25.1.77\n")
        address = SeenAddress("nic", ip_interface("10.25.1.77/24"), False, False, leased=True)
        assert host.findings(address, **PXE) == [
            ("10.25.1.77/24 on nic", "an address from DHCP"),
        ]


class TestRoutes:
    """S4.1, S4.15"""

    @pytest.mark.parametrize(
        ("route", "seen"),
        [
            ({"dst": "10.25.1.0/24", "dev": "a"}, "a route on a"),
            ({"dst": "10.0.0.0/8", "gateway": "10.9.0.1", "dev": "a"}, "a route via 10.9.0.1 on a"),
            (
                {"dst": "10.25.1.7", "via": {"family": "inet6", "host": "fe80::1"}, "dev": "a"},
                "a route via fe80::1 on a",
            ),
            (
                {
                    "dst": "10.25.0.0/16",
                    "table": "77",
                    "nexthops": [
                        {"gateway": "10.9.0.1", "dev": "a"},
                        {"gateway": "10.8.0.1", "dev": "b"},
                    ],
                },
                "a route via 10.9.0.1 on a and via 10.8.0.1 on b in table 77",
            ),
        ],
    )
    def test_that_lead_there_are_told(self, host: Host, route: dict[str, Any], seen: str) -> None:
        host.routes = [route]
        assert [told for _subject, told in host.findings(**PXE)] == [seen]

    @pytest.mark.parametrize(
        "route",
        [
            {"dst": "default", "gateway": "10.9.0.1", "dev": "a"},
            {"dst": "10.25.2.0/24", "dev": "a"},
            {"dst": "fd25::/64", "dev": "a"},
            {"dst": "10.25.1.0/24", "type": "unreachable"},
            {"dst": "10.25.1.255", "type": "broadcast", "dev": "a", "table": "local"},
            {"dst": "10.25.1.5", "type": "local", "dev": "a", "table": "local"},
        ],
    )
    def test_of_other_sorts_are_let_pass(self, host: Host, route: dict[str, Any]) -> None:
        host.routes = [route]
        assert host.findings(**PXE) == []

    def test_to_nowhere_hide_wider_ones_of_their_own_table_alone(self, host: Host) -> None:
        wider = {"dst": "10.25.0.0/16", "dev": "a"}
        host.routes = [{"dst": "10.25.1.0/24", "type": "prohibit"}, wider]
        assert host.findings(**PXE) == []
        host.routes = [{"dst": "10.25.1.0/24", "type": "prohibit"}, {**wider, "table": "9"}]
        assert len(host.findings(**PXE)) == 1

    def test_to_nowhere_for_a_part_hide_nothing(self, host: Host) -> None:
        host.routes = [
            {"dst": "10.25.1.0/25", "type": "blackhole"}, {"dst": "10.25.0.0/16", "dev": "a"}
        ]  # fmt: skip
        assert len(host.findings(**PXE)) == 1


def test_a_host_without_any_of_it_is_clean(host: Host) -> None:
    assert host.findings(**PXE, **CEPH) == []
