"""Talk to a guest's machine monitor (QEMU's QMP: one JSON object per line)."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

from .errors import LabError


def execute(path: Path, command: str, timeout: float = 60.0, **arguments: Any) -> Any:
    """Run one command on the monitor at ``path`` and return its result; raise ``LabError`` on
    failure.
    """
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(timeout)
            _connect(link, path)
            stream = link.makefile("rw", encoding="utf-8")
            stream.readline()  # the greeting
            _ask(stream, "qmp_capabilities", {})
            return _ask(stream, command, arguments)
    except OSError as error:
        raise LabError(f"{path.stem}: its machine monitor does not answer ({error})") from error


def human(path: Path, line: str, timeout: float = 120.0) -> str:
    """Run a line of the human monitor; raise ``LabError`` when it answers anything that is an
    error.
    """
    answer = str(execute(path, "human-monitor-command", timeout, **{"command-line": line})).strip()
    if "rror" in answer:
        raise LabError(f"{path.stem}: {line}: {answer}")
    return answer


def _connect(link: socket.socket, path: Path, patience: float = 10.0) -> None:
    """Connect, waiting for a machine that is just starting; one client at a time is served."""
    limit = time.monotonic() + patience
    while True:
        try:
            link.connect(str(path))
            return
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            if time.monotonic() > limit:
                raise
            time.sleep(0.05)


def _ask(stream: Any, command: str, arguments: dict[str, Any]) -> Any:
    stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    stream.flush()
    while True:
        line = stream.readline()
        if not line:
            raise LabError(f"the machine monitor closed while it did {command}")
        answer = json.loads(line)
        if "return" in answer:
            return answer["return"]
        if "error" in answer:
            raise LabError(f"{command}: {answer['error'].get('desc', answer['error'])}")
