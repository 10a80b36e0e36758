# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a firewall's Work: permanent first, at most one reload, then the runtime."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .errors import HostError
from .firewalld_difference import Work
from .firewalld_door import Door, FirewalldError
from .firewalld_observe import SHIPPED
from .firewalld_reload import (
    IptablesKeeping,
    Keeping,
    Note,
    Restored,
    carry,
    described,
    overlaid,
    put_back,
    recover,
    snapshot,
)

CAREFUL, NEVER, ANY = MODES = ("careful", "never", "any")


@dataclass
class Result:
    """What was done."""

    reloads: int = 0
    restored: Restored = field(default_factory=Restored)


@dataclass(frozen=True)
class Means:
    """What a run works with besides the door.

    ``keeping`` keeps iptables' rules, ``note`` what a reload may lose, ``shipped`` is where
    packages put what is built in.
    """

    keeping: Keeping = field(default_factory=IptablesKeeping)
    note: Note = field(default_factory=Note)
    shipped: Path = SHIPPED


def refuse_reload(work: Work, mode: str, backend: str) -> None:
    """Fail before anything is written when a reload is needed that the user does not want.

    :param mode: "careful", "never" or "any", see the module.
    """
    if not work.reload_reasons or mode == ANY:
        return
    if mode == NEVER:
        raise HostError(
            "Only a reload of firewalld could bring this change to the runtime, and 'reload: never'"
            " forbids it; nothing was changed. Reasons:",
            work.reload_reasons,
        )
    if backend != "nftables":
        raise HostError(
            f"This change needs a reload of firewalld, which on its {backend} backend takes away "
            "the rules of others (container networks, kube-proxy); nothing was changed. Set "
            "'reload: any' if that may be, or FirewallBackend=nftables in "
            "/etc/firewalld/firewalld.conf. Reasons:",
            work.reload_reasons,
        )


def finish_former(door: Door, means: Means) -> Restored:
    """Put back what a former run lost that died after its reload."""
    note = means.note.read() if door.live else None
    if note is None:
        return Restored()
    restored = recover(door, note, means.keeping)
    means.note.remove()
    return restored


def carry_out(door: Door, work: Work, means: Means) -> Result:
    """Do what is to be done.

    :raises HostError: it came to an end in between; ``problems`` say what was done before. Another
        run continues from there.
    """
    run = _Run(door, work, means)
    try:
        return run.whole()
    except HostError as error:
        if not run.done:
            raise
        lines = [*error.problems, *(f"done before: {line}" for line in run.done)]
        message = f"{error.message} The change is not complete; run again to continue."
        raise _like(error, message, lines) from error


def _like(error: HostError, message: str, problems: list[str]) -> HostError:
    return (FirewalldError if isinstance(error, FirewalldError) else HostError)(message, problems)


class _Run:
    """One run, which remembers what it has done."""

    def __init__(self, door: Door, work: Work, means: Means) -> None:
        self.door = door
        self.work = work
        self.means = means
        self.done: list[str] = []

    def whole(self) -> Result:
        if self.work.reload_reasons:
            return self._with_reload()
        self._writes()
        for step in self.work.steps:
            carry(self.door, step)
            self.done.append(described(step))
        return Result()

    def _writes(self) -> None:
        for write in self.work.writes:
            if write.settings is None:
                self.door.remove_permanent(write.kind, write.name)
                self.done.append(f"permanent: {write.kind} {write.name}: removed")
            else:
                self.door.write_permanent(write.kind, write.name, write.settings)
                keys = ", ".join(write.settings)
                self.done.append(f"permanent: {write.kind} {write.name}: {keys}")

    def _with_reload(self) -> Result:
        # What others left broken on disk would stop the reload with our part written
        self.door.check_permanent()
        before = snapshot(self.door, self.means.keeping)
        target = overlaid(before, self.work.after)
        self._writes()
        self.means.note.write(target)
        self.door.reload()
        self.done.append("reload")
        restored = put_back(self.door, target, self.means.keeping)
        self.means.note.remove()
        return Result(1, restored)
