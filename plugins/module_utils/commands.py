# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run programs of the host: always bounded in time, always in plain English."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .errors import HostError

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Completed:
    """How a program ended: its exit code and what it said."""

    code: int
    out: str = ""
    err: str = ""

    @property
    def words(self) -> str:
        """What the program said about its failure."""
        return (self.err.strip() or self.out.strip()) or f"it ended with code {self.code}"


class Runner(Protocol):
    """Anything that runs a program; tests give their own."""

    def __call__(self, argv: Sequence[str], timeout: float) -> Completed:
        """Run ``argv`` for at most ``timeout`` seconds."""


def run(argv: Sequence[str], timeout: float) -> Completed:
    """Run a program and return how it ended.

    :param argv: the program and its arguments; no shell is involved.
    :param timeout: seconds after which the program is killed.
    :raises HostError: the program is not installed.
    :raises subprocess.TimeoutExpired: it took longer than ``timeout``.
    """
    path = os.environ.get("PATH", "")
    environment = {**os.environ, "LC_ALL": "C", "PATH": f"{path}:{_SBIN}" if path else _SBIN}
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env=environment,
        )
    except FileNotFoundError as error:
        raise HostError(
            f"The program '{argv[0]}' is not installed on this host; install it and run again."
        ) from error
    return Completed(done.returncode, done.stdout, done.stderr)
