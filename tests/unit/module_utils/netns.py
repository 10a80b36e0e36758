"""Network namespaces for tests: real links, addresses and packets, gone with the test's process."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_SECONDS = 20


def why_not() -> str | None:
    """The reason why namespaces cannot be used here, or None.

    Where everything is to be tried there is none: the tests run, and fail by themselves.
    """
    if os.environ.get("CI"):
        return None
    if os.geteuid() != 0:
        return "network namespaces need root"
    done = subprocess.run(
        ["unshare", "--net", "true"], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return None if done.returncode == 0 else f"no network namespaces here: {done.stderr.strip()}"


class Namespace:
    """A namespace that lives as long as the process that holds it; that dies with its parent."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sleep", "3600"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - nothing else runs in the child
        )
        self._wait_until_apart()
        self.ip("link set lo up")

    @property
    def pid(self) -> int:
        return self._holder.pid

    def run(self, *argv: str, stdin: str = "") -> str:
        """Run a program in the namespace."""
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{self.pid}/ns/net", *argv],
            input=stdin, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{argv}: {done.stderr}{done.stdout}"
        return done.stdout

    def ip(self, *commands: str) -> None:
        """Run ip commands, each written as on a command line."""
        self.run("ip", "-batch", "-", stdin="\n".join(commands) + "\n")

    def sysctl(self, name: str, value: str) -> None:
        # /proc/sys/net shows the reader's namespace
        self.run("sh", "-c", f"echo {value} > /proc/sys/net/{name}")

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait(timeout=_SECONDS)

    def _wait_until_apart(self) -> None:
        own = Path("/proc/self/ns/net").readlink()
        deadline = time.monotonic() + _SECONDS
        while Path(f"/proc/{self.pid}/ns/net").readlink() == own:
            assert time.monotonic() < deadline, "the namespace did not appear"
            time.sleep(0.005)


def connect(one: Namespace, name: str, other: Namespace, peer: str, mtu: int = 1500) -> None:
    """A cable between two namespaces, up on both sides."""
    one.ip(f"link add {name} mtu {mtu} type veth peer name {peer} mtu {mtu} netns {other.pid}")
    one.ip(f"link set {name} up")
    other.ip(f"link set {peer} up")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
