# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewalld of a test's own: apart from the machine and from others, gone with the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.private_firewalld import ROOT, PrivateFirewalld, wait_until, why_not

pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

STARTER = """
import sys, time
from tests.integration.private_firewalld import PrivateFirewalld
with PrivateFirewalld() as private:
    print(private.scratch, private.pid, flush=True)
    time.sleep(600)
"""


def processes(scratch: str) -> list[str]:
    """The ids of all processes that were started with this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if scratch.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_two_run_side_by_side_and_know_nothing_of_each_other() -> None:
    with PrivateFirewalld() as one, PrivateFirewalld() as other:
        one.cmd("--add-port=80/tcp")
        one.cmd("--permanent", "--new-zone=own")
        assert one.cmd("--list-ports") == "80/tcp"
        assert other.cmd("--list-ports") == ""
        assert [path.name for path in one.etc.glob("zones/*.xml")] == ["own.xml"]
        assert list(other.etc.glob("zones/*.xml")) == []


def test_nothing_of_it_reaches_the_machine() -> None:
    with PrivateFirewalld() as private:
        private.ip("link add own0 type veth peer name own1")
        assert "own0" in private.run("ip", "link")
        assert "own0" not in Path("/proc/self/net/dev").read_text(encoding="ascii")
        scratch = private.scratch
        assert processes(str(scratch))
    assert not scratch.exists()
    assert processes(str(scratch)) == []


def test_it_is_gone_when_the_test_is_killed() -> None:
    with PrivateFirewalld(started=False):
        pass  # it skips here where none can be had
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/.collections"}
    test = subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=ROOT, env=environment,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert test.stdout is not None
    scratch, _pid = test.stdout.readline().split()
    assert len(processes(scratch)) >= 3
    os.kill(test.pid, signal.SIGKILL)
    test.communicate(timeout=60)
    wait_until(lambda: not processes(scratch), "processes of a killed test stayed")
    subprocess.run(["rm", "-r", scratch], check=True)


def test_it_stops_hangs_and_starts_again() -> None:
    with PrivateFirewalld() as private:
        private.cmd("--add-port=80/tcp")
        for _time in range(3):
            private.hang()
            private.go_on()
        private.restart()
        assert private.cmd("--list-ports") == ""
        private.kill()
        assert "firewalld" in private.nft("list", "tables")
        assert not private.answers()
        private.start()
        private.stop()
        assert "firewalld" not in private.nft("list", "tables")
