# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an intent: all of it at once, each with its place, value and remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# More host names than this in one line hide the message itself.
HOSTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    path: the variable's path, as `underlay_networks[lcm].segments[r1].gateway`
    value: what stands there (shown as it is)
    wrong: what is wrong with it
    right: what would be right
    host: the host that has the variable; empty for the fleet's own
    """

    path: str
    value: object
    wrong: str
    right: str
    host: str = ""


class IntentError(Exception):
    """The intent cannot be planned. Carries every problem that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(describe(self.problems))


def describe(problems: Iterable[Problem]) -> str:
    """Return the problems as text, one a line; hosts that share a problem share its line."""
    hosts_of: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for problem in problems:
        key = (problem.path, _shown(problem.value), problem.wrong, problem.right)
        hosts_of.setdefault(key, {})[problem.host] = None
    lines = []
    for (path, value, wrong, right), hosts in hosts_of.items():
        place = f"{_who([host for host in hosts if host])}{path}"
        line = f"{place}{': ' + value if value else ''}: {wrong.rstrip('.')}. {right}."
        # Values and other libraries' messages may have line breaks; a problem has one line.
        lines.append(" ".join(line.split()))
    noun = "problem" if len(lines) == 1 else "problems"
    return "\n".join([f"{len(lines)} {noun} in the intent, nothing was changed:", *_bullets(lines)])


def _bullets(lines: Iterable[str]) -> list[str]:
    return [f"  - {line}" for line in lines]


def _who(hosts: list[str]) -> str:
    if not hosts:
        return ""
    shown = ", ".join(hosts[:HOSTS_SHOWN])
    more = len(hosts) - HOSTS_SHOWN
    return f"{shown}{f' and {more} more hosts' if more > 0 else ''}: "


def _shown(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
