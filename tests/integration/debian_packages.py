# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages beside the machine's own: fetched, unpacked, never installed or started.

Installing firewalld starts a firewall on the machine. So what is missing of it is unpacked into a
folder of the cache, which tests lay over `/usr` in a mount namespace of their own.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.lab.paths import cache_root

_SECONDS = 300
# What update-alternatives makes at installation.
_ALTERNATIVES = {
    f"usr/sbin/{family}{verb}": "xtables-nft-multi"
    for family in ("iptables", "ip6tables")
    for verb in ("", "-save", "-restore")
}


class Unavailable(Exception):  # noqa: N818 - the tests' reason to skip
    """The packages cannot be had here; the text says why."""


def tree(names: Sequence[str]) -> Path | None:
    """A folder with what is not installed of some packages and of all that they depend on.

    :return: the folder, to be laid over `/`; None when everything is installed.
    :raises Unavailable: no apt, no package lists, no network.
    """
    missing = _missing(tuple(names))
    if not missing:
        return None
    key = hashlib.sha256("\n".join(missing).encode()).hexdigest()[:16]
    folder = cache_root() / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        # tests run side by side: the second takes what the first has fetched
        fcntl.flock(lock, fcntl.LOCK_EX)
        final = folder / key
        if not final.is_dir():
            work = folder / f".building-{key}"
            shutil.rmtree(work, ignore_errors=True)
            _unpack(missing, work)
            work.rename(final)
    return final


@cache
def _missing(names: tuple[str, ...]) -> list[str]:
    """What apt would install, each as name=version; nothing is changed."""
    if shutil.which("apt-get") is None:
        raise Unavailable(f"not installed, and no apt-get to fetch them: {', '.join(names)}")
    said = _run(["apt-get", "install", "-s", "--no-install-recommends", *names])
    found = re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", said, re.MULTILINE)
    return sorted(f"{name}={version}" for name, version in found)


def _unpack(packages: Sequence[str], folder: Path) -> None:
    fetched = folder / "fetched"
    fetched.mkdir(parents=True)
    # where apt runs as root it would fetch as another user, who cannot write here
    _run(["apt-get", "-o", "APT::Sandbox::User=root", "download", *packages], fetched)
    for package in fetched.glob("*.deb"):
        _run(["dpkg", "-x", str(package), str(folder)])
    shutil.rmtree(fetched)
    for name in ("bin", "lib", "sbin"):
        if (folder / name).is_dir():
            shutil.copytree(folder / name, folder / "usr" / name, symlinks=True, dirs_exist_ok=True)
    for name, target in _ALTERNATIVES.items():
        link = folder / name
        if (link.parent / target).exists() and not link.exists():
            link.symlink_to(target)


def _run(argv: list[str], folder: Path | None = None) -> str:
    try:
        done = subprocess.run(
            argv, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"'{' '.join(argv[:2])}' did not end within {_SECONDS} s") from error
    if done.returncode != 0:
        raise Unavailable(f"'{' '.join(argv)}' failed: {done.stderr.strip()[-500:]}")
    return done.stdout
