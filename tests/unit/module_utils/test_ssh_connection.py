# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the current SSH connection is found: who told it, and the interface that it comes in by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.commands import Completed
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_guard import WayIn
from ansible_collections.underlay.cluster.plugins.module_utils.ssh_connection import ssh_connection

TOLD = "10.1.2.3 50000 10.1.0.1 22"
BY_BOND = WayIn("bond0.101", "10.1.2.3", 22, "tcp", "10.1.0.1")


def link(name: str, *addresses: str, kind: str = "", loopback: bool = False) -> dict[str, Any]:
    return {
        "ifname": name,
        "flags": ["LOOPBACK", "UP"] if loopback else ["UP"],
        "linkinfo": {"info_kind": kind} if kind else {},
        "addr_info": [{"local": address} for address in addresses],
    }


LINKS = (
    link("lo", "127.0.0.1", "::1", "10.1.0.99", loopback=True),
    link("eth0"),
    link("bond0.101", "10.1.0.1", "fd00::1", "fe80::1", kind="vlan"),
    link("br-lan", "10.2.0.1", kind="bridge"),
    link("vips", "10.1.0.98", kind="dummy"),
    link("wan1", "10.8.0.1"),
    link("wan2", "10.8.0.1"),
)


def ip(argv: Sequence[str], timeout: float) -> Completed:
    """A host with these links, whose way to everybody is by bond0.101."""
    assert list(argv[:2]) == ["ip", "-j"]
    answers = {"address": [{}, *LINKS], "route": [{"dst": "10.1.2.3", "dev": "bond0.101"}]}
    return Completed(0, json.dumps(answers["route" if "route" in argv else "address"]))


class Proc:
    """A /proc with processes put in one by one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def process(self, pid: str, parent: str, told: str = "", session: str = "4294967295") -> None:
        folder = self.root / pid
        folder.mkdir()
        (folder / "stat").write_text(f"{pid} (a ) name) S {parent} 1 1\n")
        variables = ["PATH=/bin", f"SSH_CONNECTION={told}" if told else "X_SSH_CONNECTION=no"]
        (folder / "environ").write_text("\0".join(variables) + "\0")
        (folder / "sessionid").write_text(session)


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def seen(told: str, tmp_path: Path) -> WayIn | None:
    return ssh_connection({"SSH_CONNECTION": told}, tmp_path, ip)


def test_the_environment_tells_the_connection_and_the_address_its_interface(tmp_path: Path) -> None:
    assert seen(TOLD, tmp_path) == BY_BOND


def test_a_bridge_counts_as_itself_and_the_port_may_be_another(tmp_path: Path) -> None:
    way = seen("192.0.2.7 50000 10.2.0.1 2222", tmp_path)
    assert way == WayIn("br-lan", "192.0.2.7", 2222, "tcp", "10.2.0.1")


def test_what_sudo_dropped_is_found_with_an_ancestor(proc: Proc) -> None:
    proc.process("1", "0")
    proc.process("20", "1")
    proc.process("30", "20", told=TOLD)
    proc.process("40", "30")
    proc.process("self", "40")
    assert ssh_connection({}, proc.root, ip) == BY_BOND


def test_what_an_asynchronous_task_lost_is_found_in_its_login_session(proc: Proc) -> None:
    proc.process("1", "0")
    proc.process("40", "1", session="7")
    proc.process("50", "1", told="10.6.6.6 1 10.2.0.1 22", session="8")
    proc.process("60", "1", told=TOLD, session="7")
    proc.process("self", "40", session="7")
    assert ssh_connection({}, proc.root, ip) == BY_BOND


def test_a_console_has_none(proc: Proc) -> None:
    proc.process("1", "0")
    proc.process("50", "1", told=TOLD)
    proc.process("self", "1")
    assert ssh_connection({}, proc.root, ip) is None


def test_a_process_that_ends_meanwhile_is_passed_over(proc: Proc) -> None:
    proc.process("self", "40")
    assert ssh_connection({}, proc.root, ip) is None


@pytest.mark.parametrize(
    "told", ["UNKNOWN 65535 UNKNOWN 65535", "10.1.2.3 50000 10.1.0.1", "a b c d", "1.2.3.4 5 ::x 6"]
)
def test_what_names_no_network_connection_is_none(told: str, tmp_path: Path) -> None:
    assert seen(told, tmp_path) is None


def test_a_connection_to_another_network_namespace_is_none_of_ours(tmp_path: Path) -> None:
    assert seen("10.1.2.3 50000 172.30.0.9 22", tmp_path) is None


def test_a_link_local_address_names_its_interface_itself(tmp_path: Path) -> None:
    way = seen("fe80::2%eth7 50000 fe80::1%eth7 22", tmp_path)
    assert way == WayIn("eth7", "fe80::2", 22, "tcp", "fe80::1")


def test_an_ipv4_address_in_ipv6_notation_is_an_ipv4_address(tmp_path: Path) -> None:
    assert seen("::ffff:10.1.2.3 50000 ::ffff:10.1.0.1 22", tmp_path) == BY_BOND


def test_ipv6_addresses_are_compared_as_addresses(tmp_path: Path) -> None:
    way = seen("fd00:0::2 50000 fd00:0:0::1 22", tmp_path)
    assert way == WayIn("bond0.101", "fd00::2", 22, "tcp", "fd00::1")


@pytest.mark.parametrize("vip", ["10.1.0.98", "10.1.0.99"])
def test_a_vip_on_the_loopback_or_a_dummy_comes_in_where_the_way_back_goes(
    vip: str, tmp_path: Path
) -> None:
    way = seen(f"10.1.2.3 50000 {vip} 22", tmp_path)
    assert way == WayIn("bond0.101", "10.1.2.3", 22, "tcp", vip)


def test_an_address_on_two_interfaces_comes_in_where_the_way_back_goes(tmp_path: Path) -> None:
    way = seen("10.1.2.3 50000 10.8.0.1 22", tmp_path)
    assert way is not None
    assert way.interface == "bond0.101"


def test_a_connection_from_the_host_itself_comes_in_by_the_loopback(tmp_path: Path) -> None:
    way = seen("10.2.0.1 50000 10.1.0.1 22", tmp_path)
    assert way is not None
    assert way.interface == "lo"


def test_ip_that_fails_is_told(tmp_path: Path) -> None:
    def broken(argv: Sequence[str], timeout: float) -> Completed:
        return Completed(1, err="no such thing")

    with pytest.raises(HostError, match="'ip -d address show' failed: no such thing"):
        ssh_connection({"SSH_CONNECTION": TOLD}, tmp_path, broken)


def test_the_real_ancestors_of_a_real_process_are_asked() -> None:
    module = "ansible_collections.underlay.cluster.plugins.module_utils.ssh_connection"
    paths = os.pathsep.join(path for path in sys.path if path)
    program = f"from {module} import ssh_connection; print(ssh_connection())"
    done = subprocess.run(
        ["sh", "-c", 'env -i "PATH=$PATH" "PYTHONPATH=$PYTHONPATH" "$@"; true',
         "sh", sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths, "SSH_CONNECTION": "127.0.0.1 5 127.0.0.1 22"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "127.0.0.1 to 22/tcp on lo", done.stderr
