# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commit asks of the running host: its links, and netplan's apply."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable
from typing import Protocol

from .commands import Runner, run
from .errors import HostError

_APPLY_SECONDS = 300
_IP_SECONDS = 20
_SETTLE_SECONDS = 20
_SETTLE_POLL_SECONDS = 0.2


class Host(Protocol):
    """The running host; tests give their own."""

    def link_kinds(self) -> dict[str, str]:
        """The kind ("vlan", "bond" …; "" for a NIC) of every link by name."""
        ...

    def delete_link(self, name: str) -> None:
        """Delete a virtual link; one that is gone already is fine."""
        ...

    def apply(self) -> None:
        """Run ``netplan apply``; raises HostError when it fails."""
        ...

    def wait_for(self, names: Iterable[str]) -> tuple[str, ...]:
        """Wait a bounded time until links with these names exist; those that still do not."""
        ...


class NetworkdHost:
    """The host that this process runs on."""

    def __init__(self, runner: Runner = run) -> None:
        self._run = runner

    def link_kinds(self) -> dict[str, str]:
        """See Host."""
        listed = self._run(["ip", "-j", "-d", "link", "show"], _IP_SECONDS)
        if listed.code != 0:
            raise HostError(f"'ip link show' failed: {listed.words}")
        return {
            link["ifname"]: link.get("linkinfo", {}).get("info_kind", "")
            for link in json.loads(listed.out or "[]")
            if "ifname" in link
        }

    def delete_link(self, name: str) -> None:
        """See Host."""
        # an error is no news: deleting a bond has taken its VLANs along
        self._run(["ip", "link", "delete", "dev", name], _IP_SECONDS)

    def apply(self) -> None:
        """See Host."""
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
        while missing := wanted - set(self.link_kinds()):
            if time.monotonic() > deadline:
                break
            time.sleep(_SETTLE_POLL_SECONDS)
        return tuple(sorted(missing))
