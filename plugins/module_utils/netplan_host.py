# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commit asks of the running host: its links, and netplan's apply."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .commands import Completed, Runner, run
from .errors import HostError
from .netplan_generate import Setting, netplan_generate, read_settings

_APPLY_SECONDS = 300
_RELOAD_SECONDS = 120
_IP_SECONDS = 20
_SETTLE_SECONDS = 20
_SETTLE_POLL_SECONDS = 0.2


# What netplan generates for networkd; /run/systemd/network may hold files of others.
_GENERATED = "10-netplan-*"


@dataclass(frozen=True)
class LiveLink:
    """A link as it is: its kind ("vlan", "bond" …; "" for a NIC) and what it is a member of."""

    kind: str
    master: str | None = None


@dataclass(frozen=True)
class Manner:
    """How to apply.

    ``gentle``: leave links alone whose settings stay, if the host can. ``deleted`` links are gone,
    to be made anew if they are still planned. ``restart``: networkd must forget how one of them
    was.
    """

    gentle: bool = False
    deleted: frozenset[str] = frozenset()
    restart: bool = False


class Host(Protocol):
    """The running host; tests give their own."""

    def links(self) -> dict[str, LiveLink]:
        """Every link by name."""

    def release_member(self, name: str) -> None:
        """Take a NIC or link out of its bond or bridge."""

    def delete_link(self, name: str) -> None:
        """Delete a virtual link; one that is gone already is fine."""

    def clear(self, name: str) -> None:
        """Leave a NIC that nothing configures any more as it is at boot: down, no addresses."""

    def apply(self, manner: Manner) -> None:
        """Bring the live files to the links; raises HostError when that fails."""

    def wait_for(self, names: Iterable[str]) -> tuple[str, ...]:
        """Wait a bounded time until links with these names exist; those that still do not."""


class NetworkdHost:
    """The host that this process runs on."""

    def __init__(
        self,
        runner: Runner = run,
        generator: Callable[[], Completed] = netplan_generate,
        root: Path = Path("/"),
    ) -> None:
        self._run = runner
        self._generate = generator
        self._runtime = root / "run"

    def links(self) -> dict[str, LiveLink]:
        """See Host."""
        listed = self._run(["ip", "-j", "-d", "link", "show"], _IP_SECONDS)
        if listed.code != 0:
            raise HostError(f"'ip link show' failed: {listed.words}")
        return {
            link["ifname"]: LiveLink(
                link.get("linkinfo", {}).get("info_kind", ""), link.get("master")
            )
            for link in json.loads(listed.out or "[]")
            if "ifname" in link
        }

    def delete_link(self, name: str) -> None:
        """See Host."""
        # an error is no news: deleting a bond has taken its VLANs along
        self._run(["ip", "link", "delete", "dev", name], _IP_SECONDS)

    def release_member(self, name: str) -> None:
        """See Host."""
        # an error is no news: a NIC that has gone is no member either
        self._run(["ip", "link", "set", "dev", name, "nomaster"], _IP_SECONDS)

    def clear(self, name: str) -> None:
        """See Host.

        networkd (249) lets go of a link whose file has gone and leaves its addresses and routes to
        the kernel; a DHCP client that still runs gets nothing over a link that is down.
        """
        # an error is no news: a NIC that has gone has no addresses either
        self._run(["ip", "link", "set", "dev", name, "down"], _IP_SECONDS)
        self._run(["ip", "address", "flush", "dev", name], _IP_SECONDS)
        for family in ("-4", "-6"):
            self._run(["ip", family, "route", "flush", "dev", name], _IP_SECONDS)

    def apply(self, manner: Manner) -> None:
        """See Host.

        ``netplan apply`` makes networkd set up every link again: a NIC with DHCP, such as the one
        that this connection may use, loses its lease twice and is without an address until the
        server answers. Where networkd alone is concerned, it is only told what has changed.
        """
        done = (manner.gentle or manner.restart) and self._try_networkd(manner)
        if not (done and manner.gentle):
            self._netplan_apply()

    def _try_networkd(self, manner: Manner) -> bool:
        try:
            return self._generate_and_tell(manner)
        except (OSError, subprocess.TimeoutExpired):
            return False

    def _generate_and_tell(self, manner: Manner) -> bool:
        """Generate, and let networkd read what is new; False when it does not work like that.

        networkd knows an unchanged file by its inode and time, and the generator writes all files
        anew: those with the same content are put back as they were. Two kinds stay new: files that
        name a deleted link, whose parents and members must make and join the next one; and those
        of links that ride on one with another MTU, because the kernel has taken theirs along.
        """
        folder = self._runtime / "systemd/network"
        if not folder.is_dir():
            return False
        with tempfile.TemporaryDirectory(prefix="underlay-", dir=self._runtime) as name:
            kept = Path(name)
            for path in folder.glob(_GENERATED):
                os.link(path, kept / path.name)
            if self._generate().code != 0:
                return False
            for path in _unchanged(kept, folder, manner.deleted):
                path.replace(folder / path.name)
        # a restart keeps addresses and DHCP leases, as networkd knows that it comes back
        restart = ["systemctl", "restart", "systemd-networkd.service"]
        argv = restart if manner.restart else ["networkctl", "reload"]
        return self._run(argv, _RELOAD_SECONDS).code == 0

    def _netplan_apply(self) -> None:
        try:
            done = self._run(["netplan", "apply"], _APPLY_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise HostError(f"'netplan apply' did not end within {_APPLY_SECONDS} s.") from error
        if done.code != 0:
            raise HostError(f"'netplan apply' failed: {done.words}")

    def wait_for(self, names: Iterable[str]) -> tuple[str, ...]:
        """See Host."""
        wanted = set(names)
        deadline = time.monotonic() + _SETTLE_SECONDS
        while missing := wanted - set(self.links()):
            if time.monotonic() > deadline:
                break
            time.sleep(_SETTLE_POLL_SECONDS)
        return tuple(sorted(missing))


def _unchanged(kept: Path, folder: Path, deleted: Collection[str]) -> list[Path]:
    """The kept files of links that networkd need not set up again."""
    before = {path.name: _settings(path) for path in kept.iterdir()}
    after = {path.name: _settings(path) for path in folder.glob(_GENERATED)}
    resized = {name for name in before if name in after and _mtu(before[name]) != _mtu(after[name])}
    riding = _riders(resized, after)
    return [
        kept / name
        for name in before
        if before[name] == after.get(name)
        and name not in riding
        and not any(link in deleted for link in _linked(after[name]))
    ]


def _riders(resized: Collection[str], files: Mapping[str, tuple[Setting, ...]]) -> set[str]:
    """The files of links that ride, directly or not, on the links of these files."""
    found: set[str] = set()
    open_files = set(resized)
    while open_files:
        links = {link for name in open_files for link in _linked(files.get(name, ()))}
        reached = {f"10-netplan-{link}.network" for link in links}
        open_files = (reached & set(files)) - found
        found |= open_files
    return found


def _settings(path: Path) -> tuple[Setting, ...]:
    return read_settings(path.read_text(encoding="utf-8", errors="replace"))


def _mtu(settings: Iterable[Setting]) -> list[str]:
    return [value for _section, key, value in settings if key == "MTUBytes"]


def _linked(settings: Iterable[Setting]) -> list[str]:
    """The links that a file names: those stacked on its link, and the bond or bridge it joins."""
    return [value for section, _key, value in settings if section == "Network"]
