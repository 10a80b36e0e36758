# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a daemon's systemd unit, and how ours are told from those of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MARK = "# Written by underlay.cluster. Changes here are overwritten."
# Another host takes a VIP over 2 s after its holder's last word at the earliest (RFC 5798, 6.1): a
# daemon that was killed must be back by then, to take off what it left behind.
_RESTART_SECONDS = 1
_STOP_SECONDS = 20
# systemd.service(5), "Command lines", and systemd.syntax(7), "Quoting": what means something there
_SPECIAL = {"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$"}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%$+,-./:=@_{}")


@dataclass(frozen=True)
class Command:
    """What a unit is made of; the arguments are final."""

    name: str
    description: str
    program: str
    arguments: Sequence[str] = ()
    after: Sequence[str] = ()
    runtime_folder: bool = False
    reload: bool = False


def is_ours(text: str) -> bool:
    """Whether a unit's text was written by us."""
    return text.partition("\n")[0] == MARK


def quoted(word: str) -> str:
    """A word of a command line as systemd reads it back, whatever it holds but line ends."""
    escaped = "".join(_SPECIAL.get(letter, letter) for letter in word)
    return escaped if word and _PLAIN.issuperset(word) else f'"{escaped}"'


def unit_text(command: Command) -> str:
    """The unit of a daemon that runs in the foreground.

    ``Type=exec`` (systemd 240) lets a start fail when the program cannot be run. A daemon that ends
    is started again for ever, because a host without it loses a VIP or answers no PXE client; so
    the default limit of five starts within ten seconds is off (systemd.unit(5)).
    """
    lines = [
        MARK,
        "[Unit]",
        f"Description={command.description.replace('%', '%%')}",
        *([f"After={' '.join(command.after)}"] if command.after else []),
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={' '.join(quoted(word) for word in (command.program, *command.arguments))}",
        *(["ExecReload=/bin/kill -HUP $MAINPID"] if command.reload else []),
        "Restart=always",
        f"RestartSec={_RESTART_SECONDS}",
        f"TimeoutStopSec={_STOP_SECONDS}",
        *([f"RuntimeDirectory={command.name}"] if command.runtime_folder else []),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"
