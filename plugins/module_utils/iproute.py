# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What iproute2's ``ip`` tells, read from its JSON."""

from __future__ import annotations

import json
from typing import Any

from .commands import Runner
from .errors import HostError

_SECONDS = 10.0


def ip(runner: Runner, *arguments: str) -> list[dict[str, Any]]:
    """The entries that ``ip`` prints for some arguments.

    :raises HostError: ``ip`` is missing, fails, or prints something else.
    """
    done = runner(["ip", "-j", *arguments], _SECONDS)
    if done.code != 0:
        raise HostError(f"'ip {' '.join(arguments)}' failed: {done.words}")
    try:
        # ip 6.1 prints an empty object for what the filter leaves out
        return [entry for entry in json.loads(done.out or "[]") if entry]
    except ValueError as error:
        raise HostError(f"'ip {' '.join(arguments)}' gave no JSON: {error}") from error
