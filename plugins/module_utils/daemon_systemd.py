# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of systemd: how units stand, start and stop them, and whether they stay up."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .commands import Completed, Runner, run
from .errors import HostError

_SHOW_SECONDS = 20
_CHANGE_SECONDS = 120
_POLL_SECONDS = 0.25
# Long enough for a daemon that reads its files, finds a fault and ends; short enough to wait for.
_STEADY_SECONDS = 3.0
_READY_SECONDS = 20.0
_LAST_LINES = 15
_PROPERTIES = {
    "Id": "",
    "ActiveState": "inactive",
    "SubState": "dead",
    "UnitFileState": "",
    "FragmentPath": "",
    "NeedDaemonReload": "no",
    "NRestarts": "0",
    "MainPID": "0",
    "Result": "",
}


@dataclass(frozen=True)
class Status:
    """What systemd says of a unit.

    ``outdated``: the unit's file is no longer what systemd has read. ``restarts``: how often
    systemd had to start the daemon again.
    """

    active: str = "inactive"
    sub: str = "dead"
    enabled: bool = False
    file: str = ""
    outdated: bool = False
    restarts: int = 0
    pid: int = 0
    result: str = ""

    @property
    def up(self) -> bool:
        """Whether the daemon does its work."""
        return self.active in {"active", "reloading"}

    @property
    def meant_to_run(self) -> bool:
        """Whether systemd keeps the daemon running, or tries to."""
        return self.active not in {"inactive", "failed"}

    @property
    def on_its_way(self) -> bool:
        """Whether it may be up in a moment without having fallen."""
        # systemd 254 and newer know auto-restart-queued, too
        falling = self.sub.startswith("auto-restart")
        return self.active in {"activating", "deactivating"} and not falling

    def __str__(self) -> str:
        result = f", result {self.result}" if self.result not in {"", "success"} else ""
        return f"{self.active} ({self.sub}){result}"


@dataclass(frozen=True)
class Tools:
    """What a run needs of the world beside files."""

    runner: Runner = run
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass
class _Watched:
    """A daemon that must stay up: what was last seen of it, and since when it is up."""

    restarts: int
    pid: int = 0
    since: float | None = None
    status: Status = field(default_factory=Status)


class Systemd:
    """The systemd of the host. Names are those of daemons, without ``.service``."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def show(self, names: Sequence[str]) -> dict[str, Status]:
        """How these units stand, in one call; a unit that is not there is inactive."""
        if not names:
            return {}
        argv = ["systemctl", "show", f"--property={','.join(_PROPERTIES)}", *_units(names)]
        done = self._run(argv, _SHOW_SECONDS)
        if done.code != 0:
            raise HostError(f"'systemctl show' failed: {done.words}")
        found = dict(_read_status(block) for block in done.out.split("\n\n") if block.strip())
        return {name: found.get(f"{name}.service", Status()) for name in names}

    def read_units(self) -> None:
        """Have systemd read all unit files again."""
        self._must(["systemctl", "daemon-reload"])

    def enable(self, names: Sequence[str]) -> None:
        """Have the units started at boot."""
        if names:
            self._must(["systemctl", "enable", *_units(names)])

    def disable(self, names: Sequence[str]) -> None:
        """Have the units started at boot no more."""
        if names:
            self._must(["systemctl", "disable", *_units(names)])

    def stop(self, names: Sequence[str]) -> None:
        """Stop the units, and try no more to start those that fail."""
        if names:
            self._must(["systemctl", "stop", *_units(names)])

    def restart(self, names: Sequence[str]) -> None:
        """Start the units anew; whether they came up is seen by ``fallen``."""
        if names:
            with contextlib.suppress(HostError):
                self._run(["systemctl", "restart", *_units(names)], _CHANGE_SECONDS)

    def reload(self, name: str) -> str | None:
        """Have a unit read its files again; why not, when that fails."""
        try:
            self._must(["systemctl", "reload", *_units([name])])
        except HostError as error:
            return error.message
        return None

    def last_words(self, name: str) -> str:
        """The last lines of a unit's journal; empty when they cannot be had."""
        lines = f"--lines={_LAST_LINES}"
        argv = ["journalctl", f"--unit={name}.service", lines, "--no-pager", "--output=cat"]
        with contextlib.suppress(HostError):
            done = self._run(argv, _SHOW_SECONDS)
            return done.out.strip() if done.code == 0 else ""
        return ""

    def fallen(self, before: Mapping[str, Status]) -> dict[str, str]:
        """Watch units until all have been up for some seconds; why, for those that have not.

        :param before: the units by name, as they stood before they were started: each start that
            systemd makes by itself from then on is a fall.
        """
        watched = {name: _Watched(status.restarts) for name, status in before.items()}
        reasons: dict[str, str] = {}
        deadline = self._tools.now() + _READY_SECONDS
        while watched:
            shown = self.show(list(watched))
            now = self._tools.now()
            for name, status in shown.items():
                reason = _look(watched[name], status, now)
                if reason:
                    reasons[name] = reason
                    del watched[name]
            if all(_is_steady(daemon, now) for daemon in watched.values()):
                break
            if now > deadline:
                late = {name: daemon.status for name, daemon in watched.items()}
                reasons.update({name: f"it is not ready: {late[name]}" for name in late})
                break
            self._tools.sleep(_POLL_SECONDS)
        return reasons

    def _must(self, argv: Sequence[str]) -> None:
        done = self._run(argv, _CHANGE_SECONDS)
        if done.code != 0:
            raise HostError(f"'{' '.join(argv)}' failed: {done.words}")

    def _run(self, argv: Sequence[str], seconds: float) -> Completed:
        try:
            return self._tools.runner(argv, seconds)
        except subprocess.TimeoutExpired as error:
            raise HostError(f"'{' '.join(argv)}' did not end within {seconds:g} s.") from error


def _look(daemon: _Watched, status: Status, now: float) -> str | None:
    """Take in how a watched daemon stands now; why it has fallen, if it has."""
    another = status.up and daemon.pid not in {0, status.pid}
    again = another or status.restarts > daemon.restarts
    daemon.restarts, daemon.status = status.restarts, status
    if again:
        return f"it ended and was started again: {status}"
    if not status.up:
        return None if status.on_its_way else f"it does not stay up: {status}"
    daemon.pid = status.pid
    daemon.since = now if daemon.since is None else daemon.since
    return None


def _is_steady(daemon: _Watched, now: float) -> bool:
    return daemon.since is not None and now - daemon.since >= _STEADY_SECONDS


def _units(names: Iterable[str]) -> list[str]:
    return [f"{name}.service" for name in names]


def _read_status(block: str) -> tuple[str, Status]:
    """A unit's Id and status from the lines ``Property=value`` of ``systemctl show``."""
    said = dict(line.partition("=")[::2] for line in block.splitlines())
    found = {name: said.get(name) or default for name, default in _PROPERTIES.items()}
    return found["Id"], Status(
        active=found["ActiveState"],
        sub=found["SubState"],
        enabled=found["UnitFileState"] == "enabled",
        file=found["FragmentPath"],
        outdated=found["NeedDaemonReload"] == "yes",
        restarts=int(found["NRestarts"]),
        pid=int(found["MainPID"]),
        result=found["Result"],
    )
