# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is this machine fit for the lab and the tests, and which Debian packages are missing?

Standard library only, and nothing here changes the machine but `install`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools import steps

PYTHON_LEAST = (3, 11)
LAB_MEMORY_GB = 3.0
LAB_DISK_GB = 6.0  # the image, its tree while it is built, and the guests' overlays

OS_RELEASE = Path("/etc/os-release")


@dataclass(frozen=True)
class Need:
    """A program (or file) that a purpose needs, and the Debian package that brings it."""

    program: str
    package: str

    def present(self) -> bool:
        """Whether it can be found; Debian's administration folders count, PATH or not."""
        if self.program.startswith("/"):
            return Path(self.program).exists()
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
        return shutil.which(self.program, path=path) is not None


LAB = (
    Need("qemu-system-x86_64", "qemu-system-x86"),
    Need("qemu-img", "qemu-utils"),
    Need("vde_switch", "vde2"),
    Need("mmdebstrap", "mmdebstrap"),
    Need("mke2fs", "e2fsprogs"),
    Need("/bin/busybox", "busybox-static"),
    Need("cpio", "cpio"),
    Need("ssh", "openssh-client"),
    Need("ip", "iproute2"),
    # Who is not root builds the image in a user namespace.
    Need("newuidmap", "uidmap"),
    # Debian's signing keys, which Ubuntu does not bring along.
    Need("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
)
TEST = (Need("git", "git"),)
PACKAGES = {"plan": (), "lab": LAB, "test": (*LAB, *TEST)}


def check_python() -> None:
    """Stop unless this Python is new enough and can make virtual environments."""
    have = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < PYTHON_LEAST:
        raise steps.StopError(
            f"Python 3.11 or newer is needed, this is {have}. On Ubuntu 22.04: "
            "`apt-get install python3.11 python3.11-venv`, then run make again."
        )


def venv_package() -> Need:
    """What Debian splits off its Python: the pieces that make a virtual environment."""
    major, minor = sys.version_info[:2]
    return Need("ensurepip", f"python{major}.{minor}-venv")


def can_make_venv() -> bool:
    """Whether `python -m venv` works here; Debian leaves `ensurepip` out of plain python3."""
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def os_name(release: Path = OS_RELEASE) -> tuple[str, str]:
    """The system's id and version, as in `("debian", "12")`, from os-release(5)."""
    if not release.exists():
        return (sys.platform, "")
    fields = dict(
        line.split("=", 1)
        for line in release.read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    return (fields.get("ID", "").strip('"'), fields.get("VERSION_ID", "").strip('"'))


def check_os() -> None:
    """Stop unless this is a Debian or Ubuntu that has what the lab is built from."""
    name, version = os_name()
    known = name == "ubuntu" or (name == "debian" and version in ("12", "13", ""))
    if not known or shutil.which("apt-get") is None:
        raise steps.StopError(
            f"The lab is built on Debian 12 or 13, or on Ubuntu, with apt-get; this is "
            f"{name} {version}. Use such a machine (a virtual one will do). "
            "`make plan`, `make lint` and `make unit` work on any Linux."
        )


def missing(purpose: str) -> list[str]:
    """The Debian packages that `purpose` (a key of `PACKAGES`) still lacks, each once."""
    return sorted({need.package for need in PACKAGES[purpose] if not need.present()})


def install(packages: list[str]) -> None:
    """Install Debian packages, as root or through sudo. Stops with the command if that fails.

    The package lists are fetched only when apt does not know a package or cannot get it.
    """
    wanted = " ".join(packages)
    by_hand = f"apt-get update && apt-get install --no-install-recommends {wanted}"
    root = _become_root(by_hand)
    steps.say(f"    Debian packages to install: {wanted}")
    env = steps.environment({"DEBIAN_FRONTEND": "noninteractive"})
    apt = [*root, "apt-get", "-y", "-o", "DPkg::Lock::Timeout=120"]
    get = [*apt, "install", "--no-install-recommends", *packages]
    if _known(packages) and steps.run("apt-get install", get, env=env).ok:
        return
    steps.must(steps.run("apt-get update", [*apt, "update"], env=env))
    done = steps.run("apt-get install", get, env=env)
    if not done.ok:
        steps.tail(done)
        raise steps.StopError(f"Debian packages could not be installed. As root: {by_hand}")


def _become_root(by_hand: str) -> list[str]:
    """What to put before a command that needs root; asks for sudo's password at the start."""
    if os.geteuid() == 0:
        return ["env", "DEBIAN_FRONTEND=noninteractive"]
    if shutil.which("sudo") is None:
        raise steps.StopError(
            f"Debian packages are missing and there is no sudo. As root: {by_hand}"
        )
    ask = ["sudo", "-v"] if sys.stdin.isatty() else ["sudo", "-n", "true"]
    if subprocess.run(ask, check=False).returncode != 0:
        raise steps.StopError(
            f"Debian packages are missing and sudo was refused. As root: {by_hand}"
        )
    return ["sudo", "env", "DEBIAN_FRONTEND=noninteractive"]


def _known(packages: list[str]) -> bool:
    """Whether apt's lists name every one of the packages."""
    shown = subprocess.run(
        ["apt-cache", "show", "--no-all-versions", *packages], capture_output=True, check=False
    )
    return shown.returncode == 0


def check_room() -> None:
    """Stop unless there is memory and disk for the lab's five guests."""
    memory = memory_available_gb()
    if memory is not None and memory < LAB_MEMORY_GB:
        raise steps.StopError(
            f"The lab's guests need about {LAB_MEMORY_GB:.0f} GB of memory, {memory:.1f} GB are "
            "free. End other programs (another lab? `make demo-down`) or use a larger machine."
        )
    folder = lab_cache()
    free = disk_free_gb(folder)
    if free < LAB_DISK_GB:
        raise steps.StopError(
            f"The lab needs about {LAB_DISK_GB:.0f} GB of disk in {folder}, {free:.1f} GB are "
            "free. Make room, or set XDG_CACHE_HOME to a folder on a larger disk."
        )


def lab_cache() -> Path:
    """Where the lab keeps its image and disks: the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def disk_free_gb(folder: Path) -> float:
    """Free space where `folder` is, or would be made, in GB."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free / 1e9


def memory_available_gb(meminfo: Path = Path("/proc/meminfo")) -> float | None:
    """What the kernel says a new program can have without swapping (MemAvailable), in GB."""
    if not meminfo.exists():
        return None
    for line in meminfo.read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024 / 1e9
    return None
