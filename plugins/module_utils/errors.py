# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on a host, and the one place where it becomes a sentence."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from typing import NoReturn, Protocol


class HostError(Exception):
    """A failure that already reads as a sentence.

    :param message: what is wrong and what would be right.
    :param problems: single findings, when there are several; shown one per line.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"- {problem}" for problem in self.problems)])


class Failing(Protocol):
    """The part of AnsibleModule that ends a run with an error."""

    def fail_json(self, msg: str, **kwargs: object) -> NoReturn:
        """End the run with this message."""


@contextlib.contextmanager
def told_plainly(module: Failing) -> Iterator[None]:
    """Run a module's work: whatever the host refuses ends in ``fail_json``, no traceback."""
    try:
        yield
    except HostError as error:
        module.fail_json(msg=str(error), problems=list(error.problems))
    except subprocess.TimeoutExpired as error:
        module.fail_json(
            msg=f"'{_command(error.cmd)}' did not end within {error.timeout:g} s on this host.",
            problems=[],
        )
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout or "it gave no reason").strip()
        module.fail_json(
            msg=f"'{_command(error.cmd)}' failed with code {error.returncode}: {words}",
            problems=[],
        )
    except OSError as error:
        module.fail_json(msg=_os_sentence(error), problems=[])


def _command(argv: object) -> str:
    return " ".join(str(word) for word in argv) if isinstance(argv, (list, tuple)) else str(argv)


def _os_sentence(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    if isinstance(error, PermissionError):
        reason += " (this module needs root: run the task with become)"
    where = f"{error.filename}: " if error.filename else ""
    return f"The host refused an operation: {where}{reason}."
