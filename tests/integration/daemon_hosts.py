# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts for daemons: each a network, mount and process namespace with Debian's packages laid over.

A daemon's files, programs, users and run time folders stand where they stand on a host, and nothing
of it touches the machine. What systemd does for a daemon, a shell loop does here.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils import daemon_unit
from tests.integration import debian_packages
from tests.integration.private_firewalld import wait_until
from tests.unit.module_utils import netns
from tests.unit.module_utils.netns import _die_with_parent

PACKAGES = ("keepalived", "frr", "iproute2")
_SECONDS = 60
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# What the packages' scripts add at installation.
_USER = "frr:x:991:991::/nonexistent:/usr/sbin/nologin\n"
_GROUPS = "frr:x:991:\nfrrvty:x:990:frr\n"
_NEEDED = ("usr/sbin/keepalived", "usr/lib/frr/bgpd", "usr/bin/vtysh")

# Lays the packages over /usr and the scratch folder's part over /etc, and stays.
_HOLDER = """
set -e
scratch=$1 packages=$2 etc=$1/over-etc
if [ -n "$packages" ]; then
    mount -t overlay -o "ro,lowerdir=$packages/usr:/usr" overlay /usr
    etc=$etc:$packages/etc
fi
mount -t overlay -o "ro,lowerdir=$etc:/etc" overlay /etc
mount --bind "$scratch/underlay" /etc/underlay
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/tmp
mkdir /run/frr && chown frr:frr /run/frr
ip link set lo up
# the first process has no use for the ends of those that are left behind: the kernel forgets them
trap '' CHLD
echo ready
exec sleep infinity
"""
# systemd's part: start it again when it ends, with an empty run time folder.
_UNIT = """
again=$1 name=$2; shift 2
while :; do
    mkdir -p "/run/$name"
    "$@" &
    echo $! > "/run/$name.main"
    wait $!
    rm -rf "/run/$name"
    sleep "$again"
done
"""
_LISTENER = """
import selectors, socket, sys
port = int(sys.argv[1])
server = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
wanted = selectors.DefaultSelector()
wanted.register(server, selectors.EVENT_READ)
wanted.register(sys.stdin, selectors.EVENT_READ)
print("ready", flush=True)
while not any(key.fileobj is sys.stdin for key, _ in wanted.select()):
    server.accept()[0].close()
"""


@cache
def why_not() -> str | None:
    """The reason why there can be no such hosts here, or None."""
    return netns.why_not()


class DaemonHost:
    """A host; a context manager.

    :cvar wanted: the Debian packages whose daemons it runs.
    :cvar needed: what of them must be installed, or is fetched.
    """

    wanted: tuple[str, ...] = PACKAGES
    needed: tuple[str, ...] = _NEEDED

    def __init__(self, name: str) -> None:
        self.name = name
        self._ending: list[subprocess.Popen[str]] = []

    def __enter__(self) -> DaemonHost:
        laid_over = self.packages()
        self.scratch = Path(tempfile.mkdtemp(prefix=f"host-{self.name}-", dir="/tmp"))
        # the daemons' users get through to what is theirs
        self.scratch.chmod(0o755)
        try:
            self._fill_scratch()
            self._hold(laid_over)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def packages(self) -> Path | None:
        """The folder to lay over; None when all that is needed is installed."""
        if all((Path("/") / path).exists() for path in self.needed):
            return None
        try:
            return debian_packages.tree(self.wanted)
        except debian_packages.Unavailable as error:
            # Where everything is to be tried, a package that cannot be had is a failure.
            give_up = pytest.fail if os.environ.get("CI") else pytest.skip
            give_up(f"no daemons here: {error}")
            raise

    def _fill_scratch(self) -> None:
        (self.scratch / "underlay").mkdir()
        etc = self.scratch / "over-etc"
        (etc / "underlay").mkdir(parents=True)
        for name, added in (("passwd", _USER), ("group", _GROUPS)):
            text = Path("/etc", name).read_text(encoding="utf-8")
            missing = "" if "\nfrr:" in text else added
            (etc / name).write_text(text + missing, encoding="utf-8")

    def _hold(self, laid_over: Path | None) -> None:
        spaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        words = ["sh", "-c", _HOLDER, "sh", str(self.scratch), str(laid_over or "")]
        self._holder = subprocess.Popen(
            ["unshare", *spaces, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - nothing else runs in the child
        )  # fmt: skip
        assert self._holder.stdout is not None
        if self._holder.stdout.readline().strip() != "ready":
            assert self._holder.stderr is not None
            pytest.fail(f"no host here: {self._holder.stderr.read().strip()}")
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self.pid = int(children.read_text().split()[0])

    def _end(self) -> None:
        # the first process of the namespace takes all others along
        if (holder := getattr(self, "_holder", None)) is not None:
            holder.kill()
            holder.communicate(timeout=_SECONDS)
        for process in self._ending:
            process.kill()
            process.communicate(timeout=_SECONDS)
        shutil.rmtree(self.scratch, ignore_errors=True)

    # --- programs ---------------------------------------------------------------------------------

    def _inside(self, argv: Sequence[str]) -> list[str]:
        spaces = ["--net", "--mount", "--pid", f"--target={self.pid}"]
        return ["nsenter", *spaces, "env", f"PATH={_PATH}", "LC_ALL=C.UTF-8", *argv]

    def attempt(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, whatever that is; both its outputs are in stdout."""
        return subprocess.run(
            self._inside(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip

    def run(self, *argv: str) -> str:
        """Run a program to its end, which must be a good one."""
        done = self.attempt(*argv)
        assert done.returncode == 0, f"{self.name}: {argv}: {done.stdout}"
        return done.stdout

    def ip(self, *commands: str) -> None:
        """Run ip commands, each written as on a command line."""
        for command in commands:
            self.run("ip", *command.split())

    def connect(self, name: str, other: DaemonHost, peer: str) -> None:
        """A cable to another host: `name` here, `peer` there, up on both sides."""
        # by process ids as they are outside of both
        words = f"ip link add {name} type veth peer name {peer} netns {other.pid}"
        argv = ["nsenter", f"--net=/proc/{self.pid}/ns/net", *words.split()]
        subprocess.run(argv, check=True, timeout=_SECONDS)
        self.ip(f"link set {name} up")
        other.ip(f"link set {peer} up")

    # --- daemons ----------------------------------------------------------------------------------

    def install(self, item: dict[str, Any]) -> None:
        """Write the files of a daemon."""
        for file in item["files"]:
            path = self.scratch / "underlay" / item["name"] / file["name"]
            path.parent.mkdir(exist_ok=True)
            path.write_text(file["content"], encoding="utf-8")

    def checks(self, item: dict[str, Any]) -> list[subprocess.CompletedProcess[str]]:
        """What each of the daemon's own checks says of the files that are installed."""
        return [self.attempt(*_final(item, argv)) for argv in item["check"]]

    def start(self, item: dict[str, Any]) -> None:
        """Start a daemon as its unit does."""
        again = f"{daemon_unit._RESTART_SECONDS}"
        argv = [item["program"], *_final(item, item["arguments"])]
        unit = ["sh", "-c", _UNIT, "sh", again, item["name"], *argv]
        with self._log(item["name"]).open("w", encoding="utf-8") as log:
            self._ending.append(
                subprocess.Popen(
                    self._inside(unit), stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True
                )
            )
        wait_until(lambda: self.main(item["name"]) > 0, f"{item['name']} did not start")

    def main(self, name: str) -> int:
        """The main process of a daemon, by its id inside; 0 while there is none."""
        words = self.attempt("cat", f"/run/{name}.main").stdout.split()
        return int(words[0]) if words and words[0].isdecimal() else 0

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the main process of a daemon, as `kill` and ExecReload= do."""
        self.run("kill", f"-{number.value}", str(self.main(name)))

    def log(self, name: str) -> str:
        """What a daemon has said so far."""
        return self._log(name).read_text(encoding="utf-8")

    def _log(self, name: str) -> Path:
        return self.scratch / f"{name}.log"

    def serve(self, port: int) -> subprocess.Popen[str]:
        """Let something accept connections on a port, until `close` ends it."""
        process = subprocess.Popen(
            self._inside(["python3", "-c", _LISTENER, str(port)]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._ending.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        return process


def close(service: subprocess.Popen[str]) -> None:
    """End what `serve` has started."""
    service.communicate(timeout=_SECONDS)


def _final(item: dict[str, Any], argv: Sequence[str]) -> list[str]:
    return [word.replace("{folder}", f"/etc/underlay/{item['name']}") for word in argv]
