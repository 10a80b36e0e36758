# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real firewalld of a test's own: in a network, mount and process namespace of its own.

Nothing of it touches the machine: its rules, its bus and its configuration are in the namespaces,
and all of it is gone when the test ends, also when the test is killed. Several run side by side.
Inside, the configuration stands where it stands on every host, in `/etc/firewalld`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import ansible
import pytest

from tests.integration import debian_packages
from tests.unit.module_utils.netns import _die_with_parent

ROOT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"
_SECONDS = 60
_BUS_NAME = "org.fedoraproject.FirewallD1"
_PACKAGES = ("firewalld", "dbus", "nftables", "iproute2")
_MODULES = "dbus, gi, nftables, firewall.core.fw"
_PROGRAMS = ("unshare", "nsenter", "mount", "ip")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

_BUS_CONF = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""

# Lays what was fetched over /usr, the scratch folder's parts over /etc, and stays.
_HOLDER = """
set -e
scratch=$1 packages=$2
if [ -n "$packages" ]; then
    mount -t overlay -o "ro,lowerdir=$packages/usr:/usr" overlay /usr
fi
if [ ! -d /etc/firewalld ]; then
    mount -t overlay -o "ro,lowerdir=$scratch/over-etc:/etc" overlay /etc
fi
mount --bind "$scratch/etc" /etc/firewalld
mount -t tmpfs tmpfs /run
ip link set lo up
echo ready
exec sleep infinity
"""


@cache
def why_not() -> str | None:
    """The reason why no private firewalld can be had here, or None."""
    absent = [name for name in _PROGRAMS if shutil.which(name, path=_SBIN) is None]
    if absent:
        return f"programs are missing: {', '.join(absent)}"
    done = subprocess.run(
        [*_unshare(), "mount", "-t", "tmpfs", "tmpfs", "/run"],
        capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        return f"no namespaces here, needs root or `unshare -r`: {done.stderr.strip()}"
    if not _installed() and shutil.which("apt-get") is None:
        return "firewalld is not installed, and there is no apt-get to fetch it"
    return None


def _unshare() -> list[str]:
    whose = [] if os.geteuid() == 0 else ["--map-root-user"]
    spaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return ["unshare", *whose, *spaces]


@cache
def _installed() -> bool:
    """Whether the machine itself has all that a firewalld needs."""
    programs = ("firewalld", "firewall-cmd", "dbus-daemon", "nft")
    if any(shutil.which(name, path=_SBIN) is None for name in programs):
        return False
    done = subprocess.run([PYTHON, "-c", f"import {_MODULES}"], check=False, capture_output=True)
    return done.returncode == 0


class PrivateFirewalld:
    """A running firewalld; a context manager.

    :param iptables: with the iptables commands, which change what a reload does.
    :param backend: what it writes its rules with, "nftables" or "iptables".
    :param started: whether it runs from the start.
    """

    def __init__(
        self, *, iptables: bool = False, backend: str = "nftables", started: bool = True
    ) -> None:
        self._iptables = iptables
        self._backend = backend
        self._started = started
        self._daemon: subprocess.Popen[str] | None = None
        self._driver: subprocess.Popen[str] | None = None
        self._ending: list[subprocess.Popen[str]] = []

    # --- its life ---------------------------------------------------------------------------------

    def __enter__(self) -> PrivateFirewalld:
        try:
            packages = self._fetched()
        except debian_packages.Unavailable as error:
            # Where everything is to be tried, a package that cannot be had is a failure.
            give_up = pytest.fail if os.environ.get("CI") else pytest.skip
            give_up(f"no firewalld here: {error}")
        self.scratch = Path(tempfile.mkdtemp(prefix="firewalld-", dir="/tmp"))
        with contextlib.ExitStack() as undo:
            undo.callback(self._end)
            self._fill_scratch()
            self._hold(packages)
            self._start_bus()
            if self._started:
                self.start()
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _fetched(self) -> Path | None:
        wanted = [] if _installed() else list(_PACKAGES)
        if self._iptables:
            wanted.append("iptables")
        return debian_packages.tree(wanted) if wanted else None

    def _fill_scratch(self) -> None:
        (self.scratch / "over-etc" / "firewalld").mkdir(parents=True)
        self.etc.mkdir()
        (self.etc / "firewalld.conf").write_text(f"FirewallBackend={self._backend}\n", "utf-8")
        bus = _BUS_CONF.format(socket=self.scratch / "bus")
        (self.scratch / "bus.conf").write_text(bus, "utf-8")
        # what a module finds on a host: Python's own, Ansible's and the collection's, nothing else
        python = self.scratch / "python"
        python.mkdir()
        (python / "ansible").symlink_to(Path(ansible.__file__).parent)
        collections = ROOT / ".collections" / "ansible_collections"
        (python / "ansible_collections").symlink_to(collections)

    def _hold(self, packages: Path | None) -> None:
        argv = [*_unshare(), "sh", "-c", _HOLDER, "sh", str(self.scratch), str(packages or "")]
        self._holder = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, preexec_fn=_die_with_parent,  # noqa: PLW1509 - nothing else runs there
        )  # fmt: skip
        assert self._holder.stdout is not None
        if self._holder.stdout.readline().strip() != "ready":
            assert self._holder.stderr is not None
            pytest.skip(f"no namespace for firewalld here: {self._holder.stderr.read().strip()}")
        self.pid = _child(self._holder.pid)

    def _start_bus(self) -> None:
        config = f"--config-file={self.scratch}/bus.conf"
        argv = ["dbus-daemon", config, "--nofork", "--print-address"]
        bus = self._popen(argv, subprocess.PIPE, subprocess.DEVNULL)
        assert bus.stdout is not None
        assert bus.stdout.readline(), "dbus-daemon did not start"

    def _end(self) -> None:
        # the first process of the namespace takes all others along
        holder = getattr(self, "_holder", None)
        if holder is not None:
            holder.kill()
            holder.communicate(timeout=_SECONDS)
        for process in self._ending:
            process.kill()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            process.wait(timeout=_SECONDS)
        shutil.rmtree(self.scratch, ignore_errors=True)

    # --- the daemon -------------------------------------------------------------------------------

    @property
    def etc(self) -> Path:
        """Its configuration; `/etc/firewalld` inside."""
        return self.scratch / "etc"

    @property
    def log(self) -> str:
        """What it has logged so far."""
        path = self.scratch / "log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it answers."""
        # nsenter stops with a child that is stopped; the shell between them only waits
        words = f"firewalld --nofork --nopid --log-file {self.scratch}/log & wait $!"
        self._daemon = self._popen(["sh", "-c", words], subprocess.DEVNULL, subprocess.DEVNULL)
        if wait:
            wait_until(self.answers, "firewalld did not answer", self._more)

    def _more(self) -> str:
        return self.log

    def answers(self) -> bool:
        """Whether it runs and is done with starting."""
        get = [
            "dbus-send", "--system", "--print-reply", "--reply-timeout=30000",
            f"--dest={_BUS_NAME}", f"/{_BUS_NAME.replace('.', '/')}",
            "org.freedesktop.DBus.Properties.Get", f"string:{_BUS_NAME}", "string:state",
        ]  # fmt: skip
        return subprocess.run(self._inside(get), capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        """Stop it as an init system does."""
        self._signal(signal.SIGTERM)
        self._gone()

    def kill(self) -> None:
        """End it without a chance to tidy up: its rules stay in the kernel."""
        self._signal(signal.SIGKILL)
        self._gone()

    def restart(self) -> None:
        self.stop()
        self.start()

    def hang(self) -> None:
        """Let it be there and answer nothing, until `go_on`."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._daemon is not None, "firewalld was not started"
        os.kill(_child(_child(self._daemon.pid)), number)

    def _gone(self) -> None:
        assert self._daemon is not None
        self._daemon.wait(timeout=_SECONDS)
        self._daemon = None

    # --- programs inside --------------------------------------------------------------------------

    def _inside(self, argv: Sequence[str]) -> list[str]:
        whose = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        spaces = ["--net", "--mount", "--pid", f"--target={self.pid}"]
        environment = [
            f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={self.scratch}/bus", f"PATH={_SBIN}",
            "LC_ALL=C.UTF-8", f"PYTHONPATH={self.scratch}/python", "PYTHONDONTWRITEBYTECODE=1",
        ]  # fmt: skip
        # a connection to the machine of the tests is none to this one
        forgotten = ["-u", "SSH_CONNECTION", "-u", "SSH_CLIENT"]
        return ["nsenter", *whose, *spaces, "env", *forgotten, *environment, *argv]

    def run(self, *argv: str, stdin: str = "") -> str:
        """Run a program inside to its end, which must be a good one."""
        done = subprocess.run(
            self._inside(argv), input=stdin, capture_output=True, text=True, timeout=_SECONDS,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{argv}: {done.stderr}{done.stdout}"
        return done.stdout

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """Start a program inside, with text pipes; it ends with the namespace at the latest."""
        return self._popen(argv, subprocess.PIPE, None)

    def _popen(self, argv: Sequence[str], pipe: int, err: int | None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._inside(argv), stdin=pipe, stdout=pipe, stderr=err, text=True
        )
        self._ending.append(process)
        return process

    def cmd(self, *arguments: str) -> str:
        """Run firewall-cmd."""
        return self.run("firewall-cmd", *arguments).strip()

    def nft(self, *arguments: str, stdin: str = "") -> str:
        return self.run("nft", *arguments, stdin=stdin)

    def ip(self, *commands: str) -> None:
        """Run ip commands, each written as on a command line."""
        self.run("ip", "-batch", "-", stdin="\n".join(commands) + "\n")

    def python(self, program: str, *arguments: str) -> str:
        """Run a Python program with the host's own Python, the collection and Ansible at hand."""
        return self.run(PYTHON, "-c", program, *arguments)

    def module(self, name: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Run a module of the collection in a process of its own and return its result."""
        if self._driver is None or self._driver.poll() is not None:
            self._driver = self.popen(PYTHON, str(Path(__file__).parent / "module_driver.py"))
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        request = {"name": name, "args": arguments, "check": check}
        self._driver.stdin.write(json.dumps(request) + "\n")
        self._driver.stdin.flush()
        result: dict[str, Any] = json.loads(self._driver.stdout.readline())
        return result

    def ansible(
        self, name: str, arguments: Mapping[str, Any], *options: str, python: str = PYTHON
    ) -> dict[str, Any]:
        """Run a module of the collection by Ansible itself, as on any host.

        :param python: the interpreter that Ansible starts it with.
        """
        program = str(Path(sys.executable).parent / "ansible")
        argv = [
            program, "localhost", "-i", "localhost,", "-c", "local",
            "-m", f"underlay.cluster.{name}", *(("-a", json.dumps(arguments)) if arguments else ()),
            "-e", f"ansible_python_interpreter={python}", *options,
        ]  # fmt: skip
        settings = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_LOCAL_TEMP": f"{self.scratch}/local",
            "ANSIBLE_REMOTE_TEMP": f"{self.scratch}/remote",
            # what the module must find by itself, as on a host
            "PYTHONPATH": "",
        }
        words = ["env", *(f"{key}={value}" for key, value in settings.items()), *argv]
        done = subprocess.run(
            self._inside(words), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        found = re.search(r"^localhost \| .*?=> (\{.*)", done.stdout, re.MULTILINE | re.DOTALL)
        assert found, f"{done.stdout}{done.stderr}"
        result: dict[str, Any] = json.loads(found.group(1))
        return result

    # --- other hosts ------------------------------------------------------------------------------

    def add_peer(self, name: str, here: Sequence[str], there: Sequence[str]) -> None:
        """Make another host, cabled to this one: its network namespace is called `name`.

        :param here: this side's addresses with prefix lengths; its interface is `name` too.
        :param there: the peer's, on its `eth0`.
        """
        self.run("ip", "netns", "add", name)
        self.ip(f"link add {name} type veth peer name eth0 netns {name}", f"link set {name} up")
        self.ip(*(f"address add {address} dev {name} {_nodad(address)}" for address in here))
        words = [f"address add {address} dev eth0 {_nodad(address)}" for address in there]
        self.run(
            "ip", "-n", name, "-batch", "-",
            stdin="\n".join(["link set lo up", "link set eth0 up", *words]) + "\n",
        )  # fmt: skip


def _nodad(address: str) -> str:
    return "nodad" if ":" in address else ""


def _child(pid: int) -> int:
    """The one child of a process that starts another and waits for it."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: bool(path.read_text().split()), f"process {pid} has started nothing")
    return int(path.read_text().split()[0])


def wait_until(true: Callable[[], bool], else_say: str, more: Callable[[], str] = str) -> None:
    """Wait a bounded time for something to become true."""
    deadline = time.monotonic() + _SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{else_say}\n{more()}"
        time.sleep(0.02)
