# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A door to a private firewalld, as tests use it: every method runs beside the daemon."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.underlay.cluster.plugins.module_utils import firewalld_door
from tests.integration.private_firewalld import PYTHON, PrivateFirewalld

DRIVER = Path(__file__).parent / "door_driver.py"


class RemoteDoor:
    """See firewalld_door.Door; `save` and `put_back` keep foreign iptables rules."""

    def __init__(
        self, firewalld: PrivateFirewalld, *, timeout: float = 60, offline: bool = False
    ) -> None:
        self._driver = firewalld.popen(PYTHON, str(DRIVER))
        self.kind: str = self.ask("open", {"timeout": timeout, "offline": offline})

    def ask(self, method: str, *arguments: Any) -> Any:
        self.begin(method, *arguments)
        return self.end()

    def begin(self, method: str, *arguments: Any) -> None:
        """Ask, and do not wait for the answer."""
        assert self._driver.stdin is not None
        asked = base64.b64encode(pickle.dumps((method, *arguments))).decode()
        self._driver.stdin.write(asked + "\n")
        self._driver.stdin.flush()

    def end(self) -> Any:
        """The answer to what was asked last; what was raised there is raised here."""
        assert self._driver.stdout is not None
        answer = pickle.loads(base64.b64decode(self._driver.stdout.readline()))
        if answer[0] == "value":
            return answer[1]
        _error, name, code, text = answer
        kind = getattr(firewalld_door, name, RuntimeError)
        raise kind(code, text) if name == "Refused" else kind(text)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *arguments: self.ask(method, *arguments)
