# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, a real firewalld, and a peer who would be locked out: what is refused, what is done.

The module is told of a connection from the peer on `lan` as sshd tells it; the host has a second
way in, `oob`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.private_firewalld import PYTHON, PrivateFirewalld, why_not

pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

DRIVER = Path(__file__).parent / "module_driver.py"
SSHD = "10.1.2.3 50000 10.1.0.1 22"
CLOSING: dict[str, Any] = {"zones": [{"name": "shut", "interfaces": ["lan"]}]}
WAY_IN = [{"interface": "oob", "source": "10.9.2.3", "port": 22}]

LISTEN = """
import socket
server = socket.create_server(("", 22), backlog=64)
print("listening", flush=True)
while True:
    server.accept()[0].close()
"""
CONNECT = """
import socket, sys
socket.create_connection((sys.argv[1], 22), 5)
"""


@pytest.fixture(scope="module")
def running() -> Iterator[PrivateFirewalld]:
    with PrivateFirewalld() as firewalld:
        firewalld.add_peer("lan", ["10.1.0.1/16"], ["10.1.2.3/16"])
        firewalld.add_peer("oob", ["10.9.0.1/16"], ["10.9.2.3/16"])
        listener = firewalld.popen(PYTHON, "-c", LISTEN)
        assert listener.stdout is not None
        assert listener.stdout.readline()
        yield firewalld


@pytest.fixture
def firewalld(running: PrivateFirewalld) -> Iterator[PrivateFirewalld]:
    """With the built-in zones, whose default lets ssh in, afterwards as before."""
    yield running
    if "shut" in running.cmd("--permanent", "--get-zones").split():
        running.cmd("--permanent", "--delete-zone=shut")
    running.cmd("--reload")


def module(
    firewalld: PrivateFirewalld, check: bool = False, told: str = SSHD, **args: Any
) -> dict[str, Any]:
    """Run the module as a task that came over this connection."""
    request = json.dumps({"name": "firewalld", "args": args, "check": check})
    words = ["env", f"SSH_CONNECTION={told}", PYTHON, str(DRIVER)]
    result: dict[str, Any] = json.loads(firewalld.run(*words, stdin=request + "\n"))
    return result


def comes_in(firewalld: PrivateFirewalld, peer: str, address: str) -> bool:
    connecting = firewalld.popen("ip", "netns", "exec", peer, PYTHON, "-c", CONNECT, address)
    connecting.communicate()
    return connecting.returncode == 0


@pytest.mark.parametrize("check", [True, False])
def test_a_change_that_would_cut_ssh_is_refused_before_anything_is_written(
    firewalld: PrivateFirewalld, check: bool
) -> None:
    result = module(firewalld, check, **CLOSING)
    assert result["failed"]
    assert "10.1.2.3 to 22/tcp on lan" in result["msg"]
    assert "falls into zone shut" in result["msg"]
    assert "shut" not in firewalld.cmd("--permanent", "--get-zones").split()
    assert comes_in(firewalld, "lan", "10.1.0.1")


def test_the_same_change_is_applied_over_a_way_that_stays_open(
    firewalld: PrivateFirewalld,
) -> None:
    result = module(firewalld, way_in=WAY_IN, **CLOSING)
    assert result.get("changed"), result
    assert not comes_in(firewalld, "lan", "10.1.0.1")
    assert comes_in(firewalld, "oob", "10.9.0.1")


def test_the_same_change_is_applied_by_a_task_that_came_over_the_other_way(
    firewalld: PrivateFirewalld,
) -> None:
    result = module(firewalld, told="10.9.2.3 50000 10.9.0.1 22", **CLOSING)
    assert result.get("changed"), result
    assert not comes_in(firewalld, "lan", "10.1.0.1")


def test_a_way_that_does_not_stay_open_itself_is_no_way(firewalld: PrivateFirewalld) -> None:
    zones = [{"name": "shut", "interfaces": ["lan", "oob"]}]
    result = module(firewalld, way_in=WAY_IN, zones=zones)
    assert result["failed"]
    assert "way_in[0]: 10.9.2.3 to 22/tcp on oob" in result["msg"]


def test_a_change_that_opens_ssh_in_the_new_zone_goes_through(
    firewalld: PrivateFirewalld,
) -> None:
    zones = [{"name": "shut", "interfaces": ["lan"], "services": ["ssh"]}]
    result = module(firewalld, zones=zones)
    assert result.get("changed"), result
    assert comes_in(firewalld, "lan", "10.1.0.1")


def test_without_the_guard_everything_goes(firewalld: PrivateFirewalld) -> None:
    result = module(firewalld, guard=False, **CLOSING)
    assert result.get("changed"), result
    assert not comes_in(firewalld, "lan", "10.1.0.1")


def test_a_console_is_not_held(firewalld: PrivateFirewalld) -> None:
    result = module(firewalld, told="", **CLOSING)
    assert result.get("changed"), result
